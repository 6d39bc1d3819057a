"""Large fleets under a policy that ranks Headroom or EmptyNodes above Disruption: when the waiting pods have their places, moves for room.

How many pods of each priority are placed stays as it is, or gets better; where they are may change. Each block answers with the
best it finds for any number of moves, and one programme divides the moves that blocks share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from descheduler.domain.placement import Route
from descheduler.domain.problem import Problem
from descheduler.planner import Step
from descheduler.portfolio.score import residents_after, slots_after
from descheduler.portfolio.units import Unit, picked, sequenced, spends
from descheduler.rules.objectives.empty_nodes import freed
from descheduler.solver.arrays import every_step, to_moves
from descheduler.solver.gains import gains_of
from descheduler.solver.kernels import openings, rounds
from descheduler.solver.opening import Opening, open_slots, valued
from descheduler.solver.point import Point
from descheduler.solver.solution import LevelResult

if TYPE_CHECKING:
    from descheduler.portfolio.fleet import FleetSearch


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """Every block of some clusters looks for room, from what a route does there."""

    number: int
    per_node: int
    """Rounds per node of a block at effort 1."""
    heat: int
    price: float = 0.0


TURNS = ((60, 25), (700, 25), (300, 25))
"""Rounds per node of a block at effort 1, and the heat, turn by turn. The first finds out what moves bring; the second starts anew."""
REPAIRS = 2
"""Turns more while something is lost on the way to a lawful route."""
REPAIR = 50
SHARE = 0.5
"""Of what moves bring on average, what the last of them should bring: the first guess at their price where they are short."""
STEEPEST = 3.0
"""Times the price may rise or fall from one turn to the next."""
GENEROUS = 4
"""How much more than an equal share of what is left a block may use; the division decides who does."""
SLACK = 4
"""A block may always use its own moves and one for so many of them more: blocks exchange moves that way when all are used."""
FIRST_TURN = 100
"""Turns are numbered on from here, so that blocks are cut otherwise than before."""


def make_headroom(stages: FleetSearch) -> None:
    """Turns while they bring anything, and short ones as long as something is lost."""
    stages.gains = {cluster: gains_of(stages.problem, instance) for cluster, instance in stages.instances.items()}
    stages.prepare(rounds.resume, openings.begin, openings.open_slots)
    base, start, price = stages.best, _Standing.of(stages), 0.0
    for number, (per_node, heat) in enumerate(TURNS):
        before, turn = stages.best_score, _Turn(number=FIRST_TURN + number, per_node=per_node, heat=heat, price=price)
        steps, wanted = _answered(stages, turn, base if number < 2 else stages.best, stages.clusters)
        stages.keep(steps)
        for repair in range(1, REPAIRS + 1):
            if stages.lost and not stages.over():
                again = replace(turn, number=turn.number + repair * len(TURNS), per_node=REPAIR, heat=TURNS[-1][1])
                stages.keep(_answered(stages, again, stages.best, sorted(stages.lost))[0])
        stages.cut_short |= stages.over()
        if stages.cut_short or (number > 1 and not stages.best_score > before):
            return
        price = price * min(STEEPEST, max(1 / STEEPEST, wanted**2)) if number else SHARE * _Standing.of(stages).since(start)


@dataclass(frozen=True, slots=True)
class _Standing:
    """What the first objective has reached, and the moves that took; thousandths."""

    worth: int
    moves: int

    @staticmethod
    def of(stages: FleetSearch) -> _Standing:
        found = [valued(stages.gains[c], i, to_moves(i, stages.best)) for c, i in stages.instances.items()]
        return _Standing(sum(p.worth[0] for p in found), sum(p.moves for p in found))

    def since(self, start: _Standing) -> float:
        """What a move has brought."""
        return max(0, self.worth - start.worth) / max(1, self.moves - start.moves)


def _wanted(blocks: Sequence[Unit], points: Sequence[Sequence[Point]], price: float, limits: Mapping[int, int]) -> float:
    """How many moves all blocks would make at the price, for each that they may make together."""
    asked: Counter[int] = Counter()
    for unit, some in zip(blocks, points, strict=True):
        moves = max(some, key=lambda p: (p.placed, sum(p.worth[:1]) - price * p.moves)).moves
        asked.update(dict.fromkeys(_whole(unit), moves))
    holders = Counter(row for unit in blocks for row in _whole(unit))
    shared = [row for row, count in holders.items() if count > 1] or list(holders)
    return max((asked[row] / max(1, limits[row]) for row in shared), default=0.0)


def unproven_gains(problem: Problem, route: Route) -> tuple[LevelResult, ...]:
    """What the route brings beyond places for pods. No bound is known: those of relaxations are weak (reference/solver.md 4.4)."""
    keys = {"Headroom": ("slots", slots_after), "EmptyNodes": ("nodes", lambda p, r: freed(p, residents_after(p, r)))}
    found = ((name, *keys[name]) for name in problem.terms.earning)
    return tuple(LevelResult(name=name, key=key, value=value(problem, route), bound=None) for name, key, value in found)


def _answered(stages: FleetSearch, turn: _Turn, route: Route, asked: Sequence[str]) -> tuple[dict[str, list[Step]], float]:
    """The best of the blocks' answers that the shared limits allow, where it is news; and the moves wanted for each there is."""
    blocks = stages.cut_anew(turn.number, cut=True, instead=dict.fromkeys(stages.clusters, route))
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
            rounds=int(turn.per_node * stages.effort * len(blocks[i].instance.nodes)),
            price=int(turn.price),
            heat=turn.heat,
            seed=stages.seed + turn.number,
            seconds=stages.seconds(),
            owing=blocks[i].owing,
        )
        for i in todo
    ]
    told = stages.all_of(open_slots, tasks, stages.over)
    found = {i: answer for i, answer in zip(todo, told, strict=True) if answer is not None}
    points = [(*found.get(i, ()), valued(None if unit.settled else gains[i], unit.instance, unit.hint)) for i, unit in enumerate(blocks)]
    stages.cut_short |= any(p.cut_short for some in points for p in some)
    chosen = picked(blocks, points, stages.limits, None)
    changed = {u.instance.cluster for u, some, at in zip(blocks, points, chosen, strict=True) if at < len(some) - 1}
    steps = sequenced(blocks, points, chosen, [cluster for cluster in asked if cluster in changed])
    return steps, _wanted(blocks, points, turn.price, stages.limits)


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
        found.append(min(unit.cap(), own + max(min(shares, default=unit.cap()), own // SLACK + 4)))
    return found


def _whole(unit: Unit) -> list[int]:
    """Rows of limits that speak of every pod of the block that may move."""
    return [] if unit.settled else [budget.row for budget in unit.whole_budgets]
