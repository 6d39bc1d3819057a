"""SIGKILL before and after every call that changes something, of every mover; then ``recover``, and nothing is lost.

Each point is tried on a workload of its own: two nodes that only its pods may use, and a namespace. Whether the process dies before
one call or after the one before it, the cluster is the same; both are tried with DESCHEDULER_EVERY_KILL=1, else only the latter.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from descheduler.domain.plan import Move, Mover, Placed, Plan
from descheduler.output.json_plan import render_json
from descheduler.policy import load_policy, policy_digest
from tests.cluster.acting import Acting, a_move, a_placement, install, is_ready, is_refused, plan_of, recover_job_succeeded
from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.objects import a_node, a_pod, a_workload
from tests.cluster.killing import Command, start
from tests.cluster.proxy import Call, Proxy, proxy

EVERY = os.environ.get("DESCHEDULER_EVERY_KILL") == "1"
MOST_POINTS = 60 if EVERY else 30
CPU = {"cpu": "1", "memory": "1Gi"}
POLICY = """
apiVersion: fleet.descheduler.io/v1alpha1
kind: DeschedulePolicy
spec:
  trigger: {pendingFor: 0s}
  protections: {minPodAge: 0s, barePods: false}
  movers: [Surge, Hold, Evict, Recreate]
  cooldown: {perWorkload: 0s, backoffMax: 0s}
  limits: {movesPerPlacedPod: null, perWindow: []}
