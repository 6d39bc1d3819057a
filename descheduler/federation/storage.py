"""What is known of a cluster's storage: claims, volumes, classes, drivers and what is attached where (kubernetes.md 3.8)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from descheduler.domain.selectors import NodeSelectorTerm, Requirement

V = TypeVar("V", bound="Claim | PersistentVolume | StorageClass | CsiNode | CsiDriver")

ATTACHED_AS: Mapping[str, str] = {
    "awsElasticBlockStore": "ebs.csi.aws.com",
    "azureDisk": "disk.csi.azure.com",
    "cinder": "cinder.csi.openstack.org",
    "gcePersistentDisk": "pd.csi.storage.gke.io",
    "portworxVolume": "pxd.portworx.com",
}
"""Volumes of these old kinds count towards the attach limit of the CSI driver that took over (csi-translation-lib)."""
PROVISIONED_AS: Mapping[str, str] = {
    "kubernetes.io/aws-ebs": "ebs.csi.aws.com",
    "kubernetes.io/azure-disk": "disk.csi.azure.com",
    "kubernetes.io/cinder": "cinder.csi.openstack.org",
    "kubernetes.io/gce-pd": "pd.csi.storage.gke.io",
    "kubernetes.io/portworx-volume": "pxd.portworx.com",
}
"""The same by provisioner."""
TRANSLATED = frozenset({*ATTACHED_AS, "azureFile", "vsphereVolume"})
"""Kinds of PersistentVolume whose node affinity kube-scheduler may rewrite before it looks at it: not modelled."""
TRANSLATED_PROVISIONERS = frozenset({*PROVISIONED_AS, "kubernetes.io/azure-file", "kubernetes.io/vsphere-volume"})
NO_PROVISIONER = frozenset({"", "kubernetes.io/no-provisioner"})
SINGLE_POD = "ReadWriteOncePod"
_MANY = frozenset({"ReadWriteMany", "ReadOnlyMany"})


@dataclass(frozen=True, slots=True)
class Unread:
    """An object that is there but cannot be read: nothing may be concluded from it."""

    namespace: str
    name: str


@dataclass(frozen=True, slots=True)
class Claim:
    """A PersistentVolumeClaim."""

    namespace: str
    name: str
    volume: str = ""
    """``spec.volumeName``."""
    bound: bool = False
    """Fully bound: it names its volume, and the binder's annotation or the phase says so.

    kube-scheduler looks at the annotation alone; the binder sets both, but a recording may have lost the one.
    """
    lost: bool = False
    terminating: bool = False
    storage_class: str = ""
    selected_node: str | None = None
    """The node for which a volume is being provisioned."""
    owner_uid: str = ""
    access_modes: frozenset[str] = frozenset()
    size: int | None = None
    """Requested bytes; None when it requests none."""

    @property
    def shared(self) -> bool:
        """Whether it may be mounted on several nodes at once, and in no other way."""
        return bool(self.access_modes) and self.access_modes <= _MANY


@dataclass(frozen=True, slots=True)
class PersistentVolume:
    """A PersistentVolume."""

    name: str
    source: str = ""
    """What it is made of: ``csi``, one of ``TRANSLATED``, or empty for anything the scheduler does not distinguish."""
    driver: str = ""
    handle: str = ""
    terms: tuple[NodeSelectorTerm, ...] | None = None
    """Required node affinity, ORed; None when any node will do."""
    zones: tuple[tuple[str, tuple[str, ...]], ...] = ()
    """Its topology labels, each with the values it may have on a node."""
    storage_class: str = ""
    claim: tuple[str, str] | None = None
    """Namespace and name of the claim it is promised to."""
    terminating: bool = False


@dataclass(frozen=True, slots=True)
class StorageClass:
    """A StorageClass."""

    name: str
    late: bool = False
    """WaitForFirstConsumer rather than Immediate."""
    provisioner: str = ""
    topologies: tuple[NodeSelectorTerm, ...] = ()
    """``allowedTopologies``, ORed; none: anywhere."""


@dataclass(frozen=True, slots=True)
class CsiNode:
    """The drivers registered on a node, each with how many volumes it can attach there (None: no limit)."""

    name: str
    drivers: tuple[tuple[str, int | None], ...] = ()


@dataclass(frozen=True, slots=True)
class CsiDriver:
    """A CSIDriver."""

    name: str
    tracks_capacity: bool = False
    needed_on_node: bool = False
    """``preventPodSchedulingIfMissing``: no pod with its volumes goes where it is not registered (gate VolumeLimitScaling)."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """A CSIStorageCapacity: how large a new volume of a class can be on some nodes."""

    storage_class: str
    limit: int | None
    """Bytes; None when the driver did not say."""
    nodes: tuple[Requirement, ...] | None
    """Labels of the nodes, ANDed; None: no node."""


@dataclass(frozen=True, slots=True)
class Attachment:
    """A VolumeAttachment of a PersistentVolume."""

    node: str
    driver: str
    volume: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """All of it. A kind nobody could read is None; an object that is there but cannot be read stands in its map as None."""

    claims: Mapping[tuple[str, str], Claim | None] | None = None
    """By namespace and name."""
    volumes: Mapping[str, PersistentVolume | None] | None = None
    classes: Mapping[str, StorageClass | None] | None = None
    nodes: Mapping[str, CsiNode | None] | None = None
    drivers: Mapping[str, CsiDriver | None] | None = None
    capacities: tuple[Capacity, ...] | None = None
    attachments: tuple[Attachment, ...] | None = None


def by_name(found: Iterable[V | Unread]) -> dict[str, V | None]:
    """A map for ``Storage``."""
    return {value.name: None if isinstance(value, Unread) else value for value in found}
