"""Pods that use something which is not modelled, and pods that are not ours to place."""

from __future__ import annotations

from tests.judge.fleet import DEFAULT, Cluster, Pod, terms
from tests.judge.volumes import attachments_are_unknown, claim_trouble, may_find_a_volume

PLAIN_VOLUMES = {"emptyDir", "hostPath", "configMap", "secret", "projected", "downwardAPI", "image", "nfs"}
CLAIMS = {"persistentVolumeClaim", "ephemeral"}
FOUGHT_OVER = {"gcePersistentDisk", "awsElasticBlockStore", "azureDisk", "cinder", "rbd", "iscsi", "vsphereVolume", "portworxVolume"}
"""Inline volumes of old kinds that conflict on a node or count against its attach limits."""
ODD = ("os", "hostUsers")
"""Fields of a pod spec that a careful tool may shy away from."""
ODD_OF_CONTAINERS = ("restartPolicyRules",)


def must_be_opaque(pod: Pod, cluster: Cluster) -> str | None:
    """Why nobody may claim to model this pod."""
    for volume in pod.spec.get("volumes") or []:
        for kind in FOUGHT_OVER & volume.keys():
            return f"volume {volume.get('name')} is a {kind}"
    if pod.spec.get("resourceClaims"):
        return "it has resource claims"
    if pod.spec.get("schedulingGroup") or pod.spec.get("workloadRef"):
        return "it is scheduled as a group"
    if pod.requests is None:
        return "its size cannot be read"
    if not cluster.serves(pod):
        return f"scheduler {pod.spec.get('schedulerName', DEFAULT)} is responsible"
    defaults = cluster.configuration.get("defaultConstraints") or []
    if not pod.spec.get("topologySpreadConstraints") and any(c.get("whenUnsatisfiable") == "DoNotSchedule" for c in defaults):
        return "the scheduler's hard default constraints apply to it"
    runtime = pod.spec.get("runtimeClassName")
    if runtime and cluster.named("RuntimeClass", runtime) is None:
        return f"its RuntimeClass {runtime} is not in the snapshot"
    return _unknown_namespaces(pod, cluster)


def _unknown_namespaces(pod: Pod, cluster: Cluster) -> str | None:
    """A namespaceSelector asks for labels of a Namespace that is not in the snapshot."""
    missing = sorted({each.namespace for each in cluster.pods} - cluster.namespaces.keys())
    for kind in ("podAffinity", "podAntiAffinity"):
        for term in terms(pod, kind):
            selector = term.get("namespaceSelector") or {}
            if missing and (selector.get("matchLabels") or selector.get("matchExpressions")):
                return f"its namespaceSelector asks for the labels of {missing[0]}, which are not in the snapshot"
    return None


def may_be_opaque(pod: Pod, cluster: Cluster) -> bool:
    """Whether a careful tool may refuse to model it although this judge could."""
    if must_be_opaque(pod, cluster) or cluster.trouble or may_find_a_volume(pod, cluster) or attachments_are_unknown(pod, cluster):
        return True
    if any(volume.keys() - {"name"} - PLAIN_VOLUMES - CLAIMS for volume in pod.spec.get("volumes") or []):
        return True
    return any(pod.spec.get(name) is not None for name in ODD) or any(c.get(name) for c in _containers(pod) for name in ODD_OF_CONTAINERS)


def _containers(pod: Pod) -> list[dict[str, object]]:
    return [*(pod.spec.get("containers") or []), *(pod.spec.get("initContainers") or [])]


def not_ours(pod: Pod, cluster: Cluster) -> str | None:
    """Why a waiting pod must be NotOurs."""
    if pod.spec.get("schedulingGates"):
        return "it is gated"
    return must_be_opaque(pod, cluster) or claim_trouble(pod, cluster)
