"""A run that hangs right before a call, long enough for its Lease to be taken over, and wakes up to make that one call after all.

Time fences every call but this one: it was allowed when it was begun. So whoever takes over must leave nothing behind that it could
spoil. Recovery runs to its end while the call hangs; then the call reaches the server, the run notices and stops, and a last recovery
tidies up. The calls are counted by a proxy. All movers are tried with DESCHEDULER_EVERY_KILL=1, else the one whose pod nobody but us
brings back.
"""

from __future__ import annotations

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from descheduler.clock import SystemClock
from descheduler.execute import Hands, recover
from descheduler.federation.kube_hands import LiveHands
from descheduler.federation.kube_store import ClusterStore
from tests.cluster.acting import Acting
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.proxy import Call, proxy
from tests.cluster.test_killing import EVERY, SCENES, Ground, Scene, World, lost, settle, shapes, worlds

SECOND = timedelta(seconds=1)
MOST_POINTS = 12 if EVERY else 6
MOVERS = list(SCENES) if EVERY else ["Recreate"]


def recovered(cluster: Cluster, world: World) -> list[str]:
    """Take the Lease over, end what was left, give the Lease back; what recovery says."""
    fleet = Acting(cluster, cluster.kubeconfig, world.name).fleet()
    hands = Hands(actuator=LiveHands(fleet), store=ClusterStore(fleet, SystemClock(), SECOND))
    results = recover(fleet.snapshot(), fleet, hands, SystemClock(), "another")
    assert all(result.outcome == "Done" for result in results), results
    return [result.subject for result in results]


@pytest.mark.parametrize("mover", MOVERS)
def test_a_run_that_wakes_up_after_another_took_over_loses_nothing(mover: str, east: Cluster, binaries: Binaries, tmp_path: Path) -> None:
    scene = SCENES[mover]
    with proxy(east) as front:
        ground = Ground(east, front, tmp_path, binaries)
        points: list[str] = []
        losses: list[str] = []
        for world in worlds(ground, scene, MOST_POINTS):
            point, found = hung(ground, scene, world, len(points))
            losses += [f"{point}: {loss}" for loss in found]
            if not point:
                break
            points.append(point)
    sys.stdout.write(f"\n{mover}: {len(points)} points: {'; '.join(points)}; {len(losses)} losses\n")
    assert losses == []
    assert 0 < len(points) < MOST_POINTS


def hung(ground: Ground, scene: Scene, world: World, index: int) -> tuple[str, list[str]]:
    """Hang before the call of this index; its name, empty when there are not so many, and what was lost."""
    specs = {app: shapes(world, app) for app in scene.wanted}
    begun, front, at = len(ground.front.calls), ground.front, []

    def writes(call: Call) -> bool:
        return call.changes and "/leases" not in call.path

    def due(call: Call) -> bool:
        return writes(call) and sum(map(writes, front.calls[begun:])) == index + 1

    def hang(call: Call) -> None:
        at.append(str(call))
        recovered(ground.cluster, world)

    front.spoil(due, before=hang)
    outcome = world.acting.act(*scene.steps(world), lease=SECOND, patience=timedelta(seconds=20))
    front.spoilers.clear()
    assert at or outcome.complete, outcome
    left = recovered(ground.cluster, world)
    settle(world, scene)
    return (f"{at[0]} ({outcome.results[-1].outcome}, {len(left)} left)" if at else ""), lost(world, scene, specs)
