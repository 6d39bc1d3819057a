"""Large fleets: greedy first, then ruin and recreate block by block, what blocks share divided by one programme, bounds by relaxation.

A block is a cluster, or some 150 nodes of one, cut anew each round. Blocks answer with placements; what cannot be
ordered or would be robbed is lost, forbidden, and sought again. Each cluster keeps everything it has realised, and every
candidate is verified as a whole before it becomes the best.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor
from typing import TypeVar

from descheduler.domain.placement import Route
from descheduler.domain.problem import Problem
from descheduler.planner import Step
from descheduler.planner.trim import replay
from descheduler.portfolio.executors import Inline, answers
from descheduler.portfolio.parts import placed_in
from descheduler.portfolio.proof import Question, proofs
from descheduler.portfolio.realise import needed, realised
from descheduler.portfolio.score import Score, score
from descheduler.portfolio.slots import make_headroom, unproven_gains
from descheduler.portfolio.units import WHOLE, Unit, barred_from, picked, sequenced, units, waiting_row
from descheduler.rivals import settled
from descheduler.solver import compiled
from descheduler.solver.arrays import Rows, to_moves
from descheduler.solver.gains import Gains
from descheduler.solver.kernels import rounds
from descheduler.solver.opening import valued
from descheduler.solver.point import Point, best_first, in_order
from descheduler.solver.solution import LevelResult, never
from descheduler.solver.tasks import PLAIN, Quest, seek
from descheduler.verify import violations

Answer = TypeVar("Answer")

SEARCH_SHARE = 0.8
"""Of the wall clock's emergency limit."""
IN_TIME = 0.9
"""Of the time that is left: a block answers before it is no longer waited for."""
TURNS = (10, 60, 15, 60, 15, 60, 15, 60)
"""Rounds of ruin and recreate per node of a block at effort 1, turn by turn."""
IDLE = 3
"""Turns in a row that place no more before the last one that is tried: each begins elsewhere."""
REPAIRS = 2
"""Turns more while something is lost on the way to a lawful route."""
REPAIR = 5
TRIES = 2
"""Searches of a large cluster side by side, while it is not cut."""
MOST_WAVES = 7
"""Waves of moves at most; a plan of many waves takes long to carry out."""
SCARCE_PRICE = 150
NEARLY = 0.9
"""Share of the moves that blocks have together, from which on they are scarce."""
FEW, EXCESS = 60, 4
"""Where moves are scarce a block looks for plans of so many moves, or of so many times its equal share."""
INLINE = 4000
"""Nodes up to which the greedy is done before a worker process would have started."""


