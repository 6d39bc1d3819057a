"""The policy: what may be done to a fleet, and for whom. Every default is the shipped default of DESIGN.md section 4."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from descheduler.domain.plan import Mover
from descheduler.policy.amounts import Flag, Number, PositiveNumber
from descheduler.policy.durations import PositiveDuration
from descheduler.policy.limits import Floor, Limits
from descheduler.policy.names import Glob, MoverName, Name, distinct
from descheduler.policy.overrides import Effective, Override, applied
from descheduler.policy.prices import EmptyNodes
from descheduler.policy.protections import Protections
from descheduler.policy.schedule import Cooldown, Schedule, SecondLook, Trigger
from descheduler.policy.section import Section
from descheduler.policy.selection import Scope
from descheduler.policy.shapes import AUTO, LARGE, Shapes
from descheduler.policy.wording import Location, mistake, mistakes

API_VERSION = "fleet.descheduler.io/v1alpha1"
KIND = "DeschedulePolicy"

Objective = Literal["PendingPods", "Disruption", "Headroom", "EmptyNodes"]


class Metadata(Section):
    """What the policy is called."""

    name: Name = "default"
    """The policy's name, shown in plans and reports."""


class Route(Section):
    """Whether and how gladly pods cross from one cluster to another in a virtual-node federation."""

    from_: Glob = Field(alias="from")
    """A pattern of clusters that pods leave."""

    to: Glob
    """A pattern of clusters that pods go to."""

    allow: Flag = True
    """Whether pods may take this route; the first route that matches decides."""

    price: Number = 1
    """How dear a move along this route is compared with a move inside one cluster."""


class Solver(Section):
    """How hard the search tries."""

    effort: PositiveNumber = 1.0
    """How much work the search may do, compared with the usual amount; the work is counted, so that a plan can be repeated."""

    time_limit: PositiveDuration = timedelta(minutes=2)
    """The emergency stop of the search; a plan that ran into it cannot be repeated exactly."""


class Spec(Section):
    """What may be done to the fleet."""

    mode: Literal["Plan", "Apply"] = "Plan"
    """Whether `run` only shows the plan or also carries it out."""

    scope: Scope = Field(default_factory=Scope)
    """Which clusters, namespaces and pods the policy is about."""

    trigger: Trigger = Field(default_factory=Trigger)
    """When a waiting pod is worth moving others for."""

    objectives: tuple[Objective, ...] = Field(
        default=("PendingPods", "Disruption", "Headroom"),
        json_schema_extra={"prefixItems": [{"const": "PendingPods"}], "contains": {"const": "Disruption"}, "uniqueItems": True},
    )
    """What makes a plan better, in strict order: PendingPods, then Disruption and, if wanted, Headroom and EmptyNodes in any order."""

    shapes: Shapes = (LARGE,)
    """The pod sizes for which free room is measured and, by the objective Headroom, made: a list, or auto for the fleet's own.

    Those are the largest workload of all and the largest that waits, for each set of extended resources, rounded up a little.
    """

    empty_nodes: EmptyNodes = Field(default_factory=EmptyNodes)
    """What emptying a node is worth to the objective EmptyNodes."""

    limits: Limits = Field(default_factory=Limits)
    """How many pods one run, or several within some time, may move at most."""

    floor: Floor = Field(default_factory=Floor)
    """What moves beyond those for waiting pods must bring."""

    protections: Protections = Field(default_factory=Protections)
    """Which running pods may not be moved."""

    movers: tuple[MoverName, ...] = Field(default=(Mover.SURGE, Mover.HOLD, Mover.EVICT), json_schema_extra={"uniqueItems": True})
    """The techniques by which pods may be moved; an empty list moves nothing."""

    reserve: Literal["Never", "Contested", "Always"] = "Contested"
    """When room is kept free for a waiting pod with a gated copy: never, when another pod could take it first, or always."""

    schedule: Schedule = Field(default_factory=Schedule)
    """At which times pods may be moved."""

    cooldown: Cooldown = Field(default_factory=Cooldown)
    """How long a workload is left alone after a move."""

    routes: tuple[Route, ...] = ()
    """In virtual-node federations: between which clusters pods may cross."""

    unreadable_cluster: Literal["Exclude", "Fail"] = "Exclude"
    """Whether a cluster that cannot be read is left out, as source and destination, or stops the run."""

    second_look: SecondLook = Field(default_factory=SecondLook)
    """How a plan is judged again before it is applied."""

    solver: Solver = Field(default_factory=Solver)
    """How hard the search tries."""

    overrides: tuple[Override, ...] = ()
    """Other settings for some pods."""

    @field_validator("objectives")
    @classmethod
    def _objectives_in_a_sensible_order(cls, objectives: tuple[Objective, ...]) -> tuple[Objective, ...]:
        found: list[tuple[Location, str]] = [*distinct(objectives)]
        if objectives[:1] != ("PendingPods",):
            found.append(((0,) if objectives else (), "must start with PendingPods: making room for waiting pods comes first"))
        if "Disruption" not in objectives:
            found.append(((), "must contain Disruption, or moves would cost nothing"))
        if found:
            raise mistakes(found)
        return objectives

    @field_validator("shapes")
    @classmethod
    def _shapes_told_apart(cls, shapes: Shapes) -> Shapes:
        if shapes == AUTO:
            return shapes
        twice: list[tuple[Location, str]] = [((*at, "name"), message) for at, message in distinct(tuple(s.name for s in shapes))]
        if twice:
            raise mistakes(twice)
        return shapes

    @field_validator("movers")
    @classmethod
    def _movers_listed_once(cls, movers: tuple[Mover, ...]) -> tuple[Mover, ...]:
        if twice := distinct(movers):
            raise mistakes(twice)
        return movers

    @model_validator(mode="after")
    def _headroom_has_a_measure(self) -> Spec:
        if "Headroom" in self.objectives and not self.shapes:
            raise mistake("must list at least one shape for the objective Headroom", "shapes")
        return self


