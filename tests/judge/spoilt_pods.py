"""Plans spoilt by what the pods and nodes are: protections, movers and fit; each with words of the sentence it must cost."""

from __future__ import annotations

from tests.judge.tiny import (
    SINCE,
    Case,
    Change,
    anti_affinity,
    both,
    budget,
    deployment,
    mover,
    node,
    pod,
    spread,
)

NOTE = "fleet.descheduler.io/do-not-disrupt"


def arrival_is_crowded(case: Case) -> None:
    case.objects += [*deployment("other", 1), pod("other-1", "other", "3", "n2")]


def empty_directory_on_disk(case: Case) -> None:
    case.get("web-1")["spec"]["volumes"] = [{"name": "scratch", "emptyDir": {}}]


def web_is_spread(case: Case) -> None:
    for name in ("web-1", "web-2"):
        case.get(name)["spec"]["topologySpreadConstraints"] = spread("web")


SPOILT: dict[str, tuple[Change, str]] = {
    # protections
    "a young pod": (lambda c: c.get("web-1")["metadata"].update(creationTimestamp="2026-11-23T11:57:00Z"), "younger than 5m"),
    "a disk emptyDir": (empty_directory_on_disk, "volume scratch is an emptyDir on disk"),
    "a host path": (lambda c: c.get("web-1")["spec"].update(volumes=[{"name": "h", "hostPath": {}}]), "volume h is a hostPath"),
    "a claim": (lambda c: c.get("web-1")["spec"].update(volumes=[{"name": "d", "persistentVolumeClaim": {}}]), "volume d is persistent"),
    "a bare pod": (lambda c: c.get("web-1")["metadata"].pop("ownerReferences"), "it is a bare pod"),
    "a Job's pod": (lambda c: c.get("web-1")["metadata"]["ownerReferences"][0].update(kind="Job", uid="j"), "belongs to a Job"),
    "a DaemonSet's pod": (
        lambda c: c.get("web-1")["metadata"]["ownerReferences"][0].update(kind="DaemonSet", uid="j"),
        "belongs to a DaemonSet",
    ),
    "a foreign controller": (
        lambda c: c.get("web-1")["metadata"]["ownerReferences"][0].update(kind="Rollout", uid="j"),
        "controller is a Rollout",
    ),
    "a StatefulSet when the policy says so": (
        both(
            lambda c: c.get("web-1")["metadata"]["ownerReferences"][0].update(kind="StatefulSet", uid="j"),
            lambda c: c.policy.update(protections={"statefulSets": True}),
        ),
        "belongs to a StatefulSet",
    ),
    "a singleton when the policy says so": (
        both(lambda c: c.get("web", "Deployment")["spec"].update(replicas=1), lambda c: c.policy.update(protections={"singletons": True})),
        "the only replica",
    ),
    "an opt-out on the pod": (lambda c: c.get("web-1")["metadata"]["annotations"].update({NOTE: "true"}), f"{NOTE} on the pod"),
    "an opt-out on the workload": (
        lambda c: c.get("web", "Deployment")["metadata"]["annotations"].update({NOTE: "true"}),
        "on its Deployment",
    ),
    "an opt-out on the node": (lambda c: c.get("n1", "Node")["metadata"]["annotations"].update({NOTE: "true"}), "on its node"),
    "an opt-out on the namespace": (
        lambda c: c.objects.append({"kind": "Namespace", "metadata": {"name": "shop", "uid": "u-shop", "annotations": {NOTE: "true"}}}),
        "on its namespace",
    ),
    "an autoscaler's opt-out": (
        lambda c: c.get("web-1")["metadata"]["annotations"].update({"cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}),
        "an autoscaler's annotation",
    ),
    "a static pod": (
        lambda c: c.get("web-1")["metadata"]["annotations"].update({"kubernetes.io/config.mirror": "x"}),
        "it is a static pod",
    ),
    "a terminating pod": (lambda c: c.get("web-1")["metadata"].update(deletionTimestamp=SINCE), "it is terminating"),
    "an opaque pod": (lambda c: c.get("web-1")["spec"].update(resourceClaims=[{"name": "x"}]), "it has resource claims"),
    "a pod out of scope": (lambda c: c.policy.update(scope={"namespaces": {"exclude": ["shop"]}}), "namespaces shop is excluded"),
    "a closed budget": (lambda c: c.objects.append(budget("web", 0, maxUnavailable=0)), "never allows a disruption"),
    "a protection from an override": (
        lambda c: c.policy.update(overrides=[{"match": {"namespaces": ["sh*"]}, "protections": {"minPodAge": "1000h"}}]),
        "younger than 1000h",
    ),
    # movers
    "Surge under Recreate": (lambda c: c.get("web", "Deployment")["spec"]["strategy"].update(type="Recreate"), "strategy is Recreate"),
    "Surge with maxSurge 0": (
        lambda c: c.get("web", "Deployment")["spec"]["strategy"]["rollingUpdate"].update(maxSurge=0),
        "maxSurge is 0",
    ),
    "Surge during a rollout": (lambda c: c.get("web", "Deployment")["metadata"].update(generation=2), "its Deployment is rolling"),
    "Surge beside an unready replica": (lambda c: c.get("web-2")["status"].update(conditions=[]), "replica web-2 is not Ready"),
    "Surge of a bare ReplicaSet": (lambda c: c.get("web-rs", "ReplicaSet")["metadata"].pop("ownerReferences"), "belongs to no Deployment"),
    "Surge beside the least deletion cost": (
        lambda c: c.get("web-2")["metadata"]["annotations"].update({"controller.kubernetes.io/pod-deletion-cost": "-2147483648"}),
        "least deletion cost",
    ),
    "Hold where nobody found it": (
        both(lambda c: c.fleet["clusters"][0].pop("movers"), lambda c: mover(c, "Hold")),
        "Hold is not possible: cluster c offers",
    ),
    "a mover the policy leaves out": (lambda c: c.policy.update(movers=["Evict"]), "the policy's movers are ['Evict']"),
    # fit, wave by wave
    "a taint": (lambda c: c.get("n2", "Node")["spec"].update(taints=[{"key": "k", "effect": "NoSchedule"}]), "untolerated taint {k: }"),
    "a cordon": (lambda c: c.get("n2", "Node")["spec"].update(unschedulable=True), "it is cordoned"),
    "a node that is not Ready": (lambda c: c.get("n2", "Node")["status"].update(conditions=[]), "it is not Ready"),
    "a selector": (lambda c: c.get("web-1")["spec"].update(nodeSelector={"zone": "a"}), "affinity or selector does not match"),
    "too little cpu": (arrival_is_crowded, "c/n2: cpu 5000 > 4000"),
    "too many pods": (lambda c: c.get("n2", "Node")["status"]["allocatable"].update(pods="0"), "c/n2: pods 1 > 0"),
    "no GPU": (lambda c: c.get("big")["spec"]["containers"][0]["resources"]["requests"].update({"x/gpu": "1"}), "c/n1: x/gpu 1 > 0"),
    "the room is there one wave late": (
        both(lambda c: c.plan["placements"][0].update(wave=1), lambda c: c.count()),
        "wave 1: placement of c/shop/big",
    ),
    "the template asks for more": (
        lambda c: c.get("web-rs", "ReplicaSet")["spec"].update(
            template={"spec": {"containers": [{"resources": {"requests": {"cpu": "5"}}}]}}
        ),
        "cpu 5000 > 4000",
    ),
    "anti-affinity of the arrival": (
        both(lambda c: c.get("web-1")["spec"].update(affinity=anti_affinity("web")), lambda c: c.plan["moves"][0]["to"].update(node="n3")),
        "its anti-affinity forbids",
    ),
    "anti-affinity of a resident": (
        both(lambda c: c.get("web-2")["spec"].update(affinity=anti_affinity("web")), lambda c: c.plan["moves"][0]["to"].update(node="n3")),
        "the anti-affinity of c/shop/web-2",
    ),
    "hard spread": (both(web_is_spread, lambda c: c.objects.append(node("n4", 1, "c"))), "spread over zone: skew"),
    "hard spread after the wave": (web_is_spread, "after wave 1: c: spread of"),
    "a budget is overspent": (both(lambda c: c.objects.append(budget("web", 0)), lambda c: mover(c, "Hold")), "1 disruptions > 0"),
    "a stale budget": (
        both(
            lambda c: c.objects.append(budget("web", 1)),
            lambda c: c.get("web", "PodDisruptionBudget")["metadata"].update(generation=2),
            lambda c: mover(c, "Hold"),
        ),
        "1 disruptions > 0",
    ),
    "two budgets": (
        both(lambda c: c.objects.extend([budget("web", 1), budget("web", 2)]), lambda c: mover(c, "Hold")),
        "under two PodDisruptionBudgets",
    ),
    "a quota": (
        lambda c: c.objects.append(
            {
                "kind": "ResourceQuota",
                "metadata": {"name": "q", "namespace": "shop", "uid": "q"},
                "spec": {"hard": {"requests.cpu": "5"}},
                "status": {"used": {"requests.cpu": "4"}},
            }
        ),
        "copies ask for 2000 > 1000",
    ),
}
