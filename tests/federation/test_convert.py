"""A whole cluster from raw objects: order and repetition do not matter, and nothing in an object can make it fail."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from descheduler.domain.objects import Cluster, ScaleUp
from descheduler.domain.snapshot import Snapshot, digest
from descheduler.federation.convert import ClusterBuilder, cluster_from_objects
from tests.federation.reading import read, read_oddly
from tests.raw import (
    budget_json,
    container_json,
    deployment_json,
    namespace_json,
    node_json,
    owner_json,
    pod_json,
    replicaset_json,
    taint_json,
    workload_json,
)
from tests.raw_storage import (
    attachment_json,
    capacity_json,
    claim_json,
    class_json,
    csi_driver_json,
    csi_node_json,
    volume_json,
)

NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def digest_of(cluster: Cluster) -> str:
    return digest(Snapshot(taken_at=NOON, clusters=(cluster,)))


def event(reason: str, pod: str, at: str = "2026-11-23T11:55:00Z", **more: Any) -> dict[str, Any]:
    about = {"kind": "Pod", "namespace": "shop", "name": pod}
    name = f"{pod}.{reason}.{at}"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": name, "namespace": "shop"},
        "reason": reason,
        "involvedObject": about,
    } | ({"lastTimestamp": at} | more)


FLEET = (
    node_json("n1", zone="a"),
    node_json("n2", taints=[taint_json("gpu")]),
    namespace_json("shop", labels={"team": "a"}),
    namespace_json("kube-system", uid="cluster-uid"),
    deployment_json("cart", replicas=2),
    replicaset_json("cart-5d8", deployment="cart", replicas=2),
    pod_json("cart-5d8-a", on="n1", cpu="1", owner=owner_json("ReplicaSet", "cart-5d8")),
    pod_json("cart-5d8-a", on="n2", cpu="1", owner=owner_json("ReplicaSet", "cart-5d8"), version="999"),
    pod_json("cart-5d8-b", cpu="2", owner=owner_json("ReplicaSet", "cart-5d8")),
    workload_json("Rollout", "till"),
    pod_json("till", on="n2", owner=owner_json("Rollout", "till")),
    budget_json("cart", labels={"app": "cart"}),
    event("TriggeredScaleUp", "cart-5d8-b"),
    pod_json("odd", on="n2", cpu="lots"),
    pod_json("stored", on="n1", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]),
    claim_json("data", volume="pv"),
    volume_json("pv", terms=[{"matchExpressions": [{"key": "a", "operator": "Exists"}]}]),
    volume_json("stray"),
    csi_node_json("n1", csi_example=2),
    csi_driver_json(),
    attachment_json("va", node="n1", volume="stray"),
)


def test_a_cluster_is_sorted_and_named_after_kube_system() -> None:
    cluster, _ = cluster_from_objects("east", FLEET)

    assert [node.ref.name for node in cluster.nodes] == ["n1", "n2"]
    assert [pod.ref.name for pod in cluster.pods] == ["cart-5d8-a", "cart-5d8-b", "odd", "stored", "till"]
    assert [(w.kind, w.name) for w in cluster.workloads] == [("Deployment", "cart"), ("ReplicaSet", "cart-5d8"), ("Rollout", "till")]
    assert [space.name for space in cluster.namespaces] == ["kube-system", "shop"]
    assert cluster.uid == "cluster-uid"
    workloads = ("StatefulSet", "DaemonSet", "Job", "CronJob")
    assert cluster.absent == (*workloads, "ResourceQuota", "StorageClass", "RuntimeClass")


@given(st.permutations(FLEET))
def test_the_order_of_reading_does_not_matter(objects: list[dict[str, Any]]) -> None:
    expected, remarks = cluster_from_objects("east", FLEET)

    assert cluster_from_objects("east", objects) == (expected, remarks)
    assert digest_of(cluster_from_objects("east", objects)[0]) == digest_of(expected)


def test_of_the_same_object_twice_the_newest_counts() -> None:
    old, new = pod_json("cart", on="n1", version="99"), pod_json("cart", on="n2", version="100")

    assert read(old, new).pods == read(new, old).pods
    assert read(old, new).pods[0].node == "n2"


def test_the_same_uid_is_one_object_even_under_another_name() -> None:
    pods = read(pod_json("old", uid="u", version="1"), pod_json("new", uid="u", version="2")).pods

    assert [pod.ref.name for pod in pods] == ["new"]


def test_the_same_name_is_one_object_even_with_another_uid() -> None:
    pods = read(pod_json("cart", uid="u2", version="2"), pod_json("cart", uid="u1", version="1")).pods

    assert [pod.uid for pod in pods] == ["u2"]


def test_a_pod_that_finished_since_is_gone() -> None:
    assert read(pod_json("cart", on="n1", version="1"), pod_json("cart", on="n1", phase="Succeeded", version="2")).pods == ()
    assert len(read(pod_json("cart", on="n1", version="3"), pod_json("cart", on="n1", phase="Succeeded", version="2")).pods) == 1


def test_versions_that_are_no_numbers_are_older_and_compare_as_text() -> None:
    assert read(pod_json("cart", on="n1", version="b"), pod_json("cart", on="n2", version="a")).pods[0].node == "n1"
    assert read(pod_json("cart", on="n1", version="b"), pod_json("cart", on="n2", version="1")).pods[0].node == "n2"


def test_equal_versions_with_different_content_are_told_apart_the_same_way_in_any_order() -> None:
    one, other = pod_json("cart", on="n1"), pod_json("cart", on="n2")

    assert read(one, other) == read(other, one)


def test_items_take_the_kind_of_their_list() -> None:
    builder = ClusterBuilder("east")
    pod = pod_json("cart", on="n1")
    del pod["kind"], pod["apiVersion"]

    builder.add(pod, kind="Pod", api_version="v1")

    assert builder.build()[0].pods == read(pod_json("cart", on="n1")).pods


def test_the_given_uid_wins_over_kube_system() -> None:
    cluster, _ = cluster_from_objects("east", [namespace_json("kube-system")], uid="given", server_version="v1.36.2", movers=("Surge",))

    assert (cluster.uid, cluster.server_version, cluster.movers) == ("given", "v1.36.2", ("Surge",))


def test_scale_ups_are_kept_for_waiting_pods() -> None:
    waits, runs = pod_json("cart"), pod_json("till", on="n1")
    later = event("Nominated", "cart", series={"lastObservedTime": "2026-11-23T11:58:00.000000Z"})

    found = read(
        waits, runs, event("TriggeredScaleUp", "cart"), later, event("Nominated", "till"), event("FailedScheduling", "cart")
    ).scale_ups

    assert [(found_up.reason, found_up.at.minute) for found_up in found] == [("TriggeredScaleUp", 55), ("Nominated", 58)]


def test_events_of_the_new_api_are_read_too() -> None:
    new = {
        "apiVersion": "events.k8s.io/v1",
        "kind": "Event",
        "metadata": {"name": "e", "namespace": "shop"},
        "reason": "Nominated",
        "regarding": {"kind": "Pod", "namespace": "shop", "name": "cart"},
        "eventTime": "2026-11-23T11:55:00.000000Z",
    }

    assert read(pod_json("cart"), new).scale_ups == (
        ScaleUp(namespace="shop", pod="cart", at=NOON.replace(hour=11, minute=55), reason="Nominated"),
    )


def test_a_namespace_that_cannot_be_read_is_left_alone() -> None:
    cluster, odd = read_oddly({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop", "labels": []}})

    assert dict(cluster.namespaces[0].annotations) == {"fleet.descheduler.io/do-not-disrupt": "true"}
    assert odd == [("Namespace shop", "metadata.labels: a list, expected an object")]


@pytest.mark.parametrize("raw", [None, [], "text", 5, {}, {"kind": 5}, {"kind": "Pöd"}])
def test_what_is_no_object_is_remarked_upon(raw: object) -> None:
    cluster, odd = read_oddly(raw)

    assert cluster == replace(read(), absent=cluster.absent)
    assert odd


def test_secrets_are_passed_over() -> None:
    assert read({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s", "namespace": "shop"}}) == read()


FULL_POD = pod_json(
    "cart",
    on="n1",
    cpu="1",
    labels={"app": "cart"},
    annotations={"fleet.descheduler.io/pin": "n1"},
    owner=owner_json("ReplicaSet", "cart-5d8"),
    priority=5,
    initContainers=[container_json("proxy", requests={"cpu": "1"}, restartPolicy="Always", ports=[{"hostPort": 1, "hostIP": "::1"}])],
    containers=[container_json("main", resources={"limits": {"memory": "1Gi"}}, restartPolicyRules=[{"action": "Restart"}])],
    nodeSelector={"kubernetes.io/hostname": "n1"},
    affinity={
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "In", "values": ["b"]}], "matchFields": []}]
            }
        },
        "podAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": "zone", "labelSelector": {}, "matchLabelKeys": ["app"]}],
            "preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 1, "podAffinityTerm": {"namespaces": ["shop"]}}],
        },
        "podAntiAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": [
                {"topologyKey": "zone", "labelSelector": {"matchLabels": {"a": "b"}}, "namespaceSelector": {"matchLabels": {"c": "d"}}}
            ]
        },
    },
    tolerations=[{"key": "a", "operator": "Exists", "tolerationSeconds": 5}],
    topologySpreadConstraints=[{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}}],
    volumes=[
        {"name": "v", "emptyDir": {"medium": ""}},
        {"name": "w", "persistentVolumeClaim": {"claimName": "w"}},
        {"name": "e", "ephemeral": {}},
    ],
    activeDeadlineSeconds=5,
    priorityClassName="high",
    overhead={"cpu": "1m"},
    resources={"requests": {"cpu": "2"}},
    schedulingGates=[{"name": "g"}],
    runtimeClassName="kata",
    status={
        "qosClass": "Burstable",
        "conditions": [{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}],
        "containerStatuses": [{"name": "main", "resources": {"requests": {"cpu": "1"}}, "allocatedResources": {"cpu": "1"}}],
    },
)
STORED = (
    claim_json("w", volume="pv", modes=["ReadWriteOncePod"]),
    claim_json("cart-e", metadata={"ownerReferences": [owner_json("Pod", "cart", "uid-pod-shop-cart")]}),
    claim_json("new", selected="n1"),
    volume_json(
        "pv",
        terms=[{"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}],
        labels={"topology.kubernetes.io/zone": "a__b"},
    ),
    volume_json("stray", claim="gone"),
    class_json(allowedTopologies=[{"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]}]),
    csi_node_json("n1", csi_example=2),
    csi_driver_json(storageCapacity=True),
    capacity_json("room", topology={"matchLabels": {"zone": "a"}}),
    attachment_json("va", node="n1", volume="stray"),
)
QUOTA = {
    "apiVersion": "v1",
    "kind": "ResourceQuota",
    "metadata": {"name": "q", "namespace": "shop"},
    "spec": {
        "hard": {"pods": "5"},
        "scopes": ["BestEffort"],
        "scopeSelector": {"matchExpressions": [{"scopeName": "Terminating", "operator": "Exists"}]},
    },
    "status": {"hard": {"pods": "5"}, "used": {"pods": "1"}},
}
SUBJECTS = (
    *STORED,
    QUOTA,
    FULL_POD,
    pod_json("cart", volumes=[{"name": "w", "persistentVolumeClaim": {"claimName": "w"}}]),
    pod_json("late", volumes=[{"name": "w", "persistentVolumeClaim": {"claimName": "new"}}]),
    node_json("n1", taints=[taint_json("a")], zone="a"),
    deployment_json("cart", strategy={"rollingUpdate": {"maxSurge": "25%"}}, paused=False),
    workload_json("Job", "import", podFailurePolicy={"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]}),
    budget_json("cart", labels={"a": "b"}),
    event("Nominated", "cart"),
    namespace_json("shop"),
    workload_json("Rollout", "cart"),
)
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["\ud800", "-1", "1e999999", "0001-01-01T00:00:00+23:59"])
)
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2), max_leaves=4
)


def places(value: Any, here: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Every path below ``value``."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*here, key)
        yield from places(child, (*here, key))


@st.composite
def mutated(draw: Callable[..., Any]) -> Any:
    """A subject with up to three of its fields replaced by anything, or taken away."""
    subject = copy.deepcopy(draw(st.sampled_from(SUBJECTS)))
    for _ in range(draw(st.integers(1, 3))):
        path = draw(st.sampled_from([*places(subject)] or [()]))
        if not path:
            return draw(ANYTHING)
        parent = subject
        for key in path[:-1]:
            parent = parent[key]
        if draw(st.booleans()):
            parent[path[-1]] = draw(ANYTHING)
        else:
            del parent[path[-1]]
    return subject


@given(st.lists(mutated(), max_size=3))
def test_no_object_however_odd_makes_reading_fail(objects: list[Any]) -> None:
    mounting = pod_json("late", volumes=[{"name": "w", "persistentVolumeClaim": {"claimName": "new"}}])
    cluster, remarks = cluster_from_objects("east", [*STORED, FULL_POD, mounting, node_json("n1"), *objects, pod_json("sound", on="n9")])

    assert any(pod.ref.name == "sound" for pod in cluster.pods)
    assert digest_of(cluster)
    assert all(remark.subject.isprintable() and remark.message.isprintable() for remark in remarks)


@given(mutated())
def test_a_bound_pod_keeps_its_room_or_closes_its_node(raw: Any) -> None:
    """Whatever is odd about a bound pod: its size is known exactly, or nothing is sent to its node."""
    named = isinstance(raw, dict) and raw.get("kind") == "Pod" and raw.get("apiVersion") == "v1"
    cluster, _ = cluster_from_objects("east", [raw, node_json("n1")] if named else [node_json("n1")])

    for pod in cluster.pods:
        if pod.node == "n1" and not pod.spec.size_known:
            assert cluster.nodes[0].closed is not None
        if not pod.spec.size_known:
            assert pod.spec.opaque is not None


def test_an_apiversion_that_cannot_be_written_again_is_remarked_upon_and_the_pod_still_takes_its_room() -> None:
    odd = pod_json("cart", on="n1") | {"apiVersion": "\ud800"}

    cluster, remarks = read_oddly(node_json("n1"), odd, deployment_json("web") | {"apiVersion": "\ud800"})

    assert [pod.node for pod in cluster.pods] == ["n1"]
    assert digest_of(cluster)
    assert any("apiVersion" in str(remark) for remark in remarks)


@pytest.mark.parametrize("field", ["kind", "name"])
def test_a_pod_whose_controller_has_no_kind_or_name_is_opaque(field: str) -> None:
    owner = owner_json("ReplicaSet", "cart") | {field: None}

    cluster, remarks = read_oddly(pod_json("cart", metadata={"ownerReferences": [owner]}))

    (pod,) = cluster.pods
    assert f"ownerReferences[].{field}" in (pod.spec.opaque or "")
    assert remarks
