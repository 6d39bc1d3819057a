"""Raw claims, volumes, classes and CSI objects as ``storage`` values (kubernetes.md 3.8). Every reader raises Odd."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from descheduler.domain.quantity import parse_quantity
from descheduler.domain.selectors import LabelSelector, NodeSelectorTerm, Requirement
from descheduler.federation.convert_selectors import label_selector, node_terms, term_of
from descheduler.federation.fields import Odd, flag, mapping, objects, odd, string_map, text, texts, whole
from descheduler.federation.metadata import Place
from descheduler.federation.storage import (
    TRANSLATED,
    Attachment,
    Capacity,
    Claim,
    CsiDriver,
    CsiNode,
    PersistentVolume,
    StorageClass,
)

BIND_COMPLETED = "pv.kubernetes.io/bind-completed"
SELECTED_NODE = "volume.kubernetes.io/selected-node"
BETA_CLASS = "volume.beta.kubernetes.io/storage-class"
ANNOTATIONS = frozenset({BIND_COMPLETED, SELECTED_NODE, BETA_CLASS})
"""Those of claims and volumes that are read."""
ZONES: Mapping[str, str] = {
    "failure-domain.beta.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "failure-domain.beta.kubernetes.io/region": "topology.kubernetes.io/region",
    "topology.kubernetes.io/zone": "topology.kubernetes.io/zone",
    "topology.kubernetes.io/region": "topology.kubernetes.io/region",
}
"""The labels VolumeZone looks at, each with the one of the node that answers where the node lacks it."""
_BETWEEN_ZONES = "__"


def read_claim(raw: Mapping[str, Any], place: Place) -> Claim:
    """A PersistentVolumeClaim."""
    meta, spec = mapping(raw.get("metadata"), "metadata"), mapping(raw.get("spec"), "spec")
    notes = mapping(meta.get("annotations"), "metadata.annotations")
    owners = objects(meta.get("ownerReferences"), "metadata.ownerReferences")
    volume = text(spec.get("volumeName"), "spec.volumeName")
    asked = mapping(mapping(spec.get("resources"), "spec.resources").get("requests"), "spec.resources.requests")
    selected = notes.get(SELECTED_NODE)
    phase = text(mapping(raw.get("status"), "status").get("phase"), "status.phase")
    return Claim(
        place.namespace,
        place.name,
        volume=volume,
        bound=bool(volume) and (BIND_COMPLETED in notes or phase == "Bound"),
        lost=phase == "Lost",
        terminating=meta.get("deletionTimestamp") is not None,
        storage_class=_class_of(notes, spec),
        selected_node=None if selected is None else text(selected, f"metadata.annotations[{SELECTED_NODE!a}]"),
        owner_uid=next((text(o.get("uid"), "metadata.ownerReferences[].uid") for o in owners if o.get("controller")), ""),
        access_modes=frozenset(texts(spec.get("accessModes"), "spec.accessModes")),
        size=_bytes(asked.get("storage"), "spec.resources.requests.storage"),
    )


def read_volume(raw: Mapping[str, Any], place: Place) -> PersistentVolume:
    """A PersistentVolume; of its node affinity the expressions on labels alone, ``matchFields`` are not looked at for volumes."""
    meta, spec = mapping(raw.get("metadata"), "metadata"), mapping(raw.get("spec"), "spec")
    csi = mapping(spec.get("csi"), "spec.csi")
    claim = mapping(spec.get("claimRef"), "spec.claimRef")
    named = (text(claim.get("namespace"), "spec.claimRef.namespace"), text(claim.get("name"), "spec.claimRef.name"))
    return PersistentVolume(
        place.name,
        source="csi" if csi else next((kind for kind in sorted(TRANSLATED) if spec.get(kind) is not None), ""),
        driver=text(csi.get("driver"), "spec.csi.driver"),
        handle=text(csi.get("volumeHandle"), "spec.csi.volumeHandle"),
        terms=_volume_terms(spec.get("nodeAffinity"), "spec.nodeAffinity"),
        zones=tuple(_zones(string_map(meta.get("labels"), "metadata.labels"))),
        storage_class=_class_of(mapping(meta.get("annotations"), "metadata.annotations"), spec),
        claim=named if claim else None,
        terminating=meta.get("deletionTimestamp") is not None,
    )


def _volume_terms(value: object, field: str) -> tuple[NodeSelectorTerm, ...] | None:
    terms = node_terms(mapping(value, field).get("required"), f"{field}.required")
    if terms is None or any(term.fields and not term.expressions for term in terms):
        return None
    return tuple(NodeSelectorTerm(term.expressions) for term in terms)


def _zones(labels: Mapping[str, str]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """A label with an empty piece says nothing (cloud-provider ``LabelZonesToSet``)."""
    for key in ZONES:
        pieces = {piece.strip() for piece in labels[key].split(_BETWEEN_ZONES)} if key in labels else {""}
        if "" not in pieces:
            yield key, tuple(sorted(pieces))


def read_storage_class(raw: Mapping[str, Any], place: Place) -> StorageClass:
    """A StorageClass; without a binding mode it is Immediate, the API's default."""
    mode = text(raw.get("volumeBindingMode"), "volumeBindingMode") or "Immediate"
    if mode not in ("Immediate", "WaitForFirstConsumer"):
        raise odd("volumeBindingMode", mode, "Immediate or WaitForFirstConsumer")
    terms = []
    for term in objects(raw.get("allowedTopologies"), "allowedTopologies"):
        at = "allowedTopologies[].matchLabelExpressions"
        found = [
            Requirement(text(item.get("key"), f"{at}[].key"), "In", texts(item.get("values"), f"{at}[].values"))
            for item in objects(term.get("matchLabelExpressions"), at)
        ]
        terms.append(term_of(found))
    return StorageClass(place.name, mode == "WaitForFirstConsumer", text(raw.get("provisioner"), "provisioner"), tuple(terms))


