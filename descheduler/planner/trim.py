"""What a route can do without, and which waiting pods each of its moves makes room for."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from descheduler.domain.placement import Bind, Route, Shift
from descheduler.domain.plan import Mover
from descheduler.domain.problem import Problem
from descheduler.planner.ledger import Ledger, shelf
from descheduler.rules.movers import TECHNIQUES

MANY = 400
"""Beyond so many moves that touch each other, trimming one by one costs more than it brings."""


def replay(problem: Problem, route: Route) -> Route:
    """What remains of a route when every step that is not lawful in its wave is left out, with what depends on it."""
    ledger = Ledger(problem)
    kept = _Kept()
    for wave in range(1, route.waves + 1):
        freed = _step(ledger, route, wave, kept)
        ledger.close(freed)
    if kept.gone:  # left for a place they never got: what came into their room depends on them
        return replay(problem, replace(route, shifts=tuple(s for index, s in enumerate(route.shifts) if index not in kept.gone)))
    return kept.route()


def filled(problem: Problem, route: Route) -> Route:
    """The route, lawful as it is, and waiting pods that find room when it is done: the first of them by priority and time waited,
    where they fill a node best, in a wave of their own if there may be one more.
    """
    ledger = Ledger(problem)
    kept = _Kept()
    last = min(route.waves + 1, problem.terms.waves)
    for wave in range(1, last + 1):
        freed = _step(ledger, route, wave, kept)
        if wave == last:
            kept.binds += _fitting(problem, ledger, wave, Counter(b.pod_class for b in route.binds))
        ledger.close(freed)
    return kept.route()


def _fitting(problem: Problem, ledger: Ledger, wave: int, placed: Mapping[int, int]) -> list[Bind]:
    """Waiting pods beyond those ``placed`` that come in this wave; of a class that found no room nobody is tried again."""
    left = {c.index: len(c.pods) - placed.get(c.index, 0) for c in problem.placeable}
    queue = sorted((pod for c in problem.placeable for pod in c.pods[placed.get(c.index, 0) :]), key=problem.in_line)
    found: list[Bind] = []
    for c in (problem.classes[problem.class_of[pod]] for pod in queue):
        if left[c.index]:
            node = next((n for n in sorted(c.reach, key=lambda n: (ledger.spare(n), n)) if ledger.bind(c.index, n)), None)
            left[c.index] = 0 if node is None else left[c.index] - 1
            found += [] if node is None else [Bind(wave=wave, pod_class=c.index, target=node)]
    return found


@dataclass(slots=True)
class _Kept:
    """The steps of a route that were lawful so far."""

    shifts: list[Shift] = field(default_factory=list)
    binds: list[Bind] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    """Positions of those who left to be held and have not come yet."""

    def route(self) -> Route:
        return Route(shifts=tuple(sorted(self.shifts)), binds=tuple(sorted(self.binds)))


def _step(ledger: Ledger, route: Route, wave: int, kept: _Kept) -> list[int]:
    """One wave, not closed yet; classes whose budgets are free again afterwards."""
    freed: list[int] = []
    for index, s in enumerate(route.shifts):
        if s.cycle_break:
            freed += _held(ledger, s, index, wave, kept)
        elif s.wave == wave and ledger.shift(s.pod_class, s.source, s.target, Mover(s.mover), {}):
            kept.shifts.append(s)
            if TECHNIQUES[s.mover].spends_budget:
                freed.append(s.pod_class)
    kept.binds += [b for b in route.binds if b.wave == wave and ledger.bind(b.pod_class, b.target)]
    return freed


def _held(ledger: Ledger, s: Shift, index: int, wave: int, kept: _Kept) -> list[int]:
    """The two halves of a cycle break; classes whose budgets are free again."""
    if s.wave == wave and ledger.depart(s.pod_class, s.source):
        kept.gone.add(index)
    elif s.arrival_wave == wave and index in kept.gone and ledger.bind(s.pod_class, s.target):
        kept.gone.discard(index)
        kept.shifts.append(s)
        return [s.pod_class]
    return []


def strands(problem: Problem, route: Route) -> list[Route]:
    """A lawful route in parts of which each stays lawful whatever is left out of the others: no node and no joint row is common to two.

    Budgets and quotas may be: what is left out can only leave more of them.
    """
    steps: list[Shift | Bind] = [*route.shifts, *route.binds]
    above = list(range(len(steps)))
    first: dict[tuple[str, int], int] = {}

    def root(i: int) -> int:
        while above[i] != i:
            above[i] = above[above[i]]
            i = above[i]
        return i

    for i, step in enumerate(steps):
        for key in _touches(problem, step):
            one, other = root(i), root(first.setdefault(key, i))
            above[max(one, other)] = min(one, other)
    parts: dict[int, tuple[list[Shift], list[Bind]]] = {}
    for i, step in enumerate(steps):
        shifts, binds = parts.setdefault(root(i), ([], []))
        if isinstance(step, Shift):
            shifts.append(step)
        else:
            binds.append(step)
    return [Route(shifts=tuple(shifts), binds=tuple(binds)) for shifts, binds in parts.values()]


def _touches(problem: Problem, step: Shift | Bind) -> Iterator[tuple[str, int]]:
    """What of the ledger a step reads or writes."""
    c, known = problem.classes[step.pod_class], problem.once(shelf)
    yield "node", step.target
    yield from (("row", position) for position in known.of_class.get(c.index, ()))
    if isinstance(step, Shift):
        yield "node", step.source
        yield from (("node", n) for n in c.reach if not TECHNIQUES[step.mover].steers)


def _without(route: Route, index: int) -> Route:
    return replace(route, shifts=route.shifts[:index] + route.shifts[index + 1 :])


def trim(problem: Problem, route: Route) -> Route:
    """The route without moves that no waiting pod needs; every bind survives."""
    kept = Route()
    for part in strands(problem, route):
        shorter = _trimmed(problem, part)
        kept = Route(shifts=(*kept.shifts, *shorter.shifts), binds=(*kept.binds, *shorter.binds))
    return Route(shifts=tuple(sorted(kept.shifts)), binds=tuple(sorted(kept.binds)))


def _trimmed(problem: Problem, part: Route) -> Route:
    index = len(part.shifts) - 1
    while index >= 0 and len(part.shifts) <= MANY:
        shorter = replay(problem, _without(part, index))
        if len(shorter.binds) == len(part.binds):
            part = shorter
        index = min(index, len(part.shifts)) - 1
    return part


def helped(problem: Problem, route: Route) -> dict[Shift, list[tuple[Bind, ...]]]:
    """For each move the binds that fall with it, transitively; equal moves share a key and take turns."""
    found: dict[Shift, list[tuple[Bind, ...]]] = {}
    for part in strands(problem, route):
        for index, s in enumerate(part.shifts):
            if not part.binds:
                fallen = []
            elif len(part.shifts) > MANY:
                fallen = [b for b in part.binds if b.target == s.source and b.wave > s.wave]
            else:
                left = Counter(replay(problem, _without(part, index)).binds)
                fallen = []
                for bind in part.binds:
                    if left[bind]:
                        left[bind] -= 1
                    else:
                        fallen.append(bind)
            found.setdefault(s, []).append(tuple(fallen))
    return found
