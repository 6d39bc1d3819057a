"""Which of a block's answers is the best."""

from __future__ import annotations

from descheduler.solver.arrays import Local
from descheduler.solver.point import Point, best_first


def a_point(*placed: tuple[int, int], moves: int = 0) -> Point:
    return Point(local=Local(departures={(0, 0): moves}, arrivals={}), placed=placed)


def test_an_important_pod_counts_for_more_than_many_others_and_fewer_moves_break_ties() -> None:
    best = [
        a_point((100, 2)),
        a_point((100, 1), (50, 3), moves=4),
        a_point((100, 1), (50, 3), moves=7),
        a_point((100, 1)),
        a_point((50, 5)),
        a_point(),
    ]

    assert best_first(best[::-1]) == best