def read_csi_node(raw: Mapping[str, Any], place: Place) -> CsiNode:
    """A CSINode."""
    found: dict[str, int | None] = {}
    at = "spec.drivers"
    for driver in objects(mapping(raw.get("spec"), "spec").get("drivers"), at):
        room = mapping(driver.get("allocatable"), f"{at}[].allocatable")
        found[text(driver.get("name"), f"{at}[].name")] = whole(room.get("count"), f"{at}[].allocatable.count")
    return CsiNode(place.name, tuple(sorted(found.items())))


def read_csi_driver(raw: Mapping[str, Any], place: Place) -> CsiDriver:
    """A CSIDriver."""
    spec = mapping(raw.get("spec"), "spec")
    needed = flag(spec.get("preventPodSchedulingIfMissing"), "spec.preventPodSchedulingIfMissing")
    return CsiDriver(place.name, flag(spec.get("storageCapacity"), "spec.storageCapacity"), needed)


def read_capacity(raw: Mapping[str, Any], place: Place) -> Capacity:
    """A CSIStorageCapacity: ``maximumVolumeSize`` says more than ``capacity``."""
    field = "maximumVolumeSize" if raw.get("maximumVolumeSize") is not None else "capacity"
    nodes = label_selector(raw.get("nodeTopology"), "nodeTopology")
    limit = _bytes(raw.get(field), field)
    return Capacity(text(raw.get("storageClassName"), "storageClassName"), limit, None if nodes is None else _requirements(nodes))


def _requirements(selector: LabelSelector) -> tuple[Requirement, ...]:
    return (*(Requirement(key, "In", (value,)) for key, value in selector.labels), *selector.expressions)


def read_attachment(raw: Mapping[str, Any], place: Place) -> Attachment | None:
    """A VolumeAttachment; None for one of an inline volume, which kube-scheduler does not count."""
    spec = mapping(raw.get("spec"), "spec")
    volume = text(mapping(spec.get("source"), "spec.source").get("persistentVolumeName"), "spec.source.persistentVolumeName")
    driver, node = text(spec.get("attacher"), "spec.attacher"), text(spec.get("nodeName"), "spec.nodeName")
    return Attachment(node, driver, volume) if driver and volume else None


def _class_of(notes: Mapping[str, Any], spec: Mapping[str, Any]) -> str:
    """The beta annotation goes first, even when it is empty."""
    if notes.get(BETA_CLASS) is not None:
        return text(notes[BETA_CLASS], f"metadata.annotations[{BETA_CLASS!a}]")
    return text(spec.get("storageClassName"), "spec.storageClassName")


def _bytes(value: object, field: str) -> int | None:
    """Rounded up, as ``Quantity.Value`` is."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise odd(field, value, "a quantity")
    try:
        return math.ceil(parse_quantity(value))
    except ValueError as error:
        raise Odd(f"{field}: {error}") from None
