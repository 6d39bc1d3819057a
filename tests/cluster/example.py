"""Brings a recorded example to life in a real cluster: its nodes, its workloads, and whatever the real scheduler makes of them."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from pathlib import Path

from tests.cluster.controlplane.api import ApiRefused, Object
from tests.cluster.controlplane.cluster import SCHEDULER, Cluster

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


def bring_to_life(cluster: Cluster, folder: Path, within: timedelta = timedelta(minutes=3), *, as_recorded: bool = False) -> None:
    """Return when every pod runs or was refused a node by the scheduler, and every controller has said so.

    A node that is not ready may still get a taint more: the controller gives those out at its leisure.

    Workloads whose pods wait in the example come last, as they did there. Which node a pod gets is the scheduler's choice, and it
    chooses among equal nodes by lot; with ``as_recorded`` pods get the nodes they have in the example, and only what waits there is
    the scheduler's.

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
    unready = {node["metadata"]["name"] for node in nodes if _condition(node, "Ready") != "True"}
    _create(cluster, (_node(node, ready=False) for node in nodes if node["metadata"]["name"] in unready))
    if as_recorded:
        cluster.processes[SCHEDULER].kill()
        for name in ORDER[6:]:
            _create(cluster, found[name])
        _bind_as_recorded(cluster, found, unready, within)
        cluster.start()
    else:
        _leave_to_the_scheduler(cluster, found, within)
    _until_at_rest(cluster, unready, within)


def _leave_to_the_scheduler(cluster: Cluster, found: Mapping[str, list[Object]], within: timedelta) -> None:
    waiting = {_workload_of(pod) for pod in found["pods"] if "nodeName" not in pod["spec"]}
    expected = 0
    for late in (False, True):
        for name in ORDER[6:]:
            chosen = [raw for raw in found[name] if (raw["metadata"]["name"] in waiting) == late]
            _create(cluster, chosen)
            expected += sum(_pods(raw, found["pods"]) for raw in chosen if name in CONTROLLED)
        cluster.api.wait("/api/v1/pods", _settled(expected), within)


def _bind_as_recorded(cluster: Cluster, found: Mapping[str, list[Object]], unready: set[str], within: timedelta) -> None:
    """Do the scheduler's work while it is away, until every pod is there and every place of the example is taken."""
    recorded = found["pods"]
    places: dict[tuple[str, str], list[str]] = {_key(raw): [] for name in LATE for raw in found[name]}
    for pod in recorded:
        if "nodeName" in pod["spec"] and _whose(pod) in places:
            places[_whose(pod)].append(pod["spec"]["nodeName"])
    expected = sum(_pods(raw, recorded) for name in CONTROLLED for raw in found[name])
    bound: set[str] = set()

    def all_taken(pods: list[Object]) -> bool:
        for pod in pods:
            uid, free = pod["metadata"]["uid"], places.get(_whose(pod), [])
            node = None if uid in bound else _own_node(pod) or (free.pop() if free else None)
            if node is not None:
                bound.add(uid)
                _bind(cluster, pod, node, ready=node not in unready)
        return len(pods) >= expected and not any(places.values())

    cluster.api.wait("/api/v1/pods", all_taken, within)


def _bind(cluster: Cluster, pod: Object, node: str, *, ready: bool) -> None:
    """A pod on a node that is not ready never gets so: else it would depend on who comes first, kwok or the node's controller."""
    name, namespace = pod["metadata"]["name"], pod["metadata"]["namespace"]
    if not ready:
        held = {"metadata": {"annotations": {"descheduler.test/ready": "never"}}}
        cluster.api.patch(f"/api/v1/namespaces/{namespace}/pods/{name}", held)
    target = {"apiVersion": "v1", "kind": "Node", "name": node}
    binding = {"apiVersion": "v1", "kind": "Binding", "metadata": {"name": name}, "target": target}
    cluster.api.request("POST", f"/api/v1/namespaces/{namespace}/pods/{name}/binding", binding)


