"""Who waits for room, who waits for something else, and whom scope and trigger keep out of this run."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from descheduler.domain.objects import Pod, ScaleUp
from descheduler.domain.problem import Problem
from descheduler.domain.snapshot import Snapshot
from tests.builders import NOW, Thing, a_cluster, a_node, a_pod, a_snapshot
from tests.questions import a_problem, index_of, reach_of

SECOND = timedelta(seconds=1)


def only(pod: Pod, **spec: Any) -> Problem:
    return a_problem(a_node("n"), pod, **spec)


def not_ours(problem: Problem) -> str | None:
    return problem.not_ours.get(0)


def held_back(problem: Problem) -> str | None:
    return problem.held_back.get(0)


def test_a_pod_without_a_node_waits_and_may_be_placed() -> None:
    problem = only(a_pod("p"))

    assert (not_ours(problem), held_back(problem), reach_of(problem, "p")) == (None, None, ["n"])
    assert problem.waiting == (0,)


@pytest.mark.parametrize(
    ("pod", "reason"),
    [
        (a_pod("p", gates=["a.example/x", "b.example/y"]), "is gated (a.example/x, b.example/y)"),
        (a_pod("p", scheduler="volcano"), "is scheduled by volcano"),
        (a_pod("p", waits_for_claim="waits for PersistentVolumeClaim data"), "waits for PersistentVolumeClaim data"),
        (a_pod("p", opaque="spec.resourceClaims"), "uses spec.resourceClaims, which is not modelled"),
        (a_pod("p", size_known=False), "uses requests that cannot be read, which is not modelled"),
    ],
)
def test_a_pod_that_waits_for_something_else_is_not_ours(pod: Pod, reason: str) -> None:
    problem = only(pod)

    assert not_ours(problem) == reason
    assert held_back(problem) is None
    assert problem.placeable == ()
    assert problem.priorities == ()


def test_what_is_not_ours_stays_so_when_limits_are_lifted() -> None:
    assert not_ours(a_problem(a_node("n"), a_pod("p", gates=["x"]), lifted=True)) == "is gated (x)"


def test_a_pod_on_its_way_out_neither_waits_nor_moves() -> None:
    problem = only(a_pod("p", terminating=True))

    assert problem.waiting == ()
    assert problem.protected[0] == "is terminating"


def test_a_pod_waits_in_vain_until_it_has_waited_long_enough() -> None:
    two = timedelta(minutes=2)

    assert held_back(only(a_pod("p", waiting_since=NOW - two + SECOND))) == "waits for less than trigger.pendingFor 2m"
    assert held_back(only(a_pod("p", waiting_since=NOW - two))) is None
    assert held_back(only(a_pod("p", waiting_since=NOW), trigger={"pendingFor": "0s"})) is None


def test_a_pod_that_waits_since_nobody_knows_when_is_not_held_back() -> None:
    assert held_back(only(replace(a_pod("p"), waiting_since=None))) is None


@pytest.mark.parametrize(("priority", "reason"), [(99, "priority 99 is below trigger.minPriority 100"), (100, None)])
def test_a_pod_of_too_low_a_priority_is_held_back(priority: int, reason: str | None) -> None:
    assert held_back(only(a_pod("p", priority=priority), trigger={"minPriority": 100})) == reason


def test_a_minimal_priority_of_zero_is_a_minimum() -> None:
    assert held_back(only(a_pod("p", priority=-1), trigger={"minPriority": 0})) is not None


def scaling(ago: timedelta, namespace: str = "default", pod: str = "p") -> Snapshot:
    east = a_cluster("east", a_node("n"), a_pod("p"))
    event = ScaleUp(namespace=namespace, pod=pod, at=NOW - ago, reason="TriggeredScaleUp")
    return a_snapshot(replace(east, scale_ups=(event,)))


def test_a_pod_for_which_a_node_is_on_its_way_is_left_to_the_autoscaler_for_a_while() -> None:
    ten = timedelta(minutes=10)

    assert held_back(a_problem(scaling(ten - SECOND))) == "a node is on its way (TriggeredScaleUp), trigger.scaleUpGrace 10m"
    assert held_back(a_problem(scaling(ten))) is None
    assert held_back(a_problem(scaling(timedelta()), trigger={"scaleUpGrace": "0s"})) is None


def test_an_event_for_another_pod_holds_nobody_back() -> None:
    assert held_back(a_problem(scaling(SECOND, pod="other"))) is None
    assert held_back(a_problem(scaling(SECOND, namespace="other"))) is None


@pytest.mark.parametrize(
    "scope",
    [
        {"clusters": {"include": ["west"]}},
        {"clusters": {"exclude": ["ea*"]}},
        {"namespaces": {"include": ["shop"]}},
        {"namespaces": {"exclude": ["default"]}},
        {"podSelector": {"matchLabels": {"tier": "batch"}}},
    ],
)
def test_a_pod_outside_the_scope_is_held_back_and_a_running_one_protected(scope: dict[str, object]) -> None:
    problem = a_problem(a_node("n"), a_pod("p"), a_pod("runs", on="n", of="web"), scope=scope)

    assert held_back(problem) == "outside the policy's scope"
    assert problem.protected[index_of(problem, "runs")] == "outside the policy's scope"
    assert problem.placeable == ()


def test_system_namespaces_are_outside_the_shipped_scope() -> None:
    assert held_back(only(a_pod("p", namespace="kube-system"))) == "outside the policy's scope"


def test_who_is_held_back_still_counts_as_waiting() -> None:
    problem = only(a_pod("p", priority=7), trigger={"minPriority": 100})

    assert problem.priorities == (7,)
    assert problem.waiting == (0,)


def test_lifting_the_limits_lifts_trigger_and_scope_as_well() -> None:
    fleet: list[Thing] = [a_node("n"), a_pod("p", priority=1, namespace="kube-system", waiting_since=NOW), a_pod("runs", on="n", of="web")]
    spec: dict[str, Any] = {"trigger": {"minPriority": 100}, "scope": {"clusters": {"include": []}}}

    problem = a_problem(*fleet, lifted=True, limits={"perRun": 0, "waves": 1, "movesPerPlacedPod": 0}, **spec)

    assert (problem.held_back, problem.protected) == ({}, {})
    assert problem.terms.limits == ()
    assert (problem.terms.moves_per_placed_pod, problem.terms.waves) == (None, 64)


def test_an_override_has_its_own_trigger() -> None:
    patient = {"match": {"namespaces": ["batch"]}, "trigger": {"pendingFor": "3h"}}
    problem = a_problem(a_node("n"), a_pod("p", namespace="batch"), a_pod("q"), overrides=[patient])

    assert [problem.pods[i].ref.name for i in problem.held_back] == ["p"]


def test_why_it_is_not_ours_comes_before_why_it_is_held_back() -> None:
    problem = only(a_pod("p", gates=["x"], scheduler="volcano", namespace="kube-system"))

    assert (not_ours(problem), held_back(problem)) == ("is gated (x)", None)
