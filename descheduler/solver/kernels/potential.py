"""What the free room of nodes is worth: whole slots, and within the search a part of the next one, squared (reference/solver.md 3h).

The square makes it downhill to gather free room on few nodes, although a slot takes several moves. It never leaves the search.
A node's potential depends on its free room alone.
"""

from __future__ import annotations

from descheduler.solver.compiled import IntVector, kernel
from descheduler.solver.kernels.exposure import exposed
from descheduler.solver.kernels.slots import (
    ASKS,
    CALM,
    EXPOSURE,
    FLOOR,
    FREE,
    GOALS,
    KAPPA,
    MOVES,
    NODES,
    POTENTIAL,
    PULL,
    RESOURCES,
    RISKS,
    SEEN,
    SHAPES,
    TOLL,
    TOTAL,
    UNIT,
    VALUE_GOAL,
    VALUE_MOST,
    VALUE_SHAPE,
    VALUE_START,
    VALUE_WEIGHT,
    WHOLE,
    WORTH,
)


@kernel
def fullness(m: IntVector, v: int, n: int) -> int:
    """How often the value's shape fits the node's free room, in units; a part of a slot that can never be whole does not count."""
    count = m[RESOURCES]
    shape, free, most = m[SHAPES] + m[m[VALUE_SHAPE] + v] * count, m[FREE] + n * count, m[m[VALUE_MOST] + v] * UNIT
    for r in range(count):
        ask = m[shape + r]
        if ask > 0:
            most = min(most, max(0, m[free + r]) * UNIT // ask)
    return int(most)


@kernel
def attraction(m: IntVector, v: int, times: int) -> int:
    """What so many units of slots draw."""
    part = times % UNIT
    return int(m[m[PULL] + v] * (times // UNIT) + m[m[PULL] + v] * (part * part // UNIT) // UNIT * m[KAPPA] // 100)


@kernel
def weigh(m: IntVector, n: int) -> None:
    """Look at a node again."""
    total, count = 0, m[RESOURCES]
    for v in range(m[m[VALUE_START] + n], m[m[VALUE_START] + n + 1]):
        times = fullness(m, v, n)
        total += attraction(m, v, times)
        m[m[WORTH] + m[m[VALUE_GOAL] + v]] += m[m[VALUE_WEIGHT] + v] * (times // UNIT - m[m[WHOLE] + v])
        m[m[WHOLE] + v] = times // UNIT
    m[TOTAL] += total - m[m[POTENTIAL] + n]
    m[m[POTENTIAL] + n] = total
    risks = exposed(m, n)
    m[RISKS] += risks - m[m[EXPOSURE] + n]
    m[m[EXPOSURE] + n] = risks
    for r in range(count):
        m[m[SEEN] + 2 * n * count + r] = m[m[FREE] + n * count + r]
        m[m[SEEN] + (2 * n + 1) * count + r] = m[m[CALM] + n * count + r]


@kernel
def survey(m: IntVector) -> None:
    """Look again at every node whose room has changed."""
    count = m[RESOURCES]
    for n in range(m[NODES]):
        for r in range(count):
            seen = m[SEEN] + 2 * n * count + r
            if m[seen] != m[m[FREE] + n * count + r] or m[seen + count] != m[m[CALM] + n * count + r]:
                weigh(m, n)
                break


@kernel
def loss(m: IntVector, c: int, n: int) -> int:
    """What the node's values draw less when a pod of the class comes."""
    count, total = m[RESOURCES], 0
    asks, free = m[ASKS] + c * count, m[FREE] + n * count
    for v in range(m[m[VALUE_START] + n], m[m[VALUE_START] + n + 1]):
        shape, before = m[SHAPES] + m[m[VALUE_SHAPE] + v] * count, m[m[VALUE_MOST] + v] * UNIT
        after = before
        for r in range(count):
            ask = m[shape + r]
            if ask > 0:
                before = min(before, max(0, m[free + r]) * UNIT // ask)
                after = min(after, max(0, m[free + r] - m[asks + r]) * UNIT // ask)
        if after < before:
            total += attraction(m, v, before) - attraction(m, v, after)
    return int(total)


@kernel
def net(m: IntVector, goal: int) -> int:
    """An objective's worth less the floor for every move."""
    return int(m[m[WORTH] + goal] - m[FLOOR] * m[MOVES])


@kernel
def priced(m: IntVector, goal: int) -> int:
    """The same; of the first objective less the price of moves as well."""
    return int(net(m, goal) - (m[TOLL] * m[MOVES] if goal == 0 else 0))


@kernel
def richer(m: IntVector, worth: int, moves: int, price: bool) -> int:
    """1 where the objectives are worth more than the vector at a place, then fewer moves; 0 where equal, -1 where less."""
    for goal in range(m[GOALS]):
        more = (priced(m, goal) if price else net(m, goal)) - m[worth + goal]
        if more:
            return 1 if more > 0 else -1
    if m[MOVES] != moves:
        return 1 if m[MOVES] < moves else -1
    return 0
