"""Classes: pods that nobody tells apart are one, everyone else is not; and where each class may be sent."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from descheduler.domain.objects import Node, Pod
from descheduler.domain.problem import Problem
from descheduler.domain.selectors import Taint
from tests.builders import NOW, a_budget, a_cluster, a_node, a_pod, a_snapshot, apart_from
from tests.questions import a_problem, class_of, names, node_of, reach_of

NODES = (a_node("n"), a_node("m"))


def together(*pods: Pod, **spec: Any) -> bool:
    """Whether all these pods are one class."""
    problem = a_problem(*NODES, *pods, **spec)
    return len(set(problem.class_of)) == 1


def web(name: str, **fields: Any) -> Pod:
    return a_pod(name, **{"on": "n", "of": "web", "cpu": 1, **fields})


def test_replicas_are_one_class_wherever_they_run() -> None:
    problem = a_problem(*NODES, web("a"), web("b"), web("c", on="m"))
    (found,) = problem.classes

    assert names(problem, [0]) == ["a", "b", "c"]
    assert {problem.nodes[n].ref.name: len(pods) for n, pods in found.at.items()} == {"n": 2, "m": 1}
    assert found.there(node_of(problem, "n")) == 2
    assert dict(found.requests) == {"cpu": 1, "pods": 1}
    assert found.workload == ("Deployment", "web")


@pytest.mark.parametrize(
    "other",
    [
        {"cpu": 2},
        {"labels": {"track": "canary"}},
        {"namespace": "other"},
        {"priority": 1},
        {"of": "api"},
        {"terminating": True},
        {"on": None},
        {"node_selector": {"disk": "ssd"}},
        {"anti_affinity": [apart_from(app="web")]},
        {"annotations": {"karpenter.sh/do-not-disrupt": "true"}},
        {"created": NOW},
    ],
)
def test_a_difference_that_a_rule_a_protection_or_a_mover_sees_makes_another_class(other: dict[str, Any]) -> None:
    assert not together(web("a"), web("b", **other))


@pytest.mark.parametrize("other", [{"annotations": {"x/y": "z"}}, {"created": NOW - timedelta(days=1)}, {"uid": "other"}, {"on": "m"}])
def test_what_no_rule_sees_makes_no_difference(other: dict[str, Any]) -> None:
    assert together(web("a"), web("b", **other))


def test_clusters_are_never_mixed() -> None:
    problem = a_problem(a_snapshot(a_cluster("east", a_node("n"), web("a")), a_cluster("west", a_node("n"), web("a"))))

    assert [c.cluster for c in problem.classes] == ["east", "west"]
    assert [[problem.nodes[n].ref.cluster for n in c.reach] for c in problem.classes] == [["east"], ["west"]]


def test_bare_pods_that_may_move_stand_alone_and_waiting_ones_need_not() -> None:
    opted_in = {"protections": {"barePods": False}, "movers": ["Recreate"]}

    assert not together(web("a", of=None), web("b", of=None), **opted_in)
    assert together(web("a", of=None), web("b", of=None))
    assert together(web("a", of=None, on=None), web("b", of=None, on=None), **opted_in)


def test_budgets_of_movable_pods_are_known_by_their_place_in_the_problem() -> None:
    east = a_cluster("east", a_node("n"), a_budget("x"), a_budget("y"))
    west = a_cluster("west", a_node("n"), web("a"), a_budget("other"), a_budget("web"))
    problem = a_problem(a_snapshot(east, west))

    assert [problem.budgets[i][1].name for i in class_of(problem, "a").budgets] == ["web"]
    assert [cluster for cluster, _ in problem.budgets] == ["east", "east", "west", "west"]


def test_the_longest_waiting_of_a_class_comes_first() -> None:
    def waits(name: str, hours: int) -> Pod:
        return web(name, on=None, waiting_since=NOW - timedelta(hours=hours))

    problem = a_problem(*NODES, waits("a", 1), waits("b", 3), waits("c", 2), waits("d", 3))

    assert [problem.pods[i].ref.name for i in problem.classes[0].pods] == ["b", "d", "c", "a"]


def reach(pod: Pod, *fleet: Node | Pod) -> list[str]:
    return reach_of(a_problem(pod, *fleet), pod.ref.name)


def test_reach_is_where_filters_admit_the_pod_whoever_is_there() -> None:
    nodes = [
        a_node("fits", cpu=2),
        a_node("closed", closed="being deleted"),
        a_node("cordoned", unschedulable=True),
        a_node("lost", ready=False),
        a_node("small", cpu=1),
        a_node("tainted", taints=[Taint("gpu", "yes")]),
    ]

    assert reach(a_pod("p", cpu=2), *nodes) == ["fits"]
    assert reach(web("p", on="small", cpu=2), *nodes) == ["fits"]


def test_who_may_move_is_no_obstacle_and_who_may_not_is_one() -> None:
    movable, fixed = a_pod("x", on="n", cpu=3, of="api"), a_pod("x", on="n", cpu=3)

    assert reach(a_pod("p", cpu=2), a_node("n", cpu=4), movable) == ["n"]
    assert reach(a_pod("p", cpu=2), a_node("n", cpu=4), fixed) == []
    assert reach(a_pod("p", cpu=1), a_node("n", cpu=4), fixed) == ["n"]
    assert reach(a_pod("p"), a_node("n", pods=1), fixed) == []
    assert reach(a_pod("p"), a_node("n", cpu=2, pods=2), fixed) == ["n"]


def test_terminating_pods_are_obstacles_while_they_last() -> None:
    assert reach(a_pod("p", cpu=2), a_node("n", cpu=4), a_pod("x", on="n", cpu=3, of="api", terminating=True)) == []


def test_every_pod_is_in_exactly_the_class_that_is_told() -> None:
    pods = [web("a"), web("b", on=None), web("c", cpu=2), web("d", on="gone"), a_pod("e", gates=["x"]), a_pod("f")]
    problem: Problem = a_problem(*NODES, *pods)

    members = {pod: c.index for c in problem.classes for pod in c.pods}

    assert sorted(members) == list(range(len(pods)))
    assert [members[i] for i in range(len(pods))] == list(problem.class_of)
    assert all(problem.classes[i].index == i for i in range(len(problem.classes)))
