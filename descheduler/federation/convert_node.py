"""Raw nodes as domain nodes: one that cannot be read is no destination, and says why."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from descheduler.domain.objects import Node, NodeRef
from descheduler.domain.selectors import Taint
from descheduler.federation.fields import NOTHING, Attempts, Odd, flag, mapping, objects, sorted_pairs, text
from descheduler.federation.interning import Interner
from descheduler.federation.metadata import IN_DOUBT, Place, known_annotations
from descheduler.federation.requests import allocatable

SCALE_DOWN_TAINTS = frozenset(
    {
        "ToBeDeletedByClusterAutoscaler",
        "DeletionCandidateOfClusterAutoscaler",
        "karpenter.sh/disrupted",
        "karpenter.sh/disruption",
    }
)
"""Whatever their effect: the node is about to go, or may be at any time."""


def read_node(raw: Mapping[str, Any], place: Place, cluster: str, interner: Interner) -> tuple[Node, tuple[str, ...]]:
    """The node, and what was odd about it. Ready only if its Ready condition says so (stricter than kube-scheduler)."""
    attempt = Attempts()
    meta = attempt(mapping, raw.get("metadata"), "metadata", NOTHING)
    spec = attempt(mapping, raw.get("spec"), "spec", NOTHING)
    status = attempt(mapping, raw.get("status"), "status", NOTHING)
    taints = attempt(_taints, spec.get("taints"), "spec.taints", ())
    node = Node(
        ref=NodeRef(cluster, place.name),
        uid=place.uid,
        labels=attempt(sorted_pairs, meta.get("labels"), "metadata.labels", ()),
        annotations=interner(attempt(known_annotations, meta.get("annotations"), "metadata.annotations", IN_DOUBT)),
        taints=interner(taints),
        unschedulable=attempt(flag, spec.get("unschedulable"), "spec.unschedulable", True),
        ready=attempt(_ready, status.get("conditions"), "status.conditions", False),
        allocatable=interner.resources(attempt(_allocatable, status.get("allocatable"), "status.allocatable", {})),
        closed=_closed(meta, taints, attempt),
    )
    return node, tuple(attempt.oddities)


def _closed(meta: Mapping[str, Any], taints: tuple[Taint, ...], attempt: Attempts) -> str | None:
    if meta.get("deletionTimestamp") is not None:
        return "being deleted"
    if attempt.oddities:
        return attempt.oddities[0]
    marks = [taint.key for taint in taints if taint.key in SCALE_DOWN_TAINTS]
    return f"marked for scale-down ({marks[0]})" if marks else None


def _ready(value: object, field: str) -> bool:
    return any(condition.get("type") == "Ready" and condition.get("status") == "True" for condition in objects(value, field))


def _allocatable(value: object, field: str) -> dict[str, int]:
    if not mapping(value, field):
        raise Odd(f"{field}: missing")
    return allocatable(value, field)


def _taints(value: object, field: str) -> tuple[Taint, ...]:
    found = []
    for taint in objects(value, field):
        key, effect = text(taint.get("key"), f"{field}[].key"), text(taint.get("effect"), f"{field}[].effect")
        found.append(Taint(key, text(taint.get("value"), f"{field}[].value"), effect))
    return tuple(sorted(found, key=lambda taint: (taint.key, taint.effect, taint.value)))
