"""What a route can do without, and which waiting pods each of its moves makes room for."""

from __future__ import annotations

from dataclasses import replace

from descheduler.domain.placement import Bind, Route, Shift
from descheduler.domain.plan import Mover
from descheduler.domain.problem import Problem
from descheduler.planner.ledger import Ledger
from descheduler.rules.movers import TECHNIQUES

MANY = 400
"""Beyond so many moves of one cluster, trimming one by one costs more than it brings."""


def replay(problem: Problem, route: Route) -> Route:
    """What remains of a route when every step that is not lawful in its wave is left out, with what depends on it."""
    ledger = Ledger(problem)
    shifts: list[Shift] = []
    binds: list[Bind] = []
    gone: set[int] = set()
    for wave in range(1, route.waves + 1):
        freed: list[int] = []
        for index, s in enumerate(route.shifts):
            if s.cycle_break:
                freed += _held(ledger, s, index, wave, gone, shifts)
            elif s.wave == wave and ledger.shift(s.pod_class, s.source, s.target, Mover(s.mover), {}):
                shifts.append(s)
                if TECHNIQUES[s.mover].spends_budget:
                    freed.append(s.pod_class)
        binds += [b for b in route.binds if b.wave == wave and ledger.bind(b.pod_class, b.target)]
        ledger.close(freed)
    if gone:  # left for a place they never got: what came into their room depends on them
        return replay(problem, replace(route, shifts=tuple(s for index, s in enumerate(route.shifts) if index not in gone)))
    return Route(shifts=tuple(sorted(shifts)), binds=tuple(sorted(binds)))


def _held(ledger: Ledger, s: Shift, index: int, wave: int, gone: set[int], shifts: list[Shift]) -> list[int]:
    """The two halves of a cycle break; classes whose budgets are free again."""
    if s.wave == wave and ledger.depart(s.pod_class, s.source):
        gone.add(index)
    elif s.arrival_wave == wave and index in gone and ledger.bind(s.pod_class, s.target):
        gone.discard(index)
        shifts.append(s)
        return [s.pod_class]
    return []


def _of_cluster(problem: Problem, route: Route, cluster: str) -> Route:
    """One cluster's part: clusters do not touch each other but through limits."""
    return Route(
        shifts=tuple(s for s in route.shifts if problem.classes[s.pod_class].cluster == cluster),
        binds=tuple(b for b in route.binds if problem.classes[b.pod_class].cluster == cluster),
    )


def _without(route: Route, index: int) -> Route:
    return replace(route, shifts=route.shifts[:index] + route.shifts[index + 1 :])


def trim(problem: Problem, route: Route) -> Route:
    """The route without moves that no waiting pod needs; every bind survives."""
    kept = Route()
    for cluster in problem.clusters:
        part = _of_cluster(problem, route, cluster)
        index = len(part.shifts) - 1
        while index >= 0 and len(part.shifts) <= MANY:
            shorter = replay(problem, _without(part, index))
            if len(shorter.binds) == len(part.binds):
                part = shorter
            index = min(index, len(part.shifts)) - 1
        kept = Route(shifts=tuple(sorted((*kept.shifts, *part.shifts))), binds=tuple(sorted((*kept.binds, *part.binds))))
    return kept


def helped(problem: Problem, route: Route) -> dict[Shift, list[tuple[Bind, ...]]]:
    """For each move the binds that fall with it, transitively; equal moves share a key and take turns."""
    found: dict[Shift, list[tuple[Bind, ...]]] = {}
    for cluster in problem.clusters:
        part = _of_cluster(problem, route, cluster)
        for index, s in enumerate(part.shifts):
            if len(part.shifts) > MANY:
                fallen = [b for b in part.binds if b.target == s.source and b.wave > s.wave]
            else:
                left = list(replay(problem, _without(part, index)).binds)
                fallen = []
                for bind in part.binds:
                    if bind in left:
                        left.remove(bind)
                    else:
                        fallen.append(bind)
            found.setdefault(s, []).append(tuple(fallen))
    return found
