"""Surge: make before break, exactly the planned node, exactly the planned pod, and nothing left behind when it does not work."""

from __future__ import annotations

from datetime import timedelta

import pytest

from descheduler.domain.marks import DELETION_COST, MINIMAL_COST, PREVIOUS_COST, RESERVED_GATE
from descheduler.domain.objects import Pod, Workload
from descheduler.domain.selectors import Taint, Toleration
from tests.builders import HASH, a_deployment, a_node, a_pod
from tests.execute.acting import Stage, message, ready_of, told
from tests.plan_builders import a_move

CART = a_pod("cart", on="a", of="shop", cpu=2)
TILL = a_pod("till", on="a", of="shop", cpu=2)


def test_a_surge_moves_exactly_this_pod_to_exactly_this_node() -> None:
    stage = Stage(a_node("a"), a_node("b"), a_node("c"), CART, TILL)

    outcome = stage.act(a_move(CART, "b"))

    (result,) = outcome.results
    assert (result.outcome, result.node, outcome.pending_after) == ("Done", "b", 0)
    assert stage.nodes_of("shop") == ["a", "b"]
    assert "till" in stage.where()
    assert stage.leftovers() == []


@pytest.mark.parametrize("delay", [timedelta(), timedelta(seconds=40)])
def test_ready_replicas_never_fall_below_desired(delay: timedelta) -> None:
    stage = Stage(a_node("a"), a_node("b"), CART, TILL, start_delay=delay, grace=timedelta(seconds=30))
    seen = stage.watch(ready_of("shop"))

    outcome = stage.act(a_move(CART, "b"), a_move(TILL, "b"))

    assert told(outcome) == {"move-cart": "Done", "move-till": "Done"}
    assert set(seen) <= {2, 3, 4}
    assert stage.nodes_of("shop") == ["b", "b"]


def test_nothing_is_evicted_and_nothing_deleted_by_us() -> None:
    stage = Stage(a_node("a"), a_node("b"), CART, TILL)

    stage.act(a_move(CART, "b"))

    assert stage.verbs() == ["create", "patch", "patch"]


def test_the_moved_pod_is_not_frozen_by_its_pin() -> None:
    stage = Stage(a_node("a"), a_node("b"), CART, TILL)

    stage.act(a_move(CART, "b"))

    assert {pod.spec for pod in stage.fleet.snapshot().pods()} == {CART.spec}


def test_a_pod_can_be_moved_twice() -> None:
    stage = Stage(a_node("a"), a_node("b"), CART)
    stage.act(a_move(CART, "b"))
    (moved,) = stage.fleet.snapshot().pods()

    outcome = stage.act(a_move(moved, "a"))

    assert outcome.complete
    assert stage.nodes_of("shop") == ["a"]


@pytest.mark.parametrize(
    ("deployment", "why"),
    [
        (a_deployment("shop", strategy="Recreate"), "Deployment shop has strategy Recreate"),
        (a_deployment("shop", max_surge=0), "Deployment shop has maxSurge 0"),
        (a_deployment("shop", rolling=True), "Deployment shop is rolling out"),
    ],
)
def test_a_deployment_that_never_wants_two_at_once_is_not_surged(deployment: Workload, why: str) -> None:
    stage = Stage(a_node("a"), a_node("b"), CART, deployment)

    outcome = stage.act(a_move(CART, "b"))

    assert message(outcome, "move-cart") == why
    assert stage.verbs() == []


def test_a_bare_replica_set_is_not_surged() -> None:
    bare = a_pod("bare", on="a", of="shop", kind="ReplicaSet")
    stage = Stage(a_node("a"), a_node("b"), bare)

    outcome = stage.act(a_move(bare, "b"))

    assert message(outcome, "move-bare") == "ReplicaSet shop has no Deployment"


@pytest.mark.parametrize(
    ("sibling", "why"),
    [
        (a_pod("till", on="a", of="shop", ready=False), f"not every replica of shop-{HASH} is Ready"),
        (
            a_pod("till", on="a", of="shop", annotations={DELETION_COST: str(MINIMAL_COST)}),
            f"another replica of shop-{HASH} carries the minimal deletion cost",
        ),
    ],
)
def test_a_sibling_that_would_be_dropped_instead_stops_it(sibling: Pod, why: str) -> None:
    cart = a_pod("cart", on="a", of="shop")
    stage = Stage(a_node("a"), a_node("b"), cart, sibling)

    outcome = stage.act(a_move(cart, "b"))

    assert message(outcome, "move-cart") == why
    assert stage.verbs() == []


