"""What a block answers: moves, what they place, and what that is worth."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from descheduler.solver.arrays import Instance, Local, Move, local_of, placed


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One answer: what is placed with how many moves."""

    local: Local
    placed: tuple[tuple[int, int], ...]
    """(priority, count), highest first."""
    cut_short: bool = False
    """The wall clock ended the search."""
    sequence: tuple[Move, ...] = ()
    """The same as moves, each lawful after those before it."""
    worth: tuple[int, ...] = ()
    """What nodes are worth by their room, less the floor for every move, by objective; thousandths. Empty: moves are for pods alone."""

    @property
    def moves(self) -> int:
        return self.local.moves


def in_order(instance: Instance, sequence: Sequence[Move], cut_short: bool = False) -> Point:
    """The answer that a sequence of moves is."""
    local = local_of(sequence)
    counts = tuple(sorted(placed(instance, local).items(), reverse=True))
    return Point(local=local, placed=counts, cut_short=cut_short, sequence=tuple(sequence))


def best_first(points: Sequence[Point]) -> list[Point]:
    """In the strict order, of equal ones those with fewer moves first."""
    return sorted(points, key=lambda p: (p.placed, -p.moves), reverse=True)
