"""How a mistake in a policy is worded: what the value must be, what it is, and the name that was probably meant."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Sequence

from pydantic_core import PydanticCustomError

Location = tuple[str | int, ...]
"""Where a value is in a document: field names and list positions from the root."""

MISTAKE = "mistake"
"""The type of the errors raised by our own checks, as pydantic reports it."""


def mistake(message: str, *at: str | int) -> PydanticCustomError:
    """One mistake at ``at``, relative to the field that is checked."""
    return mistakes([(at, message)])


def mistakes(found: Sequence[tuple[Location, str]]) -> PydanticCustomError:
    """Several mistakes found by one check, so that all of them are told at once."""
    return PydanticCustomError(MISTAKE, "{summary}", {"summary": "; ".join(message for _, message in found), "found": list(found)})


def shown(value: object) -> str:
    """A value as an operator would recognise it, shortened: ``"3 pods"``, ``-1``, ``a list``."""
    match value:
        case None:
            return "null"
        case dict():
            return "a mapping"
        case list() | tuple():
            return "a list"
        case str() | int() | float():
            text = json.dumps(value, ensure_ascii=False)
            return text if len(text) <= 60 else f"{text[:56]}…"
        case _:
            return type(value).__name__


def one_of(names: Iterable[str]) -> str:
    """``Never, Contested or Always``."""
    *most, last = names
    return f"{', '.join(most)} or {last}" if most else last


def nearest(word: str, names: Iterable[str]) -> str | None:
    """The name that was probably meant; ``None`` when none is close. Case and separators hardly count."""
    import difflib

    def plain(name: str) -> str:
        return name.replace("_", "").replace("-", "").lower()

    known = {plain(name): name for name in names}
    close = difflib.get_close_matches(plain(word), known, n=1, cutoff=0.65)
    return known[close[0]] if close else None


def suggestion(word: str, names: Iterable[str]) -> str:
    """``; did you mean X?`` or nothing."""
    guess = nearest(word, names)
    return f"; did you mean {guess}?" if guess is not None else ""


def not_among(value: object, names: Sequence[str]) -> str:
    """The message for a value that is none of the allowed names."""
    guess = suggestion(value, names) if isinstance(value, str) else ""
    return f"must be {one_of(names)}, not {shown(value)}{guess}"


def field_path(location: Location) -> str:
    """``spec.shapes[0].requests.cpu``; names that are no plain word stand in brackets and quotes."""
    text = ""
    for part in location:
        if isinstance(part, int) or not re.fullmatch(r"[\w-]+", part):
            text += f"[{json.dumps(part, ensure_ascii=False)}]"
        else:
            text += f".{part}" if text else part
    return text


__all__ = ["MISTAKE", "Location", "field_path", "mistake", "mistakes", "nearest", "not_among", "one_of", "shown", "suggestion"]
