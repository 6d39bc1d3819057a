"""Waiting pods: a reserved copy gets exactly its hole against every rival; what is only scheduled may lose it, and says so."""

from __future__ import annotations

from dataclasses import replace

import pytest

from descheduler.domain.marks import RESERVED_GATE
from descheduler.domain.plan import Mover
from descheduler.execute.destination import has_room
from descheduler.ports import Object
from tests.builders import a_node, a_pod
from tests.execute.acting import PATIENCE, Stage, message, told
from tests.plan_builders import a_move, a_placement

SURGE = Mover.SURGE
LEFT, RIGHT = a_pod("left", on="hole", of="left", cpu=3), a_pod("right", on="hole", of="right", cpu=3)
NODES = [a_node("hole", cpu=6), a_node("x", cpu=3), a_node("y", cpu=3)]
BIG = a_pod("big", of="big", cpu=6, priority=1000)
MAKE_ROOM = [a_move(LEFT, "x", room_for=[BIG]), a_move(RIGHT, "y", wave=2, room_for=[BIG])]


@pytest.mark.parametrize("priority", [1000, 999, 0])
@pytest.mark.parametrize("seed", range(4))
def test_a_half_made_hole_is_kept_for_its_pod_against_equal_and_lower_rivals(priority: int, seed: int) -> None:
    selector = {"kubernetes.io/hostname": "hole"}
    rival = a_pod("rival", cpu=3, priority=priority, node_selector=selector)
    stage = Stage(*NODES, LEFT, RIGHT, BIG, rival, choice="adversarial", seed=seed)

    outcome = stage.act(*MAKE_ROOM, a_placement(BIG, "hole", wave=3, mover=SURGE))

    assert outcome.complete
    assert (stage.nodes_of("big"), stage.where()["rival"]) == (["hole"], None)
    assert stage.leftovers() == []
    assert outcome.pending_after == 1


def test_without_a_reserved_copy_the_rival_takes_the_first_half_and_the_rest_is_stopped() -> None:
    rival = a_pod("rival", cpu=3, node_selector={"kubernetes.io/hostname": "hole"})
    stage = Stage(*NODES, LEFT, RIGHT, BIG, rival)

    outcome = stage.act(*MAKE_ROOM, a_placement(BIG, "hole", wave=3, contested=True))

    assert told(outcome) == {"move-left": "Done", "move-right": "Done", "east/default/big": "Blocked"}
    assert message(outcome, "east/default/big") == "east/default/big: no node has room for it any more"
    assert stage.clock.slept < PATIENCE / 2


def test_a_pod_whose_room_is_still_kept_by_a_copy_of_ours_is_waited_for() -> None:
    leaver, waits = a_pod("leaver", on="hole", of="leaver", cpu=4), a_pod("waits", cpu=2, node_selector={"kubernetes.io/hostname": "hole"})
    copy = replace(a_pod("copy", cpu=4, gates=[RESERVED_GATE]), nominated_node="hole")
    stage = Stage(a_node("hole", cpu=6), leaver, waits, copy)
    world = stage.world()
    what = Object(cluster="east", kind="Pod", namespace="default", name="waits", uid=waits.uid)

    assert not has_room(world, what)
    world.reserved[Object(cluster="east", kind="Pod", namespace="default", name="copy", uid=copy.uid)] = "hole"
    assert has_room(world, what)


def test_a_pod_is_waited_for_that_has_been_promised_room_or_will_have_it_when_others_have_gone() -> None:
    full, waits = a_pod("full", on="hole", cpu=4), a_pod("waits", cpu=2)
    scenes = ((full, waits, False), (replace(full, terminating=True), waits, True), (full, replace(waits, nominated_node="hole"), True))
    for there, waiting, expected in scenes:
        world = Stage(a_node("hole", cpu=4), there, waiting).world()

        assert has_room(world, Object(cluster="east", kind="Pod", namespace="default", name="waits", uid=waits.uid)) == expected


