"""Why a running pod may not be moved, and why a mover does not apply to it."""

from __future__ import annotations

import re
from math import ceil
from typing import Any

from tests.judge.budgets import budgets_of, closed
from tests.judge.fleet import Cluster, Fleet, Pod
from tests.judge.opaque import must_be_opaque
from tests.judge.policy import Policy, duration
from tests.judge.quantities import Body
from tests.judge.volumes import unshared

OPT_OUT = "fleet.descheduler.io/do-not-disrupt"
SAFE = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SAFE_VOLUMES = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
COST = "controller.kubernetes.io/pod-deletion-cost"
LEAST_COST = "-2147483648"


def protection(pod: Pod, fleet: Fleet, policy: Policy) -> str | None:
    """Why the policy or the contract forbids to move this pod."""
    cluster, rules = fleet.clusters[pod.cluster], policy.section(pod, "protections")
    if pod.node is None or pod.node not in cluster.nodes:
        return "it runs on no node of the snapshot"
    if pod.terminating:
        return "it is terminating"
    if pod.static:
        return "it is a static pod"
    outside = policy.outside(pod)
    if outside:
        return f"it is out of scope: {outside}"
    young = duration(rules["minPodAge"] or "0s")
    if pod.created and fleet.taken_at - pod.created < young:
        return f"it is younger than {rules['minPodAge']}"
    return (
        _owner(pod, cluster, rules)
        or _opted_out(pod, cluster)
        or _volumes(pod, rules)
        or (f"it is opaque: {must_be_opaque(pod, cluster)}" if must_be_opaque(pod, cluster) else None)
        or _budget(pod, cluster, rules)
    )


def _owner(pod: Pod, cluster: Cluster, rules: Body) -> str | None:
    chain = list(cluster.owners(pod))
    kind = pod.owner.get("kind") if pod.owner else None
    if kind is None:
        return "it is a bare pod" if rules["barePods"] else None
    if kind == "DaemonSet":
        return "it belongs to a DaemonSet"
    if kind == "Job":
        return "it belongs to a Job" if rules["jobs"] or not _forgives_disruption(chain) else None
    top = (cluster.workload(pod) or ("", ""))[0]
    listed = rules["controllers"] or []
    usual = kind == "StatefulSet" or (kind == "ReplicaSet" and top in ("ReplicaSet", "Deployment"))
    if not usual and kind not in listed and top not in listed:
        return f"its controller is a {top}"
    if kind == "StatefulSet" and rules["statefulSets"]:
        return "it belongs to a StatefulSet"
    counts = (chain[-1].get("spec") or {}).get("replicas", 1) if chain else 1
    return "it is the only replica" if rules["singletons"] and counts <= 1 else None


def _forgives_disruption(chain: list[Body]) -> bool:
    rules = ((chain[0].get("spec") or {}).get("podFailurePolicy") or {}).get("rules") or [] if chain else []
    return any(
        rule.get("action") == "Ignore" and any(c.get("type") == "DisruptionTarget" for c in rule.get("onPodConditions") or [])
        for rule in rules
    )


def _says(notes: dict[str, str], key: str) -> bool:
    return key in notes and notes[key].lower() != "false"


def _opted_out(pod: Pod, cluster: Cluster) -> str | None:
    if _says(pod.notes, "karpenter.sh/do-not-disrupt") or pod.notes.get(SAFE) == "false":
        return "an autoscaler's annotation on it says no"
    if _says(pod.notes, "descheduler.alpha.kubernetes.io/prefer-no-eviction"):
        return "descheduler.alpha.kubernetes.io/prefer-no-eviction"
    places = {"the pod": pod.notes, "its namespace": (cluster.namespaces.get(pod.namespace) or {}).get("annotations") or {}}
    places |= {f"its {each['kind']}": each["metadata"].get("annotations") or {} for each in cluster.owners(pod)}
    places["its node"] = cluster.nodes[pod.node or ""].notes
    return next((f"{OPT_OUT} on {place}" for place, notes in places.items() if _says(notes, OPT_OUT)), None)


