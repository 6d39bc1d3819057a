"""Brings a recorded example to life in a real cluster: its nodes, its workloads, and whatever the real scheduler makes of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import timedelta
from pathlib import Path

from tests.cluster.controlplane.api import ApiRefused, Object
from tests.cluster.controlplane.cluster import Cluster

ORDER = (
    "namespaces",
    "priorityclasses",
    "storageclasses",
    "persistentvolumes",
    "persistentvolumeclaims",
    "poddisruptionbudgets",
    "daemonsets",
    "deployments",
    "statefulsets",
    "cronjobs",
)
"""Files of a recorded cluster. ReplicaSets, Jobs and pods are left to the controllers."""
LATE = frozenset({"deployments", "statefulsets"})
CONTROLLED = frozenset({"daemonsets", *LATE})


def bring_to_life(cluster: Cluster, folder: Path, within: timedelta = timedelta(minutes=3)) -> None:
    """Return when every pod of the example either has a node or was refused one by the scheduler.

    Workloads whose pods wait in the example come last, as they did there.

    Raises:
        NeverHappened: if that takes longer.
    """
    found = {name: _items(folder / f"{name}.json") for name in (*ORDER, "nodes", "pods")}
    for name in ORDER[:6]:
        _create(cluster, found[name])
    for space in found["namespaces"]:
        cluster.wait_for_account(space["metadata"]["name"])
    nodes = found["nodes"]
    ready = [_node(node) for node in nodes if _condition(node, "Ready") == "True"]
    cluster.add_nodes(*ready)
    _create(cluster, (_node(node, ready=False) for node in nodes if _condition(node, "Ready") != "True"))
    waiting = {_workload_of(pod) for pod in found["pods"] if "nodeName" not in pod["spec"]}
    expected = 0
    for late in (False, True):
        for name in ORDER[6:]:
            chosen = [raw for raw in found[name] if (raw["metadata"]["name"] in waiting) == late]
            _create(cluster, chosen)
            expected += sum(_pods(raw, found["pods"]) for raw in chosen if name in CONTROLLED)
        cluster.api.wait("/api/v1/pods", _settled(expected), within)


def _items(path: Path) -> list[Object]:
    return list(json.loads(path.read_text(encoding="utf-8"))["items"]) if path.is_file() else []


def _create(cluster: Cluster, manifests: Iterable[Object]) -> None:
    for manifest in manifests:
        try:
            cluster.api.create(_fresh(manifest))
        except ApiRefused as refused:
            if refused.code != 409:  # kube-system and its like are there already
                raise


def _fresh(raw: Object) -> Object:
    """The object without what a server has said about it."""
    meta = {key: value for key, value in raw["metadata"].items() if key in ("name", "namespace", "labels", "annotations")}
    body = {key: value for key, value in raw.items() if key != "status" or raw["kind"] == "Node"} | {"metadata": meta}
    claim = body.get("spec", {}).get("claimRef")
    if claim:
        body["spec"] = body["spec"] | {"claimRef": {key: value for key, value in claim.items() if key != "uid"}}
    return body


def _node(raw: Object, *, ready: bool = True) -> Object:
    """For kwok to play; a node of the example that is not ready never gets so."""
    notes = {"kwok.x-k8s.io/node": "fake"} | ({} if ready else {"descheduler.test/ready": "never"})
    taints = [taint for taint in raw["spec"].get("taints", ()) if not taint["key"].startswith("node.kubernetes.io/")]
    status = raw["status"] | {"conditions": [{"type": "Ready", "status": "False"}]}
    told = raw | {"metadata": raw["metadata"] | {"annotations": notes}, "spec": raw["spec"] | {"taints": taints}, "status": status}
    return _fresh(told)


def _workload_of(pod: Object) -> str:
    """The name of the Deployment or StatefulSet behind a pod."""
    owner = next(iter(pod["metadata"].get("ownerReferences", [])), {"kind": "", "name": ""})
    name: str = owner["name"]
    return name.rpartition("-")[0] if owner["kind"] == "ReplicaSet" else name


def _pods(raw: Object, recorded: list[Object]) -> int:
    """At least so many pods come of a workload before anything can be said; a StatefulSet's come one after the other."""
    if raw["kind"] == "StatefulSet":
        return 1
    where, name = raw["metadata"]["namespace"], raw["metadata"]["name"]
    return sum(pod["metadata"]["namespace"] == where and _workload_of(pod) == name for pod in recorded)


def _settled(expected: int) -> Callable[[list[Object]], bool]:
    def settled(pods: list[Object]) -> bool:
        ours = [pod for pod in pods if pod["spec"]["schedulerName"] == "default-scheduler"]  # of others nobody says anything
        return len(pods) >= expected and all(pod["spec"].get("nodeName") or _condition(pod, "PodScheduled") for pod in ours)

    return settled


def _condition(raw: Object, kind: str) -> str:
    return next((str(c["status"]) for c in raw.get("status", {}).get("conditions", ()) if c["type"] == kind), "")
