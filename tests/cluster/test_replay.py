"""Plans come true on a real kube-scheduler: moved pods are bound where planned, pods that wait are bound, every wave ends as verified."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.control_planes import ControlPlanes
from tests.cluster.replay.alive import quiet_cluster
from tests.cluster.replay.replay import Count, Replay
from tests.cluster.summaries import tell

SEEDS = range(40)
"""A few minutes; more of them with ``make replay SEEDS=0-199``."""


@pytest.fixture
def quiet(planes: ControlPlanes) -> Iterator[Cluster]:
    """A real cluster in which nobody but the scheduler and the kubelets does anything."""
    cluster = quiet_cluster(planes, "quiet")
    yield cluster
    cluster.stop()


def test_plans_come_true_wave_by_wave(quiet: Cluster, capsys: pytest.CaptureFixture[str]) -> None:
    count = Count()

    for seed in SEEDS:
        Replay(quiet, seed, count).run()

    with capsys.disabled():
        tell("replay", count.summary())
    assert count.findings == []
    assert count.with_plan >= len(SEEDS) / 2
    assert count.moves.total() >= len(SEEDS) / 2
