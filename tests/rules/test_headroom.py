"""Headroom: how many more pods of a shape a node's free room takes."""

from __future__ import annotations

import pytest

from descheduler.domain.objects import Node
from descheduler.domain.problem import Shape
from descheduler.domain.resources import Resources
from descheduler.domain.selectors import Taint, Toleration
from descheduler.rules.objectives import OBJECTIVES
from descheduler.rules.objectives.headroom import admits, node_values, slots
from tests.builders import a_node, a_pod
from tests.questions import a_problem

GPU = "nvidia.com/gpu"


def a_shape(**fields: object) -> Shape:
    return Shape(**{"name": "s", "weight": 1.0, "requests": Resources({"cpu": 2, "memory": 3, "pods": 1}), **fields})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("free", "count"),
    [
        ({"cpu": 4, "memory": 6, "pods": 9}, 2),
        ({"cpu": 5, "memory": 8, "pods": 9}, 2),
        ({"cpu": 4, "memory": 5, "pods": 9}, 1),
        ({"cpu": 4, "memory": 6, "pods": 1}, 1),
        ({"cpu": 4, "memory": 6, "pods": 0}, 0),
        ({"cpu": 4, "pods": 9}, 0),
        ({"cpu": -1, "memory": 6, "pods": 9}, 0),
        ({}, 0),
    ],
)
def test_slots_are_whole_pods_and_the_scarcest_resource_decides(free: dict[str, int], count: int) -> None:
    assert slots(a_shape(), free) == count


def test_what_a_shape_does_not_ask_for_never_limits_it() -> None:
    assert slots(a_shape(requests=Resources({"cpu": 1, "pods": 1})), {"cpu": 3, "memory": -5, "pods": 3}) == 3


@pytest.mark.parametrize(
    ("node", "lawful"),
    [
        (a_node("n"), True),
        (a_node("n", ready=False), False),
        (a_node("n", unschedulable=True), False),
        (a_node("n", closed="marked for scale-down"), True),
        (a_node("n", taints=[Taint("gpu", "yes")]), False),
        (a_node("n", taints=[Taint("spot", "", "PreferNoSchedule")]), True),
    ],
)
def test_slots_are_counted_on_ready_uncordoned_nodes_without_taints(node: Node, lawful: bool) -> None:
    assert admits(a_shape(), node) is lawful


def test_a_shape_brings_its_own_selector_and_tolerations_but_never_passes_a_cordon() -> None:
    gpu = a_shape(node_selector=(("pool", "gpu"),), tolerations=(Toleration(operator="Exists"),))

    assert admits(gpu, a_node("n", labels={"pool": "gpu"}, taints=[Taint("gpu", "yes")]))
    assert not admits(gpu, a_node("n", labels={"pool": "cpu"}))
    assert not admits(gpu, a_node("n", labels={"pool": "gpu"}, unschedulable=True))


def test_only_nodes_that_could_hold_the_shape_when_empty_have_a_value() -> None:
    shapes = [
        {"name": "small", "requests": {"cpu": "1m"}, "weight": 2},
        {"name": "gpu", "requests": {GPU: 1}, "weight": 5},
    ]
    nodes = [a_node("a", cpu=1, extended={GPU: 1}), a_node("b", cpu=1), a_node("c", cpu=1, unschedulable=True), a_node("d", cpu=1, pods=0)]
    problem = a_problem(*nodes, a_pod("p", on="a", cpu=1), shapes=shapes)

    told = [(problem.terms.shapes[v.shape].name, problem.nodes[v.node].ref.name, v.weight) for v in node_values(problem)]

    assert told == [("small", "a", 2), ("small", "b", 2), ("gpu", "a", 5)]


def test_the_policy_can_name_every_objective_there_is() -> None:
    assert list(OBJECTIVES) == ["PendingPods", "Disruption", "Headroom", "EmptyNodes"]
    assert [o.name for o in OBJECTIVES.values() if not o.greater_is_better] == ["Disruption"]
