"""Brings the raw objects of a random fleet (`tests.properties.wild`) to life in a cluster without controllers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from tests.cluster.controlplane.api import Api, ApiRefused, Object
from tests.cluster.controlplane.cluster import API_SERVER, CONTROLLERS, Cluster
from tests.cluster.controlplane.control_planes import ControlPlanes

GATE = {"name": "replay.test/gate"}
"""Keeps waiting pods from the scheduler until the plan is made."""
PATIENCE = timedelta(seconds=60)
NATIVE = frozenset({"cpu", "memory", "ephemeral-storage"})
WITHOUT = "ServiceAccount,Priority,RuntimeClass,ResourceQuota,TaintNodesByCondition,StorageObjectInUseProtection,DefaultStorageClass"
"""Admission that needs a controller, or that would change what the fleet says."""
ORDER = (
    "Namespace",
    "RuntimeClass",
    "StorageClass",
    "CSIDriver",
    "CSIStorageCapacity",
    "PersistentVolumeClaim",
    "PersistentVolume",
    "Node",
    "CSINode",
    "VolumeAttachment",
    "Deployment",
    "ReplicaSet",
    "StatefulSet",
    "DaemonSet",
    "Job",
    "PodDisruptionBudget",
    "ResourceQuota",
    "Pod",
)
STATUS_MATTERS = frozenset({"Deployment", "PodDisruptionBudget", "ResourceQuota", "PersistentVolumeClaim"})


def quiet_cluster(planes: ControlPlanes, name: str) -> Cluster:
    """A cluster with a scheduler and kubelets, and nobody else who does anything."""
    (cluster,) = planes.start(name, flags={API_SERVER: [f"--disable-admission-plugins={WITHOUT}"]}, without=[CONTROLLERS])
    return cluster


@dataclass
class Alive:
    """What was created."""

    api: Api
    refused: list[str] = field(default_factory=list)
    """What the API server would not have: the random fleets know no validation."""
    uids: dict[str, str] = field(default_factory=dict)
    """Uid in the raw objects to the real one."""

    def bring(self, objects: Iterable[Object]) -> None:
        """Create everything in order; return when every bound pod that can get Ready is."""
        chosen = [raw for kind in ORDER for raw in objects if raw["kind"] == kind]
        waiting = [raw for raw in chosen if raw["kind"] == "Pod" and "nodeName" not in raw["spec"]]
        nodes = {raw["metadata"]["name"] for raw in chosen if raw["kind"] == "Node"}
        for raw in chosen:
            if raw not in waiting and (raw["kind"] != "Pod" or raw["spec"]["nodeName"] in nodes):
                self._create(raw)
        for raw in waiting:
            self._create(raw)
        self.api.wait("/api/v1/nodes", lambda found: all(_ready(node) or _held_back(node) for node in found), PATIENCE)
        self.api.wait("/api/v1/pods", lambda found: all(_ready(pod) or _held_back(pod) or not _node(pod) for pod in found), PATIENCE)

    def _create(self, raw: Object) -> None:
        body = copy.deepcopy(raw)
        meta = {key: value for key, value in body["metadata"].items() if key in ("name", "namespace", "labels", "annotations")}
        body["metadata"] = meta | self._owners(body)
        status = body.get("status", {})
        if raw["kind"] != "Node":
            body.pop("status", None)
        if raw["kind"] in SHAPES:
            SHAPES[raw["kind"]](body, raw)
        if body.get("spec", {}).get("claimRef", {}).get("uid"):
            body["spec"]["claimRef"]["uid"] = self.uids.get(body["spec"]["claimRef"]["uid"], "gone")
        try:
            made = self.api.create(body)
            path = f"{self.api.collection(body)}/{meta['name']}"
            if raw["kind"] in STATUS_MATTERS and status:
                self.api.patch(f"{path}/status", {"status": status})
            if raw["metadata"].get("deletionTimestamp"):
                self.api.delete(path)
        except ApiRefused as refused:
            if refused.code not in {403, 409, 422}:
                raise
            if refused.code != 409:
                self.refused.append(str(refused))
            return
        self.uids[raw["metadata"].get("uid", "")] = made["metadata"]["uid"]

    def _owners(self, body: Object) -> dict[str, Any]:
        """Owner references to objects that exist; an owner nobody created keeps a uid of its own."""
        told = body["metadata"].get("ownerReferences")
        if not told:
            return {}
        return {"ownerReferences": [ref | {"uid": self.uids.get(ref["uid"], f"gone-{ref['uid']}")} for ref in told]}


def _shape_node(body: Object, raw: Object) -> None:
    """Played by kwok; cordons and unreadiness come with the taints that the node controller would set."""
    notes = body["metadata"].setdefault("annotations", {})
    notes["kwok.x-k8s.io/node"] = "fake"
    spec = body.setdefault("spec", {})
    taints = spec.setdefault("taints", [])
    if not _ready(raw):
        notes["descheduler.test/ready"] = "never"
        taints += [{"key": "node.kubernetes.io/not-ready", "effect": effect} for effect in ("NoSchedule", "NoExecute")]
    if spec.get("unschedulable"):
        taints.append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"})
    body["status"]["capacity"] = body["status"]["allocatable"]
    body["status"]["conditions"] = [{"type": "Ready", "status": "False"}]


def _shape_pod(body: Object, raw: Object) -> None:
    """Nobody preempts; a waiting pod is kept from the scheduler; one that is going never goes."""
    spec, meta = body["spec"], body["metadata"]
    notes = meta.setdefault("annotations", {})
    spec["preemptionPolicy"] = "Never"
    spec["terminationGracePeriodSeconds"] = 0
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        resources = container.setdefault("resources", {})
        devices = {name: amount for name, amount in resources.get("requests", {}).items() if name not in NATIVE}
        if devices:
            resources["limits"] = resources.get("limits", {}) | devices
            resources["requests"] = {"cpu": "0"} | resources["requests"]
    if "nodeName" not in spec and not spec.get("schedulingGates"):
        spec["schedulingGates"] = [GATE]
    if "nodeName" in spec and not _ready(raw):
        notes["descheduler.test/ready"] = "never"
    if raw["metadata"].get("deletionTimestamp"):
        meta["finalizers"] = ["replay.test/held"]
        notes["descheduler.test/stops"] = "never"


def _shape_controller(body: Object, raw: Object) -> None:
    """Selector and template as the API wants them; the random fleets leave them out."""
    spec, name = body["spec"], raw["metadata"]["name"]
    labels = {"app": name}
    if raw["kind"] == "ReplicaSet" and "ownerReferences" in body["metadata"]:
        app, _, value = name.rpartition("-")
        labels = {"app": app, "pod-template-hash": value}
    template = spec.get("template") or {"spec": {"containers": [{"name": "main", "image": "registry.example/main:1"}]}}
    template["metadata"] = {"labels": {**template.get("metadata", {}).get("labels", {}), **labels}}
    if raw["kind"] == "Job":
        template["spec"]["restartPolicy"] = "Never"
    else:
        spec["selector"] = {"matchLabels": labels}
    if raw["kind"] == "StatefulSet":
        spec["serviceName"] = name
    spec["template"] = template


SHAPES: dict[str, Callable[[Object, Object], None]] = {
    "Node": _shape_node,
    "Pod": _shape_pod,
    **dict.fromkeys(("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job"), _shape_controller),
}


def _ready(raw: Object) -> bool:
    told = raw.get("status", {}).get("conditions", ())
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in told)


def _held_back(raw: Object) -> bool:
    notes: dict[str, str] = raw["metadata"].get("annotations", {})
    return notes.get("descheduler.test/ready") == "never"


def _node(pod: Object) -> str | None:
    node: str | None = pod["spec"].get("nodeName")
    return node
