"""Level by level on the tool's model, whole or on a few nodes at a time; always holding the best placement so far.

Nodes are identical and empty in the model, so a placement's nodes may be renamed at will: an assignment finds the names that keep
most pods where they were.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from ortools.graph.python.linear_sum_assignment import SimpleLinearSumAssignment
from ortools.sat.python import cp_model

from benchmarks.priority_matters.instance import Counts, Instance, Vector, problem
from benchmarks.stopwatch import Stopwatch
from descheduler.solver.levels import Level, pending_pods
from descheduler.solver.model import Model
from descheduler.solver.solution import Search
from descheduler.solver.states import Linear

ORDERS = ("place-first", "disruption-first")


def worth(instance: Instance, counts: Counts, order: str) -> Vector:
    """What the order makes as large as can be, lexicographically."""
    placed, kept = instance.score(counts), instance.kept(counts)
    if order == "place-first":
        return (*placed, sum(kept))
    return tuple(value for pair in zip(placed, kept, strict=True) for value in pair)


@dataclass
class Incumbent:
    """The best placement so far, and how far it is proven."""

    instance: Instance
    order: str
    counts: Counts
    proven: int = 0
    """How many levels from the top are proven as good as can be."""
    values: Vector = field(init=False)

    def __post_init__(self) -> None:
        self.values = worth(self.instance, self.counts, self.order)

    def offer(self, counts: Counts, any_place: bool = False) -> None:
        """Take the placement if it is no worse; with ``any_place`` judged by its score alone, wherever pods run."""
        values = worth(self.instance, counts, self.order)
        if (any_place and self.instance.score(counts) >= self.instance.score(self.counts)) or values >= self.values:
            self.counts, self.values = counts, values

    @property
    def placement_proven(self) -> bool:
        """Whether no placement has a better score."""
        scored = range(len(self.instance.priorities)) if self.order == "place-first" else range(0, len(self.values), 2)
        return self.proven > max(scored) or (self.order == "place-first" and self.instance.score(self.counts) == self.instance.pods)


class Part:
    """The tool's model of some of the nodes with the pods that are there and those that wait, and its levels."""

    def __init__(self, incumbent: Incumbent, nodes: tuple[int, ...], keep: bool) -> None:
        instance, counts = incumbent.instance, incumbent.counts
        self.incumbent, self.nodes = incumbent, nodes
        inside = frozenset(nodes)
        self.elsewhere: Counts = Counter({key: k for key, k in counts.items() if key[1] not in inside})
        taken = Counter[int]()
        for (c, _), k in self.elsewhere.items():
            taken[c] += k
        self.sets = [(c, s.replicas - taken[c]) for c, s in enumerate(instance.sets) if s.replicas > taken[c]]
        self.model = Model(problem(instance, self.sets, len(nodes)), Search())
        self.values = [0] * len(self.model.cp.proto.variables)
        for (index, n, _), variable in self.model.arrivals.items():
            self.values[variable.index] = counts[self.sets[index][0], nodes[n]]
        self.keep = keep
        self.levels = list(self._levels())

    def _levels(self) -> Iterator[Level]:
        order = self.incumbent.order
        everything = Linear()
        for level in pending_pods(self.model):
            yield level
            if not self.keep:
                continue
            kept = self._kept(int(level.key))
            everything.include(kept, 1)
            if order == "disruption-first":
                yield Level("Kept", level.key, kept)
        if self.keep and order == "place-first":
            yield Level("Kept", "all", everything)

    def _kept(self, priority: int) -> Linear:
        """Pods of a priority that stay where ``start`` has them: at most those that were there, at most those that come."""
        instance, goal = self.incumbent.instance, Linear()
        for index, (c, _) in enumerate(self.sets):
            for n, node in enumerate(self.nodes):
                there = instance.start[c, node]
                if instance.sets[c].priority == priority and there:
                    arriving = self.model.arrivals[index, n, 0]
                    stays = self.model.cp.new_int_var(0, there, "")
                    self.model.cp.add(stays <= arriving)
                    self.values.append(min(there, self.values[arriving.index]))
                    goal.add(stays, 1)
        return goal

    def value(self, level: Level) -> int:
        return level.goal.constant + sum(f * self.values[i] for i, f in level.goal.factors.items())

    def most(self, level: Level) -> int:
        """What the level cannot exceed for want of pods."""
        if level.name == "PendingPods":
            return sum(k for c, k in self.sets if self.incumbent.instance.sets[c].priority == level.key)
        variables = self.model.cp.proto.variables
        return sum(max(variables[i].domain) for i in level.goal.factors)  # its list knows no index -1

    def climb(self, stopwatch: Stopwatch, seconds: float, seed: int) -> int:
        """Each level in turn, the time left shared among those still to come; how many from the top are proven."""
        end, proven, sure, cp = stopwatch.spent + seconds, 0, True, self.model.cp
        for index, level in enumerate(self.levels):
            if self.value(level) < self.most(level):
                share = (end - stopwatch.spent) / (len(self.levels) - index)
                if share <= 0:
                    return proven
                sure &= self._better(level, stopwatch, share, seed)
            cp.add(level.goal.expression() >= self.value(level))
            proven += sure
        return proven

    def _better(self, level: Level, stopwatch: Stopwatch, seconds: float, seed: int) -> bool:
        """Make the level as good as can be found in time; whether that is proven best."""
        cp = self.model.cp
        cp.clear_hints()  # type: ignore[no-untyped-call]
        for index, value in enumerate(self.values):
            cp.add_hint(cp.get_int_var_from_proto_index(index), value)
        cp.maximize(level.goal.expression())
        solver = cp_model.CpSolver()
        solver.parameters.random_seed = seed
        status = stopwatch.solve(solver, cp, seconds)
        assert status not in (cp_model.MODEL_INVALID, cp_model.INFEASIBLE), solver.status_name(status)
        if status in (cp_model.OPTIMAL, cp_model.FEASIBLE) and solver.objective_value >= self.value(level):
            self.values = list(solver.response_proto.solution)
        return bool(status == cp_model.OPTIMAL)

    def counts(self) -> Counts:
        """The incumbent with these nodes as they are now."""
        counts = Counter(self.elsewhere)
        for (index, n, _), variable in self.model.arrivals.items():
            if k := self.values[variable.index]:
                counts[self.sets[index][0], self.nodes[n]] = k
        return counts


