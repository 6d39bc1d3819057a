"""Several slow deeds side by side, and an end to waiting: whatever hangs is left behind."""

from __future__ import annotations

import gc
import queue
import threading
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

from descheduler.clock import Clock

T = TypeVar("T")

Outcome = tuple[T | None, BaseException | None]


def concurrently(deeds: Mapping[str, Callable[[], T]], clock: Clock, *, at_once: int, patience_seconds: float) -> dict[str, Outcome[T]]:
    """What each deed answered or raised, by name; those that had not ended in time are missing.

    The threads are daemons: a credential plugin that never returns, or a name that is never resolved, delays the others
    until ``patience_seconds`` are over and cannot keep the process alive.
    """
    waiting = deque(deeds.items())
    ended: queue.SimpleQueue[tuple[str, Outcome[T]]] = queue.SimpleQueue()

    def work() -> None:
        while True:
            try:
                name, deed = waiting.popleft()
            except IndexError:
                return
            try:
                ended.put((name, (deed(), None)))
            except BaseException as error:  # noqa: BLE001  # handed to the thread that asked, which judges it
                ended.put((name, (None, error)))

    for _ in range(min(at_once, len(deeds))):
        threading.Thread(target=work, daemon=True).start()
    until = clock.monotonic() + patience_seconds
    found: dict[str, Outcome[T]] = {}
    while len(found) < len(deeds):
        try:
            name, outcome = ended.get(timeout=max(0.0, until - clock.monotonic()))
        except queue.Empty:
            waiting.clear()
            break
        found[name] = outcome
    return found


@contextmanager
def without_collecting() -> Iterator[None]:
    """No cyclic garbage collection meanwhile: JSON holds no cycles, and looking for them costs more than parsing it."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
