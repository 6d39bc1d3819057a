"""Recreate: a bare pod is made again on its node, by a scheduler that is known."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from descheduler.domain.plan import Mover
from descheduler.execute.world import generated
from tests.builders import a_cluster, a_node, a_pod
from tests.execute.acting import Stage, told
from tests.plan_builders import a_move


@pytest.mark.parametrize(("profiles", "expected"), [(("default-scheduler", "batch"), "Done"), (("default-scheduler",), "Blocked")])
def test_a_bare_pod_of_another_profile_is_moved_where_the_fleet_file_knows_the_profile(profiles: tuple[str, ...], expected: str) -> None:
    bare = a_pod("bare", on="a", scheduler="batch")
    stage = Stage(replace(a_cluster("east", a_node("a"), a_node("b"), bare), schedulers=profiles))

    outcome = stage.act(a_move(bare, "b", mover=Mover.RECREATE))

    assert told(outcome) == {"move-bare": expected}
    assert stage.where() == {"bare": "b" if expected == "Done" else "a"}
    assert stage.fleet.journals("east") == []


@pytest.mark.parametrize(("grace", "back"), [(20, True), (60, False)])
def test_a_signal_waits_a_while_for_a_pod_that_nobody_else_would_bring_back(grace: int, back: bool) -> None:
    bare, web = a_pod("bare", on="a", cpu=1), a_pod("web", on="a", of="web", cpu=1)
    stage = Stage(a_node("a"), a_node("b"), bare, web, grace=timedelta(seconds=grace))
    signal: list[str] = []
    stage.fleet.before_next("evict", lambda: signal.append("stopped by SIGTERM"))

    outcome = stage.act(a_move(bare, "b", mover=Mover.RECREATE), a_move(web, "b", wave=2), stop=lambda: signal[0] if signal else None)

    assert told(outcome) == {"move-bare": "Done" if back else "Failed", "move-web": "Skipped"}
    assert stage.where().get("bare") == ("b" if back else "a")
    assert (stage.fleet.journals("east") == []) == back
    assert stage.clock.slept <= timedelta(seconds=31)
    assert stage.fleet.at_rest("east") == back  # else the next run looks, and brings it back


def test_a_journal_whose_removal_was_not_answered_is_removed_again_and_one_that_stays_is_told() -> None:
    """It must not outlive its pod: who deleted that later would get it back."""
    bare = a_pod("bare", on="a", cpu=1)
    for refusals, expected in ((0, "Done"), (9, "Failed")):
        stage = Stage(a_node("a"), a_node("b"), bare)
        stage.fleet.unknown_next("delete")
        stage.fleet.refuse_next("delete", code=403, times=refusals)

        outcome = stage.act(a_move(bare, "b", mover=Mover.RECREATE))

        assert told(outcome) == {"move-bare": expected}
        assert (stage.fleet.journals("east") == []) == (expected == "Done")
        assert stage.fleet.at_rest("east") == (expected == "Done")


def test_a_journal_that_is_kept_because_an_eviction_may_still_come_about_is_looked_for() -> None:
    bare = a_pod("bare", on="a", cpu=1)
    stage = Stage(a_node("a"), a_node("b"), bare)
    signal: list[str] = []
    stage.fleet.before_next("evict", lambda: signal.append("stopped by SIGTERM"))
    stage.fleet.refuse_next("evict", code=504)
    stage.fleet.unknown_next("evict")

    stage.act(a_move(bare, "b", mover=Mover.RECREATE), stop=lambda: signal[0] if signal else None)

    assert len(stage.fleet.journals("east")) == 1
    assert not stage.fleet.at_rest("east")


def test_a_name_of_full_length_can_be_rehearsed_under_another() -> None:
    assert generated("a" * 199 + "." + "b" * 53, "rehearsal") == "a" * 199 + "-rehearsal"
