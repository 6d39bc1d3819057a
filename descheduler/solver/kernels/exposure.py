"""Nodes at which waiting pods that find no place could slip in before a planned arrival, into room that others leave (``rivals``).

Opening slots makes a lot of room, so this is looked at node by node, beside what ``threatened`` asks of single steps: how much all
rivals of a higher priority could take together, wave by wave. The judge of a finished route is ``rivals`` all the same.
"""

from __future__ import annotations

from descheduler.solver.compiled import IntVector, kernel
from descheduler.solver.kernels.slots import (
    ASKS,
    CALM,
    CLASS,
    FREE,
    LAST,
    LEAST_FREE,
    LEFT,
    LENGTH,
    NODES,
    ORDER,
    PRIORITY,
    REACH,
    REACH_ROW,
    RESOURCES,
    ROOM,
    SOURCE,
    STEPS,
    TAKEN,
    TARGET,
    WAITING,
    WAVE,
    WIDTH,
)


@kernel
def exposed(m: IntVector, n: int) -> int:
    """How many moves to the node could be robbed of their room."""
    found = 0
    if m[m[LAST] + n] and tempting(m, n):
        for i in range(m[LENGTH]):
            step = m[STEPS] + i * WIDTH
            if m[step + TARGET] == n and not m[m[WAITING] + m[step + CLASS]] and robbable(m, n, m[step + CLASS], m[step + WAVE]):
                found += 1
    return found


@kernel
def tempting(m: IntVector, n: int) -> bool:
    """Whether a waiting pod would fit if nobody had come to the node and all had left who leave; a quick look before the long one."""
    count, i, arrivals = m[RESOURCES], 0, False
    for r in range(count):
        arrivals = arrivals or m[m[ROOM] + n * count + r] != m[m[CALM] + n * count + r]
    while arrivals and m[m[ORDER] + i] >= 0:
        q = m[m[ORDER] + i]
        i += 1
        fitting = m[m[REACH] + m[m[REACH_ROW] + q] * m[NODES] + n] > 0
        for r in range(count):
            ask, at = m[m[ASKS] + q * count + r], n * count + r
            fitting = fitting and (ask == 0 or ask <= m[m[FREE] + at] + m[m[ROOM] + at] - m[m[CALM] + at])
        if fitting:
            return True
    return False


@kernel
def robbable(m: IntVector, n: int, c: int, wave: int) -> bool:
    """Whether rivals could leave too little for a pod of the class that comes in a wave."""
    count, taken, i = m[RESOURCES], m[TAKEN], 0
    for r in range(count):
        m[taken + r] = -m[m[ROOM] + n * count + r]
    for k in range(m[LENGTH]):
        step = m[STEPS] + k * WIDTH
        asks, at = m[ASKS] + m[step + CLASS] * count, m[step + WAVE]
        if m[step + SOURCE] == n and at < wave:
            for r in range(count):
                m[taken + r] -= m[asks + r]
        elif m[step + TARGET] == n and at <= wave:
            for r in range(count):
                m[taken + r] += m[asks + r]
    while m[m[ORDER] + i] >= 0 and m[m[PRIORITY] + m[m[ORDER] + i]] > m[m[PRIORITY] + c]:
        q = m[m[ORDER] + i]
        i += 1
        if m[m[REACH] + m[m[REACH_ROW] + q] * m[NODES] + n]:
            many = 0
            for at in range(1, wave + 1):
                many = max(many, slipping(m, n, q, at))
            for r in range(count):
                m[taken + r] += many * m[m[ASKS] + q * count + r]
    return short_of(m, c)


@kernel
def slipping(m: IntVector, n: int, q: int, wave: int) -> int:
    """How many pods of a waiting class could come to the node in a wave, before they are where they are to be."""
    count, many, least, asks = m[RESOURCES], m[m[LEFT] + q], m[LEAST_FREE], m[ASKS] + q * m[RESOURCES]
    for r in range(count):
        m[least + r] = m[m[ROOM] + n * count + r]
    for k in range(m[LENGTH]):
        step = m[STEPS] + k * WIDTH
        other, at = m[ASKS] + m[step + CLASS] * count, m[step + WAVE]
        if m[step + CLASS] == q and m[step + TARGET] != n and at >= wave:
            many += 1
        if m[step + SOURCE] == n and at <= wave:
            for r in range(count):
                m[least + r] += m[other + r]
        elif m[step + TARGET] == n and at < wave:
            for r in range(count):
                m[least + r] -= m[other + r]
    for r in range(count):
        if m[asks + r] > 0:
            many = min(many, max(0, m[least + r]) // m[asks + r])
    return int(many)


@kernel
def short_of(m: IntVector, c: int) -> bool:
    """Whether more is taken of anything the class asks for than there is."""
    short, count = False, m[RESOURCES]
    for r in range(count):
        short = short or (m[m[ASKS] + c * count + r] > 0 and m[m[TAKEN] + r] > 0)
    return short
