"""Memory of a process and all its descendants: PSS, which counts what they share once (proc(5), smaps_rollup)."""

from __future__ import annotations

import os
import threading
from pathlib import Path
from types import TracebackType
from typing import Self

PROC = Path("/proc")
PERIOD = 0.2
"""Seconds between two looks."""
MB = 1000  # kB


def descendants(root: int) -> list[int]:
    """The process and whoever it has started, and they in turn; those that are gone by now are left out."""
    children: dict[int, list[int]] = {}
    for stat in PROC.glob("[0-9]*/stat"):
        try:
            pid, _, rest = stat.read_text().partition(" (")
            parent = int(rest.rpartition(") ")[2].split()[1])  # the name between may hold anything
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(pid))
    found, at = [root], 0
    while at < len(found):
        found += children.get(found[at], [])
        at += 1
    return found


def pss(root: int | None = None) -> int | None:
    """kB of the process and its descendants; ``None`` where the kernel does not tell."""
    told = [_pss(pid) for pid in descendants(os.getpid() if root is None else root)]
    known = [kb for kb in told if kb is not None]
    return sum(known) if known else None


def _pss(pid: int) -> int | None:
    try:
        lines = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), None)


class Watch:
    """Looks at the memory from time to time while it is open; ``peak`` is the most it saw, in kB.

    A look takes some milliseconds of a thread of this process and is part of what is measured.
    """

    def __init__(self) -> None:
        self.before = pss()
        self.peak = self.before
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        while not self._ended.wait(PERIOD):
            self._look()

    def _look(self) -> None:
        now = pss()
        if now is not None:
            self.peak = max(now, self.peak or 0)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()
        self._look()

    def figures(self) -> dict[str, int | None]:
        """In MB: the peak, and how much of it was not there at the start, that is, after reading."""
        if self.peak is None or self.before is None:
            return {"peak MB": None, "beyond reading MB": None}
        return {"peak MB": round(self.peak / MB), "beyond reading MB": round((self.peak - self.before) / MB)}
