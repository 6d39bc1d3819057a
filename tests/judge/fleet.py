"""Pods, nodes and clusters as thin coats over their raw objects."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from tests.judge.quantities import Amounts, Body, Unreadable, amounts, pod_requests

FINISHED = ("Succeeded", "Failed")
MIRROR = "kubernetes.io/config.mirror"
PIN = "fleet.descheduler.io/pin"
HOSTNAME = "kubernetes.io/hostname"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
DEFAULT = "default-scheduler"


def instant(text: object) -> datetime | None:
    """An RFC 3339 time; YAML may have parsed it already."""
    if isinstance(text, datetime):
        return text
    return datetime.fromisoformat(text) if isinstance(text, str) and text else None


@dataclass
class Pod:
    """One pod with the few facts that everybody asks for."""

    cluster: str
    raw: Body

    @cached_property
    def meta(self) -> Body:
        return self.raw.get("metadata") or {}

    @cached_property
    def spec(self) -> Body:
        """As it was before we pinned it: our own pin is no wish of its owner. A waiting pod never gets rid of it."""
        spec, pin = self.raw.get("spec") or {}, self.notes.get(PIN)
        selector = spec.get("nodeSelector") or {}
        if pin is None or not spec.get("nodeName") or selector.get(HOSTNAME) != pin:
            return spec
        return {**spec, "nodeSelector": {key: value for key, value in selector.items() if key != HOSTNAME}}

    @cached_property
    def status(self) -> Body:
        return self.raw.get("status") or {}

    @cached_property
    def namespace(self) -> str:
        return str(self.meta.get("namespace", ""))

    @cached_property
    def name(self) -> str:
        return str(self.meta.get("name", ""))

    @cached_property
    def key(self) -> str:
        return f"{self.cluster}/{self.namespace}/{self.name}"

    @cached_property
    def uid(self) -> str:
        return str(self.meta.get("uid", ""))

    @cached_property
    def labels(self) -> dict[str, str]:
        return self.meta.get("labels") or {}

    @cached_property
    def notes(self) -> dict[str, str]:
        return self.meta.get("annotations") or {}

    @cached_property
    def node(self) -> str | None:
        return self.spec.get("nodeName") or None

    @cached_property
    def terminating(self) -> bool:
        return bool(self.meta.get("deletionTimestamp"))

    @cached_property
    def finished(self) -> bool:
        return self.status.get("phase") in FINISHED

    @cached_property
    def running(self) -> bool:
        return self.status.get("phase") == "Running"

    @cached_property
    def waiting(self) -> bool:
        return self.node is None and not self.terminating and not self.finished

    @cached_property
    def priority(self) -> int:
        return int(self.spec.get("priority") or 0)

    @cached_property
    def owner(self) -> Body | None:
        return next((ref for ref in self.meta.get("ownerReferences") or [] if ref.get("controller")), None)

    @cached_property
    def static(self) -> bool:
        return MIRROR in self.notes or any(ref.get("kind") == "Node" for ref in self.meta.get("ownerReferences") or [])

    @cached_property
    def daemon(self) -> bool:
        return self.owner is not None and self.owner.get("kind") == "DaemonSet"

    @cached_property
    def ready(self) -> bool:
        return any(c.get("type") == "Ready" and c.get("status") == "True" for c in self.status.get("conditions") or [])

    @cached_property
    def requests(self) -> Amounts | None:
        """What it asks for, with ``pods``; None when a quantity cannot be read."""
        try:
            return pod_requests(self.spec, self.status if self.node else None)
        except (Unreadable, AttributeError, TypeError):
            return None

    @cached_property
    def created(self) -> datetime | None:
        return instant(self.meta.get("creationTimestamp"))

    @cached_property
    def waits_since(self) -> datetime | None:
        """When the scheduler first said no, else its creation."""
        said = [c for c in self.status.get("conditions") or [] if c.get("type") == "PodScheduled" and c.get("status") == "False"]
        return (instant(said[0].get("lastTransitionTime")) if said else None) or self.created


def terms(pod: Pod, kind: str) -> list[Body]:
    """Required terms of podAffinity or podAntiAffinity."""
    return ((pod.spec.get("affinity") or {}).get(kind) or {}).get(REQUIRED) or []


@dataclass
class Node:
    """One node."""

    cluster: str
    raw: Body

    @cached_property
    def name(self) -> str:
        return str(self.raw["metadata"].get("name", ""))

    @cached_property
    def labels(self) -> dict[str, str]:
        return self.raw["metadata"].get("labels") or {}

    @cached_property
    def notes(self) -> dict[str, str]:
        return self.raw["metadata"].get("annotations") or {}

    @cached_property
    def taints(self) -> list[Body]:
        return (self.raw.get("spec") or {}).get("taints") or []

    @cached_property
    def cordoned(self) -> bool:
        return bool((self.raw.get("spec") or {}).get("unschedulable"))

    @cached_property
    def ready(self) -> bool:
        conditions = (self.raw.get("status") or {}).get("conditions") or []
        return any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)

    @cached_property
    def allocatable(self) -> Amounts | None:
        """What it can give; None when absent or unreadable."""
        try:
            return amounts((self.raw.get("status") or {}).get("allocatable")) or None
        except (Unreadable, AttributeError, TypeError):
            return None


@dataclass
class Cluster:
    """Everything of one folder."""

    name: str
    declared: Body = field(default_factory=dict)
    objects: dict[str, list[Body]] = field(default_factory=dict)
    trouble: str = ""
    """Why it could not be read."""
    nodes: dict[str, Node] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    """Without the finished ones."""

    def of(self, kind: str) -> list[Body]:
        return self.objects.get(kind, [])

    @cached_property
    def by_uid(self) -> dict[str, Body]:
        return {str(each["metadata"].get("uid")): each for listed in self.objects.values() for each in listed}

    @cached_property
    def _by_name(self) -> dict[tuple[str, str | None, str], Body]:
        return {
            (kind, each["metadata"].get("namespace"), each["metadata"]["name"]): each
            for kind, listed in self.objects.items()
            for each in listed
            if each["metadata"].get("name")
        }

    def named(self, kind: str, name: str, namespace: str | None = None) -> Body | None:
        """One object."""
        return self._by_name.get((kind, namespace, name))

    @cached_property
    def configuration(self) -> Body:
        """What the Fleet file says of the scheduler, for nobody can read it."""
        return self.declared.get("scheduler") or {}

    @cached_property
    def schedulers(self) -> list[str]:
        """Profiles with the default plugins."""
        return [str(each) for each in self.configuration.get("profiles") or [DEFAULT]]

    def ignores(self, resource: str) -> bool:
        """Whether NodeResourcesFit does not look at an extended resource."""
        groups = self.configuration.get("ignoredResourceGroups") or []
        group, slash, _ = resource.partition("/")
        return bool(slash) and (resource in (self.configuration.get("ignoredResources") or []) or group in groups)

    def serves(self, pod: Pod) -> bool:
        """Whether a scheduler that is modelled is responsible for the pod."""
        return pod.spec.get("schedulerName", DEFAULT) in self.schedulers

    @cached_property
    def namespaces(self) -> dict[str, Body]:
        return {each["metadata"]["name"]: each["metadata"] for each in self.of("Namespace")}

    def owners(self, pod: Pod) -> Iterator[Body]:
        """Its controllers from the direct one upwards, as objects, as far as the snapshot holds them."""
        ref = pod.owner
        while ref is not None:
            found = self.by_uid.get(str(ref.get("uid"))) or self._named(ref, pod.namespace)
            if found is None:
                return
            yield found
            ref = next((r for r in found["metadata"].get("ownerReferences") or [] if r.get("controller")), None)

    def _named(self, ref: Body, namespace: str) -> Body | None:
        for each in self.of(str(ref.get("kind"))):
            if each["metadata"].get("name") == ref.get("name") and each["metadata"].get("namespace") == namespace:
                return each
        return None

    def workload(self, pod: Pod) -> tuple[str, str] | None:
        """(kind, name) of the topmost controller reachable."""
        if pod.owner is None:
            return None
        top: tuple[str, str] = (str(pod.owner.get("kind")), str(pod.owner.get("name")))
        for each in self.owners(pod):
            ref = next((r for r in each["metadata"].get("ownerReferences") or [] if r.get("controller")), None)
            top = (str(ref["kind"]), str(ref["name"])) if ref else (str(each["kind"]), str(each["metadata"]["name"]))
        return top

    def owned_by(self, uid: str) -> list[Pod]:
        return [pod for pod in self.pods if pod.owner and pod.owner.get("uid") == uid]


@dataclass
class Fleet:
    """All clusters and the one "now"."""

    taken_at: datetime
    clusters: dict[str, Cluster]

    @cached_property
    def pods(self) -> dict[str, Pod]:
        return {pod.key: pod for cluster in self.clusters.values() for pod in cluster.pods}

    @property
    def readable(self) -> list[Cluster]:
        return [cluster for cluster in self.clusters.values() if not cluster.trouble]
