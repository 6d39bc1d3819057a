"""What every mover works with: the ports, the wave it is, the copies that keep room, and the words for what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from descheduler.clock import Clock
from descheduler.domain.marks import HOSTNAME, PIN, TOUCHED
from descheduler.domain.objects import Node, NodeRef
from descheduler.domain.plan import Move, PlanPod
from descheduler.errors import ExecutionError, Unanswered
from descheduler.ports import Actuator, Body, Object, Reader


@dataclass(frozen=True, slots=True)
class Pause:
    """A mover can do nothing now: ask again soon, or when a later wave begins."""

    why: str
    until_wave: int = 0
    up_to_us: bool = False
    """A pod has left, and nobody else would bring it back."""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A step is done: where the pod runs now."""

    node: str
    message: str = ""


Steps = Generator[Pause, None, Arrived]
"""A mover at work: it yields whenever it has to wait, and cleans up behind itself when something is thrown into it."""


Technique = Callable[["World", Move], Steps]
"""All that a mover is: given a move of a plan it takes the steps, and asks for whatever it needs through the world's ports."""


class Surprise(ExecutionError):
    """The world is not as the plan has it. ``outcome`` is what the step's result will say."""

    def __init__(self, cause: str, message: str, *, outcome: str = "Blocked", node: str | None = None) -> None:
        super().__init__(cause, message)
        self.outcome = outcome
        self.node = node


@dataclass(slots=True, kw_only=True)
class World:
    """One run at work on a fleet."""

    reader: Reader
    actuator: Actuator
    clock: Clock
    run_id: str
    expires: datetime
    """When recovery may take away what this run left."""
    nodes: Mapping[NodeRef, Node]
    """As they were when the run began; only labels are looked at."""
    wave: int = 0
    reserved: dict[Object, str] = field(default_factory=dict)
    """Gated copies and held pods that keep room, each with its node."""
    adopting: set[str] = field(default_factory=set)
    """UIDs of ReplicaSets in which one pod is being exchanged: one at a time."""
    unsure: set[str] = field(default_factory=set)
    """UIDs of pods of whose eviction nobody knows whether it will still come about."""
    claimed: set[str] = field(default_factory=set)
    """UIDs of replacements that already belong to a move."""
    unfinished: bool = False
    """Something could not be put in order: recovery is to look."""
    stop: Callable[[], str | None] = lambda: None
    """Why nobody shall wait any longer than it takes to put things in order, or ``None``."""

    def about_to_free(self, cluster: str, node: str) -> None:
        """Remind the scheduler of every copy that keeps room here: it forgets nominations when it restarts (kubernetes.md 1.6)."""
        for copy, place in self.reserved.items():
            if (copy.cluster, place) == (cluster, node):
                self.actuator.patch(copy, {"metadata": {"annotations": {TOUCHED: stamp(self.clock.now())}}})


def stamp(at: datetime) -> str:
    """RFC 3339, whole seconds."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def wait(world: World, pause: timedelta, why: str) -> Generator[Pause, None, None]:
    until = world.clock.now() + pause
    while world.clock.now() < until:
        yield Pause(why)


def pod_object(pod: PlanPod) -> Object:
    return Object(cluster=pod.cluster, kind="Pod", namespace=pod.namespace, name=pod.name, uid=pod.uid)


def object_of(cluster: str, body: Body) -> Object:
    """The object that a body describes, guarded by its UID."""
    meta = body["metadata"]
    return Object(cluster=cluster, kind="Pod", namespace=meta["namespace"], name=meta["name"], uid=meta["uid"])


def read_same(world: World, what: Object) -> Body | None:
    """The object as it is now; ``None`` when it is gone or another object has its name."""
    body = world.reader.read(what)
    return body if body is not None and body["metadata"]["uid"] == what.uid else None


def generated(name: str, suffix: str) -> str:
    """A name made of another one, which may be as long as names can be (253 characters)."""
    return f"{name[:200].rstrip('-.')}-{suffix}"


def node_of(pod: Body) -> str | None:
    return (pod.get("spec") or {}).get("nodeName") or None


def terminating(body: Body) -> bool:
    return body["metadata"].get("deletionTimestamp") is not None


def ready(pod: Body) -> bool:
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions) and not terminating(pod)


def refused(pod: Body) -> bool:
    """Whether kube-scheduler has found no node for it."""
    conditions = (pod.get("status") or {}).get("conditions") or ()
    return any((c["type"], c["status"], c.get("reason")) == ("PodScheduled", "False", "Unschedulable") for c in conditions)


def notes(body: Body) -> Mapping[str, str]:
    return body["metadata"].get("annotations") or {}


def controller(body: Body) -> Mapping[str, Any] | None:
    """The controlling ownerReference."""
    return next((owner for owner in body["metadata"].get("ownerReferences") or () if owner.get("controller")), None)


def running_victim(world: World, move: Move) -> Body:
    """The pod of a move, read now: same UID, same node, not on its way out. Raises Surprise otherwise."""
    what = pod_object(move.pod)
    body = world.reader.read(what)
    if body is None:
        raise Surprise("churn", f"{move.pod} is gone")
    if body["metadata"]["uid"] != what.uid:
        raise Surprise("churn", f"{move.pod} is another pod by now: its UID is {body['metadata']['uid']}")
    if terminating(body):
        raise Surprise("churn", f"{move.pod} is terminating")
    if node_of(body) != move.source.node:
        raise Surprise("churn", f"{move.pod} runs on {node_of(body)}, not on {move.source.node}")
    return body


@contextmanager
def begun() -> Iterator[None]:
    """From here on the pod has left: a surprise does not block the step any more, it makes it fail."""
    try:
        yield
    except Surprise as surprise:
        if surprise.outcome in ("Blocked", "Skipped"):
            surprise.outcome = "Failed"
        raise
    except Unanswered as nothing:
        raise Surprise("churn", str(nothing), outcome="Failed") from nothing


@contextmanager
def left_to_recovery(world: World) -> Iterator[None]:
    """What cannot be put in order here, recovery does: it is told to look."""
    try:
        yield
    except (Surprise, Unanswered):
        world.unfinished = True


def until_gone(world: World, what: Object) -> Generator[Pause, None, None]:
    """Wait until the object is no more: until then it keeps its room."""
    while read_same(world, what) is not None:
        yield Pause(f"{what.name} is not gone yet")


def pin(world: World, cluster: str, node: str, selector: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """What to add to nodeSelector and to annotations so that a pod can run on this node only.

    Raises Surprise when the hostname label does not single the node out, or when the pod already asks for another one.
    """
    known = world.nodes.get(NodeRef(cluster, node))
    value = dict(known.labels).get(HOSTNAME) if known else None
    twins = sum((HOSTNAME, value) in n.labels for ref, n in world.nodes.items() if ref.cluster == cluster)
    if value is None or twins != 1:
        raise Surprise("scheduling", f"{cluster}/{node}: no label {HOSTNAME} of its own to pin a pod to it")
    asked = selector.get(HOSTNAME, value)
    if asked != value:
        raise Surprise("scheduling", f"{cluster}/{node}: the pod's nodeSelector asks for {HOSTNAME}={asked}")
    return ({}, {}) if HOSTNAME in selector else ({HOSTNAME: value}, {PIN: value})
