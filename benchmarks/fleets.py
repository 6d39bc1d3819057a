"""Random fleets of ../shared's format: time, placed per priority, bounds and statuses (`python -m benchmarks.fleets --instances DIR`).

An instance is a snapshot directory with ``NAME.truth.json`` beside it, whose budgets become the policy's limits.
The clock runs from the parsed snapshot in memory to the published plan, imports excluded.
"""

from __future__ import annotations

import argparse
import gc
import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from descheduler import pipeline
from descheduler.domain.report import Report
from descheduler.federation.recorded import RecordedFleet
from descheduler.policy.policy import Policy


def policy_of(truth: Mapping[str, Any] | None, moves: int | None = None, **more: Any) -> Policy:
    """The shipped default, or its limits replaced by a truth file's budgets (``moves`` caps the whole run); ``more`` of its ``spec``."""
    if truth is None:
        return Policy()
    budgets = truth["budgets"]
    limits = {
        "perRun": budgets["run"] if moves is None else moves,
        "perCluster": budgets["cluster"],
        "perNamespace": None,
        "perNode": None,
        "perWorkload": None,
        "movesPerPlacedPod": None,
        "waves": 40,
        "perWindow": [],
    }
    overrides = [{"match": {"namespaces": [n]}, "limits": {"perNamespace": k}} for n, k in sorted(budgets["namespace"].items())]
    return Policy.model_validate({"spec": {"limits": limits, "overrides": overrides, **more}})


def measured(directory: Path, policy: Policy, effort: float, workers: int, limit: timedelta) -> tuple[Report, float]:
    """The report and its seconds."""
    snapshot = RecordedFleet(directory).snapshot()
    options = pipeline.Options(
        run_id="benchmark", created_at=datetime(2026, 1, 1, tzinfo=UTC), effort=effort, workers=workers, time_limit=limit
    )
    gc.collect()
    started = time.perf_counter()
    report = pipeline.plan(snapshot, policy, options)
    return report, time.perf_counter() - started


def figures(name: str, report: Report, seconds: float) -> dict[str, Any]:
    """One line of results."""
    plan = report.plan
    return {
        "instance": name,
        "seconds": round(seconds, 2),
        "priorities": [row.priority for row in plan.by_priority],
        "placed": [row.placed for row in plan.by_priority],
        "bound": [row.bound for row in plan.by_priority],
        "moves": len(plan.moves),
        "waves": plan.waves,
        "contested": sum(p.contested for p in plan.placements),
        "reserved": sum(p.mover == "Surge" for p in plan.placements),
        "status": {level.name: level.status.value for level in plan.objectives},
        "unplaced": {c: sum(u.category == c for u in plan.unplaced) for c in sorted({u.category.value for u in plan.unplaced})},
        "refused": sum(r.subject == "candidate plan" for r in report.remarks),
        "reproducible": plan.metadata.reproducible,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=Path, required=True, help="snapshot directories with NAME.truth.json beside them")
    parser.add_argument("--only", default="*", help="a pattern of instance names")
    parser.add_argument("--default-policy", action="store_true", help="measure the shipped default instead of the truth file's limits")
    parser.add_argument("--moves", type=int, help="moves of the whole run, instead of the truth file's")
    parser.add_argument("--effort", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--time-limit", type=float, default=600.0, help="seconds; the emergency stop")
    parser.add_argument("--json", type=Path, help="write the figures here")
    told = parser.parse_args()
    lines = []
    for directory in sorted(p for p in told.instances.glob(told.only) if p.is_dir()):
        truth = None if told.default_policy else json.loads(directory.with_name(f"{directory.name}.truth.json").read_text())
        limit = timedelta(seconds=told.time_limit)
        report, seconds = measured(directory, policy_of(truth, told.moves), told.effort, told.workers, limit)
        lines.append(figures(directory.name, report, seconds))
        print(json.dumps(lines[-1]), flush=True)
    if told.json:
        told.json.write_text(json.dumps(lines, indent=2) + "\n")


if __name__ == "__main__":
    main()
