"""``descheduler explain``: why one pod waits and what would help, or what keeps a running one in its place. Never writes to a cluster."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from descheduler.clock import SystemClock
from descheduler.commands.console import colourful, progress, say
from descheduler.commands.fleet import open_fleet
from descheduler.commands.plan import available_workers, check_executor

if TYPE_CHECKING:
    from descheduler.domain.plan import Plan
    from descheduler.domain.snapshot import Snapshot
    from descheduler.policy.policy import Policy
    from descheduler.settings import ExplainSettings


def execute(settings: ExplainSettings) -> int:
    """Read, explain, print; 0. Raises UsageError when no pod, or more than one, is called so."""
    from descheduler.explain import explain, find
    from descheduler.output.explanation import render_explanation
    from descheduler.policy import load_policy

    fleet = open_fleet(settings, SystemClock())
    policy = load_policy(settings.policy)
    check_executor(settings.executor)
    with progress("reading the fleet", settings.quiet):
        snapshot = fleet.snapshot()
    pod = find(snapshot, settings.pod)
    plan = _plan(snapshot, policy, settings) if pod.waiting else None
    say(render_explanation(explain(snapshot, policy, pod, plan), settings.format, colour=colourful()))
    return 0


def _plan(snapshot: Snapshot, policy: Policy, settings: ExplainSettings) -> Plan:
    """The plan that ``descheduler plan`` would make. The search is imported only here: a running pod needs none."""
    from descheduler import pipeline

    with progress("planning", settings.quiet) as tell:
        options = pipeline.Options(
            seed=settings.seed,
            effort=settings.effort,
            time_limit=settings.time_limit,
            workers=settings.workers or available_workers(),
            executor=settings.executor,
            run_id=str(uuid.uuid4()),
            created_at=SystemClock().now().replace(microsecond=0),
            tell=tell,
        )
        return pipeline.plan(snapshot, policy, options).plan
