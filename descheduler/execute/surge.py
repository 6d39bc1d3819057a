"""Surge: make before break. A copy runs at the destination before its ReplicaSet adopts it and drops the original.

kubernetes.md 1.4, step by step. Until the adoption nothing is disturbed: whatever goes wrong, the copy is deleted and the
original's own deletion cost is put back. A copy that arrives in a later wave than it is made keeps its room gated and
nominated until then (1.6).
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

from descheduler.domain.marks import DELETION_COST, EXPIRES, MINIMAL_COST, MOVE_OF, PREVIOUS_COST, RESERVED_GATE, RUN, TEMPLATE_HASH
from descheduler.domain.plan import Move, PlanPod, Spot
from descheduler.errors import Unanswered
from descheduler.execute import copies, destination
from descheduler.execute.asking import TRIES, patched, rewritten, without_gate
from descheduler.execute.replicas import check_surgeable, owned, replica_set_of, withheld_label
from descheduler.execute.world import (
    Arrived,
    Pause,
    Steps,
    Surprise,
    World,
    begun,
    controller,
    left_to_recovery,
    node_of,
    notes,
    pod_object,
    read_same,
    ready,
    refused,
    running_victim,
    terminating,
    wait,
)
from descheduler.ports import Body, Object

Pauses = Generator[Pause, None, None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """An original and the node on which a copy shall take its place."""

    pod: PlanPod
    target: Spot
    wave: int
    """The wave in which the copy arrives."""
    waiting: bool
    """The original has no node yet."""
    read: Callable[[], Body]
    """The original as it is now; raises Surprise when it is not what the plan says."""

    @property
    def node(self) -> str:
        if self.target.node is None:
            raise Surprise("scheduling", f"{self.pod}: a surge needs a node")
        return self.target.node


def as_it_was(world: World, pod: PlanPod, node: str | None) -> Body:
    """The pod, read now: same UID, same node or still none, not on its way out. Raises Surprise otherwise."""
    body = read_same(world, pod_object(pod))
    if body is None or terminating(body) or node_of(body) != node:
        raise Surprise("churn", f"{pod} is gone, on its way out, or bound by now")
    return body


def surge(world: World, move: Move) -> Steps:
    """Move a running ReplicaSet pod to exactly the planned node."""
    what = Exchange(pod=move.pod, target=move.target, wave=move.arrival_wave, waiting=False, read=lambda: running_victim(world, move))
    return exchange(world, what)


def exchange(world: World, what: Exchange) -> Steps:
    """Put a copy in the original's place."""
    cluster = what.target.cluster
    replica_set = replica_set_of(world, cluster, what.read())
    uid = replica_set["metadata"]["uid"]
    yield from _turn(world, uid)
    original = what.read()
    check_surgeable(world, cluster, replica_set, original, waiting=what.waiting)
    copy, gated = yield from _make_copy(world, what, replica_set, original)
    try:
        if gated:
            yield from _until_wave(world, what, copy)
        yield from _until_ready(world, what, copy, replica_set["spec"].get("minReadySeconds", 0), nominated=gated)
        yield from _turn(world, uid)
        adopt(world, what, copy, desired=replica_set["spec"].get("replicas", 1))
    except BaseException:
        with left_to_recovery(world):
            if take_away(world, copy):
                restore_cost(world, pod_object(what.pod))
        raise
    finally:
        world.reserved.pop(copy, None)
    world.adopting.add(uid)
    try:
        with begun():
            yield from until_dropped(world, what, copy)
    finally:
        world.adopting.discard(uid)
    return Arrived(what.node)


def _turn(world: World, replica_set_uid: str) -> Pauses:
    """One exchange at a time in a ReplicaSet: while one pod carries the minimal cost, no other may."""
    while replica_set_uid in world.adopting:
        yield Pause("another replica is being exchanged")


def _make_copy(world: World, what: Exchange, replica_set: Body, original: Body) -> Generator[Pause, None, tuple[Object, bool]]:
    """The copy, and whether it is gated: until its wave comes, or because somebody could be preempted or could come first.

    Its ``preemptionPolicy`` cannot be lowered. Behind its gate it claims the room first, and whether the room is there is asked
    again with the claim in place; so nobody of its priority or less can come between the last look and the binding.
    """
    cluster = what.target.cluster
    gated = world.wave < what.wave
    body = copies.copy_body(world, cluster, replica_set, original, what.node)
    copies.rehearse(world, cluster, body, original)
    if not gated:
        now = yield from destination.until_fits(world, pod_object(what.pod), what.node, old_self_stays=True)
        gated = destination.contended(now, what.node, pod_object(what.pod), original["spec"].get("priority", 0))
    if gated:
        body = copies.copy_body(world, cluster, replica_set, original, what.node, gated=True)
    copy = copies.create(world, cluster, body)
    if gated:
        try:
            copies.nominate(world, copy, what.node)
        except (Surprise, Unanswered):
            with left_to_recovery(world):
                take_away(world, copy)
            raise
    return copy, gated


