"""Carries a plan out, wave by wave, with a second look before every step that cannot be undone.

One module per mover; ``MOVERS`` is their table. A mover is a generator: it yields while it waits, so that the moves of a wave
run side by side, and whatever is thrown into it makes it clean up. ``act`` and ``recover`` are the doors.
"""

from __future__ import annotations

from descheduler.execute.acting import act, note_waiting, same_clusters
from descheduler.execute.hands import Hands
from descheduler.execute.memory import counts_runs, recall
from descheduler.execute.movers import MOVERS
from descheduler.execute.recovery import recover
from descheduler.execute.waves import execute, waiting_for_room

__all__ = ["MOVERS", "Hands", "act", "counts_runs", "execute", "note_waiting", "recall", "recover", "same_clusters", "waiting_for_room"]
