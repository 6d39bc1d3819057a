"""What a pod may use that is not modelled exactly: such a pod holds its room, never moves and is never counted as placeable.

To add one: a function from the pod's spec to the field that stands in the way, or None, and its line in ``UNMODELLED``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from descheduler.federation.fields import objects

Spec = Mapping[str, Any]

ATTACHED = (
    "awsElasticBlockStore",
    "azureDisk",
    "cinder",
    "fc",
    "flexVolume",
    "gcePersistentDisk",
    "iscsi",
    "photonPersistentDisk",
    "portworxVolume",
    "quobyte",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
)
"""Inline volumes of old kinds: they conflict per node or count towards an attach limit."""


def unmodelled(spec: Spec) -> str | None:
    """The first field of the pod's spec that is not modelled exactly; None when all are. Raises Odd for a field of the wrong type."""
    for rule in UNMODELLED:
        field = rule(spec)
        if field is not None:
            return field
    return None


def resource_claims(spec: Spec) -> str | None:
    return "spec.resourceClaims" if spec.get("resourceClaims") else None


def gangs(spec: Spec) -> str | None:
    return next((f"spec.{field}" for field in ("schedulingGroup", "workloadRef") if spec.get(field)), None)


def attached_volumes(spec: Spec) -> str | None:
    """Claims are judged apart, with all that belongs to them (``claims``); an inline ``csi`` volume is nothing to the scheduler."""
    for volume in objects(spec.get("volumes"), "spec.volumes"):
        for kind in ATTACHED:
            if volume.get(kind) is not None:
                return f"spec.volumes[].{kind}"
    return None


def numeric_tolerations(spec: Spec) -> str | None:
    for toleration in objects(spec.get("tolerations"), "spec.tolerations"):
        if toleration.get("operator") not in (None, "", "Equal", "Exists"):
            return "spec.tolerations[].operator"
    return None


def declared_features(spec: Spec) -> str | None:
    """Features a node must declare (NodeDeclaredFeatures, kubernetes.md 3.10); a rule that restarts one container needs none."""
    if spec.get("hostUsers") is False and spec.get("hostNetwork"):
        return "spec.hostUsers"
    for field, container in _containers(spec):
        if container.get("restartPolicyRules"):
            at = f"spec.{field}[].restartPolicyRules"
            if any(rule.get("action") != "Restart" for rule in objects(container["restartPolicyRules"], at)):
                return at
    return None


def _containers(spec: Spec) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for field in ("containers", "initContainers"):
        for container in objects(spec.get(field), f"spec.{field}"):
            yield field, container


UNMODELLED: tuple[Callable[[Spec], str | None], ...] = (
    resource_claims,
    gangs,
    attached_volumes,
    numeric_tolerations,
    declared_features,
)
