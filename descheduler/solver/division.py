"""Dividing what blocks share: each answers with a frontier, one programme picks a point of each (DESIGN.md section 6)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ortools.sat.python import cp_model

EFFORT = 2.0
"""Deterministic seconds of one level; these programmes are tiny."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What a block places at a point of its frontier, and what that takes of the budgets that blocks share."""

    placed: Mapping[int, int]
    """Priority to count."""
    moves: int
    spends: Mapping[int, int]
    """Shared row to moves counted in it."""
    worth: tuple[int, ...] = ()
    """What its nodes are worth by their room, by objective; empty: nothing."""


def divide(offers: Sequence[Sequence[Offer]], limits: Mapping[int, int], ratio: int | None) -> list[int]:
    """For each block the index of its point: the best vector in the strict order, the worth of nodes, fewest moves, the first points."""
    cp = cp_model.CpModel()
    chosen = [[cp.new_bool_var("") for _ in block] for block in offers]
    pairs = [(literal, offer) for row, block in zip(chosen, offers, strict=True) for literal, offer in zip(row, block, strict=True)]
    for row in chosen:
        cp.add_exactly_one(row)
    for shared, limit in sorted(limits.items()):
        cp.add(sum(offer.spends.get(shared, 0) * literal for literal, offer in pairs) <= limit)
    moves = sum(offer.moves * literal for literal, offer in pairs)
    if ratio is not None:
        cp.add(moves <= ratio * sum(sum(offer.placed.values()) * literal for literal, offer in pairs))
    priorities = sorted({p for _, offer in pairs for p in offer.placed}, reverse=True)
    goals = [sum(offer.placed.get(p, 0) * literal for literal, offer in pairs) for p in priorities]
    worths = range(max((len(offer.worth) for _, offer in pairs), default=0))
    goals += [sum(offer.worth[at] * literal for literal, offer in pairs if offer.worth) for at in worths]
    picked = [len(block) - 1 for block in offers]  # the cheapest point of each, should nothing be found
    for goal in (*goals, -moves, -sum(i * literal for row in chosen for i, literal in enumerate(row))):
        cp.maximize(goal)
        solver = cp_model.CpSolver()
        solver.parameters.num_workers = 1
        solver.parameters.max_deterministic_time = EFFORT
        if solver.solve(cp) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            break
        picked = [next(i for i, literal in enumerate(row) if solver.value(literal)) for row in chosen]
        cp.add(goal >= round(solver.objective_value))
        cp.clear_hints()  # type: ignore[no-untyped-call]  # OR-Tools ships no type for it
        for row, at in zip(chosen, picked, strict=True):
            for i, literal in enumerate(row):
                cp.add_hint(literal, i == at)
    return picked
