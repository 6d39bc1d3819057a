"""Bounds for large fleets: one cluster's relaxation level by level, what clusters can do in exchange, and all of them together.

Counts of pods are integers, so every optimum of a cluster is rounded down before it is held or added up: most of what integers
bring a whole-fleet programme comes from that alone. Only where a cluster's rounded optimum is above what a plan places there are
waiting pods made integers, with a limit of nodes, not of time. Every number here is a dual bound: what a solver that was stopped
has found is never taken for one (solver.md 4.3, 5).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from ortools.math_opt.python import mathopt

from descheduler.solver.arrays import Instance
from descheduler.solver.liquid import SLACK, Program, program

MIP_NODES = 20
"""Nodes of branch and bound for one level of one cluster; most of what they bring comes at the root."""
JOINT_NODES = 20
"""The same for all clusters together."""
EXCHANGES = (1, 2, 3)
"""How many pods of one priority a pod of a higher one is weighed against."""
ROUNDING = 1e-5
"""A count that a floating-point solver puts this little below a whole number is that number."""
MOST_COLUMNS = 120_000
"""Beyond so many columns clusters are not put into one programme."""
MOST_WHOLE_COLUMNS = 12_000
"""The same where waiting pods are integers."""

Counts = Mapping[int, int]
"""Priority to a number of pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """No plan places more of one cluster's pods, weighted by priority, than ``limit``, while it holds what is settled."""

    weights: tuple[tuple[int, int], ...]
    limit: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What was proven in time."""

    bounds: dict[int, int] = field(default_factory=dict)
    """Priority to the most pods."""
    cuts: tuple[Cut, ...] = ()
    cut_short: bool = False
    """The clock ended it."""


class _Levels:
    """A programme that is asked for one weighted count after another, while others are held."""

    def __init__(self, told: Program, deadline: float | None, whole: bool = False, nodes: int = MIP_NODES) -> None:
        self.program, self.deadline, self.whole, self.nodes = told, deadline, whole, nodes
        self.late = False
        self._model = mathopt.Model.from_model_proto(told.proto())
        self._variables = {v.id: v for v in self._model.variables()}
        self._solver = mathopt.IncrementalSolver(self._model, mathopt.SolverType.GSCIP if whole else mathopt.SolverType.GLOP)

    def count(self, weights: Sequence[tuple[int, int]], part: int | None = None) -> mathopt.LinearSum:
        """Pods of some priorities, each with its weight."""
        return mathopt.fast_sum(
            [weight * self._variables[column] for priority, weight in weights for column in self.program.goal(priority, part).tolist()]
        )

    def hold(self, priority: int, least: int) -> None:
        """Nothing below ``least`` pods of a priority is of interest any more."""
        if least > 0:
            self._model.add_linear_constraint(self.count(((priority, 1),)) >= least * (1 - SLACK) - SLACK)

    def cut(self, part: int, told: Cut) -> None:
        """What a cluster cannot do."""
        self._model.add_linear_constraint(self.count(told.weights, part) <= told.limit + SLACK)

    def most(self, weights: Sequence[tuple[int, int]]) -> int | None:
        """The most there can be, rounded down; ``None`` when that could not be found out."""
        self._model.maximize(self.count(weights))
        result = self._solved()
        if result is None:
            return None
        told = result.termination.objective_bounds
        if self.whole:  # a limit of nodes leaves a valid bound behind, if any
            value = told.dual_bound
        elif result.termination.reason is mathopt.TerminationReason.OPTIMAL:
            value = max(told.primal_bound, told.dual_bound)
        else:
            return None
        return int(np.floor(value + ROUNDING)) if np.isfinite(value) else None

    def _solved(self) -> mathopt.SolveResult | None:
        left = None if self.deadline is None else self.deadline - time.monotonic()
        if left is not None and left <= 0:
            self.late = True
            return None
        limit = None if left is None else timedelta(seconds=left)
        nodes = self.nodes if self.whole else None
        result = self._solver.solve(params=mathopt.SolveParameters(threads=1, time_limit=limit, node_limit=nodes))
        if not self.whole and result.termination.reason is mathopt.TerminationReason.IMPRECISE:
            result = mathopt.solve(self._model, mathopt.SolverType.HIGHS, params=mathopt.SolveParameters(time_limit=limit))
        self.late |= result.termination.limit is mathopt.Limit.TIME
        return result


def _until(seconds: float | None) -> float | None:
    return None if seconds is None else time.monotonic() + seconds


def bounds(instance: Instance, reached: Counts, seconds: float | None = None, *, onward: bool = False) -> Proof:
    """Priority to the most pods that any plan places in one cluster, or one block, while it keeps of all higher ones what it has reached.

    A level that stays open ends it, for what is below is a matter of exchange; ``onward`` goes on with what has been reached.
    """
    levels = _Levels(program([instance]), _until(seconds))
    small = sum(len(levels.program.goal(priority)) for priority in levels.program.priorities) <= MOST_WHOLE_COLUMNS
    found: dict[int, int] = {}
    whole: _Levels | None = None
    for priority in levels.program.priorities:
        most, least = levels.most(((priority, 1),)), reached.get(priority, 0)
        if most is not None and most > least and small:
            whole = whole or _whole(instance, found, reached, levels.deadline)
            integral = whole.most(((priority, 1),))
            most = most if integral is None else min(most, integral)
        if most is not None:
            found[priority] = most
        if not onward and (most is None or most > least):
            break
        levels.hold(priority, least)
        if whole is not None:
            whole.hold(priority, least)
    return Proof(bounds=found, cut_short=levels.late or (whole is not None and whole.late))


def _whole(instance: Instance, settled: Counts, reached: Counts, deadline: float | None) -> _Levels:
    levels = _Levels(program([instance], whole=True), deadline, whole=True)
    for priority in settled:
        levels.hold(priority, reached.get(priority, 0))
    return levels


def exchanges(instance: Instance, settled: Counts, open_: Sequence[int], seconds: float | None = None) -> Proof:
    """What one cluster can have of the ``open_`` priorities, highest first, at most: of each, and of each weighed against those above.

    ``settled`` priorities are held at their counts.
    """
    levels = _Levels(program([instance]), _until(seconds))
    for priority, least in settled.items():
        levels.hold(priority, least)
    here = [p for p in open_ if p in levels.program.priorities]
    cuts = [Cut(weights=((p, 1),), limit=0) for p in open_ if p not in here]
    for at, priority in enumerate(here):
        for weight in (0, *EXCHANGES) if at else (0,):
            weights = (*((p, weight) for p in here[:at] if weight), (priority, 1))
            most = levels.most(weights)
            if most is not None:
                cuts.append(Cut(weights=weights, limit=most))
    return Proof(cuts=tuple(cuts), cut_short=levels.late)


def exchanged(cuts: Sequence[Sequence[Cut]], open_: Sequence[int], reached: Counts) -> dict[int, int]:
    """Priority to the most pods of all clusters together that their cuts allow, while of those above it as many as ``reached`` stay."""
    model = mathopt.Model()
    counts = [{p: model.add_integer_variable(lb=0) for p in open_} for _ in cuts]
    for variables, told in zip(counts, cuts, strict=True):
        for cut in told:
            model.add_linear_constraint(mathopt.fast_sum([w * variables[p] for p, w in cut.weights]) <= cut.limit)
    found: dict[int, int] = {}
    for priority in open_:
        if not all(any(cut.weights == ((priority, 1),) for cut in told) for told in cuts):
            continue  # somewhere nothing is known
        whole = mathopt.fast_sum([variables[priority] for variables in counts])
        model.maximize(whole)
        parameters = mathopt.SolveParameters(threads=1, node_limit=1000)
        value = mathopt.solve(model, mathopt.SolverType.GSCIP, params=parameters).termination.objective_bounds.dual_bound
        if np.isfinite(value):
            found[priority] = int(np.floor(value + ROUNDING))
        model.add_linear_constraint(whole >= reached.get(priority, 0))
    return found


def together(
    instances: Sequence[Instance],
    cuts: Sequence[Sequence[Cut]],
    reached: Counts,
    open_: Sequence[int],
    ratio: int | None = None,
    seconds: float | None = None,
) -> Proof:
    """``open_`` priority to the most pods that any plan of all clusters places while of all higher ones as many as ``reached`` stay.

    This alone knows what clusters share. Nothing where they are too many for one programme.
    """
    told = program(instances, ratio=ratio)
    if told.columns > MOST_COLUMNS:
        return Proof()
    deadline = _until(seconds)
    levels = [_Levels(told, deadline)]
    if told.columns <= MOST_WHOLE_COLUMNS:
        levels.append(_Levels(program(instances, whole=True, ratio=ratio), deadline, whole=True, nodes=JOINT_NODES))
    for some in levels:
        for part, known in enumerate(cuts):
            for cut in known:
                some.cut(part, cut)
    found: dict[int, int] = {}
    for priority in told.priorities:
        if priority in open_:
            answers = [some.most(((priority, 1),)) for some in levels]
            least = min((most for most in answers if most is not None), default=None)
            if least is not None:
                found[priority] = least
        for some in levels:
            some.hold(priority, reached.get(priority, 0))
    return Proof(bounds=found, cut_short=any(some.late for some in levels))
