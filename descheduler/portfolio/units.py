"""Blocks of one round: a cluster, or some 150 nodes of one, cut anew each round; what they share is divided by one programme."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from descheduler.solver.arrays import Budget, Instance, Ints, Local, Move, applied, cut, local_of, to_steps
from descheduler.solver.division import Offer, divide
from descheduler.solver.point import Point

BLOCK = 150
"""Nodes of one block at most, where a cluster is cut."""
WHOLE = 300
"""Nodes of a cluster up to which it is never cut."""
OFFERS = 4
"""Blocks of a cluster that look for room for the same waiting pod."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A block: its arrays and what the incumbent does there."""

    instance: Instance
    hint: tuple[Move, ...] = ()
    owing: tuple[int, ...] = ()
    """Nodes at which pods arrive that another block has sent."""
    settled: bool = False
    """Moves from block to block: nobody's to change in this round."""

    @property
    def local(self) -> Local:
        return local_of(self.hint)

    def cap(self, most: int | None = None) -> int:
        """The moves that the block can make at all, at most ``most``."""
        whole = [budget.limit for budget in self.whole_budgets]
        return max(0, min([int(self.instance.there.sum()), *whole, *([] if most is None else [most])]))

    @property
    def whole_budgets(self) -> list[Budget]:
        """The limits that speak of every pod of the block that may move."""
        movers = frozenset(np.flatnonzero(self.instance.there.any(axis=1)).tolist())
        return [b for b in self.instance.budgets if b.nodes is None and movers <= frozenset(b.members.tolist())]


