"""Somebody else decides about a workload while a surge is under way: its autoscaler, or a rollout.

It happens right before every call with which the surge changes something, and after the last; the calls are counted by a proxy. The copy
is one that could preempt somebody, so that it takes every step there is: made behind a gate, nominated, let go, its original marked,
adopted.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from pathlib import Path

import pytest

from descheduler.domain.report import Outcome
from tests.cluster.acting import Acting, a_move, install, is_ready, watching
from tests.cluster.autoscaling import an_autoscaler, metrics
from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.objects import a_node, a_pod, a_workload
from tests.cluster.proxy import Call, Proxy, proxy

MOST_POINTS = 7
SMALL = {"cpu": "100m", "memory": "64Mi"}
PATIENCE = timedelta(seconds=20)


@dataclass
class Ground:
    """Many namespaces with a Deployment ``web`` each, and the tool behind a proxy."""

    cluster: Cluster
    front: Proxy
    kubeconfig: Path
    load: dict[str, int] = field(default_factory=dict)

    def space(self, number: int) -> Acting:
        return Acting(self.cluster, self.kubeconfig, f"s{number}")

    def fill(self, replicas: int, *, autoscaled: bool) -> None:
        api = self.cluster.api
        spaces = [f"s{i}" for i in range(MOST_POINTS)]
        self.load |= dict.fromkeys(spaces, replicas) if autoscaled else {}
        api.create_all([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": space}} for space in spaces])
        for space in spaces:
            self.cluster.wait_for_account(space)
        api.create_all([a_workload("web", space, replicas, SMALL, priorityClassName="ours") for space in spaces])
        api.wait("/api/v1/pods", lambda pods: sum(map(is_ready, pods)) == MOST_POINTS * replicas + 2)
        if autoscaled:
            api.create_all([an_autoscaler("web", space, most=4) for space in spaces])
            path = "/apis/autoscaling/v2/horizontalpodautoscalers"
            api.wait(path, lambda found: all(hpa.get("status", {}).get("currentMetrics") for hpa in found))


@pytest.fixture
def ground(east: Cluster, binaries: Binaries, tmp_path: Path) -> Iterator[Ground]:
    install(east, binaries, tmp_path)
    east.add_nodes(*(a_node(name, {"cpu": "16", "memory": "64Gi"}) for name in ("a", "b")))
    east.api.create({"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": "ours"}, "value": 100})
    for node in ("a", "b"):  # somebody smaller on every node
        east.api.create(a_pod(f"low-{node}", "default", SMALL, nodeName=node))
    with proxy(east) as front:
        told = Ground(east, front, front.kubeconfig(tmp_path / "through", east.token_of("descheduler", "descheduler")))
        with metrics(east, told.load):
            yield told


@dataclass
class Race:
    """What happened at one point."""

    point: str
    outcome: Outcome
    least_ready: int
    space: Acting


def writes(call: Call) -> bool:
    return call.changes and "/leases/" not in call.path and not call.path.endswith("/leases")


def races(ground: Ground, deed: Callable[[Acting], object]) -> Iterator[Race]:
    """A surge per point, with the deed done there; the last without it."""
    names: list[str] = []
    for index in range(MOST_POINTS):
        space, begun = ground.space(index), len(ground.front.calls)
        last = bool(names) and index == len(names) + 1
        at = len(names) - 1 if last else index
        with happening(ground.front, begun, at, partial(deed, space), after=last) as happened:
            race = surged(space)
        if happened:
            names += [] if last else happened
            yield Race(f"{'after' if last else 'before'} {happened[0]}", *race, space)
            if last:
                return
        elif len(names) == index:
            yield Race("not at all", *race, space)


@contextmanager
def happening(front: Proxy, begun: int, index: int, deed: Callable[[], object], *, after: bool) -> Iterator[list[str]]:
    """Do the deed at the write of this index; the name of that write, or nothing if there was none."""
    happened: list[str] = []

    def due(call: Call) -> bool:
        return writes(call) and sum(map(writes, front.calls[begun:])) == index + 1

    def happen(call: Call) -> None:
        happened.append(told(call))
        deed()

    front.spoil(due, **{"after" if after else "before": happen})
    yield happened
    front.spoilers.clear()


def told(call: Call) -> str:
    body = str(call.body)
    if call.method == "POST":
        return "the copy is made"
    marks = {"nominatedNodeName": "it is nominated", "schedulingGates": "it is let go", "deletion-cost": "the original is marked"}
    return next((name for mark, name in marks.items() if mark in body), "it is adopted")


def surged(space: Acting) -> tuple[Outcome, int]:
    pod = next(pod for pod in space.pods("web") if is_ready(pod))
    with watching(space.cluster, "web", space.space) as ready:
        outcome = space.act(a_move(pod, "b" if pod["spec"]["nodeName"] == "a" else "a"), patience=PATIENCE)
    return outcome, min(ready)


def deployment(space: Acting) -> str:
    return f"/apis/apps/v1/namespaces/{space.space}/deployments"


def until(space: Acting, replicas: int) -> None:
    """Wait until the Deployment wants so many."""
    space.cluster.api.wait(deployment(space), lambda found: found[0]["spec"]["replicas"] == replicas)


def at_rest(space: Acting, replicas: int, **annotations: str) -> list[str]:
    """Wait until all is quiet; what is not as it must be."""

    def quiet(pods: list[Object]) -> bool:
        return len(pods) == replicas and all(map(is_ready, pods))

    space.cluster.api.wait(f"/api/v1/namespaces/{space.space}/pods", quiet)
    pods = space.pods("web")
    found = [f"{pod['metadata']['name']} is nobody's" for pod in pods if not pod["metadata"].get("ownerReferences")]
    notes = {pod["metadata"]["name"]: pod["metadata"].get("annotations", {}) for pod in pods}
    found += [f"{name} is old" for name, told in notes.items() if not annotations.items() <= told.items()]
    return found + space.leftovers()


def tell(kind: str, seen: list[Race]) -> None:
    lines = [f"  {race.point:32} {race.outcome.results[0].outcome:8} {race.outcome.results[0].message}" for race in seen]
    sys.stdout.write("\n".join([f"\n{kind}", *lines]) + "\n")


@pytest.mark.parametrize(("before", "after"), [(2, 4), (3, 2)])
def test_an_autoscaler_that_scales_beside_a_surge_has_its_way(before: int, after: int, ground: Ground) -> None:
    ground.fill(before, autoscaled=True)

    def scale(space: Acting) -> None:
        ground.load[space.space] = after
        until(space, after)

    seen = []
    for race in races(ground, scale):
        wanted = before if race.point == "not at all" else after
        assert at_rest(race.space, wanted) == [], race.point
        assert race.space.cluster.api.get(f"{deployment(race.space)}/web")["spec"]["replicas"] == wanted, race.point
        assert race.least_ready >= min(before, after), race.point
        seen.append(race)

    tell(f"scaled from {before} to {after}", seen)
    check_stopped(seen)


def test_a_rollout_that_begins_beside_a_surge_has_its_way(ground: Ground) -> None:
    ground.fill(2, autoscaled=False)

    def roll(space: Acting) -> None:
        newer = {"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}}
        space.cluster.api.patch(f"{deployment(space)}/web", newer)
        sets = f"/apis/apps/v1/namespaces/{space.space}/replicasets"
        space.cluster.api.wait(sets, lambda found: len(found) == 2)

    seen = []
    for race in races(ground, roll):
        newest = {} if race.point == "not at all" else {"version": "2"}
        assert at_rest(race.space, 2, **newest) == [], race.point
        assert race.least_ready >= 2, race.point
        seen.append(race)

    tell("a rollout", seen)
    check_stopped(seen)


def check_stopped(seen: list[Race]) -> None:
    """Whoever comes before the last look stops the surge; nobody comes, and it is done."""
    outcomes = {race.point: race.outcome.results[0].outcome for race in seen}
    steps = ["the copy is made", "it is nominated", "it is let go", "the original is marked", "it is adopted"]
    assert list(outcomes) == [*(f"before {step}" for step in steps), "not at all", "after it is adopted"]
    assert outcomes["not at all"] == "Done"
    assert {outcomes[f"before {step}"] for step in steps[:4]} == {"Blocked"}
