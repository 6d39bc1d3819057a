"""Reasons: why a pod still waits, in kube-scheduler's words, and whether any node could ever take it."""

from __future__ import annotations

import pytest

from descheduler.domain.moment import snapshot_spots
from descheduler.domain.objects import Node, Pod
from descheduler.domain.placement import Spots
from descheduler.domain.selectors import HostPort, Taint, Toleration
from descheduler.reasons import Afterwards, Ever
from tests.builders import HOSTNAME, Thing, a_cluster, a_node, a_pod, a_snapshot, a_term, apart_from, spread_over
from tests.questions import a_problem, class_of, node_of

GPU = Taint("gpu", "yes")
CORDON = Taint("node.kubernetes.io/unschedulable")


def said(pod: Pod, *fleet: Thing) -> str:
    problem = a_problem(pod, *fleet)
    return Afterwards(problem, snapshot_spots(problem)).sentence(class_of(problem, pod.ref.name))


def ever(pod: Pod, *fleet: Thing) -> str | None:
    problem = a_problem(pod, *fleet)
    return Ever(problem).obstacle(class_of(problem, pod.ref.name))


def test_nodes_are_counted_by_reason() -> None:
    nodes = [a_node("a", cpu=1), a_node("b", cpu=1), a_node("c", taints=[GPU]), a_node("d", unschedulable=True)]

    assert said(a_pod("p", cpu=2), *nodes) == (
        "0/4 nodes are available: 1 node(s) had untolerated taint(s), 1 node(s) were unschedulable, 2 Insufficient cpu."
    )


def test_a_node_that_only_we_refuse_is_counted_with_our_words() -> None:
    nodes = [a_node("lost", ready=False), a_node("leaving", closed="node(s) were being removed"), a_node("small", cpu=1, ready=False)]

    assert said(a_pod("p", cpu=2), *nodes) == (
        "0/3 nodes are available: 1 Insufficient cpu, 1 node(s) were being removed, 1 node(s) were not ready."
    )


def test_a_node_that_lacks_two_resources_counts_for_both_as_with_kube_scheduler() -> None:
    assert said(a_pod("p", cpu=2, memory=2), a_node("n", cpu=1, memory=1)) == (
        "0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory."
    )


def test_what_others_take_is_gone_and_the_number_of_pods_is_worded_as_usual() -> None:
    assert said(a_pod("p", cpu=2), a_node("n", cpu=3), a_pod("x", on="n", cpu=2)) == "0/1 nodes are available: 1 Insufficient cpu."
    assert said(a_pod("p"), a_node("n", pods=1), a_pod("x", on="n")) == "0/1 nodes are available: 1 Too many pods."


def test_rules_between_pods_are_told_like_all_others() -> None:
    apart, spread = a_pod("p", anti_affinity=[apart_from(app="x")]), a_pod("p", labels={"app": "x"}, spread=[spread_over(app="x")])
    there = a_pod("x", on="n", labels={"app": "x"})

    assert said(apart, a_node("n"), there) == "0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules."
    assert said(spread, a_node("n", zone="a"), a_node("m", zone="b", unschedulable=True), there) == (
        "0/2 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) were unschedulable."
    )


def test_only_nodes_of_its_own_cluster_are_counted() -> None:
    assert said(a_pod("p", cpu=2), a_node("n", cpu=1), a_node("w", cluster="west")) == "0/1 nodes are available: 1 Insufficient cpu."


def test_a_cluster_without_nodes_is_said_to_have_none() -> None:
    problem = a_problem(a_snapshot(a_cluster("east", a_pod("p")), a_cluster("west", a_node("w"))))

    assert Afterwards(problem, {}).sentence(class_of(problem, "p")) == "no nodes available to schedule pods"
    assert Ever(problem).obstacle(class_of(problem, "p")) is not None


def test_it_speaks_of_the_state_it_is_given() -> None:
    web = [a_pod("x", on="n", cpu=1, of="web"), a_pod("y", of="web", cpu=1)]
    problem = a_problem(a_node("n", cpu=2), a_node("m", cpu=1), a_pod("p", cpu=2), *web)
    x, y, here, there = class_of(problem, "x").index, class_of(problem, "y").index, node_of(problem, "n"), node_of(problem, "m")

    def then(residents: Spots) -> str:
        return Afterwards(problem, residents).sentence(class_of(problem, "p"))

    assert then({(x, there): 1}) == "0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had room that the plan could not give it."
    assert then({(x, there): 1, (y, here): 1}) == "0/2 nodes are available: 2 Insufficient cpu."


def test_a_waiting_pod_that_is_nominated_holds_its_room_until_it_is_placed() -> None:
    problem = a_problem(a_node("n", cpu=2), a_node("m", cpu=2), a_pod("p", cpu=2), a_pod("next", nominated="n", cpu=2))
    p, following = class_of(problem, "p"), class_of(problem, "next").index

    assert Afterwards(problem, {}).sentence(p).count("1 Insufficient cpu") == 1
    assert "Insufficient" in Afterwards(problem, {(following, node_of(problem, "m")): 1}).sentence(p)
    assert "1 node(s) had room" in Afterwards(problem, {(following, node_of(problem, "m")): 1}).sentence(p)


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


def test_what_a_daemon_pod_holds_against_others_is_a_joint_rule_too() -> None:
    agent = a_pod("agent", on="n", of="agent", kind="DaemonSet", host_ports=[HostPort(port=80)], anti_affinity=[apart_from(app="web")])

    assert ever(a_pod("p", labels={"app": "web"}, host_ports=[HostPort(port=80)]), a_node("n"), agent) is None


def test_a_node_that_would_evict_it_after_a_while_never_counts() -> None:
    draining = a_node("n", taints=[Taint("leaving", "", "NoExecute")])

    assert ever(a_pod("p", tolerations=[Toleration("leaving", "Exists", seconds=60)]), draining) is not None
    assert ever(a_pod("p", tolerations=[Toleration("leaving", "Exists")]), draining) is None


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (a_node("n", cpu=1), "1 Insufficient cpu"),
        (a_node("n", pods=0), "1 Too many pods"),
        (a_node("n", taints=[GPU, CORDON]), "1 node(s) had untolerated taint(s)"),
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
