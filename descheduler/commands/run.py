"""``descheduler run``: plan, and act if the policy says ``mode: Apply``; with ``--snapshot`` on a simulated fleet."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descheduler.clock import SimulatedClock, SystemClock
from descheduler.commands.console import progress, say
from descheduler.commands.fleet import live_fleet
from descheduler.commands.plan import MOVES_PROPOSED, deliver, options, policy_of, read
from descheduler.errors import UsageError

if TYPE_CHECKING:
    from descheduler.policy import Policy
    from descheduler.settings import RunSettings

PARTLY_DONE = 3


def execute(settings: RunSettings) -> int:
    """Plan, act, print; 0 when everything proposed was done or nothing was to be done, 3 when some of it was not."""
    if settings.snapshot is None:
        return _live(settings)
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


def _live(settings: RunSettings) -> int:
    """Plan for a live fleet. Raises UsageError when the policy wants more than that: a plan is no answer to ``mode: Apply``."""
    fleet = live_fleet(settings, SystemClock())
    policy = policy_of(settings)
    if policy.spec.mode == "Apply":
        raise UsageError(
            f"policy {policy.metadata.name} says mode: Apply, but acting on live fleets comes with a later version; "
            "say mode: Plan, or try it on a simulated fleet with --snapshot DIR"
        )
    if _only_for_waiting_pods(settings, policy):
        with progress("looking for waiting pods"):
            idle = fleet.nothing_waits()
        if idle:
            say(f"nothing to do: no pod waits for a node in {', '.join(member.name for member in fleet.members)}")
            return 0
    from descheduler import pipeline

    with progress("reading the fleet"):
        snapshot = fleet.snapshot()
    with progress("planning"):
        report = pipeline.plan(snapshot, policy, options(settings, SystemClock()))
    deliver(report, settings)
    return MOVES_PROPOSED if settings.detailed_exitcode and report.plan.moves else 0


def _only_for_waiting_pods(settings: RunSettings, policy: Policy) -> bool:
    """Whether a fleet in which nothing waits needs no further look: no objective causes moves by itself, and no file is to be written.

    An objective after Disruption only chooses among plans of equal moves; a plan.json describes the whole fleet.
    """
    return policy.spec.objectives[:2] == ("PendingPods", "Disruption") and settings.output is None and settings.format == "text"
