"""Real control planes for tests: etcd, API server, controller-manager, scheduler and kwok as plain processes on loopback.

Nothing here is used by the product. A test asks for the fixtures of `tests/cluster/conftest.py`; a script starts its own
`control_planes.ControlPlanes`.
"""