def test_a_pod_that_came_back_under_its_name_is_not_touched() -> None:
    stage = Stage(a_node("a"), a_node("b"), CART)
    stage.fleet.remove(CART.ref)
    stage.fleet.add(a_pod("cart", on="a", of="shop", cpu=2, uid="another"))

    outcome = stage.act(a_move(CART, "b"))

    assert told(outcome) == {"move-cart": "Blocked"}
    assert message(outcome, "move-cart") == "east/default/cart is another pod by now: its UID is another"
    assert stage.verbs() == []


def test_a_destination_that_filled_up_since_is_not_tried() -> None:
    stage = Stage(a_node("a"), a_node("b", cpu=2), CART)
    stage.fleet.add(a_pod("rival", on="b", cpu=1))

    outcome = stage.act(a_move(CART, "b"))

    assert message(outcome, "move-cart") == "east/b cannot take east/default/cart any more: Insufficient cpu"
    assert stage.verbs() == []


def test_a_rival_that_takes_the_room_under_the_copy_stops_the_workload() -> None:
    stage = Stage(a_node("a"), a_node("b", cpu=2), a_node("c"), CART, TILL)
    stage.fleet.before_next("create", lambda: None)  # the dry run
    stage.fleet.before_next("create", lambda: stage.fleet.add(a_pod("rival", on="b", cpu=2)))

    outcome = stage.act(a_move(CART, "b"), a_move(TILL, "c", wave=2))

    assert told(outcome) == {"move-cart": "Blocked", "move-till": "Skipped"}
    assert message(outcome, "move-cart").endswith(" any more: Insufficient cpu")
    assert message(outcome, "move-till") == "stopped with move-cart"
    assert stage.clock.slept < timedelta(minutes=1)  # nobody waits for what cannot be
    assert stage.where() == {"cart": "a", "till": "a", "rival": "b"}
    assert stage.leftovers() == []


def test_a_node_lost_while_the_copy_starts_blocks_the_move() -> None:
    stage = Stage(a_node("a"), a_node("b"), CART, start_delay=timedelta(minutes=30))
    stage.fleet.before_next("create", lambda: None)
    stage.fleet.before_next("create", lambda: stage.fleet.lose_node("east", "b"))

    outcome = stage.act(a_move(CART, "b"))

    assert told(outcome) == {"move-cart": "Blocked"}
    assert message(outcome, "move-cart").endswith(" any more: node(s) were not ready")
    assert stage.where() == {"cart": "a"}
    assert stage.leftovers() == []


def test_a_refused_adoption_gives_the_user_his_deletion_cost_back() -> None:
    cart = a_pod("cart", on="a", of="shop", annotations={DELETION_COST: "7"})
    stage = Stage(a_node("a"), a_node("b"), cart, a_pod("till", on="a", of="shop"))
    stage.fleet.before_next("patch", lambda: None)
    stage.fleet.before_next("patch", lambda: stage.fleet.refuse_next("patch", code=403))

    outcome = stage.act(a_move(cart, "b"))

    (found,) = [pod for pod in stage.fleet.snapshot().pods() if pod.ref.name == "cart"]
    assert told(outcome) == {"move-cart": "Blocked"}
    assert dict(found.annotations) == {DELETION_COST: "7"}
    assert stage.leftovers() == []


def test_a_sibling_that_stops_being_ready_stops_the_adoption() -> None:
    stage = Stage(a_node("a"), a_node("b"), a_node("c"), CART, a_pod("till", on="c", of="shop", cpu=2))
    stage.fleet.before_next("patch", lambda: stage.fleet.lose_node("east", "c"))

    outcome = stage.act(a_move(CART, "b"))

    (found,) = [pod for pod in stage.fleet.snapshot().pods() if pod.ref.name == "cart"]
    assert message(outcome, "move-cart") == f"not every replica of shop-{HASH} is Ready"
    assert PREVIOUS_COST not in dict(found.annotations)
    assert stage.leftovers() == []


def test_a_scale_down_that_races_the_adoption_is_told_and_leaves_no_mark() -> None:
    stage = Stage(a_node("a"), a_node("b"), CART, TILL)
    stage.fleet.before_next("patch", lambda: stage.fleet.scale("east", "default", "ReplicaSet", f"shop-{HASH}", 1))

    outcome = stage.act(a_move(CART, "b"))

    assert told(outcome) == {"move-cart": "Blocked"}
    assert len(stage.nodes_of("shop")) == 1
    assert stage.leftovers() == []


