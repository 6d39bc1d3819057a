"""The bound for large fleets: waiting pods on nodes, departures exact, arrivals of moved pods liquid (solver.md 3i).

A linear relaxation of every plan whatsoever: moved pods come as a volume that may be split over all nodes that their kind
may reach, joint rows are dropped but for how many pods of a class one node takes. Demand is rounded down and supply up, so a
floating-point optimum is a bound. Priorities in sequence, the higher ones held at what a realised plan places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from ortools.math_opt import model_pb2
from ortools.math_opt.python import mathopt

from descheduler.domain.resources import PODS
from descheduler.domain.rows import AtMost
from descheduler.solver.arrays import Bools, Instance, Ints

SLACK = 1e-6
"""Relative to supply (DESIGN.md section 4): no value of a floating-point solver becomes a bound without it."""
MERGE = 0.85
"""A set of destinations is taken for a larger one of which it is at least this share; that only loosens the bound."""


class _Program:
    """Columns and rows being collected; everything is kept in lists of numbers."""

    def __init__(self) -> None:
        self.upper: list[float] = []
        self.row_upper: list[float] = []
        self.cells: list[tuple[int, int, float]] = []
        """(row, column, coefficient)."""
        self.goals: dict[int, list[int]] = {}
        """Priority to its columns."""

    def columns(self, uppers: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
        first = len(self.upper)
        self.upper.extend(uppers.tolist())
        return np.arange(first, len(self.upper))

    def row(self, upper: float) -> int:
        self.row_upper.append(upper)
        return len(self.row_upper) - 1

    def put(self, row: int, columns: Sequence[int] | npt.NDArray[np.int64], factors: Sequence[float] | npt.NDArray[np.float64]) -> None:
        self.cells.extend((row, int(c), float(f)) for c, f in zip(columns, factors, strict=True) if f)


@dataclass(frozen=True, slots=True)
class _Shared:
    budgets: dict[int, list[int]]
    """Row of the problem to the departures counted in it."""
    limits: dict[int, int]
    departures: list[int]
    placements: list[int]


def _unit(instance: Instance) -> npt.NDArray[np.float64]:
    """Amounts are counted in about a thousandth of the largest node."""
    largest = np.maximum(np.abs(instance.room).max(axis=0, initial=1), instance.asks.max(axis=0, initial=1))
    return np.asarray(largest / 1000)


def _merged(reach: Bools) -> list[int]:
    """For each class the class whose destinations stand for its own: the same or a somewhat larger set."""
    order = sorted(range(len(reach)), key=lambda c: (-int(reach[c].sum()), c))
    leaders: list[int] = []
    known: dict[bytes, int] = {}
    found = [0] * len(reach)
    for c in order:
        mask = reach[c].tobytes()
        if mask not in known:
            size = int(reach[c].sum())
            above = (leader for leader in reversed(leaders) if not (reach[c] & ~reach[leader]).any())
            leader = next((leader for leader in above if size >= MERGE * int(reach[leader].sum())), None)
            if leader is None:
                leaders.append(c)
                leader = c
            known[mask] = leader
        found[c] = known[mask]
    return found


def _add(program: _Program, instance: Instance, shared: _Shared) -> None:
    """One cluster's columns and rows."""
    unit = _unit(instance)
    counted = [r for r, name in enumerate(instance.resources) if name != PODS]
    asks = instance.asks / unit
    room = instance.room.clip(min=0) / unit
    capacity = [[program.row(room[n, r] * (1 + SLACK) + SLACK) for r in counted] for n in range(len(instance.nodes))]
    _waiting(program, instance, shared, asks, capacity, counted)
    _liquid(program, instance, shared, asks, capacity, counted)


def _waiting(
    program: _Program, instance: Instance, shared: _Shared, asks: npt.NDArray[np.float64], capacity: list[list[int]], counted: list[int]
) -> None:
    groups: dict[tuple[int, bytes, bytes, int], list[int]] = {}
    for c in np.flatnonzero(instance.waiting).tolist():
        alone = min((instance.joints[j].limit for j in instance.joints_of[c] if _one_node(instance, j, c)), default=-1)
        key = (int(instance.priority[c]), instance.asks[c].tobytes(), instance.reach[c].tobytes(), alone if alone < 0 else c)
        groups.setdefault(key, []).append(c)
    for (priority, _, _, alone), members in groups.items():
        c, pods = members[0], int(instance.pods[members].sum())
        nodes = np.flatnonzero(instance.reach[c])
        most = pods if alone < 0 else min(instance.joints[j].limit for j in instance.joints_of[c] if _one_node(instance, j, c))
        columns = program.columns(np.full(len(nodes), float(min(pods, most))))
        program.goals.setdefault(priority, []).extend(columns.tolist())
        shared.placements.extend(columns.tolist())
        program.put(program.row(float(pods)), columns, np.ones(len(columns)))
        for n, column in zip(nodes.tolist(), columns.tolist(), strict=True):
            for at, r in enumerate(counted):
                if asks[c, r]:
                    program.cells.append((capacity[n][at], column, float(asks[c, r])))


def _one_node(instance: Instance, j: int, c: int) -> bool:
    joint = instance.joints[j]
    return joint.kind is AtMost and c in joint.one


