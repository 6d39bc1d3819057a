"""VM rescheduling of a real data centre (`python -m benchmarks.vmr2l --instances FILE_OR_DIR`; "VMR2L", EuroSys 2025, medium).

Each NUMA half of a host is a node of one cluster; a VM on one half is a pod that may go to any of them, a VM on two halves stays.
Nothing waits: at most MNL pods move so that as many 16-cpu pods as possible would fit. Model and levels are the tool's own, Headroom
before Disruption; only the clock is the benchmark's. FR is the share of free cpu that no such pod can use. The clock runs from the
parsed data to the checked answer, model building included.
"""

from __future__ import annotations

import argparse
import gc
import gzip
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ortools.sat.python import cp_model

from benchmarks.figures import Figures
from benchmarks.stopwatch import KINDS, Stopwatch
from descheduler.domain.objects import Node, NodeRef, PodSpec
from descheduler.domain.placement import Placement
from descheduler.domain.plan import Mover
from descheduler.domain.problem import PodClass, Problem, Shape, Terms
from descheduler.domain.resources import CPU, MEMORY, PODS, Resources
from descheduler.domain.rows import Capacity, MoveBudget
from descheduler.solver.levels import LEVELS, Level, headroom
from descheduler.solver.model import Model
from descheduler.solver.solution import Search

SLOT = 16
"""Cpus of the pod that free room is measured by."""


@dataclass(frozen=True, slots=True)
class DataCentre:
    """NUMA halves as nodes, VMs on one half by size."""

    name: str
    free: tuple[tuple[int, int], ...]
    """Node to free (cpu, MB)."""
    there: dict[tuple[int, int], Counter[int]]
    """Size (cpu, MB) to node to VMs."""
    fixed: int
    """VMs on two halves."""


def read(path: Path) -> DataCentre:
    """A file of the published format, gzipped or not."""
    data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    nodes: dict[tuple[str, int], int] = {}
    free: list[tuple[int, int]] = []
    there: dict[tuple[int, int], Counter[int]] = defaultdict(Counter)
    fixed = 0
    for cluster in json.loads(data)["cluster_list"]:
        for host in cluster["host_info"]:
            for numa in host["numa"]:
                nodes[host["node_id"], numa["node"]] = len(free)
                free.append((int(numa["free_cpu"]), int(numa["memory_huge_free_mb"])))
        for vm in cluster["vm_instance"]:
            fixed += len(vm["numa"]) > 1
            if len(vm["numa"]) == 1:
                half = vm["numa"][0]
                there[int(half["cpu"]), int(half["mem_mb"])][nodes[vm["host_id"], half["node"]]] += 1
    return DataCentre(path.name, tuple(free), dict(there), fixed)


def problem(data: DataCentre, limit: int) -> Problem:
    """One class per size; what VMs on two halves use is taken off the nodes, for they never leave."""
    used = [[0, 0] for _ in data.free]
    for (cpu, memory), at in data.there.items():
        for n, k in at.items():
            used[n][0] += cpu * k
            used[n][1] += memory * k
    nodes = tuple(
        Node(ref=NodeRef("medium", str(n)), allocatable=Resources({CPU: f[0] + u[0], MEMORY: f[1] + u[1], PODS: 1000}))
        for n, (f, u) in enumerate(zip(data.free, used, strict=True))
    )
    classes, first = [], 0
    for index, ((cpu, memory), at) in enumerate(sorted(data.there.items())):
        asks = Resources({CPU: cpu, MEMORY: memory, PODS: 1})
        pods: dict[int, tuple[int, ...]] = {}
        for n, k in sorted(at.items()):
            pods[n], first = tuple(range(first, first + k)), first + k
        classes.append(
            PodClass(
                index=index,
                cluster="medium",
                namespace="default",
                spec=PodSpec(requests=asks),
                requests=asks,
                labels=(),
                priority=0,
                workload=None,
                waiting=False,
                terminating=False,
                movers=(Mover.SURGE,),
                budgets=(),
                pods=tuple(p for each in pods.values() for p in each),
                at=pods,
                reach=tuple(range(len(nodes))),
            )
        )
    rows = [
        Capacity(rule="NodeResourcesFit", node=n, resource=r, limit=node.allocatable[r])
        for n, node in enumerate(nodes)
        for r in (CPU, MEMORY)
    ]
    budget = MoveBudget(rule="Limits", name="perRun", group=tuple(range(len(classes))), limit=limit)
    shape = Shape(name="slot", weight=1.0, requests=Resources({CPU: SLOT, PODS: 1}))
    return Problem(
        now=datetime(2026, 1, 1, tzinfo=UTC),
        nodes=nodes,
        pods=(),
        classes=tuple(classes),
        budgets=(),
        terms=Terms(objectives=("PendingPods", "Headroom", "Disruption"), shapes=(shape,)),
        rows=(*rows, budget),
    )


