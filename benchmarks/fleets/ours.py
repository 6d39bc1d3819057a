"""One plan of this tool: its time, when it had what, its quality, memory and bytes."""

from __future__ import annotations

import gc
import hashlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.fleets.memory import Watch
from descheduler import pipeline
from descheduler.domain.plan import Plan
from descheduler.domain.report import Report
from descheduler.domain.snapshot import Snapshot
from descheduler.output.json_plan import plan_to_json
from descheduler.policy.policy import Policy
from descheduler.portfolio import Progress

MARKS = (1, 5, 10, 30, 60, 120)
"""Seconds at which the gap is told."""
RUN = pipeline.Options(run_id="benchmark", created_at=datetime(2026, 1, 1, tzinfo=UTC))


@dataclass
class Trace:
    """When the search had which verified plan, in seconds since the snapshot was in memory."""

    started: float = field(default_factory=time.perf_counter)
    plans: list[tuple[float, int, int]] = field(default_factory=list)
    """(seconds, waiting pods placed, moves) of every plan that differs from the one before, the empty one left out."""
    bounded: float | None = None
    """When the bounds of all priorities were known."""

    def hear(self, progress: Progress) -> None:
        now = time.perf_counter() - self.started
        last = self.plans[-1][1:] if self.plans else (0, 0)
        if (progress.placed, progress.moves) != last:
            self.plans.append((now, progress.placed, progress.moves))
        if progress.bound is not None and self.bounded is None:
            self.bounded = now

    def placed_at(self, seconds: float) -> int:
        """What the plan of that moment places."""
        return next((placed for at, placed, _ in reversed(self.plans) if at <= seconds), 0)

    def figures(self, whole: float, bound: int | None) -> dict[str, Any]:
        """First plan, last improvement, bounds, and the gap at the marks within the ``whole`` seconds."""
        rounded = [[round(at, 2), placed, moves] for at, placed, moves in self.plans]
        return {
            "first plan": rounded[0][0] if rounded else None,
            "last improvement": rounded[-1][0] if rounded else None,
            "bounds known": None if self.bounded is None else round(self.bounded, 2),
            "gap at": {f"{mark} s": gap(self.placed_at(mark), bound) for mark in MARKS if mark < whole},
            "trace": rounded,
        }


def gap(placed: int, bound: int | None) -> float | None:
    """(bound − placed) / bound in per cent; 0 where nothing can be placed, ``None`` where nothing is known."""
    if bound is None:
        return None
    return round(100 * (bound - placed) / bound, 1) if bound else 0.0


def total(bounds: Sequence[int | None]) -> int | None:
    """All bounds added up; ``None`` while one is unknown."""
    known = [bound for bound in bounds if bound is not None]
    return sum(known) if len(known) == len(bounds) else None


def fingerprint(plan: Plan) -> str:
    """SHA-256 of plan.json without what tells two equal runs apart: runID and createdAt."""
    told = plan_to_json(plan)
    for own in ("runID", "createdAt"):
        del told["metadata"][own]
    return hashlib.sha256(json.dumps(told, ensure_ascii=False).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class How:
    """How the tool is run."""

    effort: float = 1.0
    workers: int = 2
    limit: timedelta = timedelta(seconds=120)
    executor: str | None = None
    """A dask cluster instead of processes of its own."""


def measured(snapshot: Snapshot, policy: Policy, how: How) -> dict[str, Any]:
    """Plan once and tell everything about it. The clock starts with the snapshot in memory and stops at the published plan."""
    gc.collect()
    with Watch() as watch:
        trace = Trace()
        options = pipeline.Options(
            run_id=RUN.run_id,
            created_at=RUN.created_at,
            effort=how.effort,
            workers=how.workers,
            executor=how.executor,
            time_limit=how.limit,
            tell=trace.hear,
        )
        report = pipeline.plan(snapshot, policy, options)
        seconds = time.perf_counter() - trace.started
    return figures(report, seconds, trace) | watch.figures()


def figures(report: Report, seconds: float, trace: Trace) -> dict[str, Any]:
    """What the plan and its making amount to; by priority, the highest first."""
    plan = report.plan
    placed, bounds = [row.placed for row in plan.by_priority], [row.bound for row in plan.by_priority]
    return {
        "seconds": round(seconds, 2),
        "priorities": [row.priority for row in plan.by_priority],
        "placed": placed,
        "bound": bounds,
        "gap": [gap(k, bound) for k, bound in zip(placed, bounds, strict=True)],
        "total": sum(placed),
        "total gap": gap(sum(placed), total(bounds)),
        "moves": len(plan.moves),
        "waves": plan.waves,
        "cycle breaks": sum(move.cycle_break for move in plan.moves),
        "contested": sum(p.contested for p in plan.placements),
        "reserved": sum(p.mover == "Surge" for p in plan.placements),
        "status": {level.name: level.status.value for level in plan.objectives},
        "unplaced": {c: sum(u.category == c for u in plan.unplaced) for c in sorted({u.category.value for u in plan.unplaced})},
        "refused": sum(r.subject == "candidate plan" for r in report.remarks),
        "reproducible": plan.metadata.reproducible,
        "sha256": fingerprint(plan),
        **trace.figures(seconds, total(bounds)),
    }
