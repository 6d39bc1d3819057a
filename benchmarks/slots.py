"""Slots of large fleets (`python -m benchmarks.slots --instances DIR`): from one placement of waiting pods, slot points seconds later.

The shapes and weights are those of the fleets' generator: 16 cpu with 64Gi counts 2, 32 with 128Gi counts 5, on GPU nodes with 4 and 8
GPUs 4 and 10. The limits are the truth file's. First the waiting pods get their places, within 30 seconds; that is frozen. Then the
stage for Headroom has ``--seconds`` of the wall clock, with ``--workers``; ``--clock cpu`` gives it as many seconds of CPU for each
worker instead, in one process, for machines that are busy with other work. Every route is verified. ``--cpsat`` lets the tool's own
whole model (the one of small fleets) look for the same as long as is said, from nothing.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.fleets import policy_of
from descheduler.diagnose import diagnose
from descheduler.domain.placement import Route
from descheduler.domain.problem import Problem
from descheduler.federation.recorded import RecordedFleet
from descheduler.planner import order
from descheduler.portfolio.executors import executor
from descheduler.portfolio.fleet import SEARCH_SHARE, FleetSearch
from descheduler.portfolio.score import slots_after
from descheduler.portfolio.slots import make_headroom
from descheduler.solver.exact import solve
from descheduler.solver.solution import Search, never
from descheduler.verify import violations

GPU = "nvidia.com/gpu"
FROZEN_AFTER = 30.0
SHAPES: list[dict[str, Any]] = [
    {"name": "half", "weight": 2, "requests": {"cpu": "16", "memory": "64Gi"}},
    {"name": "whole", "weight": 5, "requests": {"cpu": "32", "memory": "128Gi"}},
    *(
        {
            "name": f"gpu-{gpus}",
            "weight": weight,
            "requests": {"cpu": cpu, "memory": memory, GPU: gpus},
            "tolerations": [{"key": GPU, "operator": "Exists", "effect": "NoSchedule"}],
        }
        for gpus, weight, cpu, memory in ((4, 4, "16", "64Gi"), (8, 10, "32", "128Gi"))
    ),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=Path, required=True, help="snapshot directories with NAME.truth.json beside them")
    parser.add_argument("--only", default="*", help="a pattern of instance names")
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cpsat", type=float, help="seconds for the whole model")
    parser.add_argument("--json", type=Path, help="write the figures here")
    told = parser.parse_args()
    lines = []
    for directory in sorted(p for p in told.instances.glob(told.only) if p.is_dir()):
        truth = json.loads(directory.with_name(f"{directory.name}.truth.json").read_text())
        policy = policy_of(truth, objectives=["PendingPods", "Headroom", "Disruption"], shapes=SHAPES, floor={"slotsPerMove": 0})
        problem = diagnose(RecordedFleet(directory).snapshot(), policy)
        line = {"instance": directory.name, **measured(problem, told.seconds, told.clock, told.workers, told.seed)}
        if told.cpsat:
            line["cpsat"] = by_cp_sat(problem, told.cpsat)
        lines.append(line)
        print(json.dumps(line), flush=True)
    if told.json:
        told.json.write_text(json.dumps(lines, indent=2) + "\n")


def measured(problem: Problem, seconds: float, clock: str, workers: int, seed: int) -> dict[str, Any]:
    """The slot points before, of the frozen placement, and after the seconds."""
    frozen = _placed(problem, seed)
    with executor(1 if clock == "cpu" else workers) as pool:
        _warm(problem, pool)
        started, cpu = time.perf_counter(), time.process_time()

        def late() -> bool:
            return clock == "cpu" and time.process_time() - cpu > seconds * workers

        limit = None if clock == "cpu" else time.monotonic() + seconds / SEARCH_SHARE
        stages = FleetSearch(problem, pool, seed=seed, deadline=limit, over=late)
        stages.begin_with(frozen)
        make_headroom(stages)
        took = {"seconds": round(time.perf_counter() - started, 2), "cpu": round(time.process_time() - cpu, 2)}
    found = [str(v) for v in violations(problem, stages.best)]
    assert not found, found
    return {
        "before": slots_after(problem, Route()),
        "frozen": _told(problem, frozen),
        "after": _told(problem, stages.best),
        **took,
        "cut short": stages.cut_short,
        "refused": len(stages.rejected),
    }


def _placed(problem: Problem, seed: int) -> Route:
    patient = replace(problem, terms=replace(problem.terms, objectives=("PendingPods", "Disruption")))
    with executor(1) as pool:
        stages = FleetSearch(patient, pool, seed=seed, deadline=time.monotonic() + FROZEN_AFTER / SEARCH_SHARE)
        stages.run(brief=False)
    return stages.best


def _warm(problem: Problem, pool: Any) -> None:
    """Kernels compiled or loaded, and workers started, before the clock runs."""
    FleetSearch(problem, pool, effort=0.0).run(brief=False)


def _told(problem: Problem, route: Route) -> dict[str, Any]:
    placed = [sum(problem.classes[b.pod_class].priority == p for b in route.binds) for p in problem.priorities]
    return {"slots": slots_after(problem, route), "placed": placed, "moves": len(route.shifts), "waves": route.waves}


def by_cp_sat(problem: Problem, seconds: float, stop: Callable[[], bool] = never) -> dict[str, Any]:
    """The whole model, one worker; what could not be ordered is left out of its route."""
    started = time.process_time()
    solution = solve(problem, Search(effort=1e6, deadline=time.monotonic() + seconds, stop=stop, quick=True))
    route = order(problem, solution.placement).route
    return {**_told(problem, route), "cpu": round(time.process_time() - started, 1)}


if __name__ == "__main__":
    main()
