"""One block's search for slots: what waits has its places, and moves are made for room itself."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from descheduler.solver.arrays import Instance, Move, every_step
from descheduler.solver.gains import Gains, worth
from descheduler.solver.kernels import openings, rounds, slots
from descheduler.solver.kernels.memory import FIRST, STAIRS, Memory
from descheduler.solver.point import Point, in_order
from descheduler.solver.tasks import CHUNK, ready

DREAD = 4
"""Of the dearest slot, for each move that a rival could rob."""
HOTTEST = 2**31 - 2
"""More and the kernels' random numbers would not fit into 64 bits: weights may be as large as 1e9."""
HEAT = 25
"""Hundredths of an average slot, in what the search may lose in a round at its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """One block's task."""

    instance: Instance
    gains: Gains
    hint: tuple[Move, ...]
    """Where to begin; what it places stays placed, by priority."""
    most: int
    """Moves at most."""
    waves: int
    rounds: int
    price: int
    """Thousandths of the first objective that a move costs within the search, beside the floor: what it would bring elsewhere."""
    heat: int = HEAT
    """Hundredths of an average slot that a round may lose at the beginning; ever less until the end."""
    seed: int = 0
    seconds: float | None = None
    """When to stop at the latest, from the start; only an emergency stop."""
    owing: tuple[int, ...] = ()
    """Nodes at which pods of other blocks arrive."""


def open_slots(task: Opening) -> tuple[Point, ...]:
    """The best for every number of moves, those with the most moves first."""
    if not len(task.gains.node):
        return (valued(task.gains, task.instance, task.hint),)
    started = time.monotonic()
    memory = begun(task)
    search, m, done, short = ready(openings.open_slots, task.instance), memory.vector, 0, False
    while done < task.rounds and not short:
        count = min(CHUNK, task.rounds - done)
        search(m, memory.longest, count)
        done += count
        short = task.seconds is not None and time.monotonic() - started > task.seconds
    return tuple(valued(task.gains, task.instance, moves, short) for moves in memory.frontier())


def begun(task: Opening) -> Memory:
    """The hint taken and every node looked at."""
    memory = Memory(
        task.instance, most=task.most, waves=task.waves, stairs=STAIRS, seed=task.seed, owing=task.owing, gains=task.gains
    )
    m = memory.vector
    pull = memory.part(slots.PULL)
    m[slots.ROUNDS] = max(1, task.rounds)
    m[slots.HEAT] = min(HOTTEST, task.heat * int(pull.sum()) // (100 * max(1, len(pull))))
    m[slots.TOLL] = task.price
    m[slots.PRICE] = (task.gains.floor + task.price) * FIRST + 1
    m[slots.DREAD] = DREAD * int(pull.max(initial=0))
    ready(rounds.resume, task.instance)(m, memory.longest, memory.record(task.hint))
    ready(openings.begin, task.instance)(m, memory.longest)
    return memory


def valued(gains: Gains | None, instance: Instance, sequence: Sequence[Move], cut_short: bool = False) -> Point:
    """The answer that a sequence of moves is, and what its nodes are worth if that counts."""
    found = replace(in_order(instance, sequence, cut_short), local=every_step(sequence))
    return found if gains is None else replace(found, worth=worth(gains, instance, found.local))
