"""``descheduler run``: plan, and act if the policy says ``mode: Apply``; with ``--snapshot`` on a simulated fleet."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from descheduler.clock import SimulatedClock, SystemClock
from descheduler.commands.acting import PARTLY_DONE, hands_on
from descheduler.commands.console import progress, say
from descheduler.commands.fleet import live_fleet
from descheduler.commands.plan import MOVES_PROPOSED, deliver, options, policy_of, read
from descheduler.commands.signals import Signals

if TYPE_CHECKING:
    from descheduler.domain.report import Report
    from descheduler.policy import Policy
    from descheduler.settings import RunSettings


def execute(settings: RunSettings) -> int:
    """Plan, act, print; 0 when everything proposed was done or nothing was to be done, 3 when some of it was not."""
    if settings.snapshot is None:
        return _live(settings)
    snapshot, policy = read(settings)
    from descheduler import pipeline
    from descheduler.execute import Hands
    from descheduler.federation.simulated import SimulatedFleet

    clock = SimulatedClock(snapshot.taken_at)
    fleet = SimulatedFleet(snapshot, clock, seed=settings.seed)
    hands = Hands(actuator=fleet, store=fleet) if policy.spec.mode == "Apply" else None
    with Signals() as signals, progress("planning and acting" if hands else "planning", settings.quiet) as tell:
        hands = None if hands is None else replace(hands, stop=signals.heard)
        report = pipeline.run(fleet, hands, policy, options(settings, SystemClock(), signals, tell), clock)
    return _told(report, settings)


def _live(settings: RunSettings) -> int:
    """Plan for a live fleet and, under ``mode: Apply``, act on it."""
    clock = SystemClock()
    fleet = live_fleet(settings, clock)
    policy = policy_of(settings)
    with Signals() as signals:
        hands = hands_on(fleet, settings, clock, signals) if policy.spec.mode == "Apply" else None
        at_rest = hands is None or all(hands.store.at_rest(member.name) for member in fleet.members)
        if at_rest and _only_for_waiting_pods(settings, policy):
            with progress("looking for waiting pods", settings.quiet):
                idle = fleet.nothing_waits()
            if idle:
                say(f"nothing to do: no pod waits for a node in {', '.join(member.name for member in fleet.members)}")
                return 0
        from descheduler import pipeline

        with progress("planning and acting" if hands else "planning", settings.quiet) as tell:
            report = pipeline.run(fleet, hands, policy, options(settings, clock, signals, tell), clock)
    return _told(report, settings)


def _told(report: Report, settings: RunSettings) -> int:
    """Print the report; the exit code that goes with it."""
    deliver(report, settings)
    recovered = all(result.outcome == "Done" for result in report.recovered)
    if report.outcome is not None:
        return 0 if report.outcome.complete and recovered else PARTLY_DONE
    if not recovered:
        return PARTLY_DONE
    return MOVES_PROPOSED if settings.detailed_exitcode and report.plan.moves else 0


def _only_for_waiting_pods(settings: RunSettings, policy: Policy) -> bool:
    """Whether a fleet in which nothing waits needs no further look: no objective causes moves by itself, and no file is to be written.

    An objective after Disruption only chooses among plans of equal moves; a plan.json describes the whole fleet.
    """
    return policy.spec.objectives[:2] == ("PendingPods", "Disruption") and settings.output is None and settings.format == "text"
