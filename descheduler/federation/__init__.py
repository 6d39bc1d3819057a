"""Where fleets are read and acted on: recorded, simulated and live; the only room that knows Kubernetes' wire format."""
