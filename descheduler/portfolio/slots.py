"""Large fleets under a policy that ranks Headroom or EmptyNodes above Disruption: when the waiting pods have their places, moves for room.

How many pods of each priority are placed stays as it is, or gets better; where they are may change. Each block answers with the
best it finds for any number of moves, and one programme divides the moves that blocks share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from descheduler.domain.placement import Route
from descheduler.domain.problem import Problem
from descheduler.planner import Step
from descheduler.portfolio.score import residents_after, slots_after
from descheduler.portfolio.units import Unit, picked, spends
from descheduler.rules.objectives.empty_nodes import freed
from descheduler.solver import compiled
from descheduler.solver.arrays import every_step, to_moves, to_steps
from descheduler.solver.gains import gains_of
from descheduler.solver.kernels import openings, rounds
from descheduler.solver.opening import Opening, open_slots, valued
from descheduler.solver.solution import LevelResult
from descheduler.solver.tasks import PLAIN

if TYPE_CHECKING:
    from descheduler.portfolio.fleet import FleetSearch

TURNS = ((60, 0.0), (300, 1.0), (300, 1.0))
"""Rounds per node of a block at effort 1, turn by turn, and what a move costs at first, in what moves have brought so far."""
REPAIRS = 2
"""Turns more while something is lost on the way to a lawful route."""
REPAIR = 50
GENEROUS = 2
"""How much more than an equal share of what is left a block may use; the division decides who does."""
FIRST_TURN = 100
"""Turns are numbered on from here, so that blocks are cut otherwise than before."""


def make_headroom(stages: FleetSearch) -> None:
    """Turns while they bring anything, and short ones as long as something is lost."""
    stages.gains = {cluster: gains_of(stages.problem, instance) for cluster, instance in stages.instances.items()}
    if any(len(i.nodes) > PLAIN for i in stages.instances.values()):
        compiled.prepare((rounds.resume, openings.begin, openings.open_slots))
    start = _Standing.of(stages)
    for turn, (per_node, share) in enumerate(TURNS):
        price = int(share * _Standing.of(stages).since(start))
        before = stages.best_score
        stages.keep(_turn(stages, FIRST_TURN + turn, per_node, price, stages.clusters))
        for repair in range(REPAIRS):
            if stages.lost and not stages.over():
                stages.keep(_turn(stages, FIRST_TURN + turn + len(TURNS) * (1 + repair), REPAIR, price, sorted(stages.lost)))
        if stages.over():
            stages.cut_short = True
        if stages.cut_short or (turn and not stages.best_score > before):
            return


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the first objective has reached, and the moves that took; thousandths."""

    worth: int
    moves: int

    @staticmethod
    def of(stages: FleetSearch) -> _Standing:
        found = [valued(stages.gains[c], i, to_moves(i, stages.best)) for c, i in stages.instances.items()]
        return _Standing(sum(p.worth[0] for p in found), sum(p.moves for p in found))

    def since(self, start: _Standing) -> int:
        """What a move has brought."""
        return max(0, self.worth - start.worth) // max(1, self.moves - start.moves)


def unproven_gains(problem: Problem, route: Route) -> tuple[LevelResult, ...]:
    """What the route brings beyond places for pods. No bound is known: those of relaxations are weak (reference/solver.md 4.4)."""
    keys = {"Headroom": ("slots", slots_after), "EmptyNodes": ("nodes", lambda p, r: freed(p, residents_after(p, r)))}
    found = ((name, *keys[name]) for name in problem.terms.earning)
    return tuple(LevelResult(name=name, key=key, value=value(problem, route), bound=None) for name, key, value in found)


def _turn(stages: FleetSearch, turn: int, per_node: int, price: int, asked: Sequence[str]) -> dict[str, list[Step]]:
    """Every block of the ``asked`` clusters looks for room: the best of their answers that the shared limits allow."""
    blocks = stages.cut_anew(turn, cut=True)
    gains = [stages.gains[u.instance.cluster].on(stages.instances[u.instance.cluster], u.instance) for u in blocks]
    todo = [i for i, unit in enumerate(blocks) if unit.instance.cluster in asked and not unit.settled]
    most = _allowed(blocks, stages.limits)
    tasks = [
        Opening(
            instance=blocks[i].instance,
            gains=gains[i],
            hint=blocks[i].hint,
            most=most[i],
            waves=stages.waves(),
            rounds=int(per_node * stages.effort * len(blocks[i].instance.nodes)),
            price=price,
            seed=stages.seed + turn,
            seconds=stages.seconds(),
            owing=blocks[i].owing,
        )
        for i in todo
    ]
    told = stages.all_of(open_slots, tasks, stages.over)
    found = {i: answer for i, answer in zip(todo, told, strict=True) if answer is not None}
    points = [
        (*found.get(i, ()), valued(None if unit.settled else gains[i], unit.instance, unit.hint)) for i, unit in enumerate(blocks)
    ]
    stages.cut_short |= any(p.cut_short for some in points for p in some)
    chosen = picked(blocks, points, stages.limits, None)
    changed = {u.instance.cluster for u, some, at in zip(blocks, points, chosen, strict=True) if at < len(some) - 1}
    steps: dict[str, list[Step]] = {cluster: [] for cluster in asked if cluster in changed}
    for unit, some, at in zip(blocks, points, chosen, strict=True):
        if unit.instance.cluster in steps:
            steps[unit.instance.cluster] += to_steps(unit.instance, some[at].sequence)
    return steps


def _allowed(blocks: Sequence[Unit], limits: Mapping[int, int]) -> list[int]:
    """The moves that each block may make at most: those it makes and a share of what is left of the limits that it has in common."""
    spent: Counter[int] = Counter()
    for unit in blocks:
        spent.update(spends(unit.instance, every_step(unit.hint)))
    whole = [_whole(unit) for unit in blocks]
    holders = Counter(row for rows in whole for row in rows)
    found = []
    for unit, rows in zip(blocks, whole, strict=True):
        shares = [-(-GENEROUS * max(0, limits[row] - spent[row]) // holders[row]) for row in rows if holders[row] > 1]
        own = every_step(unit.hint).moves
        found.append(min(unit.cap(), own + max(min(shares, default=unit.cap()), own // 4 + 4)))
    return found


def _whole(unit: Unit) -> list[int]:
    """Rows of limits that speak of every pod of the block that may move."""
    if unit.settled:
        return []
    instance = unit.instance
    movers = frozenset(np.flatnonzero(instance.there.any(axis=1)).tolist())
    return [b.row for b in instance.budgets if b.nodes is None and movers <= frozenset(b.members.tolist())]
