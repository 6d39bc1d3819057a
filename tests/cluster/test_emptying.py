"""What one test did to a cluster is no other test's business."""

from __future__ import annotations

from tests.cluster.controlplane.api import Api, Object
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.emptying import CLUSTER_WIDE, DEFINITIONS, empty
from tests.cluster.controlplane.objects import a_node, a_pod, a_workload


def everything(api: Api) -> dict[str, set[str]]:
    """The names of what there is, by kind; not what the controllers keep for themselves."""
    kinds = ["/api/v1/namespaces", "/api/v1/pods", "/api/v1/persistentvolumes", DEFINITIONS, *CLUSTER_WIDE]
    return {kind: {f"{item['metadata'].get('namespace')}/{item['metadata']['name']}" for item in api.items(kind)} for kind in kinds}


def named(kind: str, version: str, name: str, **fields: object) -> Object:
    """An object with nothing but a name and these fields."""
    return {"apiVersion": version, "kind": kind, "metadata": {"name": name}, **fields}


def definition() -> Object:
    """The smallest custom resource there can be."""
    version = {"name": "v1", "served": True, "storage": True, "schema": {"openAPIV3Schema": {"type": "object"}}}
    spec = {"group": "tests.example", "scope": "Namespaced", "names": {"plural": "things", "kind": "Thing"}, "versions": [version]}
    return named("CustomResourceDefinition", "apiextensions.k8s.io/v1", "things.tests.example", spec=spec)


def test_an_emptied_cluster_is_as_new(east: Cluster) -> None:
    before = everything(east.api)
    east.add_nodes(a_node("a", {"cpu": "16", "memory": "64Gi"}))
    east.namespace("shop")
    disk = {"capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"], "hostPath": {"path": "/nowhere"}}
    wanted = {"accessModes": ["ReadWriteOnce"], "storageClassName": "", "resources": {"requests": {"storage": "1Gi"}}}
    held = a_pod("held", "shop")
    held["metadata"]["finalizers"] = ["tests.example/never-removed"]
    east.api.create_all(
        [
            a_workload("web", "shop", 3),
            a_workload("web", "default"),
            a_pod("agent", "kube-system"),
            held,
            named("PriorityClass", "scheduling.k8s.io/v1", "high", value=1000),
            named("ClusterRole", "rbac.authorization.k8s.io/v1", "reader", rules=[]),
            named("PersistentVolume", "v1", "disk", spec=disk),
            {**named("PersistentVolumeClaim", "v1", "claim", spec=wanted), "metadata": {"name": "claim", "namespace": "shop"}},
            definition(),
        ]
    )
    east.api.wait("/api/v1/pods", lambda pods: sum(pod["status"]["phase"] == "Running" for pod in pods) == 6)

    empty(east.api)

    assert everything(east.api) == before
    east.namespace("shop")  # the name is free again at once, and its old content does not come back
    assert east.api.items("/api/v1/namespaces/shop/persistentvolumeclaims") == []
    assert east.api.items("/api/v1/namespaces/shop/pods") == []
