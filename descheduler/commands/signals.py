"""Signals that ask a command to come to an end: nothing new, leave things in order, tell what there is."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any, Self


class Signals:
    """SIGTERM and SIGINT once mean: come to an end. A second time they mean what they always mean: end here and now.

    As a context it gives the signals back afterwards. Outside the main thread, where Python lets nobody hear signals, it hears none.
    """

    def __init__(self) -> None:
        self._heard: str | None = None
        self._before: dict[int, Any] = {}
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                self._before[number] = signal.signal(number, self._hear)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._heard = f"stopped by {signal.Signals(number).name}"
        for each in self._before:
            signal.signal(each, signal.SIG_DFL)

    def heard(self) -> str | None:
        """Why the command shall come to an end, or ``None``."""
        return self._heard

    def stop(self) -> bool:
        """Whether it shall."""
        return self._heard is not None
