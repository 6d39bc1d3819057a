"""An in-memory fleet with an eager scheduler and controllers: where ``run --snapshot`` acts, and what the tests act on."""

from __future__ import annotations

from descheduler.federation.simulated.fleet import Call, SimulatedFleet
from descheduler.federation.simulated.scheduler import Choice

__all__ = ["Call", "Choice", "SimulatedFleet"]
