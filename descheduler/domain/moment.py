"""One wave, or the whole run, as the rules judge it: who is there, who comes, who leaves, who exists twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from descheduler.domain.placement import Route, Shift, Spots
from descheduler.domain.problem import Problem


@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that a moment breaks: rule, subject, fact."""

    rule: str
    subject: str
    fact: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.subject}: {self.fact}"


@dataclass(frozen=True, slots=True)
class Arrival:
    """A pod of a class comes to a node; ``old`` is the node of its old self if that must not count against it."""

    pod_class: int
    node: int
    old: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The state in which a wave's arrivals are judged.

    ``residents`` are there when the wave begins and count until it ends, leavers included. Afterwards the leavers
    are gone. ``spending`` are the moves that hold a disruption of their budgets during the wave.
    """

    wave: int
    residents: Spots
    arrivals: tuple[Arrival, ...]
    leaving: tuple[tuple[int, int], ...]
    """(class, node) of every pod gone when the wave ends, one entry a pod."""
    spending: tuple[Shift, ...] = ()
    settled: bool = False
    """The end state: each arrival is judged with all others there, for some order led to it."""
    run: Route | None = None
    """Given only for the moment that stands for the whole run (wave 0); limits per run are judged there."""

    def during(self) -> dict[tuple[int, int], int]:
        """Everyone: residents and arrivals."""
        counts = dict(self.residents)
        for arrival in self.arrivals:
            key = (arrival.pod_class, arrival.node)
            counts[key] = counts.get(key, 0) + 1
        return counts

    def least(self) -> dict[tuple[int, int], int]:
        """Who is there for certain while the wave lasts: leavers may be gone, arrivals may not have come."""
        counts = dict(self.residents)
        for key in self.leaving:
            counts[key] = counts.get(key, 0) - 1
        return counts

    def after(self) -> dict[tuple[int, int], int]:
        """Who is there when the wave has ended."""
        counts = self.during()
        for key in self.leaving:
            counts[key] = counts.get(key, 0) - 1  # the judge must survive a route that does not add up
        return counts


def snapshot_spots(problem: Problem) -> dict[tuple[int, int], int]:
    """(class, node) to the number of pods the snapshot shows there."""
    return {(c.index, node): len(pods) for c in problem.classes for node, pods in c.at.items()}


def moments(problem: Problem, route: Route, keeps_both: Mapping[str, bool], spends: Mapping[str, bool]) -> Iterator[Moment]:
    """The whole run as wave 0, then its waves in order, each with the state the earlier ones leave."""
    residents = snapshot_spots(problem)
    yield Moment(wave=0, residents=residents, arrivals=(), leaving=(), run=route)
    for wave in range(1, route.waves + 1):
        arrivals = tuple(
            Arrival(s.pod_class, s.target, s.source if s.wave == s.arrival_wave and not keeps_both[s.mover] else None)
            for s in route.shifts
            if s.arrival_wave == wave
        ) + tuple(Arrival(b.pod_class, b.target) for b in route.binds if b.wave == wave)
        moment = Moment(
            wave=wave,
            residents=residents,
            arrivals=arrivals,
            leaving=tuple((s.pod_class, s.source) for s in route.shifts if s.wave == wave),
            spending=tuple(s for s in route.shifts if s.wave <= wave <= s.arrival_wave and spends[s.mover]),
        )
        yield moment
        residents = {key: count for key, count in moment.after().items() if count}
