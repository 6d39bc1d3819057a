"""What kube-scheduler 1.36 says: the reasons of its plugins, to the letter, and how they become one sentence."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

UNSCHEDULABLE = "node(s) were unschedulable"
UNTOLERATED = "node(s) had untolerated taint(s)"
AFFINITY = "node(s) didn't match Pod's node affinity/selector"
AFFINITY_CONFLICT = "pod affinity terms conflict"
NARROWED = "node(s) didn't satisfy plugin(s) [NodeAffinity]"
PORTS = "node(s) didn't have free ports for the requested pod ports"
TOO_MANY_PODS = "Too many pods"
CLAIM_IN_USE = "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"
VOLUME_COUNT = "node(s) exceed max volume count"
SPREAD = "node(s) didn't match pod topology spread constraints"
SPREAD_KEY = f"{SPREAD} (missing required label)"
POD_AFFINITY = "node(s) didn't match pod affinity rules"
POD_ANTI_AFFINITY = "node(s) didn't match pod anti-affinity rules"
EXISTING_ANTI_AFFINITY = "node(s) didn't satisfy existing pods anti-affinity rules"

VOLUME_BINDING = (
    "node(s) didn't match PersistentVolume's node affinity",
    "node(s) didn't find available persistent volumes to bind",
    "node(s) did not have enough free storage",
    "node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)",
)
"""The reasons of VolumeBinding in the order in which it lists them; one node may have several."""
NO_NEW_VOLUME = frozenset(VOLUME_BINDING[1:3])

NO_NODES = "no nodes available to schedule pods"

TOLERATED_FOR_A_WHILE = "node(s) had a NoExecute taint that is tolerated only for a while"
NOT_READY = "node(s) were not ready"
GONE = "node(s) were gone"


def insufficient(resource: str) -> str:
    return f"Insufficient {resource}"


def histogram(reasons: Iterable[str]) -> str:
    """``3 Insufficient cpu, 2 node(s) …``: counted, then sorted as text, the number included (``FitError.Error``)."""
    return ", ".join(sorted(f"{count} {reason}" for reason, count in Counter(reasons).items()))


def failed(nodes: int, reasons: Iterable[str]) -> str:
    """The message of FailedScheduling up to what PostFilter adds about preemption; ``reasons`` are those of every node."""
    if not nodes:
        return NO_NODES
    told = histogram(reasons)
    return f"0/{nodes} nodes are available:{f' {told}.' if told else ''}"


def rejected(nodes: int, reason: str) -> str:
    """The same where a PreFilter plugin has refused the pod before it looked at any node: one reason, not counted."""
    return f"0/{nodes} nodes are available: {reason}." if nodes else NO_NODES
