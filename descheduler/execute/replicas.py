"""May this ReplicaSet have one pod more for a while, and would it drop the right one? Asked on live objects (kubernetes.md 1.2, 1.4)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from descheduler.domain.marks import DELETION_COST, MINIMAL_COST, TEMPLATE_HASH
from descheduler.execute.world import Surprise, World, controller, notes, ready, terminating
from descheduler.ports import Body, Object
from descheduler.rules.movers import deletion_cost


def replica_set_of(world: World, cluster: str, pod: Body) -> Body:
    """The ReplicaSet that controls the pod, read now. Raises Surprise when there is none."""
    owner = controller(pod)
    if owner is None or owner["kind"] != "ReplicaSet":
        raise Surprise("churn", f"{pod['metadata']['name']} belongs to no ReplicaSet")
    what = Object(cluster=cluster, kind="ReplicaSet", namespace=pod["metadata"]["namespace"], name=owner["name"])
    body = world.reader.read(what)
    if body is None or body["metadata"]["uid"] != owner["uid"] or terminating(body):
        raise Surprise("churn", f"ReplicaSet {owner['name']} is gone or on its way out")
    return body


def owned(world: World, cluster: str, replica_set: Body) -> list[Body]:
    """Its pods that are not terminating."""
    meta = replica_set["metadata"]
    found = []
    for pod in world.reader.pods(cluster, meta["namespace"]):
        owner = controller(pod)
        if owner is not None and owner["uid"] == meta["uid"] and not terminating(pod):
            found.append(pod)
    return found


def withheld_label(replica_set: Body) -> str:
    """The value of the label whose absence keeps a copy from being adopted. Raises Surprise when the selector does not ask for it."""
    selector: Mapping[str, Any] = replica_set["spec"].get("selector") or {}
    value = (selector.get("matchLabels") or {}).get(TEMPLATE_HASH)
    if value is None:
        raise Surprise("scheduling", f"ReplicaSet {replica_set['metadata']['name']}: its selector has no {TEMPLATE_HASH} to withhold")
    return str(value)


def check_surgeable(world: World, cluster: str, replica_set: Body, original: Body, *, waiting: bool, desired: int | None = None) -> None:
    """Raises Surprise unless an adopted copy would push out exactly ``original``.

    A waiting original is dropped before any bound sibling; a running one only if every sibling is Ready. ``desired``: how many replicas
    were wanted when the exchange began; who scales meanwhile (HPA) decides anew which pods there are.
    """
    name, wanted = replica_set["metadata"]["name"], replica_set["spec"].get("replicas", 1)
    _check_deployment(world, cluster, replica_set)
    if desired not in (None, wanted):
        raise Surprise("churn", f"ReplicaSet {name} was scaled from {desired} to {wanted} replicas meanwhile")
    pods = owned(world, cluster, replica_set)
    if len(pods) != wanted:
        raise Surprise("churn", f"ReplicaSet {name} has {len(pods)} pods and wants {wanted}")
    uid = original["metadata"]["uid"]
    siblings = [pod for pod in pods if pod["metadata"]["uid"] != uid]
    if len(siblings) == len(pods):
        raise Surprise("churn", f"{original['metadata']['name']} does not belong to ReplicaSet {name} any more")
    if not waiting and not all(ready(pod) for pod in pods):
        raise Surprise("churn", f"not every replica of {name} is Ready")
    if any(deletion_cost(notes(pod).get(DELETION_COST)) <= MINIMAL_COST for pod in siblings):
        raise Surprise("scheduling", f"another replica of {name} carries the minimal deletion cost")


def _check_deployment(world: World, cluster: str, replica_set: Body) -> None:
    owner, meta = controller(replica_set), replica_set["metadata"]
    if owner is None or owner["kind"] != "Deployment":
        raise Surprise("scheduling", f"ReplicaSet {meta['name']} has no Deployment")
    name = f"Deployment {owner['name']}"
    deployment = world.reader.read(Object(cluster=cluster, kind="Deployment", namespace=meta["namespace"], name=owner["name"]))
    if deployment is None or deployment["metadata"]["uid"] != owner["uid"] or terminating(deployment):
        raise Surprise("churn", f"{name} is gone or on its way out")
    spec, status = deployment["spec"], deployment.get("status") or {}
    strategy = spec.get("strategy") or {}
    if strategy.get("type", "RollingUpdate") != "RollingUpdate":
        raise Surprise("scheduling", f"{name} has strategy {strategy['type']}")
    replicas = spec.get("replicas", 1)
    if _resolved((strategy.get("rollingUpdate") or {}).get("maxSurge", "25%"), replicas) < 1:
        raise Surprise("scheduling", f"{name} has maxSurge 0")
    observed = status.get("observedGeneration") == deployment["metadata"].get("generation")
    updated, there = status.get("updatedReplicas", 0), status.get("replicas", 0)
    # One too many of the newest template is no rollout: the copy of a sibling was just adopted, and the status is a moment behind.
    if not observed or updated != there or updated < replicas:
        raise Surprise("churn", f"{name} is rolling out")


def _resolved(amount: object, replicas: int) -> int:
    """maxSurge as a count; a percentage is rounded up (``ResolveFenceposts``)."""
    text = str(amount)
    return math.ceil(int(text[:-1]) * replicas / 100) if text.endswith("%") else int(text)
