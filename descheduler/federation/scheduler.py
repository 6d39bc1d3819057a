"""How a cluster's kube-scheduler differs from the defaults: the Fleet file says it, no API does (kubernetes.md 3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from descheduler.domain.objects import PodSpec, Quota, Workload
from descheduler.domain.resources import Resources
from descheduler.domain.selectors import NodeDemand, NodeSelectorTerm
from descheduler.federation.requests import extended

DEFAULT_PROFILES = ("default-scheduler",)
ENFORCED = "node(s) didn't match scheduler-enforced node affinity"
HARD_DEFAULTS = "the scheduler's defaultConstraints, having no topologySpreadConstraints of its own"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scheduler:
    """What its profiles have in common besides the default plugins."""

    profiles: tuple[str, ...] = DEFAULT_PROFILES
    """Pods of any other scheduler are not ours to place."""
    ignored: frozenset[str] = frozenset()
    """Extended resources that NodeResourcesFit does not look at."""
    ignored_groups: frozenset[str] = frozenset()
    """The same by what stands before the slash."""
    hard_defaults: bool = False
    """Whether pods without their own constraints get a DoNotSchedule one: what it selects is not modelled."""
    added_affinity: tuple[NodeSelectorTerm, ...] | None = None
    """Terms that every node must match, ORed, whatever the pod asks; None: no such."""
    told: Mapping[str, Any] = field(default_factory=dict, hash=False)
    """The section as it was written, to be written again."""

    @property
    def plain(self) -> bool:
        """Whether it judges no pod differently from the defaults."""
        return not (self.ignored or self.ignored_groups or self.hard_defaults) and self.added_affinity is None

    def ignores(self, resource: str) -> bool:
        """Only extended resources can be ignored (kube-scheduler's ``fitsRequest``)."""
        return extended(resource) and (resource in self.ignored or resource.partition("/")[0] in self.ignored_groups)

    def counted(self, requests: Resources) -> Resources:
        """What of them is looked at."""
        if not any(map(self.ignores, requests)):
            return requests
        return Resources({name: amount for name, amount in requests.items() if not self.ignores(name)})

    def seen(self, spec: PodSpec, *, own_constraints: bool) -> PodSpec:
        """The pod as it judges it; of pods of another scheduler only what they take."""
        spec = replace(spec, requests=self.counted(spec.requests))
        if spec.scheduler not in self.profiles:
            return spec
        if self.added_affinity is not None:
            spec = replace(spec, node_demands=(NodeDemand("NodeAffinity", ENFORCED, self.added_affinity), *spec.node_demands))
        return replace(spec, opaque=spec.opaque or HARD_DEFAULTS) if self.hard_defaults and not own_constraints else spec

    def templates(self, workloads: Iterable[Workload]) -> list[Workload]:
        """The workloads, their templates without what is ignored."""
        return [replace(workload, template=self.counted(workload.template)) for workload in workloads]

    def quotas(self, quotas: Iterable[Quota]) -> list[Quota]:
        """The quotas; one of a resource that is not counted any more cannot be judged."""
        return [replace(quota, unknown=quota.unknown or self._uncounted(quota)) for quota in quotas]

    def _uncounted(self, quota: Quota) -> str | None:
        lost = [resource for resource, _ in quota.left if self.ignores(resource.removeprefix("requests."))]
        return f"{lost[0]}: the scheduler ignores it" if lost else None


AS_SHIPPED = Scheduler()
"""One that nobody configured."""
