"""A running pod with everything a protection or a mover may ask about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from descheduler.domain.objects import Budget, Node, Pod, Workload
from descheduler.domain.selectors import Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtectionSettings:
    """``spec.protections`` of the policy for one pod, overrides applied."""

    min_pod_age: timedelta = timedelta(minutes=5)
    local_storage: bool = True
    volumes_allowed: frozenset[str] = frozenset()
    persistent_volumes: bool = True
    bare_pods: bool = True
    jobs: bool = True
    singletons: bool = False
    stateful_sets: bool = False
    closed_budgets: bool = True
    controllers: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Replicas:
    """The live pods of one ReplicaSet."""

    total: int
    ready: int
    at_minimal_cost: int
    """How many of them carry the smallest ``controller.kubernetes.io/pod-deletion-cost`` there is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One bound or waiting pod in its surroundings."""

    pod: Pod
    now: datetime
    settings: ProtectionSettings
    in_scope: bool
    node: Node | None
    chain: tuple[Workload, ...]
    """Its controllers found in the snapshot, nearest first."""
    budgets: tuple[Budget, ...]
    namespace_annotations: Pairs = ()
    replicas: Replicas | None = None
    policy_movers: tuple[str, ...] = ()
    cluster_movers: tuple[str, ...] | None = None
    """What discovery found; ``None``: nobody looked, so only what needs no component is there."""
    schedulers: tuple[str, ...] = ("default-scheduler",)
    """Profiles that follow the default plugins."""

    @property
    def owner_kind(self) -> str | None:
        return self.pod.owner.kind if self.pod.owner else None

    @property
    def top(self) -> Workload | None:
        return self.chain[-1] if self.chain else None


def annotation(pairs: Pairs, key: str) -> str | None:
    """The value of an annotation, ``None`` when absent."""
    return next((value for name, value in pairs if name == key), None)
