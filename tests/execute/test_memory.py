"""The memory in the clusters: written before the first step, told how it ended, and nothing is done where it cannot be had."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from descheduler.domain.history import BEGUN, DONE, NO_HISTORY, History, PastMove
from descheduler.domain.plan import Mover
from descheduler.domain.report import Outcome
from descheduler.errors import ExecutionError, LockHeld
from descheduler.execute import Hands, act, note_waiting, recall
from descheduler.execute.memory import write_down
from descheduler.federation.simulated import SimulatedFleet
from descheduler.ports import Body
from tests.builders import a_node, a_pod, a_snapshot
from tests.fakes import FakeClock
from tests.plan_builders import a_move, a_placement, a_plan
from tests.problems import a_policy

SMALL, BIG = a_pod("small", on="a", of="web", cpu=1), a_pod("big", of="batch", cpu=4)
POLICY = {"trigger": {"pendingFor": "0s"}}


class Forgetful(SimulatedFleet):
    """A fleet that keeps every state it was given, or cannot keep any."""

    kept: list[Body]
    lost = False
    full = False

    def load(self, cluster: str) -> Body | None:
        return None if self.lost else super().load(cluster)

    def save(self, cluster: str, state: Body) -> str | None:
        self.kept.append(state)
        return "no room left" if self.full else super().save(cluster, state)


def a_fleet() -> tuple[Forgetful, FakeClock]:
    clock = FakeClock()
    fleet = Forgetful(a_snapshot(a_node("a", cpu=4), a_node("b", cpu=1), SMALL, BIG), clock)
    fleet.kept = []
    return fleet, clock


def acted(fleet: SimulatedFleet, clock: FakeClock, **spec: Any) -> Outcome:
    plan = a_plan(a_move(SMALL, "b", room_for=[BIG]), a_placement(BIG, "a", wave=2))
    return act(plan, a_policy(**(POLICY | spec)), fleet, Hands(actuator=fleet, store=fleet), clock)


def test_a_move_is_written_down_before_it_begins_and_again_when_it_has_ended() -> None:
    fleet, clock = a_fleet()

    outcome = acted(fleet, clock)

    assert outcome.complete
    assert [[move["outcome"] for move in state["moves"]] for state in fleet.kept] == [[BEGUN], [DONE]]
    (move,) = recall(fleet, ["east"])[0].moves
    assert (move.workload, move.source, move.target) == (("east", "default", "Deployment", "web"), "a", "b")


def test_what_was_skipped_is_forgotten_again() -> None:
    fleet, clock = a_fleet()
    plan = a_plan(a_move(SMALL, "b", room_for=[BIG]), a_placement(BIG, "a", wave=2))

    hands = Hands(actuator=fleet, store=fleet, stop=lambda: "stopped by SIGTERM" if fleet.kept else None)
    act(plan, a_policy(**POLICY), fleet, hands, clock)

    assert [len(state["moves"]) for state in fleet.kept] == [1, 0]


def test_who_is_told_to_end_before_he_begins_asks_for_nothing() -> None:
    fleet, clock = a_fleet()
    plan = a_plan(a_move(SMALL, "b", room_for=[BIG]), a_placement(BIG, "a", wave=2))
    fleet.leases["east"] = "another run"

    outcome = act(plan, a_policy(**POLICY), fleet, Hands(actuator=fleet, store=fleet, stop=lambda: "stopped by SIGTERM"), clock)

    assert [(r.outcome, r.message) for r in outcome.results] == [("Skipped", "stopped by SIGTERM")] * 2
    assert (fleet.kept, fleet.log) == ([], [])


def test_what_another_run_moved_while_this_one_planned_is_not_forgotten_when_it_counts_who_waits() -> None:
    fleet, clock = a_fleet()
    before = fleet.snapshot()
    acted(fleet, clock)

    note_waiting(before, NO_HISTORY, a_policy(**POLICY), Hands(actuator=fleet, store=fleet), clock, "run-2")

    history, _ = recall(fleet, ["east"])
    assert [move.outcome for move in history.moves] == [DONE]
    assert history.seen == {BIG.uid: 1}


@pytest.mark.parametrize(("length", "kept"), [(8, 2000), (253, 500)])
def test_what_is_kept_is_bounded_however_long_names_are_and_the_newest_stay(length: int, kept: int) -> None:
    fleet, clock = a_fleet()
    name = "x" * length
    moves = tuple(
        PastMove(
            workload=("east", name, "Deployment", name),
            source=name,
            target=name,
            at=clock.now() - timedelta(seconds=i),
            outcome=DONE,
            run="run",
        )
        for i in range(3000)
    )
    fleet.acquire("east", "run")

    assert write_down(fleet, "east", History(moves=moves, seen={}), a_policy(), clock.now()) is None

    (state,) = fleet.kept
    assert len(json.dumps(state)) < 700_000
    assert kept - 50 <= len(state["moves"]) <= kept + 50
    assert max(move["at"] for move in state["moves"]) == f"{clock.now():%Y-%m-%dT%H:%M:%SZ}"


def test_nothing_is_done_where_the_memory_cannot_be_read_or_kept() -> None:
    for fault in ("lost", "full"):
        fleet, clock = a_fleet()
        setattr(fleet, fault, True)

        outcome = acted(fleet, clock, secondLook={"minGainShare": 0})

        assert {result.outcome for result in outcome.results} == {"Skipped"}, fault
        assert [call for call in fleet.log if not call.dry_run] == []


def test_a_state_that_is_not_ours_is_not_believed() -> None:
    states: list[Body] = [{"moves": [{"at": "yesterday"}]}, {"moves": 7}, {"seen": []}, {"seen": {"uid": "often"}}]
    for state in states:
        fleet, _ = a_fleet()
        fleet.acquire("east", "run-0")
        fleet.save("east", state)

        history, lost = recall(fleet, ["east"])

        assert list(lost) == ["east"], state
        assert history.moves == ()


def test_a_second_run_leaves_the_workload_alone_and_the_day_after_it_does_not_go_back() -> None:
    fleet, clock = a_fleet()
    acted(fleet, clock)
    again = a_plan(a_move(next(pod for pod in fleet.snapshot().pods() if pod.node == "b"), "a"))
    again = replace(again, metadata=replace(again.metadata, run_id="run-2"))
    policy = a_policy(**POLICY, secondLook={"minGainShare": 0}, limits={"movesPerPlacedPod": None}, protections={"minPodAge": "0s"})

    reasons = []
    for pause in (timedelta(), timedelta(hours=2)):
        clock.sleep(pause)
        outcome = act(again, policy, fleet, Hands(actuator=fleet, store=fleet), clock)
        reasons.append(outcome.results[0].message)

    assert "was moved a short time ago: cooldown until" in reasons[0]
    assert reasons[1] == "a does not admit it any more"


def test_a_blackout_that_begins_meanwhile_ends_the_run_and_one_that_has_begun_prevents_it() -> None:
    fleet, clock = a_fleet()
    soon = {"from": f"{clock.now() + timedelta(seconds=1):%Y-%m-%dT%H:%M:%SZ}", "to": "2027-01-01T00:00:00Z"}
    plan = a_plan(a_move(SMALL, "b", room_for=[BIG]), a_placement(BIG, "a", wave=2, mover=Mover.SURGE))
    policy = a_policy(**POLICY, schedule={"blackouts": [soon]})
    for deed in (lambda: None, lambda: clock.sleep(timedelta(seconds=2))):  # the copy that keeps room is rehearsed first
        fleet.before_next("create", deed)

    outcome = act(plan, policy, fleet, Hands(actuator=fleet, store=fleet), clock)

    assert {result.message for result in outcome.results} == {"the policy's schedule has a blackout now"}
    assert {pod.node for pod in fleet.snapshot().pods()} == {"a", None}
    with pytest.raises(ExecutionError, match="nothing is moved: the policy's schedule has a blackout now"):
        acted(fleet, clock, schedule={"blackouts": [soon]})


def test_a_lease_that_is_held_elsewhere_ends_the_run_if_that_is_asked_for_and_a_halt_switch_does_not() -> None:
    plan = a_plan(a_move(SMALL, "b", room_for=[BIG]), a_placement(BIG, "a", wave=2))
    for halted in (False, True):
        fleet, clock = a_fleet()
        (fleet.halts if halted else fleet.leases)["east"] = "somebody's"
        hands = Hands(actuator=fleet, store=fleet, require_lock=True)

        with pytest.raises(ExecutionError if halted else LockHeld, match="somebody's"):
            act(plan, a_policy(**POLICY), fleet, hands, clock)

        assert [call for call in fleet.log if not call.dry_run] == []


def test_what_recovery_could_not_end_is_not_forgotten_because_a_plan_was_carried_out() -> None:
    fleet, clock = a_fleet()
    fleet.unclean.add("east")

    assert acted(fleet, clock).complete

    assert not fleet.at_rest("east")