"""


class Ground:
    """A cluster with many small worlds in it."""

    def __init__(self, cluster: Cluster, front: Proxy, folder: Path, binaries: Binaries) -> None:
        self.cluster = cluster
        self.front = front
        self.folder = folder
        install(cluster, binaries, folder, "hold")
        recover_job_succeeded(cluster)
        front.kubeconfig(folder / "kubeconfig", cluster.token_of("descheduler", "descheduler"))
        listed = [{"name": cluster.name, "kubeconfig": {"path": "kubeconfig", "context": cluster.name}}]
        fleet = {"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "Fleet", "clusters": listed}
        (folder / "fleet.yaml").write_text(yaml.safe_dump(fleet))
        (folder / "policy.yaml").write_text(POLICY)
        self.digest = policy_digest(load_policy([folder / "policy.yaml"]))
        self.command: Command | None = None
        self.common = ["--fleet", str(folder / "fleet.yaml"), "--lease-duration", "1s"]

    def apply(self, plan: Plan) -> tuple[int, str]:
        """Run ``apply`` on a plan, to its end or until it is killed."""
        (self.folder / "plan.json").write_text(render_json(plan))
        policy = ["--policy", str(self.folder / "policy.yaml")]
        self.command = start(self.folder, "apply", str(self.folder / "plan.json"), *policy, *self.common)
        return self.command.end(), self.command.told

    def recover(self) -> tuple[int, str]:
        command = start(self.folder, "recover", *self.common)
        return command.end(), command.told


@pytest.fixture
def ground(east: Cluster, binaries: Binaries, tmp_path: Path) -> Iterator[Ground]:
    with proxy(east) as front:
        yield Ground(east, front, tmp_path, binaries)


@dataclass
class World:
    """Two nodes and a namespace, all called after it."""

    name: str
    acting: Acting

    @property
    def nodes(self) -> tuple[str, str]:
        return f"{self.name}-a", f"{self.name}-b"

    def selector(self, node: str = "") -> Object:
        return {"nodeSelector": {"kubernetes.io/hostname": node} if node else {"world": self.name}}

    def where(self, app: str) -> tuple[Object, str, str]:
        """A running pod of an app, its node, and the other one."""
        pod = next(pod for pod in self.acting.pods(app) if is_ready(pod))
        here = pod["spec"]["nodeName"]
        return pod, here, next(node for node in self.nodes if node != here)


@dataclass(frozen=True)
class Scene:
    """What a mover is tried on."""

    workloads: Callable[[World], list[Object]]
    later: Callable[[World], list[Object]]
    """What is created when the others run."""
    steps: Callable[[World], list[Move | Placed]]
    wanted: dict[str, int]
    """App to its number of pods, before and after."""


def surge_workloads(world: World) -> list[Object]:
    return [a_workload("web", world.name, 2, CPU, **world.selector())]


def surge_steps(world: World) -> list[Move | Placed]:
    pod, _, there = world.where("web")
    return [a_move(pod, there)]


def hole_workloads(world: World) -> list[Object]:
    a, b = world.nodes
    rest = a_workload("rest", world.name, 1, {"cpu": "3", "memory": "1Gi"}, **world.selector(b))
    small = a_workload("small", world.name, 1, CPU, **world.selector())
    small["spec"]["template"]["spec"]["affinity"] = prefers(a)
    return [rest, small]


def prefers(node: str) -> Object:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]}}


def hole_later(world: World) -> list[Object]:
    return [a_workload("big", world.name, 1, {"cpu": "4", "memory": "1Gi"}, **world.selector())]


def hole_steps(world: World) -> list[Move | Placed]:
    (big,) = world.acting.pods("big")
    (small,) = world.acting.pods("small")
    a, b = world.nodes
    return [a_move(small, b, room_for=[big]), a_placement(big, a, mover=Mover.SURGE, wave=2)]


def evict_workloads(world: World) -> list[Object]:
    """Only the other node admits the successor."""
    web = a_workload("web", world.name, 1, CPU, **world.selector())
    return [web]


def evict_steps(world: World) -> list[Move | Placed]:
    pod, here, there = world.where("web")
    world.acting.cluster.api.patch(f"/api/v1/nodes/{here}", {"spec": {"unschedulable": True}})
    return [a_move(pod, there, mover=Mover.EVICT)]


def hold_workloads(world: World) -> list[Object]:
    return [a_workload("db", world.name, 1, CPU, kind="StatefulSet", **world.selector())]


def hold_steps(world: World) -> list[Move | Placed]:
    pod, _, there = world.where("db")
    return [a_move(pod, there, mover=Mover.HOLD)]


def bare_workloads(world: World) -> list[Object]:
    return [a_pod("bare", world.name, CPU, labels={"app": "bare"}, **world.selector())]


def bare_steps(world: World) -> list[Move | Placed]:
    pod, _, there = world.where("bare")
    return [a_move(pod, there, mover=Mover.RECREATE)]


def nothing(world: World) -> list[Object]:
    return []


SCENES = {
    "Surge": Scene(surge_workloads, nothing, surge_steps, {"web": 2}),
    "a reserved place": Scene(hole_workloads, hole_later, hole_steps, {"small": 1, "rest": 1, "big": 1}),
    "Evict": Scene(evict_workloads, nothing, evict_steps, {"web": 1}),
    "Hold": Scene(hold_workloads, nothing, hold_steps, {"db": 1}),
    "Recreate": Scene(bare_workloads, nothing, bare_steps, {"bare": 1}),
}


def worlds(ground: Ground, scene: Scene, count: int) -> list[World]:
    """Many worlds at once, each in its first state."""
    made = [World(f"w{i}", Acting(ground.cluster, ground.folder / "kubeconfig", f"w{i}")) for i in range(count)]
    api = ground.cluster.api
    api.create_all([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.name}} for world in made])
    room = {"cpu": "4", "memory": "16Gi"}
    ground.cluster.add_nodes(*(a_node(node, room, labels={"world": world.name}) for world in made for node in world.nodes))
    for world in made:
        ground.cluster.wait_for_account(world.name)
    api.create_all([body for world in made for body in scene.workloads(world)])
    early = sum(count for app, count in scene.wanted.items() if app != "big")
    api.wait("/api/v1/pods", lambda pods: sum(is_ready(pod) for pod in pods) >= early * count)
    late = [body for world in made for body in scene.later(world)]
    if late:
        api.create_all(late)
        api.wait("/api/v1/pods", lambda pods: sum(is_refused(pod) for pod in pods) >= count)
    return made


def settle(world: World, scene: Scene) -> None:
    """Wait until the controllers have done their part."""
    for app, count in scene.wanted.items():
        world.acting.cluster.api.wait(f"/api/v1/namespaces/{world.name}/pods", at_rest(count), labelSelector=f"app={app}")


def at_rest(count: int) -> Callable[[list[Object]], bool]:
    """Whether there are so many pods, none of them on its way."""

    def told(pods: list[Object]) -> bool:
        quiet = all("deletionTimestamp" not in pod["metadata"] and (is_ready(pod) or is_refused(pod)) for pod in pods)
        return quiet and len(pods) == count

    return told


@pytest.mark.parametrize("mover", list(SCENES))
def test_a_run_that_is_killed_anywhere_loses_nothing(mover: str, ground: Ground) -> None:
    scene = SCENES[mover]
    first, *others = worlds(ground, scene, 1 + MOST_POINTS)
    code, told = ground.apply(plan_of(ground.cluster, ground.digest, *scene.steps(first)))
    assert code == 0, told
    settle(first, scene)
    specs = {world.name: {app: shapes(world, app) for app in scene.wanted} for world in others}

    points: list[str] = []
    losses: list[str] = []
    for when in ("before", "after") if EVERY else ("after",):
        index = 0
        while True:
            world = others.pop()
            told_of: list[str] = []
            kill_at(ground, index, when, told_of)
            code, told = ground.apply(plan_of(ground.cluster, ground.digest, *scene.steps(world)))
            ground.front.spoilers.clear()
            if not told_of:
                assert code == 0, told
                break
            assert code == -9, told
            points.append(f"{when} {told_of[0]}")
            code, told = ground.recover()
            assert code == 0, f"{points[-1]}: {told}"
            settle(world, scene)
            losses += [f"{points[-1]}: {loss}" for loss in lost(world, scene, specs[world.name])]
            index += 1
    sys.stdout.write(f"\n{mover}: {len(points)} points killed, {len(losses)} losses\n")
    assert losses == []
    assert len(points) > 3


def kill_at(ground: Ground, index: int, when: str, told_of: list[str]) -> None:
    """Kill at the call of this index among those that change something from now on."""
    front, begun = ground.front, len(ground.front.changes)

    def due(call: Call) -> bool:
        return call.changes and len(front.changes) - begun == index + 1

    def deed(call: Call) -> None:
        assert ground.command is not None
        told_of.append(str(call))
        ground.command.kill()

    if when == "after":
        front.spoil(due, after=deed, lose=True)
    else:
        front.spoil(due, instead=deed)


def shapes(world: World, app: str) -> list[object]:
    """What the pods of an app are made of, whichever node they are sent to."""
    return [[container["image"], container["resources"]] for pod in world.acting.pods(app) for container in pod["spec"]["containers"]]


def lost(world: World, scene: Scene, specs: dict[str, list[object]]) -> list[str]:
    """What is not as it must be after recovery."""
    found = [*world.acting.leftovers(), *(f"held: {uid}" for uid in world.acting.held())]
    for app, count in scene.wanted.items():
        pods = world.acting.pods(app)
        if len(pods) != count:
            found.append(f"{app} has {len(pods)} pods, not {count}")
        if shapes(world, app) != specs[app]:
            found.append(f"{app} is not what it was")
        found += [f"{app} is not Ready" for pod in pods if not is_ready(pod) and app != "big"]
    return found
