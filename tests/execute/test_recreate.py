"""Recreate: a bare pod is made again on its node, by a scheduler that is known."""

from __future__ import annotations

from dataclasses import replace

import pytest

from descheduler.domain.plan import Mover
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
