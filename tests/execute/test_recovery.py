"""Recovery: every state that an interrupted run can leave is finished or undone. What a real kill leaves: tests/cluster/test_killing.py."""

from __future__ import annotations

from dataclasses import replace

import pytest

from descheduler.domain.marks import DELETION_COST, EXPIRES, HOLD_GATE, JOURNAL, MOVE_OF, PREVIOUS_COST, RESERVED_GATE, RUN, TEMPLATE_HASH
from descheduler.domain.objects import Pod
from descheduler.domain.plan import Mover
from descheduler.domain.report import StepResult
from descheduler.execute import recover
from tests.builders import a_node, a_pod
from tests.execute.acting import Stage, told
from tests.plan_builders import a_move

CART = a_pod("cart", on="a", of="shop", cpu=1)
NODES = [a_node("a"), a_node("b")]


def a_copy(of: Pod, on: str | None, **changes: object) -> Pod:
    """What a surge leaves when it is interrupted before the adoption."""
    labels = tuple(pair for pair in of.labels if pair[0] != TEMPLATE_HASH)
    notes = ((MOVE_OF, of.uid), (RUN, "dead"), (EXPIRES, "2026-01-01T00:00:00Z"))
    bound = {"phase": "Running", "ready": True} if on else {"phase": "Pending", "ready": False}
    name = replace(of.ref, name=f"{of.ref.name}-copy")
    copy = replace(of, ref=name, uid="copy", owner=None, labels=labels, annotations=notes, node=on, **bound)  # type: ignore[arg-type]
    return replace(copy, **changes)  # type: ignore[arg-type]


def taken_over(stage: Stage) -> None:
    """Another run takes the Lease, recovers, and goes on."""
    stage.fleet.leases.clear()
    recovered(stage)
    stage.fleet.leases["east"] = "another run"


def recovered(stage: Stage) -> tuple[StepResult, ...]:
    return recover(stage.fleet.snapshot(), stage.fleet, stage.hands(), stage.clock, "run-2")


def test_where_nothing_was_left_nothing_is_asked_for() -> None:
    stage = Stage(*NODES, CART)

    assert recovered(stage) == ()
    assert (stage.fleet.log, stage.fleet.leases) == ([], {})


def test_a_copy_that_runs_is_adopted_and_the_original_goes() -> None:
    stage = Stage(*NODES, CART, a_copy(CART, "b"))

    assert [result.outcome for result in recovered(stage)] == ["Done"]
    assert stage.nodes_of("shop") == ["b"]
    assert stage.leftovers() == []


@pytest.mark.parametrize(
    "copy",
    [
        a_copy(CART, "b", ready=False),
        a_copy(CART, None, gates=(RESERVED_GATE,), nominated_node="b"),
        a_copy(a_pod("gone", on="a", of="shop", cpu=1), "b"),
    ],
)
def test_a_copy_that_cannot_take_its_place_is_taken_away(copy: Pod) -> None:
    stage = Stage(*NODES, CART, copy)

    assert [result.outcome for result in recovered(stage)] == ["Done"]
    assert stage.where() == {"cart": "a"}
    assert stage.leftovers() == []


@pytest.mark.parametrize("own", ["", "7"])
def test_a_survivor_gets_its_own_deletion_cost_back(own: str) -> None:
    notes = ((DELETION_COST, "-2147483648"), (PREVIOUS_COST, own), (RUN, "dead"))
    stage = Stage(*NODES, replace(CART, annotations=notes))

    assert [result.outcome for result in recovered(stage)] == ["Done"]
    (pod,) = stage.fleet.snapshot().pods()
    assert dict(pod.annotations).get(DELETION_COST) == (own or None)
    assert stage.leftovers() == []


def test_a_held_pod_is_released_wherever_it_may_go() -> None:
    stage = Stage(*NODES, replace(CART, node=None, phase="Pending", ready=False, gates=(HOLD_GATE,)))

    assert [result.outcome for result in recovered(stage)] == ["Done"]
    assert stage.nodes_of("shop") != [None]
    assert stage.leftovers() == []


