"""What worker processes do: one task of arrays in, one answer out. Importable by its name, so that any executor can send it anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from descheduler.solver.arrays import Instance, Local, placed
from descheduler.solver.block import Point, Work, point, solve_block
from descheduler.solver.bounds import Cut, Proof, bounds, exchanges, together
from descheduler.solver.greedy import Manner, greedy, stairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Improved:
    """A block's answers, and what was proven about it on the way."""

    points: tuple[Point, ...]
    ceilings: tuple[tuple[int, int], ...]


def first_points(instance: Instance, most: int | None) -> tuple[Point, ...]:
    """The greedy's answers: the better of two orders, or with few moves every step of its stairs."""
    if most is not None:
        return tuple(point(instance, local) for local in stairs(instance, Manner(most_moves=most, large_first=False)))
    found = [point(instance, greedy(instance, Manner(large_first=large))) for large in (True, False)]
    return (max(found, key=lambda p: (vector(instance, p.local), -p.moves)),)


def vector(instance: Instance, local: Local) -> tuple[int, ...]:
    """Placed pods by priority, the highest first."""
    counts = placed(instance, local)
    return tuple(counts.get(p, 0) for p in sorted({int(p) for p in instance.priority[instance.waiting]}, reverse=True))


def improve(work: Work) -> Improved:
    """The block's bound, then CP-SAT unless the hint has reached it."""
    reached = placed(work.instance, work.hint)
    ceilings = bounds(work.instance, reached, work.seconds, onward=True).bounds if work.points == 1 else {}
    if ceilings and all(reached.get(p, 0) >= most for p, most in ceilings.items()):
        return Improved(points=(point(work.instance, work.hint),), ceilings=tuple(sorted(ceilings.items(), reverse=True)))
    told = tuple(sorted(ceilings.items(), reverse=True))
    return Improved(points=solve_block(replace(work, ceilings=told)), ceilings=told)


Pairs = tuple[tuple[int, int], ...]
"""(priority, pods)."""


def proven(asked: tuple[Instance, Pairs, float | None]) -> Proof:
    """Bounds of one cluster, higher priorities held at what a plan places there, within so many seconds."""
    instance, reached, seconds = asked
    return bounds(instance, dict(reached), seconds)


def exchangeable(asked: tuple[Instance, Pairs, tuple[int, ...], float | None]) -> Proof:
    """What one cluster can have of the open priorities, the settled ones held."""
    instance, settled, open_, seconds = asked
    return exchanges(instance, dict(settled), open_, seconds)


def all_together(
    asked: tuple[Sequence[Instance], Sequence[Sequence[Cut]], Pairs, tuple[int, ...], int | None, float | None],
) -> Proof:
    """Bounds of all clusters in one programme."""
    instances, cuts, reached, open_, ratio, seconds = asked
    return together(instances, cuts, dict(reached), open_, ratio, seconds)


def first(asked: tuple[Instance, int | None]) -> tuple[Point, ...]:
    """``first_points`` as one task."""
    return first_points(*asked)
