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