def _liquid(
    program: _Program, instance: Instance, shared: _Shared, asks: npt.NDArray[np.float64], capacity: list[list[int]], counted: list[int]
) -> None:
    leader = _merged(instance.reach)
    movers, homes = np.nonzero(instance.there)
    keep = instance.reach[movers].any(axis=1)
    movers, homes = movers[keep], homes[keep]
    columns = program.columns(instance.there[movers, homes].astype(np.float64))
    shared.departures.extend(columns.tolist())
    kinds = sorted({leader[c] for c in movers.tolist()})
    flow = {e: [program.row(0.0) for _ in counted] for e in kinds}
    for c, n, column in zip(movers.tolist(), homes.tolist(), columns.tolist(), strict=True):
        for at, r in enumerate(counted):
            if asks[c, r]:
                program.cells.append((capacity[n][at], column, -float(asks[c, r])))
                program.cells.append((flow[leader[c]][at], column, float(asks[c, r]) * (1 - SLACK)))
    for e in kinds:
        nodes = np.flatnonzero(instance.reach[e])
        for at, _ in enumerate(counted):
            volume = program.columns(np.full(len(nodes), np.inf))
            program.put(flow[e][at], volume, np.full(len(nodes), -1.0))
            for n, column in zip(nodes.tolist(), volume.tolist(), strict=True):
                program.cells.append((capacity[n][at], column, 1.0))
    _budgets(instance, shared, movers, homes, columns)


def _budgets(instance: Instance, shared: _Shared, movers: Ints, homes: Ints, columns: npt.NDArray[np.int64]) -> None:
    of_class: dict[int, list[tuple[int, int]]] = {}
    for c, n, column in zip(movers.tolist(), homes.tolist(), columns.tolist(), strict=True):
        of_class.setdefault(c, []).append((n, column))
    for budget in instance.budgets:
        places = None if budget.nodes is None else frozenset(budget.nodes.tolist())
        some = [column for c in budget.members.tolist() for n, column in of_class.get(c, ()) if places is None or n in places]
        shared.budgets.setdefault(budget.row, []).extend(some)
        shared.limits[budget.row] = budget.limit


def _proto(program: _Program) -> model_pb2.ModelProto:
    proto = model_pb2.ModelProto()
    count = len(program.upper)
    proto.variables.ids.extend(range(count))
    proto.variables.lower_bounds.extend([0.0] * count)
    proto.variables.upper_bounds.extend(program.upper)
    proto.variables.integers.extend([False] * count)
    rows = len(program.row_upper)
    proto.linear_constraints.ids.extend(range(rows))
    proto.linear_constraints.lower_bounds.extend([-np.inf] * rows)
    proto.linear_constraints.upper_bounds.extend(program.row_upper)
    cells = np.array([(r, c) for r, c, _ in program.cells], dtype=np.int64).reshape(-1, 2)
    values = np.array([v for *_, v in program.cells])
    order = np.lexsort((cells[:, 1], cells[:, 0]))
    proto.linear_constraint_matrix.row_ids.extend(cells[order, 0].tolist())
    proto.linear_constraint_matrix.column_ids.extend(cells[order, 1].tolist())
    proto.linear_constraint_matrix.coefficients.extend(values[order].tolist())
    return proto


def bounds(instances: Sequence[Instance], reached: Mapping[int, int]) -> dict[int, int]:
    """Priority to the most pods any plan places while all higher priorities keep at least what ``reached`` says.

    A priority is missing when its program could not be solved.
    """
    program, shared = _Program(), _Shared({}, {}, [], [])
    for instance in instances:
        _add(program, instance, shared)
    for row, columns in sorted(shared.budgets.items()):
        program.put(program.row(float(shared.limits[row])), columns, np.ones(len(columns)))
    ratio = next((i.ratio for i in instances if i.ratio is not None), None)
    if ratio is not None:
        row = program.row(0.0)
        program.put(row, shared.departures, np.ones(len(shared.departures)))
        program.put(row, shared.placements, np.full(len(shared.placements), -float(ratio)))
    return _solved(program, reached)


def _proven(result: mathopt.SolveResult) -> float:
    """The larger of the two values that should be one."""
    told = result.termination.objective_bounds
    return float(max(told.primal_bound, told.dual_bound))


def _solved(program: _Program, reached: Mapping[int, int]) -> dict[int, int]:
    model = mathopt.Model.from_model_proto(_proto(program))
    variables = {v.id: v for v in model.variables()}
    solver = mathopt.IncrementalSolver(model, mathopt.SolverType.GLOP)
    found: dict[int, int] = {}
    parameters = mathopt.SolveParameters(threads=1)
    for priority in sorted(program.goals, reverse=True):
        goal = mathopt.fast_sum([variables[i] for i in program.goals[priority]])
        model.maximize(goal)
        result = solver.solve(params=parameters)
        if result.termination.reason is mathopt.TerminationReason.OPTIMAL:
            found[priority] = int(np.floor(_proven(result) + 1e-5))
        model.add_linear_constraint(goal >= reached.get(priority, 0) * (1 - SLACK) - SLACK)
    return found
