"""CP-SAT on a block of nodes: replica-class integers (solver.md 3b) with few destinations for each class that moves (3c).

The end state is judged; with ``waves`` those waves of moves are, each beside everyone who has not left in an earlier one,
so that what is found can be ordered. Waiting pods come last. A block's optimum is relative to the destinations it looks
at, and its proofs say nothing about the fleet; bounds come from ``liquid``.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from math import gcd

import numpy as np
import numpy.typing as npt
from ortools.sat.python import cp_model

from descheduler.domain.rows import AtMost, Exclude
from descheduler.solver.arrays import Instance, Joint, Local, Move, Steps, local_of, netted, placed

PLACES = 16
"""Nodes a class that moves may go to, besides those of the hint: the roomiest it can reach."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """One block's task, arrays only, to be done anywhere."""

    instance: Instance
    hint: Local = field(default_factory=Local)
    most: int | None = None
    """Moves of the best answer; ``None``: as many as the rows allow."""
    points: int = 1
    """Answers wanted, each with fewer moves than the one before, down to none."""
    ceilings: tuple[tuple[int, int], ...] = ()
    """(priority, most) proven for the whole block, the higher ones at theirs: reaching one ends its level."""
    waves: int = 0
    """Waves of moves that the model knows; 0: the end state only."""
    effort: float = 1.0
    """Deterministic seconds of one level."""
    seed: int = 0
    seconds: float | None = None
    """When to stop at the latest, from the start; only an emergency stop."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One answer: what is placed with how many moves."""

    local: Local
    placed: tuple[tuple[int, int], ...]
    """(priority, count), highest first."""
    cut_short: bool = False
    """The wall clock ended the search."""
    sequence: tuple[Move, ...] = ()
    """The same as moves, each lawful after those before it; empty when no order is known."""
    worth: tuple[int, ...] = ()
    """What nodes are worth by their room, less the floor for every move, by objective; thousandths. Empty: moves are for pods alone."""

    @property
    def moves(self) -> int:
        return self.local.moves


def point(instance: Instance, local: Local, cut_short: bool = False) -> Point:
    return Point(local=local, placed=tuple(sorted(placed(instance, local).items(), reverse=True)), cut_short=cut_short)


def in_order(instance: Instance, sequence: Sequence[Move], cut_short: bool = False) -> Point:
    """The answer that a sequence of moves is."""
    return replace(point(instance, local_of(sequence), cut_short), sequence=tuple(sequence))


Key = tuple[int, int, int]
"""(class, node, wave)."""
Listed = list[tuple[Key, cp_model.IntVar]]
Pairs = Sequence[tuple[Key, cp_model.IntVar]]


