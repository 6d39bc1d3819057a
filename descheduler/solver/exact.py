"""CP-SAT on the whole model, level by level: exact where the fleet is small, anytime where it is not.

One worker, a fixed seed and limits in deterministic time, so that equal searches end alike on any number of cores.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import replace

from ortools.sat.python import cp_model

from descheduler.domain.placement import Placement, Route
from descheduler.domain.problem import Problem
from descheduler.errors import InternalError
from descheduler.solver.levels import EARNINGS, LEVELS, Level, waiting
from descheduler.solver.model import Model
from descheduler.solver.solution import LevelResult, Search, Solution
from descheduler.solver.stopping import solved

DETERMINISTIC_SECONDS = {"PendingPods": 24.0, "Disruption": 12.0, "Headroom": 4.0, "EmptyNodes": 4.0}
"""CP-SAT's counted effort for one level at effort 1."""
TIE_BREAK_SECONDS = 2.0


class Contradiction(Exception):
    """A level found infeasible what a higher one had found: a bug of ours. What was found so far is kept, the rest skipped."""


class _Listener(cp_model.CpSolverSolutionCallback):
    """Passes on every better assignment of a level."""

    def __init__(self, level: Level, heard: Callable[[LevelResult], None]) -> None:
        super().__init__()
        self._level, self._heard = level, heard

    def on_solution_callback(self) -> None:
        level = self._level
        bound = level.rounded(self.best_objective_bound)
        self._heard(LevelResult(name=level.name, key=level.key, value=self.objective_value / level.scale, bound=bound))


class _Ladder:
    """Solves one level after another on one model and keeps the best assignment as the next hint."""

    def __init__(self, model: Model) -> None:
        self.model = model
        self.search = model.search
        self.values: list[int] | None = None
        self.results: list[LevelResult] = []
        self.reproducible = True
        self.reached = Counter[int]()
        for cluster, priority, placed in model.search.reached:
            if model.search.clusters is None or cluster in model.search.clusters:
                self.reached[priority] += placed
        self.ceilings = {(name, key): bound for name, key, bound in model.search.ceilings}
        self.on_par = True
        """Whether all levels so far reached their ceilings: only then do those of lower levels hold."""
        self.doubt = ""
        self._start_from(model.search.hint)

    def _solver(self, level: Level, tie_break: bool) -> cp_model.CpSolver:
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.random_seed = self.search.seed
        allowed = TIE_BREAK_SECONDS if tie_break else DETERMINISTIC_SECONDS[level.name]
        solver.parameters.max_deterministic_time = allowed * self.search.effort
        if self.search.deadline is not None:
            solver.parameters.max_time_in_seconds = max(0.01, self.search.deadline - time.monotonic())
        return solver

    def climb(self, level: Level, tie_break: bool = False, keep: bool = True) -> LevelResult:
        """Make the level's goal as good as can be found and (unless ``keep`` is false) hold it from now on."""
        cp = self.model.cp
        self._hint()
        if level.goal.fixed:
            fixed = level.goal.constant / level.scale
            result = LevelResult(name=level.name, key=level.key, value=fixed, bound=fixed)
            self.results.append(result)
            return result
        ceiling = self.ceilings.get((level.name, level.key)) if self.on_par else None
        if ceiling is not None:
            limit = round(ceiling * level.scale)
            cp.add(level.goal.expression() <= limit if level.sign > 0 else level.goal.expression() >= limit)
        (cp.maximize if level.sign > 0 else cp.minimize)(level.goal.expression())
        solver = self._solver(level, tie_break)
        status = cp_model.UNKNOWN if self.search.stop() else solved(solver, cp, self.search.stop, self._listener(level))
        if status == cp_model.MODEL_INVALID:
            raise InternalError(f"level {level.name} {level.key}: {cp.validate()}")
        if status == cp_model.INFEASIBLE:
            self.doubt = f"level {level.name} {level.key}: the model does not even allow the plan that was found before"
            raise Contradiction
        if status != cp_model.OPTIMAL:
            self.reproducible &= not self.search.stop()
            self.reproducible &= self.search.deadline is None or time.monotonic() < self.search.deadline
        found = status in (cp_model.OPTIMAL, cp_model.FEASIBLE)
        if found:
            self.values = list(solver.response_proto.solution)
        value = round(solver.objective_value) if found else self._value(level)
        told = found and abs(solver.best_objective_bound) < 1e15  # a search that was hardly begun reports 0
        bound = level.rounded(solver.best_objective_bound) if told else None
        result = LevelResult(name=level.name, key=level.key, value=value / level.scale, bound=bound)
        self.results.append(result)
        self.on_par &= ceiling is not None and abs(result.value - ceiling) < 1e-6
        if keep:
            hold = self.held(level, result.value)
            cp.add(level.goal.expression() >= hold if level.sign > 0 else level.goal.expression() <= hold)
        return result

    def _listener(self, level: Level) -> _Listener | None:
        return None if self.search.heard is None else _Listener(level, self.search.heard)

    def held(self, level: Level, value: float) -> int:
        """What later levels must keep of this one: what was found, or what a realised plan reached."""
        if self.search.reached and isinstance(level.key, int):
            return self.reached[level.key]
        return round(value * level.scale)

    def _start_from(self, route: Route | None) -> None:
        """The first hint: a known route, its waiting pods in the last wave."""
        if route is None:
            return
        model, classes = self.model, self.model.problem.classes
        self.values = [0] * len(model.cp.proto.variables)
        known: list[cp_model.IntVar | None] = []
        for s in route.shifts:
            wave = min(s.wave, model.move_waves(classes[s.pod_class].cluster).stop) - 1
            known += [model.departures.get((s.pod_class, s.source, wave)), model.arrivals.get((s.pod_class, s.target, wave))]
        known += [model.arrivals.get((b.pod_class, b.target, model.last(classes[b.pod_class].cluster))) for b in route.binds]
        for variable in known:
            if variable is not None:
                self.values[variable.index] += 1

    def _value(self, level: Level) -> int:
        known = self.values or []
        return level.goal.constant + sum(f * (known[i] if i < len(known) else 0) for i, f in level.goal.factors.items())

    def _hint(self) -> None:
        """The last assignment, or the plan that does nothing."""
        cp = self.model.cp
        cp.clear_hints()  # type: ignore[no-untyped-call]  # OR-Tools ships no type for it
        known = self.values or []
        for index in range(len(cp.proto.variables)):
            variable = cp.get_int_var_from_proto_index(index)
            cp.add_hint(variable, known[index] if index < len(known) else 0)


