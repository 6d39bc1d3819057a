"""The relaxation behind the bounds of large fleets: waiting pods on nodes, departures exact, arrivals of moved pods liquid (solver.md 3i).

A relaxation of every plan whatsoever: moved pods come as a volume that may be split over all nodes that their kind may reach,
joint rows are dropped but for how many pods of a class one node takes. Demand is rounded down and supply up, so a
floating-point optimum is a bound. The programme is a struct of arrays; it becomes a model of MathOpt at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from ortools.math_opt import model_pb2

from descheduler.domain.resources import PODS
from descheduler.domain.rows import AtMost
from descheduler.solver.arrays import Bools, Instance, Ints

Floats = npt.NDArray[np.float64]
NOTHING = np.zeros(0, dtype=np.int64)

SLACK = 1e-6
"""Relative to supply (DESIGN.md section 4): no value of a floating-point solver becomes a bound without it."""
MERGE = 0.85
"""A set of destinations is taken for a larger one of which it is at least this share; that only loosens the bound."""


@dataclass(slots=True)
class Program:
    """Columns with bounds from 0, rows with an upper bound, and the cells between them, collected array by array."""

    parts: list[dict[int, list[Ints]]] = field(default_factory=list)
    """By cluster: priority to the columns of its waiting pods."""
    columns: int = 0
    rows: int = 0
    _upper: list[Floats] = field(default_factory=list)
    _whole: list[Bools] = field(default_factory=list)
    _limits: list[Floats] = field(default_factory=list)
    _cells: list[tuple[Ints, Ints, Floats]] = field(default_factory=list)
    """(rows, columns, coefficients)."""

    def add_columns(self, upper: Floats, whole: bool = False) -> Ints:
        """Their indices; ``whole`` ones take integers only."""
        first = self.columns
        self.columns += len(upper)
        self._upper.append(upper)
        self._whole.append(np.full(len(upper), whole))
        return np.arange(first, self.columns)

    def add_rows(self, limits: Floats) -> Ints:
        """Their indices."""
        first = self.rows
        self.rows += len(limits)
        self._limits.append(limits)
        return np.arange(first, self.rows)

    def put(self, rows: Ints, columns: Ints, factors: Floats) -> None:
        """Cells, one for each position of the three, which may be broadcast; zeros are left out."""
        rows, columns, factors = np.broadcast_arrays(rows, columns, factors)
        some = factors != 0
        self._cells.append((rows[some], columns[some], factors[some]))

    def goal(self, priority: int, part: int | None = None) -> Ints:
        """The columns that count pods of a priority, in one cluster or in all of them."""
        parts = self.parts if part is None else self.parts[part : part + 1]
        return np.concatenate([NOTHING, *(columns for goals in parts for columns in goals.get(priority, ()))])

    @property
    def priorities(self) -> list[int]:
        """Those of waiting pods, highest first."""
        return sorted(set().union(*self.parts), reverse=True)

    def proto(self) -> model_pb2.ModelProto:
        """The programme as a model, without an objective."""
        proto = model_pb2.ModelProto()
        proto.variables.ids.extend(range(self.columns))
        proto.variables.lower_bounds.extend([0.0] * self.columns)
        proto.variables.upper_bounds.extend(np.concatenate([np.zeros(0), *self._upper]).tolist())
        proto.variables.integers.extend(np.concatenate([np.zeros(0, dtype=np.bool_), *self._whole]).tolist())
        proto.linear_constraints.ids.extend(range(self.rows))
        proto.linear_constraints.lower_bounds.extend([-np.inf] * self.rows)
        proto.linear_constraints.upper_bounds.extend(np.concatenate([np.zeros(0), *self._limits]).tolist())
        rows, columns, factors = (np.concatenate(part) for part in zip((NOTHING, NOTHING, np.zeros(0)), *self._cells, strict=True))
        order = np.lexsort((columns, rows))
        proto.linear_constraint_matrix.row_ids.extend(rows[order].tolist())
        proto.linear_constraint_matrix.column_ids.extend(columns[order].tolist())
        proto.linear_constraint_matrix.coefficients.extend(factors[order].tolist())
        return proto


@dataclass(slots=True)
class _Shared:
    """What clusters spend together."""

    budgets: dict[int, list[Ints]] = field(default_factory=dict)
    """Row of the problem to the departures counted in it."""
    limits: dict[int, int] = field(default_factory=dict)
    departures: list[Ints] = field(default_factory=list)
    placements: list[Ints] = field(default_factory=list)


def program(instances: Sequence[Instance], whole: bool = False, ratio: int | None = None) -> Program:
    """The relaxation of some clusters together; ``whole``: waiting pods are integers.

    ``ratio``: moves per placed pod, which only all clusters of a fleet together are held to.
    """
    found, shared = Program(), _Shared()
    for instance in instances:
        found.parts.append({})
        _add(found, instance, shared, whole)
    for row, columns in sorted(shared.budgets.items()):
        some = np.concatenate(columns)
        found.put(found.add_rows(np.array([float(shared.limits[row])])), some, np.ones(len(some)))
    if ratio is not None:
        earned = found.add_rows(np.zeros(1))
        found.put(earned, np.concatenate([NOTHING, *shared.departures]), np.ones(1))
        found.put(earned, np.concatenate([NOTHING, *shared.placements]), np.full(1, -float(ratio)))
    return found


def _unit(instance: Instance) -> Floats:
    """Amounts are counted in about a thousandth of the largest node."""
    largest = np.maximum(np.abs(instance.room).max(axis=0, initial=1), instance.asks.max(axis=0, initial=1))
    return np.asarray(largest / 1000)


def _merged(reach: Bools) -> Ints:
    """For each class the class whose destinations stand for its own: the same or a somewhat larger set."""
    sizes = reach.sum(axis=1)
    leaders: list[int] = []
    known: dict[bytes, int] = {}
    found = np.zeros(len(reach), dtype=np.int64)
    for c in sorted(range(len(reach)), key=lambda c: (-int(sizes[c]), c)):
        mask = reach[c].tobytes()
        if mask not in known:
            above = (leader for leader in reversed(leaders) if not (reach[c] & ~reach[leader]).any())
            leader = next((leader for leader in above if sizes[c] >= MERGE * sizes[leader]), None)
            if leader is None:
                leaders.append(c)
                leader = c
            known[mask] = leader
        found[c] = known[mask]
    return found


def _add(found: Program, instance: Instance, shared: _Shared, whole: bool) -> None:
    """One cluster's columns and rows."""
    counted = [r for r, name in enumerate(instance.resources) if name != PODS]
    unit = _unit(instance)[counted]
    asks = instance.asks[:, counted] / unit
    room = instance.room[:, counted].clip(min=0) / unit
    capacity = found.add_rows((room * (1 + SLACK) + SLACK).ravel()).reshape(room.shape)
    _waiting(found, instance, shared, asks, capacity, whole)
    _liquid(found, instance, shared, asks, capacity)


