"""Rounds that open slots: pods leave a node until one more pod of a shape would fit, and single pods go where more room is gathered.

What is placed stays placed, by priority: a round that loses anything of it is taken back.
"""

from __future__ import annotations

from descheduler.solver.compiled import IntVector, kernel
from descheduler.solver.kernels.chains import copy, make_room
from descheduler.solver.kernels.potential import net, priced, richer, survey, weigh
from descheduler.solver.kernels.rounds import owing, refill, replay, restore, ruin
from descheduler.solver.kernels.slots import (
    ACTIVE,
    ACTIVE_NODES,
    ASKS,
    BEFORE_LEFT,
    BEST,
    BEST_GAINED,
    BEST_MOVES,
    BEST_STEPS,
    BEST_WORTH,
    CLASSES,
    CLOSED,
    DREAD,
    DROPPED,
    FREE,
    GAINED,
    GOALS,
    HEAT,
    HOME_CLASS,
    HOME_START,
    KEPT,
    LEFT,
    LENGTH,
    MOST,
    MOVES,
    NODES,
    PRICE,
    PULL,
    RANKS,
    REACH,
    REACH_ROW,
    RESOURCES,
    RISKS,
    ROUND,
    ROUNDS,
    SAVED,
    SCALE,
    SHAPES,
    STAIR,
    STAIR_STEPS,
    STAIR_WORTH,
    STAIRS,
    STEPS,
    TOTAL,
    UNIT,
    VALUE_MOST,
    VALUE_NODE,
    VALUE_SHAPE,
    VALUES,
    WHOLE,
    WIDTH,
)
from descheduler.solver.kernels.steps import affordable, back, draw, fits, take, welcome

GLANCES = 6
"""Values a round chooses among."""
LONGEST = 0
"""Moves more than a slot is worth that opening it may take."""
RETURNS = 8
"""Times that the rounds go back to the best so far."""
MANNERS = 8
DRIFTS = 4
"""Single pods tried between two openings."""


@kernel
def placed_more(m: IntVector, gained: int) -> int:
    """1 where what is placed is better than the vector at a place, 0 where equal, -1 where worse."""
    for rank in range(m[RANKS] - 1, -1, -1):
        more = m[m[GAINED] + rank] - m[gained + rank]
        if more:
            return 1 if more > 0 else -1
    return 0


@kernel
def keep(m: IntVector, longest: int) -> None:
    """Remember the steps if they are the best at the price of moves, or the best with so few moves."""
    better = placed_more(m, m[BEST_GAINED])
    if m[BEST] < 0 or better > 0 or (better == 0 and richer(m, m[BEST_WORTH], m[BEST_MOVES], True) > 0):
        copy(m, m[STEPS], m[BEST_STEPS], m[LENGTH])
        for rank in range(m[RANKS]):
            m[m[BEST_GAINED] + rank] = m[m[GAINED] + rank]
        for goal in range(m[GOALS]):
            m[m[BEST_WORTH] + goal] = priced(m, goal)
        m[BEST], m[BEST_MOVES] = m[LENGTH], m[MOVES]
    if m[STAIRS]:
        k = m[MOVES] * m[STAIRS] // (m[MOST] + 1)
        stair, worth = m[STAIR] + k * (2 + m[RANKS]), m[STAIR_WORTH] + k * m[GOALS]
        better = placed_more(m, stair + 2)
        if m[stair] < 0 or better > 0 or (better == 0 and richer(m, worth, m[stair], False) > 0):
            m[stair], m[stair + 1] = m[MOVES], m[LENGTH]
            for rank in range(m[RANKS]):
                m[stair + 2 + rank] = m[m[GAINED] + rank]
            for goal in range(m[GOALS]):
                m[worth + goal] = net(m, goal)
            copy(m, m[STEPS], m[STAIR_STEPS] + k * longest * WIDTH, m[LENGTH])


@kernel
def standing(m: IntVector) -> int:
    """What a round would rather have more of."""
    return int(m[TOTAL] - m[PRICE] * m[MOVES] - m[DREAD] * m[RISKS])


@kernel
def begin(m: IntVector, longest: int) -> None:
    """Look at every node; what has been placed so far is what must stay placed."""
    for n in range(m[NODES]):
        m[m[ACTIVE_NODES] + n] = n
        weigh(m, n)
    m[ACTIVE], m[BEST] = m[NODES], -1
    if m[STAIRS]:
        for k in range(m[STAIRS]):
            m[m[STAIR] + k * (2 + m[RANKS])] = -1
    keep(m, longest)


@kernel
def request(m: IntVector, v: int) -> int:
    """Write down what the node must have free for one slot more of the value, as the asks of a class that nobody is of; that class."""
    count, phantom = m[RESOURCES], m[CLASSES]
    for r in range(count):
        m[m[ASKS] + phantom * count + r] = m[m[SHAPES] + m[m[VALUE_SHAPE] + v] * count + r] * (m[m[WHOLE] + v] + 1)
    return int(phantom)


