"""Takes everything out of a cluster that a test put in, so that the next test finds it as new; much faster than a new one.

Deleting a namespace the usual way takes the namespace controller five seconds by its clock. Here the namespace is only marked as
going, so that nobody creates anything in it any more; what is in it is deleted kind by kind; then it is let go.
"""

from __future__ import annotations

from tests.cluster.controlplane.api import Api, ApiRefused, Object

OF_THE_SYSTEM = ("default", "kube-system", "kube-public", "kube-node-lease")

DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"

# What could refuse the other deletions comes first.
CLUSTER_WIDE = (
    "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicybindings",
    "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolicies",
    "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings",
    "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicies",
    DEFINITIONS,
    "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    "/apis/node.k8s.io/v1/runtimeclasses",
    "/apis/scheduling.k8s.io/v1/priorityclasses",
    "/apis/storage.k8s.io/v1/storageclasses",
    "/apis/storage.k8s.io/v1/csinodes",
    "/apis/storage.k8s.io/v1/csidrivers",
    "/apis/storage.k8s.io/v1/volumeattachments",
    "/api/v1/nodes",
)
# In the namespaces that every cluster has only this is removed: first what makes pods, then pods.
IN_SYSTEM_NAMESPACES = (
    "/apis/apps/v1/deployments",
    "/apis/apps/v1/statefulsets",
    "/apis/apps/v1/daemonsets",
    "/apis/apps/v1/replicasets",
    "/apis/batch/v1/cronjobs",
    "/apis/batch/v1/jobs",
    "/apis/policy/v1/poddisruptionbudgets",
    "/api/v1/resourcequotas",
    "/api/v1/limitranges",
    "/api/v1/pods",
    "/api/v1/persistentvolumeclaims",
    "/api/v1/events",
    "/apis/coordination.k8s.io/v1/leases",
)


def empty(api: Api) -> None:
    """Remove nodes, workloads, namespaces, policies, definitions, and roles that no Kubernetes ships; return when they are gone."""
    for collection in CLUSTER_WIDE:
        _delete_foreign(api, collection)
    api.wait(DEFINITIONS, lambda definitions: not definitions)
    going = _delete_foreign(api, "/api/v1/namespaces")
    for collection in IN_SYSTEM_NAMESPACES:
        _delete_within(api, collection, {*OF_THE_SYSTEM, *going} - {"kube-node-lease"})
    if going:
        for collection in _namespaced(api):
            _delete_within(api, collection, going)
    for name in going:
        _let_go(api, name)
    _delete_foreign(api, "/api/v1/persistentvolumes")
    api.wait("/api/v1/pods", lambda pods: not pods)
    api.wait("/api/v1/persistentvolumes", lambda volumes: not volumes)


def _namespaced(api: Api) -> list[str]:
    """The lists of everything the server knows that lives in namespaces and can be deleted."""
    groups = ["/api/v1", *(f"/apis/{group['preferredVersion']['groupVersion']}" for group in api.get("/apis")["groups"])]
    known = [(group, resource) for group in groups for resource in api.get(group)["resources"] if resource["namespaced"]]
    return [f"{group}/{resource['name']}" for group, resource in known if "deletecollection" in resource["verbs"]]


def _delete_within(api: Api, collection: str, namespaces: set[str]) -> None:
    """Delete everything of one kind in these namespaces, at once, whoever has still something to finish with it."""
    version, _, plural = collection.rpartition("/")
    for namespace in sorted(namespaces.intersection(item["metadata"]["namespace"] for item in api.items(collection))):
        api.delete(f"{version}/namespaces/{namespace}/{plural}", grace_seconds=0)
        for item in api.items(f"{version}/namespaces/{namespace}/{plural}"):
            if item["metadata"].get("finalizers"):
                _unless_gone(api, "PATCH", f"{version}/namespaces/{namespace}/{plural}/{item['metadata']['name']}", _NO_FINALIZERS)


def _delete_foreign(api: Api, collection: str) -> set[str]:
    """Delete what the control plane did not make itself; the names."""
    try:
        names = {item["metadata"]["name"] for item in api.items(collection) if not _shipped(item)}
    except ApiRefused as refusal:
        if refusal.code == 404:  # an older server knows fewer kinds
            return set()
        raise
    for name in names:
        _unless_gone(api, "DELETE", f"{collection}/{name}", {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0})
    return names


def _let_go(api: Api, namespace: str) -> None:
    body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}, "spec": {"finalizers": []}}
    _unless_gone(api, "PUT", f"/api/v1/namespaces/{namespace}/finalize", body)


_NO_FINALIZERS: Object = {"metadata": {"finalizers": None}}


def _unless_gone(api: Api, method: str, path: str, body: Object) -> None:
    try:
        api.request(method, path, body, content_type="application/merge-patch+json" if method == "PATCH" else "application/json")
    except ApiRefused as refusal:
        if refusal.code not in {404, 409}:  # gone already, or on its way out
            raise


def _shipped(item: Object) -> bool:
    """Whether the control plane itself made it."""
    metadata = item["metadata"]
    return (
        metadata["name"] in OF_THE_SYSTEM
        or metadata["name"].startswith("system-")
        or metadata.get("labels", {}).get("kubernetes.io/bootstrapping") == "rbac-defaults"
    )
