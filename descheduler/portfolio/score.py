"""How good a realised route is, in the policy's strict order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from descheduler.domain.moment import snapshot_spots
from descheduler.domain.placement import Route
from descheduler.domain.problem import Problem
from descheduler.fragmentation import fragmentation, weighted_slots
from descheduler.rules.movers import TECHNIQUES
from descheduler.rules.objectives.empty_nodes import freed


@dataclass(frozen=True, slots=True, order=True)
class Score:
    """Compared as a tuple: more is better everywhere."""

    values: tuple[float, ...]
    placed: tuple[tuple[int, int], ...] = field(compare=False)
    """(priority, placed), highest first."""


def residents_after(problem: Problem, route: Route) -> dict[tuple[int, int], int]:
    """(class, node) counts when the route has been carried out."""
    counts = snapshot_spots(problem)
    for s in route.shifts:
        counts[s.pod_class, s.source] -= 1
        counts[s.pod_class, s.target] = counts.get((s.pod_class, s.target), 0) + 1
    for b in route.binds:
        counts[b.pod_class, b.target] = counts.get((b.pod_class, b.target), 0) + 1
    return {key: count for key, count in counts.items() if count}


def slots_after(problem: Problem, route: Route) -> float:
    """Weighted slots of all shapes."""
    return weighted_slots(problem, fragmentation(problem, residents_after(problem, route)))


def score(problem: Problem, route: Route) -> Score:
    """The levels of the policy's objectives as values to compare."""
    placed = Counter(problem.classes[b.pod_class].priority for b in route.binds)
    per_priority = tuple((p, placed.get(p, 0)) for p in problem.priorities)
    values: list[float] = []
    contested = sum(b.contested for b in route.binds)
    for name in problem.terms.objectives:
        if name == "PendingPods":
            values += [count for _, count in per_priority]
        elif name == "Disruption":
            cost = sum(TECHNIQUES[s.mover].cost for s in route.shifts)
            values += [-len(route.shifts), -cost, -contested]
        elif name == "Headroom" and problem.terms.shapes:
            values.append(slots_after(problem, route) - problem.terms.floor * len(route.shifts))
        elif name == "EmptyNodes":
            values.append(freed(problem, residents_after(problem, route)) - problem.terms.floor * len(route.shifts))
    return Score(tuple(values), per_priority)
