"""Ejection chains (reference/solver.md 3d): a waiting pod comes where the fewest others must go, who go where they fit best."""

from __future__ import annotations

from descheduler.solver.compiled import IntVector, kernel
from descheduler.solver.kernels.slots import (
    ACTIVE,
    ACTIVE_NODES,
    ALTERNATIVES,
    ASKS,
    CHAIN,
    CLASS,
    CLOSED,
    DETOURS,
    ENTRY,
    FREE,
    HOME_CLASS,
    HOME_START,
    HOPELESS,
    KEPT,
    LAST,
    LENGTH,
    MOST,
    MOVES,
    RESOURCES,
    SCALE,
    SIZE,
    SOURCE,
    SPOT_ROOM,
    SPOTS,
    STEPS,
    TARGET,
    UNIT,
    WIDTH,
)
from descheduler.solver.kernels.steps import affordable, back, draw, fits, take, welcome


@kernel
def lacking(m: IntVector, c: int, n: int) -> int:
    """What the node lacks for a pod of the class, in units of ``SCALE``."""
    total, count = 0, m[RESOURCES]
    for r in range(count):
        lack = m[m[ASKS] + c * count + r] - m[m[FREE] + n * count + r]
        if lack > 0 and m[m[ASKS] + c * count + r] > 0:
            total += lack * UNIT // m[m[SCALE] + r]
    return total


@kernel
def rest(m: IntVector, n: int) -> int:
    """A node's free room, in units of ``SCALE``."""
    total, count = 0, m[RESOURCES]
    for r in range(count):
        if m[m[FREE] + n * count + r] > 0:
            total += m[m[FREE] + n * count + r] * UNIT // m[m[SCALE] + r]
    return total


@kernel
def best_fit(m: IntVector, c: int, source: int, noise: int) -> int:
    """The fullest active node that takes a pod of the class, rather one that need not wait for a leaver; -1 for none."""
    found, least = -1, 0
    for i in range(m[ACTIVE]):
        n = m[m[ACTIVE_NODES] + i]
        if m[m[CLOSED] + n] or n == source or not fits(m, c, n) or not welcome(m, c, n, source):
            continue
        score = rest(m, n) + m[m[LAST] + n] * UNIT
        if noise > 0:
            score += draw(m, noise)
        if found < 0 or score < least:
            found, least = n, score
    return found


