"""``descheduler snapshot``: write a live fleet down as a directory that ``plan --snapshot`` reads."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descheduler.clock import SystemClock
from descheduler.commands.console import progress, say
from descheduler.commands.fleet import live_fleet

if TYPE_CHECKING:
    from descheduler.settings import SnapshotSettings

PARTLY_DONE = 3


def execute(settings: SnapshotSettings) -> int:
    """Read, redact, write; 3 when a cluster had to be left out."""
    from loguru import logger

    from descheduler.federation.capture import capture, refuse_directory

    refuse_directory(settings.output)
    fleet = live_fleet(settings, SystemClock())
    with progress("reading the fleet", settings.quiet):
        captured = capture(fleet, settings.output, compress=settings.gzip)
    for remark in captured.remarks:
        logger.warning("{}: {} {}", remark.cluster, remark.subject, remark.message)
    for cluster in captured.unreadable:
        logger.error("{} is left out: {}", cluster.cluster, cluster.reason)
    told = ", ".join(f"{name} ({count} objects)" for name, count in sorted(captured.counts.items()))
    say(f"{settings.output}: {told}")
    return PARTLY_DONE if captured.unreadable else 0