def test_a_lost_answer_to_the_create_is_looked_up() -> None:
    stage = Stage(a_node("a"), a_node("b"), CART)
    stage.fleet.before_next("create", lambda: None)
    stage.fleet.before_next("create", lambda: stage.fleet.unknown_next("create"))

    outcome = stage.act(a_move(CART, "b"))

    assert outcome.complete
    assert stage.nodes_of("shop") == ["b"]


def test_admission_that_makes_something_else_of_the_copy_stops_the_surge() -> None:
    template, resized = a_pod("a-first", on="a", of="shop", cpu=2), a_pod("cart", on="a", of="shop", cpu=3)
    stage = Stage(a_node("a"), a_node("b"), template, resized)

    outcome = stage.act(a_move(resized, "b"))

    assert message(outcome, "move-cart") == "a copy of cart would differ in requests"
    assert stage.verbs() == []


def test_two_nodes_of_one_hostname_cannot_be_told_apart_by_a_pin() -> None:
    stage = Stage(a_node("a"), a_node("b"), a_node("twin", labels={"kubernetes.io/hostname": "b"}), CART)

    outcome = stage.act(a_move(CART, "b"))

    assert message(outcome, "move-cart") == "east/b: no label kubernetes.io/hostname of its own to pin a pod to it"


def test_a_surge_into_room_that_an_earlier_wave_makes_is_reserved_against_rivals() -> None:
    for rival_priority in (0, -1):
        rival = a_pod("rival", cpu=2, priority=rival_priority)
        nodes = [a_node("a", cpu=2), a_node("b", cpu=2), a_node("c", cpu=2, taints=[Taint("kept")])]
        leaver = a_pod("leaver", on="b", of="other", cpu=2, tolerations=[Toleration("kept", "Exists")])
        stage = Stage(*nodes, CART, leaver, rival, choice="adversarial")

        outcome = stage.act(a_move(leaver, "c"), a_move(CART, "b", wave=2))

        assert told(outcome) == {"move-leaver": "Done", "move-cart": "Done"}
        assert stage.nodes_of("shop") == ["b"]
        assert stage.where()["rival"] == "a"


@pytest.mark.parametrize(("priority", "kept"), [(0, True), (-1, True), (1, False)])
def test_a_copy_claims_its_room_first_where_somebody_waits_whom_a_claim_holds_off(priority: int, kept: bool) -> None:
    """He may have been about to be bound: kube-scheduler tries again at its leisure."""
    stage = Stage(a_node("a", cpu=4), a_node("b", cpu=4), CART, a_pod("waits", cpu=9, priority=priority))
    seen = stage.watch(lambda fleet: any(RESERVED_GATE in pod.gates for pod in fleet.snapshot().pods()))

    outcome = stage.act(a_move(CART, "b"))

    assert told(outcome) == {"move-cart": "Done"}
    assert any(seen) == kept


def test_a_gate_that_somebody_writes_beside_us_is_taken_off_all_the_same() -> None:
    stage = Stage(a_node("a", cpu=4), a_node("b", cpu=4), CART, a_pod("waits", cpu=9))
    stage.fleet.before_next("patch", lambda: None)  # the nomination
    stage.fleet.before_next("patch", lambda: stage.fleet.refuse_next("patch", code=409))

    outcome = stage.act(a_move(CART, "b"))

    assert told(outcome) == {"move-cart": "Done"}
    assert stage.leftovers() == []


def test_a_copy_that_cannot_be_taken_away_leaves_the_cluster_for_recovery_to_look_at() -> None:
    stage = Stage(a_node("a"), a_node("b"), CART, start_delay=timedelta(minutes=1))
    signal: list[str] = []
    for deed in (lambda: None, lambda: signal.append("stopped by SIGTERM")):  # rehearsed first
        stage.fleet.before_next("create", deed)
    stage.fleet.refuse_next("delete", code=403, times=9)

    outcome = stage.act(a_move(CART, "b"), stop=lambda: signal[0] if signal else None)

    assert told(outcome) == {"move-cart": "Skipped"}
    assert stage.leftovers() != []
    assert not stage.fleet.at_rest("east")


@pytest.mark.parametrize("told_to_end", [False, True])
def test_a_busy_server_is_left_alone_but_not_for_long_by_a_run_that_shall_end(told_to_end: bool) -> None:
    stage = Stage(a_node("a"), a_node("b"), CART)
    stage.fleet.refuse_next("create", code=429, retry_after=30, times=9)
    asked: list[None] = []

    def stop() -> str | None:
        asked.append(None)
        return "stopped by SIGTERM" if told_to_end and len(asked) > 3 else None

    stage.act(a_move(CART, "b"), stop=stop)

    assert stage.clock.slept == timedelta(seconds=1 if told_to_end else 90)  # four attempts, and three pauses between them
