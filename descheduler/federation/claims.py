"""What a pod's claims ask of a node, or why nothing exact can be said about them (kubernetes.md 3.8).

Follows kube-scheduler's VolumeBinding, VolumeZone, VolumeRestrictions and NodeVolumeLimits. Which of several existing volumes
would be chosen, and what a volume of an old kind is turned into, is not modelled: such a pod is opaque.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from descheduler.domain.objects import Pod
from descheduler.domain.selectors import NodeDemand, NodeSelectorTerm, Requirement
from descheduler.federation.convert_pod import PodDraft
from descheduler.federation.convert_storage import ZONES
from descheduler.federation.convert_volumes import ClaimUse
from descheduler.federation.storage import (
    ATTACHED_AS,
    NO_PROVISIONER,
    PROVISIONED_AS,
    SINGLE_POD,
    TRANSLATED,
    Claim,
    PersistentVolume,
    Storage,
    StorageClass,
)

NODE_CONFLICT = "node(s) didn't match PersistentVolume's node affinity"
BIND_CONFLICT = "node(s) didn't find available persistent volumes to bind"
TOO_LITTLE_SPACE = "node(s) did not have enough free storage"
ZONE_CONFLICT = "node(s) had no available volume zone"

Attached = tuple[str, str]
"""A driver, and what tells one of its volumes from another."""
Use = tuple[ClaimUse, Claim]


@dataclass(frozen=True, slots=True)
class Judged:
    """What follows from the volumes of one pod."""

    demands: tuple[NodeDemand, ...] = ()
    attached: frozenset[Attached] = frozenset()
    """Its volumes that count towards an attach limit."""
    exclusive: tuple[str, ...] = ()
    shared: frozenset[str] = frozenset()
    """Its claims that may be mounted on several nodes at once, by name."""
    waits: str | None = None
    """Why a waiting pod waits for a claim, in kube-scheduler's words."""
    opaque: str | None = None
    """The field about which nothing exact can be said, and why."""


class NotModelled(Exception):
    """Nothing exact can be said about a claim; the message names field and reason."""

    def __init__(self, use: ClaimUse, why: str) -> None:
        super().__init__(f"{use.field}: {why}")


