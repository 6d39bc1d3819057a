"""The search: calls solver, planner and judge in turn, and publishes only what has been realised and verified.

A placement is solved, ordered into waves, tried against rivals and verified. What could not be realised is forbidden
and solved again, a few times; on a small fleet the model then knows the waves itself. The plan that does nothing is
the first incumbent, so there is always one. Later stages for large fleets join here.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field, replace

from descheduler.domain.placement import Placement, Route
from descheduler.domain.plan import Mover
from descheduler.domain.problem import Problem
from descheduler.domain.rows import Needs, Spread
from descheduler.planner import filled, order, trim
from descheduler.planner.trim import replay
from descheduler.portfolio.blocks import blocks, large, size, solve_blocks
from descheduler.portfolio.executors import executor
from descheduler.portfolio.parts import placed_in, placement_of, without
from descheduler.portfolio.progress import Progress
from descheduler.portfolio.score import Score, score
from descheduler.rivals import settled
from descheduler.rules.constraints import with_rows
from descheduler.rules.movers import KEEPS_BOTH
from descheduler.rules.objectives import GAINS
from descheduler.solver.solution import LevelResult, Search, Solution, never
from descheduler.verify import violations

ROUNDS = 4
TIMED_WAVES = (2, 3, 4)
MOST_TIMED_WAVES = 8
TIMED_EFFORT = 0.25
TINY = 500
"""Variables up to which even a quick look can afford everything."""
TIMED_SIZE = 6000
"""Variables of one wave up to which the model that knows the waves is worth its time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budgeted:
    """How much work a search may do."""

    effort: float = 1.0
    seed: int = 0
    workers: int = 1
    executor: str | None = None
    """A dask cluster to search on, ``dask://host:port``, instead of processes of our own."""
    deadline: float | None = None
    """When to stop at the latest (``time.monotonic``); only an emergency stop."""
    stop: Callable[[], bool] = never
    """Whether to end now with the best plan so far; cheap, asked often."""
    tell: Callable[[Progress], None] | None = None
    """Who wants to know how far the search is."""
    brief: bool = False
    """A quick look: no tie-breaks, no proofs, little repair."""

    def over(self) -> bool:
        """Whether the search must come to an end."""
        return self.stop() or (self.deadline is not None and time.monotonic() > self.deadline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """The best realised plan of a search, and what is proven about it."""

    route: Route
    levels: tuple[LevelResult, ...] = ()
    reproducible: bool = True
    rejected: tuple[str, ...] = field(default=())
    """Candidates that the judge refused: bugs of ours, harmless but to be reported."""


class _Rounds:
    def __init__(self, problem: Problem, budgeted: Budgeted, pool: Executor) -> None:
        self.problem, self.budgeted, self.pool = problem, budgeted, pool
        self.best = Route()
        self.best_score: Score = score(problem, self.best)
        self.forbidden: set[tuple[int, int]] = set()
        self.rejected: list[str] = []
        self.reproducible = True
        self.tighter: tuple[LevelResult, ...] = ()
        self.bound: int | None = None
        """Most pods that any plan can place, as far as that is proven."""

    def search(self) -> Search:
        return Search(
            effort=self.budgeted.effort,
            seed=self.budgeted.seed,
            deadline=self.budgeted.deadline,
            stop=self.budgeted.stop,
            heard=None if self.budgeted.tell is None else self._tell,
            forbidden=frozenset(self.forbidden),
            quick=self.budgeted.brief,
        )

    def over(self) -> bool:
        return self.budgeted.over()

    def _tell(self, level: LevelResult | None = None) -> None:
        if self.budgeted.tell is not None:
            problem = self.problem
            pending = sum(i not in problem.not_ours for i in problem.waiting)
            placed, moves = len(self.best.binds), len(self.best.shifts)
            self.budgeted.tell(Progress(placed=placed, pending=pending, moves=moves, bound=self.bound, level=level))

    def _solve(self, search: Search) -> Solution:
        solution = solve_blocks(self.problem, search, self.pool)
        self.reproducible &= solution.reproducible
        if solution.doubt:
            self.rejected.append(solution.doubt)
        return solution

    def run(self) -> Found:
        self._tell()
        first = self._solve(self.search())
        self.bound = _most(first.levels)
        incomplete = self._realise(first.placement)
        if incomplete and not self._timed(incomplete, first) and not self._reached(first):
            self._again()
        self._fill()
        return Found(
            route=self.best,
            levels=self._levels(first),
            reproducible=self.reproducible and not self.over(),
            rejected=tuple(self.rejected),
        )

    def _reached(self, first: Solution) -> bool:
        """Whether the best route places as many of every priority as the first search's end state."""
        wanted = {r.key: r.value for r in first.levels if r.name == "PendingPods"}
        return all(count >= wanted.get(priority, 0) for priority, count in self.best_score.placed)

    def _timed(self, incomplete: Sequence[str], first: Solution) -> bool:
        """Let the model know ever more waves where the end state could not be ordered. Whether that settles the matter.

        With as many waves as the policy allows, its bounds hold for everything that can be carried out.
        """
        timed, most = frozenset(incomplete), self.problem.terms.waves
        if len(blocks(self.problem)) > 1 or size(self.problem, timed) > TIMED_SIZE:
            return False
        ceilings = tuple((r.name, r.key, r.bound) for r in first.levels if isinstance(r.key, int) and r.bound is not None)
        ladder = (*(w for w in TIMED_WAVES if w < most), *((most,) if most <= MOST_TIMED_WAVES else ()))
        for waves in ladder[:1] if self.budgeted.brief and size(self.problem, timed) > TINY else ladder:
            if self.over() or self._reached(first):
                break
            effort = self.budgeted.effort * TIMED_EFFORT
            told = replace(self.search(), waves=waves, timed=timed, hint=self.best, ceilings=ceilings)
            search = replace(told, quick=True, effort=effort, forbidden=frozenset())
            solution = self._solve(search)
            self._realise(solution.placement)
            if waves == most and self._waves_are_exact(timed):
                self.tighter = solution.levels
        return self._reached(first)

    def _waves_are_exact(self, clusters: frozenset[str]) -> bool:
        """Whether the model with waves allows everything that may be carried out there.

        It binds waiting pods last, which may matter to spread and affinity, and knows neither cycle breaks nor movers
        whose old self is gone.
        """
        classes = self.problem.classes
        joint = (row.carriers for row in self.problem.rows if isinstance(row, Needs | Spread) and row.carriers)
        ordered = any(classes[carriers[0]].cluster in clusters for carriers in joint)
        surged = all(KEEPS_BOTH[m] for c in self.problem.movable if c.cluster in clusters for m in c.movers)
        return not ordered and surged and not self.problem.terms.cycle_breaks

    def _again(self) -> None:
        """Solve without what could not be realised, a few times."""
        if self.budgeted.brief and size(self.problem, frozenset(self.problem.clusters)) > TINY:
            return
        for _ in range(ROUNDS - 1):
            if self.over():
                return
            known = len(self.forbidden)
            search = replace(self.search(), quick=True, effort=self.budgeted.effort * TIMED_EFFORT)
            solution = self._solve(search)
            if not self._realise(solution.placement) or self._reached(solution) or len(self.forbidden) == known:
                return

    def _realise(self, placement: Placement) -> tuple[str, ...]:
        """Order, trim, settle with rivals, verify; keep the result if it is the best. Clusters of which something was left out."""
        problem = self.problem
        ordered = order(problem, placement)
        left_out = {problem.classes[c].cluster for c, _ in ordered.stuck.arrivals}
        self.forbidden.update(ordered.stuck.arrivals)
        route, robbed = settled(problem, self._trimmed(ordered.route))
        left_out |= {problem.classes[s.pod_class].cluster for s in robbed}
        while robbed:
            self.forbidden.update((s.pod_class, s.target) for s in robbed)
            route, robbed = settled(problem, self._trimmed(replay(problem, without(route, robbed))))
        again = order(problem, placement_of(route))
        if again.complete and again.route.waves < route.waves:
            shorter, robbed = settled(problem, again.route)
            route = route if robbed else shorter
        route = self._worth_its_moves(self._uncontested(route))
        self._keep(route)
        return tuple(sorted(left_out))

    def _fill(self) -> None:
        """No pod is left waiting beside room for it: not by a search that was cut short, nor where forbidding a place took it away."""
        route, robbed = settled(self.problem, filled(self.problem, self.best))
        if not robbed:
            self._keep(route)

    def _keep(self, route: Route) -> None:
        """Verify; the result is the best if it is better than all before."""
        found = next((str(v) for v in violations(self.problem, route)), None)
        if found is not None:
            self.rejected.append(found)
            return
        reached = score(self.problem, route)
        if reached > self.best_score:
            self.best, self.best_score = route, reached
            self._tell()

    def _worth_its_moves(self, route: Route) -> Route:
        """Without the waiting pods, the least important first, whose moves are too many now that others were left out."""
        ratio = self.problem.terms.moves_per_placed_pod
        while ratio is not None and not self.problem.terms.earning and len(route.shifts) > ratio * len(route.binds):
            classes, shorter = self.problem.classes, route
            for bind in sorted(set(route.binds), key=lambda b: (classes[b.pod_class].priority, -b.wave, b)):
                binds = list(route.binds)
                binds.remove(bind)
                without = trim(self.problem, replace(route, binds=tuple(binds)))
                if len(without.shifts) < len(route.shifts):
                    self.forbidden.add((bind.pod_class, bind.target))
                    shorter = without
                    break
            if shorter is route:
                return Route()
            route, robbed = settled(self.problem, shorter)
            if robbed:
                return Route()
        return route

    def _trimmed(self, route: Route) -> Route:
        """Without moves that no waiting pod needs, unless the policy makes moves for more than them and they still earn what they cost."""
        problem = self.problem
        if not problem.terms.earning:
            return trim(problem, route)
        kept = route
        for shift in reversed(route.shifts):
            if shift in kept.shifts:
                shorter = replay(problem, without(kept, (shift,)))
                if len(shorter.binds) == len(kept.binds) and score(problem, shorter) >= score(problem, kept):
                    kept = shorter
        return kept

    def _uncontested(self, route: Route) -> Route:
        """Rather more waves than a contested place: room that a rival wants is made after the rival has its own."""
        late: frozenset[int] = frozenset()
        for _ in range(3):
            contested = frozenset(b.target for b in route.binds if b.contested)
            if not contested or contested <= late:
                return route
            late = contested
            ordered = order(self.problem, placement_of(route), late)
            calmer, robbed = settled(self.problem, ordered.route)
            if ordered.complete and not robbed and sum(b.contested for b in calmer.binds) < sum(b.contested for b in route.binds):
                route = calmer
        return route

    def _levels(self, first: Solution) -> tuple[LevelResult, ...]:
        """What is proven about the realised plan."""
        if self.budgeted.brief:
            return ()
        return self._proven_loosely(first) if self._loose() else self._proven(first)

    def _loose(self) -> bool:
        """Whether moves that this version does not plan could matter."""
        concerned = frozenset().union(*blocks(self.problem))
        return any(self.problem.classes[c].cluster in concerned for c in self.problem.loose)

    def _proven_loosely(self, first: Solution) -> tuple[LevelResult, ...]:
        """Bounds of a relaxed problem, in which whoever may be evicted goes wherever suits us."""
        if self.over():
            return tuple(replace(r, bound=None) for r in first.levels)
        relaxed = with_rows(
            replace(
                self.problem,
                classes=tuple(
                    replace(c, movers=(Mover.EVICT,), reach=self.problem.loose[c.index]) if c.index in self.problem.loose else c
                    for c in self.problem.classes
                ),
            )
        )
        search = replace(self.search(), forbidden=frozenset(), reached=self._held(), quick=True)
        levels = solve_blocks(relaxed, search, self.pool).levels
        return tuple(replace(r, bound=None) if r.name in GAINS else r for r in levels)

    def _held(self) -> tuple[tuple[str, int, int], ...]:
        """What the realised plan places, by cluster and priority."""
        placed = placed_in(self.problem, self.best)
        return tuple((cluster, p, placed[cluster, p]) for cluster in self.problem.clusters for p in self.problem.priorities)

    def _proven(self, first: Solution) -> tuple[LevelResult, ...]:
        """The first search's bounds if the realised plan holds its values, else bounds at the realised values."""
        reached = dict(self.best_score.placed)
        if self.tighter and all(reached.get(r.key, 0) == r.value for r in self.tighter if isinstance(r.key, int)):
            return self.tighter
        pending = [r for r in first.levels if isinstance(r.key, int)]
        fallen = next((i for i, r in enumerate(pending) if reached.get(int(r.key), 0) != r.value), None)
        if fallen is None:
            return first.levels
        if self.over():  # bounds down to the first level that fell short still hold
            return tuple(r if r in pending[: fallen + 1] else replace(r, bound=None) for r in first.levels)
        search = replace(self.search(), forbidden=frozenset(), reached=self._held(), quick=True)
        return self._solve(search).levels


def _most(levels: tuple[LevelResult, ...]) -> int | None:
    """The bounds of all priorities added up, as the plan will tell them; ``None`` while one is unknown."""
    total = 0
    for level in levels:
        if level.name == "PendingPods" and isinstance(level.key, int):
            if level.bound is None:
                return None
            total += int(level.bound)
    return total


def search(problem: Problem, budgeted: Budgeted) -> Found:
    """The best plan that can be carried out, never worse than doing nothing."""
    wanted = bool(problem.placeable or problem.terms.earning)
    if not wanted:
        return Found(route=Route())
    if large(problem):
        return _fleet(problem, budgeted)
    count = len(blocks(problem))
    with executor(min(budgeted.workers, count), budgeted.executor if count > 1 else None) as pool:
        return _Rounds(problem, budgeted, pool).run()


def _fleet(problem: Problem, budgeted: Budgeted) -> Found:
    """The stages for large fleets."""
    from descheduler.portfolio.fleet import FleetSearch  # OR-Tools takes half a second to import

    pending = sum(i not in problem.not_ours for i in problem.waiting)

    def tell(best: Route, bound: int | None) -> None:
        if budgeted.tell is not None:
            budgeted.tell(Progress(placed=len(best.binds), pending=pending, moves=len(best.shifts), bound=bound))

    tell(Route(), None)
    with executor(1 if budgeted.brief else budgeted.workers, None if budgeted.brief else budgeted.executor) as pool:
        stages = FleetSearch(
            problem,
            pool,
            effort=budgeted.effort,
            seed=budgeted.seed,
            deadline=budgeted.deadline,
            workers=budgeted.workers,
            over=budgeted.over,
            tell=tell,
        )
        stages.run(budgeted.brief)
        levels = () if budgeted.brief else stages.levels()
    tell(stages.best, _most(levels))
    reproducible = not stages.cut_short and not budgeted.over()
    return Found(route=stages.best, levels=levels, reproducible=reproducible, rejected=tuple(stages.rejected))


__all__ = ["Budgeted", "Found", "Progress", "search"]
