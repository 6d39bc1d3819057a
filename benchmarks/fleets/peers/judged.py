"""End states checked in plain arithmetic, apart from every model: counts before and after against the problem's rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from descheduler.domain.placement import Placement
from descheduler.domain.problem import Problem
from descheduler.domain.rows import AtMost, Capacity, CopyQuota, MoveBudget, MovesPerPlacedPod, Spread

Counts = Counter[tuple[int, int]]
"""(class, node) to pods."""


def unspoken(problem: Problem) -> str | None:
    """A kind of row that the peers do not know. A quota for copies speaks of waves, which an end state has none of."""
    for row in problem.rows:
        if isinstance(row, Capacity):
            if row.comers is not None or row.promised:
                return "nominated pods"
        elif not isinstance(row, AtMost | Spread | MoveBudget | MovesPerPlacedPod | CopyQuota):
            return type(row).__name__
    return None


def placed(problem: Problem, placement: Placement) -> list[int]:
    """Waiting pods placed by priority, the highest first."""
    found = Counter[int]()
    for (c, _), k in placement.arrivals.items():
        if problem.classes[c].waiting:
            found[problem.classes[c].priority] += k
    return [found[p] for p in problem.priorities]


def wrong(problem: Problem, placement: Placement) -> str | None:
    """Why the end state is not lawful; ``None`` if it is."""
    return next(_mistakes(problem, placement), None)


def skew_allowed(row: Spread, before: int) -> int:
    """The most that the fullest domain may hold beyond the emptiest: as much as the snapshot, at least."""
    return row.guard if row.guard is not None else max(row.max_skew, before)


def skew(row: Spread, counts: Counts) -> int:
    held = [sum(counts[c, n] for c in row.group for n in nodes) for nodes in row.domains]
    return max(held, default=0) - (0 if len(held) < row.min_domains else min(held, default=0))


def _mistakes(problem: Problem, placement: Placement) -> Iterator[str]:
    yield from _bookkeeping(problem, placement)
    coming, leaving = Counter(placement.arrivals), Counter(placement.departures)
    before: Counts = Counter({(c.index, n): len(pods) for c in problem.classes for n, pods in c.at.items()})
    after = before + coming
    after.subtract(leaving)
    yield from _overfull(problem, after, coming)
    for row in problem.rows:
        match row:
            case AtMost():
                for nodes in row.domains:
                    held = sum(after[c, n] for c in row.group for n in nodes)
                    if held > row.limit and any(coming[c, n] for c in row.group for n in nodes):
                        yield f"{row.rule}: {held} > {row.limit} on {problem.nodes[nodes[0]].ref}"
            case Spread() if (now := skew(row, after)) > (most := skew_allowed(row, skew(row, before))):
                yield f"{row.rule}: skew {now} > {most}"
            case MoveBudget():
                most = row.limit * (problem.terms.waves if row.per == "wave" else 1)
                spent = sum(leaving[c, n] for c in row.group for n in (problem.classes[c].at if row.nodes is None else row.nodes))
                if spent > most:
                    yield f"{row.name}: {spent} > {most} moves"
            case MovesPerPlacedPod() if placement.moves > row.ratio * (count := sum(placed(problem, placement))):
                yield f"{placement.moves} moves for {count} pods"


def _overfull(problem: Problem, after: Counts, coming: Counts) -> Iterator[str]:
    """Nodes at which someone arrives who asks for more than there is."""
    used: Counter[tuple[int, str]] = Counter()
    for (c, n), k in after.items():
        for resource, amount in problem.classes[c].requests.items():
            used[n, resource] += k * amount
    for n, resource in sorted({(n, r) for (c, n), k in coming.items() if k for r in problem.classes[c].requests}):
        if used[n, resource] > problem.nodes[n].allocatable[resource]:
            yield f"{problem.nodes[n].ref}: {resource} {used[n, resource]} > {problem.nodes[n].allocatable[resource]}"


def _bookkeeping(problem: Problem, placement: Placement) -> Iterator[str]:
    balance = Counter[int]()
    for (c, n), k in placement.departures.items():
        if not 0 <= k <= problem.classes[c].there(n) or not (problem.classes[c].movers or not k):
            yield f"{k} pods of class {c} leave node {n}"
        balance[c] -= k
    for (c, n), k in placement.arrivals.items():
        if k < 0 or (k and n not in problem.classes[c].reach):
            yield f"{k} pods of class {c} come to node {n}"
        balance[c] += k
    for c, rest in balance.items():
        if rest and not (problem.classes[c].waiting and 0 < rest <= len(problem.classes[c].pods)):
            yield f"{rest} pods of class {c} appear"
