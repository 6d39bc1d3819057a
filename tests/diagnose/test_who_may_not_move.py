"""Who may not move and why: facts from around the pod, gathered from the snapshot."""

from __future__ import annotations

from dataclasses import replace

import pytest

from descheduler.domain.objects import Node, OwnerRef
from descheduler.domain.plan import Mover
from descheduler.domain.problem import Problem
from descheduler.domain.selectors import LabelSelector, Taint, Toleration
from tests.builders import (
    Thing,
    a_budget,
    a_cluster,
    a_deployment,
    a_namespace,
    a_node,
    a_pod,
    a_snapshot,
    a_uid,
    a_workload,
    selecting,
)
from tests.questions import a_problem, class_of, index_of, reach_of

COST = "controller.kubernetes.io/pod-deletion-cost"
LEAST = str(-(2**31))
OPT_OUT = {"fleet.descheduler.io/do-not-disrupt": "true"}
NODES = (a_node("n"), a_node("m"))


def why(problem: Problem, pod: str) -> str | None:
    return problem.protected.get(index_of(problem, pod))


def movers(problem: Problem, pod: str) -> tuple[Mover, ...]:
    return class_of(problem, pod).movers


def test_a_protected_pod_has_no_mover_and_no_reach_and_still_fills_its_node() -> None:
    problem = a_problem(*NODES, a_pod("bare", on="n", cpu=3))
    found = class_of(problem, "bare")

    assert why(problem, "bare") == "has no controller"
    assert (found.movers, found.reach) == ((), ())
    assert problem.used[1]["cpu"] == 3


def test_opt_outs_are_found_up_the_chain_of_owners_and_on_the_namespace() -> None:
    web = a_pod("web-1", on="n", of="web")

    assert why(a_problem(*NODES, web, a_deployment("web", annotations=OPT_OUT)), "web-1") is not None
    assert why(a_problem(*NODES, web, a_namespace("default", annotations=OPT_OUT)), "web-1") is not None
    assert why(a_problem(*NODES, web, a_namespace("other", annotations=OPT_OUT)), "web-1") is None


def test_an_owner_of_the_same_name_and_another_uid_is_another_object() -> None:
    pod = a_pod("web-1", on="n", of="web")
    assert pod.owner is not None
    orphan = replace(pod, owner=replace(pod.owner, uid="another"))
    told = a_workload("ReplicaSet", "web-5d8", replicas=1)
    problem = a_problem(*NODES, orphan, told)

    assert "Surge: its ReplicaSet is not in the snapshot" in (why(problem, "web-1") or "")
    assert problem.names[0].workload == ("ReplicaSet", "web-5d8")


def test_a_stranger_on_top_of_a_deployment_protects() -> None:
    above = OwnerRef("HelmRelease", "shop", "u", "example.com/v1")
    deployment = replace(a_deployment("web"), owner=above)
    problem = a_problem(*NODES, a_pod("web-1", on="n", of="web"), deployment)

    assert why(problem, "web-1") == "is controlled by a HelmRelease"


def test_owners_in_a_ring_end_somewhere() -> None:
    def member(name: str, above: str) -> Thing:
        return a_workload(
            "ReplicaSet", name, replicas=1, owner=OwnerRef("ReplicaSet", above, a_uid("east", "default", "ReplicaSet", above))
        )

    problem = a_problem(*NODES, a_pod("p", on="n", of="a", kind="ReplicaSet"), member("a", "b"), member("b", "a"))

    assert "Surge" in (why(problem, "p") or "")


@pytest.mark.parametrize(
    ("sibling", "surges"),
    [
        ({"on": "m"}, True),
        ({"on": "m", "ready": False}, False),
        ({}, False),
        ({"on": "m", "annotations": {COST: LEAST}}, False),
        ({"on": "m", "annotations": {COST: "-5"}}, True),
        ({"on": "m", "terminating": True}, False),
    ],
)
def test_siblings_decide_whether_a_surge_would_take_the_right_pod(sibling: dict[str, object], surges: bool) -> None:
    problem = a_problem(*NODES, a_pod("web-1", on="n", of="web"), a_pod("web-2", of="web", **sibling))  # type: ignore[arg-type]

    assert (Mover.SURGE in movers(problem, "web-1")) is surges


def test_of_two_that_carry_the_minimal_cost_neither_is_sure_to_be_the_victim() -> None:
    both = [a_pod(f"web-{i}", on="n", of="web", annotations={COST: LEAST}) for i in (1, 2)]

    assert movers(a_problem(*NODES, *both), "web-1") == ()
    assert movers(a_problem(*NODES, *both[:1]), "web-1")[0] is Mover.SURGE


