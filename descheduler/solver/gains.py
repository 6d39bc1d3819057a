"""What the room of nodes is worth by itself, where a policy ranks Headroom or EmptyNodes above Disruption: as arrays.

Every value is of one node: so many thousandths for each whole pod of a shape that its free room takes. An emptied node is one
slot of a shape of its own, all it has less what DaemonSet and static pods ask for (reference/solver.md 4.5); since every pod
takes one of a node's ``pods``, that slot is there exactly when nobody else is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from descheduler.domain.moment import snapshot_spots
from descheduler.domain.problem import Problem
from descheduler.domain.resources import Resources
from descheduler.rules.objectives.empty_nodes import lodges, node_prices
from descheduler.rules.objectives.headroom import node_values
from descheduler.solver.arrays import Instance, Ints, Local

ANY = np.iinfo(np.int64).max
SCALE = 1000
"""Weights, prices and the floor are counted in thousandths."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gains:
    """Shapes: V values, S shapes, R resources of the instance. A state's worth is a vector with one number for each objective."""

    goals: int
    """Objectives that come before Disruption, in the policy's order."""
    floor: int
    """Thousandths that each move must bring, of every objective."""
    shapes: Ints
    """[S, R] amounts in base units."""
    node: Ints
    """[V] local node, ascending."""
    shape: Ints
    goal: Ints
    weight: Ints
    """[V] thousandths a slot."""
    most: Ints
    """[V] slots that the node has when everyone has left who may."""

    def on(self, instance: Instance, block: Instance) -> Gains:
        """The part that speaks of a block of the instance's nodes, in the block's indices."""
        where = {int(n): i for i, n in enumerate(block.nodes)}
        local = np.array([where.get(int(n), -1) for n in instance.nodes], dtype=np.int64)[self.node]
        order = np.flatnonzero(local >= 0)
        order = order[np.argsort(local[order], kind="stable")]
        return replace(
            self,
            node=local[order],
            shape=self.shape[order],
            goal=self.goal[order],
            weight=self.weight[order],
            most=self.most[order],
        )


def worth(gains: Gains, instance: Instance, local: Local) -> tuple[int, ...]:
    """What the nodes are worth after a placement, less the floor for every move, by objective; thousandths."""
    room = instance.room.copy()
    for (c, n), count in local.departures.items():
        room[n] += count * instance.asks[c]
    for (c, n), count in local.arrivals.items():
        room[n] -= count * instance.asks[c]
    asks = gains.shapes[gains.shape]
    fitting = np.where(asks > 0, room[gains.node] // np.maximum(asks, 1), ANY).min(axis=1, initial=ANY)
    slots = np.clip(fitting, 0, gains.most)
    total = np.zeros(gains.goals, dtype=np.int64)
    np.add.at(total, gains.goal, slots * gains.weight)
    return tuple((total - gains.floor * local.moves).tolist())


Value = tuple[int, Resources, int, int, int]
"""(node, shape, objective, thousandths a slot, most slots as far as other resources tell)."""


def gains_of(problem: Problem, instance: Instance) -> Gains:
    """The values of an instance of a whole cluster."""
    where = {int(n): i for i, n in enumerate(instance.nodes)}
    leaving = instance.there.astype(np.int64) * np.asarray(instance.reach.any(axis=1)).reshape(-1, 1)
    given = instance.room + np.asarray(leaving.T @ instance.asks)
    shapes: dict[tuple[int, ...], int] = {}
    found: list[tuple[int, int, int, int, int]] = []
    for node, requests, goal, weight, cap in _values(problem, where, frozenset(instance.resources)):
        asks = tuple(requests[r] for r in instance.resources)
        counted = [(r, ask) for r, ask in enumerate(asks) if ask > 0]
        most = min([cap, *(int(given[where[node], r]) // ask for r, ask in counted)])
        if counted and most > 0 and weight:
            found.append((where[node], shapes.setdefault(asks, len(shapes)), goal, weight, most))
    columns = np.array(sorted(found), dtype=np.int64).reshape(len(found), 5).T
    return Gains(
        goals=len(problem.terms.earning),
        floor=round(problem.terms.floor * SCALE),
        shapes=np.array(list(shapes), dtype=np.int64).reshape(len(shapes), len(instance.resources)),
        node=columns[0],
        shape=columns[1],
        goal=columns[2],
        weight=columns[3],
        most=columns[4],
    )


def _values(problem: Problem, where: Mapping[int, int], listed: frozenset[str]) -> Iterator[Value]:
    for goal, name in enumerate(problem.terms.earning):
        yield from (_headroom if name == "Headroom" else _empty_nodes)(problem, where, goal, listed)


def _headroom(problem: Problem, where: Mapping[int, int], goal: int, listed: frozenset[str]) -> Iterator[Value]:
    for row in problem.once(node_values):
        if row.node in where:
            requests = problem.terms.shapes[row.shape].requests
            cap = _fixed(problem, row.node, requests, listed)
            yield row.node, requests, goal, round(row.weight * SCALE), cap


def _fixed(problem: Problem, node: int, requests: Resources, listed: frozenset[str]) -> int:
    """Slots as far as those resources tell of which no pod that may move or be placed asks any."""
    allocatable, used = problem.nodes[node].allocatable, problem.used[node]
    most = min(allocatable[r] // amount for r, amount in requests.items())
    return min([most, *((allocatable[r] - used[r]) // amount for r, amount in requests.items() if r not in listed)])


def _empty_nodes(problem: Problem, where: Mapping[int, int], goal: int, listed: frozenset[str]) -> Iterator[Value]:
    staying = problem.once(_staying)
    for row in problem.once(node_prices):
        if row.node in where:
            left = {r: problem.nodes[row.node].allocatable[r] - staying.get(row.node, {}).get(r, 0) for r in sorted(listed)}
            yield row.node, Resources({r: amount for r, amount in left.items() if amount > 0}), goal, round(row.price * SCALE), 1


def _staying(problem: Problem) -> dict[int, dict[str, int]]:
    """Node to what pods of DaemonSets and static ones ask for there."""
    found: dict[int, dict[str, int]] = {}
    for (c, node), count in snapshot_spots(problem).items():
        if not lodges(problem, c):
            problem.classes[c].requests.add_to(found.setdefault(node, {}), count)
    return found
