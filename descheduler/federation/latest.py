"""Of objects that were read more than once, the newest: the same answer in whatever order they were read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from typing import Generic, TypeVar

from descheduler.federation.metadata import Place

V = TypeVar("V")

Key = tuple[str, str, str]
_Version = tuple[int, int, str]


def version_order(version: str) -> _Version:
    """resourceVersions compare as numbers; anything else is older than any number, and compares as text."""
    if version.isascii() and version.isdigit() and len(version) <= 100:
        return (1, int(version), "")
    return (0, 0, version)


class Latest(Generic[V]):
    """The newest value per UID and per namespace and name."""

    __slots__ = ("_found",)

    def __init__(self) -> None:
        self._found: dict[Key, tuple[str, V]] = {}

    def offer(self, place: Place, value: V) -> None:
        """Remember the value unless a newer one of the same object is known."""
        key = (place.namespace, place.name, place.uid)
        known = self._found.get(key)
        if known is None or _rank(place.version, value) > _rank(*known):
            self._found[key] = (place.version, value)

    def items(self) -> Iterator[tuple[Key, V]]:
        """One value per UID and per place, by namespace and name, with its namespace, name and UID."""
        uids: dict[str, int] = {}
        places: dict[tuple[str, str], int] = {}
        for namespace, name, uid in self._found:
            uids[uid] = uids.get(uid, 0) + 1
            places[namespace, name] = places.get((namespace, name), 0) + 1
        contested = [key for key in self._found if places[key[0], key[1]] > 1 or (key[2] and uids[key[2]] > 1)]
        beaten = self._beaten(contested)
        for key in sorted(self._found):
            if key not in beaten:
                yield key, self._found[key][1]

    def _beaten(self, contested: list[Key]) -> set[Key]:
        """Those that share a UID or a place with a newer one."""
        beaten: set[Key] = set()
        taken: set[tuple[str, str]] = set()
        for key in sorted(contested, key=lambda k: (_rank(*self._found[k]), k), reverse=True):
            namespace, name, uid = key
            claims = {("place", f"{namespace}/{name}"), *([("uid", uid)] if uid else [])}
            if claims & taken:
                beaten.add(key)
            else:
                taken |= claims
        return beaten


def _rank(version: str, value: object) -> tuple[_Version, str]:
    """Equal versions with different content are told apart by content, so that the order of reading never matters."""
    return version_order(version), _told(value)


def _told(value: object) -> str:
    """Like ``repr``, but the same in every process: sets in order."""
    if isinstance(value, frozenset):
        return f"{{{','.join(sorted(map(_told, value)))}}}"
    if isinstance(value, tuple):
        return f"({','.join(map(_told, value))})"
    if is_dataclass(value):
        return f"<{','.join(_told(getattr(value, field.name)) for field in fields(value))}>"
    return repr(value)
