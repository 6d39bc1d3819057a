"""``descheduler apply``: carry out a plan.json, or what still holds of it, and never anything else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descheduler.clock import SystemClock
from descheduler.commands.acting import PARTLY_DONE, hands_on
from descheduler.commands.console import check_writable, colourful, progress, say, write
from descheduler.commands.fleet import live_fleet
from descheduler.commands.report import report_in
from descheduler.commands.signals import Signals
from descheduler.errors import ExecutionError, UsageError

if TYPE_CHECKING:
    from datetime import datetime

    from descheduler.domain.plan import Plan
    from descheduler.policy import Policy
    from descheduler.settings import ApplySettings


def execute(settings: ApplySettings) -> int:
    """Look again, act, print; 0 when all of the plan was done, 3 when some of it was not.

    Raises UsageError for a plan of another policy or other clusters, ExecutionError for one that is stale.
    """
    from descheduler.domain.report import Report
    from descheduler.execute import act
    from descheduler.output import render
    from descheduler.policy import load_policy

    clock = SystemClock()
    check_writable(settings.output)
    plan = report_in(settings.plan).plan
    policy = load_policy(settings.policy)
    check(plan, policy, clock.now())
    fleet = live_fleet(settings, clock)
    if not (plan.moves or plan.placements):
        say("nothing to do: the plan has no steps")
        return 0
    with Signals() as signals, progress("applying the plan", settings.quiet):
        outcome = act(plan, policy, fleet, hands_on(fleet, settings, clock, signals), clock)
    report = Report(plan=plan, outcome=outcome)
    if settings.output is not None:
        write(settings.output, render(report, "json"))
    say(render(report, settings.format, colour=colourful()))
    return 0 if outcome.complete else PARTLY_DONE


def check(plan: Plan, policy: Policy, now: datetime) -> None:
    """Raises UsageError unless the plan was made under this policy, ExecutionError when it is too old, or not made yet."""
    from descheduler.domain.durations import format_duration
    from descheduler.policy import policy_digest

    digest = policy_digest(policy)
    if plan.metadata.policy_digest != digest:
        raise UsageError(
            f"the plan was made under another policy than {policy.metadata.name}: "
            f"its digest is {plan.metadata.policy_digest}, this one's is {digest}"
        )
    age, most = now - plan.metadata.created_at, policy.spec.second_look.plan_max_age
    if age > most:
        raise ExecutionError("churn", f"the plan is older than secondLook.planMaxAge {format_duration(most)}: plan again")
    if -age > most:
        raise ExecutionError("churn", f"the plan was made in the future, by our clock: {plan.metadata.created_at:%Y-%m-%d %H:%M:%S} UTC")
