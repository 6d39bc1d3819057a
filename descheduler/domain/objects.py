"""Kubernetes objects projected to what planning needs: pods, nodes, workloads, budgets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from descheduler.domain.resources import Resources
from descheduler.domain.selectors import (
    HostPort,
    LabelSelector,
    NodeDemand,
    NodeSelectorTerm,
    Pairs,
    PodTerm,
    Requirement,
    SpreadConstraint,
    Taint,
    Toleration,
)


@dataclass(frozen=True, slots=True, order=True)
class PodRef:
    """Where a pod is found; printed ``cluster/namespace/name``."""

    cluster: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, order=True)
class NodeRef:
    """A node of one cluster; printed ``cluster/name``."""

    cluster: str
    name: str

    def __str__(self) -> str:
        return f"{self.cluster}/{self.name}"


@dataclass(frozen=True, slots=True)
class PodSpec:
    """What the scheduler looks at, without the pod's name: replicas of one workload share one interned value."""

    requests: Resources = Resources()
    """Effective requests (kubernetes.md 3.2), without ``pods``: that one is counted as 1 by the rule.

    CSI volumes are counted among them, one each, as ``VOLUMES + driver``.
    """
    limits: Resources = Resources()
    """Effective limits of cpu, memory and ephemeral-storage: only a ResourceQuota looks at them."""
    node_selector: Pairs = ()
    node_affinity: tuple[NodeSelectorTerm, ...] | None = None
    """Required node affinity, ORed; ``None`` is absent, ``()`` matches nothing."""
    tolerations: tuple[Toleration, ...] = ()
    node_demands: tuple[NodeDemand, ...] = ()
    """ANDed with selector and affinity."""
    host_ports: tuple[HostPort, ...] = ()
    affinity: tuple[PodTerm, ...] = ()
    """Required pod affinity: one and the same pod must match all terms."""
    anti_affinity: tuple[PodTerm, ...] = ()
    exclusive_claims: tuple[str, ...] = ()
    """ReadWriteOncePod claims it mounts, ``namespace/name``: no second pod of the cluster may have one of them."""
    spread: tuple[SpreadConstraint, ...] = ()
    scheduler: str = "default-scheduler"
    priority_class: str = ""
    best_effort: bool = False
    """QoS class BestEffort: a ResourceQuota's scope may ask."""
    terminating_scope: bool = False
    """``activeDeadlineSeconds`` is set: the quota scope Terminating (nothing to do with deletion)."""
    cross_namespace_affinity: bool = False
    """A term of its pod affinity or anti-affinity, preferred ones included, names namespaces: a quota's scope may ask."""
    opaque: str | None = None
    """Why the pod is not modelled exactly (it names the field); ``None`` when it is."""
    size_known: bool = True
    """False when a request could not be read: bound, such a pod closes its node as a destination."""


@dataclass(frozen=True, slots=True)
class OwnerRef:
    """The controlling ownerReference."""

    kind: str
    name: str
    uid: str = ""
    api_version: str = ""