def _waiting(found: Program, instance: Instance, shared: _Shared, asks: Floats, capacity: Ints, whole: bool) -> None:
    groups: dict[tuple[int, bytes, bytes, int], list[int]] = {}
    for c in np.flatnonzero(instance.waiting).tolist():
        alone = -1 if _most_of_one_node(instance, c) is None else c
        groups.setdefault((int(instance.priority[c]), instance.asks[c].tobytes(), instance.reach[c].tobytes(), alone), []).append(c)
    for (priority, *_), members in groups.items():
        c, pods = members[0], int(instance.pods[members].sum())
        most = _most_of_one_node(instance, c)
        nodes = np.flatnonzero(instance.reach[c])
        columns = found.add_columns(np.full(len(nodes), float(pods if most is None else min(pods, most))), whole)
        found.parts[-1].setdefault(priority, []).append(columns)
        shared.placements.append(columns)
        found.put(found.add_rows(np.array([float(pods)])), columns, np.ones(1))
        found.put(capacity[nodes], columns[:, None], asks[c][None, :])


def _most_of_one_node(instance: Instance, c: int) -> int | None:
    """How many pods of a class one node takes at most, where a row says so."""
    rows = (instance.joints[j] for j in instance.joints_of[c])
    return min((joint.limit for joint in rows if joint.kind is AtMost and c in joint.one), default=None)


def _liquid(found: Program, instance: Instance, shared: _Shared, asks: Floats, capacity: Ints) -> None:
    movers, homes = np.nonzero(instance.there)
    keep = instance.reach[movers].any(axis=1)
    movers, homes = movers[keep], homes[keep]
    leader = _merged(instance.reach)[movers]
    columns = found.add_columns(instance.there[movers, homes].astype(np.float64))
    shared.departures.append(columns)
    found.put(capacity[homes], columns[:, None], -asks[movers])
    kinds = np.unique(leader)
    flow = found.add_rows(np.zeros(len(kinds) * asks.shape[1])).reshape(len(kinds), asks.shape[1])
    found.put(flow[np.searchsorted(kinds, leader)], columns[:, None], asks[movers] * (1 - SLACK))
    for at, kind in enumerate(kinds.tolist()):
        nodes = np.flatnonzero(instance.reach[kind])
        poured = np.flatnonzero((asks[movers[leader == kind]] > 0).any(axis=0))
        volume = found.add_columns(np.full(len(nodes) * len(poured), np.inf)).reshape(len(nodes), len(poured))
        found.put(flow[at, poured][None, :], volume, np.full((1, 1), -1.0))
        found.put(capacity[nodes][:, poured], volume, np.ones((1, 1)))
    _budgets(instance, shared, movers, homes, columns)


def _budgets(instance: Instance, shared: _Shared, movers: Ints, homes: Ints, columns: Ints) -> None:
    for budget in instance.budgets:
        some = np.isin(movers, budget.members)
        if budget.nodes is not None:
            some &= np.isin(homes, budget.nodes)
        shared.budgets.setdefault(budget.row, []).append(columns[some])
        shared.limits[budget.row] = budget.limit
