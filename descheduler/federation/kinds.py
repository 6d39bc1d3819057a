"""The kinds of Kubernetes objects that are read, and what becomes of each.

To add one: a reader from the raw object to a value and what was odd about it, and its line in ``KINDS``; then use it in
``convert.ClusterBuilder.build``. A reader never fails: what cannot be read becomes whatever is safe.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

from descheduler.domain.objects import Namespace
from descheduler.federation import convert_storage as storage
from descheduler.federation import convert_workload as workloads
from descheduler.federation.convert_event import read_scale_up
from descheduler.federation.convert_node import read_node
from descheduler.federation.convert_pod import finished, read_pod
from descheduler.federation.convert_quota import quota_in_doubt, read_quota
from descheduler.federation.fields import Odd, mapping, sorted_pairs
from descheduler.federation.interning import Interner
from descheduler.federation.metadata import IN_DOUBT, Place, known_annotations
from descheduler.federation.storage import Unread

Raw = Mapping[str, Any]
Reading = tuple[object | None, tuple[str, ...]]
"""The value, None when there is none to keep, and what was odd about the object."""


@dataclass(frozen=True, slots=True)
class Source:
    """Whose objects are read, and where equal values are shared."""

    cluster: str
    interner: Interner


class Item(NamedTuple):
    """One object to be read."""

    kind: str
    api_version: str
    raw: Raw
    place: Place
    source: Source


@dataclass(frozen=True, slots=True)
class Kind:
    """One known kind."""

    groups: frozenset[str]
    """Its API groups; the same kind of another group is another kind."""
    read: Callable[[Item], Reading]
    namespaced: bool = True
    missed: bool = True
    """Whether it is told when there is none anywhere; not where the pods that need one say so themselves."""


@dataclass(frozen=True, slots=True)
class NamespaceFound:
    """A Namespace; its labels are None when they could not be read."""

    namespace: Namespace
    labels: Mapping[str, str] | None


@dataclass(frozen=True, slots=True)
class Present:
    """An object of which only the existence matters."""

    name: str


def _pod(item: Item) -> Reading:
    return (None, ()) if finished(item.raw) else read_pod(item.raw, item.place, item.source.cluster, item.source.interner)


def _node(item: Item) -> Reading:
    return read_node(item.raw, item.place, item.source.cluster, item.source.interner)


def _namespace(item: Item) -> Reading:
    try:
        meta = mapping(item.raw.get("metadata"), "metadata")
        labels = sorted_pairs(meta.get("labels"), "metadata.labels")
        notes = known_annotations(meta.get("annotations"), "metadata.annotations")
    except Odd as odd:
        return NamespaceFound(Namespace(name=item.place.name, annotations=IN_DOUBT), None), (str(odd),)
    return NamespaceFound(Namespace(name=item.place.name, labels=labels, annotations=notes), dict(labels)), ()


def _workload(item: Item) -> Reading:
    try:
        return workloads.read_workload(item.kind, item.api_version, item.raw, item.place, item.source.interner), ()
    except Odd as odd:
        return None, (f"{odd}; its pods count as those of an unknown controller",)


def _budget(item: Item) -> Reading:
    try:
        return workloads.read_budget(item.api_version, item.raw, item.place), ()
    except Odd as odd:
        return workloads.closed_budget(item.place), (f"{odd}; it allows no disruption in its namespace",)


def _quota(item: Item) -> Reading:
    try:
        return read_quota(item.raw, item.place), ()
    except Odd as odd:
        return quota_in_doubt(item.place, str(odd)), (f"{odd}; it lets no second copy into its namespace",)


def _stored(read: Callable[[Raw, Place], object | None]) -> Callable[[Item], Reading]:
    """Something pods may need for their volumes: one that cannot be read must not look as if it were not there."""

    def reading(item: Item) -> Reading:
        try:
            return read(item.raw, item.place), ()
        except Odd as odd:
            return Unread(item.place.namespace, item.place.name), (str(odd),)

    return reading


def _present(item: Item) -> Reading:
    return Present(item.place.name), ()


def _event(item: Item) -> Reading:
    try:
        return read_scale_up(item.raw), ()
    except Odd as odd:
        return None, (str(odd),)


def read_other(item: Item) -> Reading:
    """Any other kind: it may be the controller of pods."""
    try:
        return workloads.read_unknown_owner(item.kind, item.api_version, item.raw, item.place, item.source.interner), ()
    except Odd:
        return None, ()


KINDS: dict[str, Kind] = {
    "Node": Kind(frozenset({""}), _node, namespaced=False),
    "Pod": Kind(frozenset({""}), _pod),
    "Namespace": Kind(frozenset({""}), _namespace, namespaced=False),
    "Deployment": Kind(frozenset({"apps", "extensions"}), _workload),
    "ReplicaSet": Kind(frozenset({"apps", "extensions"}), _workload),
    "StatefulSet": Kind(frozenset({"apps"}), _workload),
    "DaemonSet": Kind(frozenset({"apps", "extensions"}), _workload),
    "Job": Kind(frozenset({"batch"}), _workload),
    "CronJob": Kind(frozenset({"batch"}), _workload),
    "PodDisruptionBudget": Kind(frozenset({"policy"}), _budget),
    "ResourceQuota": Kind(frozenset({""}), _quota),
    "PersistentVolumeClaim": Kind(frozenset({""}), _stored(storage.read_claim)),
    "PersistentVolume": Kind(frozenset({""}), _stored(storage.read_volume), namespaced=False, missed=False),
    "StorageClass": Kind(frozenset({"storage.k8s.io"}), _stored(storage.read_storage_class), namespaced=False),
    "CSINode": Kind(frozenset({"storage.k8s.io"}), _stored(storage.read_csi_node), namespaced=False, missed=False),
    "CSIDriver": Kind(frozenset({"storage.k8s.io"}), _stored(storage.read_csi_driver), namespaced=False, missed=False),
    "CSIStorageCapacity": Kind(frozenset({"storage.k8s.io"}), _stored(storage.read_capacity), missed=False),
    "VolumeAttachment": Kind(frozenset({"storage.k8s.io"}), _stored(storage.read_attachment), namespaced=False, missed=False),
    "RuntimeClass": Kind(frozenset({"node.k8s.io"}), _present, namespaced=False),
    "Event": Kind(frozenset({"", "events.k8s.io"}), _event),
}

PASSED_OVER = frozenset(
    {
        "ConfigMap",
        "ControllerRevision",
        "Endpoints",
        "EndpointSlice",
        "HorizontalPodAutoscaler",
        "Lease",
        "NodeMetrics",
        "PodMetrics",
        "PriorityClass",
        "Role",
        "RoleBinding",
        "Secret",
        "Service",
        "ServiceAccount",
    }
)
"""Kinds that are many and tell nothing yet: never looked at."""
