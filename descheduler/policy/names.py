"""Names and patterns: DNS names, shell-style globs, kinds, movers, clock times, time zones and instants."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, time
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from descheduler.domain.plan import Mover
from descheduler.policy.wording import mistake, not_among, shown, suggestion

DNS_LABEL = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
DNS_NAME = r"^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$"
KIND = r"^[A-Z][A-Za-z0-9]{0,62}$"
GLOB = r"^([A-Za-z0-9._*?-]|\[!?[A-Za-z0-9._-]+\])+$"
CLOCK = r"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
INSTANT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})$"

MOVERS = tuple(mover.value for mover in Mover if mover is not Mover.SCHEDULE)
"""What a policy may allow; ``Schedule`` moves nothing and cannot be switched."""

SPOKEN_FOR = {
    "DaemonSet": "DaemonSet pods are bound to their nodes and never moved",
    "Node": "static pods belong to their node and are never moved",
    "Job": "Job pods follow protections.jobs",
    "CronJob": "Job pods follow protections.jobs",
    "StatefulSet": "StatefulSet pods follow protections.statefulSets",
}


def _text(pattern: str, description: str) -> Callable[[object], str]:
    expression = re.compile(pattern, re.ASCII)

    def check(value: object) -> str:
        if isinstance(value, str) and expression.fullmatch(value):
            return value
        raise mistake(f"must be {description}, not {shown(value)}")

    return check


def _kind(value: object) -> str:
    if not isinstance(value, str) or not re.fullmatch(KIND, value, re.ASCII):
        raise mistake(f"must be a Kubernetes kind such as ReplicaSet, not {shown(value)}")
    if value in SPOKEN_FOR:
        raise mistake(f"must be the kind of another controller, not {shown(value)}: {SPOKEN_FOR[value]}")
    return value


def _mover(value: object) -> Mover:
    if isinstance(value, str) and value in MOVERS:
        return Mover(value)
    raise mistake(not_among(value, MOVERS))


def _time_zone(value: object) -> str:
    """UTC needs no time zone data; everything else is looked up as the operating system or ``tzdata`` knows it."""
    if value == "UTC":
        return "UTC"
    if isinstance(value, str):
        import zoneinfo

        try:
            return zoneinfo.ZoneInfo(value).key
        except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
            guess = suggestion(value, sorted(zoneinfo.available_timezones()))
            raise mistake(f"must be an IANA time zone such as Europe/Berlin, not {shown(value)}{guess}") from None
    raise mistake(f"must be an IANA time zone such as Europe/Berlin, not {shown(value)}")


def _clock(value: object) -> str:
    if isinstance(value, str) and re.fullmatch(CLOCK, value, re.ASCII):
        return value
    raise mistake(f'must be a time of day from "00:00" to "24:00", not {shown(value)}')


def clock_time(text: str) -> time:
    """A checked time of day; ``24:00`` is midnight, the end of the day."""
    return time() if text == "24:00" else time.fromisoformat(text)


def _instant(value: object) -> datetime:
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value
    if isinstance(value, str) and re.fullmatch(INSTANT, value, re.ASCII):
        try:
            return datetime.fromisoformat(value.upper())
        except ValueError:
            pass
    raise mistake(f'must be an instant such as "2026-12-24T18:00:00Z" or "2026-12-24T18:00:00+01:00", not {shown(value)}')


def _schema(pattern: str, **more: object) -> WithJsonSchema:
    return WithJsonSchema({"type": "string", "pattern": pattern, **more})


Label = Annotated[str, PlainValidator(_text(DNS_LABEL, "a name of lower-case letters, digits and '-'")), _schema(DNS_LABEL)]
Name = Annotated[str, PlainValidator(_text(DNS_NAME, "a name of lower-case letters, digits, '-' and '.'")), _schema(DNS_NAME)]
Glob = Annotated[str, PlainValidator(_text(GLOB, 'a name or a pattern such as "team-*"')), _schema(GLOB, examples=["*", "team-*"])]
"""A shell-style pattern: ``*``, ``?``, ``[abc]`` and ``[!abc]``."""
Kind = Annotated[str, PlainValidator(_kind), _schema(KIND, **{"not": {"enum": list(SPOKEN_FOR)}})]
MoverName = Annotated[Mover, PlainValidator(_mover), PlainSerializer(str), WithJsonSchema({"enum": list(MOVERS)})]
TimeZone = Annotated[str, PlainValidator(_time_zone), WithJsonSchema({"type": "string", "examples": ["UTC", "Europe/Berlin"]})]
ClockTime = Annotated[str, PlainValidator(_clock), _schema(CLOCK, examples=["22:00"])]
Instant = Annotated[
    datetime,
    PlainValidator(_instant),
    PlainSerializer(datetime.isoformat, return_type=str),
    _schema(INSTANT, examples=["2026-12-24T18:00:00Z"]),
]


def distinct(values: tuple[str, ...]) -> list[tuple[tuple[int], str]]:
    """A mistake for every value that came before, at its position."""
    return [((i,), f"{value} is listed twice") for i, value in enumerate(values) if value in values[:i]]


__all__ = ["MOVERS", "ClockTime", "Glob", "Instant", "Kind", "Label", "MoverName", "Name", "TimeZone", "clock_time", "distinct"]
