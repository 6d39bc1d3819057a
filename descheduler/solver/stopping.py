"""CP-SAT that ends early when asked to, with the best it has found."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

from ortools.sat.python import cp_model

POLL = 0.1
"""Seconds between two questions whether to stop."""


def solved(
    solver: cp_model.CpSolver, model: cp_model.CpModel, stop: Callable[[], bool], callback: cp_model.CpSolverSolutionCallback | None = None
) -> cp_model.CpSolverStatus:
    """Solve; once ``stop`` says so, end with what was found so far.

    The search runs in a thread of its own: Python hears signals in its main thread, and there only while that is not inside
    the solver. CP-SAT's own handler is off: it would end one search after another and tell nobody.
    """
    solver.parameters.catch_sigint_signal = False
    with ThreadPoolExecutor(1) as thread:
        future = thread.submit(solver.solve, model, callback)
        try:
            while not wait((future,), POLL).done:
                if stop():
                    solver.stop_search()
        except BaseException:  # KeyboardInterrupt above all: the thread must not search on
            while not wait((future,), POLL).done:
                solver.stop_search()
            raise
        return future.result()
