"""Hold: gated at admission, evicted, pinned, released; and never left gated."""

from __future__ import annotations

from datetime import timedelta

import pytest

from descheduler.domain.marks import HOLD_GATE, HOLD_KIND, HOLD_NAME, HOLD_NAMESPACE
from descheduler.domain.plan import Mover
from descheduler.ports import Object
from tests.builders import a_budget, a_node, a_pod
from tests.execute.acting import Stage, message, told
from tests.plan_builders import a_move

DB = a_pod("db-0", on="a", of="db", kind="StatefulSet", cpu=2)
HOLD = Mover.HOLD


def held_owners(stage: Stage) -> list[str]:
    body = stage.fleet.read(Object(cluster="east", kind=HOLD_KIND, namespace=HOLD_NAMESPACE, name=HOLD_NAME))
    return list(body["spec"]["ownerUIDs"]) if body else []


def test_a_stateful_pod_moves_to_exactly_the_planned_node() -> None:
    stage = Stage(a_node("a"), a_node("b"), a_node("c"), DB, a_budget("db"), grace=timedelta(seconds=30), start_delay=timedelta(seconds=9))

    outcome = stage.act(a_move(DB, "c", mover=HOLD))

    assert [(r.outcome, r.node) for r in outcome.results] == [("Done", "c")]
    assert stage.where() == {"db-0": "c"}
    assert stage.leftovers() == []
    assert held_owners(stage) == []


def test_two_pods_change_places_when_one_waits_gated_between_two_waves() -> None:
    one, two = a_pod("one", on="a", of="one", cpu=2), a_pod("two", on="b", of="two", cpu=2)
    stage = Stage(a_node("a", cpu=2), a_node("b", cpu=2), one, two)

    outcome = stage.act(a_move(one, "b", mover=HOLD, wave=1, arrival_wave=3), a_move(two, "a", mover=HOLD, wave=2))

    assert outcome.complete
    assert (stage.nodes_of("one"), stage.nodes_of("two")) == (["b"], ["a"])


def test_nothing_is_evicted_before_the_gate_was_seen_to_work() -> None:
    stage = Stage(a_node("a"), a_node("b"), DB)
    stage.fleet.before_next("create", lambda: None)  # the hold object; then the probe finds it gone
    stage.fleet.before_next(
        "create", lambda: stage.fleet.delete(Object(cluster="east", kind=HOLD_KIND, namespace=HOLD_NAMESPACE, name=HOLD_NAME))
    )

    outcome = stage.act(a_move(DB, "b", mover=HOLD))

    assert message(outcome, "move-db-0") == "after 0:05:00 still: new pods of StatefulSet db are not held yet"
    assert "evict" not in stage.verbs()
    assert stage.where() == {"db-0": "a"}


def test_a_closed_budget_leaves_pod_and_hold_as_they_were() -> None:
    stage = Stage(a_node("a"), a_node("b"), DB, a_budget("db", allowed=0))

    outcome = stage.act(a_move(DB, "b", mover=HOLD))

    assert told(outcome) == {"move-db-0": "Blocked"}
    assert stage.where() == {"db-0": "a"}
    assert held_owners(stage) == []


def test_a_replacement_whose_node_is_lost_is_released_without_restriction() -> None:
    stage = Stage(a_node("a"), a_node("b"), DB)
    stage.fleet.before_next("evict", lambda: stage.fleet.lose_node("east", "b"))

    outcome = stage.act(a_move(DB, "b", mover=HOLD))

    assert told(outcome) == {"move-db-0": "Failed"}
    assert stage.where() == {"db-0": "a"}
    assert stage.leftovers() == []


@pytest.mark.parametrize(("code", "expected", "nodes"), [(409, "Done", "b"), (403, "Failed", "ab")])
def test_a_release_goes_on_when_somebody_else_wrote_the_pod_and_is_without_restriction_when_it_is_refused(
    code: int, expected: str, nodes: str
) -> None:
    stage = Stage(a_node("a"), a_node("b"), DB)
    stage.fleet.before_next("patch", lambda: None)  # the nomination
    stage.fleet.before_next("patch", lambda: stage.fleet.refuse_next("patch", code=code))

    outcome = stage.act(a_move(DB, "b", mover=HOLD))

    assert told(outcome) == {"move-db-0": expected}
    assert str(stage.where()["db-0"]) in nodes
    assert stage.leftovers() == []


def test_who_is_gated_is_released_even_if_the_hold_cannot_be_ended() -> None:
    stage = Stage(a_node("a"), a_node("b"), DB)
    for deed in (lambda: None, lambda: None, lambda: stage.fleet.refuse_next("patch", code=403)):  # nomination, release, end of the hold
        stage.fleet.before_next("patch", deed)
    late = a_pod("db-1", of="db", kind="StatefulSet", gates=[HOLD_GATE])
    stage.fleet.before_next("evict", lambda: stage.fleet.add(late))

    outcome = stage.act(a_move(DB, "b", mover=HOLD))

    assert told(outcome) == {"move-db-0": "Blocked"}
    assert stage.leftovers() == []
    assert not stage.fleet.at_rest("east")


@pytest.mark.parametrize("refusals", [0, 2, 3, 6])
def test_a_gated_sibling_is_set_free_or_told(refusals: int) -> None:
    """Its gate was put on while the hold was ending."""
    sibling = a_pod("db-1", of="db", kind="StatefulSet", gates=[HOLD_GATE])
    stage = Stage(a_node("a"), a_node("b"), DB)

    deeds = (lambda: None, lambda: None, lambda: stage.fleet.add(sibling))  # nomination, release, the end of the hold
    for deed in (*deeds, lambda: stage.fleet.refuse_next("patch", code=403, times=refusals)):
        stage.fleet.before_next("patch", deed)

    outcome = stage.act(a_move(DB, "b", mover=HOLD))

    freed = refusals < 6  # three attempts at the end of the hold, and three a moment later
    assert told(outcome) == {"move-db-0": "Done" if freed else "Failed"}, outcome
    assert (stage.leftovers() == []) == freed


def test_the_held_pods_room_is_kept_against_rivals_of_its_priority() -> None:
    leaver = a_pod("leaver", on="b", of="web", cpu=2, node_selector={"kubernetes.io/hostname": "b"})
    rival = a_pod("rival", cpu=2, node_selector={"kubernetes.io/hostname": "b"})
    stage = Stage(a_node("a"), a_node("b", cpu=4), DB, leaver)
    stage.fleet.before_next("evict", lambda: None)
    stage.fleet.add(a_pod("filler", on="b", cpu=0))
    stage.fleet.before_next("patch", lambda: None)  # the nomination itself, then the release
    stage.fleet.before_next("patch", lambda: stage.fleet.add(rival))

    outcome = stage.act(a_move(DB, "b", mover=HOLD))

    assert outcome.complete
    assert (stage.where()["db-0"], stage.where()["rival"]) == ("b", None)
