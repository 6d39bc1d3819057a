"""When the tool may act: weekly hours, one-off spans, and pauses after a move."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator, model_validator

from descheduler.domain.durations import format_duration
from descheduler.policy.amounts import PositiveCount, Priority, ZeroToOne
from descheduler.policy.durations import Duration, PositiveDuration
from descheduler.policy.names import ClockTime, Instant, TimeZone, clock_time, distinct
from descheduler.policy.section import Section
from descheduler.policy.wording import mistake, mistakes

Day = Literal["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
WEEK: tuple[Day, ...] = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Period(Section):
    """A span of time: either weekly hours (days, start, end) or once (from, to)."""

    days: tuple[Day, ...] = Field(default=WEEK, min_length=1)
    """The days on which weekly hours start."""

    start: ClockTime | None = None
    """When weekly hours start, in the schedule's time zone."""

    end: ClockTime | None = None
    """When weekly hours end; an end at or before the start is on the next day."""

    from_: Instant | None = Field(default=None, alias="from")
    """When a one-off span begins, with its offset from UTC."""

    to: Instant | None = None
    """When a one-off span ends, with its offset from UTC."""

    @field_validator("days")
    @classmethod
    def _listed_once(cls, days: tuple[Day, ...]) -> tuple[Day, ...]:
        if twice := distinct(days):
            raise mistakes(twice)
        return days

    @model_validator(mode="after")
    def _one_form(self) -> Period:
        weekly = self.model_fields_set & {"days", "start", "end"}
        once = self.model_fields_set & {"from_", "to"}
        if bool(weekly) == bool(once):
            raise mistake("must have either start and end (weekly hours, with days if not every day) or from and to (once)")
        if weekly and (self.start is None or self.end is None):
            raise mistake("weekly hours need both start and end")
        if weekly and self.start == self.end:
            raise mistake('must differ from start; a whole day is "00:00" to "24:00"', "end")
        if once and (self.from_ is None or self.to is None):
            raise mistake("a one-off span needs both from and to")
        if self.from_ is not None and self.to is not None and self.to <= self.from_:
            raise mistake("must be later than from", "to")
        return self

    def covers(self, at: datetime, zone: ZoneInfo) -> bool:
        """Whether an instant lies within; weekly hours are those of the wall clock in ``zone``, the start included, the end not."""
        if self.from_ is not None and self.to is not None:
            return self.from_ <= at < self.to
        assert self.start is not None
        assert self.end is not None
        here = at.astimezone(zone)
        start, end, now = clock_time(self.start), clock_time(self.end), here.time()
        today, yesterday = WEEK[here.weekday()], WEEK[here.weekday() - 1]
        if start < end:
            return today in self.days and start <= now < end
        return (today in self.days and now >= start) or (yesterday in self.days and now < end)


class Schedule(Section):
    """When pods may be moved."""

    time_zone: TimeZone = "UTC"
    """The IANA time zone of the weekly hours below, such as `Europe/Berlin`."""

    windows: tuple[Period, ...] = ()
    """Pods are moved only within one of these; an empty list means at any time."""

    blackouts: tuple[Period, ...] = ()
    """Pods are never moved within one of these, even inside a window."""

    def closed(self, at: datetime) -> str | None:
        """Why no pod may be moved at an instant; ``None`` when pods may."""
        zone = ZoneInfo(self.time_zone)
        if any(blackout.covers(at, zone) for blackout in self.blackouts):
            return "the policy's schedule has a blackout now"
        if self.windows and not any(window.covers(at, zone) for window in self.windows):
            return "it is outside the windows of the policy's schedule"
        return None


class Cooldown(Section):
    """How long a workload is left alone after a move."""

    per_workload: Duration = timedelta(hours=1)
    """After a pod of a workload was moved, no other pod of it is moved for this long."""

    backoff_max: Duration = timedelta(hours=24)
    """Every failed move doubles the pause, up to this long. For as long no pod of the workload goes back to a node one was moved from."""

    @model_validator(mode="after")
    def _a_pause_only_grows(self) -> Cooldown:
        if self.backoff_max < self.per_workload:
            raise mistake(f"must be at least perWorkload ({format_duration(self.per_workload)})", "backoffMax")
        return self


class Trigger(Section):
    """When a waiting pod is worth moving others for."""

    pending_for: Duration = timedelta(minutes=2)
    """A pod must have waited this long."""

    min_priority: Priority | None = None
    """A pod must have at least this priority; null means any."""

    seen_in_runs: PositiveCount = 1
    """A pod must have been waiting in this many runs in a row, this one included."""

    scale_up_grace: Duration = timedelta(minutes=10)
    """A pod for which an autoscaler announced a node is left to it for this long."""


class SecondLook(Section):
    """How a plan is judged again before it is applied."""

    min_gain_share: ZeroToOne = 0.8
    """The share of the plan's gain, from 0 to 1, that must still be there."""

    plan_max_age: PositiveDuration = timedelta(minutes=15)
    """A plan older than this is stale and refused."""
