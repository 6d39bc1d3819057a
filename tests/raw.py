"""Small builders of raw Kubernetes objects: a test says only what it is about, the rest has a default.

Times are RFC 3339 strings; ``NOON`` is the instant at which the test fleets are taken. ``**spec`` goes into ``spec`` as it
is, with Kubernetes' own field names.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Json = dict[str, Any]

NOON = "2026-11-23T12:00:00Z"
LONG_AGO = "2026-11-20T12:00:00Z"
HALF_AN_HOUR_AGO = "2026-11-23T11:30:00Z"


def meta_json(
    name: str,
    *,
    namespace: str | None = None,
    uid: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    owner: Mapping[str, Any] | None = None,
    created: str = LONG_AGO,
    version: str = "1000",
    **more: Any,
) -> Json:
    """``metadata``; ``owner`` is an ownerReference as ``owner_json`` makes it."""
    meta: Json = {"name": name, "uid": uid if uid is not None else f"uid-{namespace or 'cluster'}-{name}"}
    meta |= {"resourceVersion": version, "creationTimestamp": created}
    if namespace is not None:
        meta["namespace"] = namespace
    if labels:
        meta["labels"] = dict(labels)
    if annotations:
        meta["annotations"] = dict(annotations)
    if owner is not None:
        meta["ownerReferences"] = [dict(owner)]
    return meta | more


def owner_json(kind: str, name: str, uid: str | None = None, *, controller: bool = True, namespace: str = "shop") -> Json:
    """An ownerReference; the UID is the one ``meta_json`` gives an object of that name in ``namespace``."""
    groups = {"Job": "batch/v1", "CronJob": "batch/v1", "Node": "v1", "Rollout": "argoproj.io/v1alpha1"}
    uid = uid if uid is not None else f"uid-{kind.lower()}-{namespace}-{name}"
    return {"apiVersion": groups.get(kind, "apps/v1"), "kind": kind, "name": name, "uid": uid, "controller": controller}


def container_json(name: str = "main", *, requests: Mapping[str, str] | None = None, **more: Any) -> Json:
    return {"name": name, "image": f"registry.example/{name}:1", "resources": {"requests": dict(requests or {})}, **more}


def pod_json(
    name: str,
    *,
    namespace: str = "shop",
    on: str | None = None,
    cpu: str | None = None,
    memory: str | None = None,
    requests: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    owner: Mapping[str, Any] | None = None,
    priority: int | None = None,
    phase: str | None = None,
    ready: bool | None = None,
    created: str | None = None,
    waiting_since: str | None = HALF_AN_HOUR_AGO,
    message: str = "0/1 nodes are available: 1 Insufficient cpu.",
    uid: str | None = None,
    version: str = "1000",
    metadata: Mapping[str, Any] | None = None,
    status: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Json:
    """A pod: running and Ready on node ``on``, or waiting since ``waiting_since`` when ``on`` is None."""
    asked = {**({"cpu": cpu} if cpu else {}), **({"memory": memory} if memory else {}), **(requests or {})}
    body: Json = {"containers": [container_json(requests=asked)], "schedulerName": "default-scheduler", **spec}
    if priority is not None:
        body["priority"] = priority
    if on is not None:
        body["nodeName"] = on
        told = {
            "phase": phase or "Running",
            "conditions": [condition_json("Ready", ready is not False), condition_json("PodScheduled", True)],
        }
    else:
        why = condition_json("PodScheduled", False, at=waiting_since or NOON, reason="Unschedulable", message=message)
        told = {"phase": phase or "Pending", "conditions": [why] if waiting_since else []}
    meta = meta_json(
        name,
        namespace=namespace,
        uid=uid if uid is not None else f"uid-pod-{namespace}-{name}",
        labels=labels,
        annotations=annotations,
        owner=owner,
        created=created or (LONG_AGO if on is not None else HALF_AN_HOUR_AGO),
        version=version,
    ) | dict(metadata or {})
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": body, "status": {**told, **(status or {})}}


def condition_json(kind: str, holds: bool, *, at: str = LONG_AGO, **more: Any) -> Json:
    return {"type": kind, "status": "True" if holds else "False", "lastTransitionTime": at, **more}


def node_json(
    name: str,
    *,
    cpu: str = "4",
    memory: str = "8Gi",
    pods: str = "110",
    allocatable: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    zone: str | None = None,
    taints: Iterable[Mapping[str, str]] = (),
    ready: bool = True,
    uid: str | None = None,
    version: str = "1000",
    metadata: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Json:
    """A node with its hostname label; ``allocatable`` adds resources such as GPUs."""
    places = {"topology.kubernetes.io/zone": zone} if zone else {}
    labels = {"kubernetes.io/hostname": name, **places, **(labels or {})}
    told = [dict(taint) for taint in taints]
    uid = uid or f"uid-node-{name}"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": meta_json(name, uid=uid, labels=labels, annotations=annotations, version=version) | dict(metadata or {}),
        "spec": {**({"taints": told} if told else {}), **spec},
        "status": {
            "allocatable": {"cpu": cpu, "memory": memory, "pods": pods, **(allocatable or {})},
            "conditions": [condition_json("Ready", ready)],
        },
    }


def taint_json(key: str, value: str = "", effect: str = "NoSchedule") -> Json:
    return {"key": key, "value": value, "effect": effect}


def namespace_json(
    name: str, *, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None, uid: str | None = None
) -> Json:
    labels = {"kubernetes.io/metadata.name": name, **(labels or {})}
    meta = meta_json(name, uid=uid or f"uid-namespace-{name}", labels=labels, annotations=annotations)
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}


def workload_json(
    kind: str,
    name: str,
    *,
    namespace: str = "shop",
    replicas: int | None = 1,
    owner: Mapping[str, Any] | None = None,
    annotations: Mapping[str, str] | None = None,
    status: Mapping[str, Any] | None = None,
    generation: int = 1,
    **spec: Any,
) -> Json:
    """Any controller; a Deployment gets a settled status unless ``status`` says otherwise."""
    uid = f"uid-{kind.lower()}-{namespace}-{name}"
    meta = meta_json(name, namespace=namespace, uid=uid, owner=owner, annotations=annotations, generation=generation)
    body: Json = {**({"replicas": replicas} if replicas is not None else {}), **spec}
    count = replicas if replicas is not None else 1
    settled = {"observedGeneration": generation, "replicas": count, "readyReplicas": count}
    if kind == "Deployment":
        settled |= {"updatedReplicas": count, "availableReplicas": count}
    return {
        "apiVersion": owner_json(kind, name)["apiVersion"],
        "kind": kind,
        "metadata": meta,
        "spec": body,
        "status": dict(status) if status is not None else settled,
    }


def deployment_json(name: str, **more: Any) -> Json:
    """A settled Deployment with the default rolling update."""
    return workload_json("Deployment", name, **more)


def replicaset_json(name: str, *, deployment: str | None = None, namespace: str = "shop", **more: Any) -> Json:
    owner = owner_json("Deployment", deployment, namespace=namespace) if deployment else None
    return workload_json("ReplicaSet", name, namespace=namespace, owner=owner, **more)


def budget_json(
    name: str,
    *,
    namespace: str = "shop",
    labels: Mapping[str, str] | None = None,
    allowed: int = 1,
    generation: int = 1,
    status: Mapping[str, Any] | None = None,
    **spec: Any,
) -> Json:
    """A PodDisruptionBudget over ``labels``; ``status`` replaces the whole status."""
    told = {"observedGeneration": generation, "disruptionsAllowed": allowed, "expectedPods": 3, "currentHealthy": 3, "desiredHealthy": 2}
    return {
        "apiVersion": "policy/v1",
        "kind": "PodDisruptionBudget",
        "metadata": meta_json(name, namespace=namespace, uid=f"uid-budget-{namespace}-{name}", generation=generation),
        "spec": {"selector": {"matchLabels": dict(labels or {})}, **({"minAvailable": 2} if not spec else {}), **spec},
        "status": dict(status) if status is not None else told,
    }


def list_json(items: Iterable[Json], kind: str = "List") -> Json:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"resourceVersion": ""}, "items": list(items)}


def write_json(path: Path, body: object) -> None:
    """Write ``body`` as JSON, gzipped when the name ends in ``.gz``; folders are made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(body).encode()
    path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)


def write_cluster(folder: Path, *objects: Json) -> None:
    """A snapshot folder with one file, ``all.json``."""
    write_json(folder / "all.json", list_json(objects))