class Claims:
    """Judges claims by what is known of the cluster's storage."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        limits = [driver for node in (storage.nodes or {}).values() if node is not None for driver in node.drivers]
        needed = [driver.name for driver in (storage.drivers or {}).values() if driver is not None and driver.needed_on_node]
        self.limited = frozenset(needed) | {driver for driver, most in limits if most is not None}
        """Drivers of which not every node can attach any number of volumes."""
        self._of_class: dict[str, list[PersistentVolume]] = {}
        for volume in (storage.volumes or {}).values():
            if volume is not None and not volume.terminating:
                self._of_class.setdefault(volume.storage_class, []).append(volume)

    def judge(self, draft: PodDraft) -> Judged:
        """Of a waiting pod what kube-scheduler says, of a bound one what it would say of its replacement.

        The replacement mounts the same claims, but gets new ones in place of the ephemeral ones.
        """
        pod, told = draft.pod, self.storage.claims
        found = {use: (told or {}).get((pod.ref.namespace, use.name)) for use in draft.claims}
        unread = [use for use, claim in found.items() if claim is None and (told is None or (pod.ref.namespace, use.name) in told)]
        known = [(use, claim) for use, claim in found.items() if claim is not None]
        attached = {one for _, claim in known for one in self._attached(claim)} | {one for use in unread for one in self._any(use.name)}
        judged = Judged(
            attached=frozenset(attached | {(driver, f"inline {i}") for i, driver in enumerate(draft.inline)}),
            exclusive=tuple(sorted(f"{c.namespace}/{c.name}" for use, c in known if SINGLE_POD in c.access_modes and not use.ephemeral)),
            shared=frozenset(claim.name for _, claim in known if claim.shared),
        )
        try:
            if unread:
                raise NotModelled(unread[0], f"its PersistentVolumeClaim {'is missing' if told is None else 'cannot be read'}")
            if pod.node is not None:
                known = [(use, _renewed(claim) if use.ephemeral else claim) for use, claim in known]
            waits = self._waits(pod, found, known)
            if waits is not None and pod.node is not None:
                raise NotModelled(*waits)
            return replace(judged, waits=waits[1]) if waits is not None else replace(judged, demands=self._demands(known))
        except NotModelled as inexact:
            return replace(judged, opaque=str(inexact))

    # Whether all claims can be had at all ---------------------------------------------------------------------------------

    def _waits(self, pod: Pod, found: Mapping[ClaimUse, Claim | None], known: list[Use]) -> tuple[ClaimUse, str] | None:
        """The first claim that no node can help, and why, in the order in which kube-scheduler's plugins look."""
        for use, claim in found.items():
            if claim is None and not use.ephemeral:
                return use, f'persistentvolumeclaim "{use.name}" not found'
        for use, claim in found.items():
            why = _unusable(use, claim, pod)
            if why is not None:
                return use, why
        for use, mounted in known:
            if not mounted.bound and (mounted.volume or not self._class(use, mounted).late):
                if not mounted.name:
                    raise NotModelled(use, "its replacement gets a claim that is bound before the pod has a node")
                return use, "pod has unbound immediate PersistentVolumeClaims"
        for use, mounted in known:
            if mounted.bound and self._volume(use, mounted) is None:
                return use, f'persistentvolume "{mounted.volume}" not found'
        for use, mounted in known:
            if not mounted.bound and self._class(use, mounted).provisioner in NO_PROVISIONER and not self._candidates(use, mounted):
                return use, BIND_CONFLICT
        return None

    # What is asked of a node ----------------------------------------------------------------------------------------------

    def _demands(self, known: list[Use]) -> tuple[NodeDemand, ...]:
        """All of them, each once. Raises NotModelled."""
        return tuple(dict.fromkeys(self._each_demand(known)))

    def _each_demand(self, known: list[Use]) -> Iterator[NodeDemand]:
        new = [(use, claim) for use, claim in known if not claim.bound]
        volumes = [(use, self._volume(use, claim)) for use, claim in known if claim.bound]
        for use, volume in volumes:
            if volume is not None:
                yield from self._of_volume(use, volume)
        for use, claim in sorted(new, key=lambda pair: (pair[1].selected_node is None, pair[1].size or 0)):
            yield from self._of_new_volume(use, claim)
        for use, volume in volumes:
            if volume is not None and not use.ephemeral:
                for key, values in volume.zones:
                    yield NodeDemand("VolumeZone", ZONE_CONFLICT, _in_zone(key, values))

    def _of_volume(self, use: ClaimUse, volume: PersistentVolume) -> Iterator[NodeDemand]:
        if volume.source in TRANSLATED:
            raise NotModelled(use, f"its PersistentVolume is of the old kind {volume.source}")
        if volume.source == "csi":
            self._require_limits(use, volume.driver)
        if volume.terms is not None:
            yield NodeDemand("VolumeBinding", NODE_CONFLICT, volume.terms)

    def _of_new_volume(self, use: ClaimUse, claim: Claim) -> Iterator[NodeDemand]:
        """A volume that is yet to be provisioned for the node the pod gets."""
        kind = self._class(use, claim)
        self._require_limits(use, _driver(kind))
        if claim.selected_node is not None:
            here = Requirement("metadata.name", "In", (claim.selected_node,))
            yield NodeDemand("VolumeBinding", BIND_CONFLICT, (NodeSelectorTerm(fields=(here,)),))
        elif self._candidates(use, claim):
            raise NotModelled(use, f"a PersistentVolume of class {kind.name} may be bound to it")
        if kind.topologies:
            yield NodeDemand("VolumeBinding", BIND_CONFLICT, kind.topologies)
        room = self._room_for(use, claim, kind)
        if room is not None:
            yield NodeDemand("VolumeBinding", TOO_LITTLE_SPACE, room)

    def _room_for(self, use: ClaimUse, claim: Claim, kind: StorageClass) -> tuple[NodeSelectorTerm, ...] | None:
        """The nodes for which enough storage is told to be left; None when nobody counts it, or it is everywhere."""
        drivers, capacities = self.storage.drivers, self.storage.capacities
        if claim.size is None or drivers is None or kind.provisioner not in drivers:
            return None
        driver = drivers[kind.provisioner]
        if driver is None:
            raise NotModelled(use, f"the CSIDriver {kind.provisioner} cannot be read")
        if not driver.tracks_capacity:
            return None
        if capacities is None:
            raise NotModelled(use, f"the CSIStorageCapacity objects of {kind.provisioner} are missing")
        large = [c.nodes for c in capacities if c.storage_class == kind.name and c.limit is not None and c.limit >= claim.size]
        told = sorted({nodes for nodes in large if nodes is not None}, key=repr)
        return None if () in told else tuple(NodeSelectorTerm(nodes) for nodes in told)

    def _require_limits(self, use: ClaimUse, driver: str) -> None:
        """Raises NotModelled when it is not known how many of a driver's volumes a node can attach."""
        if self.storage.nodes is None or self.storage.drivers is None:
            raise NotModelled(use, f"the {'CSINode' if self.storage.nodes is None else 'CSIDriver'} objects are missing")
        if driver in self.limited and self.storage.attachments is None:
            raise NotModelled(use, "the VolumeAttachment objects are missing")

    # Looking up -----------------------------------------------------------------------------------------------------------

    def _volume(self, use: ClaimUse, claim: Claim) -> PersistentVolume | None:
        """None when there is none of that name."""
        volumes = self.storage.volumes
        if volumes is None:
            raise NotModelled(use, "its PersistentVolume is missing")
        if volumes.get(claim.volume) is None and claim.volume in volumes:
            raise NotModelled(use, "its PersistentVolume cannot be read")
        return volumes.get(claim.volume)

    def _class(self, use: ClaimUse, claim: Claim) -> StorageClass:
        """A class that is not there binds at once, and provisions nothing."""
        classes = self.storage.classes
        if not claim.storage_class:
            return StorageClass("")
        if classes is None:
            raise NotModelled(use, "its StorageClass is missing")
        if classes.get(claim.storage_class) is None and claim.storage_class in classes:
            raise NotModelled(use, "its StorageClass cannot be read")
        return classes.get(claim.storage_class) or StorageClass(claim.storage_class)

    def _candidates(self, use: ClaimUse, claim: Claim) -> bool:
        """Whether there is a volume that might be bound to the claim instead of provisioning one."""
        if self.storage.volumes is None:
            raise NotModelled(use, "the PersistentVolume objects are missing")
        of_class = self._of_class.get(claim.storage_class, ())
        return any(volume.claim in (None, (claim.namespace, claim.name)) for volume in of_class) or None in self.storage.volumes.values()

    def _attached(self, claim: Claim) -> Iterator[Attached]:
        """The volume as NodeVolumeLimits counts it: by handle, or by the claim while there is no volume."""
        volumes, classes = self.storage.volumes or {}, self.storage.classes or {}
        volume, kind = volumes.get(claim.volume), classes.get(claim.storage_class)
        if volume is not None:
            driver = volume.driver or ATTACHED_AS.get(volume.source, "")
            if driver:
                yield driver, volume.handle or f"volume {volume.name}"
        elif claim.volume in volumes or (kind is None and claim.storage_class in classes):
            yield from self._any(claim.name)
        elif kind is not None and kind.provisioner:
            yield _driver(kind), f"claim {claim.namespace}/{claim.name}"

    def _any(self, name: str) -> Iterator[Attached]:
        """A volume of which not even the driver is known: one of each."""
        return ((driver, f"unknown {name}") for driver in self.limited)