class _Block:
    def __init__(self, work: Work) -> None:
        self.work, self.instance = work, work.instance
        self.cp = cp_model.CpModel()
        self.leave: dict[Key, cp_model.IntVar] = {}
        self.come: dict[Key, cp_model.IntVar] = {}
        self._variables()
        self._leaving, self._coming = _grouped(self.leave, 0), _grouped(self.come, 0)
        self._balance()
        self._capacity()
        for joint in self.instance.joints:
            self._joint(joint)
        self._budgets()

    def _variables(self) -> None:
        instance = self.instance
        hinted: dict[int, set[int]] = defaultdict(set)
        for c, n in self.work.hint.arrivals:
            hinted[c].add(n)
        last = self.work.waves
        share = (instance.room / np.maximum(np.abs(instance.room).max(axis=0, initial=1), 1)).clip(min=0).sum(axis=1)
        for c in range(len(instance.classes)):
            if instance.waiting[c]:
                places, most = np.flatnonzero(instance.reach[c]).tolist(), int(instance.pods[c])
            else:
                homes = np.flatnonzero(instance.there[c]).tolist()
                for n in homes:
                    here = int(instance.there[c, n])
                    some = [self.cp.new_int_var(0, here, "") for _ in range(max(1, last))]
                    self.leave.update(((c, n, wave), variable) for wave, variable in enumerate(some))
                    if len(some) > 1:
                        self.cp.add(cp_model.LinearExpr.sum(some) <= here)
                most = int(instance.there[c].sum())
                places = sorted({*_roomiest(instance.reach[c], share), *hinted[c]}) if most else []
            for n in places if most > 0 else ():
                for wave in (last,) if instance.waiting[c] else range(max(1, last)):
                    self.come[c, n, wave] = self.cp.new_int_var(0, most, "")

    def _balance(self) -> None:
        """Whoever leaves comes in the same wave."""
        for c in sorted({*self._leaving, *self._coming}):
            come, gone = self._coming.get(c, ()), self._leaving.get(c, ())
            if self.instance.waiting[c]:
                self.cp.add(cp_model.LinearExpr.sum([v for _, v in come]) <= int(self.instance.pods[c]))
                continue
            for wave in range(max(1, self.work.waves)):
                arriving = cp_model.LinearExpr.sum([v for k, v in come if k[2] == wave])
                self.cp.add(arriving == cp_model.LinearExpr.sum([v for k, v in gone if k[2] == wave]))

    def _capacity(self) -> None:
        instance = self.instance
        leaving, coming = _grouped(self.leave, 1), _grouped(self.come, 1)
        for n in sorted(coming):
            for r in range(len(instance.resources)):
                self._within(coming[n], leaving.get(n, ()), instance.asks[:, r].__getitem__, int(instance.room[n, r]))

    def _within(self, coming: Pairs, leaving: Pairs, weight: Callable[[int], int], room: int) -> None:
        """Who has come keeps within the room and what leavers of earlier waves freed, at the end and in every wave that is known."""
        come = [(k, v, w) for k, v in coming if (w := int(weight(k[0])))]
        gone = [(k, v, w) for k, v in leaving if (w := int(weight(k[0])))]
        if not come:
            return
        divisor = gcd(*(w for *_, w in (*come, *gone)))
        last = self.work.waves
        for wave in range(last + 1):
            if wave == last or any(k[2] == wave for k, _, _ in come):
                here = [(v, w // divisor) for k, v, w in come if k[2] <= wave]
                self._at_most([*here, *((v, -(w // divisor)) for k, v, w in gone if k[2] < wave or not last)], room // divisor)

    def _at_most(self, terms: Sequence[tuple[cp_model.IntVar, int]], limit: int) -> None:
        self.cp.add(cp_model.LinearExpr.weighted_sum([v for v, _ in terms], [w for _, w in terms]) <= limit)

    def _joint(self, joint: Joint) -> None:
        one, other = joint.one.tolist(), joint.other.tolist()
        if joint.kind is AtMost:
            for d, (coming, leaving) in self._domains(joint, one).items():
                room = joint.limit - int(joint.base_one[d])
                if room < 0:
                    self._shut(coming)
                else:
                    self._within(coming, leaving, lambda _: 1, room)
        elif joint.kind is Exclude:
            self._exclude(joint, one, other)
        else:
            self._spread(joint, frozenset(one), frozenset(other))

    def _domains(self, joint: Joint, group: Iterable[int]) -> dict[int, tuple[Listed, Listed]]:
        """Domain to who of the group comes into it and who leaves it."""
        found: dict[int, tuple[Listed, Listed]] = {}
        for c in group:
            for side, table in enumerate((self._coming, self._leaving)):
                for key, variable in table.get(c, ()):
                    d = int(joint.domain[key[1]])
                    if d >= 0:
                        found.setdefault(d, ([], []))[side].append((key, variable))
        return found

    def _shut(self, coming: Pairs) -> None:
        for _, variable in coming:
            self.cp.add(variable == 0)

    def _exclude(self, joint: Joint, one: list[int], other: list[int]) -> None:
        """Stricter than the row: nobody comes into a domain where the other side is in the snapshot, even if it leaves."""
        sides: dict[int, tuple[dict[int, cp_model.IntVar], dict[int, cp_model.IntVar]]] = {}
        for side, group, shunned in ((0, one, joint.base_other), (1, other, joint.base_one)):
            for d, (coming, _) in self._domains(joint, group).items():
                if shunned[d]:
                    self._shut(coming)
                else:
                    sides.setdefault(d, ({}, {}))[side].update((v.index, v) for _, v in coming)
        for carriers, others in sides.values():
            if carriers.keys() & others.keys():
                self.cp.add(cp_model.LinearExpr.sum(list((carriers | others).values())) <= 1)
            elif carriers and others:
                literal = self.cp.new_bool_var("")
                self.cp.add(cp_model.LinearExpr.sum(list(carriers.values())) == 0).only_enforce_if(literal)
                self.cp.add(cp_model.LinearExpr.sum(list(others.values())) == 0).only_enforce_if(~literal)

    def _spread(self, joint: Joint, carriers: frozenset[int], counted: frozenset[int]) -> None:
        """Running pods that count stay in their domain (stricter); waiting ones keep the skew of the end within its limit."""
        count, base = len(joint.base_other), joint.base_other
        least = 0 if joint.few or not count else int(base.min())
        waiting: list[list[cp_model.IntVar]] = [[] for _ in range(count)]
        moved: dict[tuple[int, int], list[tuple[cp_model.IntVar, int]]] = defaultdict(list)
        for table, sign in ((self._coming, 1), (self._leaving, -1)):
            for c in sorted(carriers | counted):
                for (_, n, _), variable in table.get(c, ()):
                    d = int(joint.domain[n])
                    if sign > 0 and c in carriers and (d < 0 or int(base[d]) + (c in counted) - least > joint.limit):
                        self.cp.add(variable == 0)
                    if c in counted and not self.instance.waiting[c]:
                        moved[c, d].append((variable, sign))
                    elif c in counted and d >= 0:
                        waiting[d].append(variable)
        for _, terms in sorted(moved.items()):
            self.cp.add(cp_model.LinearExpr.weighted_sum([v for v, _ in terms], [s for _, s in terms]) == 0)
        limit = joint.limit if joint.guard < 0 else min(joint.limit, joint.guard)
        for d, high in enumerate(waiting):
            for low in range(-1 if joint.few else 0, 0 if joint.few else count):
                if high and low != d:
                    rest = cp_model.LinearExpr.sum(waiting[low]) if low >= 0 else 0
                    floor = int(base[low]) if low >= 0 else 0
                    self.cp.add(cp_model.LinearExpr.sum(high) - rest <= max(0, limit - int(base[d]) + floor))

    def _budgets(self) -> None:
        for budget in self.instance.budgets:
            places = None if budget.nodes is None else frozenset(budget.nodes.tolist())
            members = budget.members.tolist()
            some = [v for c in members for k, v in self._leaving.get(c, ()) if places is None or k[1] in places]
            if some:
                self.cp.add(cp_model.LinearExpr.sum(some) <= max(0, budget.limit))

    def points(self) -> Iterator[Point]:
        """The best answer; for a frontier then ever cheaper ones."""
        ladder = _Levels(self.work, self.cp, self.leave, self.come)
        most = self.work.most
        for _ in range(self.work.points):
            found = ladder.climb(most)
            yield found
            if not found.moves:
                return
            most = min(found.moves - 1, found.moves * 3 // 4)


class _Levels:
    """The strict order on one block: priorities, the highest first, then moves."""

    def __init__(self, work: Work, cp: cp_model.CpModel, leave: dict[Key, cp_model.IntVar], come: dict[Key, cp_model.IntVar]) -> None:
        self.work, self.cp = work, cp
        self.leave = {key: v.index for key, v in leave.items()}
        self.come = {key: v.index for key, v in come.items()}
        instance = work.instance
        self.goals: dict[int, list[int]] = {}
        for (c, _, _), index in self.come.items():
            if instance.waiting[c]:
                self.goals.setdefault(int(instance.priority[c]), []).append(index)
        self.short = False
        self.deadline = None if work.seconds is None else time.monotonic() + work.seconds

    def climb(self, most: int | None) -> Point:
        """The best answer with at most so many moves."""
        cp = self.cp.clone()
        variables = [cp.get_int_var_from_proto_index(i) for i in range(len(cp.proto.variables))]
        moves = cp_model.LinearExpr.sum([variables[i] for i in self.leave.values()])
        if most is not None:
            cp.add(moves <= most)
        fits = most is None or self.work.hint.moves <= most
        values, known = (self._hint(len(variables)) if fits else [0] * len(variables)), False
        ceilings, on_par = dict(self.work.ceilings), True
        for priority in sorted(self.goals, reverse=True):
            goal = cp_model.LinearExpr.sum([variables[i] for i in self.goals[priority]])
            ceiling = ceilings.get(priority) if on_par else None
            if ceiling is not None:
                cp.add(goal <= ceiling)
            reached = sum(values[i] for i in self.goals[priority])
            if not known or ceiling is None or reached < ceiling:
                cp.maximize(goal)
                found = self._solve(cp, variables, values)
                values, known = found or values, known or found is not None
                reached = sum(values[i] for i in self.goals[priority])
            if not known:
                break
            cp.add(goal >= reached)
            on_par = on_par and ceiling is not None and reached >= ceiling
        if known and any(values[i] for i in self.leave.values()):
            cp.minimize(moves)
            values = self._solve(cp, variables, values) or values
        if not known:
            return point(self.work.instance, self.work.hint if fits else Local(), self.short)
        return point(self.work.instance, self._local(values), self.short)

    def _solve(self, cp: cp_model.CpModel, variables: Sequence[cp_model.IntVar], values: Sequence[int]) -> list[int] | None:
        cp.clear_hints()  # type: ignore[no-untyped-call]  # OR-Tools ships no type for it
        for variable, value in zip(variables, values, strict=True):
            cp.add_hint(variable, value)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = self.work.seed
        solver.parameters.max_deterministic_time = self.work.effort
        deadline = self.deadline
        if deadline is not None:
            solver.parameters.max_time_in_seconds = max(0.01, deadline - time.monotonic())
        status = solver.solve(cp)
        self.short |= deadline is not None and status != cp_model.OPTIMAL and time.monotonic() >= deadline
        return list(solver.response_proto.solution) if status in (cp_model.OPTIMAL, cp_model.FEASIBLE) else None

    def _hint(self, size: int) -> list[int]:
        """The hint as values; its moves in the first of the known waves in which they find room."""
        values = [0] * size
        for c, n, wave, sign in timed(self.work.instance, self.work.hint, self.work.waves):
            index = (self.come if sign > 0 else self.leave).get((c, n, wave))
            if index is not None:
                values[index] += 1
        return values

    def _local(self, values: Sequence[int]) -> Local:
        def told(table: dict[Key, int]) -> Steps:
            found: Steps = {}
            for (c, n, _), index in table.items():
                if values[index]:
                    found[c, n] = found.get((c, n), 0) + values[index]
            return found

        return netted(told(self.leave), told(self.come))


def timed(instance: Instance, local: Local, waves: int) -> Iterator[tuple[int, int, int, int]]:
    """(class, node, wave, 1 for coming or -1 for leaving) of every step of a placement, moves as early as there is room for them.

    What finds no room in any wave comes in the last one, lawful or not.
    """
    leaving = [(c, n) for (c, n), k in sorted(local.departures.items()) for _ in range(k)]
    coming = [(c, n) for (c, n), k in sorted(local.arrivals.items()) for _ in range(k) if not instance.waiting[c]]
    free = instance.room.copy()
    for wave in range(max(1, waves)):
        freed = np.zeros_like(free)
        for c, n in list(coming):
            source = next((s for d, s in leaving if d == c), None)
            if (free[n] >= instance.asks[c])[instance.asks[c] > 0].all() or wave == max(1, waves) - 1:
                coming.remove((c, n))
                free[n] -= instance.asks[c]
                yield c, n, wave, 1
                if source is not None:
                    leaving.remove((c, source))
                    freed[source] += instance.asks[c]
                    yield c, source, wave, -1
        free += freed
    for (c, n), k in sorted(local.arrivals.items()):
        if instance.waiting[c]:
            for _ in range(k):
                yield c, n, waves, 1


def _roomiest(mask: npt.NDArray[np.bool_], share: npt.NDArray[np.float64]) -> list[int]:
    nodes = np.flatnonzero(mask)
    return [int(n) for n in nodes[np.lexsort((nodes, -share[nodes]))[:PLACES]]]


def _grouped(table: dict[Key, cp_model.IntVar], part: int) -> dict[int, Listed]:
    """By class (0) or by node (1)."""
    found: dict[int, Listed] = {}
    for key, variable in table.items():
        found.setdefault(key[part], []).append((key, variable))
    return found


def solve_block(work: Work) -> tuple[Point, ...]:
    """The block's answers, the best first."""
    return tuple(_Block(work).points())
