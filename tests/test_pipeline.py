"""The corridor end to end: from a snapshot to a plan, and on a simulated fleet to its results."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from descheduler.domain.snapshot import Snapshot, Unreadable
from descheduler.errors import ClusterUnreadable
from descheduler.execute import Hands
from descheduler.federation.simulated import SimulatedFleet
from descheduler.pipeline import Options, plan, run
from tests.builders import NOW, a_cluster, a_node, a_pod, a_snapshot
from tests.fakes import FakeClock
from tests.problems import a_policy

OPTIONS = Options(run_id="run-1", created_at=NOW)
EAST = a_cluster(
    "east",
    a_node("big", cpu=8),
    a_node("middle", cpu=5),
    a_node("small", cpu=2),
    a_pod("search", of="search", on="big", cpu=4),
    a_pod("cache", of="cache", on="middle", cpu=2),
    a_pod("train", of="train", cpu=8),
)
WEST = a_cluster("west", a_node("n0", cpu=4), a_pod("fits", of="fits", cpu=3), a_pod("huge", of="huge", cpu=30))


def a_fleet() -> Snapshot:
    return a_snapshot(EAST, WEST)


def waiting(snapshot: Snapshot) -> set[str]:
    return {str(pod.ref).rsplit("-5d8", 1)[0] for pod in snapshot.pods() if pod.waiting}


def test_what_a_plan_places_waits_no_longer_when_it_has_been_carried_out() -> None:
    clock = FakeClock()
    fleet = SimulatedFleet(a_fleet(), clock)

    report = run(fleet, Hands(actuator=fleet, store=fleet), a_policy(), OPTIONS, clock)

    assert {str(placed.pod) for placed in report.plan.placements} == {"east/default/train", "west/default/fits"}
    assert waiting(fleet.snapshot()) == {"west/default/huge"}
    assert report.outcome is not None
    assert (report.outcome.complete, report.outcome.pending_after) == (True, 1)


def test_a_pod_is_made_room_for_in_the_run_in_which_it_has_been_seen_often_enough() -> None:
    clock = FakeClock()
    fleet = SimulatedFleet(a_fleet(), clock)
    policy = a_policy(trigger={"pendingFor": "0s", "seenInRuns": 3})
    placed = []

    for number in range(4):
        hands = Hands(actuator=fleet, store=fleet)
        report = run(fleet, hands, policy, replace(OPTIONS, run_id=f"run-{number}"), clock)
        placed.append({str(each.pod) for each in report.plan.placements if each.pod.cluster == "east"})

    assert placed == [set(), set(), {"east/default/train"}, set()]
    assert waiting(fleet.snapshot()) == {"west/default/huge"}


def test_without_an_actuator_nothing_is_written() -> None:
    clock = FakeClock()
    fleet = SimulatedFleet(a_fleet(), clock)

    report = run(fleet, None, a_policy(), OPTIONS, clock)

    assert report.plan.moves
    assert report.outcome is None
    assert (fleet.log, fleet.leases) == ([], {})


def test_an_empty_plan_is_not_carried_out() -> None:
    clock = FakeClock()
    fleet = SimulatedFleet(a_snapshot(a_node("n0"), a_pod("cart", of="cart", on="n0")), clock)

    report = run(fleet, Hands(actuator=fleet, store=fleet), a_policy(), OPTIONS, clock)

    assert report.outcome is None


def test_an_unreadable_cluster_ends_the_run_where_the_policy_says_so() -> None:
    snapshot = replace(a_fleet(), unreadable=(Unreadable(cluster="north", reason="pods.json: not JSON"),))

    with pytest.raises(ClusterUnreadable, match=r"north: pods\.json: not JSON") as refusal:
        plan(snapshot, a_policy(unreadableCluster="Fail"), OPTIONS)

    assert refusal.value.exit_code == 5


def test_an_unreadable_cluster_is_left_out_and_reported_otherwise() -> None:
    lost = Unreadable(cluster="north", reason="pods.json: not JSON")

    report = plan(replace(a_fleet(), unreadable=(lost,)), a_policy(), OPTIONS)

    assert report.unreadable == (lost,)
    assert len(report.plan.placements) == 2


def test_a_pod_that_only_limits_keep_out_is_told_so() -> None:
    report = plan(a_fleet(), a_policy(limits={"perRun": 1}), OPTIONS)

    told = {str(left.pod): (left.category, left.reason) for left in report.plan.unplaced}
    assert told["east/default/train"] == ("Limits", "the policy's limits; a further pass without them makes room with 2 moves in all")
    assert told["west/default/huge"][0] == "Never"


def test_a_pod_out_of_scope_that_would_fit_is_told_so() -> None:
    report = plan(a_fleet(), a_policy(scope={"clusters": {"exclude": ["west"]}}), OPTIONS)

    told = {str(left.pod): (left.category, left.reason) for left in report.plan.unplaced}
    assert told["west/default/fits"] == ("Limits", "outside the policy's scope")


def test_what_the_final_placement_leaves_no_room_for_is_room_not_limits() -> None:
    """``late`` is held back by the trigger, but what it could have taken goes to ``early``."""
    snapshot = a_snapshot(a_node("n0", cpu=4), a_pod("early", of="early", cpu=4), a_pod("late", of="late", cpu=4, waiting_since=NOW))

    (left,) = plan(snapshot, a_policy(), OPTIONS).plan.unplaced

    assert left.category == "Room"


def test_a_plan_that_ran_out_of_time_says_so() -> None:
    hurried = replace(OPTIONS, time_limit=timedelta(microseconds=1))

    assert not plan(a_fleet(), a_policy(), hurried).plan.metadata.reproducible
    assert plan(a_fleet(), a_policy(), OPTIONS).plan.metadata.reproducible


def test_the_policys_effort_holds_unless_the_run_says_otherwise() -> None:
    policy = a_policy(solver={"effort": 0.5})

    assert plan(a_fleet(), policy, OPTIONS).plan.metadata.effort == 0.5
    assert plan(a_fleet(), policy, replace(OPTIONS, effort=2.0)).plan.metadata.effort == 2.0


def test_the_report_counts_what_is_not_modelled() -> None:
    strange = [a_pod(f"p{i}", on="n0", opaque="spec.resourceClaims") for i in range(2)]

    report = plan(a_snapshot(a_node("n0"), *strange, a_pod("q", on="n0", opaque="spec.affinity.podAffinity")), a_policy(), OPTIONS)

    assert report.opaque == (("spec.resourceClaims", 2), ("spec.affinity.podAffinity", 1))
    assert (report.nodes, report.running) == (1, 3)