def judged(data: DataCentre, placement: Placement, limit: int) -> list[int]:
    """Free cpu per node after the moves, checked in plain arithmetic, apart from the model.

    Raises:
        AssertionError: the placement breaks a rule.
    """
    sizes, free = sorted(data.there), [list(room) for room in data.free]
    balance = Counter[int]()
    for (c, n), k in placement.departures.items():
        assert 0 < k <= data.there[sizes[c]][n], f"{k} VMs of {sizes[c]} leave node {n}"
        balance[c] -= k
        free[n] = [room + size * k for room, size in zip(free[n], sizes[c], strict=True)]
    for (c, n), k in placement.arrivals.items():
        balance[c] += k
        free[n] = [room - size * k for room, size in zip(free[n], sizes[c], strict=True)]
        assert min(free[n]) >= 0, f"node {n} is overfull: {free[n]}"
    assert not any(balance.values()), "VMs appear or vanish"
    assert placement.moves <= limit, f"{placement.moves} > {limit} moves"
    return [cpu for cpu, _ in free]


def slots(free: Sequence[int]) -> int:
    return sum(cpu // SLOT for cpu in free)


def fragment_rate(free: Sequence[int]) -> float:
    """The share of free cpu that no 16-cpu pod can use."""
    return sum(cpu % SLOT for cpu in free) / sum(free)


def greedy(data: DataCentre, limit: int) -> list[int]:
    """A peer: whichever node needs fewest moves for its next slot, each of its VMs best-fit where no slot is lost."""
    free = [list(room) for room in data.free]
    there = {size: Counter(at) for size, at in data.there.items()}
    while True:
        chains = [chain for n in range(len(free)) if (chain := _opened(free, there, n))]
        shortest = min(chains, key=len, default=[])
        if not shortest or len(shortest) > limit:
            return [cpu for cpu, _ in free]
        limit -= len(shortest)
        for size, source, target in shortest:
            _move(free, size, source, target)
            there[size][source] -= 1
            there[size][target] += 1


def _opened(free: list[list[int]], there: dict[tuple[int, int], Counter[int]], node: int) -> list[tuple[tuple[int, int], int, int]]:
    """Moves that give the node one slot more, the largest VMs first; empty when it cannot be done this way."""
    moves: list[tuple[tuple[int, int], int, int]] = []
    goal = free[node][0] // SLOT + 1
    for size in sorted(there, reverse=True):
        for _ in range(there[size][node]):
            fits = [n for n, (cpu, mb) in enumerate(free) if n != node and size[0] <= cpu % SLOT and size[1] <= mb]
            if free[node][0] // SLOT >= goal or not fits:
                break
            target = min(fits, key=lambda n: free[n][0])
            _move(free, size, node, target)
            moves.append((size, node, target))
    done = free[node][0] // SLOT >= goal
    for size, source, target in reversed(moves):
        _move(free, size, target, source)
    return moves if done else []


def _move(free: list[list[int]], size: tuple[int, int], source: int, target: int) -> None:
    for index, amount in enumerate(size):
        free[source][index] += amount
        free[target][index] -= amount


def climbed(model: Model, level: Level, values: list[int], watch: Stopwatch, seed: int) -> tuple[list[int], float | None]:
    """The best assignment found in the time left, ``values`` where there was none, and what is proven of the level."""
    cp = model.cp
    cp.clear_hints()  # type: ignore[no-untyped-call]
    for index in range(len(cp.proto.variables)):
        cp.add_hint(cp.get_int_var_from_proto_index(index), values[index] if index < len(values) else 0)
    (cp.maximize if level.sign > 0 else cp.minimize)(level.goal.expression())
    solver = cp_model.CpSolver()
    solver.parameters.random_seed = seed
    status = watch.solve(solver, cp, watch.left)
    assert status not in (cp_model.MODEL_INVALID, cp_model.INFEASIBLE), solver.status_name(status)
    bound = level.rounded(solver.best_objective_bound) if status != cp_model.UNKNOWN else None
    return (list(solver.response_proto.solution) or values), bound


def search(data: DataCentre, limit: int, watch: Stopwatch, seed: int) -> tuple[Placement, float | None]:
    """As many slots as can be, then with as few moves as that takes; and the proven most slots."""
    model = Model(problem(data, limit), Search())
    bound, values = None, [0] * len(model.cp.proto.variables)
    (level,) = headroom(model, None)
    values, bound = climbed(model, level, values, watch, seed)
    found = level.goal.constant + sum(f * values[i] for i, f in level.goal.factors.items() if i < len(values))
    if watch.left > 0 and any(values):
        model.cp.add(level.goal.expression() >= found)
        values, _ = climbed(model, next(LEVELS["Disruption"](model)), values, watch, seed)
    return placement(model, values), bound


def placement(model: Model, values: list[int]) -> Placement:
    """What leaves and comes; a VM for which one of its size comes to the same node has not moved."""
    leaving = Counter({(c, n): values[v.index] for (c, n, _), v in model.departures.items()})
    coming = Counter({(c, n): values[v.index] for (c, n, _), v in model.arrivals.items()})
    return Placement(departures=leaving - coming, arrivals=coming - leaving)


def measured(data: DataCentre, limit: int, seconds: float, clock: str, seed: int) -> dict[str, Any]:
    """One search of the tool. A twentieth of the time is kept for what cannot be interrupted."""
    gc.collect()
    watch = Stopwatch(seconds, clock)
    watch.limit = seconds * 0.95
    moved, bound = search(data, limit, watch, seed)
    free = judged(data, moved, limit)
    spent, wall, cpu = watch.spent, watch.wall, watch.cpu
    return {
        "FR": round(fragment_rate(free), 4),
        "slots": slots(free),
        "FR bound": None if bound is None else round(1 - SLOT * bound / sum(free), 4),
        "proven": bound is not None and slots(free) == round(bound),
        "moves": moved.moves,
        "wall": round(wall, 2),
        "cpu": round(cpu, 2),
        "late": spent > seconds,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=Path, required=True, help="a file of the published format, or a folder of them")
    parser.add_argument("--cells", type=int, nargs="+", default=[10, 50, 100], metavar="MNL", help="how many VMs may move")
    parser.add_argument("--seconds", type=float, nargs="+", default=[5.0, 60.0])
    parser.add_argument("--clock", choices=KINDS, default="wall", help="cpu: where the cores are shared with other work")
    parser.add_argument("--peers", action="store_true", help="measure greedy slot opening beside")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the figures here, each as soon as it is there")
    parser.add_argument("--resume", action="store_true", help="what --json holds already is not measured again")
    told = parser.parse_args()
    files = sorted(told.instances.glob("*.json*")) if told.instances.is_dir() else [told.instances]
    kept = Figures(("instance", "MNL", "who", "seconds", "clock", "seed"), told.json, told.resume)
    for data in map(read, files):
        before = [cpu for cpu, _ in data.free]
        movable = sum(at.total() for at in data.there.values())
        print(f"{data.name}: {len(before)} nodes, {movable} VMs that may move, {data.fixed} that may not")
        print(f"FR {fragment_rate(before):.4f} before ({slots(before)} slots)")
        measured(data, 1, 5.0, told.clock, told.seed)  # warms the interpreter
        for limit in told.cells:
            key = {"instance": data.name, "MNL": limit, "clock": told.clock, "seed": told.seed}
            for seconds in told.seconds:
                kept.measure({**key, "who": "ours", "seconds": seconds}, measured, data, limit, seconds, told.clock, told.seed)
            if told.peers:
                kept.measure({**key, "who": "greedy"}, opened, data, limit)


def opened(data: DataCentre, limit: int) -> dict[str, Any]:
    """What the greedy peer does, however long it takes."""
    watch = Stopwatch(float("inf"))
    free = greedy(data, limit)
    return {"FR": round(fragment_rate(free), 4), "slots": slots(free), "wall": round(watch.wall, 2), "cpu": round(watch.cpu, 2)}


if __name__ == "__main__":
    main()
