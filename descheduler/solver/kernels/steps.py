"""Steps of a sequence: what is lawful now, taking one, taking it back."""

from __future__ import annotations

from descheduler.solver.compiled import IntVector, kernel
from descheduler.solver.kernels.slots import (
    ASKS,
    AT_MOST,
    BEFORE,
    BOUND,
    BUDGET_LIMIT,
    BUDGET_NODES,
    BUDGET_OF,
    BUDGET_ROW,
    BUDGET_START,
    CALM,
    CLASS,
    COUNT_ONE,
    COUNT_OTHER,
    DOMAIN,
    ENTRY,
    EXCLUDE,
    FEW,
    FOREVER,
    FREE,
    GAINED,
    GUARD,
    JOINT_OF,
    JOINT_SIDE,
    JOINT_START,
    KEPT,
    KIND,
    LAST,
    LEFT,
    LENGTH,
    LIMIT,
    MAP_ROW,
    MOST,
    MOVES,
    NODES,
    OFFSET,
    ONE,
    ORDER,
    OTHER,
    PRIORITY,
    RANDOM,
    RANK,
    REACH,
    REACH_ROW,
    RESOURCES,
    ROOM,
    SOURCE,
    SPENT,
    SPREAD,
    STEPS,
    TARGET,
    WAITING,
    WAVE,
    WAVES,
    WIDTH,
)