@dataclass(frozen=True, slots=True)
class Volume:
    """A volume that matters to a protection: hostPath, emptyDir (on disk), persistentVolumeClaim, ephemeral."""

    name: str
    kind: str
    claim: str = ""
    """The PersistentVolumeClaim's name; for an ephemeral volume the one that was made for the pod."""
    shared: bool = False
    """Its claim may be mounted on several nodes at once (ReadWriteMany or ReadOnlyMany alone); False when unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pod:
    """One pod that is neither Succeeded nor Failed."""

    ref: PodRef
    uid: str
    """Guards every action: a pod that came back under the same name is another pod."""
    spec: PodSpec
    labels: Pairs = ()
    annotations: Pairs = ()
    """Only the keys the tool knows; see ``federation.convert``."""
    volumes: tuple[Volume, ...] = ()
    node: str | None = None
    """The node it is bound to; ``None`` while it waits. The node may not exist."""
    phase: str = "Pending"
    ready: bool = False
    terminating: bool = False
    created: datetime | None = None
    waiting_since: datetime | None = None
    """When the scheduler first said Unschedulable, else creation; ``None`` when neither is known."""
    scheduler_message: str = ""
    """The message of the PodScheduled condition, verbatim."""
    priority: int = 0
    gates: tuple[str, ...] = ()
    nominated_node: str | None = None
    owner: OwnerRef | None = None
    static: bool = False
    """A mirror pod: the kubelet's own, not ours to touch."""
    waits_for_claim: str | None = None
    """Why a waiting pod waits for a volume or claim rather than for room; ``None`` when it does not."""

    @property
    def waiting(self) -> bool:
        """It has no node yet and is not on its way out."""
        return self.node is None and not self.terminating

    @property
    def daemon(self) -> bool:
        return self.owner is not None and self.owner.kind == "DaemonSet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One node and what it can give."""

    ref: NodeRef
    uid: str = ""
    labels: Pairs = ()
    annotations: Pairs = ()
    taints: tuple[Taint, ...] = ()
    unschedulable: bool = False
    ready: bool = True
    allocatable: Resources = Resources()
    """Includes ``pods``."""
    closed: str | None = None
    """Why nothing may be sent here (deletion, unreadable allocatable, scale-down, a pod of unknown size)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Workload:
    """A controller object: Deployment, ReplicaSet, StatefulSet, DaemonSet, Job, CronJob, or any other kind that owns pods."""

    kind: str
    namespace: str
    name: str
    uid: str = ""
    api_version: str = ""
    owner: OwnerRef | None = None
    annotations: Pairs = ()
    replicas: int | None = None
    """``spec.replicas`` (1 when the field is absent); ``None`` for kinds without it."""
    strategy: str = ""
    """Deployment: RollingUpdate or Recreate."""
    max_surge: int = 0
    """Deployment: resolved against ``replicas``, percentages rounded up."""
    rolling: bool = False
    """A rollout is under way or unobserved: generation, updatedReplicas or replicas disagree."""
    ignores_disruption: bool = False
    """Job: ``podFailurePolicy`` ignores the DisruptionTarget condition."""
    template: Resources = Resources()
    """Effective requests of its pod template, in base units; empty when it has none or is of another kind."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A PodDisruptionBudget."""

    namespace: str
    name: str
    selector: LabelSelector | None
    allowed: int
    """``status.disruptionsAllowed``; 0 when the status is missing or stale."""
    never: bool = False
    """Whether it can never allow a disruption: maxUnavailable 0, or minAvailable of all its pods."""
    healthy: int = 0
    desired: int = 0
    always_allow_unhealthy: bool = False
    """``unhealthyPodEvictionPolicy: AlwaysAllow``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quota:
    """A ResourceQuota: what a second copy of a pod must still fit into (kubernetes.md 1.4)."""

    namespace: str
    name: str
    left: tuple[tuple[str, int], ...] = ()
    """Quota resource (``pods``, ``count/pods``, ``cpu``, ``requests.cpu``, ``limits.memory``, …) to hard minus used, in base units, sorted;
    negative when over-used. Only those that pods count towards."""
    scopes: tuple[str, ...] = ()
    """BestEffort, NotBestEffort, Terminating, NotTerminating, CrossNamespacePodAffinity; ANDed."""
    priority_classes: tuple[Requirement, ...] = ()
    """``scopeSelector`` expressions over PriorityClass, with the key ``PriorityClass``; ANDed."""
    unknown: str | None = None
    """The field that cannot be judged: such a quota lets no second copy in."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Namespace:
    """A namespace's labels and known annotations."""

    name: str
    labels: Pairs = ()
    annotations: Pairs = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleUp:
    """A recent event that says a node is on its way for a pod (TriggeredScaleUp, Nominated)."""

    namespace: str
    pod: str
    at: datetime
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Everything read from one cluster, sorted, so that equal fleets are equal values."""

    name: str
    uid: str = ""
    """UID of the namespace kube-system; empty when unknown."""
    server_version: str = ""
    movers: tuple[str, ...] | None = None
    """The movers discovery found; ``None`` when nobody looked."""
    nodes: tuple[Node, ...] = ()
    pods: tuple[Pod, ...] = ()
    workloads: tuple[Workload, ...] = ()
    budgets: tuple[Budget, ...] = ()
    namespaces: tuple[Namespace, ...] = ()
    quotas: tuple[Quota, ...] = ()
    schedulers: tuple[str, ...] = ("default-scheduler",)
    """Profiles that follow the default plugins; from the Fleet file, it cannot be read."""
    scale_ups: tuple[ScaleUp, ...] = ()
    absent: tuple[str, ...] = field(default=())
    """Kinds of which the source held no object and no empty list."""
