"""All it takes to act: what writes, what keeps Lease and state, and when to come to an end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from descheduler.domain.plan import Mover
from descheduler.execute.movers import MOVERS
from descheduler.execute.world import Technique
from descheduler.ports import Actuator, Store

PATIENCE = timedelta(minutes=10)
"""How long one wave may take: pods must start and become Ready."""

Stop = Callable[[], str | None]
"""Why the run shall come to an end (a signal), or ``None``."""


def never() -> str | None:
    """Nobody asks the run to end."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """A run without them changes nothing."""

    actuator: Actuator
    store: Store
    patience: timedelta = PATIENCE
    stop: Stop = never
    require_lock: bool = False
    """Whether a Lease that is held elsewhere ends the run instead of leaving the cluster out."""
    movers: Mapping[Mover, Technique] = field(default_factory=lambda: MOVERS)
    """Who carries each kind of move out."""
