"""The clock of the external benchmarks: how long a search may take, in wall seconds or in seconds of CPU.

The published limits are wall seconds of an otherwise idle machine. Where the cores are shared, the same work is measured with
``cpu``: the process has one thread that works, so a CPU second is what a wall second would be if nobody else were there.
"""

from __future__ import annotations

import threading
import time

from ortools.sat.python import cp_model

KINDS = ("wall", "cpu")
PERIOD = 0.002
"""Seconds between two looks at the CPU clock while a solver runs."""


class Stopwatch:
    """Counts from its making to ``limit`` seconds."""

    def __init__(self, limit: float, kind: str = "wall") -> None:
        self.limit = limit
        self.kind = kind
        self._wall = time.perf_counter()
        self._cpu = time.process_time()

    @property
    def wall(self) -> float:
        return time.perf_counter() - self._wall

    @property
    def cpu(self) -> float:
        return time.process_time() - self._cpu

    @property
    def spent(self) -> float:
        """Seconds by the clock that counts."""
        return self.wall if self.kind == "wall" else self.cpu

    @property
    def left(self) -> float:
        return self.limit - self.spent

    @property
    def late(self) -> bool:
        return self.left < 0

    def solve(self, solver: cp_model.CpSolver, model: cp_model.CpModel, seconds: float) -> cp_model.CpSolverStatus:
        """Run the solver, one worker, for so many seconds of the clock that counts, at most until the limit."""
        allowed = max(0.001, min(seconds, self.left))
        solver.parameters.num_workers = 1
        if self.kind == "wall":
            solver.parameters.max_time_in_seconds = allowed
            return solver.solve(model)
        ended = threading.Event()
        guard = threading.Thread(target=self._stop_at, args=(self.spent + allowed, solver, ended), daemon=True)
        guard.start()
        try:
            return solver.solve(model)
        finally:
            ended.set()
            guard.join()

    def _stop_at(self, end: float, solver: cp_model.CpSolver, ended: threading.Event) -> None:
        """Ask the solver to stop once the CPU clock says so; asked again, for it may not have begun yet."""
        while not ended.wait(PERIOD):
            if self.spent >= end:
                solver.stop_search()
