"""Large fleets: greedy first, then CP-SAT block by block, what blocks share divided by one programme, bounds by relaxation.

A block is a cluster, or some 150 nodes of one, cut anew each round. Blocks answer with placements; what cannot be
ordered or would be robbed is lost, and the block is asked again with waves in its model. Every
candidate is realised and verified as a whole before it becomes the best.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np

from descheduler.domain.placement import Placement, Route, Shift
from descheduler.domain.problem import Problem
from descheduler.planner import order
from descheduler.planner.trim import replay
from descheduler.portfolio.executors import answers
from descheduler.portfolio.parts import placement_of
from descheduler.portfolio.proof import Question, proofs
from descheduler.portfolio.score import Score, score
from descheduler.rivals import settled
from descheduler.solver.arrays import Instance, Local, Rows, cut, placed, to_local, to_placement
from descheduler.solver.block import Point, Work, point
from descheduler.solver.division import Offer, divide
from descheduler.solver.solution import LevelResult, never
from descheduler.solver.tasks import first, first_points, improve
from descheduler.verify import violations

Answer = TypeVar("Answer")

SEARCH_SHARE = 0.7
"""Of the wall clock's emergency limit."""
BLOCK = 150
"""Nodes of one block at most."""
ROUNDS = 2
EFFORT = 0.6
"""Deterministic seconds of one level of one block at effort 1."""
STAIRS = 10
"""Points of a block's frontier when moves are scarce."""
TIMED = 3
"""Waves of moves that a block's model knows where the end state could not be ordered."""
ROBBED = 3
"""Times that moves a rival could rob are dropped before a candidate is given up."""


@dataclass(frozen=True, slots=True)
class Unit:
    """A block of one round: its arrays and what the incumbent does there."""

    instance: Instance
    hint: Local


