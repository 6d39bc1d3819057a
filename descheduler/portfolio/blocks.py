"""One model for a small fleet; for a larger one a model per cluster, side by side, then one after another if their moves exceed the limits.

No pod crosses clusters in a standalone fleet, so clusters are coupled by limits alone. A cluster in which nothing waits
needs no model unless Headroom or EmptyNodes is worth moves by itself.
"""

from __future__ import annotations

import hashlib
import pickle
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace

from descheduler.domain.placement import Placement
from descheduler.domain.problem import Problem
from descheduler.domain.rows import MoveBudget, MovesPerPlacedPod
from descheduler.portfolio.executors import Inline, answers, shared
from descheduler.portfolio.narrow import narrowed, unproven
from descheduler.solver.solution import LevelResult, Search, Solution, never

WHOLE = 30_000
"""Count variables up to which the fleet is one model."""
NARROW = 40_000
"""Count variables beyond which a cluster is looked at in part only."""
MANY = 8
"""Blocks that get full effort each; more share it."""


def size(problem: Problem, clusters: frozenset[str]) -> int:
    """Count variables of the clusters' model."""
    return sum(len(c.reach) + len(c.at) for c in (*problem.movable, *problem.placeable) if c.cluster in clusters)


def concerned(problem: Problem) -> tuple[str, ...]:
    """Clusters in which a move can be worth anything."""
    if problem.terms.earning:
        return problem.clusters
    return tuple(sorted({c.cluster for c in problem.placeable}))


def _solve(problem: Problem, search: Search) -> Solution:
    from descheduler.solver.exact import solve  # OR-Tools takes half a second to import

    clusters = search.clusters or frozenset()
    if len(clusters) == 1 and size(problem, clusters) > NARROW:
        return unproven(solve(problem, narrowed(problem, search, next(iter(clusters)))))
    return solve(problem, search)


def large(problem: Problem) -> bool:
    """Whether the fleet is beyond one model: the stages of ``fleet`` search it."""
    return size(problem, frozenset(concerned(problem))) > WHOLE


def blocks(problem: Problem) -> tuple[frozenset[str], ...]:
    """The sets of clusters that are one model each."""
    names = concerned(problem)
    if size(problem, frozenset(names)) <= WHOLE or len(names) == 1:
        return (frozenset(names),)
    return tuple(frozenset([name]) for name in names)


def solve_blocks(problem: Problem, search: Search, pool: Executor) -> Solution:
    """Solve the fleet whole or in blocks."""
    parts_of = blocks(problem)
    if len(parts_of) == 1:
        return _solve(problem, replace(search, clusters=parts_of[0]))
    effort = search.effort * min(1.0, MANY / len(parts_of))
    searches = [replace(search, clusters=part, quick=True, effort=effort) for part in parts_of]
    found = _answers(problem, searches, pool)
    parts = [part or Solution(placement=Placement(), reproducible=False) for part in found]
    total = _joined(parts)
    if not _lawful(problem, total.placement):
        total = _in_turn(problem, searches, parts)
    return total if all(found) else unproven(total)


def _answers(problem: Problem, searches: Sequence[Search], pool: Executor) -> list[Solution | None]:
    """Every block's solution; ``None`` for those not solved when the search was to stop."""
    stop = searches[0].stop
    if isinstance(pool, Inline):
        return answers(pool, lambda search: _solve(problem, search), searches, stop)
    packed = pickle.dumps(problem)
    now = time.monotonic()
    tasks = [
        Task(
            problem=hashlib.sha256(packed).hexdigest(),
            search=replace(search, stop=never, heard=None, deadline=None),
            seconds=None if search.deadline is None else search.deadline - now,
        )
        for search in searches
    ]
    return answers(pool, work, tasks, stop, (shared(pool, packed),))


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """One block for a worker elsewhere, whose clock is not ours."""

    problem: str
    """The digest of the packed problem, which a worker unpacks once."""
    search: Search
    seconds: float | None
    """Until the emergency stop."""


_unpacked: dict[str, Problem] = {}
"""A worker's last problem."""


