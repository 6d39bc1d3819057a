"""What has changed since a plan was made is named object by object; nothing is said where nothing changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from descheduler.domain.objects import Node, Pod
from descheduler.domain.plan import Category, Plan, Unplaced
from descheduler.domain.snapshot import Remark, Unreadable, digest
from descheduler.errors import ExecutionError
from descheduler.execute import Hands, act
from descheduler.execute.drift import UNNAMED, drift
from descheduler.federation.simulated import SimulatedFleet
from tests.builders import NOW, a_node, a_pod, a_snapshot
from tests.fakes import FakeClock
from tests.plan_builders import a_move, a_placement, a_plan, plan_pod
from tests.problems import a_policy

SMALL, BIG, ELSE = a_pod("small", on="a", of="web", cpu=1), a_pod("big", of="batch", cpu=4), a_pod("else", of="train", cpu=9)
A, B = a_node("a", cpu=4), a_node("b", cpu=1)
FLEET = (A, B, SMALL, BIG, ELSE)


def the_plan() -> Plan:
    """Made for ``FLEET``."""
    plan = a_plan(a_move(SMALL, "b", room_for=[BIG]), a_placement(BIG, "a", wave=2))
    unplaced = (Unplaced(pod=plan_pod(ELSE), category=Category.NEVER, reason="too large"),)
    return replace(plan, unplaced=unplaced, metadata=replace(plan.metadata, snapshot_digest=digest(a_snapshot(*FLEET))))


def told(*things: Node | Pod) -> list[str]:
    return [f"{remark.cluster}: {remark.subject} {remark.message}" for remark in drift(the_plan(), a_snapshot(*things))]


def test_nothing_is_told_of_the_fleet_the_plan_was_made_for() -> None:
    assert told(*FLEET) == []


LATER = NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    ("things", "change"),
    [
        ((A, B, BIG, ELSE), "pod default/small is gone"),
        ((A, B, replace(SMALL, uid="another"), BIG, ELSE), "pod default/small is another pod of the same name"),
        ((A, B, replace(SMALL, terminating=True), BIG, ELSE), "pod default/small is terminating"),
        ((A, B, replace(SMALL, node="b"), BIG, ELSE), "pod default/small runs on b instead of a"),
        ((A, B, SMALL, replace(BIG, node="a"), ELSE), "pod default/big has been bound to a"),
        ((A, B, SMALL, BIG), "pod default/else is gone"),
        ((A, SMALL, BIG, ELSE), "node b is gone"),
        ((A, replace(B, ready=False), SMALL, BIG, ELSE), "node b is not Ready any more"),
        ((A, replace(B, unschedulable=True), SMALL, BIG, ELSE), "node b is cordoned"),
        ((*FLEET, replace(a_pod("late", on="b", cpu=1), created=LATER)), "pod default/late is new on b"),
        ((*FLEET, replace(a_pod("late", cpu=1), created=LATER)), "pod default/late is new and waits"),
    ],
)
def test_every_object_that_is_not_what_it_was_is_named(things: tuple[Node | Pod, ...], change: str) -> None:
    assert told(*things) == [f"east: {change}"]


def test_a_change_that_cannot_be_named_is_told_as_such() -> None:
    assert told(A, a_node("b", cpu=2), SMALL, BIG, ELSE) == [f": snapshotDigest {UNNAMED}"]


def test_of_a_cluster_that_cannot_be_read_the_second_look_tells() -> None:
    lost = replace(a_snapshot(), clusters=(), unreadable=(Unreadable(cluster="east", reason="no route"),))

    assert drift(the_plan(), lost) == (Remark(cluster="", subject="snapshotDigest", message=UNNAMED),)


def test_a_plan_that_is_refused_says_what_has_changed_and_one_that_is_carried_out_too() -> None:
    clock, policy = FakeClock(), a_policy(trigger={"pendingFor": "0s"})
    gone = SimulatedFleet(a_snapshot(A, B, BIG, ELSE), clock)
    late = SimulatedFleet(a_snapshot(*FLEET, replace(a_pod("late", cpu=9), created=LATER)), clock)

    with pytest.raises(ExecutionError, match=r"minGainShare.*\nchanged: east/pod default/small is gone"):
        act(the_plan(), policy, gone, Hands(actuator=gone, store=gone), clock)
    outcome = act(the_plan(), policy, late, Hands(actuator=late, store=late), clock)

    assert outcome.complete
    assert [remark.message for remark in outcome.drift] == ["is new and waits"]
