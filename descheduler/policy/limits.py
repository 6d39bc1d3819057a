"""Limits: how many pods may be moved, and how much every move must bring."""

from __future__ import annotations

from pydantic import field_validator

from descheduler.domain.durations import format_duration
from descheduler.policy.amounts import Amount, AmountField, Count, Number, PositiveCount
from descheduler.policy.durations import PositiveDuration
from descheduler.policy.section import Section
from descheduler.policy.wording import Location, mistakes


class WindowLimit(Section):
    """How many pods all runs within a span of time may move together."""

    window: PositiveDuration
    """The length of the span, which ends now."""

    per_fleet: AmountField | None = None
    """The most pods moved in all clusters: a count, or a share of all running pods; null means no limit."""

    per_workload: AmountField | None = None
    """The most pods moved of one workload: a count, or a share of its running pods; null means no limit."""


DAILY = WindowLimit.model_validate({"window": "24h", "perFleet": 100, "perWorkload": 2})
"""The one limit over several runs of the shipped default."""


class Limits(Section):
    """How many pods one run may move at most.

    A share such as 10% is of the running pods in that scope and is rounded down. Null means no limit.
    """

    per_run: AmountField | None = Amount(20)
    """The most pods moved in one run, all clusters together: a count, or a share of all running pods."""

    per_cluster: AmountField | None = Amount(10)
    """The most pods moved out of one cluster in one run: a count, or a share of the cluster's running pods."""

    per_namespace: AmountField | None = Amount(5)
    """The most pods moved of one namespace of one cluster in one run: a count, or a share of its running pods."""

    per_node: AmountField | None = Amount(5)
    """The most pods that leave one node in one run: a count, or a share of the pods running on it."""

    per_workload: AmountField | None = Amount(1)
    """The most pods moved of one workload in one run: a count, or a share of its running pods."""

    moves_per_placed_pod: Count | None = 5
    """The most moves made for the waiting pods, per waiting pod that gets room."""

    waves: PositiveCount | None = 8
    """The most waves a plan may have; a wave begins when the one before has ended."""

    cycle_breaks: Count | None = 0
    """The most pods of one run that may be held without a node between two waves, to break a cycle of moves."""

    per_window: tuple[WindowLimit, ...] = (DAILY,)
    """Limits over several runs, each over its own span of time."""

    @field_validator("per_window")
    @classmethod
    def _one_limit_per_window(cls, windows: tuple[WindowLimit, ...]) -> tuple[WindowLimit, ...]:
        lengths = [w.window for w in windows]
        twice: list[tuple[Location, str]] = [
            ((i, "window"), f"{format_duration(length)} is listed twice") for i, length in enumerate(lengths) if length in lengths[:i]
        ]
        if twice:
            raise mistakes(twice)
        return windows


class Floor(Section):
    """What moves beyond those for waiting pods must bring."""

    slots_per_move: Number = 0.5
    """Weighted slots, or priced nodes for the objective EmptyNodes, that each such move must add at least."""
