"""MoveLimits: how many pods a run may move, counted where they leave."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.domain.plan import Mover
from descheduler.domain.problem import Problem
from descheduler.domain.rows import MoveBudget, MovesPerPlacedPod
from descheduler.rules.constraints import move_limits as rule
from tests.builders import Thing, a_node, a_pod
from tests.questions import a_problem, bind, broken, planned, shift

NODES = [a_node("n", cpu=4), a_node("m", cpu=4), a_node("o", cpu=4)]


def limited(*more: Thing, objectives: tuple[str, ...] = ("PendingPods", "Disruption", "Headroom"), **limits: Any) -> Problem:
    """Two Deployments with two pods each on ``n``, and a pod that needs all of it."""
    pods = [a_pod(f"{app}-{i}", on="n", cpu=1, of=app) for app in ("web", "api") for i in (1, 2)]
    return a_problem(
        *NODES, *pods, a_pod("waiting", cpu=4, node_selector={"kubernetes.io/hostname": "n"}), *more, limits=limits, objectives=objectives
    )


def test_a_plan_makes_as_many_moves_as_the_run_may_and_none_in_vain() -> None:
    assert len(planned(limited(perRun=4))) == 5
    assert planned(limited(perRun=3)) == {}


@pytest.mark.parametrize(
    ("limits", "told"),
    [
        ({"perRun": 1}, "MoveLimits: fleet: perRun: 2 moves > 1"),
        ({"perCluster": 1}, "MoveLimits: east: perCluster: 2 moves > 1"),
        ({"perNamespace": 1}, "MoveLimits: east/default: perNamespace: 2 moves > 1"),
        ({"perWorkload": 1}, "MoveLimits: east/default/Deployment/web: perWorkload: 2 moves > 1"),
        ({"perNode": 1}, "MoveLimits: east/n: perNode: 2 moves > 1"),
        ({"movesPerPlacedPod": 1}, "MoveLimits: run: movesPerPlacedPod: 2 moves for 1 pods > 1 each"),
    ],
)
def test_every_limit_names_its_subject_and_the_count(limits: dict[str, Any], told: str) -> None:
    problem = limited(**limits)
    first, second = shift(problem, "web-1", "m"), shift(problem, "web-2", "o")
    placed = bind(problem, "waiting", "n")

    assert broken(problem, rule, first, placed) == []
    assert broken(problem, rule, first, second, placed) == [told]
    assert planned(problem) == {}


def test_two_workloads_have_a_limit_each() -> None:
    problem = limited(perWorkload=1)

    assert broken(problem, rule, shift(problem, "web-1", "m"), shift(problem, "api-1", "m")) == []


def test_a_nodes_limit_counts_who_leaves_and_not_who_comes() -> None:
    problem = limited(a_pod("other", on="m", of="other"), perNode=2)

    crossing = [shift(problem, "web-1", "m"), shift(problem, "api-1", "m"), shift(problem, "other", "n")]

    assert broken(problem, rule, *crossing) == []
    assert broken(problem, rule, *crossing, shift(problem, "api-2", "m")) == ["MoveLimits: east/n: perNode: 3 moves > 2"]


def test_moves_of_all_waves_count_together() -> None:
    problem = limited(perRun=1)

    assert len(broken(problem, rule, shift(problem, "web-1", "m"), shift(problem, "web-2", "m", wave=5))) == 1


def test_placing_a_waiting_pod_is_no_move() -> None:
    problem = limited(perRun=0)

    assert broken(problem, rule, bind(problem, "waiting", "m")) == []


def test_a_plan_has_no_more_waves_than_it_may() -> None:
    problem = limited(waves=2)

    assert broken(problem, rule, bind(problem, "waiting", "m", wave=2)) == []
    assert broken(problem, rule, bind(problem, "waiting", "m", wave=3)) == ["MoveLimits: run: waves: 3 > 2"]


def test_pods_without_a_node_between_waves_are_counted() -> None:
    problem = limited(cycleBreaks=1)
    breaks = [shift(problem, pod, "m", wave=1, arrives=2, by=Mover.HOLD) for pod in ("web-1", "api-1")]

    assert broken(problem, rule, breaks[0]) == []
    assert broken(problem, rule, *breaks) == ["MoveLimits: run: cycleBreaks: 2 > 1"]


def test_null_limits_nothing() -> None:
    problem = limited(waves=None, cycleBreaks=None)
    held = [shift(problem, pod, "m", wave=1, arrives=9, by=Mover.HOLD) for pod in ("web-1", "web-2", "api-1", "api-2")]

    assert list(rule.rows(problem)) == []
    assert broken(problem, rule, *held) == []


def test_moves_for_headroom_ask_no_waiting_pod_for_leave() -> None:
    objectives = ("PendingPods", "Headroom", "Disruption")
    problem = limited(movesPerPlacedPod=0, objectives=objectives)

    assert broken(problem, rule, shift(problem, "web-1", "m")) == []
    assert len(broken(limited(movesPerPlacedPod=0), rule, shift(problem, "web-1", "m"))) == 1


def test_nothing_is_wrong_with_a_fleet_where_nothing_moves_however_small_the_limits() -> None:
    problem = limited(perRun=0, perNode=0, perWorkload=0, movesPerPlacedPod=0, waves=1)

    assert broken(problem, rule) == []
    assert planned(problem) == {}


def test_one_row_for_every_limit_that_can_bind() -> None:
    problem = limited(perRun=3, perCluster=4, perWorkload=1, movesPerPlacedPod=7)

    rows = list(rule.rows(problem))

    assert {row.name: row.limit for row in rows if isinstance(row, MoveBudget)} == {
        "perRun fleet": 3,
        "perWorkload east/default/Deployment/web": 1,
        "perWorkload east/default/Deployment/api": 1,
    }
    assert [row.ratio for row in rows if isinstance(row, MovesPerPlacedPod)] == [7]
