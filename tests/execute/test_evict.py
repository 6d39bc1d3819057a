"""Evict: only through the Eviction API, only with a destination looked at again, waiting while the budget is closed."""

from __future__ import annotations

from datetime import timedelta

from descheduler.domain.plan import Mover
from tests.builders import HASH, a_budget, a_node, a_pod
from tests.execute.acting import Stage, message, ready_of, told
from tests.plan_builders import a_move

CART = a_pod("cart", on="a", of="shop", cpu=2)
TILL = a_pod("till", on="a", of="shop", cpu=2)
EVICT = Mover.EVICT


def test_an_evicted_pods_replacement_runs_where_there_is_room() -> None:
    stage = Stage(a_node("a", unschedulable=True), a_node("b"), CART, a_budget("shop"))

    outcome = stage.act(a_move(CART, "b", mover=EVICT))

    assert [(r.outcome, r.node, r.message) for r in outcome.results] == [("Done", "b", "")]
    assert stage.verbs() == ["evict"]


def test_any_node_is_fine_when_the_plan_names_none() -> None:
    stage = Stage(a_node("a"), CART)

    outcome = stage.act(a_move(CART, None, mover=EVICT))

    assert [(r.outcome, r.node) for r in outcome.results] == [("Done", "a")]


def test_an_eviction_waits_for_its_budget() -> None:
    nodes = [a_node("a", unschedulable=True), a_node("b")]
    stage = Stage(*nodes, CART, TILL, a_budget("shop"), start_delay=timedelta(seconds=30), grace=timedelta(seconds=5))
    seen = stage.watch(ready_of("shop"))

    outcome = stage.act(a_move(CART, "b", mover=EVICT), a_move(TILL, "b", mover=EVICT))

    assert outcome.complete
    assert set(seen) == {1, 2}
    assert 429 in [call.code for call in stage.fleet.log]


def test_a_budget_that_stays_closed_blocks_the_move_after_patience() -> None:
    stage = Stage(a_node("a"), a_node("b"), CART, a_budget("shop", allowed=0))

    outcome = stage.act(a_move(CART, "b", mover=EVICT))

    assert told(outcome) == {"move-cart": "Blocked"}
    assert message(outcome, "move-cart").startswith("after 0:05:00 still: east/default/cart may not be evicted: Cannot evict pod")
    assert stage.where() == {"cart": "a"}


def test_the_servers_wish_to_be_left_alone_is_heeded() -> None:
    stage = Stage(a_node("a", unschedulable=True), a_node("b"), CART)
    stage.fleet.refuse_next("evict", code=429, retry_after=100)

    outcome = stage.act(a_move(CART, "b", mover=EVICT))

    assert outcome.complete
    assert stage.clock.slept >= timedelta(seconds=100)
    assert [call.code for call in stage.fleet.log] == [429, 201]


def test_a_pod_under_two_budgets_stays() -> None:
    stage = Stage(a_node("a"), a_node("b"), CART, a_budget("shop", name="one"), a_budget("shop", name="two"))

    outcome = stage.act(a_move(CART, "b", mover=EVICT))

    assert told(outcome) == {"move-cart": "Blocked"}
    assert stage.verbs() == []


def test_nothing_is_evicted_when_the_destination_is_lost_or_full() -> None:
    lost, full = Stage(a_node("a"), a_node("b"), CART), Stage(a_node("a"), a_node("b", cpu=2), CART)
    lost.fleet.lose_node("east", "b")
    full.fleet.add(a_pod("rival", on="b", cpu=1))

    outcomes = [stage.act(a_move(CART, "b", mover=EVICT)) for stage in (lost, full)]

    assert [told(outcome) for outcome in outcomes] == [{"move-cart": "Blocked"}] * 2
    assert lost.verbs() == full.verbs() == []


def test_the_destination_is_looked_at_again_before_every_attempt() -> None:
    stage = Stage(a_node("a"), a_node("b", cpu=2), CART)
    stage.fleet.refuse_next("evict", code=429)
    stage.fleet.before_next("evict", lambda: stage.fleet.add(a_pod("rival", on="b", cpu=1)))

    outcome = stage.act(a_move(CART, "b", mover=EVICT))

    assert message(outcome, "move-cart") == "east/b cannot take east/default/cart any more: Insufficient cpu"
    assert stage.verbs() == []


def test_a_pod_that_becomes_another_one_right_before_the_eviction_is_spared_by_its_uid() -> None:
    stage = Stage(a_node("a"), a_node("b"), CART)

    def come_back() -> None:
        stage.fleet.remove(CART.ref)
        stage.fleet.add(a_pod("cart", on="a", of="shop", cpu=2, uid="another"))

    stage.fleet.before_next("evict", come_back)

    outcome = stage.act(a_move(CART, "b", mover=EVICT))

    assert told(outcome) == {"move-cart": "Blocked"}
    assert stage.where()["cart"] == "a"
    assert stage.verbs() == []


def test_a_pod_without_a_controller_is_never_evicted() -> None:
    bare = a_pod("bare", on="a")
    stage = Stage(a_node("a"), a_node("b"), bare)

    outcome = stage.act(a_move(bare, "b", mover=EVICT))

    assert told(outcome) == {"move-bare": "Blocked"}
    assert stage.verbs() == []


def test_an_eviction_whose_answer_is_lost_is_looked_up_and_not_repeated() -> None:
    stage = Stage(a_node("a", unschedulable=True), a_node("b"), CART)
    stage.fleet.unknown_next("evict")

    outcome = stage.act(a_move(CART, "b", mover=EVICT))

    assert outcome.complete
    assert [call.verb for call in stage.fleet.log] == ["evict"]


def test_a_replacement_that_finds_no_room_makes_the_move_fail_not_block() -> None:
    stage = Stage(a_node("a", unschedulable=True), a_node("b", cpu=2), CART)
    stage.fleet.before_next("evict", lambda: stage.fleet.add(a_pod("rival", on="b", cpu=2)))

    outcome = stage.act(a_move(CART, "b", mover=EVICT))

    assert told(outcome) == {"move-cart": "Failed"}
    assert outcome.pending_after == 1


def test_a_sibling_that_came_while_the_budget_was_closed_is_not_taken_for_the_replacement() -> None:
    nodes = [a_node("a", cpu=2), a_node("b", cpu=2), a_node("c", cpu=2)]
    stage = Stage(*nodes, CART, a_pod("filler", on="b", cpu=2))
    stage.fleet.refuse_next("evict", code=429, retry_after=10)
    stage.fleet.before_next("evict", lambda: stage.fleet.scale("east", "default", "ReplicaSet", f"shop-{HASH}", 2))  # it runs on c
    stage.fleet.before_next("evict", lambda: stage.fleet.remove(a_pod("filler").ref))

    outcome = stage.act(a_move(CART, None, mover=EVICT))

    sibling, replacement = sorted((p for p in stage.fleet.snapshot().pods() if p.owner), key=lambda p: str(p.node), reverse=True)
    assert (sibling.node, [(r.outcome, r.node) for r in outcome.results]) == ("c", [("Done", replacement.node)])
