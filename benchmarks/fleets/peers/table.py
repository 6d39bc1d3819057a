"""The peers by name, and how each is measured."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.fleets.peers.answer import Answer
from benchmarks.fleets.peers.cp_sat import Aggregated, Naive, Restricted, solved
from benchmarks.fleets.peers.first_fit import packed
from benchmarks.fleets.peers.judged import placed, unspoken, wrong
from descheduler.domain.problem import Problem


def _first_fit(problem: Problem, seconds: float, *, evict: bool) -> Answer:
    return Answer(placement=packed(problem, seconds, evict))


PEERS: dict[str, Callable[[Problem, float], Answer]] = {
    "first-fit-decreasing": partial(_first_fit, evict=False),
    "first-fit-evicting": partial(_first_fit, evict=True),
    "aggregated-cp-sat": partial(solved, Aggregated),
    "restricted-cp-sat": partial(solved, Restricted),
    "naive-cp-sat": partial(solved, Naive),
}
"""Each takes a problem and seconds."""


def asked(name: str, problem: Problem, seconds: float) -> dict[str, Any]:
    """One peer's figures.

    Raises:
        AssertionError: its answer breaks a rule.
    """
    row = unspoken(problem)
    if row is not None:
        return {"note": f"not asked: knows no {row}"}
    gc.collect()
    started = time.perf_counter()
    answer = PEERS[name](problem, seconds)
    spent = time.perf_counter() - started
    line: dict[str, Any] = {"seconds": round(spent, 2), "priorities": list(problem.priorities), "note": answer.note}
    if answer.placement is None:
        return {**line, "placed": None, "total": None, "moves": None}
    mistake = wrong(problem, answer.placement)
    assert mistake is None, f"{name}: {mistake}"
    counts = placed(problem, answer.placement)
    return {**line, "placed": counts, "total": sum(counts), "moves": answer.placement.moves}
