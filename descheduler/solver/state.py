"""A placement in the making over one instance: every step is lawful when it is taken, and can be taken back."""

from __future__ import annotations

import numpy as np

from descheduler.domain.rows import AtMost, Exclude, Spread
from descheduler.solver.arrays import Bools, Instance, Ints, Joint, Local, Steps

Step = tuple[int, int, int]
"""(class, from node, to node); from is -1 for a waiting pod."""


class State:
    """Who is where after the steps so far. ``calm`` is the room beside everyone who was ever there: no leaver has made way in it."""

    def __init__(self, instance: Instance, local: Local | None = None) -> None:
        self.instance = instance
        self.free = instance.room.copy()
        self.calm = instance.room.copy()
        self.kept = instance.there.astype(np.int64)
        """[C, N] pods that have not moved; only these may."""
        self.left = instance.pods.copy()
        """Per waiting class the pods not placed yet."""
        self.one = [j.base_one.copy() for j in instance.joints]
        self.other = [j.base_other.copy() for j in instance.joints]
        self.spent = [0] * len(instance.budgets)
        self.trail: list[Step] = []
        self.moves = 0
        self.departures: Steps = {}
        self.arrivals: Steps = {}
        self._sides = [(frozenset(j.one.tolist()), frozenset(j.other.tolist())) for j in instance.joints]
        self._places = [None if b.nodes is None else frozenset(b.nodes.tolist()) for b in instance.budgets]
        if local is not None:
            self._restore(local)

    def _restore(self, local: Local) -> None:
        for (c, n), k in sorted(local.departures.items()):
            for _ in range(k):
                self._leave(c, n, 1)
        for (c, n), k in sorted(local.arrivals.items()):
            for _ in range(k):
                self._come(c, n, 1)

    def _leave(self, c: int, n: int, sign: int) -> None:
        self.free[n] += sign * self.instance.asks[c]
        self.kept[c, n] -= sign
        self.moves += sign
        self.departures[c, n] = self.departures.get((c, n), 0) + sign
        self._tally(c, n, -sign)
        for b in self.instance.budgets_of[c]:
            places = self._places[b]
            if places is None or n in places:
                self.spent[b] += sign

    def _come(self, c: int, n: int, sign: int) -> None:
        self.free[n] -= sign * self.instance.asks[c]
        self.calm[n] -= sign * self.instance.asks[c]
        self.arrivals[c, n] = self.arrivals.get((c, n), 0) + sign
        self._tally(c, n, sign)
        if self.instance.waiting[c]:
            self.left[c] -= sign

    def _tally(self, c: int, n: int, sign: int) -> None:
        for j in self.instance.joints_of[c]:
            domain = self.instance.joints[j].domain[n]
            if domain >= 0:
                one, other = self._sides[j]
                if c in one:
                    self.one[j][domain] += sign
                if c in other:
                    self.other[j][domain] += sign

    def take(self, step: Step) -> None:
        """Take a step that ``open_to`` and ``affordable`` allow."""
        c, source, target = step
        if source >= 0:
            self._leave(c, source, 1)
        self._come(c, target, 1)
        self.trail.append(step)

    def back(self, mark: int) -> None:
        """Undo every step after the mark, a length of the trail."""
        while len(self.trail) > mark:
            c, source, target = self.trail.pop()
            self._come(c, target, -1)
            if source >= 0:
                self._leave(c, source, -1)

    def affordable(self, c: int, source: int) -> bool:
        """Whether the budgets let one more pod of the class leave the node."""
        for b in self.instance.budgets_of[c]:
            places = self._places[b]
            if (places is None or source in places) and self.spent[b] >= self.instance.budgets[b].limit:
                return False
        return True

    def welcome(self, c: int, source: int = -1) -> Bools:
        """[N] where filters and joint rows allow a pod of the class to come now, whatever room there is."""
        mask: Bools = self.instance.reach[c].copy()
        for j in self.instance.joints_of[c]:
            joint = self.instance.joints[j]
            allowed = self._allowed(j, joint, c, source)
            if allowed is not None:
                mask &= np.where(joint.domain >= 0, allowed[joint.domain], joint.kind is not Spread or c not in self._sides[j][0])
        return mask

    def _allowed(self, j: int, joint: Joint, c: int, source: int) -> Bools | None:
        """Per domain whether a pod of the class may come; ``None`` where all may."""
        one, other = self._sides[j]
        if joint.kind is AtMost:
            return np.asarray(self.one[j] < joint.limit)
        if joint.kind is Exclude:
            allowed = np.ones(len(self.one[j]), dtype=np.bool_)
            if c in one:
                allowed &= self.other[j] == 0
            if c in other:
                allowed &= self.one[j] == 0
            return allowed
        return self._spread(joint, self.other[j], c in one, c in other, source)

    @staticmethod
    def _spread(joint: Joint, counts: Ints, carrier: bool, counted: bool, source: int) -> Bools | None:
        """Running pods that count stay in their domain, so that no wave changes a skew for the worse."""
        limits = [x for x in (joint.limit if carrier else -1, joint.guard if counted else -1) if x >= 0]
        if not limits or not len(counts):
            return None
        least = 0 if joint.few else int(counts.min())
        allowed = np.asarray(counts + int(counted) - least <= min(limits))
        if source >= 0 and counted:
            same = np.zeros(len(counts), dtype=np.bool_)
            if joint.domain[source] >= 0:
                same[joint.domain[source]] = True
            allowed &= same
        return allowed

    def open_to(self, c: int, source: int = -1) -> Bools:
        """[N] where a pod of the class may come now and finds room."""
        return np.asarray(self.welcome(c, source) & (self.free >= self._needs(c)).all(axis=1))

    def _needs(self, c: int) -> Ints:
        """Resources that are not asked for are not looked at."""
        asks = self.instance.asks[c]
        return np.where(asks > 0, asks, np.iinfo(np.int64).min)

    def local(self) -> Local:
        return netted(self.departures, self.arrivals)


def netted(departures: Steps, arrivals: Steps) -> Local:
    """A class that leaves and comes back to one node has not moved."""
    both = {key: min(departures[key], arrivals[key]) for key in departures.keys() & arrivals.keys()}
    return Local(
        departures={key: rest for key, k in sorted(departures.items()) if (rest := k - both.get(key, 0))},
        arrivals={key: rest for key, k in sorted(arrivals.items()) if (rest := k - both.get(key, 0))},
    )
