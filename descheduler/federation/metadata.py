"""What every Kubernetes object carries: its place, its owner, its known annotations, and how new it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from descheduler.domain.objects import OwnerRef
from descheduler.domain.selectors import Pairs
from descheduler.federation.fields import Odd, flag, mapping, moment, name, objects, odd, text

"""Names the node we once moved the pod to; its nodeSelector carries the matching requirement for life."""
MIRROR = "kubernetes.io/config.mirror"

KNOWN_ANNOTATIONS = frozenset(
    {
        "cluster-autoscaler.kubernetes.io/safe-to-evict",
        "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes",
        "cluster-autoscaler.kubernetes.io/scale-down-disabled",
        "controller.kubernetes.io/pod-deletion-cost",
        "karpenter.sh/do-not-consolidate",
        "karpenter.sh/do-not-disrupt",
        "karpenter.sh/do-not-evict",
    }
)
IN_DOUBT: Pairs = (("fleet.descheduler.io/do-not-disrupt", "true"),)
"""In place of annotations that cannot be read: they may have said so."""
KNOWN_PREFIXES = ("fleet.descheduler.io/", "descheduler.alpha.kubernetes.io/")


@dataclass(frozen=True, slots=True)
class Place:
    """Where an object is found and how new it is."""

    namespace: str
    name: str
    uid: str
    version: str


def place(raw: Mapping[str, Any], *, namespaced: bool = True) -> Place:
    """Raises Odd when the object cannot be named; a UID or version that cannot be read is empty."""
    meta = mapping(raw.get("metadata"), "metadata")
    own_name = name(meta.get("name"), "metadata.name")
    if not own_name:
        raise Odd("metadata.name: missing")
    namespace = (name(meta.get("namespace"), "metadata.namespace") or "default") if namespaced else ""
    return Place(namespace, own_name, _text_or_nothing(meta.get("uid")), _text_or_nothing(meta.get("resourceVersion")))


def _text_or_nothing(value: object) -> str:
    try:
        return text(value, "")
    except Odd:
        return ""


def known_annotations(value: object, field: str) -> Pairs:
    """Only the keys the tool knows: annotations are large, private and mostly noise."""
    found = []
    for key, told in mapping(value, field).items():
        if isinstance(key, str) and (key in KNOWN_ANNOTATIONS or key.startswith(KNOWN_PREFIXES)):
            found.append((text(key, f"{field} key"), text(told, f"{field}[{key!a}]")))
    return tuple(sorted(found))


def controlling_owner(value: object, field: str) -> OwnerRef | None:
    """The ownerReference with ``controller: true``; None when there is none."""
    for reference in objects(value, field):
        if flag(reference.get("controller"), f"{field}[].controller"):
            kind, told = name(reference.get("kind"), f"{field}[].kind"), name(reference.get("name"), f"{field}[].name")
            if not kind or not told:
                raise odd(f"{field}[].{'name' if kind else 'kind'}", "", "the controller's")
            uid, api_version = text(reference.get("uid"), f"{field}[].uid"), text(reference.get("apiVersion"), f"{field}[].apiVersion")
            return OwnerRef(kind, told, uid, api_version)
    return None


def newest_time(raw: Mapping[str, Any]) -> datetime | None:
    """The newest creation, start or condition time of a node or pod; what cannot be read does not count."""
    newest: datetime | None = None
    meta, status = raw.get("metadata"), raw.get("status")
    told: list[object] = [meta.get("creationTimestamp")] if isinstance(meta, dict) else []
    if isinstance(status, dict):
        told.append(status.get("startTime"))
        conditions = status.get("conditions")
        for condition in conditions if isinstance(conditions, list) else ():
            if isinstance(condition, dict):
                told += (condition.get("lastTransitionTime"), condition.get("lastHeartbeatTime"), condition.get("lastProbeTime"))
    for value in told:
        if isinstance(value, str):
            found = _moment_or_nothing(value)
            newest = found if newest is None or (found is not None and found > newest) else newest
    return newest


def _moment_or_nothing(value: str) -> datetime | None:
    try:
        return moment(value, "")
    except Odd:
        return None
