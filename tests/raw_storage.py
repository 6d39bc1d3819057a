"""Small builders of raw claims, volumes and CSI objects: what is not said is ordinary, bound and Ready to use."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from tests.raw import Json, meta_json

STORAGE = "storage.k8s.io/v1"


def claim_json(
    name: str,
    *,
    volume: str = "",
    storage_class: str = "fast",
    phase: str | None = None,
    modes: Iterable[str] = ("ReadWriteOnce",),
    size: str = "10Gi",
    completed: bool | None = None,
    selected: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Json:
    """A claim; one that names its ``volume`` is bound to it unless ``completed`` is False, ``selected`` is its selected node."""
    notes: dict[str, str] = {"pv.kubernetes.io/bind-completed": "yes"} if (bool(volume) if completed is None else completed) else {}
    notes |= {"volume.kubernetes.io/selected-node": selected} if selected is not None else {}
    meta = meta_json(name, namespace="shop", uid=f"uid-claim-shop-{name}", annotations=notes) | dict(metadata or {})
    body: Json = {"accessModes": list(modes), "storageClassName": storage_class, "resources": {"requests": {"storage": size}}}
    body |= {"volumeName": volume} if volume else {}
    told = phase or ("Bound" if volume and completed is not False else "Pending")
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": body | spec, "status": {"phase": told}}


def volume_json(
    name: str,
    *,
    driver: str = "csi.example",
    handle: str | None = None,
    terms: Iterable[Mapping[str, Any]] | None = None,
    labels: Mapping[str, str] | None = None,
    storage_class: str = "fast",
    claim: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Json:
    """A PersistentVolume of a CSI driver (none: ``driver=""``), with the ``terms`` of its node affinity."""
    body: Json = {"storageClassName": storage_class, "capacity": {"storage": "10Gi"}, "accessModes": ["ReadWriteOnce"]}
    body |= {"csi": {"driver": driver, "volumeHandle": handle if handle is not None else f"handle-{name}"}} if driver else {}
    body |= {"nodeAffinity": {"required": {"nodeSelectorTerms": list(terms)}}} if terms is not None else {}
    body |= {"claimRef": {"namespace": "shop", "name": claim}} if claim else {}
    meta = meta_json(name, labels=labels) | dict(metadata or {})
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": meta, "spec": body | spec, "status": {"phase": "Bound"}}


def class_json(name: str = "fast", *, late: bool = True, provisioner: str = "csi.example", **more: Any) -> Json:
    mode = "WaitForFirstConsumer" if late else "Immediate"
    told = {"provisioner": provisioner, "volumeBindingMode": mode, **more}
    return {"apiVersion": STORAGE, "kind": "StorageClass", "metadata": meta_json(name), **told}


def csi_node_json(node: str, **limits: int | None) -> Json:
    """The drivers of a node, ``csi_example`` for csi.example, each with its limit or None."""
    drivers = [
        {
            "name": driver.replace("_", "."),
            "nodeID": node,
            "topologyKeys": None,
            **({"allocatable": {"count": most}} if most is not None else {}),
        }
        for driver, most in limits.items()
    ]
    return {"apiVersion": STORAGE, "kind": "CSINode", "metadata": meta_json(node), "spec": {"drivers": drivers}}


def csi_driver_json(name: str = "csi.example", **spec: Any) -> Json:
    return {"apiVersion": STORAGE, "kind": "CSIDriver", "metadata": meta_json(name), "spec": spec}


def capacity_json(name: str, *, storage_class: str = "fast", capacity: str | None = "100Gi", topology: Any = None, **more: Any) -> Json:
    """What is left of a class on the nodes of ``topology``, a label selector."""
    told = {"storageClassName": storage_class, "nodeTopology": topology, **({"capacity": capacity} if capacity else {}), **more}
    return {"apiVersion": STORAGE, "kind": "CSIStorageCapacity", "metadata": meta_json(name, namespace="storage"), **told}


def attachment_json(name: str, *, node: str, volume: str | None, driver: str = "csi.example") -> Json:
    source: Json = {"persistentVolumeName": volume} if volume else {"inlineVolumeSpec": {}}
    spec = {"attacher": driver, "nodeName": node, "source": source}
    return {"apiVersion": STORAGE, "kind": "VolumeAttachment", "metadata": meta_json(name), "spec": spec}
