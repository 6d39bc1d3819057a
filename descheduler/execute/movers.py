"""The movers of running pods, one line each. A mover yields whenever it waits and cleans up when thrown into.

To add one: its module and its line. Another back end for one of them (an EvictionRequest, a migration job of Koordinator) takes its
place in ``Hands.movers``.
"""

from __future__ import annotations

from collections.abc import Mapping

from descheduler.domain.plan import Mover
from descheduler.execute.evict import evict
from descheduler.execute.hold import hold
from descheduler.execute.recreate import recreate
from descheduler.execute.surge import surge
from descheduler.execute.world import Technique

MOVERS: Mapping[Mover, Technique] = {
    Mover.SURGE: surge,
    Mover.HOLD: hold,
    Mover.EVICT: evict,
    Mover.RECREATE: recreate,
}
