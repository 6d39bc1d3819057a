"""Pods as the scheduler sees them; what cannot be read or is not modelled makes them opaque, with the field that did it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from descheduler.domain.objects import OwnerRef, PodRef, Volume
from descheduler.domain.resources import Resources
from tests.federation.affinity import HOSTNAME, PREFERRED, apart_from, near, on_nodes
from tests.federation.reading import read, read_oddly, the_pod
from tests.raw import container_json, node_json, owner_json, pod_json


def test_a_running_pod() -> None:
    owner = owner_json("ReplicaSet", "cart-5d8")
    pod = the_pod(pod_json("cart", on="n1", cpu="500m", memory="1Gi", labels={"app": "cart"}, owner=owner, priority=7))

    assert pod.ref == PodRef("east", "shop", "cart")
    assert pod.uid == "uid-pod-shop-cart"
    assert pod.spec.requests == Resources({"cpu": 500, "memory": 2**30})
    assert pod.labels == (("app", "cart"),)
    assert (pod.node, pod.phase, pod.ready, pod.waiting, pod.terminating) == ("n1", "Running", True, False, False)
    assert pod.created == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert pod.waiting_since is None
    assert pod.priority == 7
    assert pod.owner == OwnerRef("ReplicaSet", "cart-5d8", owner["uid"], "apps/v1")
    assert pod.spec.opaque is None


def test_a_waiting_pod_waits_since_the_scheduler_first_said_so() -> None:
    pod = the_pod(pod_json("cart", created="2026-11-23T11:00:00Z", waiting_since="2026-11-23T11:30:00Z", message="0/3 nodes are available"))

    assert pod.waiting
    assert pod.waiting_since == datetime(2026, 11, 23, 11, 30, tzinfo=UTC)
    assert pod.scheduler_message == "0/3 nodes are available"
    assert not pod.ready


def test_a_pod_the_scheduler_has_not_seen_waits_since_its_creation() -> None:
    pod = the_pod(pod_json("cart", created="2026-11-23T11:00:00Z", waiting_since=None))

    assert pod.waiting_since == datetime(2026, 11, 23, 11, 0, tzinfo=UTC)
    assert pod.scheduler_message == ""


@pytest.mark.parametrize("phase", ["Succeeded", "Failed"])
def test_finished_pods_are_not_there(phase: str) -> None:
    assert read(pod_json("cart", on="n1", phase=phase)).pods == ()


def test_a_terminating_pod_does_not_wait() -> None:
    pod = the_pod(pod_json("cart", metadata={"deletionTimestamp": "2026-11-23T11:59:00Z"}))

    assert pod.terminating
    assert not pod.waiting


def test_gates_and_nomination_are_kept() -> None:
    pod = the_pod(pod_json("cart", schedulingGates=[{"name": "quota.example/wait"}], status={"nominatedNodeName": "n9"}))

    assert pod.gates == ("quota.example/wait",)
    assert pod.nominated_node == "n9"


def test_only_the_controlling_owner_counts() -> None:
    assert the_pod(pod_json("cart", owner=owner_json("ReplicaSet", "cart-5d8", controller=False))).owner is None


def test_mirror_pods_are_static() -> None:
    assert the_pod(pod_json("cart", on="n1", annotations={"kubernetes.io/config.mirror": "x"})).static
    assert the_pod(pod_json("cart", on="n1", owner=owner_json("Node", "n1"))).static
    assert not the_pod(pod_json("cart", on="n1")).static


def test_only_known_annotations_are_kept() -> None:
    known = {
        "fleet.descheduler.io/do-not-disrupt": "true",
        "karpenter.sh/do-not-disrupt": "true",
        "controller.kubernetes.io/pod-deletion-cost": "5",
    }

    pod = the_pod(pod_json("cart", annotations={**known, "kubectl.kubernetes.io/last-applied-configuration": "secret"}))

    assert dict(pod.annotations) == known


def test_volumes_that_matter_to_a_protection() -> None:
    volumes = [
        {"name": "host", "hostPath": {"path": "/var"}},
        {"name": "scratch", "emptyDir": {}},
        {"name": "shm", "emptyDir": {"medium": "Memory"}},
        {"name": "config", "configMap": {"name": "c"}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-0"}},
    ]

    pod = the_pod(pod_json("cart", on="n1", volumes=volumes))

    assert pod.volumes == (Volume("host", "hostPath"), Volume("scratch", "emptyDir"), Volume("data", "persistentVolumeClaim", "data-0"))


@pytest.mark.parametrize(
    ("pin", "selector", "left"),
    [
        ("n1", {HOSTNAME: "n1"}, {}),
        ("n1", {HOSTNAME: "n1", "disk": "ssd"}, {"disk": "ssd"}),
        ("n1", {HOSTNAME: "n2"}, {HOSTNAME: "n2"}),
        ("n1", {"host": "n1"}, {"host": "n1"}),
        ("", {HOSTNAME: "n1"}, {HOSTNAME: "n1"}),
        ("n1", {}, {}),
        (None, {HOSTNAME: "n1"}, {HOSTNAME: "n1"}),
    ],
)
def test_a_pin_takes_off_exactly_its_own_requirement(pin: str | None, selector: dict[str, str], left: dict[str, str]) -> None:
    notes = {"fleet.descheduler.io/pin": pin} if pin is not None else {}

    assert dict(the_pod(pod_json("cart", on="n1", annotations=notes, nodeSelector=selector)).spec.node_selector) == left


def test_a_waiting_pod_keeps_its_pin_for_nobody_can_take_it_off() -> None:
    pinned = pod_json("cart", annotations={"fleet.descheduler.io/pin": "n1"}, nodeSelector={HOSTNAME: "n1"})

    assert dict(the_pod(pinned).spec.node_selector) == {HOSTNAME: "n1"}


def test_replicas_share_one_spec_and_one_set_of_labels() -> None:
    first, second = read(
        pod_json("a", on="n1", cpu="1", labels={"app": "x"}), pod_json("b", on="n2", cpu="1000m", labels={"app": "x"})
    ).pods

    assert first.spec is second.spec
    assert first.labels is second.labels


@pytest.mark.parametrize(
    ("spec", "field"),
    [
        ({"volumes": [{"name": "d", "iscsi": {}}]}, "spec.volumes[].iscsi"),
        ({"resourceClaims": [{"name": "gpu"}]}, "spec.resourceClaims"),
        (
            {"containers": [container_json(restartPolicyRules=[{"action": "RestartAllContainers"}])]},
            "spec.containers[].restartPolicyRules",
        ),
        (
            {"initContainers": [container_json(restartPolicyRules=[{"action": "SomethingNew"}])]},
            "spec.initContainers[].restartPolicyRules",
        ),
        ({"hostUsers": False, "hostNetwork": True}, "spec.hostUsers"),
        ({"schedulingGroup": {"podGroupName": "g"}}, "spec.schedulingGroup"),
        ({"workloadRef": {"name": "w"}}, "spec.workloadRef"),
        ({"tolerations": [{"key": "sla", "operator": "Lt", "value": "9"}]}, "spec.tolerations[].operator"),
        ({"runtimeClassName": "kata"}, "spec.runtimeClassName: its RuntimeClass is missing"),
    ],
)
def test_what_is_not_modelled_makes_a_pod_opaque(spec: dict[str, Any], field: str) -> None:
    pod = the_pod(pod_json("cart", on="n1", **spec))

    assert pod.spec.opaque == field
    assert pod.spec.size_known


@pytest.mark.parametrize(
    "spec",
    [
        {"containers": [container_json(ports=[{"containerPort": 80}])]},
        {"initContainers": [container_json(ports=[{"hostPort": 80}])]},
        {"affinity": {"podAffinity": {PREFERRED: [{"weight": 1}]}}},
        {"volumes": [{"name": "n", "nfs": {"server": "x", "path": "/"}}]},
        {"containers": [container_json(restartPolicyRules=[{"action": "Restart"}])]},
        {"hostUsers": False},
        {"hostNetwork": True},
        {"hostUsers": True, "hostNetwork": True},
    ],
)
def test_what_never_blocks_leaves_a_pod_clear(spec: dict[str, Any]) -> None:
    assert the_pod(pod_json("cart", on="n1", **spec)).spec.opaque is None


def test_a_runtime_class_that_exists_is_fine() -> None:
    runtime_class = {"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": {"name": "kata"}}

    assert the_pod(pod_json("cart", on="n1", runtimeClassName="kata"), runtime_class).spec.opaque is None


def test_an_opaque_pod_keeps_its_anti_affinity() -> None:
    pod = the_pod(pod_json("cart", on="n1", affinity=apart_from(), resourceClaims=[{"name": "gpu"}]))

    assert pod.spec.opaque == "spec.resourceClaims"
    assert len(pod.spec.anti_affinity) == 1


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"cpu": "lots"}, "spec.containers[].resources.requests.cpu"),
        ({"containers": "main"}, "spec.containers"),
        ({"containers": []}, "spec.containers"),
        ({"labels": {"app": 5}}, "metadata.labels"),
        ({"affinity": apart_from(labelSelector={"matchExpressions": [{"key": "a", "operator": "Like"}]})}, "spec.affinity.podAntiAffinity"),
        ({"affinity": []}, "spec.affinity"),
        ({"volumes": "none"}, "spec.volumes"),
    ],
)
def test_a_bound_pod_of_unknown_size_closes_its_node(broken: dict[str, Any], field: str) -> None:
    cluster, odd = read_oddly(node_json("n1"), node_json("n2"), pod_json("cart", on="n1", **broken))

    assert cluster.nodes[0].closed == "holds shop/cart whose size is unknown"
    assert cluster.nodes[1].closed is None
    assert not cluster.pods[0].spec.size_known
    assert odd[0][0] == "Pod shop/cart"
    assert odd[0][1].startswith(field)


@pytest.mark.parametrize(
    ("broken", "field"),
    [
        ({"affinity": on_nodes({"matchExpressions": [{"key": "a", "operator": "Like", "values": ["b"]}]})}, "spec.affinity.nodeAffinity"),
        ({"affinity": near(topologyKey="")}, "spec.affinity.podAffinity"),
        ({"affinity": near(matchLabelKeys="hash")}, "spec.affinity.podAffinity"),
        ({"topologySpreadConstraints": [{"topologyKey": "zone"}]}, "spec.topologySpreadConstraints"),
        ({"created": "yesterday"}, "metadata.creationTimestamp"),
        ({"tolerations": {}}, "spec.tolerations"),
        ({"schedulerName": 5}, "spec.schedulerName"),
        ({"metadata": {"annotations": []}}, "metadata.annotations"),
    ],
)
def test_a_pod_that_cannot_be_read_in_part_is_opaque_but_its_size_is_known(broken: dict[str, Any], field: str) -> None:
    cluster, odd = read_oddly(node_json("n1"), pod_json("cart", on="n1", **broken))

    assert cluster.nodes[0].closed is None
    assert cluster.pods[0].spec.opaque is not None
    assert cluster.pods[0].spec.opaque.startswith(field)
    assert odd[0][1].startswith(field)


def test_a_waiting_pod_that_cannot_be_read_stays_in_the_snapshot() -> None:
    cluster, _ = read_oddly({**pod_json("cart"), "spec": None})

    assert cluster.pods[0].waiting
    assert cluster.pods[0].spec.opaque == "spec: missing"


def test_a_pod_without_a_name_is_remarked_upon() -> None:
    cluster, odd = read_oddly({"apiVersion": "v1", "kind": "Pod", "metadata": {}})

    assert cluster.pods == ()
    assert odd == [("a Pod without a name", "metadata.name: missing")]


def test_a_bound_pod_without_a_name_closes_its_node() -> None:
    cluster, odd = read_oddly(node_json("n1"), pod_json("\x1b[2J", on="n1"))

    assert cluster.nodes[0].closed == "holds a pod without a name"
    assert odd == [("a Pod without a name", "metadata.name: '\\x1b[2J', expected a Kubernetes name")]


def test_text_that_cannot_be_written_again_is_odd() -> None:
    cluster, _ = read_oddly(pod_json("cart", on="n1", labels={"app": "\ud800"}))

    assert cluster.pods[0].labels == ()
    assert cluster.pods[0].spec.opaque is not None
