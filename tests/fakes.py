"""Stand-ins for the world that are real objects: a clock that jumps. The fleet of the tests is ``federation.simulated.SimulatedFleet``."""

from __future__ import annotations

from descheduler.clock import SimulatedClock
from tests.builders import NOW


class FakeClock(SimulatedClock):
    """A clock that starts at the builders' ``NOW`` and jumps instead of waiting; ``slept`` is the total it was asked to wait."""

    def __init__(self) -> None:
        super().__init__(NOW)
