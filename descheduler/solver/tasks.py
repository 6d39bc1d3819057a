"""What worker processes do: one task of arrays in, one answer out. Importable by its name, so that any executor can send it anywhere."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from descheduler.solver.arrays import Instance, Move, local_of, placed
from descheduler.solver.bounds import Cut, Proof, bounds, exchanges, together
from descheduler.solver.compiled import compiled
from descheduler.solver.kernels import rounds, slots
from descheduler.solver.kernels.memory import STAIRS, WORTH, Memory
from descheduler.solver.point import Point, in_order

CHUNK = 200
"""Rounds between two looks at the clock."""
PLAIN = 16
"""Nodes up to which the kernels run uncompiled: loading their machine code takes longer than such a search."""
BOUNDED = 150
"""Nodes up to which a block is asked for its bounds on the way; larger ones take longer than that could save."""
HEAT = 2 * WORTH
SETTLED = 0.15
"""Share of its rounds that a block searches which has reached its bounds, for fewer moves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quest:
    """One block's task for ruin and recreate."""

    instance: Instance
    hint: tuple[Move, ...] = ()
    """Where to begin; what is not lawful of it is left out."""
    most: int
    """Moves at most."""
    waves: int
    """Waves of moves at most; a pod may be placed one wave later."""
    rounds: int = 0
    """0: the greedy alone."""
    seed: int = 0
    seconds: float | None = None
    """When to stop at the latest, from the start; only an emergency stop."""
    owing: tuple[int, ...] = ()
    """Nodes at which pods of other blocks arrive."""
    frontier: bool = False
    """Whether the best answers with fewer moves are wanted too."""
    ceilings: tuple[tuple[int, int], ...] = ()
    """(priority, most pods) as far as it was asked before; reaching them ends the search early."""
    price: int | None = None
    """Worth of a move where moves are scarce; a pod of the lowest priority is worth a thousand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Improved:
    """A block's answers, and what was proven about it on the way."""

    points: tuple[Point, ...]
    ceilings: tuple[tuple[int, int], ...] = ()


def seek(quest: Quest) -> Improved:
    """Greedy on top of the hint, then rounds of ruin and recreate: all of them, or few once the block's bounds are reached."""
    started = time.monotonic()
    memory = _started(quest)
    ceilings: Mapping[int, int] = {}
    short = False
    if quest.rounds:
        held = placed(quest.instance, local_of(memory.best()))
        ceilings = dict(quest.ceilings)
        if not ceilings and not quest.frontier and len(quest.instance.nodes) <= BOUNDED:
            ceilings = bounds(quest.instance, held, quest.seconds, onward=True).bounds
        short = _searched(quest, memory, ceilings, started)
    found = memory.frontier() if quest.frontier else [memory.best()]
    points = tuple(in_order(quest.instance, moves, short) for moves in found)
    return Improved(points=points, ceilings=tuple(sorted(ceilings.items(), reverse=True)))


def ready(kernel: Callable[..., None], instance: Instance) -> Callable[..., None]:
    """The kernel as it is best run on the instance."""
    return kernel if len(instance.nodes) <= PLAIN else compiled(kernel)


def _started(quest: Quest) -> Memory:
    """The hint, then whoever comes on top of it."""
    memory = Memory(
        quest.instance,
        most=quest.most,
        waves=quest.waves,
        stairs=STAIRS if quest.frontier else 0,
        seed=quest.seed,
        owing=quest.owing,
    )
    resume, greedy = (ready(kernel, quest.instance) for kernel in (rounds.resume, rounds.greedy))
    m, longest = memory.vector, memory.longest
    if quest.price is not None:
        m[slots.PRICE] = quest.price
    m[slots.ROUNDS], m[slots.HEAT] = max(1, quest.rounds), HEAT
    resume(m, longest, memory.record(quest.hint))
    if quest.frontier:  # cheap pods of low priority may take what an important one needs: once without them, whatever it costs
        greedy(m, longest, quest.most)
        resume(m, longest, memory.record(quest.hint))
    for price in (1, 2, 4, quest.most) if quest.frontier else (quest.most,):
        greedy(m, longest, price)
    return memory


def _searched(quest: Quest, memory: Memory, ceilings: Mapping[int, int], started: float) -> bool:
    """All rounds, or until the bounds are reached and some more; whether the clock ended it."""
    search = ready(rounds.search, quest.instance)
    m, done, most = memory.vector, 0, quest.rounds
    wanted = tuple(ceilings.get(p, -1) for p in quest.instance.priorities)
    reached = False
    while done < most:
        if quest.seconds is not None and time.monotonic() - started > quest.seconds:
            return True
        if not reached and wanted and -1 not in wanted and memory.gained() >= wanted:
            reached = True
            most = min(most, done + int(SETTLED * quest.rounds) + 1)
        search(m, memory.longest, min(CHUNK, most - done))
        done += CHUNK
    return False


Pairs = tuple[tuple[int, int], ...]
"""(priority, pods)."""


def proven(asked: tuple[Instance, Pairs, float | None]) -> Proof:
    """Bounds of one cluster, higher priorities held at what a plan places there, within so many seconds."""
    instance, reached, seconds = asked
    return bounds(instance, dict(reached), seconds)


def exchangeable(asked: tuple[Instance, Pairs, tuple[int, ...], float | None]) -> Proof:
    """What one cluster can have of the open priorities, the settled ones held."""
    instance, settled, open_, seconds = asked
    return exchanges(instance, dict(settled), open_, seconds)


def all_together(
    asked: tuple[Sequence[Instance], Sequence[Sequence[Cut]], Pairs, tuple[int, ...], int | None, float | None],
) -> Proof:
    """Bounds of all clusters in one programme."""
    instances, cuts, reached, open_, ratio, seconds = asked
    return together(instances, cuts, dict(reached), open_, ratio, seconds)
