"""kube-scheduler is asked whether we are right about fit: its FailedScheduling sentences are ours, and what we say fits is bound."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.oracle.__main__ import ask
from tests.cluster.oracle.said import FILES, recorded
from tests.cluster.oracle.trial import ask_recorded
from tests.cluster.summaries import tell

SEEDS = range(7)
"""A few minutes; more of them with ``make oracle SEEDS=0-99``."""
ENOUGH = 3000


def test_the_scheduler_agrees_with_us_on_random_fleets(east: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    tally = ask(east, SEEDS)

    with capsys.disabled():
        tell("oracle", tally.summary())
    assert [str(disagreement) for disagreement in tally.disagreements] == []
    assert tally.verdicts >= ENOUGH
    assert tally.bound_alike >= ENOUGH / 10


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_scheduler_still_says_what_was_recorded(path: Path, east: Cluster) -> None:
    said = recorded(path)

    answer = ask_recorded(east, said)

    assert answer.message == said.message
    assert answer.node in (said.bound or {None})
