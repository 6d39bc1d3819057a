"""What kwok plays on the nodes is what a kubelet would do, and a test can hold it back."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import Any

from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.objects import a_node, a_pod, a_pod_spec

PODS = "/api/v1/namespaces/shop/pods"


def condition(item: Object, kind: str) -> Any:
    """The status of one of its conditions; ``None`` if it has none of this kind."""
    return next((each["status"] for each in item["status"].get("conditions", []) if each["type"] == kind), None)


def not_ready_taint(node: Object) -> bool:
    """Whether the controllers keep pods away from it."""
    return any(taint["key"] == "node.kubernetes.io/not-ready" for taint in node["spec"].get("taints", []))


def evict(cluster: Cluster, pod: Object) -> None:
    """As `kubectl drain` would."""
    name = pod["metadata"]["name"]
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "shop"}}
    cluster.api.request("POST", f"{PODS}/{name}/eviction", body)


def test_a_node_held_back_stays_not_ready_and_takes_no_pod(east: Cluster) -> None:
    east.api.create(a_node("dark", annotations={"descheduler.test/ready": "never"}))
    east.add_nodes(a_node("light"))
    east.namespace("shop")

    east.api.create_all([a_pod("one", "shop"), a_pod("two", "shop")])

    pods = east.api.wait(PODS, lambda pods: len(pods) == 2 and all(condition(pod, "Ready") == "True" for pod in pods))
    assert {pod["spec"]["nodeName"] for pod in pods} == {"light"}
    assert condition(east.api.get("/api/v1/nodes/dark"), "Ready") == "False"


def test_a_node_can_lose_its_readiness_and_find_it_again(east: Cluster) -> None:
    east.add_nodes(a_node("a"))

    east.api.patch("/api/v1/nodes/a", {"metadata": {"annotations": {"descheduler.test/ready": "never"}}})
    east.api.wait("/api/v1/nodes", lambda nodes: not_ready_taint(nodes[0]))
    east.api.patch("/api/v1/nodes/a", {"metadata": {"annotations": {"descheduler.test/ready": None}}})

    (node,) = east.api.wait("/api/v1/nodes", lambda nodes: not not_ready_taint(nodes[0]))
    assert condition(node, "Ready") == "True"


def test_a_pod_held_back_runs_but_is_not_ready(east: Cluster) -> None:
    east.add_nodes(a_node("a"))
    east.namespace("shop")

    east.api.create(a_pod("slow", "shop", annotations={"descheduler.test/ready": "never"}))

    (pod,) = east.api.wait(PODS, lambda pods: [pod["status"]["phase"] for pod in pods] == ["Running"])
    assert condition(pod, "Ready") == condition(pod, "ContainersReady") == "False"
    assert condition(pod, "PodScheduled") == "True"
    assert not pod["status"]["containerStatuses"][0]["ready"]


def test_a_pod_that_ignores_its_end_stays_terminating(east: Cluster) -> None:
    east.add_nodes(a_node("a"))
    east.namespace("shop")
    east.api.create_all([a_pod("stubborn", "shop", annotations={"descheduler.test/stops": "never"}), a_pod("obedient", "shop")])
    pods = east.api.wait(PODS, lambda pods: len(pods) == 2 and all(condition(pod, "Ready") == "True" for pod in pods))

    for pod in pods:
        evict(east, pod)

    (left,) = east.api.wait(PODS, lambda pods: len(pods) == 1)
    assert left["metadata"]["name"] == "stubborn"
    assert "deletionTimestamp" in left["metadata"]
    assert left["status"]["phase"] == "Running"


def test_a_pod_that_comes_back_under_its_name_is_not_taken_for_the_one_that_went(east: Cluster) -> None:
    """Bare pods are made again the moment they are gone. kwok deletes by name: it must not do so twice."""
    east.add_nodes(a_node("a", {"cpu": "64", "memory": "64Gi"}))
    east.namespace("shop")
    bodies = {f"bare-{i}": a_pod(f"bare-{i}", "shop", nodeName="a") for i in range(40)}
    east.api.create_all(list(bodies.values()))
    east.api.wait(PODS, lambda pods: sum(condition(pod, "Ready") == "True" for pod in pods) == len(bodies))
    version = east.api.get(PODS)["metadata"]["resourceVersion"]

    for name in bodies:
        east.api.delete(f"{PODS}/{name}")
    with ThreadPoolExecutor(8) as pool:
        gone = (
            event["object"]
            for event in east.api.watch(PODS, {"resourceVersion": version, "timeoutSeconds": 60})
            if event["type"] == "DELETED"
        )
        successors = [pool.submit(east.api.create, bodies[pod["metadata"]["name"]]) for pod in islice(gone, len(bodies))]

    made = {successor.result()["metadata"]["uid"] for successor in successors}
    pods = east.api.wait(PODS, lambda pods: [condition(pod, "Ready") for pod in pods] == ["True"] * len(bodies))
    assert {pod["metadata"]["uid"] for pod in pods} == made


def test_an_evicted_pod_of_a_job_ends_as_failed_and_counts_as_a_failure(east: Cluster) -> None:
    east.add_nodes(a_node("a"))
    east.namespace("shop")
    template = {"metadata": {"labels": {"app": "sums"}}, "spec": a_pod_spec(restartPolicy="Never")}
    east.api.create(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": "sums", "namespace": "shop"},
            "spec": {"backoffLimit": 0, "template": template},
        }
    )
    (pod,) = east.api.wait(PODS, lambda pods: [condition(pod, "Ready") for pod in pods] == ["True"])

    evict(east, pod)

    (job,) = east.api.wait("/apis/batch/v1/namespaces/shop/jobs", lambda jobs: condition(jobs[0], "Failed") == "True")
    assert job["status"]["failed"] == 1
