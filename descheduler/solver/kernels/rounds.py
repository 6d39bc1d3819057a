"""Greedy, then rounds of ruin and recreate; the best steps, and the best with few moves, are remembered."""

from __future__ import annotations

from descheduler.solver.compiled import IntVector, kernel
from descheduler.solver.kernels.chains import copy, lacking, place
from descheduler.solver.kernels.slots import (
    ACTIVE,
    ACTIVE_NODES,
    BEFORE_LEFT,
    BEST,
    BEST_GAINED,
    BEST_MOVES,
    BEST_STEPS,
    CHAIN,
    CLASS,
    CLASSES,
    COMING,
    DROPPED,
    ENTRY,
    FREE,
    GAINED,
    HEAT,
    LEFT,
    LENGTH,
    LOOK,
    MOST,
    MOVES,
    NODES,
    ORDER,
    OWED,
    OWING,
    PRICE,
    RANK,
    RANKS,
    REACH,
    REACH_ROW,
    RESOURCES,
    ROUND,
    ROUNDS,
    SAVED,
    SOURCE,
    STAIR,
    STAIR_STEPS,
    STAIRS,
    STEPS,
    TARGET,
    TRIES,
    UNIT,
    VALUES,
    WAVE,
    WEIGHT,
    WIDTH,
)
from descheduler.solver.kernels.steps import back, draw, retake, take


@kernel
def compare(m: IntVector, gained: int, moves: int) -> int:
    """1 where what is placed is better than the vector at a place, then fewer moves; 0 where equal, -1 where worse."""
    for rank in range(m[RANKS] - 1, -1, -1):
        more = m[m[GAINED] + rank] - m[gained + rank]
        if more:
            return 1 if more > 0 else -1
    if m[MOVES] != moves:
        return 1 if m[MOVES] < moves else -1
    return 0


@kernel
def note(m: IntVector, longest: int) -> None:
    """Remember the steps if they are the best, or the best with so few moves."""
    if m[BEST] < 0 or compare(m, m[BEST_GAINED], m[BEST_MOVES]) > 0:
        copy(m, m[STEPS], m[BEST_STEPS], m[LENGTH])
        for rank in range(m[RANKS]):
            m[m[BEST_GAINED] + rank] = m[m[GAINED] + rank]
        m[BEST], m[BEST_MOVES] = m[LENGTH], m[MOVES]
    if m[STAIRS]:
        k = m[MOVES] * m[STAIRS] // (m[MOST] + 1)
        stair = m[STAIR] + k * (2 + m[RANKS])
        if m[stair] < 0 or compare(m, stair + 2, m[stair]) > 0:
            m[stair], m[stair + 1] = m[MOVES], m[LENGTH]
            for rank in range(m[RANKS]):
                m[stair + 2 + rank] = m[m[GAINED] + rank]
            copy(m, m[STEPS], m[STAIR_STEPS] + k * longest * WIDTH, m[LENGTH])


@kernel
def resume(m: IntVector, longest: int, count: int) -> None:
    """Begin with so many steps of the chain, as far as they are lawful one after another."""
    back(m, 0)
    for i in range(count):
        retake(m, m[CHAIN] + i * WIDTH)
    note(m, longest)


@kernel
def greedy(m: IntVector, longest: int, price: int) -> None:
    """Waiting pods in order, each with at most so many moves."""
    for n in range(m[NODES]):
        m[m[ACTIVE_NODES] + n] = n
    m[ACTIVE] = m[NODES]
    i = 0
    while m[m[ORDER] + i] >= 0:
        c = m[m[ORDER] + i]
        while m[m[LEFT] + c] > 0 and place(m, c, m[TRIES], price, 0):
            note(m, longest)
        i += 1


@kernel
def worth(m: IntVector) -> int:
    """What a round would rather have more of."""
    total = -m[PRICE] * m[MOVES]
    for rank in range(m[RANKS]):
        total += m[m[WEIGHT] + rank] * m[m[GAINED] + rank]
    return int(total)


@kernel
def owing(m: IntVector) -> bool:
    """Whether a pod that comes from outside the block would have no room."""
    for i in range(m[OWED]):
        for r in range(m[RESOURCES]):
            if m[m[FREE] + m[m[OWING] + i] * m[RESOURCES] + r] < 0:
                return True
    return False


@kernel
def wanted(m: IntVector) -> int:
    """A waiting class with pods left, rather one of a high priority; -1 for none."""
    found, total, i = -1, 0, 0
    while m[m[ORDER] + i] >= 0:
        c = m[m[ORDER] + i]
        weight = (1 + m[m[RANK] + c]) * m[m[LEFT] + c]
        total += weight
        if weight > 0 and draw(m, total) < weight:
            found = c
        i += 1
    return found


