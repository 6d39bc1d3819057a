"""Durations as Kubernetes and Go write them: ``90s``, ``10m``, ``1h30m``, ``500ms``, and ``7d``."""

from __future__ import annotations

import re
from datetime import timedelta
from fractions import Fraction
from typing import Annotated

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from descheduler.domain.durations import MICROSECONDS, format_duration
from descheduler.policy.wording import mistake, shown

PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d))+$"
LONGEST = timedelta(days=3650)

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d)", re.ASCII)
_WHOLE = re.compile(PATTERN, re.ASCII)


def parse_duration(text: str) -> timedelta:
    """The duration a text means; microseconds are the finest unit kept.

    Raises ``ValueError`` when the text is no duration, or longer than ten years.
    """
    if not _WHOLE.fullmatch(text):
        raise ValueError(f"{text!r} is not a duration")
    total = sum(Fraction(number) * MICROSECONDS[unit] for number, unit in _PART.findall(text))
    if total > LONGEST // timedelta(microseconds=1):
        raise ValueError(f"{text!r} is longer than ten years")
    return timedelta(microseconds=int(total))


def _duration(value: object) -> timedelta:
    if isinstance(value, timedelta):
        return value
    try:
        return parse_duration(value if isinstance(value, str) else "")
    except ValueError:
        raise mistake(f'must be a duration such as "90s", "10m" or "1h30m", not {shown(value)}') from None


def _positive(value: object) -> timedelta:
    duration = _duration(value)
    if duration <= timedelta(0):
        raise mistake(f'must be a duration longer than 0s, such as "10m", not {shown(value)}')
    return duration


_SCHEMA = WithJsonSchema({"type": "string", "pattern": PATTERN, "examples": ["90s", "10m", "1h30m"]})
_TEXT = PlainSerializer(format_duration, return_type=str)

Duration = Annotated[timedelta, PlainValidator(_duration), _TEXT, _SCHEMA]
"""A duration of at least 0s."""
PositiveDuration = Annotated[timedelta, PlainValidator(_positive), _TEXT, _SCHEMA]
"""A duration longer than 0s."""