def units(instance: Instance, moves: Sequence[Move], seed: Sequence[int]) -> list[Unit]:
    """A small cluster whole; a large one in blocks, each with its share of the pods that still wait.

    Moves from block to block are carried out beforehand, in the arrays, and come as a unit of their own.
    """
    count = -(-len(instance.nodes) // BLOCK)
    if len(instance.nodes) <= WHOLE:
        return [Unit(instance=instance, hint=tuple(moves))]
    shuffled = np.random.default_rng(list(seed)).permutation(len(instance.nodes))
    of = np.zeros(len(instance.nodes), dtype=np.int64)
    for block in range(count):
        of[shuffled[block::count]] = block
    inside = [m[1] < 0 or of[m[1]] == of[m[2]] for m in moves]
    across = tuple(m for m, within in zip(moves, inside, strict=True) if not within)
    found = [Unit(instance=instance, hint=across, settled=True)] if across else []
    arriving = {target for _, _, target in across}
    blocks = []
    for block in range(count):
        chosen = np.flatnonzero(of == block)
        mine = [m for m, within in zip(moves, inside, strict=True) if within and of[m[2]] == block]
        others = [m for m, within in zip(moves, inside, strict=True) if not (within and of[m[2]] == block)]
        part = cut(applied(instance, local_of(others)), chosen)
        where = {int(n): i for i, n in enumerate(chosen)}
        here = {int(c): i for i, c in enumerate(part.classes)}
        kept = tuple((here[int(instance.classes[c])], where.get(s, -1), where[t]) for c, s, t in mine if int(instance.classes[c]) in here)
        blocks.append(Unit(instance=part, hint=kept, owing=tuple(sorted(where[n] for n in arriving if n in where))))
    return [*found, *_shared_out(instance, moves, blocks)]


def _shared_out(instance: Instance, moves: Sequence[Move], blocks: Sequence[Unit]) -> list[Unit]:
    """Pods that still wait are offered to one block each, in turn: the few most important ones to several (``picked`` takes each once)."""
    left = instance.pods.copy()
    for c, source, _ in moves:
        if source < 0:
            left[c] -= 1
    where = [{int(c): at for at, c in enumerate(unit.instance.classes)} for unit in blocks]
    pods = [unit.instance.pods.copy() for unit in blocks]
    scale = np.maximum(instance.room.max(axis=0, initial=1), 1)
    offered = [0] * len(blocks)
    waiting = [c for c in np.flatnonzero(instance.waiting).tolist() if left[c]]
    dearest = max((int(instance.priority[c]) for c in waiting), default=0) if moves else None
    for c in waiting:
        name = int(instance.classes[c])
        able = [b for b in range(len(blocks)) if name in where[b]]
        for b in able:
            pods[b][where[b][name]] -= left[c]
        if int(instance.priority[c]) == dearest:
            lack = {b: _least_lack(blocks[b].instance, where[b][name], scale) for b in able}
            for b in sorted(able, key=lambda b: (lack[b], b))[:OFFERS]:
                pods[b][where[b][name]] += left[c]
            continue
        for _ in range(int(left[c]) if able else 0):
            b = min(able, key=lambda b: (offered[b], b))
            offered[b] += 1
            pods[b][where[b][name]] += 1
    return [replace(unit, instance=replace(unit.instance, pods=some)) for unit, some in zip(blocks, pods, strict=True)]


def _least_lack(instance: Instance, c: int, scale: Ints) -> float:
    """What a pod of the class lacks, as shares of the largest room, on the node where that is least."""
    lack = (np.maximum(instance.asks[c] - instance.room[instance.reach[c]], 0) / scale).sum(axis=1)
    return float(lack.min(initial=np.inf))


def spends(instance: Instance, local: Local) -> dict[int, int]:
    """Row to the departures, or placed pods, counted in it."""
    by_class: dict[int, list[tuple[int, int]]] = {}
    for (c, n), k in local.departures.items():
        by_class.setdefault(c, []).append((n, k))
    found: dict[int, int] = {}
    for c, some in by_class.items():
        for position in instance.budgets_of[c]:
            budget = instance.budgets[position]
            places = None if budget.nodes is None else frozenset(budget.nodes.tolist())
            count = sum(k for n, k in some if places is None or n in places)
            if count:
                found[budget.row] = found.get(budget.row, 0) + count
    for (c, _), k in local.arrivals.items():
        if instance.waiting[c]:
            row = waiting_row(int(instance.classes[c]))
            found[row] = found.get(row, 0) + k
    return found


def waiting_row(pod_class: int) -> int:
    """The row by which the pods of a waiting class are shared between blocks, beside the problem's rows from 0 on."""
    return -1 - pod_class


def picked(blocks: Sequence[Unit], points: Sequence[Sequence[Point]], limits: Mapping[int, int], ratio: int | None) -> list[int]:
    """For each block the index of a point: the best of what the shared ``limits`` (row to moves) allow together."""
    offers = [
        [Offer(placed=dict(p.placed), moves=p.moves, spends=spends(unit.instance, p.local), worth=p.worth) for p in some]
        for unit, some in zip(blocks, points, strict=True)
    ]
    asked = Counter(row for block in offers for row in {row for offer in block for row in offer.spends})
    return divide(offers, {row: limits[row] for row, count in asked.items() if count > 1 and row in limits}, ratio)


def sequenced(
    blocks: Sequence[Unit], points: Sequence[Sequence[Point]], chosen: Sequence[int], clusters: Iterable[str]
) -> dict[str, list[Move]]:
    """For each of some clusters the steps of its blocks' chosen points, one block after the other, in the problem's indices."""
    steps: dict[str, list[Move]] = {cluster: [] for cluster in clusters}
    for unit, some, at in zip(blocks, points, chosen, strict=True):
        if unit.instance.cluster in steps:
            steps[unit.instance.cluster] += to_steps(unit.instance, some[at].sequence)
    return steps


def barred_from(instance: Instance, forbidden: set[tuple[int, int]]) -> Instance:
    """Without the arrivals that are known to fail."""
    if not forbidden:
        return instance
    classes, nodes = ({int(x): i for i, x in enumerate(some)} for some in (instance.classes, instance.nodes))
    reach = instance.reach.copy()
    for c, n in forbidden:
        if c in classes and n in nodes:
            reach[classes[c], nodes[n]] = False
    return replace(instance, reach=reach)
