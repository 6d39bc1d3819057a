"""Every end state of a tiny fleet, tried one by one and judged by the rules' plain checks alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product

from descheduler.domain.moment import Arrival, Moment, snapshot_spots
from descheduler.domain.placement import Bind, Route, Shift
from descheduler.domain.problem import PodClass, Problem
from descheduler.rules.constraints import CONSTRAINTS, Constraint
from descheduler.rules.filters import Verdicts
from descheduler.rules.movers import KEEPS_BOTH, STEERS
from descheduler.rules.nominated import barred

Outcome = tuple[tuple[int, ...], int]
"""Pods placed per priority, highest first, and minus the number of moves."""


def best(problem: Problem, constraints: Sequence[Constraint] = CONSTRAINTS) -> Outcome:
    """The best lawful end state there is."""
    return max(_outcome(problem, route) for route in _routes(problem) if lawful(problem, route, constraints))


def outcomes(problem: Problem, priorities: Sequence[int]) -> set[Outcome]:
    """Pods placed per priority, and moves, of every lawful end state; the fewest moves of each."""
    fewest: dict[tuple[int, ...], int] = {}
    for route in _routes(problem):
        placed = Counter(problem.classes[b.pod_class].priority for b in route.binds)
        vector = tuple(placed[p] for p in priorities)
        if len(route.shifts) < fewest.get(vector, len(route.shifts) + 1) and lawful(problem, route):
            fewest[vector] = len(route.shifts)
    return set(fewest.items())


def best_earned(problem: Problem) -> tuple[tuple[int, ...], float]:
    """Pods placed per priority, and the most that emptying nodes earns beyond the moves that these pods need.

    The pods come first, with as few moves as can be, under the policy's moves per placed pod; what is earned is free of that limit.
    """
    patient = replace(problem, terms=replace(problem.terms, objectives=("PendingPods", "Disruption")))
    placed, minus_needed = best(patient)
    worth = (
        _emptied(problem, route) - problem.terms.floor * max(0, len(route.shifts) + minus_needed)
        for route in _routes(problem)
        if _as_many(_outcome(problem, route)[0], placed) and lawful(problem, route)
    )
    return placed, round(max(worth), 6)


def _as_many(placed: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    return all(mine >= theirs for mine, theirs in zip(placed, wanted, strict=True))


def _emptied(problem: Problem, route: Route) -> float:
    """Nodes that became empty less those that no longer are, by price, pod by pod; every node here is Ready and no pod a DaemonSet's."""
    prices = [next((p.price for p in problem.terms.prices if set(p.node_selector) <= set(node.labels)), 1.0) for node in problem.nodes]
    before, after = Counter[int](), Counter[int]()
    for c in problem.classes:
        for node, pods in c.at.items():
            before[node] += len(pods)
            after[node] += len(pods)
    for s in route.shifts:
        after[s.source] -= 1
        after[s.target] += 1
    for b in route.binds:
        after[b.target] += 1
    return sum(price * ((not after[n]) - (not before[n])) for n, price in enumerate(prices))


def lawful(problem: Problem, route: Route, constraints: Sequence[Constraint] = CONSTRAINTS) -> bool:
    """Whether an end state breaks no rule: leavers are gone, limits hold over the run."""
    residents = Counter(snapshot_spots(problem))
    gone = Counter((s.pod_class, s.source) for s in route.shifts)
    residents.subtract(gone)
    arrivals = [_moved(problem, s) for s in route.shifts] + [Arrival(b.pod_class, b.target) for b in route.binds]
    end = Moment(wave=1, residents=dict(residents), arrivals=tuple(arrivals), leaving=(), settled=True, gone=gone)
    run = Moment(wave=0, residents=snapshot_spots(problem), arrivals=(), leaving=(), run=route)
    return not any(True for moment in (end, run) for c in constraints for _ in c.violations(problem, moment))


def _moved(problem: Problem, s: Shift) -> Arrival:
    """A copy only where no mover could do without; pinned where some mover pins."""
    movers = problem.classes[s.pod_class].movers
    return Arrival(s.pod_class, s.target, copy=all(KEEPS_BOTH[m] for m in movers), pinned=any(STEERS[m] for m in movers))


def _routes(problem: Problem) -> Iterator[Route]:
    verdicts = Verdicts()

    def lets(c: PodClass, n: int) -> bool:
        return verdicts.admits(c.spec, problem.nodes[n]) and not barred(c, problem.nodes, problem.nominated) >> n & 1

    movable = [(c, node) for c in problem.movable for node, pods in c.at.items() for _ in pods]
    waiting = [c for c in problem.placeable for _ in c.pods]
    everywhere = range(len(problem.nodes))
    choices: list[list[int | None]] = []
    choices += [
        [node, *(n for n in everywhere if n != node and lets(c, n))] for c, node in movable
    ]
    choices += [[None, *(n for n in everywhere if lets(c, n))] for c in waiting]
    for choice in product(*choices):
        shifts = tuple(
            Shift(wave=1, arrival_wave=1, pod_class=c.index, source=node, target=there, mover=c.movers[0])
            for (c, node), there in zip(movable, choice, strict=False)
            if there is not None and there != node
        )
        binds = tuple(
            Bind(wave=1, pod_class=c.index, target=there)
            for c, there in zip(waiting, choice[len(movable) :], strict=True)
            if there is not None
        )
        sources = {(s.pod_class, s.source) for s in shifts}
        if not any((s.pod_class, s.target) in sources for s in shifts):  # two of a class that take turns are one that moves
            yield Route(shifts=shifts, binds=binds)


def _outcome(problem: Problem, route: Route) -> Outcome:
    placed = Counter(problem.classes[b.pod_class].priority for b in route.binds)
    return tuple(placed[p] for p in problem.priorities), -len(route.shifts)
