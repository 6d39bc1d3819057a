"""Recreate: not available in this version; every such move is blocked and nothing is touched."""

from __future__ import annotations

from descheduler.domain.plan import Move
from descheduler.execute.world import Steps, Surprise, World


def recreate(world: World, move: Move) -> Steps:
    """Refuse: a bare pod is only deleted once its manifest can be journalled and brought back after a crash."""
    yield from ()
    raise Surprise("scheduling", f"{move.pod}: Recreate is not available in this version")
