"""Volumes that matter to a protection, and the claims a waiting pod may be waiting for (kubernetes.md 3.8)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from descheduler.domain.objects import Volume
from descheduler.federation.fields import mapping, objects, text
from descheduler.federation.metadata import Place

_BOUND = "pv.kubernetes.io/bind-completed"
_SELECTED_NODE = "volume.kubernetes.io/selected-node"


@dataclass(frozen=True, slots=True)
class ClaimUse:
    """A PersistentVolumeClaim a pod mounts; an ephemeral one must be owned by the pod."""

    name: str
    ephemeral: bool = False


@dataclass(frozen=True, slots=True)
class Claim:
    """As much of a PersistentVolumeClaim as decides whether a pod waits for it."""

    namespace: str
    name: str
    bound: bool = False
    lost: bool = False
    terminating: bool = False
    storage_class: str = ""
    node_selected: bool = False
    owner_uid: str = ""


@dataclass(frozen=True, slots=True)
class StorageClass:
    """When claims of this class are bound: ``Immediate`` or ``WaitForFirstConsumer``."""

    name: str
    binding_mode: str = "Immediate"


def volumes(value: object, field: str) -> tuple[Volume, ...]:
    """hostPath, emptyDir on disk, persistentVolumeClaim and ephemeral volumes, in their order."""
    found = []
    for volume in objects(value, field):
        name = text(volume.get("name"), f"{field}[].name")
        if volume.get("hostPath") is not None:
            found.append(Volume(name, "hostPath"))
        elif volume.get("emptyDir") is not None:
            medium = text(mapping(volume["emptyDir"], f"{field}[].emptyDir").get("medium"), f"{field}[].emptyDir.medium")
            if medium != "Memory" and not medium.startswith("HugePages"):
                found.append(Volume(name, "emptyDir"))
        elif volume.get("persistentVolumeClaim") is not None:
            claim = mapping(volume["persistentVolumeClaim"], f"{field}[].persistentVolumeClaim")
            found.append(Volume(name, "persistentVolumeClaim", text(claim.get("claimName"), f"{field}[].persistentVolumeClaim.claimName")))
        elif volume.get("ephemeral") is not None:
            found.append(Volume(name, "ephemeral"))
    return tuple(found)


def claims_used(value: object, field: str, pod: str) -> tuple[ClaimUse, ...]:
    """The claims the pod of that name mounts; an ephemeral volume's claim is named after pod and volume."""
    found = []
    for volume in volumes(value, field):
        if volume.kind == "persistentVolumeClaim":
            found.append(ClaimUse(volume.claim))
        elif volume.kind == "ephemeral":
            found.append(ClaimUse(f"{pod}-{volume.name}", ephemeral=True))
    return tuple(found)


def read_claim(raw: Mapping[str, Any], place: Place) -> Claim:
    """Raises Odd for a claim that cannot be read."""
    meta, spec = mapping(raw.get("metadata"), "metadata"), mapping(raw.get("spec"), "spec")
    notes = mapping(meta.get("annotations"), "metadata.annotations")
    phase = text(mapping(raw.get("status"), "status").get("phase"), "status.phase")
    owners = objects(meta.get("ownerReferences"), "metadata.ownerReferences")
    return Claim(
        place.namespace,
        place.name,
        bound=phase == "Bound" or (bool(spec.get("volumeName")) and notes.get(_BOUND) is not None),
        lost=phase == "Lost",
        terminating=meta.get("deletionTimestamp") is not None,
        storage_class=text(spec.get("storageClassName"), "spec.storageClassName"),
        node_selected=notes.get(_SELECTED_NODE) is not None,
        owner_uid=next((text(o.get("uid"), "metadata.ownerReferences[].uid") for o in owners if o.get("controller")), ""),
    )


def read_storage_class(raw: Mapping[str, Any], place: Place) -> StorageClass:
    """Raises Odd when its binding mode cannot be read."""
    return StorageClass(place.name, text(raw.get("volumeBindingMode"), "volumeBindingMode") or "Immediate")


def why_waiting(use: ClaimUse, claim: Claim | None, pod_uid: str, binding_modes: Mapping[str, str]) -> str | None:
    """Why a pod cannot be scheduled because of this claim, in kube-scheduler's words where it has some; None when it can.

    An unbound claim of an unknown StorageClass counts as Immediate, which is the API's default.
    """
    if claim is None:
        created_for = "waiting for ephemeral volume controller to create the " if use.ephemeral else ""
        return f'{created_for}persistentvolumeclaim "{use.name}"{"" if use.ephemeral else " not found"}'
    if claim.terminating:
        return f'persistentvolumeclaim "{use.name}" is being deleted'
    if claim.lost:
        return f'persistentvolumeclaim "{use.name}" bound to non-existent persistentvolume'
    if use.ephemeral and claim.owner_uid != pod_uid:
        return f'persistentvolumeclaim "{use.name}" was not created for the pod'
    late = claim.node_selected or binding_modes.get(claim.storage_class) == "WaitForFirstConsumer"
    if not claim.bound and not late:
        return f'unbound immediate persistentvolumeclaim "{use.name}"'
    return None
