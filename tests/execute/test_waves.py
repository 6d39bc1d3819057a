"""Waves: one after the other, a Lease in every cluster, a surprise stops what hangs together and nothing else."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise

import pytest

from descheduler.domain.plan import Mover
from descheduler.domain.snapshot import digest
from descheduler.execute import Hands, execute
from descheduler.federation.simulated import SimulatedFleet
from tests.builders import a_cluster, a_node, a_pod, a_snapshot
from tests.execute.acting import PATIENCE, Stage, message, told
from tests.fakes import FakeClock
from tests.plan_builders import a_move, a_placement, a_plan


def test_a_small_pod_makes_room_for_a_big_one() -> None:
    small, big = a_pod("small", on="big-node", of="web", cpu=1), a_pod("big", of="batch", cpu=4)
    stage = Stage(a_node("big-node", cpu=4), a_node("small-node", cpu=1), small, big)

    outcome = stage.act(a_move(small, "small-node", room_for=[big]), a_placement(big, "big-node", wave=2))

    assert [(r.outcome, r.node) for r in outcome.results] == [("Done", "small-node"), ("Done", "big-node")]
    assert outcome.pending_after == 0
    assert (stage.nodes_of("web"), stage.nodes_of("batch")) == (["small-node"], ["big-node"])


def test_an_empty_plan_touches_nothing() -> None:
    stage = Stage(a_node("n", cpu=1), a_pod("p", on="n", cpu=1))
    before = digest(stage.fleet.snapshot())

    outcome = stage.act()

    assert (outcome.results, stage.fleet.log, digest(stage.fleet.snapshot())) == ((), [], before)


def test_a_cluster_whose_lease_is_held_elsewhere_is_left_out() -> None:
    here, there = a_pod("here", on="a", of="web"), a_pod("there", on="a", of="web", cluster="west")
    east, west = a_cluster("east", a_node("a"), a_node("b"), here), a_cluster("west", a_node("a"), a_node("b"), there)
    stage = Stage(east, west)
    stage.fleet.leases["west"] = "another run"

    outcome = stage.act(a_move(here, "b"), a_move(there, "b"))

    assert told(outcome) == {"move-here": "Done", "move-there": "Skipped"}
    assert message(outcome, "move-there") == "the Lease of west is held elsewhere, by another run"
    assert {call.cluster for call in stage.fleet.log} == {"east"}
    assert stage.fleet.leases == {"west": "another run"}


def test_a_lease_stolen_between_waves_stops_the_cluster() -> None:
    one, two = a_pod("one", on="a", of="one"), a_pod("two", on="a", of="two")
    stage = Stage(a_node("a"), a_node("b"), one, two)
    for deed in (lambda: None, lambda: stage.fleet.leases.update(east="a thief")):  # the second patch is the last of the first move
        stage.fleet.before_next("patch", deed)

    outcome = stage.act(a_move(one, "b"), a_move(two, "b", wave=2))

    assert told(outcome) == {"move-one": "Done", "move-two": "Skipped"}
    assert stage.fleet.leases == {"east": "a thief"}


def test_nothing_is_written_any_more_from_the_moment_a_lease_is_stolen() -> None:
    one = a_pod("one", on="a", of="one")
    stage = Stage(a_node("a"), a_node("b"), one)
    stage.fleet.before_next("patch", lambda: stage.fleet.leases.update(east="a thief"))

    outcome = stage.act(a_move(one, "b"))

    assert told(outcome) == {"move-one": "Blocked"}
    assert "held elsewhere, by a thief" in message(outcome, "move-one")
    assert stage.verbs() == ["create", "patch"]  # what was under way; not even the copy is taken away: that is the thief's now


@pytest.mark.parametrize("gated", [False, True])
def test_a_signal_ends_the_run_at_a_safe_point(gated: bool) -> None:
    one, two = a_pod("one", on="a", of="one"), a_pod("two", on="a", of="two")
    stage = Stage(a_node("a"), a_node("b"), one, two, start_delay=PATIENCE / 10)
    signal: list[str] = []
    stage.fleet.before_next("create", lambda: None)  # rehearsed first
    stage.fleet.before_next("create", lambda: signal.append("stopped by SIGTERM"))

    outcome = stage.act(a_move(one, "b", wave=1 + gated), a_move(two, "b", wave=2), stop=lambda: signal[0] if signal else None)

    assert {result.message for result in outcome.results} == {"stopped by SIGTERM"}
    assert stage.where() == {"one": "a", "two": "a"}
    assert stage.leftovers() == []


def test_a_halted_cluster_is_left_alone_and_the_others_go_on() -> None:
    here, there = a_pod("here", on="a", of="web"), a_pod("there", on="a", of="web", cluster="west")
    east, west = a_cluster("east", a_node("a"), a_node("b"), here), a_cluster("west", a_node("a"), a_node("b"), there)
    stage = Stage(east, west)
    stage.fleet.halts["west"] = "west is halted"

    outcome = stage.act(a_move(here, "b"), a_move(there, "b"))

    assert told(outcome) == {"move-here": "Done", "move-there": "Skipped"}
    assert message(outcome, "move-there") == "west is halted"
    assert {call.cluster for call in stage.fleet.log} == {"east"}


def test_a_surprise_stops_its_workload_and_its_purpose_but_not_the_others() -> None:
    big = a_pod("big", of="big", cpu=9)
    lost = a_pod("lost", on="a", of="web", cpu=1)
    sibling, helper = a_pod("sibling", on="a", of="web"), a_pod("helper", on="a", of="helper")
    stranger = a_pod("stranger", on="a", of="other")
    stage = Stage(a_node("a", cpu=9), a_node("b"), a_node("gone"), lost, sibling, helper, stranger, big)
    stage.fleet.lose_node("east", "gone")

    outcome = stage.act(
        a_move(lost, "gone", room_for=[big]),
        a_move(sibling, "b", wave=2),
        a_move(helper, "b", wave=2, room_for=[big]),
        a_move(stranger, "b", wave=2),
        a_placement(big, "a", wave=3),
    )

    assert told(outcome) == {
        "move-lost": "Blocked",
        "move-sibling": "Skipped",
        "move-helper": "Skipped",
        "move-stranger": "Done",
        "east/default/big": "Skipped",
    }
    assert not outcome.complete


def test_the_next_wave_waits_until_what_left_is_gone() -> None:
    leaver, comer = a_pod("leaver", on="a", of="one", cpu=2), a_pod("comer", on="b", of="two", cpu=2)
    stage = Stage(a_node("a", cpu=2), a_node("b", cpu=2), a_node("c", cpu=2), leaver, comer, grace=PATIENCE / 5)

    outcome = stage.act(a_move(leaver, "c", mover=Mover.EVICT), a_move(comer, "a", wave=2))

    assert outcome.complete
    assert (stage.nodes_of("one"), stage.nodes_of("two")) == (["c"], ["a"])


def test_pods_that_are_not_ours_do_not_count_as_pending() -> None:
    stage = Stage(
        a_node("n", cpu=1),
        a_pod("room", cpu=2),
        a_pod("gated", cpu=2, gates=["g"]),
        a_pod("theirs", cpu=2, scheduler="other"),
        a_pod("claim", cpu=2, waits_for_claim="claim data is unbound"),
        a_pod("opaque", cpu=2, opaque="spec.resourceClaims"),
    )

    assert stage.act().pending_after == 1


def test_whoever_is_thrown_out_by_a_bug_of_ours_leaves_nothing_behind() -> None:
    cart = a_pod("cart", on="hole", of="shop", cpu=2)
    big = a_pod("big", of="big", cpu=2, node_selector={"kubernetes.io/hostname": "hole"})
    stage = Stage(a_node("hole", cpu=2), a_node("x"), cart, big)
    reserved: list[bool] = []

    def bug() -> None:
        reserved.append(any(pod.gates for pod in stage.fleet.snapshot().pods()))
        raise ZeroDivisionError

    for deed in (lambda: None, lambda: None, lambda: None, bug):  # each of the two copies is rehearsed first
        stage.fleet.before_next("create", deed)
    with pytest.raises(ZeroDivisionError):
        stage.act(a_move(cart, "x", room_for=[big]), a_placement(big, "hole", wave=2, mover=Mover.SURGE))

    assert reserved == [True]
    assert stage.where() == {"cart": "hole", "big": None}
    assert stage.leftovers() == []


def test_a_surprise_stops_what_has_not_begun_in_its_own_wave() -> None:
    big = a_pod("big", of="big", cpu=9)
    lost, helper = a_pod("lost", on="a", of="web", cpu=1), a_pod("helper", on="a", of="helper")
    stage = Stage(a_node("a", cpu=9), a_node("b"), a_node("gone"), lost, helper, big)
    stage.fleet.lose_node("east", "gone")

    outcome = stage.act(a_move(lost, "gone", room_for=[big]), a_move(helper, "b", room_for=[big]))

    assert told(outcome) == {"move-lost": "Blocked", "move-helper": "Skipped"}
    assert stage.verbs() == []


def test_a_lease_is_renewed_while_a_wave_waits() -> None:
    """Whoever waits for a pod to become Ready writes nothing for longer than the Lease is good."""
    one = a_pod("one", on="a", of="one")
    clock = FakeClock()
    fleet = Renewing(a_snapshot(a_node("a"), a_node("b"), one), clock, start_delay=PATIENCE / 2)
    fleet.renewed = [clock.now()]

    outcome = execute(a_plan(a_move(one, "b")), fleet, Hands(actuator=fleet, store=fleet, patience=PATIENCE), clock)

    assert outcome.complete
    assert clock.slept >= PATIENCE / 2
    assert max(after - before for before, after in pairwise(fleet.renewed)) <= timedelta(seconds=10)


class Renewing(SimulatedFleet):
    """Knows when its Lease was asked for."""

    renewed: list[datetime]

    def acquire(self, cluster: str, holder: str) -> str | None:
        self.renewed.append(self._clock.now())
        return super().acquire(cluster, holder)


def test_a_lease_that_is_lost_while_a_wave_waits_ends_what_is_under_way_in_its_cluster() -> None:
    here, there = a_pod("here", on="a", of="web"), a_pod("there", on="a", of="web", cluster="west")
    east, west = a_cluster("east", a_node("a"), a_node("b"), here), a_cluster("west", a_node("a"), a_node("b"), there)
    stage = Stage(east, west, start_delay=timedelta(minutes=1))
    for deed in (lambda: None,) * 3 + (lambda: stage.fleet.leases.update(west="a thief"),):  # two dry runs, the copy in east
        stage.fleet.before_next("create", deed)

    outcome = stage.act(a_move(here, "b"), a_move(there, "b"))

    assert told(outcome) == {"move-here": "Done", "move-there": "Blocked"}
    assert message(outcome, "move-there") == "the Lease of west is held elsewhere, by a thief"
    assert stage.fleet.leases == {"west": "a thief"}
