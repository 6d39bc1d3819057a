"""Keeps one copy of equal values, so that 200,000 pods of a few thousand workloads stay small."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, TypeVar

from descheduler.domain.resources import Resources
from descheduler.federation.requests import Sizes

H = TypeVar("H", bound=Hashable)


class Interner:
    """Hands back the first of all equal values it was shown."""

    __slots__ = ("_known", "_resources", "sizes")

    def __init__(self) -> None:
        self.sizes = Sizes()
        """Of pods."""
        self._known: dict[Any, Any] = {}
        self._resources: dict[tuple[tuple[str, int], ...], Resources] = {}

    def __call__(self, value: H) -> H:
        known: H = self._known.setdefault(value, value)
        return known

    def resources(self, amounts: dict[str, int]) -> Resources:
        """The vector of these base units."""
        key = tuple(amounts.items())
        found = self._resources.get(key)
        if found is None:
            found = self._resources[key] = self(Resources(amounts))
        return found
