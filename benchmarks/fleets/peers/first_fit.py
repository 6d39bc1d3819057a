"""First-fit-decreasing: waiting pods by priority, the largest first, each to the first node with room.

With evictions a pod without room tries nodes in the order of what they lack: pods there go to the first other node with room, one
step deep. No step breaks a rule, and nothing that has been placed is touched again.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from descheduler.domain.placement import Placement
from descheduler.domain.problem import Problem
from descheduler.domain.rows import AtMost
from descheduler.solver.arrays import Instance, Joint, Local, Move, Rows, local_of, to_placement

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def packed(problem: Problem, seconds: float, evict: bool) -> Placement:
    """What is placed within so many seconds, the most important pods of the whole fleet first."""
    end = time.perf_counter() + seconds
    rows = Rows(problem)
    yards = {c: Yard(rows.instance(c)) for c in sorted({c.cluster for c in problem.placeable})}
    purse = Purse({b.row: b.limit for yard in yards.values() for b in yard.instance.budgets}, rows.ratio)
    queue = [(yard, c) for yard in yards.values() for c in np.flatnonzero(yard.instance.waiting).tolist()]
    queue.sort(key=lambda one: (-int(one[0].instance.priority[one[1]]), -one[0].size(one[1])))  # stable: by cluster, then class
    for yard, c in queue:
        for _ in range(int(yard.instance.pods[c])):
            if time.perf_counter() > end:
                break
            if not (yard.settle(c) or (evict and yard.make_room(c, purse))):
                break  # nor will its equals find any
            purse.placed += 1
    parts = [to_placement(yard.instance, yard.local()) for yard in yards.values()]
    return Placement(
        departures={key: k for part in parts for key, k in part.departures.items()},
        arrivals={key: k for part in parts for key, k in part.arrivals.items()},
    )


class Purse:
    """The moves that are left of every limit, and how many moves placed pods have earned."""

    def __init__(self, left: dict[int, int], ratio: int | None) -> None:
        self.left, self.ratio = left, ratio
        self.moves = self.placed = 0

    def affords(self, rows: Iterable[int]) -> bool:
        """Whether one more move that counts in these limits is allowed, for a pod that will be placed by it."""
        return all(self.left[row] > 0 for row in rows) and (self.ratio is None or self.moves < self.ratio * (self.placed + 1))

    def spend(self, rows: Iterable[int], sign: int = 1) -> None:
        self.moves += sign
        for row in rows:
            self.left[row] -= sign


class Yard:
    """One cluster: what is free, who is where, and what has been done so far."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        self.room = instance.room.copy()
        self.there = instance.there.copy()
        """Pods that may still move."""
        self.held = [[joint.base_one.copy(), joint.base_other.copy()] for joint in instance.joints]
        self.moves: list[Move] = []
        self.scale = np.maximum(1, np.abs(instance.room).max(axis=0, initial=1))

    def size(self, c: int) -> float:
        """The largest share that a pod of the class asks for."""
        return float((self.instance.asks[c] / self.scale).max(initial=0.0))

    def local(self) -> Local:
        return local_of(self.moves)

    def settle(self, c: int) -> bool:
        """A waiting pod goes to the first node with room for it, if there is one."""
        open_ = np.flatnonzero(self._welcome(c) & (self.room >= self.instance.asks[c]).all(axis=1))
        if not len(open_):
            return False
        self._come(c, -1, int(open_[0]))
        return True

    def make_room(self, c: int, purse: Purse) -> bool:
        """The first node, by what it lacks, that others can leave so that the pod fits; they go where there is room now."""
        lacking = np.maximum(0, self.instance.asks[c] - self.room)
        movable = self.there.T.astype(np.int64) @ self.instance.asks
        able = np.flatnonzero(self._welcome(c) & (lacking <= movable).all(axis=1))
        order = able[np.argsort((lacking[able] / self.scale).max(axis=1), kind="stable")]
        return any(self._cleared(c, n, purse) for n in order.tolist())

    def _cleared(self, c: int, node: int, purse: Purse) -> bool:
        """Evict from one node until the pod fits, or undo everything."""
        done = len(self.moves)
        while (self.room[node] < self.instance.asks[c]).any():
            if not self._evicted(c, node, purse):
                while len(self.moves) > done:
                    self._undo(purse)
                return False
        self._come(c, -1, node)
        return True

    def _evicted(self, c: int, node: int, purse: Purse) -> bool:
        """One pod leaves: the smallest that makes all the room, else the one that makes the most; or the next that can."""
        lack = np.maximum(0, self.instance.asks[c] - self.room[node]) / self.scale

        def rank(v: int) -> tuple[float, float]:
            helps = float(np.minimum(lack, self.instance.asks[v] / self.scale).sum())
            return (-helps, self.size(v)) if helps else (0.0, 0.0)

        victims = [v for v in np.flatnonzero(self.there[:, node] > 0).tolist() if rank(v)[0] < 0]
        for v in sorted(victims, key=rank):
            rows = self._rows(v, node)
            if not purse.affords(rows):
                continue
            fits = self._welcome(v, leaving=node) & (self.room >= self.instance.asks[v]).all(axis=1)
            fits[node] = False
            target = next(iter(np.flatnonzero(fits).tolist()), None)
            if target is not None:
                self._come(v, node, target)
                purse.spend(rows)
                return True
        return False

    def _rows(self, v: int, node: int) -> list[int]:
        """The limits in which a move of the class off the node counts."""
        budgets = (self.instance.budgets[b] for b in self.instance.budgets_of[v])
        return [b.row for b in budgets if b.nodes is None or node in b.nodes]

    def _come(self, c: int, source: int, target: int) -> None:
        """A pod comes, and leaves where it was. Who has moved moves no more."""
        self.moves.append((c, source, target))
        self._count(c, source, -1)
        self._count(c, target, 1)
        if source >= 0:
            self.there[c, source] -= 1

    def _undo(self, purse: Purse) -> None:
        c, source, target = self.moves.pop()
        self._count(c, target, -1)
        self._count(c, source, 1)
        self.there[c, source] += 1
        purse.spend(self._rows(c, source), -1)

    def _count(self, c: int, node: int, sign: int) -> None:
        if node < 0:
            return
        self.room[node] -= sign * self.instance.asks[c]
        for j in self.instance.joints_of[c]:
            joint, domain = self.instance.joints[j], int(self.instance.joints[j].domain[node])
            for side, group in enumerate((joint.one, joint.other)):
                if domain >= 0 and c in group:
                    self.held[j][side][domain] += sign

    def _welcome(self, c: int, leaving: int = -1) -> Bools:
        """Nodes at which filters and joint rules let a pod of the class arrive, its old self on the node ``leaving`` gone."""
        nodes: Bools = self.instance.reach[c].copy()
        for j in self.instance.joints_of[c]:
            joint = self.instance.joints[j]
            one, other = (held.copy() for held in self.held[j])
            if leaving >= 0 and joint.domain[leaving] >= 0:
                one[joint.domain[leaving]] -= c in joint.one
                other[joint.domain[leaving]] -= c in joint.other
            fine = one < joint.limit if joint.kind is AtMost else _even(joint, c, other)
            nowhere = joint.kind is AtMost or joint.guard < 0 or _skew(joint, other) <= joint.guard
            nodes &= np.append(fine, nowhere)[joint.domain]  # -1, no domain, is the last
        return nodes


def _skew(joint: Joint, held: Ints) -> int:
    return int(held.max(initial=0)) - (0 if joint.few else int(held.min(initial=held.max(initial=0))))


def _even(joint: Joint, c: int, held: Ints) -> Bools:
    """Domains that one more pod of the class may come to."""
    counted = int(c in joint.other)
    fine = np.ones(len(held), dtype=np.bool_)
    for d in range(len(held)):
        after = held.copy()
        after[d] += counted
        if c in joint.one:
            fine[d] = int(after[d]) - (0 if joint.few else int(held.min())) <= joint.limit
        if joint.guard >= 0:
            fine[d] &= _skew(joint, after) <= joint.guard
    return fine
