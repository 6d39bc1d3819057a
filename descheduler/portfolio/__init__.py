"""The search: calls solver, planner and judge in turn, and publishes only what has been realised and verified.

A placement is solved, ordered into waves, tried against rivals and verified. What could not be realised is forbidden
and solved again, a few times; on a small fleet the model then knows the waves itself. The plan that does nothing is
the first incumbent, so there is always one. Later stages for large fleets join here.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace

from descheduler.domain.placement import Placement, Route, Shift
from descheduler.domain.problem import Problem
from descheduler.planner import order, trim
from descheduler.planner.trim import replay
from descheduler.portfolio.blocks import solve_blocks
from descheduler.portfolio.score import Score, score
from descheduler.rivals import settled
from descheduler.solver.solution import LevelResult, Search, Solution
from descheduler.verify import violations

ROUNDS = 4
TIMED_WAVES = (2, 3, 4)
TIMED_EFFORT = 0.25
TIMED_SIZE = 6000
"""Variables of one wave up to which the model that knows the waves is worth its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgeted:
    """How much work a search may do."""

    effort: float = 1.0
    seed: int = 0
    workers: int = 1
    seconds: float | None = None
    """Wall clock for everything; only an emergency stop."""
    rounds: int = ROUNDS
    """How often what could not be realised is forbidden and solved again; 1 is a quick look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The best realised plan of a search, and what is proven about it."""

    route: Route
    levels: tuple[LevelResult, ...] = ()
    reproducible: bool = True
    rejected: tuple[str, ...] = field(default=())
    """Candidates that the judge refused: bugs of ours, harmless but to be reported."""


class _Rounds:
    def __init__(self, problem: Problem, budgeted: Budgeted) -> None:
        self.problem, self.budgeted = problem, budgeted
        self.started = time.monotonic()
        self.best = Route()
        self.best_score: Score = score(problem, self.best)
        self.forbidden: set[tuple[int, int]] = set()
        self.rejected: list[str] = []
        self.reproducible = True

    def search(self) -> Search:
        left = None if self.budgeted.seconds is None else max(0.05, self.budgeted.seconds - (time.monotonic() - self.started))
        return Search(
            effort=self.budgeted.effort, seed=self.budgeted.seed, deadline=left, forbidden=frozenset(self.forbidden)
        )

    def over(self) -> bool:
        return self.budgeted.seconds is not None and time.monotonic() - self.started > self.budgeted.seconds

    def run(self) -> Found:
        first = solve_blocks(self.problem, self.search(), self.budgeted.workers)
        self.reproducible &= first.reproducible
        if not self._realise(first.placement) and self.budgeted.rounds > 1 and not (self._small() and self._timed(first)):
            self._again()
        return Found(
            route=self.best,
            levels=self._proven(first),
            reproducible=self.reproducible and not self.over(),
            rejected=tuple(self.rejected),
        )

    def _small(self) -> bool:
        classes = (*self.problem.movable, *self.problem.placeable)
        return sum(len(c.reach) + len(c.at) for c in classes) <= TIMED_SIZE

    def _timed(self, first: Solution) -> bool:
        """Solve with ever more waves in the model, from the best route so far, until all that can be placed is."""
        ceilings = tuple((r.name, r.key, r.bound) for r in first.levels if r.name == "PendingPods" and isinstance(r.key, int) and r.bound is not None)
        goal = tuple((r.key, round(r.value)) for r in first.levels if r.name == "PendingPods" and isinstance(r.key, int))
        terms = self.problem.terms
        quick = replace(self.problem, terms=replace(terms, objectives=tuple(o for o in terms.objectives if o != "Headroom")))
        for waves in TIMED_WAVES:
            if waves > self.problem.terms.waves or self.over():
                break
            search = replace(self.search(), waves=waves, ceilings=ceilings, hint=self.best, effort=self.budgeted.effort * TIMED_EFFORT)
            solution = solve_blocks(quick, search, self.budgeted.workers)
            self.reproducible &= solution.reproducible
            self._realise(solution.placement)
            if all(dict(self.best_score.placed).get(priority, 0) == value for priority, value in goal if isinstance(priority, int)):
                return True
        return False

    def _again(self) -> None:
        """Solve without what could not be realised, a few times."""
        for _ in range(self.budgeted.rounds - 1):
            if self.over():
                return
            known = len(self.forbidden)
            search = replace(self.search(), effort=self.budgeted.effort * TIMED_EFFORT)
            solution = solve_blocks(self.problem, search, self.budgeted.workers)
            self.reproducible &= solution.reproducible
            if self._realise(solution.placement) or len(self.forbidden) == known:
                return

    def _realise(self, placement: Placement) -> bool:
        """Order, trim, settle with rivals, verify; keep the result if it is the best. Whether all of it could be realised."""
        ordered = order(self.problem, placement)
        for key in ordered.stuck.arrivals:
            self.forbidden.add(key)
        route, robbed = settled(self.problem, trim(self.problem, ordered.route))
        complete = ordered.complete and not robbed
        while robbed:
            self.forbidden.update((s.pod_class, s.target) for s in robbed)
            route, robbed = settled(self.problem, trim(self.problem, replay(self.problem, _without(route, robbed))))
        again = order(self.problem, _placement(route))
        if again.complete and again.route.waves < route.waves:
            shorter, robbed = settled(self.problem, again.route)
            route = route if robbed else shorter
        found = [str(v) for v in violations(self.problem, route)]
        if found:
            self.rejected.append(found[0])
            return False
        reached = score(self.problem, route)
        if reached > self.best_score:
            self.best, self.best_score = route, reached
        return complete

    def _proven(self, first: Solution) -> tuple[LevelResult, ...]:
        """The first search's bounds if the realised plan holds its values, else bounds at the realised values."""
        reached = self.best_score.reached(self.problem)
        same = all(reached.get((r.name, r.key), r.value) == r.value for r in first.levels if r.name == "PendingPods" and r.key != "waiting")
        if same:
            return first.levels
        held = tuple((name, key, value) for (name, key), value in reached.items())
        search = replace(self.search(), forbidden=frozenset(), reached=held)
        return solve_blocks(self.problem, search, self.budgeted.workers).levels


def _without(route: Route, dropped: tuple[Shift, ...]) -> Route:
    left = list(route.shifts)
    for shift in dropped:
        left.remove(shift)
    return replace(route, shifts=tuple(left))


def _placement(route: Route) -> Placement:
    """The counts a route amounts to."""
    departures: dict[tuple[int, int], int] = {}
    arrivals: dict[tuple[int, int], int] = {}
    for s in route.shifts:
        departures[s.pod_class, s.source] = departures.get((s.pod_class, s.source), 0) + 1
        arrivals[s.pod_class, s.target] = arrivals.get((s.pod_class, s.target), 0) + 1
    for b in route.binds:
        arrivals[b.pod_class, b.target] = arrivals.get((b.pod_class, b.target), 0) + 1
    return Placement(departures=departures, arrivals=arrivals)


def search(problem: Problem, budgeted: Budgeted) -> Found:
    """The best plan that can be carried out, never worse than doing nothing."""
    wanted = bool(problem.placeable) or "Headroom" in problem.terms.objectives[:2]
    if not wanted:
        return Found(route=Route())
    return _Rounds(problem, budgeted).run()


__all__ = ["Budgeted", "Found", "search"]
