"""Lease and state in a real cluster, by a clock that jumps: who holds them, for how long, and what happens to whoever lost them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from descheduler.federation.kube_store import ClusterStore
from tests.cluster.acting import Acting, install
from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.fakes import FakeClock

MINUTE = timedelta(minutes=1)
NONE: Callable[[], str | None] = lambda: None  # noqa: E731


class Runs:
    """Several runs on one cluster, each with a store of its own, on one clock."""

    def __init__(self, cluster: Cluster, kubeconfig: Path) -> None:
        self.clock = FakeClock()
        self._acting = Acting(cluster, kubeconfig)

    def store(self, duration: timedelta = MINUTE, stop: Callable[[], str | None] = NONE) -> ClusterStore:
        return ClusterStore(self._acting.fleet(), self.clock, duration, stop)


@pytest.fixture
def runs(east: Cluster, binaries: Binaries, tmp_path: Path) -> Runs:
    return Runs(east, install(east, binaries, tmp_path))


def test_a_lease_that_was_seen_unchanged_for_long_enough_is_taken_over(runs: Runs) -> None:
    dead, next_one = runs.store(), runs.store()
    assert dead.acquire("east", "dead") is None

    assert next_one.acquire("east", "next") is None

    assert MINUTE <= runs.clock.slept <= MINUTE * 1.1
    assert dead.acquire("east", "dead") == "the Lease of east was taken by another run"


def test_the_leases_of_dead_runs_lapse_side_by_side_from_the_first_look(runs: Runs) -> None:
    runs.store().acquire("east", "dead")
    next_one = runs.store()
    assert not next_one.at_rest("east")
    runs.clock.sleep(MINUTE)  # another cluster's Lease was waited for

    assert next_one.acquire("east", "next") is None

    assert runs.clock.slept == MINUTE


def test_whoever_was_alive_at_the_second_look_is_not_waited_for(runs: Runs) -> None:
    alive, other = runs.store(), runs.store()
    alive.acquire("east", "alive")
    assert not other.at_rest("east")
    runs.clock.sleep(MINUTE / 2)
    alive.acquire("east", "alive")

    assert other.acquire("east", "other") == "the Lease of east is held elsewhere, by alive"
    assert runs.clock.slept == MINUTE / 2


def test_a_run_that_shall_end_waits_for_no_lease(runs: Runs) -> None:
    runs.store(timedelta(hours=1)).acquire("east", "another")

    told = runs.store(stop=lambda: "stopped by SIGTERM").acquire("east", "ours")

    assert told == "the Lease of east is held elsewhere, by another, and not waited for: stopped by SIGTERM"
    assert runs.clock.slept == timedelta()


def test_whoever_lost_the_lease_does_not_write_over_what_the_next_run_remembers(runs: Runs) -> None:
    first, second = runs.store(), runs.store()
    first.acquire("east", "first")
    assert first.save("east", {"moves": ["of the first"]}) is None
    assert second.acquire("east", "second") is None  # a minute later: the first one hung
    assert second.save("east", {"moves": ["of the first", "of the second"]}) is None

    told = first.save("east", {"moves": ["of the first"]})

    assert told == "the Lease of east was taken by another run"
    assert second.load("east") == {"moves": ["of the first", "of the second"]}


def test_a_state_that_is_deleted_under_way_is_written_anew_and_a_lease_that_is_deleted_is_lost(runs: Runs, east: Cluster) -> None:
    store = runs.store()
    store.acquire("east", "ours")
    assert store.save("east", {"moves": [1]}) is None

    east.api.delete("/api/v1/namespaces/descheduler/configmaps/descheduler-state")
    assert store.load("east") == {}
    assert store.save("east", {"moves": [2]}) is None
    assert store.load("east") == {"moves": [2]}

    east.api.delete("/apis/coordination.k8s.io/v1/namespaces/descheduler/leases/descheduler")
    runs.clock.sleep(MINUTE / 2)
    assert store.acquire("east", "ours") == "the Lease of east is gone"
    assert store.save("east", {"moves": [3]}) == "the Lease of east is not ours"


def test_a_state_that_is_no_json_is_not_believed_and_a_halt_switch_that_cannot_be_read_is_on(runs: Runs, east: Cluster) -> None:
    store = runs.store()
    store.acquire("east", "ours")
    assert store.save("east", {"moves": []}) is None
    east.api.patch("/api/v1/namespaces/descheduler/configmaps/descheduler-state", {"data": {"state.json": "{"}})
    assert store.load("east") is None

    assert store.halted("east") is None
    east.api.delete("/apis/rbac.authorization.k8s.io/v1/namespaces/descheduler/rolebindings/descheduler-store")
    path = "/api/v1/namespaces/descheduler/configmaps"
    asked = 0

    def heard(found: list[Object]) -> bool:  # the authorizer hears of it a moment later
        nonlocal asked
        asked += 1
        if store.halted("east") is None:
            east.api.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": f"asked-{asked}", "namespace": "descheduler"}})
        return store.halted("east") is not None

    east.api.wait(path, heard)
    assert str(store.halted("east")).startswith("whether east is halted cannot be said: ")


def test_what_a_dead_run_may_have_left_is_remembered_until_recovery_has_looked(runs: Runs) -> None:
    """Whoever takes its Lease over only to act, and comes to a clean end, has not looked."""
    runs.store().acquire("east", "dead")
    acting, recovering = runs.store(), runs.store()
    acting.acquire("east", "acting")
    acting.release("east", "acting")
    after_acting = recovering.at_rest("east")

    recovering.acquire("east", "recovering")
    recovering.release("east", "recovering", clean=True)
    after_recovery = recovering.at_rest("east")
    acting.acquire("east", "again")
    acting.release("east", "again", clean=False)

    assert (after_acting, after_recovery, recovering.at_rest("east")) == (False, True, False)