class FleetSearch:
    """One search; ``run`` leaves the best route, its score, bounds and doubts behind."""

    def __init__(
        self,
        problem: Problem,
        executor: Executor,
        *,
        effort: float = 1.0,
        seed: int = 0,
        deadline: float | None = None,
        workers: int = 1,
        over: Callable[[], bool] = never,
        tell: Callable[[Route, int | None], None] | None = None,
    ) -> None:
        self.problem, self.executor, self.effort, self.seed, self.workers = problem, executor, effort, seed, workers
        self._stop, self.tell, self.limit = over, tell, deadline
        now = time.monotonic()
        self.deadline = None if deadline is None else now + SEARCH_SHARE * (deadline - now)
        """When the rounds end at the latest: what is left is for the bounds."""
        self.best = Route()
        self.best_score: Score = score(problem, self.best)
        self.rejected: list[str] = []
        self.cut_short = False
        self.tight = False
        """Whether limits that clusters share bind: blocks then answer with what they find for fewer moves too."""
        self.ceilings: dict[str, tuple[tuple[int, int], ...]] = {}
        """(priority, most pods) of clusters that are one block, as found on the way; where to stop, not what is proven."""
        self.forbidden: set[tuple[int, int]] = set()
        """(class, node) arrivals that could not be ordered, or that a rival could have robbed."""
        self.lost: frozenset[str] = frozenset()
        """Clusters in which the last candidate lost something."""
        self.rows = Rows(problem)
        self.waiting = sorted({c.cluster for c in problem.placeable})
        moving = {c.cluster for c in problem.movable} if problem.terms.earning else set[str]()
        self.clusters = sorted({*self.waiting, *moving})
        """Those in which moves can be worth anything; without Headroom and EmptyNodes those in which pods wait."""
        self.instances = {cluster: self.rows.instance(cluster) for cluster in self.clusters}
        self.gains: dict[str, Gains] = {}
        """What nodes are worth by their room, once no more waiting pods are sought places for."""
        self.scarce = self._scarce()
        """The run's moves, where they are the matter."""
        self.fair = self.scarce
        """Moves of one block at most, where they are scarce."""
        self.limits = {b.row: b.limit for i in self.instances.values() for b in i.budgets}
        self.limits |= {waiting_row(c.index): len(c.pods) for c in problem.placeable}
        self.parts: dict[str, list[Route]] = {cluster: [Route()] for cluster in self.clusters}
        """What each cluster has realised so far."""
        self.prepare(rounds.resume, rounds.greedy, rounds.search)

    def prepare(self, *kernels: Callable[..., None]) -> None:
        """Have kernels compiled or loaded once, before worker processes ask for them; small clusters run them as they are."""
        if any(len(i.nodes) > PLAIN for i in self.instances.values()):
            compiled.prepare(kernels)

    def over(self) -> bool:
        """Whether the rounds must end."""
        return self._stop() or (self.deadline is not None and time.monotonic() > self.deadline)

    def all_of(
        self, task: Callable[..., Answer], told: Sequence[object], over: Callable[[], bool], executor: Executor | None = None
    ) -> list[Answer | None]:
        """Every task's answer, in order; ``None`` for those that were not done when the search had to end."""
        found = answers(executor or self.executor, task, told, over)
        self.cut_short |= any(answer is None for answer in found)
        return found

    def run(self, brief: bool) -> None:
        """Places for waiting pods; then, where the policy wants moves for it, room by itself."""
        self._place(brief)
        if self.problem.terms.earning and not brief and not self.over():
            make_headroom(self)

    def begin_with(self, route: Route) -> None:
        """Go on from a lawful route."""
        clusters = [c.cluster for c in self.problem.classes]
        self.best, self.best_score = route, score(self.problem, route)
        for cluster in self.clusters:
            shifts = tuple(s for s in route.shifts if clusters[s.pod_class] == cluster)
            self.parts[cluster].append(Route(shifts=shifts, binds=tuple(b for b in route.binds if clusters[b.pod_class] == cluster)))

    def _place(self, brief: bool) -> None:
        """Greedy, then turns while they bring anything, and short ones as long as something is lost."""
        self.keep(self._turn(0, 0, self.waiting))
        moves = self._moves()
        if moves is not None and len(self.best.shifts) > NEARLY * moves:
            self.scarce = moves
        idle = 0
        for turn, per_node in enumerate(() if brief else TURNS, start=1):
            before = self.best_score.placed
            self.keep(self._turn(turn, per_node, [cluster for cluster in self.waiting if turn == 1 or self._open(cluster)]))
            for repair in range(REPAIRS):
                if self.lost and not self.over():
                    lossy = {cluster: self.parts[cluster][-1] for cluster in self.lost} if repair == 0 else {}
                    self.keep(self._turn(turn + len(TURNS) * (1 + repair), REPAIR, sorted(self.lost), lossy))
            if self.over():
                self.cut_short = True
            idle = 0 if self.best_score.placed > before else idle + 1
            if self.cut_short or idle > IDLE:
                return

    def _open(self, cluster: str) -> bool:
        """Whether the best route is below what is known to be the most there, as far as anything is known."""
        placed, ceilings = placed_in(self.problem, self.best), self.ceilings.get(cluster, ())
        return not ceilings or any(placed[cluster, p] < most for p, most in ceilings)

    def _scarce(self) -> int | None:
        """The run's moves when several blocks compete for them, or placed pods must earn them."""
        waiting = sum(int(i.pods[i.waiting].sum()) for i in self.instances.values())
        least = self._moves()
        return least if least is not None and (least < waiting or self.rows.ratio is not None) else None

    def _moves(self) -> int | None:
        """The fewest moves that some budget leaves to several blocks together, if they are those of a whole cluster or more."""
        shared = [b.limit for i in self.instances.values() for b in i.budgets if b.row in self.rows.shared]
        alone = [Unit(instance=i).cap() for i in self.instances.values() if len(i.nodes) > WHOLE and len(self.instances) == 1]
        return min([*shared, *alone], default=None)

    def _turn(self, turn: int, per_node: int, asked: Sequence[str], lossy: Mapping[str, Route] | None = None) -> dict[str, list[Step]]:
        """Every block of the ``asked`` clusters improves on the incumbent: the best of their answers that the shared limits allow.

        ``lossy`` clusters begin with what was realised of their last answer instead.
        """
        blocks = self.cut_anew(turn, self._cut(turn), lossy)
        todo = [i for i, unit in enumerate(blocks) if unit.instance.cluster in asked and not unit.settled]
        self.fair = None if self.scarce is None else max(FEW, EXCESS * self.scarce // max(1, len(todo)))
        tried = [(i, attempt) for i in todo for attempt in range(TRIES if per_node and len(blocks[i].instance.nodes) > WHOLE else 1)]
        quests = [self._quest(blocks[i], turn + len(TURNS) * attempt, per_node) for i, attempt in tried]
        here = not per_node and sum(len(i.nodes) for i in self.instances.values()) <= INLINE
        told = self.all_of(seek, quests, self.over, Inline() if here else None)
        found: dict[int, list[Point]] = {}
        for (i, _), answer in zip(tried, told, strict=True):
            if answer is not None:
                found.setdefault(i, []).extend(answer.points)
                if answer.ceilings and self._whole(blocks[i]):
                    self.ceilings[blocks[i].instance.cluster] = answer.ceilings
        points = [(*best_first(found.get(i, ())), in_order(unit.instance, unit.hint)) for i, unit in enumerate(blocks)]
        self.cut_short |= any(p.cut_short for some in points for p in some)
        chosen = self._fitting(blocks, points)
        return sequenced(blocks, points, chosen, asked)

    def cut_anew(self, turn: int, cut: bool, instead: Mapping[str, Route] | None = None) -> list[Unit]:
        """The blocks of a turn, with what the incumbent, or a route ``instead``, does there; ``cut``: large clusters in parts."""
        barred = self.forbidden - {(s.pod_class, s.target) for s in self.best.shifts} - {(b.pod_class, b.target) for b in self.best.binds}
        blocks: list[Unit] = []
        for at, cluster in enumerate(self.clusters):
            instance = barred_from(self.instances[cluster], barred)
            known = to_moves(instance, (instead or {}).get(cluster, self.best))
            blocks += units(instance, known, (self.seed, turn, at)) if cut else [Unit(instance=instance, hint=known)]
        return blocks

    def _cut(self, turn: int) -> bool:
        """Whether large clusters are cut in this turn: every other one, as whole ones find the best use of few moves, parts the rest."""
        return turn % 2 == 0 and turn > 0

    def _whole(self, unit: Unit) -> bool:
        """Whether the block is all of its cluster."""
        return len(unit.instance.nodes) == len(self.instances[unit.instance.cluster].nodes)

    def waves(self) -> int:
        """Waves of moves that a plan may have."""
        return min(MOST_WAVES, self.problem.terms.waves - 1)

    def seconds(self) -> float | None:
        """What a block may take at most, so that its answer comes before the rounds must end."""
        return None if self.deadline is None else IN_TIME * (self.deadline - time.monotonic())

    def _quest(self, unit: Unit, turn: int, per_node: int) -> Quest:
        waves = self.waves()
        return Quest(
            instance=unit.instance,
            hint=unit.hint,
            most=unit.cap(self.fair) if waves else 0,
            waves=waves,
            rounds=int(per_node * self.effort * len(unit.instance.nodes)),
            seed=self.seed + turn,
            seconds=self.seconds(),
            owing=unit.owing,
            frontier=self.tight or self.scarce is not None or not self._whole(unit),
            ceilings=self.ceilings.get(unit.instance.cluster, ()) if self._whole(unit) else (),
            price=None if self.scarce is None else SCARCE_PRICE,
        )

    def _fitting(self, blocks: Sequence[Unit], points: list[tuple[Point, ...]]) -> list[int]:
        """Which answers to take. If the best of all are too many moves together, cheaper ones are asked for from now on."""
        chosen = picked(blocks, points, self.limits, self.rows.ratio)
        if any(chosen) and not self.tight and self.scarce is None and any(picked(blocks, points, self._moved(), self.rows.ratio)):
            self.tight = True
            moves = self._moves()
            self.scarce = moves if moves is not None and moves < sum(some[0].moves for some in points) else None
            more = [() if unit.settled else seek(self._quest(unit, 0, 0)).points for unit in blocks]
            points[:] = [(*some, *cheaper) for some, cheaper in zip(points, more, strict=True)]
            chosen = picked(blocks, points, self.limits, self.rows.ratio)
        return chosen

    def _moved(self) -> dict[int, int]:
        """The limits of moves alone: that blocks were offered the same pod says nothing about them."""
        return {row: limit for row, limit in self.limits.items() if row >= 0}

    def keep(self, steps: Mapping[str, Sequence[Step]]) -> None:
        """Order, settle with rivals and verify; keep the best of what each cluster has realised so far, as far as all of it is lawful."""
        self.lost = frozenset(cluster for cluster, some in steps.items() if self._realise(cluster, some))
        candidate = self._mixed()
        reached = score(self.problem, candidate)
        if not reached > self.best_score:
            return
        found = next(violations(self.problem, candidate), None)
        if found is not None:  # limits of single waves, which clusters share: in waves of the whole fleet then
            again = replay(self.problem, candidate)
            candidate, robbed = settled(self.problem, again if self.gains else needed(self.problem, again))
            if robbed:
                return
            reached = score(self.problem, candidate)
            found = next(violations(self.problem, candidate), None)
        if found is None and reached > self.best_score:
            self.best, self.best_score = candidate, reached
            if self.tell is not None:
                self.tell(candidate, None)
        elif found is not None:
            self.rejected.append(str(found))

    def _mixed(self) -> Route:
        """Of each cluster the realised part that serves the whole best."""
        whole = [Unit(instance=self.instances[cluster]) for cluster in self.clusters]
        points = [
            [valued(self.gains.get(cluster), u.instance, to_moves(u.instance, part)) for part in self.parts[cluster]]
            for u, cluster in zip(whole, self.clusters, strict=True)
        ]
        chosen = picked(whole, points, self.limits, self.rows.ratio)
        parts = [self.parts[cluster][at] for cluster, at in zip(self.clusters, chosen, strict=True)]
        return Route(shifts=tuple(sorted(s for p in parts for s in p.shifts)), binds=tuple(sorted(b for p in parts for b in p.binds)))

    def _realise(self, cluster: str, steps: Sequence[Step]) -> bool:
        """One cluster's lawful route. What was lost on the way is forbidden from now on; whether anything was."""
        found = realised(self.problem, steps, frugal=not self.gains)
        self.forbidden |= found.failed
        if not found.robbed and found.route not in self.parts[cluster]:
            self.parts[cluster].append(found.route)
        return bool(found.failed)

    def levels(self) -> tuple[LevelResult, ...]:
        """What is proven about the best route."""
        relaxed = Rows(self.problem, relaxed=True)
        placed = placed_in(self.problem, self.best)
        question = Question(
            priorities=self.problem.priorities,
            instances=tuple(relaxed.instance(cluster) for cluster in self.waiting),
            placed=tuple(tuple((p, placed[cluster, p]) for p in self.problem.priorities) for cluster in self.waiting),
            ratio=relaxed.ratio,
            deadline=self.limit,
            workers=self.workers,
        )
        found, late = proofs(question, lambda task, asked: self.all_of(task, asked, lambda: self._stop() or self._late()))
        self.cut_short |= late
        return (*found, *unproven_gains(self.problem, self.best))

    def _late(self) -> bool:
        return self.limit is not None and time.monotonic() > self.limit