@kernel
def look_at(m: IntVector, c: int) -> int:
    """Choose the nodes that the round looks at, and of a few that the class may reach the one that lacks least; -1 for none."""
    count, nodes = m[NODES], m[ACTIVE_NODES]
    m[ACTIVE] = min(m[LOOK], count)
    if count > m[LOOK]:
        for i in range(m[LOOK]):
            k = i + draw(m, count - i)
            m[nodes + i], m[nodes + k] = m[nodes + k], m[nodes + i]
    found, least = -1, 0
    for _ in range(6):
        n = m[nodes + draw(m, m[ACTIVE])]
        if c >= 0 and not m[m[REACH] + m[m[REACH_ROW] + c] * count + n]:
            continue
        lack = lacking(m, c, n) if c >= 0 else draw(m, UNIT)
        if found < 0 or lack < least:
            found, least = n, lack
    return found


@kernel
def ruin(m: IntVector, centre: int, manner: int) -> None:
    """Take back steps around a node, or anywhere, and replay the rest; what hangs on them falls with them."""
    length, steps, dropped = m[LENGTH], m[STEPS], m[DROPPED]
    for i in range(length):
        m[dropped + i] = 0
        at_target = m[steps + i * WIDTH + TARGET] == centre
        if manner == 1:
            m[dropped + i] = at_target
        elif manner == 2 and (at_target or m[steps + i * WIDTH + SOURCE] == centre):
            m[dropped + i] = draw(m, 4) > 0
    if manner == 2 and length:
        for _ in range(draw(m, 3)):
            far = m[steps + draw(m, length) * WIDTH + TARGET]
            for i in range(length):
                if m[steps + i * WIDTH + TARGET] == far:
                    m[dropped + i] = 1
    if manner == 3 and length:
        for _ in range(1 + draw(m, 4)):
            m[dropped + draw(m, length)] = 1
    replay(m, length)


@kernel
def spared(m: IntVector, length: int) -> None:
    """Moves off nodes to which nobody comes any more are dropped too, unless room is worth moves by itself."""
    if m[VALUES]:
        return
    steps, dropped, coming = m[STEPS], m[DROPPED], m[COMING]
    for n in range(m[NODES]):
        m[coming + n] = 0
    for i in range(m[OWED]):
        m[coming + m[m[OWING] + i]] = 1
    for i in range(length):
        if not m[dropped + i]:
            m[coming + m[steps + i * WIDTH + TARGET]] += 1
    again = True
    while again:
        again = False
        for k in range(length):
            i = length - 1 - k
            source = m[steps + i * WIDTH + SOURCE]
            if source >= 0 and not m[dropped + i] and not m[coming + source]:
                m[dropped + i] = 1
                m[coming + m[steps + i * WIDTH + TARGET]] -= 1
                again = True


@kernel
def replay(m: IntVector, length: int) -> None:
    """Go on without the dropped steps, as far as the others are lawful without them. Uses the chain as a scratch pad."""
    spared(m, length)
    first = 0
    while first < length and not m[m[DROPPED] + first]:
        first += 1
    copy(m, m[STEPS] + first * WIDTH, m[CHAIN], length - first)
    back(m, first)
    for i in range(first, length):
        if not m[m[DROPPED] + i]:
            retake(m, m[CHAIN] + (i - first) * WIDTH)


@kernel
def restore(m: IntVector, length: int) -> None:
    """The steps as they were saved."""
    same, alike = 0, True
    while alike and same < min(length, m[LENGTH]):
        for k in range(WAVE):
            alike = alike and m[m[SAVED] + same * WIDTH + k] == m[m[STEPS] + same * WIDTH + k]
        if alike:
            same += 1
    back(m, same)
    for i in range(same, length):
        step = m[SAVED] + i * WIDTH
        take(m, m[step + ENTRY], m[step + CLASS], m[step + SOURCE], m[step + TARGET])


@kernel
def refill(m: IntVector, noise: int) -> None:
    """Waiting pods that the round has driven out come again if they can."""
    i = 0
    while m[m[ORDER] + i] >= 0:
        c = m[m[ORDER] + i]
        while m[m[LEFT] + c] > m[m[BEFORE_LEFT] + c] and place(m, c, 4, m[MOST], noise):
            pass
        i += 1


@kernel
def one_round(m: IntVector) -> bool:
    """Ruin and recreate; whether anything was tried."""
    for c in range(m[CLASSES]):
        m[m[BEFORE_LEFT] + c] = m[m[LEFT] + c]
    c = wanted(m) if draw(m, 4) else -1
    centre = look_at(m, c)
    if centre < 0:
        return False
    manner = draw(m, 4) if c >= 0 else 2 + draw(m, 2)
    if manner:
        ruin(m, centre, manner)
    noise = draw(m, UNIT // 2)
    if c >= 0 and place(m, c, 4, m[MOST], noise):
        m[m[BEFORE_LEFT] + c] -= 1
    refill(m, noise)
    return True


@kernel
def search(m: IntVector, longest: int, rounds: int) -> None:
    """Some rounds; what is worse than before is kept while the heat lasts."""
    current = worth(m)
    for _ in range(rounds):
        heat = m[HEAT] * (m[ROUNDS] - m[ROUND]) // m[ROUNDS]
        m[ROUND] += 1
        length = m[LENGTH]
        copy(m, m[STEPS], m[SAVED], length)
        if not one_round(m):
            continue
        reached = worth(m)
        if owing(m) or reached < current - draw(m, heat + 1):
            restore(m, length)
        else:
            current = reached
            note(m, longest)