@kernel
def victim(m: IntVector, n: int, for_class: int, noise: int) -> int:
    """The home on the node whose pod should go: the smallest that is enough by itself, else the one that covers most; -1 for none."""
    found, best, sufficient, count = -1, 0, False, m[RESOURCES]
    for e in range(m[m[HOME_START] + n], m[m[HOME_START] + n + 1]):
        c = m[m[HOME_CLASS] + e]
        if m[m[KEPT] + e] <= 0 or m[m[HOPELESS] + e] or not affordable(m, c, n):
            continue
        enough, cover = True, 0
        for r in range(count):
            need = m[m[ASKS] + for_class * count + r]
            lack = need - m[m[FREE] + n * count + r]
            if need > 0 and lack > 0:
                gives = m[m[ASKS] + c * count + r]
                cover += min(UNIT, gives * UNIT // lack)
                enough = enough and gives >= lack
        if cover <= 0 or (sufficient and not enough):
            continue
        size = m[m[SIZE] + c]
        value = -size if enough else cover - size // 100
        if noise > 0:
            value += draw(m, noise) * (size if enough else UNIT) // UNIT
        if found < 0 or (enough and not sufficient) or value > best:
            found, best, sufficient = e, value, enough
    return found


@kernel
def short(m: IntVector, n: int, c: int) -> bool:
    """Whether the node lacks anything that a pod of the class needs."""
    count = m[RESOURCES]
    for r in range(count):
        ask = m[m[ASKS] + c * count + r]
        if ask > 0 and ask > m[m[FREE] + n * count + r]:
            return True
    return False


@kernel
def hope(m: IntVector, n: int) -> None:
    """Nobody on the node is known to have nowhere to go."""
    for e in range(m[m[HOME_START] + n], m[m[HOME_START] + n + 1]):
        m[m[HOPELESS] + e] = 0


@kernel
def clear(m: IntVector, n: int, c: int, most: int, noise: int) -> bool:
    """Send pods to where they fit as things are until a pod of the class fits; on failure the caller takes the steps back."""
    mark, tried = m[LENGTH], 0
    hope(m, n)
    while short(m, n, c):
        if m[LENGTH] - mark >= most or m[MOVES] >= m[MOST] or tried > ALTERNATIVES:
            return False
        e = victim(m, n, c, noise)
        if e < 0:
            return False
        target = best_fit(m, m[m[HOME_CLASS] + e], n, noise)
        if target < 0:
            m[m[HOPELESS] + e] = 1
            tried += 1
        else:
            take(m, e, m[m[HOME_CLASS] + e], n, target)
    return True


@kernel
def lacking_least(m: IntVector, c: int, source: int, at: int, most: int, noise: int) -> int:
    """Write active nodes that could take a pod of the class if others left, by what they lack, to place ``at``; how many they are."""
    found, lacks = 0, at + SPOT_ROOM
    for i in range(m[ACTIVE]):
        n = m[m[ACTIVE_NODES] + i]
        if m[m[CLOSED] + n] or n == source:
            continue
        lack = lacking(m, c, n)
        if noise > 0:
            lack = lack * (UNIT + draw(m, noise)) // UNIT
        if (found == most and lack >= m[lacks + most - 1]) or not welcome(m, c, n, source):
            continue
        found = min(most, found + 1)
        k = found - 1
        while k > 0 and m[lacks + k - 1] > lack:
            m[lacks + k], m[at + k] = m[lacks + k - 1], m[at + k - 1]
            k -= 1
        m[lacks + k], m[at + k] = lack, n
    return found


@kernel
def detour(m: IntVector, c: int, source: int, most: int, noise: int) -> int:
    """A node where room for the pod was made; -1 for none, and nothing has changed."""
    mark, spots = m[LENGTH], m[SPOTS] + 2 * SPOT_ROOM
    count = lacking_least(m, c, source, spots, DETOURS, noise)
    for i in range(count):
        n = m[spots + i]
        m[m[CLOSED] + n] += 1
        made = clear(m, n, c, most, noise)
        m[m[CLOSED] + n] -= 1
        if made and fits(m, c, n) and welcome(m, c, n, source):
            return int(n)
        back(m, mark)
    return -1


@kernel
def make_room(m: IntVector, n: int, c: int, most: int, noise: int) -> bool:
    """As ``clear``, making room elsewhere for those who fit nowhere."""
    mark, tried = m[LENGTH], 0
    hope(m, n)
    while short(m, n, c):
        allowed = most - (m[LENGTH] - mark)
        if allowed < 1 or m[MOVES] >= m[MOST] or tried > ALTERNATIVES:
            return False
        e = victim(m, n, c, noise)
        if e < 0:
            return False
        gone = m[m[HOME_CLASS] + e]
        target = best_fit(m, gone, n, noise)
        here = m[LENGTH]
        if target < 0 and allowed > 1:
            target = detour(m, gone, n, allowed - 1, noise)
        if target < 0 or m[MOVES] >= m[MOST] or not affordable(m, gone, n):
            back(m, here)
            m[m[HOPELESS] + e] = 1
            tried += 1
        else:
            take(m, e, gone, n, target)
    return True


@kernel
def copy(m: IntVector, source: int, target: int, steps: int) -> None:
    """Copy so many steps."""
    for i in range(steps * WIDTH):
        m[target + i] = m[source + i]


@kernel
def place(m: IntVector, c: int, tries: int, price: int, noise: int) -> bool:
    """Place one pod of a waiting class with the fewest moves found, at most ``price``."""
    n = best_fit(m, c, -1, noise)
    if n >= 0:
        take(m, -1, c, -1, n)
        return True
    mark, spots = m[LENGTH], m[SPOTS]
    cheapest, chosen = min(m[MOST] - m[MOVES], price) + 1, -1
    count = lacking_least(m, c, -1, spots, tries, noise)
    for i in range(count):
        n = m[spots + i]
        if cheapest <= 1:
            break
        m[m[CLOSED] + n] += 1
        made = make_room(m, n, c, cheapest - 1, noise)
        m[m[CLOSED] + n] -= 1
        if made and fits(m, c, n) and welcome(m, c, n, -1):
            cheapest, chosen = m[LENGTH] - mark, n
            copy(m, m[STEPS] + mark * WIDTH, m[CHAIN], cheapest)
        back(m, mark)
    if chosen < 0:
        return False
    for i in range(cheapest):
        step = m[CHAIN] + i * WIDTH
        take(m, m[step + ENTRY], m[step + CLASS], m[step + SOURCE], m[step + TARGET])
    take(m, -1, c, -1, chosen)
    return True
