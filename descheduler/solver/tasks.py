"""What worker processes do: one task of arrays in, one answer out. Importable by its name, so that any executor can send it anywhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from descheduler.solver.arrays import Instance, Local, placed
from descheduler.solver.block import Point, Work, point, solve_block
from descheduler.solver.greedy import Manner, greedy, stairs
from descheduler.solver.liquid import bounds


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
    ceilings = bounds([work.instance], reached) if work.points == 1 else {}
    if ceilings and all(reached.get(p, 0) >= most for p, most in ceilings.items()):
        return Improved(points=(point(work.instance, work.hint),), ceilings=tuple(sorted(ceilings.items(), reverse=True)))
    told = tuple(sorted(ceilings.items(), reverse=True))
    return Improved(points=solve_block(replace(work, ceilings=told)), ceilings=told)


def proven(asked: tuple[Sequence[Instance], Sequence[tuple[int, int]]]) -> dict[int, int]:
    """Bounds of some clusters together, higher priorities held at what a plan places."""
    instances, reached = asked
    return bounds(instances, dict(reached))


def first(asked: tuple[Instance, int | None]) -> tuple[Point, ...]:
    """``first_points`` as one task."""
    return first_points(*asked)