@kernel
def distance(m: IntVector, v: int) -> int:
    """What the node lacks for one slot more, in units of ``SCALE``, for what the slot draws."""
    total, count, n = 0, m[RESOURCES], m[m[VALUE_NODE] + v]
    for r in range(count):
        lack = m[m[SHAPES] + m[m[VALUE_SHAPE] + v] * count + r] * (m[m[WHOLE] + v] + 1) - m[m[FREE] + n * count + r]
        if lack > 0 and m[m[SHAPES] + m[m[VALUE_SHAPE] + v] * count + r] > 0:
            total += lack * UNIT // m[m[SCALE] + r]
    return int(total * UNIT // max(1, m[m[PULL] + v]))


@kernel
def promising(m: IntVector, glances: int) -> int:
    """Of a few values whose node could have one slot more, the one that lacks least for it; -1 for none."""
    found, least = -1, 0
    for _ in range(glances):
        v = draw(m, m[VALUES])
        if m[m[WHOLE] + v] < m[m[VALUE_MOST] + v]:
            lacks = distance(m, v)
            if found < 0 or lacks < least:
                found, least = v, lacks
    return found


@kernel
def dismiss(m: IntVector, most: int) -> None:
    """Take a few steps back, and what depends on them."""
    length = m[LENGTH]
    for i in range(length):
        m[m[DROPPED] + i] = 0
    if length:
        for _ in range(1 + draw(m, most)):
            m[m[DROPPED] + draw(m, length)] = 1
    replay(m, length)


@kernel
def open_one(m: IntVector) -> bool:
    """Perhaps take back some steps, let whoever lost a place come again, and open a slot; whether anything was tried."""
    for c in range(m[CLASSES]):
        m[m[BEFORE_LEFT] + c] = m[m[LEFT] + c]
    v = promising(m, 1 + draw(m, GLANCES))
    if v < 0:
        return False
    n, manner, noise = m[m[VALUE_NODE] + v], draw(m, MANNERS), draw(m, UNIT // 2)
    if 0 < manner < 3:
        ruin(m, n, manner)
    elif 0 < manner < 6:
        dismiss(m, 3)
    refill(m, noise)
    if manner == 5:
        return True
    weigh(m, n)
    if m[m[WHOLE] + v] >= m[m[VALUE_MOST] + v]:
        return True
    phantom, mark = request(m, v), m[LENGTH]
    m[m[CLOSED] + n] += 1
    if not make_room(m, n, phantom, min(m[MOST], LONGEST + m[m[PULL] + v] // m[PRICE]), noise):
        back(m, mark)
    m[m[CLOSED] + n] -= 1
    return True


@kernel
def drift(m: IntVector, heat: int) -> bool:
    """One pod, any, goes somewhere if the potential then is not much less; whether it has."""
    n = m[m[ACTIVE_NODES] + draw(m, m[ACTIVE])]
    first = m[m[HOME_START] + n]
    homes = m[m[HOME_START] + n + 1] - first
    if homes <= 0 or m[MOVES] >= m[MOST]:
        return False
    e = first + draw(m, homes)
    c = m[m[HOME_CLASS] + e]
    target = m[m[ACTIVE_NODES] + draw(m, m[ACTIVE])]
    if m[m[KEPT] + e] <= 0 or target == n or not m[m[REACH] + m[m[REACH_ROW] + c] * m[NODES] + target]:
        return False
    if not fits(m, c, target) or not welcome(m, c, target, n) or not affordable(m, c, n):
        return False
    before = standing(m)
    mark = m[LENGTH]
    take(m, e, c, n, target)
    weigh(m, n)
    weigh(m, target)
    if standing(m) < before - draw(m, heat + 1):
        back(m, mark)
        weigh(m, n)
        weigh(m, target)
        return False
    return True


@kernel
def open_slots(m: IntVector, longest: int, rounds: int) -> None:
    """Some rounds; what is worse than before is kept while the heat lasts, but never if less is placed."""
    survey(m)
    for _ in range(rounds):
        left = m[ROUNDS] - m[ROUND]
        if m[ROUND] % (m[ROUNDS] // RETURNS + 1) == 0:
            copy(m, m[BEST_STEPS], m[SAVED], m[BEST])
            restore(m, m[BEST])
            survey(m)
        heat = m[HEAT] * left // m[ROUNDS] * left // m[ROUNDS]
        m[ROUND] += 1
        moved = False
        for _ in range(DRIFTS):
            if drift(m, heat):
                moved = True
        if moved:
            keep(m, longest)
        length, current = m[LENGTH], standing(m)
        copy(m, m[STEPS], m[SAVED], length)
        if not open_one(m):
            continue
        survey(m)
        reached = standing(m)
        if owing(m) or placed_more(m, m[BEST_GAINED]) < 0 or reached < current - draw(m, heat + 1):
            restore(m, length)
            survey(m)
        else:
            keep(m, longest)
