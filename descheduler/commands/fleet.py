"""Which fleet a command is about: recorded or live. Adapters are built here only."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descheduler.clock import Clock
from descheduler.errors import UsageError

if TYPE_CHECKING:
    from descheduler.federation.recorded import RecordedFleet
    from descheduler.federation.standalone import LiveFleet
    from descheduler.settings import ApplySettings, ExplainSettings, PlanSettings, RecoverSettings, RunSettings, SnapshotSettings

    Located = PlanSettings | RunSettings | ExplainSettings | ApplySettings | RecoverSettings | SnapshotSettings
    """Settings that say where a live fleet is found."""


def open_fleet(settings: PlanSettings | RunSettings | ExplainSettings, clock: Clock) -> RecordedFleet | LiveFleet:
    """The fleet the settings name, not read yet. Raises UsageError when they name none, or two."""
    if settings.snapshot is None:
        return live_fleet(settings, clock)
    if settings.fleet is not None:
        raise UsageError("--snapshot and --fleet: say one of them")
    from descheduler.federation.recorded import RecordedFleet

    return RecordedFleet(settings.snapshot)


def live_fleet(settings: Located, clock: Clock) -> LiveFleet:
    """The clusters of ``--fleet``, else the current context, else the cluster this runs in. Raises UsageError."""
    from descheduler.federation import standalone

    if settings.fleet is not None:
        members = standalone.fleet_of(settings.fleet, settings.service_account)
    else:
        members = standalone.fleet_of_one(settings.service_account)
    return standalone.LiveFleet(members, clock)
