"""Kubernetes objects as ``kubectl get -o json`` prints them, made from the catalogue's plain data."""

from __future__ import annotations

import hashlib
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

from catalogue import GPU, PRIORITIES, App
from little_scheduler import Machine

Body = dict[str, Any]

TAKEN = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Kubernetes' own alphabet for generated names."""
DAY = 86400
HOSTNAME, ZONE, REGION = "kubernetes.io/hostname", "topology.kubernetes.io/zone", "topology.kubernetes.io/region"


def number(*parts: object) -> int:
    """The same large number for the same words, on every machine and Python."""
    return int.from_bytes(hashlib.sha256("/".join(map(str, parts)).encode()).digest()[:8], "big")


def letters(length: int, *parts: object) -> str:
    rest, out = number(*parts), ""
    for _ in range(length):
        rest, place = divmod(rest, len(LETTERS))
        out += LETTERS[place]
    return out


def ago(seconds: int) -> str:
    return (TAKEN - timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def cpu_text(milli: int) -> str:
    return str(milli // 1000) if milli % 1000 == 0 else f"{milli}m"


def memory_text(mebi: int) -> str:
    return f"{mebi // 1024}Gi" if mebi % 1024 == 0 else f"{mebi}Mi"


class Printer:
    """Prints the objects of one cluster; ``seed`` and ``cluster`` make its UIDs and suffixes."""

    def __init__(self, seed: int, cluster: str) -> None:
        self.key = (seed, cluster)
        self.cluster = cluster
        self.version = 1000

    def meta(self, kind: str, name: str, namespace: str = "", seconds: int = 400 * DAY, **more: Any) -> Body:
        self.version += 1
        digest = hashlib.sha256("/".join(map(str, (*self.key, kind, namespace, name))).encode()).digest()
        where = {"namespace": namespace} if namespace else {}
        told = {key: value for key, value in more.items() if value}
        return {
            "name": name,
            **where,
            "uid": str(uuid.UUID(bytes=digest[:16], version=4)),
            "resourceVersion": str(self.version),
            "creationTimestamp": ago(seconds),
            **told,
        }

    def age(self, app: App) -> int:
        """Seconds since the workload was created."""
        return (20 + number(*self.key, app.namespace, app.name, "age") % 200) * DAY

    def node(self, machine: Machine, instance: str, region: str) -> Body:
        taints = [{"key": key, "value": value, "effect": effect} for key, value, effect in machine.taints]
        spec: Body = {"providerID": f"example://{self.cluster}/{machine.name}"}
        if machine.cordoned:
            spec["unschedulable"] = True
            taints.append({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule", "timeAdded": ago(5400)})
        if not machine.ready:
            taints += [
                {"key": "node.kubernetes.io/unreachable", "effect": effect, "timeAdded": ago(200)} for effect in ("NoSchedule", "NoExecute")
            ]
        if taints:
            spec["taints"] = taints
        gpu = {GPU: str(machine.room["gpu"])} if machine.room["gpu"] else {}
        amounts = {
            "cpu": cpu_text(machine.room["cpu"]),
            "memory": f"{machine.room['memory'] * 1024}Ki",
            "pods": str(machine.room["pods"]),
            "ephemeral-storage": "94489280512",
            **gpu,
        }
        capacity = {**amounts, "cpu": str(-(-machine.room["cpu"] // 1000))}
        ready = (
            {"status": "True", "reason": "KubeletReady", "message": "kubelet is posting ready status"}
            if machine.ready
            else {"status": "Unknown", "reason": "NodeStatusUnknown", "message": "Kubelet stopped posting node status."}
        )
        fine = [("MemoryPressure", "KubeletHasSufficientMemory"), ("DiskPressure", "KubeletHasNoDiskPressure")]
        changed = {"lastTransitionTime": ago(400 * DAY if machine.ready else 200)}
        labels = {
            HOSTNAME: machine.name,
            "kubernetes.io/arch": "amd64",
            "kubernetes.io/os": "linux",
            ZONE: machine.zone,
            REGION: region,
            "node.kubernetes.io/instance-type": instance,
            **machine.labels,
        }
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": self.meta("Node", machine.name, labels=labels),
            "spec": spec,
            "status": {
                "allocatable": amounts,
                "capacity": capacity,
                "conditions": [
                    {"type": kind, "status": "False" if machine.ready else "Unknown", "reason": reason, **changed} for kind, reason in fine
                ]
                + [{"type": "Ready", **ready, **changed}],
                "nodeInfo": {"architecture": "amd64", "operatingSystem": "linux", "kubeletVersion": "v1.36.2"},
            },
        }

    def pod_spec(self, app: App) -> Body:
        """The pod template's spec; claims of a StatefulSet are added per pod."""
        gpu = {GPU: str(app.gpu)} if app.gpu else {}
        main: Body = {
            "name": app.name,
            "image": f"registry.example/{app.namespace}/{app.name}:1.4.2",
            "resources": {
                "requests": {"cpu": cpu_text(app.cpu), "memory": memory_text(app.memory), **gpu},
                "limits": {"memory": memory_text(app.memory), **gpu},
            },
        }
        if app.host_port:
            main["ports"] = [{"containerPort": app.host_port, "hostPort": app.host_port, "protocol": "TCP"}]
        spec: Body = {"containers": [main], "schedulerName": app.scheduler, "priorityClassName": PRIORITIES[app.priority]}
        if app.kind == "Job":
            spec["restartPolicy"] = "Never"
        if app.selector:
            spec["nodeSelector"] = app.selector
        if app.tolerates:
            spec["tolerations"] = (
                [{"operator": "Exists"}] if app.tolerates == "*" else [{"key": app.tolerates, "operator": "Exists", "effect": "NoSchedule"}]
            )
        select = {"labelSelector": {"matchLabels": {"app": app.name}}}
        if app.anti:
            spec["affinity"] = {
                "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{**select, "topologyKey": HOSTNAME}]}
            }
        if app.spread:
            spec["topologySpreadConstraints"] = [{**select, "maxSkew": 1, "topologyKey": ZONE, "whenUnsatisfiable": "DoNotSchedule"}]
        if app.gate:
            spec["schedulingGates"] = [{"name": app.gate}]
        if app.sidecar:
            spec["initContainers"] = [
                {
                    "name": "istio-proxy",
                    "image": "registry.example/istio/proxyv2:1.30.0",
                    "restartPolicy": "Always",
                    "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}},
                }
            ]
            spec["volumes"] = [{"name": "istio-envoy", "emptyDir": {"medium": "Memory"}}, {"name": "istio-data", "emptyDir": {}}]
        elif app.volume == "scratch":
            spec["volumes"] = [{"name": "scratch", "emptyDir": {}}]
        elif app.volume == "host":
            spec["volumes"] = [{"name": "host", "hostPath": {"path": f"/var/lib/{app.name}"}}]
        return spec

    def pod(self, app: App, owner: Body | None, ordinal: int, node: str | None, message: str = "", *, ready: bool = True) -> Body:
        """A running pod on ``node``, or one that waits for the reason ``message`` gives."""
        name, labels, more = self._named(app, owner, ordinal)
        spec = {
            **self.pod_spec(app),
            "priority": app.priority,
            "preemptionPolicy": "PreemptLowerPriority" if app.priority > 2000000000 else "Never",
        }
        grace = [
            {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
            for key in ("not-ready", "unreachable")
        ]
        spec["tolerations"] = spec.get("tolerations", []) + (grace if app.tolerates != "*" else [])
        if app.volume in ("claim", "unbound"):
            spec["volumes"] = [{"name": "data", "persistentVolumeClaim": {"claimName": f"data-{name}"}}]
        if app.kind == "DaemonSet":
            pinned = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [node]}]}
            spec["affinity"] = {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [pinned]}}}
        seconds = app.waits_seconds + ordinal if node is None else 3 * 3600 + number(*self.key, name) % (self.age(app) - 3 * 3600)
        meta = self.meta(
            "Pod", name, app.namespace, seconds, labels=labels, annotations={**app.notes, **more.pop("annotations", {})}, **more
        )
        status = self._waiting(app, seconds, message) if node is None else self._running(app, seconds, ready)
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": meta,
            "spec": {**spec, **({"nodeName": node} if node else {})},
            "status": status,
        }

    def _named(self, app: App, owner: Body | None, ordinal: int) -> tuple[str, dict[str, str], Body]:
        labels = {"app": app.name}
        if app.kind == "Static":
            digest = letters(32, *self.key, app.name)
            return (
                f"{app.name}-{self.cluster}-gateway-01",
                labels,
                {"annotations": {"kubernetes.io/config.mirror": digest, "kubernetes.io/config.source": "file"}},
            )
        if owner is None:
            return app.name, labels, {}
        base = owner["metadata"]["name"]
        more: Body = {"ownerReferences": [self.reference(owner)]}
        if app.kind == "StatefulSet":
            return (
                f"{base}-{ordinal}",
                {**labels, "apps.kubernetes.io/pod-index": str(ordinal), "statefulset.kubernetes.io/pod-name": f"{base}-{ordinal}"},
                more,
            )
        if app.kind == "Deployment":
            labels["pod-template-hash"] = owner["metadata"]["labels"]["pod-template-hash"]
        return f"{base}-{letters(5, *self.key, base, ordinal)}", labels, {"generateName": f"{base}-", **more}

    @staticmethod
    def _waiting(app: App, seconds: int, message: str) -> Body:
        blocked = {"reason": "SchedulingGated", "message": "Scheduling is blocked due to non-empty scheduling gates"}
        refused = {"reason": "Unschedulable", "message": message}
        if app.scheduler != "default-scheduler":
            return {"phase": "Pending", "qosClass": "Burstable"}
        condition = {"type": "PodScheduled", "status": "False", "lastTransitionTime": ago(seconds), **(blocked if app.gate else refused)}
        return {"phase": "Pending", "conditions": [condition], "qosClass": "Burstable"}

    @staticmethod
    def _running(app: App, seconds: int, ready: bool) -> Body:
        state = {"running": {"startedAt": ago(seconds - 4)}} if ready else {"waiting": {"reason": "CrashLoopBackOff"}}
        container = {"name": app.name, "ready": ready, "restartCount": 0 if ready else 41, "state": state}
        conditions = [
            {"type": kind, "status": "True" if ready or kind == "PodScheduled" else "False", "lastTransitionTime": ago(seconds - 5)}
            for kind in ("PodScheduled", "Ready")
        ]
        return {
            "phase": "Running",
            "startTime": ago(seconds),
            "conditions": conditions,
            "containerStatuses": [container],
            "qosClass": "Burstable",
        }

    @staticmethod
    def reference(owner: Body) -> Body:
        return {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": True,
            "blockOwnerDeletion": True,
        }
