"""Real clusters for tests: `east`, `west` and `north`, each started at its first use and handed to every test empty.

Where no control plane can be had these tests skip with one line that says how to get one; in CI, or with
DESCHEDULER_REQUIRE_CLUSTERS=1, that line is an error instead.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.cluster.controlplane.binaries import Binaries, BinariesMissing, find_binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.control_planes import ControlPlanes, control_planes
from tests.cluster.controlplane.emptying import empty


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail where clusters are required. Said here and not in the fixture, so that all skips are one line of the summary."""
    if "binaries" not in getattr(item, "fixturenames", ()):
        return
    try:
        find_binaries()
    except BinariesMissing as missing:
        if os.environ.get("CI") == "true" or os.environ.get("DESCHEDULER_REQUIRE_CLUSTERS") == "1":
            pytest.fail(str(missing), pytrace=False)
        pytest.skip(str(missing))


@pytest.fixture(scope="session", name="binaries")
def _binaries() -> Binaries:
    """The programs of a control plane."""
    return find_binaries()


@pytest.fixture(scope="session", name="planes")
def _planes(binaries: Binaries) -> Iterator[ControlPlanes]:
    """The control planes that all tests share; nothing of them is left when the tests end."""
    with control_planes(binaries) as planes:
        yield planes


@pytest.fixture
def east(planes: ControlPlanes) -> Cluster:
    """A real cluster, empty."""
    return emptied(planes, "east")[0]


@pytest.fixture
def west(planes: ControlPlanes) -> Cluster:
    """Another real cluster, empty."""
    return emptied(planes, "west")[0]


@pytest.fixture
def three_clusters(planes: ControlPlanes) -> tuple[Cluster, ...]:
    """`east`, `west` and `north`, all empty; those not yet running are started side by side."""
    return emptied(planes, "east", "west", "north")


def emptied(planes: ControlPlanes, *names: str) -> tuple[Cluster, ...]:
    """Clusters of these names, empty; those not yet running are started side by side."""
    started = [name for name in names if name in planes.clusters]
    planes.start(*(name for name in names if name not in started))
    for name in started:
        planes.clusters[name].start()  # a test may have stopped it
        empty(planes.clusters[name].api)
    return tuple(planes.clusters[name] for name in names)
