"""What a route amounts to in counts, and a route without some of its moves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from descheduler.domain.placement import Placement, Route, Shift
from descheduler.domain.problem import Problem


def placement_of(route: Route) -> Placement:
    """The counts of pods that leave and come."""
    return Placement(
        departures=Counter((s.pod_class, s.source) for s in route.shifts),
        arrivals=Counter([(s.pod_class, s.target) for s in route.shifts] + [(b.pod_class, b.target) for b in route.binds]),
    )


def placed_in(problem: Problem, route: Route) -> Counter[tuple[str, int]]:
    """(cluster, priority) to the waiting pods that the route places."""
    classes = problem.classes
    return Counter((classes[b.pod_class].cluster, classes[b.pod_class].priority) for b in route.binds)


def without(route: Route, dropped: Iterable[Shift]) -> Route:
    """The route without these moves, each of which it has."""
    left = list(route.shifts)
    for shift in dropped:
        left.remove(shift)
    return replace(route, shifts=tuple(left))