def packed(instance: Instance, small_first: bool) -> Counts:
    """First-fit-decreasing by priority, then size; or the smallest first, which runs more pods where not all fit."""
    size = [max(s.cpu / instance.cpu, s.memory / instance.memory) for s in instance.sets]
    turn = sorted(range(len(instance.sets)), key=lambda c: (-instance.sets[c].priority, size[c] if small_first else -size[c]))
    free = [[instance.cpu, instance.memory] for _ in range(instance.nodes)]
    counts: Counts = Counter()
    for c in turn:
        asked = instance.sets[c]
        for _ in range(asked.replicas):
            for n, room in enumerate(free):
                if asked.cpu <= room[0] and asked.memory <= room[1]:
                    room[0] -= asked.cpu
                    room[1] -= asked.memory
                    counts[c, n] += 1
                    break
    return counts


def renamed(instance: Instance, counts: Counts) -> Counts:
    """The same placement with its nodes named so that most pods stay where ``start`` has them."""
    common = [[0] * instance.nodes for _ in range(instance.nodes)]
    for (c, n), k in counts.items():
        for node in range(instance.nodes):
            common[n][node] += min(k, instance.start[c, node])
    assignment = SimpleLinearSumAssignment()
    for n, row in enumerate(common):
        for node, k in enumerate(row):
            assignment.add_arc_with_cost(n, node, -k)
    assignment.solve()
    return Counter({(c, assignment.right_mate(n)): k for (c, n), k in counts.items()})


def search(instance: Instance, order: str, stopwatch: Stopwatch, seed: int) -> Incumbent:
    """The best placement found before the stopwatch stops."""
    starts = [instance.default, instance.start]
    starts += [renamed(instance, packed(instance, small)) for small in (True, False)]
    incumbent = Incumbent(instance, order, max(starts, key=lambda counts: worth(instance, counts, order)))
    dice, whole = Random(seed), tuple(range(instance.nodes))
    big = instance.nodes * len(instance.sets) > 300
    spell = 0.5 if big else 0.0
    while True:
        if spell:
            _neighbourhoods(incumbent, stopwatch, stopwatch.left * spell, dice)
        if stopwatch.left < (0.25 if big else 0.02):
            break
        if order == "place-first":
            incumbent.offer(renamed(instance, incumbent.counts))
        part = Part(incumbent, whole, keep=True)
        proven = part.climb(stopwatch, stopwatch.left * (0.5 if big else 0.9), seed)
        incumbent.offer(part.counts())
        incumbent.proven = max(proven, incumbent.proven)
        if proven == len(part.levels):
            break
        spell, seed = 0.5, seed + 1
    return incumbent


def _neighbourhoods(incumbent: Incumbent, stopwatch: Stopwatch, seconds: float, dice: Random) -> None:
    """A few nodes at a time with all waiting pods; more nodes while that is easy, fewer when it is not."""
    end, size = stopwatch.spent + seconds, min(6, incumbent.instance.nodes)
    while stopwatch.spent < end:
        keep = incumbent.order == "disruption-first" or incumbent.placement_proven
        if keep and incumbent.order == "place-first" and incumbent.instance.moves(incumbent.counts) == 0:
            return
        nodes = tuple(dice.sample(range(incumbent.instance.nodes), size))
        began = stopwatch.spent
        part = Part(incumbent, nodes, keep)
        done = part.climb(stopwatch, min(0.3, end - began), dice.randrange(2**31)) == len(part.levels)
        incumbent.offer(part.counts(), any_place=not keep)
        easy = done and stopwatch.spent - began < 0.06
        size = min(incumbent.instance.nodes, size + 1) if easy else max(3, size - 1) if not done else size
