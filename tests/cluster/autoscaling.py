"""A real HorizontalPodAutoscaler, driven by kube-controller-manager from metrics that a test sets.

The resource metrics API is played by a CustomResourceDefinition: objects named and labelled as their pods are what
`/apis/metrics.k8s.io/v1beta1/…/pods` lists, and the autoscaler asks for nothing more. As with a real metrics-server a pod appears in
it when it is Ready, and the load of an app is spread over all pods of its Service, whoever owns them.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from descheduler.clock import SystemClock
from tests.cluster.acting import is_ready
from tests.cluster.controlplane.api import ApiRefused, Object
from tests.cluster.controlplane.cluster import Cluster

PER_REPLICA_MEBIBYTES = 50
"""What an autoscaler of `an_autoscaler` wants each replica to use."""
EVERY_SECONDS = 0.1
PATH = "/apis/metrics.k8s.io/v1beta1"

DEFINITION: Object = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "pods.metrics.k8s.io", "annotations": {"api-approved.kubernetes.io": "unapproved, played by a test"}},
    "spec": {
        "group": "metrics.k8s.io",
        "scope": "Namespaced",
        "names": {"kind": "PodMetrics", "listKind": "PodMetricsList", "plural": "pods", "singular": "pod"},
        "versions": [
            {
                "name": "v1beta1",
                "served": True,
                "storage": True,
                "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}},
            }
        ],
    },
}


def an_autoscaler(app: str, namespace: str, *, most: int) -> Object:
    """Scales a Deployment between 1 and ``most`` replicas at once, up and down."""
    target = {"type": "AverageValue", "averageValue": f"{PER_REPLICA_MEBIBYTES}Mi"}
    at_once = {"stabilizationWindowSeconds": 0, "policies": [{"type": "Pods", "value": most, "periodSeconds": 1}]}
    spec = {
        "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": app},
        "minReplicas": 1,
        "maxReplicas": most,
        "metrics": [{"type": "Resource", "resource": {"name": "memory", "target": target}}],
        "behavior": {"scaleUp": at_once, "scaleDown": at_once},
    }
    meta = {"name": app, "namespace": namespace}
    return {"apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler", "metadata": meta, "spec": spec}


@contextmanager
def metrics(cluster: Cluster, load: Mapping[str, int]) -> Iterator[None]:
    """Serve the metrics API as long as the block lasts. ``load``: namespace → replicas that its load is enough for; may be changed."""
    cluster.api.create(DEFINITION)
    path, ours = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions", f"metadata.name={DEFINITION['metadata']['name']}"
    cluster.api.wait(path, lambda found: any(map(_served, found)), fieldSelector=ours)
    ended = threading.Event()
    thread = threading.Thread(target=_measure, args=(cluster, load, ended), daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def _served(definition: Object) -> bool:
    conditions = definition.get("status", {}).get("conditions") or ()
    return any((condition["type"], condition["status"]) == ("Established", "True") for condition in conditions)


def _measure(cluster: Cluster, load: Mapping[str, int], ended: threading.Event) -> None:
    """What grows is told last: an autoscaler that looks in between never sees more load than there is."""
    told: dict[tuple[str, str], int] = {}
    while not ended.wait(EVERY_SECONDS):
        ready = [pod for pod in cluster.api.items("/api/v1/pods") if is_ready(pod) and pod["metadata"]["namespace"] in load]
        serving = Counter(pod["metadata"]["namespace"] for pod in ready)
        pods = {(pod["metadata"]["namespace"], pod["metadata"]["name"]): pod for pod in ready}
        now = {(space, name): load[space] * PER_REPLICA_MEBIBYTES * 1024 // serving[space] for space, name in pods}
        for space, name in told.keys() - now.keys():
            with suppress(ApiRefused):
                cluster.api.delete(f"{PATH}/namespaces/{space}/pods/{name}")
        for key in sorted(now, key=lambda key: now[key] - told.get(key, 0)):
            if told.get(key) != now[key]:
                _tell(cluster, pods[key], f"{now[key]}Ki")
        told = now


def _tell(cluster: Cluster, pod: Object, usage: str) -> None:
    space, name = pod["metadata"]["namespace"], pod["metadata"]["name"]
    now = SystemClock().now().strftime("%Y-%m-%dT%H:%M:%SZ")
    measured = {"timestamp": now, "window": "1s", "containers": [{"name": "main", "usage": {"cpu": "1m", "memory": usage}}]}
    meta = {"name": name, "namespace": space, "labels": {"app": pod["metadata"]["labels"]["app"]}}
    with suppress(ApiRefused):  # the namespace is on its way out
        try:
            cluster.api.patch(f"{PATH}/namespaces/{space}/pods/{name}", measured)
        except ApiRefused as refused:
            if refused.code != 404:
                raise
            cluster.api.create({"apiVersion": "metrics.k8s.io/v1beta1", "kind": "PodMetrics", "metadata": meta, **measured})