class Policy(Section):
    """A policy of the multi-cluster descheduler: what may be done to a fleet, and for whom."""

    api_version: Literal["fleet.descheduler.io/v1alpha1"] = "fleet.descheduler.io/v1alpha1"
    """The version of this format."""

    kind: Literal["DeschedulePolicy"] = "DeschedulePolicy"
    """What this document is."""

    metadata: Metadata = Field(default_factory=Metadata)
    """What the policy is called."""

    spec: Spec = Field(default_factory=Spec)
    """What may be done to the fleet."""

    def for_pod(self, namespace: str, labels: Mapping[str, str]) -> Effective:
        """What the policy says about a pod: its own settings with every matching override applied in order, the last one winning."""
        overrides = self.spec.overrides
        named = self._named.get(namespace)
        if named is None:
            asked = sorted({*self._spelt.get(namespace, ()), *self._spelt.get(None, ())})
            named = self._named[namespace] = tuple(i for i in asked if overrides[i].match.names(namespace))
        matching = tuple(i for i in named if overrides[i].match.selects(labels))
        known = self.effective.get(matching)
        if known is None:
            known = self.effective[matching] = applied(self.effective[()], overrides, matching)
        return known

    @cached_property
    def effective(self) -> dict[tuple[int, ...], Effective]:
        """What was merged so far, by matching overrides: a fleet has many pods and few combinations."""
        spec = self.spec
        return {(): Effective(trigger=spec.trigger, limits=spec.limits, protections=spec.protections, movers=spec.movers)}

    @cached_property
    def _named(self) -> dict[str, tuple[int, ...]]:
        """The overrides that name a namespace, asked once for each: a fleet has far more pods than namespaces."""
        return {}

    @cached_property
    def _spelt(self) -> dict[str | None, list[int]]:
        """The overrides by the namespaces they spell out; ``None``: those with patterns, which must be asked for every namespace."""
        found: dict[str | None, list[int]] = {}
        for i, override in enumerate(self.spec.overrides):
            for pattern in override.match.namespaces:
                found.setdefault(None if any(mark in pattern for mark in "*?[") else pattern, []).append(i)
        return found

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Policy:
        """A copy with other fields; nothing merged for the original is carried over."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("effective", None)
        copied.__dict__.pop("_named", None)
        copied.__dict__.pop("_spelt", None)
        return copied


def policy_digest(policy: Policy) -> str:
    """``sha256:…`` over the parsed values: comments, formatting and how an amount is spelt do not count."""
    values = policy.model_dump(mode="json", by_alias=True)
    values["spec"]["overrides"] = [o.model_dump(mode="json", by_alias=True, exclude_unset=True) for o in policy.spec.overrides]
    canonical = json.dumps(values, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"
