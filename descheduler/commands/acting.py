"""What commands that act have in common: hands for a live fleet, and signals that end a run at a safe point."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

from descheduler.clock import Clock

if TYPE_CHECKING:
    from types import FrameType

    from descheduler.execute import Hands
    from descheduler.federation.standalone import LiveFleet
    from descheduler.settings import ApplySettings, RecoverSettings, RunSettings

PARTLY_DONE = 3


class Signals:
    """SIGTERM and SIGINT once mean: nothing new, leave things in order, report. A second time they mean what they always mean."""

    def __init__(self) -> None:
        self._heard: str | None = None
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._hear)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        self._heard = f"stopped by {signal.Signals(number).name}"
        signal.signal(number, signal.SIG_DFL)

    def heard(self) -> str | None:
        """Why the run shall come to an end, or ``None``."""
        return self._heard


def hands_on(fleet: LiveFleet, settings: RunSettings | ApplySettings | RecoverSettings, clock: Clock) -> Hands:
    """All it takes to act on the fleet."""
    from descheduler.execute import Hands
    from descheduler.federation.kube_hands import LiveHands
    from descheduler.federation.kube_store import ClusterStore

    store = ClusterStore(fleet, clock, settings.lease_duration)
    return Hands(actuator=LiveHands(fleet), store=store, stop=Signals().heard, require_lock=settings.require_lock)
