"""``descheduler run``: plan, and act if the policy says ``mode: Apply``; with ``--snapshot`` on a simulated fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descheduler.clock import SimulatedClock, SystemClock
from descheduler.commands.console import progress
from descheduler.commands.plan import MOVES_PROPOSED, deliver, options, read

if TYPE_CHECKING:
    from descheduler.settings import RunSettings

PARTLY_DONE = 3


def execute(settings: RunSettings) -> int:
    """Plan, act, print; 0 when everything proposed was done or nothing was to be done, 3 when some of it was not."""
    snapshot, policy = read(settings)
    from descheduler import pipeline
    from descheduler.federation.simulated import SimulatedFleet

    clock = SimulatedClock(snapshot.taken_at)
    fleet = SimulatedFleet(snapshot, clock, seed=settings.seed)
    actuator = fleet if policy.spec.mode == "Apply" else None
    with progress("planning and acting" if actuator else "planning"):
        report = pipeline.run(fleet, actuator, fleet, policy, options(settings, SystemClock()), clock)
    deliver(report, settings)
    if report.outcome is None:
        return MOVES_PROPOSED if settings.detailed_exitcode and report.plan.moves else 0
    return 0 if report.outcome.complete else PARTLY_DONE
