"""Earlier runs: windows fill up, workloads rest, pods do not go back and forth, and some must be seen more than once."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from descheduler.diagnose import diagnose
from descheduler.domain.history import DONE, FAILED, History, PastMove
from descheduler.domain.objects import Pod
from descheduler.domain.problem import Problem
from tests.builders import NOW, a_node, a_pod, a_snapshot
from tests.problems import a_policy

HOUR = timedelta(hours=1)
NODES = [a_node("a", cpu=4), a_node("b", cpu=4), a_node("c", cpu=4)]
WEB = [a_pod(f"web-{i}", on="b", of="web", cpu=1) for i in range(2)]


def past(outcome: str = DONE, *, ago: timedelta = 2 * HOUR, source: str = "a", target: str = "b") -> PastMove:
    workload = ("east", "default", "Deployment", "web")
    return PastMove(workload=workload, source=source, target=target, at=NOW - ago, outcome=outcome)


def problem(*moves: PastMove, pods: list[Pod] = WEB, seen: dict[str, int] | None = None, lifted: bool = False, **spec: Any) -> Problem:
    return diagnose(a_snapshot(*NODES, *pods), a_policy(**spec), lifted=lifted, history=History(moves=moves, seen=seen))


def reach(found: Problem) -> list[str]:
    return [found.nodes[n].ref.name for c in found.movable for n in c.reach]


def limit(found: Problem, name: str) -> int | None:
    return next((each.count for each in found.terms.limits if each.name.startswith(name)), None)


def test_a_window_is_used_up_by_earlier_runs() -> None:
    windows = {"perWindow": [{"window": "24h", "perFleet": 1, "perWorkload": 2}]}

    fresh, used = problem(limits=windows), problem(past(), past(), limits=windows)

    assert (limit(fresh, "perWindow 24h perFleet"), limit(used, "perWindow 24h perFleet")) == (1, 0)
    assert (limit(fresh, "perWindow 24h perWorkload"), limit(used, "perWindow 24h perWorkload")) == (None, 0)
    assert limit(problem(past(ago=25 * HOUR), limits=windows), "perWindow 24h perFleet") == 1


@pytest.mark.parametrize(("outcome", "ago", "rests"), [(DONE, 0.9, True), (DONE, 1.1, False), (FAILED, 1.9, True), (FAILED, 2.1, False)])
def test_a_workload_rests_after_a_move_and_longer_after_a_failure(outcome: str, ago: float, rests: bool) -> None:
    found = problem(past(outcome, ago=ago * HOUR))

    assert [reason.startswith("a pod of Deployment web was moved a short time ago") for reason in found.protected.values()] == [
        True
    ] * 2 * rests


def test_a_pod_is_not_moved_back_to_where_it_came_from() -> None:
    assert reach(problem()) == ["a", "b", "c"]
    assert reach(problem(past(source="a", target="b"))) == ["b", "c"]
    assert reach(problem(past(FAILED, ago=5 * HOUR, source="b", target="c"))) == ["a", "b"]
    assert reach(problem(past(ago=25 * HOUR))) == ["a", "b", "c"]


def test_what_would_be_without_limits_asks_nobody_s_memory() -> None:
    assert reach(problem(past(ago=HOUR / 2), lifted=True)) == ["a", "b", "c"]


@pytest.mark.parametrize(("seen", "told"), [(None, None), (0, "was seen waiting in 1 of the trigger.seenInRuns 3 runs"), (2, None)])
def test_a_pod_must_be_seen_in_several_runs(seen: int | None, told: str | None) -> None:
    pod = a_pod("p", cpu=1)

    found = problem(pods=[pod], seen=None if seen is None else {pod.uid: seen}, trigger={"seenInRuns": 3})

    assert next(iter(found.held_back.values()), None) == told