def test_a_bare_pod_whose_run_died_comes_back_once() -> None:
    bare = a_pod("bare", on="a", cpu=1)
    stage = Stage(*NODES, bare)
    for deed in (lambda: None, lambda: None, lambda: stage.fleet.leases.update(east="a thief")):  # dry run, journal, the pod again
        stage.fleet.before_next("create", deed)
    stage.fleet.before_next("delete", lambda: None)
    interrupted = stage.act(a_move(bare, "b", mover=Mover.RECREATE))
    assert stage.fleet.journals("east")

    stage.fleet.leases.clear()
    recovered(stage)

    assert interrupted.results[0].outcome in ("Done", "Failed")
    assert stage.where() == {"bare": "b"}
    assert stage.fleet.journals("east") == []


def test_an_eviction_that_a_run_sent_off_before_it_hung_finds_another_version_of_the_pod_when_its_journal_is_closed() -> None:
    bare = a_pod("bare", on="a", cpu=1)
    stage = Stage(*NODES, bare)
    stage.fleet.before_next("evict", lambda: taken_over(stage))

    outcome = stage.act(a_move(bare, "b", mover=Mover.RECREATE))

    assert [call.code for call in stage.fleet.log if call.verb == "evict"] == [409]
    assert told(outcome) == {"move-bare": "Blocked"}
    assert stage.where() == {"bare": "a"}
    assert stage.fleet.journals("east") == []


def test_a_copy_that_was_to_be_deleted_when_its_run_hung_and_that_recovery_gave_its_place_stays() -> None:
    stage = Stage(*NODES, CART)
    stage.fleet.before_next("patch", lambda: stage.fleet.refuse_next("patch", code=403))  # so the copy shall go again
    stage.fleet.before_next("delete", lambda: taken_over(stage))

    stage.act(a_move(CART, "b"))

    assert [call.code for call in stage.fleet.log if call.verb == "delete"] == [409]
    assert stage.nodes_of("shop") == ["b"]


def test_a_cluster_that_another_run_acts_in_is_left_alone() -> None:
    stage = Stage(*NODES, CART, a_copy(CART, "b"))
    stage.fleet.leases["east"] = "run-1"

    (result,) = recovered(stage)

    assert (result.outcome, result.message) == ("Skipped", "the Lease of east is held elsewhere, by run-1")
    assert stage.fleet.log == []


def test_what_could_not_be_ended_is_told_and_the_next_run_looks_again() -> None:
    stage = Stage(*NODES, CART, a_copy(CART, "b", ready=False))
    stage.fleet.refuse_next("delete", code=403, message="you may not")

    (result,) = recovered(stage)

    assert (result.outcome, "you may not" in result.message) == ("Failed", True)
    assert not stage.fleet.at_rest("east")


def test_a_run_that_shall_end_before_it_has_looked_says_so() -> None:
    stage = Stage(*NODES, CART)
    stage.fleet.unclean.add("east")

    (result,) = recover(stage.fleet.snapshot(), stage.fleet, stage.hands(lambda: "stopped by SIGTERM"), stage.clock, "run-2")

    assert (result.subject, result.outcome, result.message) == ("east", "Skipped", "stopped by SIGTERM")


def test_a_run_that_shall_end_leaves_the_rest_to_the_next_one() -> None:
    stage = Stage(*NODES, CART, a_copy(CART, "b"))

    (result,) = recover(stage.fleet.snapshot(), stage.fleet, stage.hands(lambda: "stopped by SIGTERM"), stage.clock, "run-2")

    assert (result.outcome, result.message) == ("Skipped", "stopped by SIGTERM")
    assert (stage.fleet.log, stage.fleet.leases, stage.fleet.unclean) == ([], {}, set())


def test_what_carries_our_label_but_is_no_journal_is_told_and_left_alone() -> None:
    stage = Stage(*NODES, CART, a_copy(CART, "b"))
    theirs = {"name": "theirs", "namespace": "default", "labels": {JOURNAL: "pod"}}
    stage.fleet.create("east", {"apiVersion": "v1", "kind": "PodTemplate", "metadata": theirs, "template": {"spec": {}}})

    copy, journal = recovered(stage)

    assert copy.outcome == "Done"
    assert (journal.outcome, "is no journal of ours" in journal.message) == ("Failed", True)
    assert len(stage.fleet.journals("east")) == 1
