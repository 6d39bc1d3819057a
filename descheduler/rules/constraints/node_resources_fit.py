"""The pods of a node ask for no more than the node can give, the number of pods included.

kube-scheduler's NodeResourcesFit (``noderesources/fit.go``), and NodeVolumeLimits, whose pieces are counted as one more resource: a
resource is looked at only when the arriving pod asks for it. A node that is overcommitted already keeps what stays there, but takes
no arrival that asks for what it lacks. A waiting pod that is nominated to a node counts there against whoever is of equal or lower
priority (``RunFilterPluginsWithNominatedPods``) until it is there; if the plan sends it elsewhere, to the end: stricter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from descheduler.domain.moment import Moment, Violation
from descheduler.domain.problem import PodClass, Problem
from descheduler.domain.rows import Capacity
from descheduler.domain.standing import used_on

NAME = "NodeResourcesFit"


def ahead(c: PodClass, node: int, nominated: Sequence[PodClass]) -> tuple[PodClass, ...]:
    """The nominated classes that count on the node against arrivals of the class."""
    return tuple(p for p in nominated if p.nominated == node and p.index != c.index and p.priority >= c.priority and p.cluster == c.cluster)


def _reserved(classes: tuple[PodClass, ...]) -> dict[str, int]:
    total: dict[str, int] = {}
    for c in classes:
        c.requests.add_to(total, len(c.pods))
    return total


def rows(problem: Problem) -> Iterator[Capacity]:
    asked: list[set[str]] = [set() for _ in problem.nodes]
    for resources, reach in dict.fromkeys((tuple(c.requests), c.reach) for c in problem.classes):
        for reached in reach:
            asked[reached].update(resources)
    for index, node in enumerate(problem.nodes):
        for resource in sorted(asked[index]):
            yield Capacity(rule=NAME, node=index, resource=resource, limit=node.allocatable[resource])
    nominated = problem.nominated
    for index in sorted({c.nominated for c in nominated if c.nominated is not None}):
        yield from _beside_nominated(problem, index, nominated)


def _beside_nominated(problem: Problem, node: int, nominated: Sequence[PodClass]) -> Iterator[Capacity]:
    comers: dict[tuple[int, ...], list[int]] = {}
    for c in problem.classes:
        if node in c.reach and (before := ahead(c, node, nominated)):
            comers.setdefault(tuple(p.index for p in before), []).append(c.index)
    for before_them, group in comers.items():
        held = _reserved(tuple(problem.classes[p] for p in before_them))
        for resource in sorted({r for c in group for r in problem.classes[c].requests}):
            limit = problem.nodes[node].allocatable[resource] - held.get(resource, 0)
            asking = tuple(c for c in group if resource in problem.classes[c].requests)
            yield Capacity(rule=NAME, node=node, resource=resource, limit=limit, comers=asking, promised=before_them)


def violations(problem: Problem, moment: Moment) -> Iterator[Violation]:
    arriving: dict[int, dict[str, None]] = {}
    for arrival in moment.arrivals:
        arriving.setdefault(arrival.node, {}).update(dict.fromkeys(problem.classes[arrival.pod_class].requests))
    if not arriving:
        return
    used = used_on(problem, moment.during(), arriving)
    for index in sorted(arriving):
        node = problem.nodes[index]
        for resource in sorted(arriving[index]):
            have, need = node.allocatable[resource], used[index].get(resource, 0)
            if need > have:
                yield Violation(NAME, str(node.ref), f"{resource} {need} > {have}")
    nominated = problem.nominated
    for c, index in sorted({(a.pod_class, a.node) for a in moment.arrivals} if nominated else ()):
        before = ahead(problem.classes[c], index, nominated)
        held = _reserved(before)
        here = dict(used[index])
        for p in before:
            p.requests.add_to(here, -moment.during().get((p.index, index), 0))
        for resource in problem.classes[c].requests if held else ():
            have, need = problem.nodes[index].allocatable[resource] - held.get(resource, 0), here.get(resource, 0)
            if need > have:
                yield Violation(NAME, str(problem.nodes[index].ref), f"{resource} {need} > {have} beside nominated pods")
