"""The controllers, budgets and claims behind the pods of the realistic fleet."""

from __future__ import annotations

from catalogue import PRIORITIES, App
from little_scheduler import Machine
from objects import Body, Printer, ago, letters, memory_text

STORAGE = "storage.k8s.io/v1"
DRIVER = "standard.csi.example"


def controllers(printer: Printer, app: App, running: int) -> list[Body]:
    """The objects that own its pods, the direct owner last; none for bare and static pods. ``running`` pods have a node."""
    make = {"Deployment": _deployment, "DaemonSet": _daemon_set, "StatefulSet": _stateful_set, "Job": _job}.get(app.kind)
    return make(printer, app, running) if make else []


def _template(printer: Printer, app: App, labels: dict[str, str]) -> Body:
    notes = {"annotations": app.notes} if app.notes else {}
    return {"metadata": {"labels": labels, **notes}, "spec": printer.pod_spec(app)}


def _deployment(printer: Printer, app: App, running: int) -> list[Body]:
    labels, total, ready = {"app": app.name}, running + app.waiting, running - app.broken
    revision = {"deployment.kubernetes.io/revision": "3"}
    strategy: Body = (
        {"type": "Recreate"}
        if app.recreate
        else {
            "type": "RollingUpdate",
            "rollingUpdate": {"maxSurge": int(app.surge) if app.surge.isdigit() else app.surge, "maxUnavailable": "25%"},
        }
    )
    counts: Body = {"replicas": total, "readyReplicas": ready, "availableReplicas": ready, "unavailableReplicas": total - ready}
    counts = {"observedGeneration": 4, **{key: value for key, value in counts.items() if value}}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": printer.meta(
            "Deployment",
            app.name,
            app.namespace,
            printer.age(app),
            generation=5 if app.rolling else 4,
            labels=labels,
            annotations={**revision, **app.workload_notes},
        ),
        "spec": {"replicas": total, "selector": {"matchLabels": labels}, "strategy": strategy, "template": _template(printer, app, labels)},
        "status": {**counts, "updatedReplicas": total},
    }
    suffix = letters(10, *printer.key, app.namespace, app.name)
    hashed = {**labels, "pod-template-hash": suffix}
    owned = {key: value for key, value in counts.items() if key != "unavailableReplicas"}
    replica_set = {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": printer.meta(
            "ReplicaSet",
            f"{app.name}-{suffix}",
            app.namespace,
            printer.age(app),
            generation=4,
            labels=hashed,
            annotations=revision,
            ownerReferences=[printer.reference(deployment)],
        ),
        "spec": {"replicas": total, "selector": {"matchLabels": hashed}, "template": _template(printer, app, hashed)},
        "status": {**owned, "fullyLabeledReplicas": total},
    }
    return [deployment, replica_set]


def _daemon_set(printer: Printer, app: App, running: int) -> list[Body]:
    labels = {"app": app.name}
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "DaemonSet",
            "metadata": printer.meta("DaemonSet", app.name, app.namespace, printer.age(app), generation=2, labels=labels),
            "spec": {
                "selector": {"matchLabels": labels},
                "template": _template(printer, app, labels),
                "updateStrategy": {"type": "RollingUpdate"},
            },
            "status": {
                "observedGeneration": 2,
                "currentNumberScheduled": running,
                "desiredNumberScheduled": running,
                "numberReady": running,
                "numberMisscheduled": 0,
            },
        }
    ]


def _stateful_set(printer: Printer, app: App, running: int) -> list[Body]:
    labels, total = {"app": app.name}, running + app.waiting
    claims = (
        {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": _claim_spec(app)}]} if app.volume in ("claim", "unbound") else {}
    )
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "metadata": printer.meta("StatefulSet", app.name, app.namespace, printer.age(app), generation=2, labels=labels),
            "spec": {
                "replicas": total,
                "serviceName": app.name,
                "selector": {"matchLabels": labels},
                "template": _template(printer, app, labels),
                **claims,
            },
            "status": {
                "observedGeneration": 2,
                "replicas": total,
                "readyReplicas": running,
                "currentReplicas": total,
                "updatedReplicas": total,
            },
        }
    ]


def _job(printer: Printer, app: App, running: int) -> list[Body]:
    labels = {"app": app.name}
    cron = {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": printer.meta("CronJob", app.name, app.namespace, printer.age(app), generation=1),
        "spec": {"schedule": "0 3 * * *", "jobTemplate": {"spec": {"template": _template(printer, app, labels)}}},
        "status": {"lastScheduleTime": ago(32400)},
    }
    job = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": printer.meta(
            "Job", f"{app.name}-29384100", app.namespace, 32400, generation=1, labels=labels, ownerReferences=[printer.reference(cron)]
        ),
        "spec": {"parallelism": running, "completions": running, "backoffLimit": 6, "template": _template(printer, app, labels)},
        "status": {"active": running, "ready": running, "startTime": ago(32400)},
    }
    return [cron, job]


