"""``shapes: auto``: what a fleet itself runs and waits for, on a grid, never more than an empty node can give."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from descheduler.domain.problem import Problem, Shape
from descheduler.domain.resources import Resources
from descheduler.domain.selectors import Taint, Toleration
from descheduler.domain.snapshot import Snapshot
from descheduler.federation.recorded import RecordedFleet
from descheduler.output.json_plan import plan_to_json
from descheduler.pipeline import Options, plan
from descheduler.policy import Policy
from descheduler.rules.objectives.headroom import admits
from tests.builders import NOW, Thing, a_cluster, a_node, a_pod, a_snapshot
from tests.properties.wild import a_wild_fleet
from tests.questions import a_problem

GI = 2**30
GPU = "nvidia.com/gpu"


def auto(*fleet: Thing | Snapshot, **spec: Any) -> tuple[Shape, ...]:
    return a_problem(*fleet, shapes="auto", **spec).terms.shapes


def names(*fleet: Thing | Snapshot, **spec: Any) -> list[str]:
    return [shape.name for shape in auto(*fleet, **spec)]


NODE = a_node("n", cpu=32_000, memory=128 * GI)


def test_the_largest_workload_and_the_largest_that_waits_are_shapes() -> None:
    fleet = (
        NODE,
        a_pod("db", on="n", of="db", cpu=16_000, memory=64 * GI),
        a_pod("web", on="n", of="web", cpu=1000, memory=GI),
        a_pod("train", of="train", cpu=4000, memory=8 * GI),
        a_pod("mini", of="mini", cpu=500, memory=GI),
    )

    large, waiting = auto(*fleet)

    assert (large.name, large.weight) == ("cpu-16-memory-64gi", 4.0)
    assert (waiting.name, waiting.weight) == ("cpu-4-memory-8gi", 1.0)
    assert large.requests == Resources({"cpu": 16_000, "memory": 64 * GI, "pods": 1})


def test_size_is_the_largest_part_of_a_node_that_is_asked_for() -> None:
    assert names(NODE, a_pod("lean", on="n", of="a", cpu=16_000, memory=GI), a_pod("fat", on="n", of="b", cpu=1000, memory=96 * GI)) == [
        "cpu-1-memory-96gi"
    ]


def test_one_shape_is_enough_where_the_largest_waits_itself() -> None:
    assert names(NODE, a_pod("train", of="train", cpu=8000), a_pod("web", on="n", of="web", cpu=100)) == ["cpu-8"]


def test_pods_with_extended_resources_have_shapes_of_their_own_with_their_selector_and_tolerations() -> None:
    own: dict[str, Any] = {"node_selector": {"pool": "gpu"}, "tolerations": [Toleration("gpu", "Exists"), SLOW]}
    fleet = (
        NODE,
        a_node("g", cpu=8000, memory=64 * GI, extended={GPU: 4}, labels={"pool": "gpu"}, taints=[Taint("gpu", "yes")]),
        a_pod("train", on="g", of="train", cpu=2000, extended={GPU: 2}, **own),
        a_pod("web", on="n", of="web", cpu=8000),
    )

    gpu, plain = auto(*fleet)

    assert (gpu.name, plain.name) == ("cpu-2-nvidia-com-gpu-2", "cpu-8")
    assert (gpu.node_selector, gpu.tolerations) == ((("pool", "gpu"),), (Toleration("gpu", "Exists"),))
    assert (plain.node_selector, plain.tolerations) == ((), ())


SLOW = Toleration("node.kubernetes.io/unreachable", "Exists", "", "NoExecute", 300)
"""Every pod has it."""


@pytest.mark.parametrize(
    ("asked", "rounded"),
    [
        (1000, "cpu-1"),
        (1001, "cpu-1500m"),
        (1499, "cpu-1500m"),
        (2100, "cpu-3"),
        (5000, "cpu-6"),
        (6500, "cpu-8"),
        (130, "cpu-250m"),
        (3, "cpu-125m"),
    ],
)
def test_amounts_are_rounded_up_to_a_grid(asked: int, rounded: str) -> None:
    assert names(NODE, a_pod("web", on="n", of="web", cpu=asked)) == [rounded]


@pytest.mark.parametrize(
    ("asked", "gives", "rounded"),
    [
        (14_200, 16_000, "cpu-16"),
        (14_200, 15_900, "cpu-15"),
        (14_200, 14_500, "cpu-14500m"),
        (14_200, 14_201, "cpu-14200m"),
    ],
)
def test_the_grid_is_as_coarse_as_an_empty_node_allows(asked: int, gives: int, rounded: str) -> None:
    assert names(a_node("n", cpu=gives), a_pod("web", on="n", of="web", cpu=asked)) == [rounded]


def test_what_daemonset_and_static_pods_hold_no_empty_node_gives() -> None:
    held = (a_pod("log", on="n", of="log", kind="DaemonSet", cpu=1000), a_pod("proxy", on="n", static=True, cpu=1000))

    assert names(a_node("n", cpu=8000), *held, a_pod("web", of="web", cpu=6000)) == ["cpu-6"]
    assert names(a_node("n", cpu=8000), *held, a_pod("web", of="web", cpu=6001)) == []


def test_a_pod_that_no_node_could_ever_take_is_no_shape() -> None:
    others: list[dict[str, Any]] = [{"unschedulable": True}, {"ready": False}, {"taints": [Taint("x")]}]
    nodes = [a_node(f"huge-{i}", cpu=999_000, **other) for i, other in enumerate(others)]

    assert names(NODE, *nodes, a_pod("whale", of="whale", cpu=900_000), a_pod("web", of="web", cpu=2000)) == ["cpu-2"]


@pytest.mark.parametrize(
    "pod",
    [
        a_pod("p", on="n", of="p", kind="DaemonSet", cpu=8000),
        a_pod("p", on="n", static=True, cpu=8000),
        a_pod("p", on="n", of="p", cpu=8000, opaque="a device"),
        a_pod("p", on="n", of="p", cpu=8000, size_known=False),
        a_pod("p", on="n", of="p", cpu=8000, terminating=True),
        a_pod("p", of="p", cpu=8000, gates=["quota"]),
        a_pod("p", of="p", cpu=8000, node_selector={"kubernetes.io/hostname": "n"}),
        a_pod("p", on="n", of="p", cpu=8000, namespace="kube-system"),
        a_pod("p", on="n", of="p"),
    ],
)
def test_pods_that_nobody_would_start_elsewhere_are_no_shape(pod: Thing) -> None:
    assert names(NODE, pod, a_pod("web", on="n", of="web", cpu=1000)) == ["cpu-1"]


def test_a_fleet_without_workloads_has_no_shapes_and_a_plan_all_the_same() -> None:
    report = plan(a_snapshot(NODE), Policy.model_validate({"spec": {"shapes": "auto"}}), Options(run_id="r", created_at=NOW))

    assert names(NODE) == []
    assert report.plan.after["east"].slots == {}


def test_a_request_tuned_a_little_and_a_pod_placed_change_nothing() -> None:
    before = (NODE, a_pod("db", on="n", of="db", cpu=14_000), a_pod("train", of="train", cpu=15_000))
    after = (NODE, a_pod("db", on="n", of="db", cpu=13_900), a_pod("train", on="n", of="train", cpu=15_200))

    assert auto(*before) == auto(*after)


def test_ties_go_to_the_first_name_in_whatever_order_the_fleet_is_read() -> None:
    things: list[Thing] = [NODE, a_node("m", labels={"pool": "x"}, cpu=32_000)]
    selectors = {"a": None, "b": {"pool": "x"}, "c": {"pool": "x"}}
    things += [a_pod(f"pod-{9 - i}", on="n", of=name, cpu=8000, node_selector=selectors[name]) for i, name in enumerate("abc")]
    dice = Random(1)

    found = set()
    for _ in range(10):
        dice.shuffle(things)
        found.add(auto(*things))

    assert found == {auto(NODE, *(thing for thing in things if thing is not NODE))}
    assert next(iter(found))[0].node_selector == ()


def test_shapes_are_those_of_the_whole_fleet() -> None:
    west = a_cluster("west", a_node("w", cpu=64_000), a_pod("db", on="w", of="db", cpu=24_000))
    snapshot = a_snapshot(a_cluster("east", NODE, a_pod("web", on="n", of="web", cpu=2000)), west)

    assert names(snapshot) == ["cpu-24"]


def test_every_shape_of_a_random_fleet_fits_an_empty_node_and_is_what_some_pod_needs_at_least(tmp_path: Any) -> None:
    shapes = 0
    for seed in range(40):
        wild = a_wild_fleet(seed)
        snapshot = RecordedFleet(wild.write(tmp_path / str(seed))).snapshot()
        problem = a_problem(snapshot, shapes="auto")

        for shape in problem.terms.shapes:
            shapes += 1
            assert any(shape.requests.fits(room) and admits(shape, node) for node, room in _empty(problem)), (seed, shape)
            assert any(_covers(shape.requests, c.requests) for c in problem.classes), (seed, shape)

    assert shapes > 40


def _empty(problem: Problem) -> list[tuple[Any, Resources]]:
    """Every node with what it gives beside its DaemonSet and static pods."""
    held = {pod: problem.pods[pod].node for c in problem.classes for pods in c.at.values() for pod in pods}
    rooms = []
    for node in problem.nodes:
        room = node.allocatable
        for pod in held:
            there = problem.pods[pod]
            if (there.daemon or there.static) and (there.ref.cluster, there.node) == (node.ref.cluster, node.ref.name):
                room = room - problem.classes[problem.class_of[pod]].requests
        rooms.append((node, room))
    return rooms


def _covers(shape: Resources, pod: Resources) -> bool:
    """Whether the shape is a pod's size rounded up by at most a half."""
    main = [r for r in shape if r != "pods"]
    return all(pod[r] <= shape[r] <= max(1.5 * pod[r], {"cpu": 125, "memory": 2**27}.get(r, 1)) for r in main)


def test_derived_shapes_are_named_in_the_plan() -> None:
    snapshot = a_snapshot(NODE, a_pod("train", of="train", cpu=16_000, memory=32 * GI))

    report = plan(snapshot, Policy.model_validate({"spec": {"shapes": "auto"}}), Options(run_id="r", created_at=NOW))

    told = plan_to_json(report.plan)["fragmentation"]
    assert told["before"]["east"]["slots"] == {"cpu-16-memory-32gi": 2}
    assert told["after"]["east"]["slots"] == {"cpu-16-memory-32gi": 1}
