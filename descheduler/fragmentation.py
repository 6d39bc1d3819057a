"""How usable the free room of each cluster is: slots, the largest pod, stranded shares (DESIGN.md section 4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from descheduler.domain.placement import Spots
from descheduler.domain.plan import Fragmentation
from descheduler.domain.problem import Problem
from descheduler.domain.quantity import format_amount
from descheduler.domain.resources import CPU, MEMORY
from descheduler.rules.objectives.headroom import admits, slots

DIGITS = 6


def fragmentation(problem: Problem, residents: Spots) -> dict[str, Fragmentation]:
    """Per cluster, for the given (class, node) counts."""
    free = problem.free(residents)
    clusters = sorted({*problem.every_cluster, *problem.nodes_of})
    return {cluster: _of_cluster(problem, problem.nodes_of.get(cluster, ()), free) for cluster in clusters}


def _of_cluster(problem: Problem, nodes: Sequence[int], free: Sequence[Mapping[str, int]]) -> Fragmentation:
    usable = [n for n in nodes if problem.nodes[n].ready and not problem.nodes[n].unschedulable]
    shapes = problem.terms.shapes
    per_node = {n: [slots(s, free[n]) if admits(s, problem.nodes[n]) else 0 for s in shapes] for n in usable}
    asked = sorted({CPU, MEMORY}.union(*(s.requests for s in shapes)) - {"pods"})
    stranded: dict[str, float] = {}
    for resource in asked:
        total = sum(max(0, free[n].get(resource, 0)) for n in usable)
        lost = sum(max(0, free[n].get(resource, 0)) for n in usable if not any(per_node[n]))
        stranded[resource] = round(lost / total, DIGITS) if total else 0.0
    best = max(usable, key=lambda n: (_least_share(problem, n, free[n]), -n), default=None)
    largest = {r: format_amount(r, max(0, free[best].get(r, 0)) if best is not None else 0) for r in (CPU, MEMORY)}
    return Fragmentation(
        slots={s.name: sum(per_node[n][i] for n in usable) for i, s in enumerate(shapes)}, largest_pod=largest, stranded=stranded
    )


def _least_share(problem: Problem, node: int, free: Mapping[str, int]) -> float:
    room = problem.nodes[node].allocatable
    return min(max(0, free.get(r, 0)) / room[r] if room[r] else 0.0 for r in (CPU, MEMORY))


def weighted_slots(problem: Problem, told: Mapping[str, Fragmentation]) -> float:
    """Σ weight × slots over all clusters."""
    return round(sum(shape.weight * f.slots[shape.name] for f in told.values() for shape in problem.terms.shapes), DIGITS)
