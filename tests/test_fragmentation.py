"""Fragmentation: slots per shape, the largest pod, stranded shares, counted to the letter of the contract."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.domain.moment import snapshot_spots
from descheduler.domain.objects import Node
from descheduler.domain.plan import Fragmentation
from descheduler.domain.problem import Problem
from descheduler.domain.selectors import Taint
from descheduler.fragmentation import fragmentation, weighted_slots
from tests.builders import Thing, a_cluster, a_node, a_pod, a_snapshot
from tests.questions import a_problem, class_of, node_of

GPU = "nvidia.com/gpu"
PAIR = {"name": "pair", "requests": {"cpu": "2m", "memory": 2}}


def asked(*fleet: Thing, shapes: list[dict[str, Any]] | None = None) -> Problem:
    return a_problem(*fleet, shapes=shapes or [PAIR])


def of_east(*fleet: Thing, shapes: list[dict[str, Any]] | None = None) -> Fragmentation:
    problem = asked(*fleet, shapes=shapes)
    return fragmentation(problem, snapshot_spots(problem))["east"]


def test_slots_are_whole_pods_per_node_and_never_of_two_nodes_together() -> None:
    nodes = [a_node("n", cpu=3, memory=9), a_node("m", cpu=3, memory=9)]

    assert of_east(*nodes).slots == {"pair": 2}


def test_every_pod_on_a_node_takes_its_room_who_may_not_move_and_who_is_going_as_well() -> None:
    there = [a_pod("a", on="n", cpu=2), a_pod("b", on="n", cpu=2, terminating=True), a_pod("c", on="n", of="x", cpu=2)]

    assert of_east(a_node("n", cpu=10, memory=99), *there, a_pod("waits", cpu=4)).slots == {"pair": 2}


def test_the_number_of_pods_limits_slots() -> None:
    assert of_east(a_node("n", pods=3), a_pod("a", on="n"), a_pod("b", on="n")).slots == {"pair": 1}


def test_each_shape_is_counted_alone() -> None:
    shapes = [PAIR, {"name": "wide", "requests": {"memory": 5}}]

    assert of_east(a_node("n", cpu=4, memory=10), shapes=shapes).slots == {"pair": 2, "wide": 2}


@pytest.mark.parametrize(
    ("node", "count"),
    [
        (a_node("n", cpu=2, memory=2), 1),
        (a_node("n", cpu=2, memory=2, ready=False), 0),
        (a_node("n", cpu=2, memory=2, unschedulable=True), 0),
        (a_node("n", cpu=2, memory=2, taints=[Taint("gpu", "yes")]), 0),
        (a_node("n", cpu=2, memory=2, closed="marked for scale-down"), 1),
    ],
)
def test_slots_are_on_ready_uncordoned_nodes_that_admit_the_shape(node: Node, count: int) -> None:
    assert of_east(node).slots == {"pair": count}


def test_an_overfull_node_has_no_slots_and_takes_none_from_others() -> None:
    fleet: list[Thing] = [a_node("over", cpu=2, memory=9), a_pod("a", on="over", cpu=5), a_node("n", cpu=2, memory=9)]

    assert of_east(*fleet).slots == {"pair": 1}


def test_the_largest_pod_is_on_the_node_whose_scarcer_share_is_the_largest() -> None:
    lopsided = a_node("lopsided", cpu=100, memory=100)
    even = a_node("even", cpu=10, memory=10)
    fills = a_pod("fills", on="lopsided", cpu=10, memory=90)

    told = of_east(lopsided, even, fills, a_pod("half", on="even", cpu=5, memory=4))

    assert told.largest_pod == {"cpu": "5m", "memory": "6"}


def test_amounts_are_kubernetes_quantities() -> None:
    assert of_east(a_node("n", cpu=1500, memory=3 * 2**30)).largest_pod == {"cpu": "1500m", "memory": "3Gi"}


@pytest.mark.parametrize(
    "fleet",
    [
        [a_node("n", ready=False)],
        [a_node("n", unschedulable=True)],
        [a_node("n", cpu=0, memory=0)],
        [a_node("n", cpu=1, memory=1), a_pod("a", on="n", cpu=5, memory=5)],
    ],
)
def test_where_nothing_is_free_the_largest_pod_is_nothing(fleet: list[Thing]) -> None:
    assert of_east(*fleet).largest_pod == {"cpu": "0", "memory": "0"}


def test_stranded_is_the_share_of_free_room_on_nodes_without_any_slot() -> None:
    fleet: list[Thing] = [a_node("n", cpu=6, memory=6), a_node("crumbs", cpu=1, memory=4), a_node("gone", cpu=50, memory=50, ready=False)]

    told = of_east(*fleet)

    assert told.stranded == {"cpu": pytest.approx(1 / 7, abs=1e-6), "memory": 0.4}


def test_a_slot_of_any_shape_saves_all_of_a_nodes_room() -> None:
    shapes = [PAIR, {"name": "thin", "requests": {"cpu": "1m"}}]

    assert of_east(a_node("crumbs", cpu=1, memory=4), shapes=shapes).stranded == {"cpu": 0.0, "memory": 0.0}


def test_every_resource_that_a_shape_asks_for_is_told_but_the_number_of_pods() -> None:
    shapes = [PAIR, {"name": "gpu", "requests": {GPU: 1}}]

    told = of_east(a_node("n", cpu=9, memory=9), a_node("g", cpu=1, memory=1, pods=0, extended={GPU: 2}), shapes=shapes)

    assert told.stranded == {"cpu": 0.1, "memory": 0.1, GPU: 1.0}


def test_nothing_free_is_nothing_stranded() -> None:
    assert of_east(a_node("n", cpu=0, memory=0)).stranded == {"cpu": 0.0, "memory": 0.0}


def test_clusters_are_told_apart_and_one_without_nodes_is_told_too() -> None:
    bare, east = a_cluster("bare", a_pod("waits")), a_cluster("east", a_node("n", cpu=2, memory=2))
    problem = a_problem(a_snapshot(bare, east), shapes=[PAIR])

    told = fragmentation(problem, snapshot_spots(problem))

    assert list(told) == ["bare", "east"]
    assert told["bare"] == Fragmentation(slots={"pair": 0}, largest_pod={"cpu": "0", "memory": "0"}, stranded={"cpu": 0.0, "memory": 0.0})
    assert told["east"].slots == {"pair": 1}


def test_it_answers_for_any_state_of_the_fleet() -> None:
    problem = asked(a_node("n", cpu=2, memory=2), a_node("m", cpu=1, memory=2), a_pod("a", on="n", of="web", cpu=1))
    web = class_of(problem, "a").index

    before = fragmentation(problem, snapshot_spots(problem))["east"]
    after = fragmentation(problem, {(web, node_of(problem, "m")): 1})["east"]

    assert (before.slots, after.slots) == ({"pair": 0}, {"pair": 1})


def test_weighted_slots_are_summed_over_shapes_and_clusters() -> None:
    shapes = [{**PAIR, "weight": 0.5}, {"name": "wide", "requests": {"memory": 1}, "weight": 3}]
    clusters = [a_cluster(name, a_node("n", cpu=4, memory=4)) for name in ("east", "west")]
    problem = a_problem(a_snapshot(*clusters), shapes=shapes)

    assert weighted_slots(problem, fragmentation(problem, snapshot_spots(problem))) == 2 * (0.5 * 2 + 3 * 4)
