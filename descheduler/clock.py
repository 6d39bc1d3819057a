"""The only place that knows what time it is and how to wait."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Hands out the time; a test's clock jumps instead of waiting."""

    def now(self) -> datetime:
        """The current instant, in UTC."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed instant; never goes back."""
        ...

    def sleep(self, pause: timedelta) -> None:
        """Return after ``pause`` has passed."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep(self, pause: timedelta) -> None:
        time.sleep(pause.total_seconds())


class SimulatedClock:
    """A clock for simulated fleets and for tests: it jumps instead of waiting."""

    def __init__(self, start: datetime) -> None:
        self._start = start
        self.slept = timedelta()
        """All pauses asked for so far."""

    def now(self) -> datetime:
        return self._start + self.slept

    def monotonic(self) -> float:
        return self.slept.total_seconds()

    def sleep(self, pause: timedelta) -> None:
        self.slept += max(pause, timedelta())
