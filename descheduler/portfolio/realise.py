"""From a sequence of steps to a route that can be carried out: waves, rivals, and what is left without the moves they could rob."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from descheduler.domain.placement import Route, Shift
from descheduler.domain.problem import Problem
from descheduler.planner import Ordered, Patience, Step, in_sequence
from descheduler.planner.trim import replay
from descheduler.portfolio.parts import without
from descheduler.rivals import settled

ROBBED = 10
"""Times that moves a rival could rob are dropped before a candidate is given up."""


@dataclass(frozen=True, slots=True)
class Realised:
    """A route, and what did not become part of it."""

    route: Route
    failed: frozenset[tuple[int, int]]
    """(class, node) arrivals that could not be ordered, or that a rival could have robbed."""
    robbed: bool
    """Whether a rival still could: such a route may not be carried out."""


def realised(problem: Problem, steps: Sequence[Step], *, frugal: bool = True) -> Realised:
    """The steps as a route in which no move can be robbed, without those for which that cannot be had.

    ``frugal``: moves only help waiting pods, so those that do not are left out.
    """
    spared = needed if frugal else _as_it_is
    ordered, route, robbed = _patiently(problem, steps, spared)
    failed = set(ordered.stuck.arrivals)
    for _ in range(ROBBED):
        if robbed:
            failed |= {(s.pod_class, s.target) for s in robbed}
            route, robbed = settled(problem, spared(problem, replay(problem, without(route, robbed))))
    return Realised(route, frozenset(failed), bool(robbed))


def _as_it_is(problem: Problem, route: Route) -> Route:
    return route


def _patiently(
    problem: Problem, steps: Sequence[Step], spared: Callable[[Problem, Route], Route]
) -> tuple[Ordered, Route, tuple[Shift, ...]]:
    """The steps in waves, as early as they may; where a rival could rob them, as late as they must. Also what could be robbed even so."""
    patience, everywhere = Patience(), frozenset(target for _, _, target in steps)
    while True:
        ordered = in_sequence(problem, steps, patience)
        route, robbed = settled(problem, spared(problem, ordered.route))
        more = patience.more({s.target for s in robbed}, everywhere)
        if not robbed or more == patience:
            return ordered, route, robbed
        patience = more


def needed(problem: Problem, route: Route) -> Route:
    """Without moves off nodes to which nobody comes: nothing can depend on the room they would leave."""
    while True:
        wanted = {b.target for b in route.binds} | {s.target for s in route.shifts}
        kept = tuple(s for s in route.shifts if s.source in wanted)
        if len(kept) == len(route.shifts):
            return route
        route = replay(problem, replace(route, shifts=kept))
