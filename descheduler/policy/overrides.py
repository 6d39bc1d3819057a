"""Overrides: other settings for some pods, and what a policy says about one pod once they are applied."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from pydantic import Field, model_validator

from descheduler.domain.plan import Mover
from descheduler.policy.limits import Limits
from descheduler.policy.names import MoverName, distinct
from descheduler.policy.protections import Protections
from descheduler.policy.schedule import Trigger
from descheduler.policy.section import Section
from descheduler.policy.selection import Match
from descheduler.policy.wording import Location, mistake, mistakes

Part = TypeVar("Part", bound=Section)

WHOLE_RUN = {"moves_per_placed_pod": "movesPerPlacedPod", "waves": "waves", "cycle_breaks": "cycleBreaks", "per_window": "perWindow"}
"""Limits that speak of a run or several, so that no single pod can have its own."""


class Override(Section):
    """Other settings for the pods it matches; only the fields written here differ from the policy's own.

    All matching overrides apply in order, so that the last one that writes a field decides; a list replaces the whole list.
    """

    match: Match
    """Which pods the override is about."""

    trigger: Trigger = Field(default_factory=Trigger)
    """When a matching waiting pod is worth moving others for."""

    limits: Limits = Field(default_factory=Limits)
    """Limits counted over the pods they apply to, apart from all others.

    The policy's own perRun and perCluster still hold for all pods together.
    """

    protections: Protections = Field(default_factory=Protections)
    """Which of the matching pods may not be moved."""

    movers: tuple[MoverName, ...] = ()
    """The techniques by which the matching pods may be moved; an empty list protects them from every move."""

    @model_validator(mode="after")
    def _says_something_a_pod_can_have(self) -> Override:
        if not self.model_fields_set - {"match"}:
            raise mistake("overrides nothing; it must set trigger, limits, protections or movers")
        found: list[tuple[Location, str]] = [
            (("limits", name), "speaks of whole runs and cannot be overridden for some pods; set it in spec.limits")
            for field, name in WHOLE_RUN.items()
            if field in self.limits.model_fields_set
        ]
        found += [(("movers", *at), message) for at, message in distinct(self.movers)]
        if found:
            raise mistakes(found)
        return self


@dataclass(frozen=True, slots=True, kw_only=True)
class Effective:
    """What the policy says about one pod, overrides applied. Pods matched by the same overrides share one value."""

    trigger: Trigger
    limits: Limits
    protections: Protections
    movers: tuple[Mover, ...]
    overrides: tuple[int, ...] = ()
    """The positions in ``spec.overrides`` of those that match the pod, in order."""
    limit_sources: tuple[tuple[str, int], ...] = ()
    """(field of ``Limits``, position in ``spec.overrides``) for every limit that an override sets; the last one counts."""

    def source_of(self, limit: str) -> int | None:
        """The override whose budget a limit (``per_node``, …) is for this pod; ``None`` when it is the policy's own."""
        return dict(self.limit_sources).get(limit)


def _merged(base: Part, over: Part) -> Part:
    return base.model_copy(update={field: getattr(over, field) for field in over.model_fields_set})


def applied(base: Effective, overrides: Sequence[Override], matching: tuple[int, ...]) -> Effective:
    """``base`` with the overrides at the positions ``matching`` applied in order."""
    trigger, limits, protections, movers = base.trigger, base.limits, base.protections, base.movers
    sources: dict[str, int] = {}
    for position in matching:
        override = overrides[position]
        trigger = _merged(trigger, override.trigger)
        limits = _merged(limits, override.limits)
        protections = _merged(protections, override.protections)
        movers = override.movers if "movers" in override.model_fields_set else movers
        sources.update((field, position) for field in sorted(override.limits.model_fields_set))
    return Effective(
        trigger=trigger,
        limits=limits,
        protections=protections,
        movers=movers,
        overrides=matching,
        limit_sources=tuple(sorted(sources.items())),
    )
