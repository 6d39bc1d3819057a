"""An instance as the vector that the kernels work on, and what they have found read out of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from descheduler.domain.rows import AtMost, Exclude
from descheduler.solver.arrays import Instance, Ints, Joint, Move
from descheduler.solver.gains import Gains
from descheduler.solver.kernels import slots as k

STAIRS = 96
"""Points of a frontier."""
LOOK = 150
"""Nodes a round looks at."""
TRIES = 24
"""Nodes the greedy tries for each waiting pod, those that lack least first."""
WORTH = 1000
"""Of a pod of the lowest priority; each higher one is worth four times as much."""
PRICE = 20
"""Of a move."""
KAPPA = 90
"""Of a slot that is nearly whole, in hundredths."""
FIRST = 20
"""What the first of several objectives is worth to the search beside the others; what is kept obeys their order."""


def _rows(masks: Ints) -> tuple[Ints, Ints]:
    """Distinct rows of a matrix: for each row its number, and the distinct ones."""
    known: dict[bytes, int] = {}
    of = np.array([known.setdefault(mask.tobytes(), len(known)) for mask in masks], dtype=np.int64)
    first = np.zeros(len(known), dtype=np.int64)
    for i in range(len(of) - 1, -1, -1):
        first[of[i]] = i
    return of, masks[first] if known else masks[:0]


def _ragged(lists: Sequence[Sequence[int]]) -> tuple[Ints, Ints]:
    start = np.zeros(len(lists) + 1, dtype=np.int64)
    start[1:] = np.cumsum([len(some) for some in lists], dtype=np.int64)
    return start, np.array([x for some in lists for x in some], dtype=np.int64)


class Memory:
    """An instance laid out for the kernels: ``most`` moves, in so many ``waves`` at most, a frontier of so many ``stairs``."""

    def __init__(
        self,
        instance: Instance,
        *,
        most: int,
        waves: int,
        stairs: int = STAIRS,
        seed: int = 0,
        owing: Sequence[int] = (),
        gains: Gains | None = None,
    ) -> None:
        self.instance = instance
        self.longest = most + int(instance.pods[instance.waiting].sum()) + 1
        self._parts: dict[int, Ints] = {}
        self._numbers: dict[int, int] = {}
        self._classes()
        self._joints()
        self._budgets()
        self._book(stairs, owing)
        self._numbers |= {k.MOST: most, k.WAVES: waves, k.STAIRS: stairs, k.TRIES: TRIES, k.LOOK: LOOK, k.BEST: -1, k.PRICE: PRICE}
        self._numbers[k.RANDOM] = 1 + (seed * 7919 + 12345) % 2147483646
        if gains is not None:
            self._worth(gains, stairs)
        self.vector = self._laid_out()

    def _classes(self) -> None:
        """Asks, reach, homes and ranks."""
        instance = self.instance
        count, nodes = instance.size
        held = instance.room + instance.there.astype(np.int64).T @ instance.asks
        scale = np.maximum(held, 1).max(axis=0, initial=1)
        reach_row, reach = _rows(instance.reach.astype(np.int64))
        homes = [[c for c in np.flatnonzero(instance.there[:, n]).tolist() if instance.reach[c].any()] for n in range(nodes)]
        home_start, home_class = _ragged(homes)
        ranks = instance.priorities[::-1]
        rank = [ranks.index(int(p)) if w else 0 for p, w in zip(instance.priority, instance.waiting, strict=True)]
        size = (instance.asks * k.UNIT // scale).sum(axis=1)
        order = sorted(np.flatnonzero(instance.waiting).tolist(), key=lambda c: (-rank[c], -size[c], c))
        self._numbers |= {k.NODES: nodes, k.CLASSES: count, k.RESOURCES: len(instance.resources), k.RANKS: len(ranks)}
        self._parts |= {
            k.ASKS: instance.asks,
            k.SCALE: scale,
            k.SIZE: size,
            k.WAITING: instance.waiting.astype(np.int64),
            k.RANK: np.array(rank),
            k.PRIORITY: instance.priority,
            k.REACH_ROW: reach_row,
            k.REACH: reach,
            k.HOME_START: home_start,
            k.HOME_CLASS: home_class,
            k.KEPT: np.array([instance.there[c, n] for n, some in enumerate(homes) for c in some], dtype=np.int64),
            k.LEFT: np.where(instance.waiting, instance.pods, 0),
            k.WEIGHT: np.array([WORTH * 4**i for i in range(len(ranks))], dtype=np.int64),
            k.ORDER: np.array([*order, -1], dtype=np.int64),
        }

    def _joints(self) -> None:
        instance = self.instance
        sides = [(frozenset(j.one.tolist()), frozenset(j.other.tolist())) for j in instance.joints]
        start, of = _ragged(instance.joints_of)
        side = [(c in sides[j][0]) * k.ONE + (c in sides[j][1]) * k.OTHER for c, some in enumerate(instance.joints_of) for j in some]
        map_row, domain = _rows(_stacked([j.domain for j in instance.joints], len(instance.nodes)))
        self._parts |= {
            k.JOINT_START: start,
            k.JOINT_OF: of,
            k.JOINT_SIDE: np.array(side, dtype=np.int64),
            k.KIND: np.array([_kind(j) for j in instance.joints], dtype=np.int64),
            k.LIMIT: np.array([j.limit for j in instance.joints], dtype=np.int64),
            k.GUARD: np.array([j.guard for j in instance.joints], dtype=np.int64),
            k.FEW: np.array([j.few for j in instance.joints], dtype=np.int64),
            k.MAP_ROW: map_row,
            k.DOMAIN: domain,
            k.OFFSET: _ragged([range(len(j.base_one)) for j in instance.joints])[0],
            k.COUNT_ONE: _joined([j.base_one for j in instance.joints]),
            k.COUNT_OTHER: _joined([j.base_other for j in instance.joints]),
        }

    def _budgets(self) -> None:
        instance = self.instance
        start, of = _ragged(instance.budgets_of)
        masks: list[Ints] = []
        rows: list[int] = []
        for budget in instance.budgets:
            rows.append(len(masks) if budget.nodes is not None else -1)
            if budget.nodes is not None:
                mask = np.zeros(len(instance.nodes), dtype=np.int64)
                mask[budget.nodes] = 1
                masks.append(mask)
        self._parts |= {
            k.BUDGET_START: start,
            k.BUDGET_OF: of,
            k.BUDGET_LIMIT: np.array([b.limit for b in instance.budgets], dtype=np.int64),
            k.BUDGET_ROW: np.array(rows, dtype=np.int64),
            k.BUDGET_NODES: _stacked(masks, len(instance.nodes)),
            k.SPENT: np.zeros(len(rows), dtype=np.int64),
        }

    def _book(self, stairs: int, owing: Sequence[int]) -> None:
        """Room for what changes."""
        nodes, ranks, steps = self._numbers[k.NODES], self._numbers[k.RANKS], self.longest * k.WIDTH
        self._numbers[k.OWED] = len(owing)
        stair = np.full((stairs, 2 + ranks), -1, dtype=np.int64)
        sizes = {k.STEPS: steps, k.SAVED: steps, k.CHAIN: steps, k.BEST_STEPS: steps, k.STAIR_STEPS: stairs * steps}
        sizes |= {k.GAINED: ranks, k.BEST_GAINED: ranks, k.LAST: nodes, k.CLOSED: nodes, k.COMING: nodes, k.DROPPED: self.longest}
        classes = self._numbers[k.CLASSES]
        sizes |= {k.HOPELESS: len(self._parts[k.KEPT]), k.BEFORE_LEFT: classes, k.BOUND: classes, k.SPOTS: 4 * k.SPOT_ROOM}
        self._parts |= {slot: np.zeros(size, dtype=np.int64) for slot, size in sizes.items()}
        self._parts |= {
            k.ROOM: self.instance.room,
            k.FREE: self.instance.room,
            k.CALM: self.instance.room,
            k.ACTIVE_NODES: np.arange(nodes),
            k.OWING: np.array(owing, dtype=np.int64),
            k.STAIR: stair,
        }

    def _worth(self, gains: Gains, stairs: int) -> None:
        """What nodes are worth. A class without pods is added, for what a slot would ask for."""
        nodes = self._numbers[k.NODES]
        pull = gains.weight * np.where(gains.goal == 0, FIRST, 1)
        self._numbers |= {k.GOALS: gains.goals, k.VALUES: len(gains.node), k.FLOOR: gains.floor, k.KAPPA: KAPPA}
        sizes = {k.POTENTIAL: nodes, k.WHOLE: len(gains.node), k.WORTH: gains.goals, k.BEST_WORTH: gains.goals}
        resources = self._numbers[k.RESOURCES]
        sizes |= {k.STAIR_WORTH: stairs * gains.goals, k.EXPOSURE: nodes, k.LEAST_FREE: resources, k.TAKEN: resources}
        self._parts |= {slot: np.zeros(size, dtype=np.int64) for slot, size in sizes.items()}
        self._parts |= {
            k.ASKS: np.vstack([self._parts[k.ASKS], np.zeros((1, self._numbers[k.RESOURCES]), dtype=np.int64)]),
            k.SHAPES: gains.shapes,
            k.VALUE_START: np.searchsorted(gains.node, np.arange(nodes + 1)),
            k.VALUE_NODE: gains.node,
            k.VALUE_SHAPE: gains.shape,
            k.VALUE_GOAL: gains.goal,
            k.VALUE_WEIGHT: gains.weight,
            k.VALUE_MOST: gains.most,
            k.PULL: pull,
            k.SEEN: np.stack([self.instance.room] * 2, axis=1),
        }

    def _laid_out(self) -> Ints:
        places, at = {}, k.SLOTS
        for slot, part in self._parts.items():
            places[slot] = at
            at += part.size
        vector = np.zeros(at, dtype=np.int64)
        for slot, value in (*self._numbers.items(), *places.items()):
            vector[slot] = value
        for slot, part in self._parts.items():
            vector[places[slot] : places[slot] + part.size] = part.ravel()
        return vector

    def part(self, slot: int) -> Ints:
        """The array that a slot is the place of."""
        place = int(self.vector[slot])
        return self.vector[place : place + self._parts[slot].size]

    def record(self, moves: Iterable[Move]) -> int:
        """Write moves into the chain, for ``resume``; how many they are."""
        m, instance = self.vector, self.instance
        entries = {
            (int(m[m[k.HOME_CLASS] + e]), n): e
            for n in range(len(instance.nodes))
            for e in range(m[m[k.HOME_START] + n], m[m[k.HOME_START] + n + 1])
        }
        count = 0
        for c, source, target in moves:
            if count < self.longest and (source < 0 or (c, source) in entries):
                step = m[k.CHAIN] + count * k.WIDTH
                m[step : step + k.WIDTH] = (entries.get((c, source), -1), c, source, target, 0, 0)
                count += 1
        return count

    def best(self) -> tuple[Move, ...]:
        """The best steps."""
        return self._moves(int(self.vector[k.BEST_STEPS]), int(self.vector[k.BEST]))

    def frontier(self) -> list[tuple[Move, ...]]:
        """The best steps for every number of moves, those with the most moves first."""
        m, found = self.vector, []
        for stair in range(int(m[k.STAIRS]) - 1, -1, -1):
            moves, length = m[m[k.STAIR] + stair * (2 + m[k.RANKS]) :][:2].tolist()
            if moves >= 0:
                found.append(self._moves(int(m[k.STAIR_STEPS]) + stair * self.longest * k.WIDTH, length))
        return found

    def gained(self) -> tuple[int, ...]:
        """Placed pods of the best steps by priority, the highest first."""
        return tuple(self.part(k.BEST_GAINED)[::-1].tolist())

    def _moves(self, place: int, count: int) -> tuple[Move, ...]:
        steps = self.vector[place : place + max(0, count) * k.WIDTH].reshape(-1, k.WIDTH)
        return tuple((c, source, target) for c, source, target in steps[:, k.CLASS : k.TARGET + 1].tolist())


def _kind(joint: Joint) -> int:
    return k.AT_MOST if joint.kind is AtMost else k.EXCLUDE if joint.kind is Exclude else k.SPREAD


def _stacked(rows: Sequence[Ints], width: int) -> Ints:
    return np.array(rows, dtype=np.int64).reshape(len(rows), width)


def _joined(parts: Sequence[Ints]) -> Ints:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts])