def work(task: Task, packed: bytes) -> Solution:
    """Solve a block in a worker."""
    if task.problem not in _unpacked:
        _unpacked.clear()
        _unpacked[task.problem] = pickle.loads(packed)  # noqa: S301  # made by our own parent
    deadline = None if task.seconds is None else time.monotonic() + task.seconds
    return _solve(_unpacked[task.problem], replace(task.search, deadline=deadline))


def _in_turn(problem: Problem, searches: Sequence[Search], parts: Sequence[Solution]) -> Solution:
    """Blocks one after another, the most rewarding first, each with what the earlier ones leave of the run's limits.

    The bounds stay those of free blocks.
    """
    spent = Placement()
    solved: list[Solution] = []
    ranked = sorted(zip(searches, parts, strict=True), key=lambda pair: _merit(problem, pair[1]), reverse=True)
    for search, alone in ranked:
        part = alone if _lawful(problem, _sum([spent, alone.placement])) else _solve(problem, replace(search, spent=spent))
        solved.append(part)
        spent = _sum([spent, part.placement])
    free, bound = _joined(solved), _joined(parts)
    held = {(r.name, r.key): r for r in bound.levels}
    levels = tuple(
        replace(r, bound=held[r.name, r.key].bound if r.name == "PendingPods" and _first(bound.levels, r) else None) for r in free.levels
    )
    return replace(free, levels=levels)


def _merit(problem: Problem, part: Solution) -> tuple[float, ...]:
    """Pods placed per move, the highest priority first."""
    moves = part.placement.moves or 0.5
    placed = Counter[int]()
    for (c, _), count in part.placement.arrivals.items():
        if problem.classes[c].waiting:
            placed[problem.classes[c].priority] += count
    return tuple(placed[p] / moves for p in problem.priorities)


def _first(levels: Sequence[LevelResult], level: LevelResult) -> bool:
    """Only the first level's bound holds when the blocks did not reach theirs."""
    return bool(levels) and (levels[0].name, levels[0].key) == (level.name, level.key)


def _sum(placements: Sequence[Placement]) -> Placement:
    departures: dict[tuple[int, int], int] = {}
    arrivals: dict[tuple[int, int], int] = {}
    for placement in placements:
        departures |= placement.departures
        arrivals |= placement.arrivals
    return Placement(departures=departures, arrivals=arrivals)


def _joined(parts: Sequence[Solution]) -> Solution:
    """Values add up. Bounds do only as far as every level above is proven: else another division could beat the sum."""
    merged: dict[tuple[str, int | str], list[LevelResult]] = {}
    for part in parts:
        for level in part.levels:
            merged.setdefault((level.name, level.key), []).append(level)
    pending = sorted((k for k in merged if k[0] == "PendingPods" and isinstance(k[1], int)), key=lambda k: -int(k[1]))
    keys = [*pending, *(k for k in merged if k not in pending)]
    levels: list[LevelResult] = []
    proven = True
    for name, key in keys:
        found = merged[name, key]
        known = [level.bound for level in found if level.bound is not None]
        whole = proven and len(known) == len(found)
        result = LevelResult(name=name, key=key, value=sum(level.value for level in found), bound=sum(known) if whole else None)
        levels.append(result)
        proven = proven and (result.optimal or key in ("waiting", "cost"))
    return Solution(
        placement=_sum([part.placement for part in parts]),
        levels=tuple(levels),
        reproducible=all(part.reproducible for part in parts),
        doubt="; ".join(sorted({part.doubt for part in parts if part.doubt})),
    )


def _lawful(problem: Problem, placement: Placement) -> bool:
    """Whether limits that span clusters hold for the blocks together."""
    moves = placement.moves
    placed = sum(k for (c, _), k in placement.arrivals.items() if problem.classes[c].waiting)
    for row in problem.rows:
        if isinstance(row, MoveBudget) and row.per == "run":
            members = frozenset(row.group)
            count = sum(k for (c, n), k in placement.departures.items() if c in members and (row.nodes is None or n in row.nodes))
            if count > row.limit:
                return False
        if isinstance(row, MovesPerPlacedPod) and not problem.terms.earning and moves > row.ratio * placed:
            return False
    return True
