"""One wave, or the whole run, as the rules judge it: who is there, who comes, who leaves, who exists twice."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from descheduler.domain.placement import Route, Shift, Spots
from descheduler.domain.problem import Problem
from descheduler.domain.standing import Standing, at_start


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
    """A pod of a class comes to a node."""

    pod_class: int
    node: int
    old: int | None = None
    """The node of its old self if that must not count against it."""
    twin: int | None = None
    """The node of its old self if that is certain to be there still when it comes."""
    copy: bool = False
    """For a while it exists beside its old self, bound or waiting."""
    pinned: bool = False
    """It comes with a node selector of our own that admits this node only."""


@dataclass(frozen=True, kw_only=True)
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
    gone: Spots = field(default_factory=dict)
    """The end state: who was there at the beginning and has left."""
    run: Route | None = None
    """Given only for the moment that stands for the whole run (wave 0); limits per run are judged there."""

    def during(self) -> Standing:
        """Everyone: residents and arrivals."""
        return self._during

    def least(self) -> Standing:
        """Who is there for certain while the wave lasts: leavers may be gone, arrivals may not have come."""
        return self._least

    def after(self) -> Standing:
        """Who is there when the wave has ended."""
        return self._after

    @cached_property
    def _residents(self) -> Standing:
        return Standing.of_spots(self.residents)

    @cached_property
    def _during(self) -> Standing:
        return self._residents.plus((arrival.pod_class, arrival.node) for arrival in self.arrivals)

    @cached_property
    def _least(self) -> Standing:
        return self._residents.plus(self.leaving, -1)

    @cached_property
    def _after(self) -> Standing:
        return self._during.plus(self.leaving, -1)


def snapshot_spots(problem: Problem) -> dict[tuple[int, int], int]:
    """(class, node) to the number of pods the snapshot shows there."""
    return {(c.index, node): len(pods) for c in problem.classes for node, pods in c.at.items()}


@dataclass(frozen=True, slots=True)
class Techniques:
    """What a moment must know about each mover, by its name; a mover that is not in them is kube-scheduler alone."""

    keeps_both: Mapping[str, bool]
    spends_budget: Mapping[str, bool]
    steers: Mapping[str, bool]


def _arriving(route: Route, wave: int, by: Techniques) -> Iterator[Arrival]:
    for s in route.shifts:
        if s.arrival_wave == wave:
            both, together = by.keeps_both[s.mover], s.wave == s.arrival_wave
            yield Arrival(
                s.pod_class,
                s.target,
                old=s.source if together and not both else None,
                twin=s.source if together and both else None,
                copy=both,
                pinned=by.steers[s.mover],
            )
    for b in route.binds:
        if b.wave == wave:
            yield Arrival(b.pod_class, b.target, copy=by.keeps_both.get(b.mover, False), pinned=by.steers.get(b.mover, False))


def moments(problem: Problem, route: Route, by: Techniques) -> Iterator[Moment]:
    """The whole run as wave 0, then its waves in order, each with the state the earlier ones leave."""
    residents = at_start(problem)
    yield Moment(wave=0, residents=residents, arrivals=(), leaving=(), run=route)
    for wave in range(1, route.waves + 1):
        moment = Moment(
            wave=wave,
            residents=residents,
            arrivals=tuple(_arriving(route, wave, by)),
            leaving=tuple((s.pod_class, s.source) for s in route.shifts if s.wave == wave),
            spending=tuple(s for s in route.shifts if s.wave <= wave <= s.arrival_wave and by.spends_budget[s.mover]),
        )
        yield moment
        residents = moment.after()
