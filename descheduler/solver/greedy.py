"""Greedy with ejection chains (reference/solver.md 3d): the first plan, and each step of it lawful in its turn.

Waiting pods by priority. For each the nodes that lack least are tried: who stands in the way goes where it fits best, if
need be after making room there in the same way, one level deep. The recorded steps of the cheapest node are kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from descheduler.solver.arrays import Bools, Instance, Ints, Local
from descheduler.solver.state import State, Step

NODES = 24
"""Nodes tried for each waiting pod, those that lack least first."""
DETOURS = 3
"""Nodes tried when a pod in the way fits nowhere as things are."""
ALTERNATIVES = 4
"""Pods in the way that may turn out to have nowhere to go before a node is given up."""
MOST_VICTIMS = 12
PRICES = (1, 2, 4, MOST_VICTIMS)
"""Moves that a pod may cost in each round while moves are few."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manner:
    """How the greedy goes about it."""

    large_first: bool = True
    depth: int = 1
    most_moves: int | None = None
    """Of the whole instance. With a limit the cheapest pods of a priority come first."""


class _Greedy:
    def __init__(self, instance: Instance, manner: Manner, start: Local | None) -> None:
        self.instance, self.manner = instance, manner
        self.state = State(instance, start)
        self.scale = np.maximum(instance.room + self._held(), 1).max(axis=0).astype(np.float64) if len(instance.nodes) else np.ones(0)
        self.weight = instance.asks / self.scale if len(instance.classes) else instance.asks.astype(np.float64)
        self.size = self.weight.sum(axis=1)
        self.movable: Bools = ~instance.waiting
        self.per_pod = MOST_VICTIMS

    def _held(self) -> Ints:
        """[N, R] what movable pods hold."""
        return np.asarray(self.instance.there.astype(np.int64).T @ self.instance.asks)

    def run(self) -> Iterator[Local]:
        """The placement after every pod that was placed, the last one first."""
        marks = [len(self.state.trail)]
        for priority in sorted({int(p) for p in self.instance.priority[self.instance.waiting]}, reverse=True):
            for price in (MOST_VICTIMS,) if self.manner.most_moves is None else PRICES:
                self.per_pod = price
                for c in self._order(priority):
                    while self.state.left[c] > 0 and self._place(c):
                        marks.append(len(self.state.trail))
        for mark in reversed(marks):
            self.state.back(mark)
            yield self.state.local()

    def _order(self, priority: int) -> list[int]:
        waiting = np.flatnonzero(self.instance.waiting & (self.instance.priority == priority)).tolist()
        sign = -1 if self.manner.large_first else 1
        return sorted(waiting, key=lambda c: (sign * self.size[c], self.instance.classes[c]))

    def _allowance(self) -> int:
        most = self.manner.most_moves
        return self.per_pod if most is None else min(self.per_pod, most - self.state.moves)

    def _place(self, c: int) -> bool:
        """Place one pod of a waiting class with the fewest moves."""
        state = self.state
        welcome = state.welcome(c)
        fits = welcome & (state.free >= self.instance.asks[c]).all(axis=1)
        if fits.any():
            state.take((c, -1, self._best_fit(c, fits)))
            return True
        best: tuple[float, list[Step]] | None = None
        mark, allowance = len(state.trail), self._allowance()
        for n in self._lacking_least(c, welcome, NODES):
            most = allowance if best is None else min(allowance, int(best[0]) - 1)
            if most < 1:
                break
            if self._make_room(n, self.instance.asks[c], self.manner.depth, most, frozenset({n})) and state.welcome(c)[n]:
                steps = state.trail[mark:]
                best = (float(len(steps)), [*steps, (c, -1, n)])
            state.back(mark)
        if best is None:
            return False
        for step in best[1]:
            state.take(step)
        return True

    def _best_fit(self, c: int, mask: Bools) -> int:
        """The fullest node that takes it; among equals the one that need not wait for a leaver."""
        nodes = np.flatnonzero(mask)
        rest = (self.state.free[nodes] / self.scale).clip(min=0).sum(axis=1)
        calm = (self.state.calm[nodes] >= self.instance.asks[c]).all(axis=1)
        return int(nodes[np.lexsort((nodes, rest, ~calm))[0]])

    def _lacking_least(self, c: int, welcome: Bools, most: int) -> list[int]:
        """Nodes that could take it if enough pods left, by what they lack."""
        lack = ((self.instance.asks[c] - self.state.free) / self.scale).clip(min=0).sum(axis=1)
        nodes = np.flatnonzero(welcome)
        ranked = nodes[np.lexsort((nodes, lack[nodes]))]
        return [int(n) for n in ranked[:most]]

    def _make_room(self, n: int, need: Ints, depth: int, most: int, closed: frozenset[int]) -> bool:
        """Send pods away from the node until ``need`` fits; on failure the caller takes the steps back."""
        state, mark = self.state, len(self.state.trail)
        hopeless: set[int] = set()
        while True:
            lack = (need - state.free[n]).clip(min=0)
            lack[need == 0] = 0
            if not lack.any():
                return True
            if len(state.trail) - mark >= most or len(hopeless) > ALTERNATIVES:
                return False
            victim = self._victim(n, lack, hopeless)
            if victim is None:
                return False
            if not self._send(victim, n, depth, most - (len(state.trail) - mark), closed):
                hopeless.add(victim)

    def _victim(self, n: int, lack: Ints, hopeless: set[int]) -> int | None:
        """The smallest pod that is enough by itself, else the one that covers most."""
        state = self.state
        here = [c for c in np.flatnonzero((state.kept[:, n] > 0) & self.movable).tolist() if c not in hopeless and state.affordable(c, n)]
        if not here:
            return None
        asks = self.instance.asks[here]
        wanted = lack > 0
        if ((asks[:, wanted] * state.kept[here, n][:, None]).sum(axis=0) < lack[wanted]).any():
            return None
        enough = np.flatnonzero(np.asarray(asks[:, wanted] >= lack[wanted]).all(axis=1)).tolist()
        if enough:
            return min((here[i] for i in enough), key=lambda c: (self.size[c], c))
        cover = (np.minimum(asks, lack) / np.maximum(lack, 1))[:, wanted].sum(axis=1)
        return max(zip(cover.tolist(), here, strict=True), key=lambda pair: (pair[0], -self.size[pair[1]], -pair[1]))[1]

    def _send(self, c: int, n: int, depth: int, most: int, closed: frozenset[int]) -> bool:
        """Move one pod of the class off the node, making room elsewhere if need be."""
        state = self.state
        welcome = state.welcome(c, n)
        welcome[list(closed)] = False
        fits = welcome & (state.free >= self.instance.asks[c]).all(axis=1)
        if fits.any():
            state.take((c, n, self._best_fit(c, fits)))
            return True
        if depth < 1 or most < 2:
            return False
        mark = len(state.trail)
        for m in self._lacking_least(c, welcome, DETOURS):
            if self._make_room(m, self.instance.asks[c], depth - 1, most - 1, closed | {m}) and state.welcome(c, n)[m]:
                state.take((c, n, m))
                return True
            state.back(mark)
        return False


def greedy(instance: Instance, manner: Manner, start: Local | None = None) -> Local:
    """A lawful placement that places what the manner finds, on top of ``start``."""
    return next(_Greedy(instance, manner, start).run())


def stairs(instance: Instance, manner: Manner) -> list[Local]:
    """The same with everything that led to it: one placement for each pod placed, the best first."""
    return list(_Greedy(instance, manner, None).run())
