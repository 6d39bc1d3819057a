"""``descheduler plan``: read a fleet, search, print the plan. Never writes to a cluster."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from descheduler.clock import Clock, SystemClock
from descheduler.commands.console import check_writable, colourful, progress, say, write
from descheduler.commands.fleet import open_fleet
from descheduler.commands.signals import Signals

if TYPE_CHECKING:
    from descheduler.domain.report import Report
    from descheduler.domain.snapshot import Snapshot
    from descheduler.pipeline import Options
    from descheduler.policy import Policy
    from descheduler.portfolio import Progress
    from descheduler.settings import PlanSettings, RunSettings

MOVES_PROPOSED = 10
MOST_WORKERS = 4


def execute(settings: PlanSettings) -> int:
    """Plan and print; 0, or 10 with ``--detailed-exitcode`` when moves are proposed.

    SIGINT and SIGTERM end the search, not the command: the best plan so far is told as any other.
    """
    snapshot, policy = read(settings)
    from descheduler import pipeline

    with Signals() as signals, progress("planning", settings.quiet) as tell:
        report = pipeline.plan(snapshot, policy, options(settings, SystemClock(), signals, tell))
    deliver(report, settings)
    return MOVES_PROPOSED if settings.detailed_exitcode and report.plan.moves else 0


def read(settings: PlanSettings | RunSettings) -> tuple[Snapshot, Policy]:
    """The fleet and the policy the settings name.

    Raises UsageError for a fleet or an output file that cannot be, PolicyError for a policy with mistakes.
    """
    fleet = open_fleet(settings, SystemClock())
    policy = policy_of(settings)
    with progress("reading the fleet", settings.quiet):
        return fleet.snapshot(), policy


def policy_of(settings: PlanSettings | RunSettings) -> Policy:
    """The policy the settings name, what is odd about it logged.

    Raises UsageError for an output file that cannot be, PolicyError for a policy with mistakes.
    """
    from loguru import logger

    from descheduler.policy import load_policy, notes

    check_writable(settings.output)
    check_executor(settings.executor)
    policy = load_policy(settings.policy)
    for note in notes(policy):
        logger.warning("policy: {}", note)
    return policy


def options(settings: PlanSettings | RunSettings, clock: Clock, signals: Signals, tell: Callable[[Progress], None] | None) -> Options:
    """What the search is told besides the fleet and the policy."""
    from descheduler.pipeline import Options

    return Options(
        seed=settings.seed,
        effort=settings.effort,
        time_limit=settings.time_limit,
        workers=settings.workers or available_workers(),
        executor=settings.executor,
        verbose=settings.verbose,
        stop=signals.stop,
        tell=tell,
        run_id=str(uuid.uuid4()),
        created_at=clock.now().replace(microsecond=0),
    )


def deliver(report: Report, settings: PlanSettings | RunSettings) -> None:
    """Write plan.json if asked to, with results if the plan was carried out, then print the report."""
    from descheduler.output import render
    from descheduler.output.json_plan import render_report_json

    if settings.output is not None:
        write(settings.output, render_report_json(report))
    say(render(report, settings.format, colour=colourful()))


def check_executor(address: str | None) -> None:
    """Raises UsageError for an executor that cannot be, before a large fleet is read for it."""
    if address is not None:
        from descheduler.portfolio.executors import check_address

        check_address(address)


def available_workers(quota: Path = Path("/sys/fs/cgroup/cpu.max")) -> int:
    """Processors this process may use: its affinity and its cgroup's quota, from 1 to 4. Never changes a plan, only its speed."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        most, period = quota.read_text().split()[:2]
        if most != "max":
            processors = min(processors, int(most) // int(period))
    except (OSError, ValueError, ZeroDivisionError):
        pass  # no cgroup v2 here: the affinity is all there is to know
    return max(1, min(processors, MOST_WORKERS))
