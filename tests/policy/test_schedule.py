"""When pods may be moved: weekly hours by the wall clock, one-off spans, and blackouts that win."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from descheduler.policy.schedule import Schedule

NIGHT = {"days": ["Fri"], "start": "22:00", "end": "06:00"}
HOLIDAYS = {"from": "2026-12-24T00:00:00Z", "to": "2026-12-27T00:00:00Z"}


def may_move(at: str, **told: Any) -> bool:
    return Schedule.model_validate(told).closed(datetime.fromisoformat(at)) is None


@pytest.mark.parametrize(
    ("at", "within"),
    [
        ("2026-11-27T21:59:59+00:00", False),  # a Friday
        ("2026-11-27T22:00:00+00:00", True),
        ("2026-11-28T05:59:59+00:00", True),
        ("2026-11-28T06:00:00+00:00", False),
        ("2026-11-28T22:00:00+00:00", False),
        ("2026-11-27T03:00:00+00:00", False),  # Thursday's night is not on the list
    ],
)
def test_hours_over_midnight_belong_to_the_day_they_start_on(at: str, within: bool) -> None:
    assert may_move(at, windows=[NIGHT]) is within
    assert may_move(at, blackouts=[NIGHT]) is not within


def test_weekly_hours_are_those_of_the_time_zone_also_when_clocks_change() -> None:
    morning = {"start": "08:00", "end": "09:00"}

    for at, within in (("2026-07-01T06:30:00+00:00", True), ("2026-12-01T06:30:00+00:00", False), ("2026-12-01T07:30:00+00:00", True)):
        assert may_move(at, timeZone="Europe/Berlin", windows=[morning]) is within, at


def test_a_whole_day_and_a_span_of_days() -> None:
    assert may_move("2026-11-28T23:59:59+00:00", windows=[{"days": ["Sat"], "start": "00:00", "end": "24:00"}])
    assert may_move("2026-12-26T23:59:59+00:00", windows=[HOLIDAYS])
    assert not may_move("2026-12-27T00:00:00+00:00", windows=[HOLIDAYS])


def test_a_blackout_wins_over_a_window_and_without_either_any_time_will_do() -> None:
    assert may_move("2026-12-25T12:00:00+00:00")
    assert not may_move(
        "2026-12-25T12:00:00+00:00", windows=[HOLIDAYS], blackouts=[{"from": "2026-12-25T00:00:00Z", "to": "2026-12-26T00:00:00Z"}]
    )