def _renewed(claim: Claim) -> Claim:
    """The claim a replacement gets in place of its ephemeral one: of the same class and size, with another name."""
    return replace(claim, name="", volume="", bound=False, lost=False, terminating=False, selected_node=None)


def _unusable(use: ClaimUse, claim: Claim | None, pod: Pod) -> str | None:
    """VolumeBinding's ``podHasPVCs``; a missing claim is only told here for an ephemeral one."""
    if claim is None:
        return f'waiting for ephemeral volume controller to create the persistentvolumeclaim "{use.name}"'
    if claim.lost:
        return f'persistentvolumeclaim "{claim.name}" bound to non-existent persistentvolume "{claim.volume}"'
    if claim.terminating:
        return f'persistentvolumeclaim "{claim.name}" is being deleted'
    if use.ephemeral and claim.owner_uid != pod.uid:
        return f"PVC {claim.namespace}/{claim.name} was not created for pod {pod.ref.namespace}/{pod.ref.name} (pod is not owner)"
    return None


def _driver(kind: StorageClass) -> str:
    return PROVISIONED_AS.get(kind.provisioner, kind.provisioner)


def _in_zone(key: str, values: tuple[str, ...]) -> tuple[NodeSelectorTerm, ...]:
    """A node without any zone label will do; else it must have one of the values under this key or, if it lacks it, the newer one."""
    unzoned = NodeSelectorTerm(tuple(Requirement(label, "DoesNotExist") for label in sorted(ZONES)))
    terms = [unzoned, NodeSelectorTerm((Requirement(key, "In", values),))]
    if ZONES[key] != key:
        terms.append(NodeSelectorTerm((Requirement(key, "DoesNotExist"), Requirement(ZONES[key], "In", values))))
    return tuple(terms)