def solve(problem: Problem, search: Search) -> Solution:
    """The best placement found, in the policy's order of objectives, with a bound for every level.

    Raises:
        InternalError: the model is invalid; nothing was decided.
    """
    ladder = _Ladder(Model(problem, search))
    with suppress(Contradiction):  # the doubt is told in the solution
        ladder = _climbed(problem, search, ladder)
    return _solution(ladder)


def _climbed(problem: Problem, search: Search, ladder: _Ladder) -> _Ladder:
    """All levels of the policy's objectives, in order."""
    needed: int | None = None
    for name in problem.terms.objectives:
        if name in problem.terms.earning:
            if needed is None:
                ladder, needed = _earning(problem, search, ladder)
            _climb_all(ladder, EARNINGS[name](ladder.model, needed))
        elif name in EARNINGS and not search.quick:
            _climb_all(ladder, EARNINGS[name](ladder.model, None))
        elif name in LEVELS:
            _climb_all(ladder, LEVELS[name](ladder.model))
            if name == "Disruption" and not search.quick:
                _climb_all(ladder, waiting(ladder.model), tie_break=True)
    return ladder


def _climb_all(ladder: _Ladder, levels: Iterable[Level], tie_break: bool = False) -> None:
    for level in levels:
        if level.key == "cost" and ladder.search.quick:
            continue
        ladder.climb(level, tie_break or level.key == "cost")


def _earning(problem: Problem, search: Search, first: _Ladder) -> tuple[_Ladder, int]:
    """How many moves the waiting pods need, and a model without the ratio row, in which more of them may be made."""
    needed = first.climb(next(iter(LEVELS["Disruption"](first.model))), keep=False)
    first.results.pop()
    second = _Ladder(Model(problem, search, ratio=False))
    first.results.append(replace(needed, key="needed"))
    second.results, second.reproducible = first.results, first.reproducible
    second.values = (first.values or [])[: len(second.model.cp.proto.variables)]
    for level in LEVELS["PendingPods"](second.model):
        value = next(r.value for r in first.results if (r.name, r.key) == (level.name, level.key))
        if not level.goal.fixed:
            second.model.cp.add(level.goal.expression() >= first.held(level, value))
    return second, round(needed.value)


def _solution(ladder: _Ladder) -> Solution:
    """What the best assignment amounts to; a class that leaves and comes back to one node has not moved."""
    values = ladder.values or [0] * len(ladder.model.cp.proto.variables)
    leaving: dict[tuple[int, int], int] = {}
    coming: dict[tuple[int, int], int] = {}
    for (c, n, _), variable in ladder.model.departures.items():
        leaving[c, n] = leaving.get((c, n), 0) + values[variable.index]
    for (c, n, _), variable in ladder.model.arrivals.items():
        coming[c, n] = coming.get((c, n), 0) + values[variable.index]
    return Solution(placement=_netted(leaving, coming), levels=tuple(ladder.results), reproducible=ladder.reproducible, doubt=ladder.doubt)


def _netted(leaving: dict[tuple[int, int], int], coming: dict[tuple[int, int], int]) -> Placement:
    both = {key: min(leaving[key], coming[key]) for key in leaving.keys() & coming.keys()}
    return Placement(
        departures={key: rest for key, k in leaving.items() if (rest := k - both.get(key, 0))},
        arrivals={key: rest for key, k in coming.items() if (rest := k - both.get(key, 0))},
    )