def budget(printer: Printer, app: App, running: int) -> Body:
    """A PodDisruptionBudget that lets one pod go, or none at all."""
    total, ready = running + app.waiting, running - app.broken
    spec = {"maxUnavailable": 0} if app.budget == "closed" else {"minAvailable": total - 1}
    desired = total - (0 if app.budget == "closed" else 1)
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": printer.meta("PodDisruptionBudget", app.name, app.namespace, printer.age(app), generation=1),
        "spec": {**spec, "selector": {"matchLabels": {"app": app.name}}},
        "status": {
            "observedGeneration": 1,
            "currentHealthy": ready,
            "desiredHealthy": desired,
            "expectedPods": total,
            "disruptionsAllowed": max(0, ready - desired),
        },
    }


def _claim_spec(app: App) -> Body:
    return {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "standard" if app.volume == "claim" else "fast-local",
        "resources": {"requests": {"storage": memory_text(4 * app.memory)}},
        "volumeMode": "Filesystem",
    }


def claim(printer: Printer, app: App, pod: Body, zone: str) -> list[Body]:
    """The claim of one pod and, when bound, its volume, which lives in one zone."""
    name = f"data-{pod['metadata']['name']}"
    meta = printer.meta("PersistentVolumeClaim", name, app.namespace, printer.age(app), labels={"app": app.name})
    spec = _claim_spec(app)
    wanted = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec, "status": {"phase": "Pending"}}
    if app.volume == "unbound":
        return [wanted]
    spec["volumeName"] = f"pvc-{meta['uid']}"
    meta["annotations"] = {"pv.kubernetes.io/bind-completed": "yes", "pv.kubernetes.io/bound-by-controller": "yes"}
    size = spec["resources"]["requests"]
    wanted["status"] = {"phase": "Bound", "accessModes": ["ReadWriteOnce"], "capacity": size}
    affinity = {
        "required": {
            "nodeSelectorTerms": [{"matchExpressions": [{"key": "topology.kubernetes.io/zone", "operator": "In", "values": [zone]}]}]
        }
    }
    volume = {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": printer.meta("PersistentVolume", f"pvc-{meta['uid']}", "", printer.age(app)),
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "capacity": size,
            "storageClassName": "standard",
            "nodeAffinity": affinity,
            "csi": {"driver": DRIVER, "volumeHandle": f"vol-{meta['uid'][:8]}"},
            "claimRef": {"kind": "PersistentVolumeClaim", "namespace": app.namespace, "name": name, "uid": meta["uid"]},
        },
        "status": {"phase": "Bound"},
    }
    return [wanted, volume]


def attached(printer: Printer, machines: list[Machine], volumes: list[Body], running: list[Body]) -> list[Body]:
    """The CSI driver, how many volumes each machine can attach, and which are: those of running pods."""
    driver = {"apiVersion": STORAGE, "kind": "CSIDriver", "metadata": printer.meta("CSIDriver", DRIVER), "spec": {"attachRequired": True}}
    out: list[Body] = [driver]
    for machine in machines:
        drivers = [{"name": DRIVER, "nodeID": machine.name, "topologyKeys": ["topology.kubernetes.io/zone"], "allocatable": {"count": 24}}]
        meta = printer.meta("CSINode", machine.name)
        out.append({"apiVersion": STORAGE, "kind": "CSINode", "metadata": meta, "spec": {"drivers": drivers}})
    homes = {f"data-{pod['metadata']['name']}": pod["spec"]["nodeName"] for pod in running}
    for volume in volumes:
        name, claimed = volume["metadata"]["name"], volume["spec"]["claimRef"]["name"]
        if claimed in homes:
            spec = {"attacher": DRIVER, "nodeName": homes[claimed], "source": {"persistentVolumeName": name}}
            meta = printer.meta("VolumeAttachment", f"csi-{name.removeprefix('pvc-')}")
            out.append({"apiVersion": STORAGE, "kind": "VolumeAttachment", "metadata": meta, "spec": spec, "status": {"attached": True}})
    return out


def cluster_wide(printer: Printer, namespaces: list[str]) -> list[Body]:
    """Namespaces, priority classes and storage classes."""
    out: list[Body] = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": printer.meta("Namespace", name, labels={"kubernetes.io/metadata.name": name}),
            "status": {"phase": "Active"},
        }
        for name in namespaces
    ]
    for value, name in PRIORITIES.items():
        out.append(
            {
                "apiVersion": "scheduling.k8s.io/v1",
                "kind": "PriorityClass",
                "metadata": printer.meta("PriorityClass", name),
                "value": value,
                "preemptionPolicy": "PreemptLowerPriority" if value > 2000000000 else "Never",
            }
        )
    for name, binding in (("standard", "WaitForFirstConsumer"), ("fast-local", "Immediate")):
        out.append(
            {
                "apiVersion": STORAGE,
                "kind": "StorageClass",
                "metadata": printer.meta("StorageClass", name),
                "provisioner": f"{name}.csi.example",
                "volumeBindingMode": binding,
            }
        )
    return out