def test_exactly_the_planned_one_of_two_waiting_siblings_is_placed() -> None:
    first, second = (a_pod(name, of="big", cpu=2, node_selector={"kubernetes.io/hostname": "hole"}) for name in ("first", "second"))
    leaver = a_pod("leaver", on="hole", of="left", cpu=2)
    stage = Stage(a_node("hole", cpu=2), a_node("x", cpu=2), leaver, first, second)

    outcome = stage.act(a_move(leaver, "x", room_for=[second]), a_placement(second, "hole", wave=2, mover=SURGE))

    assert outcome.complete
    assert stage.where()["first"] is None
    assert "second" not in stage.where()


def test_a_reserved_copy_goes_when_the_move_that_makes_its_room_is_blocked() -> None:
    stage = Stage(*NODES, LEFT, RIGHT, BIG)
    stage.fleet.lose_node("east", "x")

    outcome = stage.act(*MAKE_ROOM, a_placement(BIG, "hole", wave=3, mover=SURGE))

    assert told(outcome) == {"move-left": "Blocked", "move-right": "Skipped", "east/default/big": "Skipped"}
    assert stage.where() == {"left": "hole", "right": "hole", "big": None}
    assert stage.leftovers() == []


def test_a_pod_that_kube_scheduler_binds_first_is_done_and_its_copy_goes() -> None:
    waiting = a_pod("waiting", of="web", cpu=2, gates=["example.com/later"])
    stage = Stage(a_node("hole", cpu=2), a_node("x", cpu=2), waiting)
    stage.fleet.before_next("create", lambda: None)  # the dry run
    stage.fleet.before_next("create", lambda: stage.fleet.bind(waiting.ref, "x"))

    outcome = stage.act(a_placement(waiting, "hole", mover=SURGE))

    assert [(r.outcome, r.node, r.message) for r in outcome.results] == [("Done", "x", "kube-scheduler bound it to x first")]
    assert stage.where() == {"waiting": "x"}
    assert stage.leftovers() == []


def test_a_scheduled_pod_is_done_on_whatever_node_it_got() -> None:
    small = a_pod("small", of="small", cpu=3)
    stage = Stage(a_node("hole", cpu=6), a_node("x", cpu=6), LEFT, RIGHT, a_pod("filler", on="x", cpu=1), small, seed=1)
    stage.fleet.before_next("create", lambda: stage.fleet.remove(a_pod("filler").ref))

    outcome = stage.act(a_move(LEFT, "x", room_for=[small]), a_placement(small, "hole", wave=2))

    (result,) = [r for r in outcome.results if r.subject == "east/default/small"]
    assert result.outcome == "Done"
    assert result.node == stage.where()["small"]


def test_a_waiting_pod_that_fits_already_needs_no_move() -> None:
    stage = Stage(a_node("n", cpu=2), a_pod("waiting", of="web", cpu=2))

    outcome = stage.act(a_placement(a_pod("waiting", of="web", cpu=2), "n"))

    assert outcome.complete
    assert stage.verbs() == []


def test_who_arrives_beside_room_that_is_being_kept_waits_until_the_leaver_has_left() -> None:
    leaver = a_pod("leaver", on="hole", of="leaver", cpu=4)
    big = a_pod("big", of="big", cpu=4, priority=10, node_selector={"kubernetes.io/hostname": "hole"})
    comer = a_pod("comer", on="y", of="comer", cpu=2)
    stage = Stage(a_node("hole", cpu=6), a_node("x", cpu=4), a_node("y", cpu=2), leaver, big, comer)

    # In any order within the wave: the comer fits beside the leaver, and beside what is kept for big; not beside both.
    outcome = stage.act(a_move(comer, "hole"), a_move(leaver, "x", room_for=[big]), a_placement(big, "hole", wave=2, mover=SURGE))

    assert outcome.complete, outcome
    assert (stage.nodes_of("comer"), stage.nodes_of("big")) == (["hole"], ["hole"])
