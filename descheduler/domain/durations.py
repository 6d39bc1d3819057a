"""How durations are spelt: as Kubernetes and Go write them."""

from __future__ import annotations

from datetime import timedelta

MICROSECONDS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


def format_duration(duration: timedelta) -> str:
    """The same duration in canonical spelling: ``24h``, ``1h30m``, ``0s``."""
    rest = duration // timedelta(microseconds=1)
    text = ""
    for unit in ("h", "m", "s"):
        amount, rest = divmod(rest, MICROSECONDS[unit])
        text += f"{amount}{unit}" if amount else ""
    if rest:
        text += f"{rest / 1000:g}ms"
    return text or "0s"
