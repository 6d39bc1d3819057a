"""Routes taken apart by cluster and put together again; what a route amounts to in counts."""

from __future__ import annotations

from descheduler.domain.placement import Placement, Route
from descheduler.domain.problem import Problem


def parted(problem: Problem, route: Route, cluster: str) -> tuple[Route, Route]:
    """The steps of one cluster, and all others."""
    mine = Route(
        shifts=tuple(s for s in route.shifts if problem.classes[s.pod_class].cluster == cluster),
        binds=tuple(b for b in route.binds if problem.classes[b.pod_class].cluster == cluster),
    )
    others = Route(
        shifts=tuple(s for s in route.shifts if problem.classes[s.pod_class].cluster != cluster),
        binds=tuple(b for b in route.binds if problem.classes[b.pod_class].cluster != cluster),
    )
    return mine, others


def joined(one: Route, other: Route) -> Route:
    """All steps of both."""
    return Route(shifts=tuple(sorted((*one.shifts, *other.shifts))), binds=tuple(sorted((*one.binds, *other.binds))))


def placement_of(route: Route) -> Placement:
    """The counts a route amounts to."""
    departures: dict[tuple[int, int], int] = {}
    arrivals: dict[tuple[int, int], int] = {}
    for s in route.shifts:
        departures[s.pod_class, s.source] = departures.get((s.pod_class, s.source), 0) + 1
        arrivals[s.pod_class, s.target] = arrivals.get((s.pod_class, s.target), 0) + 1
    for b in route.binds:
        arrivals[b.pod_class, b.target] = arrivals.get((b.pod_class, b.target), 0) + 1
    return Placement(departures=departures, arrivals=arrivals)