def _volumes(pod: Pod, rules: Body) -> str | None:
    allowed = set(rules["volumesAllowed"] or []) | {name.strip() for name in pod.notes.get(SAFE_VOLUMES, "").split(",")}
    for volume in pod.spec.get("volumes") or []:
        name = volume.get("name")
        if rules["localStorage"] and "hostPath" in volume:
            return f"volume {name} is a hostPath"
        if (
            rules["localStorage"]
            and "emptyDir" in volume
            and (volume["emptyDir"] or {}).get("medium", "") != "Memory"
            and name not in allowed
        ):
            return f"volume {name} is an emptyDir on disk"
        if rules["persistentVolumes"] and ("persistentVolumeClaim" in volume or "ephemeral" in volume):
            return f"volume {name} is persistent"
    return None


def _budget(pod: Pod, cluster: Cluster, rules: Body) -> str | None:
    if not rules["closedBudgets"]:
        return None
    return next(
        (f"PodDisruptionBudget {b['metadata']['name']} never allows a disruption" for b in budgets_of(cluster, pod) if closed(cluster, b)),
        None,
    )


def mover_refusal(pod: Pod, mover: str, fleet: Fleet, policy: Policy) -> str | None:
    """Why this technique may not be used on this running pod."""
    cluster = fleet.clusters[pod.cluster]
    allowed = policy.section(pod, "movers")
    if mover not in allowed:
        return f"the policy's movers are {allowed}"
    found = cluster.declared.get("movers")
    if mover not in (found if found is not None else ["Surge", "Evict", "Recreate"]):
        return f"cluster {cluster.name} offers {found or ['Surge', 'Evict']}"
    kind = pod.owner.get("kind") if pod.owner else None
    if mover == "Recreate" and kind is not None:
        return "Recreate is for bare pods"
    if mover in ("Surge", "Hold", "Evict") and kind is None:
        return "nothing would create it again"
    if mover == "Surge":
        return unshared(pod, cluster) or surge_refusal(pod, cluster, waiting=False)
    return None


def surge_refusal(pod: Pod, cluster: Cluster, *, waiting: bool) -> str | None:
    """Why no second copy may run beside it; a waiting pod's siblings need not be Ready."""
    chain = list(cluster.owners(pod))
    if not chain or chain[0]["kind"] != "ReplicaSet":
        return "it belongs to no ReplicaSet"
    if len(chain) < 2 or chain[1]["kind"] != "Deployment":
        return "its ReplicaSet belongs to no Deployment"
    replica_set, deployment = chain[0], chain[1]
    if replica_set["metadata"].get("deletionTimestamp"):
        return "its ReplicaSet is being deleted"
    strategy = (deployment.get("spec") or {}).get("strategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        return f"its Deployment's strategy is {strategy['type']}"
    replicas = (deployment.get("spec") or {}).get("replicas", 1)
    if _resolved((strategy.get("rollingUpdate") or {}).get("maxSurge", "25%"), replicas) < 1:
        return "its Deployment's maxSurge is 0"
    return None if waiting else _rolling(deployment) or _siblings(pod, replica_set, cluster)


def _resolved(value: Any, replicas: int) -> int:
    share = re.fullmatch(r"(\d+)%", str(value))
    return ceil(int(share[1]) * replicas / 100) if share else int(value)


def _rolling(deployment: Body) -> str | None:
    spec, status, meta = deployment.get("spec") or {}, deployment.get("status") or {}, deployment["metadata"]
    if (status.get("observedGeneration") or 0) < (meta.get("generation") or 0):
        return "its Deployment is rolling: the newest generation is unobserved"
    wanted = spec.get("replicas", 1)
    for name in ("updatedReplicas", "replicas"):
        if (status.get(name) or 0) != wanted:
            return f"its Deployment is rolling: {name} {status.get(name)} of {wanted}"
    return None


def _siblings(pod: Pod, replica_set: Body, cluster: Cluster) -> str | None:
    owned = [each for each in cluster.owned_by(str(replica_set["metadata"].get("uid"))) if not each.terminating]  # FilterActivePods
    wanted = (replica_set.get("spec") or {}).get("replicas", 1)
    if len(owned) != wanted:
        return f"its ReplicaSet has {len(owned)} of {wanted} pods"
    for each in owned:
        if not each.ready:
            return f"replica {each.name} is not Ready"
        if each is not pod and each.notes.get(COST) == LEAST_COST:
            return f"replica {each.name} carries the least deletion cost"
    return None
