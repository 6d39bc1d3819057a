"""``descheduler recover``: finish or undo whatever interrupted runs left behind."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from descheduler.clock import SystemClock
from descheduler.commands.acting import PARTLY_DONE, hands_on
from descheduler.commands.console import colourful, progress, say
from descheduler.commands.fleet import live_fleet
from descheduler.commands.signals import Signals
from descheduler.errors import LockHeld

if TYPE_CHECKING:
    from descheduler.settings import RecoverSettings


def execute(settings: RecoverSettings) -> int:
    """Read, end what was left, print; 3 when some of it could not be ended or a cluster could not be read.

    Raises LockHeld when another run holds a Lease and that shall end the run.
    """
    from descheduler.execute import recover
    from descheduler.output.text import render_recovery

    clock = SystemClock()
    fleet = live_fleet(settings, clock)
    with Signals() as signals, progress("looking for what interrupted runs left", settings.quiet):
        hands = hands_on(fleet, settings, clock, signals)
        snapshot = fleet.snapshot()
        results = recover(snapshot, fleet, hands, clock, str(uuid.uuid4()))
    held = [result.message for result in results if result.outcome == "Skipped"]
    if held and settings.require_lock and signals.heard() is None:
        raise LockHeld("; ".join(dict.fromkeys(held)))
    say(render_recovery(results, [cluster.name for cluster in snapshot.clusters], colour=colourful()))
    for cluster in snapshot.unreadable:
        say(f"unreadable: {cluster.cluster}: {cluster.reason}")
    whole = all(result.outcome == "Done" for result in results) and not snapshot.unreadable
    return 0 if whole else PARTLY_DONE
