"""Reasons: why a pod still waits, in kube-scheduler's words, and whether any node could ever take it."""

from __future__ import annotations

import pytest

from descheduler.domain.moment import snapshot_spots
from descheduler.domain.objects import Node, Pod
from descheduler.domain.selectors import Taint
from descheduler.reasons import Ever, sentence
from tests.builders import HOSTNAME, Thing, a_cluster, a_node, a_pod, a_snapshot, a_term, apart_from
from tests.questions import a_problem, class_of, node_of

GPU = Taint("gpu", "yes")
CORDON = Taint("node.kubernetes.io/unschedulable")


def said(pod: Pod, *fleet: Thing) -> str:
    problem = a_problem(pod, *fleet)
    return sentence(problem, class_of(problem, pod.ref.name), snapshot_spots(problem))


def ever(pod: Pod, *fleet: Thing) -> str | None:
    problem = a_problem(pod, *fleet)
    return Ever(problem).obstacle(class_of(problem, pod.ref.name))


def test_nodes_are_counted_by_reason() -> None:
    nodes = [a_node("a", cpu=1), a_node("b", cpu=1), a_node("c", taints=[GPU]), a_node("d", unschedulable=True), a_node("e", ready=False)]

    assert said(a_pod("p", cpu=2), *nodes) == (
        "0/5 nodes are available: 2 Insufficient cpu, 1 node(s) had untolerated taint {gpu: yes}, "
        "1 node(s) were not ready, 1 node(s) were unschedulable"
    )


def test_a_node_that_lacks_two_resources_counts_for_both_as_with_kube_scheduler() -> None:
    assert said(a_pod("p", cpu=2, memory=2), a_node("n", cpu=1, memory=1)) == (
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory"
    )


def test_what_others_take_is_gone_and_the_number_of_pods_is_worded_as_usual() -> None:
    assert said(a_pod("p", cpu=2), a_node("n", cpu=3), a_pod("x", on="n", cpu=2)) == "0/1 nodes are available: 1 Insufficient cpu"
    assert said(a_pod("p"), a_node("n", pods=1), a_pod("x", on="n")) == "0/1 nodes are available: 1 Too many pods"


def test_a_node_that_may_not_take_it_is_not_also_said_to_be_full() -> None:
    assert said(a_pod("p", cpu=2, node_selector={"pool": "x"}), a_node("n", cpu=1)) == (
        "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector"
    )


def test_joint_rules_and_moves_that_stand_in_the_way_are_told_apart_from_room() -> None:
    pod = a_pod("p", anti_affinity=[apart_from(app="x")])

    assert said(pod, a_node("n"), a_pod("x", on="n", labels={"app": "x"})) == (
        "0/1 nodes are available: 1 node(s) were kept from it by anti-affinity, topology spread or the moves themselves"
    )


def test_only_nodes_of_its_own_cluster_are_counted() -> None:
    assert said(a_pod("p", cpu=2), a_node("n", cpu=1), a_node("w", cluster="west")) == "0/1 nodes are available: 1 Insufficient cpu"


def test_a_cluster_without_nodes_is_said_to_have_none() -> None:
    problem = a_problem(a_snapshot(a_cluster("east", a_pod("p")), a_cluster("west", a_node("w"))))

    assert sentence(problem, class_of(problem, "p"), {}) == "0/0 nodes are available: there are none"
    assert Ever(problem).obstacle(class_of(problem, "p")) is not None


def test_it_speaks_of_the_state_it_is_given() -> None:
    problem = a_problem(a_node("n", cpu=2), a_node("m", cpu=1), a_pod("p", cpu=2), a_pod("x", on="n", cpu=1, of="web"))
    moved = {(class_of(problem, "x").index, node_of(problem, "m")): 1}

    assert "1 node(s) were kept from it" in sentence(problem, class_of(problem, "p"), moved)


@pytest.mark.parametrize(
    "node",
    [
        a_node("n", cpu=2),
        a_node("n", cpu=2, unschedulable=True),
        a_node("n", cpu=2, unschedulable=True, taints=[CORDON]),
        a_node("n", cpu=2, taints=[Taint("spot", "", "PreferNoSchedule")]),
    ],
)
def test_room_cordons_and_joint_rules_never_mean_never(node: Node) -> None:
    there = [a_pod("bare", on="n", cpu=2, labels={"app": "x"}), a_pod("other", on="n", cpu=9)]

    assert ever(a_pod("p", cpu=2, anti_affinity=[apart_from(HOSTNAME, app="x")]), node, *there) is None


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (a_node("n", cpu=1), "1 Insufficient cpu"),
        (a_node("n", pods=0), "1 Too many pods"),
        (a_node("n", taints=[GPU, CORDON]), "1 node(s) had untolerated taint {gpu: yes}"),
        (a_node("n", labels={"disk": "hdd"}), "1 node(s) didn't match Pod's node affinity/selector"),
    ],
)
def test_what_no_departure_can_change_means_never(node: Node, reason: str) -> None:
    pod = a_pod("p", cpu=2, node_affinity=(a_term(("disk", "NotIn", ("hdd",))),))

    assert ever(pod, node) == f"no node of east could take it even if all movable pods were gone: {reason}"


def test_daemon_and_static_pods_stay_whatever_else_goes() -> None:
    node = a_node("n", cpu=4, pods=3)
    agent, static = a_pod("agent", on="n", cpu=1, of="agent", kind="DaemonSet"), a_pod("etcd", on="n", cpu=1, static=True)

    assert ever(a_pod("p", cpu=2), node, agent, static) is None
    assert ever(a_pod("p", cpu=3), node, agent, static) is not None
    assert ever(a_pod("p", cpu=3), node, agent, a_pod("bare", on="n", cpu=3)) is None
    assert ever(a_pod("p"), a_node("n", pods=2), agent, static) is not None


def test_one_node_that_could_take_it_is_enough_and_another_clusters_is_none() -> None:
    small, big = a_node("small", cpu=1), a_node("big", cpu=9)

    assert ever(a_pod("p", cpu=2), small, big) is None
    assert ever(a_pod("p", cpu=2), small, a_node("big", cpu=9, cluster="west")) is not None
