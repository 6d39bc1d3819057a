"""What single values mean: amounts, durations, times, shapes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.domain.durations import format_duration
from descheduler.domain.resources import Resources
from descheduler.domain.selectors import Toleration
from descheduler.policy import Policy, policy_from_text
from descheduler.policy.amounts import Amount
from descheduler.policy.durations import parse_duration


def a_policy(**spec: Any) -> Policy:
    return Policy.model_validate({"spec": spec})


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10m", 600), ("1h30m", 5400), ("2m", 120), ("500ms", 0.5), ("0s", 0), ("7d", 604_800), ("1.5h", 5400), ("1m1m", 120)],
)
def test_durations_read_as_in_go(text: str, seconds: float) -> None:
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "m", "-1m", "1 m", "1M", "10m ", "1y", "1m\n", "٣m", "99999d", "9" * 400 + "s"])
def test_everything_else_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match=r"is not a duration|longer than ten years"):
        parse_duration(text)


@given(st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=3650)).map(lambda t: t - t % timedelta(milliseconds=1)))
def test_a_duration_survives_being_written_and_read(duration: timedelta) -> None:
    assert parse_duration(format_duration(duration)) == duration


@pytest.mark.parametrize(
    ("written", "running", "allowed"),
    [
        (3, 100, 3),
        (0, 100, 0),
        ("10%", 100, 10),
        ("10%", 9, 0),
        ("10%", 19, 1),
        ("0.5%", 1000, 5),
        ("33.33%", 10_000, 3333),
        ("100%", 7, 7),
    ],
)
def test_a_share_is_of_the_running_pods_and_rounded_down(written: object, running: int, allowed: int) -> None:
    limit = a_policy(limits={"perRun": written}).spec.limits.per_run

    assert limit is not None
    assert limit.resolve(running) == allowed


def test_null_means_no_limit() -> None:
    limits = a_policy(limits={"perRun": None, "waves": None, "perWindow": [{"window": "1h", "perFleet": None}]}).spec.limits

    assert (limits.per_run, limits.waves, limits.per_window[0].per_fleet) == (None, None, None)
    assert limits.per_cluster == Amount(10)


def test_a_shape_has_exact_requests_in_base_units() -> None:
    shapes = a_policy(
        shapes=[
            {
                "name": "gpu",
                "weight": 2.5,
                "requests": {"cpu": 0.1, "memory": "1.5Gi", "nvidia.com/gpu": 2},
                "nodeSelector": {"pool": "gpu"},
                "tolerations": [{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
            }
        ]
    ).spec.shapes

    assert isinstance(shapes, tuple)
    (shape,) = shapes
    assert shape.requests == Resources({"cpu": 100, "memory": 3 * 2**29, "nvidia.com/gpu": 2})
    assert shape.node_selector == (("pool", "gpu"),)
    assert shape.tolerated == (Toleration("gpu", "Exists", "", "NoSchedule"),)


def test_shapes_may_be_derived_and_survive_a_round_trip() -> None:
    for shapes in ("auto", [{"name": "a", "requests": {"cpu": "500m"}}]):
        policy = a_policy(shapes=shapes)

        told = policy.model_dump(mode="json", by_alias=True)["spec"]["shapes"]

        assert told == "auto" if shapes == "auto" else told[0]["requests"] == {"cpu": "500m"}
        assert a_policy(shapes=told) == policy


def test_times_of_day_need_no_quotes_in_yaml() -> None:
    policy = policy_from_text(
        "apiVersion: fleet.descheduler.io/v1alpha1\nkind: DeschedulePolicy\nspec:\n  schedule:\n    timeZone: Europe/Berlin\n"
        "    windows:\n    - {days: [Sat, Sun], start: 22:00, end: 06:30}\n"
        "    blackouts:\n    - {from: 2026-12-24T00:00:00+01:00, to: 2026-12-27T00:00:00Z}\n"
    )

    window, blackout = policy.spec.schedule.windows[0], policy.spec.schedule.blackouts[0]
    assert (window.days, window.start, window.end) == (("Sat", "Sun"), "22:00", "06:30")
    assert blackout.from_ == datetime(2026, 12, 23, 23, tzinfo=UTC)


def test_a_policy_cannot_be_changed() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Policy().spec.mode = "Apply"
