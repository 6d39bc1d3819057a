"""Whole-instance CP-SAT: all clusters and all waiting pods in one model, all priorities in one sum, two workers.

``Naive`` has a Boolean for each pod and node; ``Aggregated`` a count for each class and node, and how many of them stayed; ``Restricted``
the same, but who runs may come to few nodes only. All start from what first-fit with evictions finds.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from math import gcd

from ortools.sat.python import cp_model

from benchmarks.fleets.peers.answer import Answer
from benchmarks.fleets.peers.first_fit import packed
from benchmarks.fleets.peers.judged import Counts, skew, skew_allowed
from descheduler.domain.placement import Placement
from descheduler.domain.problem import PodClass, Problem
from descheduler.domain.rows import AtMost, Capacity, MoveBudget, MovesPerPlacedPod, Spread

WORKERS = 2
MOST = 3_000_000
"""Variables beyond which a model is not built: four million take over a minute and two gigabytes before any search."""
FEW = 30
"""Nodes other than their own to which running pods of one class may come in the restricted model."""
HINT_SHARE = 0.25
"""Of the time, at most, for the start."""

Variables = list[cp_model.IntVar]


class Counted:
    """What both models share: rows over variables that add up to the pods of a class on a node, and to those of them that stayed."""

    def __init__(self, problem: Problem, start: Placement) -> None:
        """``start`` is lawful, and the model's hint."""
        self.problem, self.start = problem, start
        self.cp = cp_model.CpModel()
        self.nodes = {c.index: self.reach(c) for c in (*problem.movable, *problem.placeable)}
        """Class to the nodes on which its pods may be in the end."""
        self.present: dict[tuple[int, int], Variables] = {}
        self.stayed: dict[tuple[int, int], Variables] = {}
        for index in self.nodes:
            self._variables(problem.classes[index])
        self.before: Counts = Counter({(c.index, n): len(pods) for c in problem.classes for n, pods in c.at.items()})
        self._on: dict[int, list[int]] = defaultdict(list)
        """Node to the classes that may be there."""
        for c, n in self.present:
            self._on[n].append(c)
        self._rows()

    def reach(self, c: PodClass) -> tuple[int, ...]:
        return tuple(sorted({*c.reach, *c.at}))

    def _variables(self, c: PodClass) -> None:
        raise NotImplementedError

    def hint(self) -> list[tuple[cp_model.IntVar, int]]:
        """The assignment that says the same as the start, every variable once."""
        raise NotImplementedError

    def counted(self, priority: int) -> Variables:
        """What adds up to the pods of a priority that are placed."""
        members = [c.index for c in self.problem.placeable if c.priority == priority]
        return [v for c in members for n in self.nodes[c] for v in self.present[c, n]]

    def placement(self, values: list[int]) -> Placement:
        """An assignment as a placement."""
        now = Counter({key: sum(values[v.index] for v in some) for key, some in self.present.items()})
        change = {key: k - (0 if self.problem.classes[key[0]].waiting else self.before[key]) for key, k in now.items()}
        return Placement(
            departures={key: -k for key, k in sorted(change.items()) if k < 0},
            arrivals={key: k for key, k in sorted(change.items()) if k > 0},
        )

    def _count(self, group: Iterable[int], nodes: Iterable[int]) -> tuple[Variables, int]:
        """The variables of a group on some nodes, and how many of it are there whatever happens."""
        some: Variables = []
        fixed = 0
        members = tuple(group)
        for n in nodes:
            for c in members:
                if (c, n) in self.present:
                    some += self.present[c, n]
                else:
                    fixed += self.before[c, n]
        return some, fixed

    def _gone(self, group: Iterable[int], nodes: frozenset[int] | None = None) -> tuple[Variables, int]:
        """The variables of those who stayed of a group on some nodes, and how many could have left."""
        some: Variables = []
        total = 0
        for c in group:
            for n in self.problem.classes[c].at:
                if (c, n) in self.stayed and (nodes is None or n in nodes):
                    some += self.stayed[c, n]
                    total += self.before[c, n]
        return some, total

    def _rows(self) -> None:
        for row in self.problem.rows:
            match row:
                case Capacity():
                    self._capacity(row)
                case AtMost():
                    for nodes in row.domains:
                        some, fixed = self._count(row.group, nodes)
                        there = sum(self.before[c, n] for c in row.group for n in nodes)
                        if there > row.limit:
                            self._close(row.group, nodes)
                        elif some:
                            self.cp.add(cp_model.LinearExpr.sum(some) <= row.limit - fixed)
                case Spread():
                    self._spread(row)
                case MoveBudget():
                    places = None if row.nodes is None else frozenset(row.nodes)
                    some, total = self._gone(row.group, places)
                    most = row.limit * (self.problem.terms.waves if row.per == "wave" else 1)
                    if total > most:
                        self.cp.add(cp_model.LinearExpr.sum(some) >= total - most)
                case MovesPerPlacedPod():
                    some, total = self._gone(c.index for c in self.problem.movable)
                    placed = [v for c in self.problem.placeable for n in self.nodes[c.index] for v in self.present[c.index, n]]
                    expression = cp_model.LinearExpr.weighted_sum([*placed, *some], [row.ratio] * len(placed) + [1] * len(some))
                    self.cp.add(expression >= total)

    def _capacity(self, row: Capacity) -> None:
        asks = {c: a for c in self._on[row.node] if (a := self.problem.classes[c].requests[row.resource])}
        if not asks:
            return
        here = sum(a * self.before[c, row.node] for c, a in asks.items() if not self.problem.classes[c].waiting)
        free = row.limit - self.problem.used[row.node][row.resource]
        if free < 0:
            self._close(asks, (row.node,))
            return
        divisor = gcd(*asks.values())
        some = [(v, a // divisor) for c, a in asks.items() for v in self.present[c, row.node]]
        self.cp.add(cp_model.LinearExpr.weighted_sum([v for v, _ in some], [a for _, a in some]) <= (free + here) // divisor)

    def _close(self, group: Iterable[int], nodes: Iterable[int]) -> None:
        """Nobody of the group comes to these nodes."""
        members = tuple(group)
        for n in nodes:
            for c in members:
                if (c, n) in self.present:
                    before = 0 if self.problem.classes[c].waiting else self.before[c, n]
                    self.cp.add(cp_model.LinearExpr.sum(self.present[c, n]) <= before)

    def _spread(self, row: Spread) -> None:
        most = skew_allowed(row, skew(row, self.before))
        counts = [self._count(row.group, nodes) for nodes in row.domains]
        for at, (high, more) in enumerate(counts):
            lows: list[tuple[Variables, int]] = [([], 0)] if len(counts) < row.min_domains else counts[:at] + counts[at + 1 :]
            for low, less in lows:
                if high or low:
                    expression = cp_model.LinearExpr.weighted_sum([*high, *low], [1] * len(high) + [-1] * len(low))
                    self.cp.add(expression <= most - more + less)


class Aggregated(Counted):
    """A count for each class and node."""

    def _variables(self, c: PodClass) -> None:
        reach, nodes = frozenset(c.reach), self.nodes[c.index]
        for n in nodes:
            there = 0 if c.waiting else c.there(n)
            here = self.cp.new_int_var(0, len(c.pods) if n in reach else there, "")
            self.present[c.index, n] = [here]
            if there:
                kept = self.cp.new_int_var(0, there, "")
                self.stayed[c.index, n] = [kept]
                self.cp.add(kept <= here)
        everywhere = cp_model.LinearExpr.sum([self.present[c.index, n][0] for n in nodes])
        self.cp.add(everywhere <= len(c.pods) if c.waiting else everywhere == len(c.pods))

    def hint(self) -> list[tuple[cp_model.IntVar, int]]:
        found = []
        for key, (here,) in self.present.items():
            before = 0 if self.problem.classes[key[0]].waiting else self.before[key]
            now = before - self.start.departures.get(key, 0) + self.start.arrivals.get(key, 0)
            found += [(here, now), *((kept, min(now, before)) for kept in self.stayed.get(key, ()))]
        return found


class Restricted(Aggregated):
    """Running pods may come to a few nodes besides their own and those of the start; waiting ones to all."""

    def reach(self, c: PodClass) -> tuple[int, ...]:
        if c.waiting or len(c.reach) <= FEW:
            return super().reach(c)
        first = c.index * FEW % len(c.reach)
        some = (*c.reach[first:], *c.reach[:first])[:FEW]
        return tuple(sorted({*some, *c.at, *(n for n in c.reach if (c.index, n) in self.start.arrivals)}))


class Naive(Counted):
    """A Boolean for each pod and node."""

    def __init__(self, problem: Problem, start: Placement) -> None:
        self.pods: list[tuple[int, int | None, dict[int, cp_model.IntVar]]] = []
        """(class, home, Boolean by node)."""
        super().__init__(problem, start)

    def _variables(self, c: PodClass) -> None:
        homes: list[int | None] = [None] * len(c.pods) if c.waiting else [n for n, pods in sorted(c.at.items()) for _ in pods]
        reach = frozenset(c.reach)
        for home in homes:
            mine = {n: self.cp.new_bool_var("") for n in self.nodes[c.index] if n in reach or n == home}
            (self.cp.add_at_most_one if home is None else self.cp.add_exactly_one)(mine.values())
            for n, v in mine.items():
                self.present.setdefault((c.index, n), []).append(v)
            if home is not None:
                self.stayed.setdefault((c.index, home), []).append(mine[home])
            self.pods.append((c.index, home, mine))

    def hint(self) -> list[tuple[cp_model.IntVar, int]]:
        leaving, coming = Counter(self.start.departures), Counter(self.start.arrivals)
        found = []
        for c, home, mine in self.pods:
            at = home
            if home is None or leaving[c, home]:
                at = next((n for n in mine if coming[c, n]), None)
                coming[c, at if at is not None else -1] -= 1
                leaving[c, home if home is not None else -1] -= 1
            found += [(v, int(n == at)) for n, v in mine.items()]
        return found


def variables(formulation: type[Counted], problem: Problem) -> int:
    """How many variables the model will have, about: by that it is built or not."""

    def nodes(c: PodClass) -> int:
        return min(len(c.reach), FEW) + len(c.at) if formulation is Restricted and not c.waiting else len({*c.reach, *c.at})

    return sum(nodes(c) * (len(c.pods) if formulation is Naive else 1) for c in (*problem.movable, *problem.placeable))


def weights(problem: Problem) -> dict[int, int]:
    """Priority to the worth of a pod: more than all pods of lower priorities together."""
    found: dict[int, int] = {}
    below = 0
    for priority in reversed(problem.priorities):
        found[priority] = below + 1
        below += found[priority] * sum(len(c.pods) for c in problem.placeable if c.priority == priority)
    return found


def solved(formulation: type[Counted], problem: Problem, seconds: float) -> Answer:
    """All priorities as one weighted sum: of what CP-SAT can be told, that loses nothing of the hint on the way."""
    started = time.perf_counter()
    count = variables(formulation, problem)
    if count > MOST:
        return Answer(placement=None, note=f"not built: {count / 1e6:.1f} million variables")
    model = formulation(problem, packed(problem, seconds * HINT_SHARE, evict=True))
    for v, value in model.hint():
        model.cp.add_hint(v, value)
    worth = weights(problem)
    counted = [(v, w) for priority, w in worth.items() for v in model.counted(priority)]
    model.cp.maximize(cp_model.LinearExpr.weighted_sum([v for v, _ in counted], [w for _, w in counted]))
    solver = cp_model.CpSolver()
    built = time.perf_counter() - started
    solver.parameters.num_workers = WORKERS
    solver.parameters.max_time_in_seconds = max(0.01, seconds - built)
    status = solver.solve(model.cp)
    told = f"built in {built:.1f} s, {len(model.cp.proto.variables):,} variables; {solver.status_name(status).lower()}"
    if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return Answer(placement=None, note=f"none in {seconds:.0f} s; {told}")
    return Answer(placement=model.placement(list(solver.response_proto.solution)), note=told)
