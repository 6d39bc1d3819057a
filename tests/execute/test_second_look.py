"""The second look: what still holds of a plan in the fleet as it is now, what falls with what does not, and whether it is worth it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from descheduler.domain.objects import Budget, Node, Pod
from descheduler.domain.plan import Move, Mover, Placed
from descheduler.errors import ExecutionError
from descheduler.execute.second_look import Looked, second_look
from tests.builders import a_budget, a_node, a_pod, a_snapshot
from tests.plan_builders import a_move, a_placement, a_plan
from tests.problems import a_policy

SMALL, BIG = a_pod("small", on="a", of="web", cpu=1), a_pod("big", of="batch", cpu=4)
OTHER, LARGE = a_pod("other", on="c", of="api", cpu=1), a_pod("large", of="train", cpu=4)
A, B, C, D = a_node("a", cpu=4), a_node("b", cpu=1), a_node("c", cpu=4), a_node("d", cpu=1)
STEPS = (
    a_move(SMALL, "b", room_for=[BIG]),
    a_placement(BIG, "a", wave=2),
    a_move(OTHER, "d", room_for=[LARGE]),
    a_placement(LARGE, "c", wave=2),
)


def look(*things: Node | Pod | Budget, steps: tuple[Move | Placed, ...] = STEPS, least: float = 0, **spec: Any) -> Looked:
    policy = a_policy(trigger={"pendingFor": "0s"}, secondLook={"minGainShare": least}, **spec)
    return second_look(a_plan(*steps), a_snapshot(*things), policy)


def kept(looked: Looked) -> list[str]:
    return [move.pod.name for move in looked.plan.moves] + [placed.pod.name for placed in looked.plan.placements]


def reasons(looked: Looked) -> dict[str, str]:
    return {result.subject: result.message for result in looked.dropped}


def test_a_plan_whose_fleet_has_not_changed_holds_whole() -> None:
    looked = look(A, B, C, D, SMALL, BIG, OTHER, LARGE, least=1)

    assert kept(looked) == ["small", "other", "big", "large"]
    assert looked.dropped == ()


GONE = "the pod is gone"


@pytest.mark.parametrize(
    ("things", "reason"),
    [
        ((A, B, BIG), GONE),
        ((A, B, replace(SMALL, uid="another"), BIG), GONE),
        ((A, B, replace(SMALL, node="b"), BIG), "the pod runs on b, not on a"),
        ((A, SMALL, BIG), "the node b is gone"),
        ((A, replace(B, unschedulable=True), SMALL, BIG), "b does not admit it any more"),
        ((A, B, replace(SMALL, annotations=(("fleet.descheduler.io/do-not-disrupt", "true"),)), BIG), "the pod is annotated"),
        ((A, B, replace(SMALL, ready=False), BIG), "not every replica"),
    ],
)
def test_a_move_that_does_not_hold_falls_and_with_it_whom_it_makes_room_for(things: tuple[Node | Pod, ...], reason: str) -> None:
    looked = look(C, D, OTHER, LARGE, *things)

    assert kept(looked) == ["other", "large"]
    assert reason in reasons(looked)["move-small"]
    assert reasons(looked)["east/default/big"].startswith("east/default/small does not make room for it: ")


def test_a_move_falls_with_the_pod_that_needs_it() -> None:
    looked = look(A, B, C, D, SMALL, OTHER, LARGE)

    assert kept(looked) == ["other", "large"]
    assert reasons(looked)["move-small"] == "nobody needs its room any more: the pod is gone"


def test_a_pod_that_was_bound_meanwhile_is_done_and_nobody_moves_for_it() -> None:
    looked = look(A, B, C, D, a_node("e", cpu=4), SMALL, replace(BIG, node="e", phase="Running", ready=True), OTHER, LARGE, least=1)

    assert kept(looked) == ["other", "large"]
    assert [(r.subject, r.outcome, r.node) for r in looked.dropped if r.subject == "east/default/big"] == [
        ("east/default/big", "Done", "e")
    ]


def test_what_does_not_fit_any_more_is_found_by_the_judge_and_the_rest_stays() -> None:
    squatter = a_pod("squatter", of="squatter", on="b", cpu=1)

    looked = look(A, B, C, D, SMALL, BIG, OTHER, LARGE, squatter)

    assert kept(looked) == ["other", "large"]
    assert "NodeResourcesFit" in reasons(looked)["move-small"]


def test_a_budget_that_has_closed_is_told_as_such() -> None:
    steps = (a_move(SMALL, "b", mover=Mover.EVICT, room_for=[BIG]), STEPS[1])
    only_b = replace(SMALL, spec=replace(SMALL.spec, node_selector=(("kubernetes.io/hostname", "b"),)))

    with pytest.raises(ExecutionError, match="PodDisruptionBudget web allows no disruption now") as refused:
        look(A, B, only_b, BIG, a_budget("web", allowed=0), steps=steps, least=1, movers=["Evict"])

    assert refused.value.cause == "budget"


@pytest.mark.parametrize(("least", "refused"), [(0.5, False), (0.51, True)])
def test_too_little_gain_is_refused(least: float, refused: bool) -> None:
    things = (A, B, C, D, SMALL, OTHER, LARGE)
    if not refused:
        assert kept(look(*things, least=least)) == ["other", "large"]
        return

    with pytest.raises(ExecutionError, match=r"^1 of 2 placements still hold, less than secondLook\.minGainShare 0\.51: churn: ") as told:
        look(*things, least=least)

    assert (told.value.cause, told.value.exit_code) == ("churn", 3)


def test_nothing_is_done_in_a_cluster_that_is_left_out() -> None:
    policy = a_policy(trigger={"pendingFor": "0s"}, secondLook={"minGainShare": 0})

    looked = second_look(a_plan(*STEPS), a_snapshot(A, B, C, D, SMALL, BIG, OTHER, LARGE), policy, {"east": "its Lease is not ours"})

    assert kept(looked) == []
    assert reasons(looked)["move-small"] == "its Lease is not ours"
