"""What commands that act have in common: hands for a live fleet that rest when a signal says so."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descheduler.clock import Clock
from descheduler.commands.signals import Signals

if TYPE_CHECKING:
    from descheduler.execute import Hands
    from descheduler.federation.standalone import LiveFleet
    from descheduler.settings import ApplySettings, RecoverSettings, RunSettings

PARTLY_DONE = 3


def hands_on(fleet: LiveFleet, settings: RunSettings | ApplySettings | RecoverSettings, clock: Clock, signals: Signals) -> Hands:
    """All it takes to act on the fleet."""
    from descheduler.execute import Hands
    from descheduler.federation.kube_hands import LiveHands
    from descheduler.federation.kube_store import ClusterStore

    store = ClusterStore(fleet, clock, settings.lease_duration, signals.heard)
    return Hands(actuator=LiveHands(fleet), store=store, stop=signals.heard, require_lock=settings.require_lock)
