"""Hold: new pods of a controller are gated at admission, the pod is evicted, and its gated replacement is pinned and let go.

kubernetes.md 1.5. The gate is put on by an admission policy whose parameter is one ``PlacementHold`` object; that the policy
works is probed before anything is evicted. After the eviction, whatever goes wrong, the replacement is released without
restriction: that it runs matters more than where.
"""

from __future__ import annotations

from collections.abc import Generator
from datetime import timedelta
from typing import Any

from descheduler.domain.marks import EXPIRES, HOLD_API, HOLD_GATE, HOLD_KIND, HOLD_NAME, HOLD_NAMESPACE, RUN
from descheduler.domain.plan import Move
from descheduler.execute import copies, destination
from descheduler.execute.asking import ask, patched, rewritten, without_gate
from descheduler.execute.evict import gates, leave, replacement, until_running
from descheduler.execute.world import (
    Arrived,
    Pause,
    Steps,
    Surprise,
    World,
    begun,
    controller,
    generated,
    left_to_recovery,
    notes,
    object_of,
    pin,
    pod_object,
    read_same,
    running_victim,
    stamp,
    until_gone,
    wait,
)
from descheduler.ports import Body, Object, Reader

RELEASE_ATTEMPTS = 3
HEARD_WITHIN = timedelta(seconds=3)
"""How long an API server may take to heed a changed parameter: its informer has it in milliseconds, policies are refreshed each second."""


def hold(world: World, move: Move) -> Steps:
    """Move a pod to exactly the planned node with its old self gone first; between its two waves it waits, gated."""
    victim, node, cluster = running_victim(world, move), move.target.node, move.pod.cluster
    owner = controller(victim)
    if owner is None or node is None:
        raise Surprise("churn", f"{move.pod}: a hold needs a controller and a node")
    pin(world, cluster, node, victim["spec"].get("nodeSelector") or {})
    yield from _turn(world, owner["uid"])
    held: Object | None = None
    try:
        _set_held(world, cluster, owner["uid"], True)
        yield from _until_gate_works(world, move, victim, owner)
        known: set[str] = set()
        yield from leave(world, move, lambda: _check(world, move, node), known)
        with begun():
            while (held := replacement(world, move, owner["uid"], known, HOLD_GATE)) is None:
                yield Pause(f"{move.pod} has no replacement yet")
            yield from _steer(world, move, held, node)
    finally:
        _let_go(world, move, owner["uid"], held)
    with begun():
        arrived = yield from until_running(world, held)
        if arrived != node:
            raise Surprise("scheduling", f"{held.name} runs on {arrived}, not on {node}", node=arrived)
        yield from wait(world, HEARD_WITHIN, "a sibling may still be gated")
        _release_gated(world, move, owner["uid"])
    return Arrived(node)


def _steer(world: World, move: Move, held: Object, node: str) -> Generator[Pause, None, None]:
    """Keep the destination's room for the gated replacement until its wave, then let it go there."""
    copies.nominate(world, held, node)
    yield from until_gone(world, pod_object(move.pod))
    while world.wave < move.arrival_wave:
        yield Pause("its room is being made", until_wave=move.arrival_wave)
    yield from destination.until_fits(world, held, node, old_self_stays=False)
    release(world, held, node)


def _turn(world: World, owner_uid: str) -> Generator[Pause, None, None]:
    """One held pod per controller at a time: while it is held, all its new pods are gated."""
    while owner_uid in world.adopting:
        yield Pause("another pod of the controller is held")
    world.adopting.add(owner_uid)


def _check(world: World, move: Move, node: str) -> None:
    """The destination must have room now, unless that room is made by a later wave."""
    if move.arrival_wave == world.wave:
        destination.check(world, pod_object(move.pod), node, old_self_stays=False)


def _until_gate_works(world: World, move: Move, victim: Body, owner: Any) -> Generator[Pause, None, None]:
    """Dry-run creates that carry the ownerReference, until admission gates them."""
    spec = {key: value for key, value in victim["spec"].items() if key not in copies.GIVEN_BY_SERVER}
    meta = {"generateName": generated(move.pod.name, "probe-"), "namespace": move.pod.namespace, "ownerReferences": [dict(owner)]}
    labels = {"labels": victim["metadata"].get("labels") or {}}
    probe = {"apiVersion": "v1", "kind": "Pod", "metadata": {**meta, **labels}, "spec": spec}
    while True:
        answer = ask(world, lambda: world.actuator.create(move.pod.cluster, probe, dry_run=True), f"{move.pod}: probe of the hold")
        if answer.done and HOLD_GATE in gates(answer.body):
            return
        yield Pause(f"new pods of {owner['kind']} {owner['name']} are not held yet")


