"""Nodes, pods and workloads as manifests: a test says only what it is about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tests.cluster.controlplane.api import Object

ROOMY = {"cpu": "4", "memory": "16Gi"}
SMALL = {"cpu": "1", "memory": "1Gi"}


def a_node(
    name: str,
    room: Mapping[str, str] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Object] = (),
    annotations: Mapping[str, str] | None = None,
) -> Object:
    """A node that kwok plays, Ready unless it is held back. ``room`` is what it can allocate; 110 pods unless it says.

    It is Ready from the start: the controllers look at nodes every five seconds, and whoever they saw unready once has its new pods
    marked not Ready until they look again. A kubelet would put that right, kwok does not.
    """
    resources = {"pods": "110", **(room or ROOMY)}
    labels = {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64", **(labels or {})}
    annotations = {"kwok.x-k8s.io/node": "fake", **(annotations or {})}
    ready = "False" if annotations.get("descheduler.test/ready") == "never" else "True"
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels, "annotations": annotations},
        "spec": {"taints": list(taints)},
        "status": {"capacity": resources, "allocatable": resources, "conditions": [{"type": "Ready", "status": ready}]},
    }


def a_pod_spec(requests: Mapping[str, str] | None = None, **fields: object) -> Object:
    """One container with these requests; it stops within a second. ``fields`` are more fields of the spec."""
    container = {"name": "main", "image": "registry.example/app:1", "resources": {"requests": dict(requests or SMALL)}}
    return {"terminationGracePeriodSeconds": 1, "containers": [container], **fields}


def a_pod(
    name: str,
    namespace: str,
    requests: Mapping[str, str] | None = None,
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **fields: object,
) -> Object:
    """A bare pod."""
    metadata = {"name": name, "namespace": namespace, "labels": dict(labels or {}), "annotations": dict(annotations or {})}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": a_pod_spec(requests, **fields)}


def a_workload(
    name: str, namespace: str, replicas: int = 1, requests: Mapping[str, str] | None = None, *, kind: str = "Deployment", **fields: object
) -> Object:
    """A Deployment, ReplicaSet or StatefulSet whose pods are labelled ``app: name``; ``fields`` are fields of the pods' spec."""
    labels = {"app": name}
    spec: Object = {
        "replicas": replicas,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": a_pod_spec(requests, **fields)},
    }
    if kind == "StatefulSet":
        spec["serviceName"] = name
    return {"apiVersion": "apps/v1", "kind": kind, "metadata": {"name": name, "namespace": namespace}, "spec": spec}