class FleetSearch:
    """One search; ``run`` leaves the best route, its score, bounds and doubts behind."""

    def __init__(
        self,
        problem: Problem,
        executor: Executor,
        *,
        effort: float = 1.0,
        seed: int = 0,
        deadline: float | None = None,
        over: Callable[[], bool] = never,
        tell: Callable[[Route, int | None], None] | None = None,
    ) -> None:
        self.problem, self.executor, self.effort, self.seed = problem, executor, effort, seed
        self._stop, self.tell, self.limit = over, tell, deadline
        now = time.monotonic()
        self.deadline = None if deadline is None else now + SEARCH_SHARE * (deadline - now)
        """When the rounds end at the latest: what is left is for the bounds."""
        self.best = Route()
        self.best_score: Score = score(problem, self.best)
        self.rejected: list[str] = []
        self.cut_short = False
        self.forbidden: set[tuple[int, int]] = set()
        """(class, node) arrivals that could not be ordered, or that a rival could have robbed."""
        self.lost: frozenset[str] = frozenset()
        """Clusters in which the last candidate lost something."""
        self.timed: frozenset[str] = frozenset()
        """Clusters in which any candidate did: the end state alone is too easy there."""
        self.rows = Rows(problem)
        self.clusters = sorted({c.cluster for c in problem.placeable})
        self.instances = {cluster: self.rows.instance(cluster) for cluster in self.clusters}
        self.parts: dict[str, list[Route]] = {cluster: [Route()] for cluster in self.clusters}
        """What each cluster has realised so far."""

    def over(self) -> bool:
        """Whether the rounds must end."""
        return self._stop() or (self.deadline is not None and time.monotonic() > self.deadline)

    def _all(self, task: Callable[..., Answer], told: Sequence[object], over: Callable[[], bool]) -> list[Answer | None]:
        """Every task's answer, in order; ``None`` for those that were not done when the search had to end."""
        found = answers(self.executor, task, told, over)
        self.cut_short |= any(answer is None for answer in found)
        return found

    def run(self, brief: bool) -> None:
        """Greedy, then rounds of blocks while they bring anything, each with one round more for clusters in which something was lost."""
        self._keep(self._first())
        for turn in range(0 if brief else ROUNDS):
            before = self.best_score
            self._keep(self._round(turn, frozenset(self.clusters)))
            fresh = self.lost - self.timed
            self.timed |= self.lost
            if fresh and not self.over():
                self._keep(self._round(turn, fresh))
            if self.over():
                self.cut_short = True
            if self.cut_short or not self.best_score > before:
                return

    def _first(self) -> Placement:
        scarce = self._scarce()
        units = [Unit(self.instances[cluster], Local()) for cluster in self.clusters]
        caps = [None if scarce is None else self._cap(unit, scarce) for unit in units]
        told = self._all(first, [(unit.instance, cap) for unit, cap in zip(units, caps, strict=True)], self.over)
        points = [some or (point(unit.instance, Local()),) for unit, some in zip(units, told, strict=True)]
        if scarce is None and not self._fits(units, [p[0].local for p in points]):
            points = [first_points(unit.instance, self._cap(unit, 10**6)) for unit in units]
        return self._divided(units, points)

    def _scarce(self) -> int | None:
        """The run's moves when several clusters compete for them, or placed pods must earn them."""
        shared = [b.limit for i in self.instances.values() for b in i.budgets if b.row in self.rows.shared]
        waiting = sum(int(i.pods[i.waiting].sum()) for i in self.instances.values())
        least = min(shared, default=None)
        return least if least is not None and (least < waiting or self.rows.ratio is not None) else None

    @staticmethod
    def _cap(unit: Unit, most: int) -> int:
        everyone = len(unit.instance.classes)
        return min([most, *(b.limit for b in unit.instance.budgets if b.nodes is None and len(b.members) == everyone)])

    def _fits(self, units: Sequence[Unit], locals_: Sequence[Local]) -> bool:
        spent: Counter[int] = Counter()
        limits: dict[int, int] = {}
        for unit, local in zip(units, locals_, strict=True):
            spent.update(_spends(unit.instance, local))
            limits.update((b.row, b.limit) for b in unit.instance.budgets)
        moves = sum(local.moves for local in locals_)
        pods = sum(sum(placed(unit.instance, local).values()) for unit, local in zip(units, locals_, strict=True))
        return all(count <= limits[row] for row, count in spent.items()) and (self.rows.ratio is None or moves <= self.rows.ratio * pods)

    def _divided(self, units: Sequence[Unit], points: Sequence[Sequence[Point]], whole: Mapping[int, int] | None = None) -> Placement:
        """The best of the units' points that the shared limits allow together."""
        picked = self._picked(units, points, whole)
        return _union(to_placement(u.instance, some[at].local) for u, some, at in zip(units, points, picked, strict=True))

    def _picked(self, units: Sequence[Unit], points: Sequence[Sequence[Point]], whole: Mapping[int, int] | None = None) -> list[int]:
        limits = dict(whole or {})
        for unit in units:
            for budget in unit.instance.budgets:
                limits.setdefault(budget.row, budget.limit)
        offers = [
            [Offer(placed=dict(p.placed), moves=p.moves, spends=_spends(unit.instance, p.local)) for p in some]
            for unit, some in zip(units, points, strict=True)
        ]
        asked = Counter(row for block in offers for row in {row for offer in block for row in offer.spends})
        shared = {row: limits[row] for row, count in asked.items() if count > 1}
        return divide(offers, shared, self.rows.ratio)

    def _round(self, turn: int, asked: frozenset[str]) -> Placement:
        """Every block of the ``asked`` clusters improves on the incumbent; where something was lost before, the models know waves."""
        incumbent = placement_of(self.best)
        scarce = self._scarce()
        units = [u for cluster in self.clusters for u in self._cut(cluster, to_local(self.instances[cluster], incumbent), turn)]
        todo = [i for i, unit in enumerate(units) if unit.instance.cluster in asked]
        works = [
            Work(
                instance=_barred(units[i].instance, self.forbidden),
                hint=units[i].hint,
                most=None if scarce is None else self._cap(units[i], scarce),
                points=1 if scarce is None else STAIRS,
                waves=min(TIMED, self.problem.terms.waves - 1) if units[i].instance.cluster in self.timed else 0,
                effort=self._effort(units[i], scarce is not None),
                seed=self.seed,
                seconds=None if self.deadline is None else self.deadline - time.monotonic(),
            )
            for i in todo
        ]
        answers = {i: told for i, told in zip(todo, self._all(improve, works, self.over), strict=True) if told is not None}
        points = [(*(answers[i].points if i in answers else ()), point(unit.instance, unit.hint)) for i, unit in enumerate(units)]
        self.cut_short |= any(p.cut_short for some in points for p in some)
        whole = {b.row: b.limit for i in self.instances.values() for b in i.budgets}
        return self._divided(units, points, whole)

    def _effort(self, unit: Unit, scarce: bool) -> float:
        """A frontier has many points to look for; waves make a model larger."""
        return EFFORT * self.effort * (0.25 if scarce else 1) * (TIMED if unit.instance.cluster in self.timed else 1)

    def _cut(self, cluster: str, local: Local, turn: int) -> list[Unit]:
        """A small cluster whole; a large one in blocks, each with its share of the pods that still wait."""
        instance = self.instances[cluster]
        count = -(-len(instance.nodes) // BLOCK)
        if count <= 1:
            return [Unit(instance, local)]
        order_ = np.random.default_rng([self.seed, turn]).permutation(len(instance.nodes))
        chosen = [np.sort(order_[b::count]) for b in range(count)]
        return _shared_out(instance, local, [Unit(*cut(instance, nodes, local)) for nodes in chosen])

    def _keep(self, placement: Placement) -> None:
        """Order, settle with rivals and verify; keep the best of what each cluster has realised so far, as far as all of it is lawful."""
        route = self._realised(placement)
        for cluster in self.clusters:
            part = part_of(self.problem, route, cluster)
            if part not in self.parts[cluster]:
                self.parts[cluster].append(part)
        for candidate in (self._mixed(), route):
            reached = score(self.problem, candidate)
            if reached > self.best_score:
                found = next(violations(self.problem, candidate), None)
                if found is None:
                    self.best, self.best_score = candidate, reached
                    if self.tell is not None:
                        self.tell(candidate, None)
                    return
                self.rejected.append(str(found))

    def _mixed(self) -> Route:
        """Of each cluster the realised part that serves the whole best."""
        units = [Unit(self.instances[cluster], Local()) for cluster in self.clusters]
        points = [
            [point(u.instance, to_local(u.instance, placement_of(part))) for part in self.parts[cluster]]
            for u, cluster in zip(units, self.clusters, strict=True)
        ]
        picked = self._picked(units, points)
        parts = [self.parts[cluster][at] for cluster, at in zip(self.clusters, picked, strict=True)]
        return Route(shifts=tuple(sorted(s for p in parts for s in p.shifts)), binds=tuple(sorted(b for p in parts for b in p.binds)))

    def _realised(self, placement: Placement) -> Route:
        """A lawful route; what was lost on the way is forbidden from now on, and its clusters are remembered."""
        problem, classes = self.problem, self.problem.classes
        ordered = order(problem, placement)
        failed = set(ordered.stuck.arrivals)
        route, robbed = settled(problem, needed(problem, ordered.route))
        for _ in range(ROBBED):
            if robbed:
                failed |= {(s.pod_class, s.target) for s in robbed}
                route, robbed = settled(problem, needed(problem, replay(problem, _without(route, robbed))))
        self.forbidden |= failed
        self.lost = frozenset(classes[c].cluster for c, _ in failed)
        return _without_clusters(problem, route, {classes[s.pod_class].cluster for s in robbed})

    def levels(self) -> tuple[LevelResult, ...]:
        """What is proven about the best route."""
        relaxed = Rows(self.problem, relaxed=True)
        classes = self.problem.classes
        by_cluster = Counter((classes[b.pod_class].cluster, classes[b.pod_class].priority) for b in self.best.binds)
        question = Question(
            priorities=self.problem.priorities,
            instances=tuple(relaxed.instance(cluster) for cluster in self.clusters),
            placed=tuple(tuple((p, by_cluster[cluster, p]) for p in self.problem.priorities) for cluster in self.clusters),
            ratio=relaxed.ratio,
            deadline=self.limit,
        )
        found, late = proofs(question, lambda task, asked: self._all(task, asked, lambda: self._stop() or self._late()))
        self.cut_short |= late
        return found

    def _late(self) -> bool:
        return self.limit is not None and time.monotonic() > self.limit


def _shared_out(instance: Instance, local: Local, units: Sequence[Unit]) -> list[Unit]:
    """Pods that still wait are offered to one block each: where a node lacks least for them, then wherever fewest were offered."""
    left = instance.pods.copy()
    for (c, _), k in local.arrivals.items():
        if instance.waiting[c]:
            left[c] -= k
    where = [{int(c): at for at, c in enumerate(unit.instance.classes)} for unit in units]
    offered = [0] * len(units)
    pods = [unit.instance.pods.copy() for unit in units]
    for unit, mine, some in zip(units, where, pods, strict=True):
        for c, at in mine.items():
            if unit.instance.waiting[at]:
                some[at] -= left[int(np.flatnonzero(instance.classes == c)[0])]
    for c in np.flatnonzero(instance.waiting & (left > 0)).tolist():
        able = [b for b in range(len(units)) if int(instance.classes[c]) in where[b]]
        for _ in range(int(left[c]) if able else 0):
            b = min(able, key=lambda b: (offered[b], b))
            offered[b] += 1
            pods[b][where[b][int(instance.classes[c])]] += 1
    return [Unit(replace(unit.instance, pods=some), unit.hint) for unit, some in zip(units, pods, strict=True)]


def _spends(instance: Instance, local: Local) -> dict[int, int]:
    """Row to the departures counted in it."""
    by_class: dict[int, list[tuple[int, int]]] = {}
    for (c, n), k in local.departures.items():
        by_class.setdefault(c, []).append((n, k))
    found: dict[int, int] = {}
    rows_of = instance.budgets_of
    for c, some in by_class.items():
        for position in rows_of[c]:
            budget = instance.budgets[position]
            places = None if budget.nodes is None else frozenset(budget.nodes.tolist())
            count = sum(k for n, k in some if places is None or n in places)
            if count:
                found[budget.row] = found.get(budget.row, 0) + count
    return found


def _union(placements: Iterable[Placement]) -> Placement:
    departures: Counter[tuple[int, int]] = Counter()
    arrivals: Counter[tuple[int, int]] = Counter()
    for placement in placements:
        departures.update(placement.departures)
        arrivals.update(placement.arrivals)
    return Placement(departures=departures, arrivals=arrivals)


def _without(route: Route, dropped: tuple[Shift, ...]) -> Route:
    left = list(route.shifts)
    for shift in dropped:
        left.remove(shift)
    return replace(route, shifts=tuple(left))


def part_of(problem: Problem, route: Route, cluster: str) -> Route:
    """A cluster's part of a route: clusters touch each other through limits only."""
    classes = problem.classes
    return Route(
        shifts=tuple(s for s in route.shifts if classes[s.pod_class].cluster == cluster),
        binds=tuple(b for b in route.binds if classes[b.pod_class].cluster == cluster),
    )


def _without_clusters(problem: Problem, route: Route, dropped: set[str]) -> Route:
    classes = problem.classes
    return Route(
        shifts=tuple(s for s in route.shifts if classes[s.pod_class].cluster not in dropped),
        binds=tuple(b for b in route.binds if classes[b.pod_class].cluster not in dropped),
    )


def _barred(instance: Instance, forbidden: set[tuple[int, int]]) -> Instance:
    """Without the arrivals that are known to fail."""
    if not forbidden:
        return instance
    classes, nodes = ({int(x): i for i, x in enumerate(some)} for some in (instance.classes, instance.nodes))
    reach = instance.reach.copy()
    for c, n in forbidden:
        if c in classes and n in nodes:
            reach[classes[c], nodes[n]] = False
    return replace(instance, reach=reach)


def needed(problem: Problem, route: Route) -> Route:
    """Without moves off nodes to which nobody comes: nothing can depend on the room they would leave."""
    while True:
        wanted = {b.target for b in route.binds} | {s.target for s in route.shifts}
        kept = tuple(s for s in route.shifts if s.source in wanted)
        if len(kept) == len(route.shifts):
            return route
        route = replay(problem, replace(route, shifts=kept))