@kernel
def draw(m: IntVector, below: int) -> int:
    """A number from 0 to below - 1 (Park and Miller 1988)."""
    m[RANDOM] = m[RANDOM] * 48271 % 2147483647
    return int(m[RANDOM] * below // 2147483647)


@kernel
def balanced(m: IntVector, j: int, side: int, d: int, source: int) -> bool:
    """A spread row. Running pods that count stay in their domain, so that no wave changes a skew for the worse."""
    most, counted, first = -1, 0, m[OFFSET] + j
    if side & ONE:
        most = m[m[LIMIT] + j]
    guard = m[m[GUARD] + j]
    if side & OTHER and guard >= 0 and (most < 0 or guard < most):
        most = guard
    if most < 0:
        return True
    if side & OTHER:
        counted = 1
        if source >= 0 and m[m[DOMAIN] + m[m[MAP_ROW] + j] * m[NODES] + source] != d:
            return False
    least = 0
    if not m[m[FEW] + j]:
        least = m[m[COUNT_OTHER] + m[first]]
        for i in range(m[first] + 1, m[first + 1]):
            least = min(least, m[m[COUNT_OTHER] + i])
    return bool(m[m[COUNT_OTHER] + m[first] + d] + counted - least <= most)


@kernel
def welcome(m: IntVector, c: int, n: int, source: int) -> bool:
    """Whether filters and joint rows allow a pod of the class to come now, whatever room there is."""
    if not m[m[REACH] + m[m[REACH_ROW] + c] * m[NODES] + n]:
        return False
    for i in range(m[m[JOINT_START] + c], m[m[JOINT_START] + c + 1]):
        j, side = m[m[JOINT_OF] + i], m[m[JOINT_SIDE] + i]
        kind, d = m[m[KIND] + j], m[m[DOMAIN] + m[m[MAP_ROW] + j] * m[NODES] + n]
        if d < 0:
            if kind == SPREAD and side & ONE:
                return False
            continue
        at = m[m[OFFSET] + j] + d
        if kind == AT_MOST:
            if m[m[COUNT_ONE] + at] >= m[m[LIMIT] + j]:
                return False
        elif kind == EXCLUDE:
            if side & ONE and m[m[COUNT_OTHER] + at] > 0:
                return False
            if side & OTHER and m[m[COUNT_ONE] + at] > 0:
                return False
        elif not balanced(m, j, side, d, source):
            return False
    return True


@kernel
def affordable(m: IntVector, c: int, n: int) -> bool:
    """Whether the budgets let one more pod of the class leave the node."""
    for i in range(m[m[BUDGET_START] + c], m[m[BUDGET_START] + c + 1]):
        k = m[m[BUDGET_OF] + i]
        row = m[m[BUDGET_ROW] + k]
        if m[m[SPENT] + k] >= m[m[BUDGET_LIMIT] + k] and (row < 0 or m[m[BUDGET_NODES] + row * m[NODES] + n]):
            return False
    return True


@kernel
def opened(m: IntVector, n: int, q: int, wave: int) -> bool:
    """Whether a pod of the class could come to the node once all have left who leave it up to a wave, if nobody else came."""
    count = m[RESOURCES]
    for r in range(count):
        ask, at = m[m[ASKS] + q * count + r], n * count + r
        if ask > 0:
            lack = ask - (m[m[FREE] + at] + m[m[ROOM] + at] - m[m[CALM] + at])
            if lack > 0:
                return False
            for i in range(m[LENGTH]):
                step = m[STEPS] + i * WIDTH
                if m[step + SOURCE] == n and m[step + WAVE] > wave:
                    lack += m[m[ASKS] + m[step + CLASS] * count + r]
                    if lack > 0:
                        return False
    return True


@kernel
def threatened(m: IntVector, c: int, n: int) -> bool:
    """Whether a waiting pod of a higher priority could take room on the node that was made for a pod of the class (``rivals``)."""
    i = 0
    while m[m[ORDER] + i] >= 0:
        q = m[m[ORDER] + i]
        i += 1
        if m[m[PRIORITY] + q] <= m[m[PRIORITY] + c]:
            return False
        until = FOREVER if m[m[LEFT] + q] > 0 else m[m[BOUND] + q]
        if until and m[m[REACH] + m[m[REACH_ROW] + q] * m[NODES] + n] and opened(m, n, q, until):
            return True
    return False


@kernel
def fits(m: IntVector, c: int, n: int) -> bool:
    """Whether there is room, made early enough."""
    calm, count = True, m[RESOURCES]
    asks, free, quiet = m[ASKS] + c * count, m[FREE] + n * count, m[CALM] + n * count
    for r in range(count):
        ask = m[asks + r]
        if ask > 0:
            if m[free + r] < ask:
                return False
            calm = calm and m[quiet + r] >= ask
    if calm or m[m[WAITING] + c]:
        return calm or m[m[LAST] + n] <= m[WAVES]
    return m[m[LAST] + n] < m[WAVES] and not threatened(m, c, n)


@kernel
def tally(m: IntVector, c: int, n: int, sign: int) -> None:
    """Count a pod into or out of the joint rows."""
    for i in range(m[m[JOINT_START] + c], m[m[JOINT_START] + c + 1]):
        j, side = m[m[JOINT_OF] + i], m[m[JOINT_SIDE] + i]
        d = m[m[DOMAIN] + m[m[MAP_ROW] + j] * m[NODES] + n]
        if d >= 0:
            at = m[m[OFFSET] + j] + d
            if side & ONE:
                m[m[COUNT_ONE] + at] += sign
            if side & OTHER:
                m[m[COUNT_OTHER] + at] += sign


@kernel
def leave(m: IntVector, entry: int, c: int, n: int, sign: int) -> None:
    """Count a departure, or undo it."""
    count = m[RESOURCES]
    for r in range(count):
        m[m[FREE] + n * count + r] += sign * m[m[ASKS] + c * count + r]
    m[m[KEPT] + entry] -= sign
    m[MOVES] += sign
    tally(m, c, n, -sign)
    for i in range(m[m[BUDGET_START] + c], m[m[BUDGET_START] + c + 1]):
        k = m[m[BUDGET_OF] + i]
        row = m[m[BUDGET_ROW] + k]
        if row < 0 or m[m[BUDGET_NODES] + row * m[NODES] + n]:
            m[m[SPENT] + k] += sign


@kernel
def come(m: IntVector, c: int, n: int, sign: int) -> None:
    """Count an arrival, or undo it."""
    count = m[RESOURCES]
    for r in range(count):
        m[m[FREE] + n * count + r] -= sign * m[m[ASKS] + c * count + r]
        m[m[CALM] + n * count + r] -= sign * m[m[ASKS] + c * count + r]
    tally(m, c, n, sign)
    if m[m[WAITING] + c]:
        m[m[LEFT] + c] -= sign
        m[m[GAINED] + m[m[RANK] + c]] += sign


@kernel
def take(m: IntVector, entry: int, c: int, source: int, target: int) -> None:
    """One step that ``welcome``, ``fits`` and ``affordable`` allow; entry and source are -1 for a waiting pod."""
    wave, count = 1, m[RESOURCES]
    for r in range(count):
        ask = m[m[ASKS] + c * count + r]
        if ask > 0 and m[m[CALM] + target * count + r] < ask:
            wave = m[m[LAST] + target] + 1
    step = m[STEPS] + m[LENGTH] * WIDTH
    m[step + ENTRY], m[step + CLASS], m[step + SOURCE], m[step + TARGET], m[step + WAVE] = entry, c, source, target, wave
    m[LENGTH] += 1
    if source >= 0:
        m[step + BEFORE] = m[m[LAST] + source]
        m[m[LAST] + source] = max(m[m[LAST] + source], wave)
        leave(m, entry, c, source, 1)
    else:
        m[step + BEFORE] = m[m[BOUND] + c]
        if wave > 1:
            m[m[BOUND] + c] = FOREVER if threatened(m, c, target) else max(m[m[BOUND] + c], wave)
    come(m, c, target, 1)


@kernel
def back(m: IntVector, mark: int) -> None:
    """Undo every step after so many."""
    while m[LENGTH] > mark:
        m[LENGTH] -= 1
        step = m[STEPS] + m[LENGTH] * WIDTH
        c, source = m[step + CLASS], m[step + SOURCE]
        come(m, c, m[step + TARGET], -1)
        if source >= 0:
            m[m[LAST] + source] = m[step + BEFORE]
            leave(m, m[step + ENTRY], c, source, -1)
        else:
            m[m[BOUND] + c] = m[step + BEFORE]


@kernel
def retake(m: IntVector, step: int) -> bool:
    """Take a recorded step if it is lawful now."""
    entry, c, source, target = m[step + ENTRY], m[step + CLASS], m[step + SOURCE], m[step + TARGET]
    if source < 0:
        if m[m[LEFT] + c] <= 0:
            return False
    elif m[m[KEPT] + entry] <= 0 or m[MOVES] >= m[MOST] or not affordable(m, c, source):
        return False
    if not welcome(m, c, target, source) or not fits(m, c, target):
        return False
    take(m, entry, c, source, target)
    return True