def test_a_replica_set_that_wants_more_pods_than_there_are_is_not_surged() -> None:
    problem = a_problem(*NODES, a_pod("web-1", on="n", of="web"), a_deployment("web", replicas=2))

    assert "not every replica of web-5d8 is Ready" in (why(problem, "web-1") or "")


@pytest.mark.parametrize(
    ("selector", "covered"),
    [(selecting(app="web"), True), (LabelSelector(), True), (selecting(app="other"), False), (None, False)],
)
def test_a_closed_budget_protects_whom_it_selects(selector: LabelSelector | None, covered: bool) -> None:
    budget = replace(a_budget("web", allowed=0, never=True), selector=selector)
    problem = a_problem(*NODES, a_pod("web-1", on="n", of="web"), budget)

    assert (why(problem, "web-1") == "PodDisruptionBudget web never allows a disruption") is covered


def test_each_pod_has_the_protections_of_the_overrides_that_match_it() -> None:
    fleet: list[Thing] = [
        *NODES,
        a_pod("free", on="n", of="db", kind="StatefulSet"),
        a_pod("kept", on="n", of="db2", kind="StatefulSet", namespace="prod"),
    ]
    east = a_snapshot(a_cluster("east", *fleet, movers=("Hold",)))

    problem = a_problem(east, overrides=[{"match": {"namespaces": ["prod"]}, "protections": {"statefulSets": True}}])

    assert (why(problem, "free"), why(problem, "kept")) == (None, "belongs to a StatefulSet")


def test_an_override_without_movers_protects_from_every_move() -> None:
    problem = a_problem(*NODES, a_pod("web-1", on="n", of="web"), overrides=[{"match": {}, "movers": []}])

    assert why(problem, "web-1") == "the policy allows no mover"


ALONE = "Surge: it has no ReplicaSet; Hold: Hold is not installed in the cluster; "
DB = a_pod("db-0", on="n", of="db", kind="StatefulSet", tolerations=[Toleration("drain", "Exists", seconds=60)])
CORDONED = a_node("n", unschedulable=True)


@pytest.mark.parametrize(
    ("nodes", "reason"),
    [
        ((CORDONED, a_node("m")), None),
        ((CORDONED, a_node("m"), a_node("full", cpu=0, pods=0)), None),
        ((a_node("n"), a_node("m")), ALONE + "Evict: its successor could go to more than one node"),
        ((CORDONED, a_node("m"), a_node("o")), ALONE + "Evict: its successor could go to more than one node"),
        ((a_node("n"),), ALONE + "Evict: its successor has nowhere else to go"),
        ((CORDONED,), ALONE + "Evict: its successor has nowhere else to go"),
        (
            (CORDONED, a_node("m"), a_node("o", closed="marked for scale-down")),
            ALONE + "Evict: its successor could go to a node that is no destination",
        ),
        ((CORDONED, a_node("m"), a_node("o", ready=False)), ALONE + "Evict: its successor could go to a node that is no destination"),
        ((a_node("n", closed="being deleted"), a_node("m")), ALONE + "Evict: its successor could go to a node that is no destination"),
        (
            (CORDONED, a_node("m"), a_node("o", taints=[Taint("drain", "", "NoExecute")])),
            ALONE + "Evict: its successor could go to a node that is no destination",
        ),
    ],
)
def test_a_pod_that_nobody_steers_moves_only_if_there_is_a_single_node_for_it(nodes: tuple[Node, ...], reason: str | None) -> None:
    problem = a_problem(*nodes, DB)

    assert why(problem, "db-0") == reason
    assert reach_of(problem, "db-0") == ([] if reason else ["m"])


def test_beside_a_surge_an_eviction_is_kept_only_while_reach_is_all_there_is() -> None:
    web = a_pod("web-1", on="n", of="web")

    assert movers(a_problem(*NODES, web), "web-1") == (Mover.SURGE, Mover.EVICT)
    assert movers(a_problem(*NODES, a_node("o", closed="marked for scale-down"), web), "web-1") == (Mover.SURGE,)


def test_a_node_that_is_not_ready_keeps_its_pods_and_a_lost_one_too() -> None:
    problem = a_problem(a_node("n", ready=False), a_node("m"), a_pod("web-1", on="n", of="web"), a_pod("lost", on="gone", of="api"))

    assert why(problem, "web-1") == "its node n is not Ready"
    assert why(problem, "lost") == "its node is not in the snapshot"
    assert class_of(problem, "lost").at == {}


def test_only_what_discovery_found_is_used() -> None:
    web = a_pod("web-1", on="n", of="web")

    def found(*names: str) -> tuple[Mover, ...]:
        return movers(a_problem(a_snapshot(a_cluster("east", *NODES, web, movers=names))), "web-1")

    assert found("Surge") == (Mover.SURGE,)
    assert found("Surge", "Hold", "Evict") == (Mover.SURGE, Mover.HOLD, Mover.EVICT)
    assert found() == ()
