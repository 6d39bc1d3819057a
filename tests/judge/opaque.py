"""Pods that use something a judge of this issue does not model, and pods that are not ours to place."""

from __future__ import annotations

from tests.judge.fleet import Cluster, Pod
from tests.judge.quantities import Body

PLAIN_VOLUMES = {"emptyDir", "hostPath", "configMap", "secret", "projected", "downwardAPI", "image", "nfs"}
KIND_OF_TERM = "requiredDuringSchedulingIgnoredDuringExecution"


def terms(pod: Pod, kind: str) -> list[Body]:
    """Required terms of podAffinity or podAntiAffinity."""
    return ((pod.spec.get("affinity") or {}).get(kind) or {}).get(KIND_OF_TERM) or []


def must_be_opaque(pod: Pod) -> str | None:
    """Why nobody may claim to model this pod."""
    for volume in pod.spec.get("volumes") or []:
        kinds = [key for key in volume if key != "name"]
        if "persistentVolumeClaim" in kinds or "ephemeral" in kinds:
            return f"volume {volume.get('name')} is a claim"
        if not set(kinds) <= PLAIN_VOLUMES:
            return f"volume {volume.get('name')} is a {kinds[0]}"
    if pod.spec.get("resourceClaims"):
        return "it has resource claims"
    if pod.spec.get("schedulingGroup") or pod.spec.get("workloadRef"):
        return "it is scheduled as a group"
    if terms(pod, "podAffinity"):
        return "it has required pod affinity"
    if pod.requests is None:
        return "its size cannot be read"
    if pod.spec.get("schedulerName", "default-scheduler") != "default-scheduler":
        return f"scheduler {pod.spec['schedulerName']} is responsible"
    return None


def may_be_opaque(pod: Pod, cluster: Cluster) -> bool:
    """Whether a careful tool may refuse to model it although this judge could."""
    containers = (pod.spec.get("containers") or []) + (pod.spec.get("initContainers") or [])
    ports = any(port.get("hostPort") for c in containers for port in c.get("ports") or []) or bool(pod.spec.get("hostNetwork"))
    keys = any(
        term.get(key)
        for kind in ("podAffinity", "podAntiAffinity")
        for term in terms(pod, kind)
        for key in ("matchLabelKeys", "mismatchLabelKeys", "namespaceSelector")
    )
    spread = any(c.get("matchLabelKeys") for c in pod.spec.get("topologySpreadConstraints") or [])
    features = ("resources", "runtimeClassName", "overhead", "os", "hostUsers")
    odd = any(pod.spec.get(name) is not None for name in features) or bool(pod.status.get("nominatedNodeName"))
    return bool(must_be_opaque(pod)) or ports or keys or spread or odd or cluster.trouble != ""


def not_ours(pod: Pod) -> str | None:
    """Why a waiting pod must be NotOurs."""
    if pod.spec.get("schedulingGates"):
        return "it is gated"
    return must_be_opaque(pod)