def take_away(world: World, copy: Object) -> bool:
    """Delete a copy as it was read; ``False`` when it has been adopted: then it is a replica that counts. Raises Unanswered."""
    for _ in range(TRIES):  # it changes while it starts
        body = read_same(world, copy)
        if body is None or terminating(body):
            break
        if controller(body) is not None:
            return False
        if world.actuator.delete(replace(copy, version=body["metadata"]["resourceVersion"])).done:
            break
    else:
        world.unfinished = True
    return True


def _until_wave(world: World, what: Exchange, copy: Object) -> Pauses:
    """Keep the room until the wave begins, then let the copy go there."""
    while world.wave < what.wave:
        yield Pause("its room is being made", until_wave=what.wave)
    what.read()
    yield from destination.until_fits(world, copy, what.node, old_self_stays=False)
    rewritten(world, copy, lambda body: {"spec": {"schedulingGates": without_gate(body, RESERVED_GATE)}}, f"{copy.name}: gate")
    world.reserved.pop(copy, None)


def _until_ready(world: World, what: Exchange, copy: Object, min_ready_seconds: int, *, nominated: bool) -> Pauses:
    steady, next_look = False, world.clock.now()
    while True:
        body = read_same(world, copy)
        if body is None or terminating(body):
            raise Surprise("churn", f"the copy {copy.name} is gone")
        node = node_of(body)
        if node not in (None, what.node):
            raise Surprise("scheduling", f"the copy {copy.name} was bound to {node}, not to {what.node}")
        if node is None and not nominated and (body.get("status") or {}).get("nominatedNodeName"):
            raise Surprise("scheduling", f"the copy {copy.name} would preempt on {what.node}")
        if node is None and refused(body) and world.clock.now() >= next_look:
            _check_still_fits(world, what, copy)
            next_look = world.clock.now() + destination.LOOK_EVERY
        if ready(body) and (steady or not min_ready_seconds):
            return
        if ready(body):
            yield from wait(world, timedelta(seconds=min_ready_seconds), f"the copy {copy.name} is Ready, minReadySeconds pass")
        else:
            yield Pause(f"the copy {copy.name} is not Ready on {what.node}")
        steady = ready(body)


def _check_still_fits(world: World, what: Exchange, copy: Object) -> None:
    """Raises Surprise when kube-scheduler is right to refuse the copy: then waiting longer is of no use."""
    with suppress(destination.NotYet):
        destination.check(world, copy, what.node, old_self_stays=False)


def adopt(world: World, what: Exchange, copy: Object, *, desired: int | None = None) -> None:
    """Mark the original, look at everything once more, give the copy its label. After a Surprise the ReplicaSet has not seen it.

    ``desired``: how many replicas were wanted when the exchange began; ``None``: not known.
    """
    original, cluster = what.read(), what.target.cluster
    replica_set = replica_set_of(world, cluster, original)
    check_surgeable(world, cluster, replica_set, original, waiting=what.waiting, desired=desired)
    own = notes(original).get(DELETION_COST, "")
    marks = {DELETION_COST: str(MINIMAL_COST), PREVIOUS_COST: notes(original).get(PREVIOUS_COST, own), RUN: world.run_id}
    patched(world, pod_object(what.pod), {"metadata": {"annotations": marks}}, f"{what.pod}: deletion cost")
    check_surgeable(world, cluster, replica_set_of(world, cluster, what.read()), original, waiting=what.waiting, desired=desired)
    body = read_same(world, copy)
    if body is None or not ready(body):
        raise Surprise("churn", f"the copy {copy.name} is not Ready any more")
    node = node_of(original)
    if node is not None:
        world.about_to_free(cluster, node)
    label = {TEMPLATE_HASH: withheld_label(replica_set)}
    patched(world, copy, {"metadata": {"labels": label, "annotations": {MOVE_OF: None, EXPIRES: None}}}, f"{copy.name}: label")


def until_dropped(world: World, what: Exchange, copy: Object) -> Pauses:
    """The ReplicaSet adopts the copy and drops the original; if it dropped another pod instead (HPA, rollout), say so.

    When patience ends here the deletion cost stays: the ReplicaSet may be about to act on it.
    """
    original = pod_object(what.pod)
    while (still := read_same(world, original)) is not None:
        body = read_same(world, copy)
        if body is None or terminating(body):
            restore_cost(world, pod_object(what.pod))
            raise Surprise("churn", f"the adopted copy {copy.name} is gone")
        if controller(body) is not None and not terminating(still):
            replica_set = replica_set_of(world, what.target.cluster, still)
            pods = owned(world, what.target.cluster, replica_set)
            survives = original.uid in {pod["metadata"]["uid"] for pod in pods}  # of one answer: it may have gone since the last
            if survives and len(pods) <= replica_set["spec"].get("replicas", 1):
                restore_cost(world, pod_object(what.pod))
                raise Surprise("churn", f"ReplicaSet {replica_set['metadata']['name']} dropped another pod instead")
        yield Pause(f"{what.pod} is not gone yet")


def restore_cost(world: World, original: Object) -> None:
    """Give a surviving original the deletion cost that its user gave it."""
    body = read_same(world, original)
    if body is None or terminating(body) or PREVIOUS_COST not in notes(body):
        return
    marks = {DELETION_COST: notes(body)[PREVIOUS_COST] or None, PREVIOUS_COST: None, RUN: None}
    patched(world, original, {"metadata": {"annotations": marks}}, f"{original.name}: its own deletion cost")
