"""Amounts of resources in exact base units: millicores for ``cpu``, bytes for memory, whole units for the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

CPU = "cpu"
MEMORY = "memory"
PODS = "pods"
EPHEMERAL_STORAGE = "ephemeral-storage"
VOLUMES = "volumes:"
"""Prefix of the pieces in which a node's CSI attach limit is counted, before the driver's name; no Kubernetes resource can be called so."""
UNLIMITED = 2**40
"""What a node without an attach limit gives of them."""


class Resources(Mapping[str, int]):
    """An immutable vector of amounts; a name that is absent counts as 0.

    Zero amounts are dropped, so equal vectors compare and hash equal. ``cpu`` is in millicores,
    every other resource in its base unit (bytes, pieces).
    """

    __slots__ = ("_amounts", "_hash")
    _amounts: dict[str, int]
    _hash: int

    def __init__(self, amounts: Mapping[str, int] | Iterable[tuple[str, int]] = ()) -> None:
        self._amounts = {name: amount for name, amount in sorted(dict(amounts).items()) if amount}
        self._hash = hash(tuple(self._amounts.items()))

    def __getitem__(self, name: str) -> int:
        return self._amounts.get(name, 0)

    def __contains__(self, name: object) -> bool:
        return name in self._amounts

    def get(self, name: str, default: int = 0) -> int:  # type: ignore[override]  # Mapping.get answers None; absent is 0 here
        return self._amounts.get(name, default)

    def __iter__(self) -> Iterator[str]:
        return iter(self._amounts)

    def __len__(self) -> int:
        return len(self._amounts)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Resources) and self._amounts == other._amounts

    def __repr__(self) -> str:
        return f"Resources({self._amounts})"

    def __reduce__(self) -> tuple[type[Resources], tuple[dict[str, int]]]:
        return Resources, (self._amounts,)

    def __add__(self, other: Resources) -> Resources:
        total = dict(self._amounts)
        for name, amount in other._amounts.items():
            total[name] = total.get(name, 0) + amount
        return Resources(total)

    def __sub__(self, other: Resources) -> Resources:
        rest = dict(self._amounts)
        for name, amount in other._amounts.items():
            rest[name] = rest.get(name, 0) - amount
        return Resources(rest)

    def add_to(self, totals: dict[str, int], times: int = 1) -> None:
        """Add ``times`` these amounts to running totals in place; negative times take them away."""
        for name, amount in self._amounts.items():
            totals[name] = totals.get(name, 0) + amount * times

    def fits(self, room: Mapping[str, int]) -> bool:
        """Whether every amount asked for is at most what ``room`` holds; what is not asked for is not looked at."""
        return all(amount <= room.get(name, 0) for name, amount in self._amounts.items())