def _key(raw: Object) -> tuple[str, str]:
    return raw["metadata"]["namespace"], raw["metadata"]["name"]


def _whose(pod: Object) -> tuple[str, str]:
    return pod["metadata"]["namespace"], _workload_of(pod)


def _own_node(pod: Object) -> str | None:
    """The node a DaemonSet's controller made it for."""
    required = pod["spec"].get("affinity", {}).get("nodeAffinity", {}).get("requiredDuringSchedulingIgnoredDuringExecution", {})
    fields = [field for term in required.get("nodeSelectorTerms", ()) for field in term.get("matchFields", ())]
    return next((str(field["values"][0]) for field in fields if field["key"] == "metadata.name"), None)


def _until_at_rest(cluster: Cluster, unready: set[str], within: timedelta) -> None:
    """Pods first; then what controllers count of them, which follows a moment later. They count the pods there are by then."""
    cluster.api.wait("/apis/apps/v1/deployments", lambda found: all(_complete(raw) for raw in found), within)
    cluster.api.wait("/api/v1/pods", lambda pods: all(_at_rest(pod, unready) for pod in pods), within)

    def counted(found: list[Object]) -> bool:
        pods = cluster.api.items("/api/v1/pods")
        ready = Counter(_whose(pod) for pod in pods if _condition(pod, "Ready") == "True")
        return all(_counted(raw, ready) for raw in found)

    def judged(found: list[Object]) -> bool:
        pods = cluster.api.items("/api/v1/pods")
        return all(_judged(raw, pods) for raw in found)

    for kind in LATE:
        cluster.api.wait(f"/apis/apps/v1/{kind}", counted, within)
    cluster.api.wait("/apis/policy/v1/poddisruptionbudgets", judged, within)


def _complete(deployment: Object) -> bool:
    return bool(deployment.get("status", {}).get("replicas", 0) == deployment["spec"]["replicas"])


def _at_rest(pod: Object, unready: set[str]) -> bool:
    """Whether everybody has said about the pod what they will say; of other schedulers' pods and of gated ones nobody says anything."""
    node = pod["spec"].get("nodeName")
    if node is None:
        ours = pod["spec"]["schedulerName"] == "default-scheduler" and not pod["spec"].get("schedulingGates")
        return not ours or _condition(pod, "PodScheduled") == "False"
    return bool(pod["status"]["phase"] == "Running" and (node in unready or _condition(pod, "Ready") == "True"))


def _counted(raw: Object, ready: Mapping[tuple[str, str], int]) -> bool:
    """Whether the status of a workload is that of the pods there are."""
    status = raw.get("status", {})
    told = (status.get("observedGeneration"), status.get("replicas", 0), status.get("readyReplicas", 0))
    return told == (raw["metadata"]["generation"], status.get("updatedReplicas", 0), ready[_key(raw)])


def _judged(raw: Object, pods: list[Object]) -> bool:
    """Whether a budget's status is that of the pods there are."""
    status, wanted = raw.get("status", {}), raw["spec"]["selector"]["matchLabels"].items()
    own = [
        p for p in pods if p["metadata"]["namespace"] == raw["metadata"]["namespace"] and wanted <= p["metadata"].get("labels", {}).items()
    ]
    healthy = sum(_condition(pod, "Ready") == "True" for pod in own)
    told = (status.get("observedGeneration"), status.get("currentHealthy"))
    return told == (raw["metadata"]["generation"], healthy)


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
    status = raw["status"] | {"conditions": [{"type": "Ready", "status": str(ready)}]}  # from the start, as `a_node` says
    told = raw | {"metadata": raw["metadata"] | {"annotations": notes}, "spec": raw["spec"] | {"taints": taints}, "status": status}
    return _fresh(told)


def _workload_of(pod: Object) -> str:
    """The name of the Deployment or StatefulSet behind a pod; empty for a bare pod."""
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
