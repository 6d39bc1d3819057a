"""What later runs must heed of earlier ones."""

from __future__ import annotations

from datetime import timedelta

import pytest

from descheduler.domain.history import BEGUN, BLOCKED, DONE, FAILED, History, PastMove
from tests.builders import NOW

WEB = ("east", "shop", "Deployment", "web")
HOUR = timedelta(hours=1)


def moved(ago: timedelta, outcome: str = DONE, *, source: str = "a", target: str = "b") -> PastMove:
    return PastMove(workload=WEB, source=source, target=target, at=NOW - ago, outcome=outcome)


def test_moves_count_in_a_window_unless_the_pod_stayed_where_it_was() -> None:
    history = History(moves=(moved(HOUR), moved(2 * HOUR, FAILED), moved(3 * HOUR, BLOCKED), moved(4 * HOUR, BEGUN), moved(30 * HOUR)))

    assert history.since(NOW - 24 * HOUR) == 3
    assert history.since(NOW - 24 * HOUR, WEB) == 3
    assert history.since(NOW - 24 * HOUR, ("west", "shop", "Deployment", "web")) == 0


@pytest.mark.parametrize(
    ("outcomes", "pause"),
    [
        ([], None),
        ([DONE], HOUR),
        ([BEGUN], HOUR),
        ([FAILED], 2 * HOUR),
        ([FAILED, BLOCKED], 4 * HOUR),
        ([FAILED, DONE], HOUR),
        ([FAILED] * 9, 24 * HOUR),
    ],
)
def test_every_attempt_in_vain_doubles_the_pause(outcomes: list[str], pause: timedelta | None) -> None:
    moves = tuple(moved((len(outcomes) - i) * HOUR, outcome) for i, outcome in enumerate(outcomes))

    until = History(moves=moves).resting_until(WEB, HOUR, 24 * HOUR)

    assert until == (None if pause is None else NOW - HOUR + pause)


def test_without_a_cooldown_nobody_rests() -> None:
    assert History(moves=(moved(HOUR, FAILED),)).resting_until(WEB, timedelta(), 24 * HOUR) is None


def test_a_node_that_was_left_and_one_that_did_not_do_well_are_benched() -> None:
    history = History(moves=(moved(HOUR, source="old", target="new"), moved(HOUR, FAILED, source="home", target="bad")))

    assert history.benched(WEB, NOW - 24 * HOUR) == {"old", "bad"}
    assert history.benched(WEB, NOW - HOUR / 2) == set()
