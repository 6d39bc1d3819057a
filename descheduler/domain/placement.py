"""What shall be: a placement in counts, and a route to it in waves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from descheduler.domain.plan import Mover

Spots = Mapping[tuple[int, int], int]
"""(class, node) to a number of pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """How many pods of each class leave and come to each node, relative to the snapshot. No (class, node) is in both."""

    departures: Spots = field(default_factory=dict)
    arrivals: Spots = field(default_factory=dict)

    @property
    def moves(self) -> int:
        return sum(self.departures.values())


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Shift:
    """One running pod of a class from node to node."""

    wave: int
    arrival_wave: int
    pod_class: int
    source: int
    target: int
    mover: Mover

    @property
    def cycle_break(self) -> bool:
        return self.arrival_wave > self.wave


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Bind:
    """One waiting pod of a class gets a node."""

    wave: int
    pod_class: int
    target: int
    mover: Mover = Mover.SCHEDULE
    contested: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    """Waves of shifts and binds; wave numbers count from 1."""

    shifts: tuple[Shift, ...] = ()
    binds: tuple[Bind, ...] = ()

    @property
    def waves(self) -> int:
        return max([s.arrival_wave for s in self.shifts] + [b.wave for b in self.binds], default=0)
