"""Carries a plan out, wave by wave, with a second look before every step that cannot be undone.

One module per mover; ``MOVERS`` is their table. A mover is a generator: it yields while it waits, so that the moves of a wave
run side by side, and whatever is thrown into it makes it clean up. Recreate is not available in this version.
"""

from __future__ import annotations

from descheduler.execute.waves import MOVERS, execute, waiting_for_room

__all__ = ["MOVERS", "execute", "waiting_for_room"]