def release(world: World, held: Object, node: str | None) -> None:
    """Take our gate off, and with ``node`` pin the pod there; in one guarded patch."""

    def freed(body: Body) -> dict[str, Any]:
        spec: dict[str, Any] = {"schedulingGates": without_gate(body, HOLD_GATE)}
        if node is None:
            return {"spec": spec}
        selector, marks = pin(world, held.cluster, node, body["spec"].get("nodeSelector") or {})
        return {"metadata": {"annotations": {**marks, RUN: world.run_id}}, "spec": {**spec, "nodeSelector": selector}}

    rewritten(world, held, freed, f"{held.name}: release")
    world.reserved.pop(held, None)


def set_free(world: World, held: Object) -> None:
    """Take our gate off without restriction, even if that is refused at first. Raises Surprise."""
    for attempts_left in reversed(range(RELEASE_ATTEMPTS)):
        if read_same(world, held) is None:
            return
        try:
            release(world, held, None)
        except Surprise:
            if not attempts_left:
                raise
        else:
            return


def _let_go(world: World, move: Move, owner_uid: str, held: Object | None) -> None:
    """End the hold, and release without restriction whoever it still gates."""
    world.adopting.discard(owner_uid)
    if held is not None:
        world.reserved.pop(held, None)
    try:
        _set_held(world, move.pod.cluster, owner_uid, False)
    finally:
        with left_to_recovery(world):  # then the replacement does not run, and the step says so
            _release_gated(world, move, owner_uid)


def _release_gated(world: World, move: Move, owner_uid: str) -> None:
    """Set whoever the hold still gates free; whoever cannot be is told, when all the others are free. Raises Surprise."""
    stuck: Surprise | None = None
    for pod in world.reader.pods(move.pod.cluster, move.pod.namespace):
        if (controller(pod) or {}).get("uid") == owner_uid and HOLD_GATE in gates(pod):
            try:
                set_free(world, object_of(move.pod.cluster, pod))
            except Surprise as surprise:
                stuck = surprise
    if stuck is not None:
        raise stuck


def left_over(reader: Reader, cluster: str, run_id: str) -> bool:
    """Whether a run that is over still holds controllers. Raises Unanswered."""
    body = reader.read(Object(cluster=cluster, kind=HOLD_KIND, namespace=HOLD_NAMESPACE, name=HOLD_NAME))
    return body is not None and bool((body.get("spec") or {}).get("ownerUIDs")) and notes(body).get(RUN) != run_id


def forget(world: World, cluster: str) -> Generator[Pause, None, None]:
    """Hold no controller any more, and release whoever was gated until the API server had heard of it. Raises Surprise."""
    what = Object(cluster=cluster, kind=HOLD_KIND, namespace=HOLD_NAMESPACE, name=HOLD_NAME)
    patched(world, what, {"spec": {"ownerUIDs": []}}, HOLD_KIND)
    yield from wait(world, HEARD_WITHIN, "a pod may still be gated")
    now = world.reader.cluster(cluster)
    if now is None:
        raise Surprise("churn", f"{cluster} cannot be read: a pod may still be gated there")
    for pod in now.pods:
        if HOLD_GATE in pod.gates and not pod.terminating:
            ref = pod.ref
            set_free(world, Object(cluster=cluster, kind="Pod", namespace=ref.namespace, name=ref.name, uid=pod.uid))


def _set_held(world: World, cluster: str, owner_uid: str, wanted: bool) -> None:
    """Put a controller on the list of held ones, or take it off."""
    what = Object(cluster=cluster, kind=HOLD_KIND, namespace=HOLD_NAMESPACE, name=HOLD_NAME)
    body = world.reader.read(what)
    uids = [uid for uid in ((body or {}).get("spec") or {}).get("ownerUIDs") or () if uid != owner_uid]
    spec = {"ownerUIDs": [*uids, owner_uid] if wanted else uids}
    marks = {RUN: world.run_id, EXPIRES: stamp(world.expires)}
    if body is not None:
        patched(world, what, {"metadata": {"annotations": marks}, "spec": spec}, HOLD_KIND)
    elif wanted:
        meta = {"name": HOLD_NAME, "namespace": HOLD_NAMESPACE, "annotations": marks}
        told = {"apiVersion": HOLD_API, "kind": HOLD_KIND, "metadata": meta, "spec": spec}
        ask(world, lambda: world.actuator.create(cluster, told), HOLD_KIND)
