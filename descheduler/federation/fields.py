"""Reads the fields of raw Kubernetes objects without trusting them: each is what was expected, absent, or Odd."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, TypeVar

from descheduler.domain.selectors import Pairs

T = TypeVar("T")
D = TypeVar("D")

_TIME = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]+)?([Zz]|[+-][0-9]{2}:[0-9]{2})")
NOTHING: Mapping[str, Any] = {}
"""An object without fields."""


class Odd(ValueError):
    """A field is not what an API server would send; the message names it."""


class Attempts:
    """Reads the parts of one object, each for itself, and remembers which could not be read."""

    __slots__ = ("closing", "oddities")

    def __init__(self) -> None:
        self.oddities: list[str] = []
        self.closing = False
        """Whether a part that failed makes the room the object takes unknown."""

    def __call__(self, read: Callable[[Any, str], T], value: object, field: str, default: D, *, closes: bool = False) -> T | D:
        """``read(value, field)``, or ``default`` when the field is Odd."""
        try:
            return read(value, field)
        except Odd as odd:
            self.oddities.append(str(odd))
            self.closing = self.closing or closes
            return default


def odd(field: str, value: object, expected: str) -> Odd:
    """The error for a field of the wrong type or content."""
    names = {dict: "an object", list: "a list", str: "text", bool: "a boolean", int: "a number", float: "a number", type(None): "null"}
    told = names.get(type(value), type(value).__name__)
    if isinstance(value, str):
        told = ascii(value) if len(value) <= 60 else f"{value[:57]!a}..."
    return Odd(f"{field}: {told}, expected {expected}")


def mapping(value: object, field: str) -> Mapping[str, Any]:
    """An object; absent or null is empty."""
    if value is None:
        return NOTHING
    if not isinstance(value, dict):
        raise odd(field, value, "an object")
    return value


def listing(value: object, field: str) -> list[Any]:
    """A list; absent or null is empty."""
    if value is None:
        return []
    if not isinstance(value, list):
        raise odd(field, value, "a list")
    return value


def objects(value: object, field: str) -> list[Mapping[str, Any]]:
    """A list of objects; absent or null is empty."""
    found = listing(value, field)
    for item in found:
        if not isinstance(item, dict):
            raise odd(f"{field}[]", item, "an object")
    return found


def text(value: object, field: str) -> str:
    """A string that can be written again (no lone surrogates); absent or null is empty."""
    if value is None:
        return ""
    if not isinstance(value, str):
        raise odd(field, value, "text")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise odd(field, value, "valid Unicode") from None
    return value


def name(value: object, field: str) -> str:
    """An object's name: printable ASCII, so that it can be shown on a terminal as it is; absent or null is empty."""
    found = text(value, field)
    if not found.isascii() or not found.isprintable():
        raise odd(field, value, "a Kubernetes name")
    return found


def texts(value: object, field: str) -> tuple[str, ...]:
    """A list of strings, in its order."""
    return tuple(text(item, f"{field}[]") for item in listing(value, field))


def flag(value: object, field: str) -> bool:
    """A boolean; absent or null is false."""
    if value is None or isinstance(value, bool):
        return bool(value)
    raise odd(field, value, "true or false")


def whole(value: object, field: str) -> int | None:
    """An integer within int64; absent or null is None."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**63) <= value < 2**63:
        raise odd(field, value, "a whole number")
    return value


def string_map(value: object, field: str) -> dict[str, str]:
    """A map of strings such as labels; a null value is the empty string, as the API server reads it."""
    return {text(key, f"{field} key"): text(item, f"{field}[{key!a}]") for key, item in mapping(value, field).items()}


def sorted_pairs(value: object, field: str) -> Pairs:
    """A map of strings as sorted pairs."""
    return tuple(sorted(string_map(value, field).items())) if value else _pairs_of_nothing(value, field)


def _pairs_of_nothing(value: object, field: str) -> Pairs:
    mapping(value, field)
    return ()


def moment(value: object, field: str) -> datetime | None:
    """An RFC 3339 time in UTC; absent or null is None."""
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise odd(field, value, "a time")
    found = _time(value)
    if found is None:
        raise odd(field, value, "a time such as 2026-11-23T12:00:00Z")
    return found


@lru_cache(maxsize=65536)
def _time(value: str) -> datetime | None:
    if not _TIME.fullmatch(value):
        return None
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
