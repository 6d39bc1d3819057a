"""Recovery: whatever an interrupted run left is finished or undone. The first thing every run does, and a command of its own.

Everything a run leaves lies in the clusters and carries its marks, so nothing has to be remembered: copies of pods whose place
they were to take, deletion costs on pods that were to go, gates of holds, journals of bare pods. Whoever holds a cluster's Lease
knows that the runs which made them are over (kubernetes.md 1.4 crash table, 1.5, 1.7).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta

from descheduler.clock import Clock
from descheduler.domain.marks import HOLD_GATE, HOLD_NAME, HOLD_NAMESPACE, MOVE_OF, PREVIOUS_COST, RESERVED_GATE, RUN, TEMPLATE_HASH
from descheduler.domain.objects import Cluster, Pod
from descheduler.domain.plan import PlanPod, Spot
from descheduler.domain.report import StepResult
from descheduler.domain.snapshot import Snapshot
from descheduler.errors import Unanswered
from descheduler.execute import hold, journal, surge
from descheduler.execute.asking import deleted
from descheduler.execute.evict import gates
from descheduler.execute.fence import Fenced
from descheduler.execute.hands import Hands
from descheduler.execute.replicas import owned, replica_set_of
from descheduler.execute.surge import Exchange
from descheduler.execute.waves import LAST_STEP, LOOK_AGAIN
from descheduler.execute.world import Pause, Surprise, World, controller, node_of, notes, object_of, read_same, ready, terminating
from descheduler.ports import Body, Object, Reader, Store
from descheduler.rules.subject import annotation

SETTLED_WITHIN = timedelta(minutes=2)
"""How long a controller may take for what it was about to do when the run was interrupted."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something an interrupted run left behind, and how to end it."""

    subject: str
    end: Callable[[World], Iterator[Pause] | None]


def recover(snapshot: Snapshot, reader: Reader, hands: Hands, clock: Clock, run_id: str) -> tuple[StepResult, ...]:
    """End whatever earlier runs left in the clusters of the snapshot. A cluster whose Lease is held elsewhere is left alone.

    The answer tells what was found; it is empty when there was nothing. When ``hands.stop`` says so, the rest is left to the next run.
    """
    results: list[StepResult] = []
    clusters = sorted(snapshot.clusters, key=lambda each: each.name)
    at_rest = {cluster.name: hands.store.at_rest(cluster.name) for cluster in clusters}  # of dead runs' Leases all begin to lapse now
    nodes = {node.ref: node for cluster in clusters for node in cluster.nodes}
    expires = clock.now() + SETTLED_WITHIN
    fenced = Fenced(hands.actuator, hands.store, run_id)
    world = World(reader=reader, actuator=fenced, clock=clock, run_id=run_id, expires=expires, nodes=nodes, stop=hands.stop)
    for cluster in clusters:
        try:
            found = _leftovers(cluster, reader, run_id)
        except Unanswered as nothing:
            results.append(StepResult(subject=cluster.name, outcome="Failed", message=str(nothing)))
            continue
        if not found and at_rest[cluster.name]:
            continue
        reason = hands.stop() or hands.store.acquire(cluster.name, run_id)
        if reason is not None:
            subjects = [left.subject for left in found] or [cluster.name]
            results += [StepResult(subject=subject, outcome="Skipped", message=reason) for subject in subjects]
            continue
        results += _put_in_order(world, hands, cluster.name, found)
    return tuple(results)


def _put_in_order(world: World, hands: Hands, cluster: str, found: list[Leftover]) -> list[StepResult]:
    """End what was found in a cluster whose Lease is ours now, and give that back."""
    ended: list[StepResult] = []
    clean = world.unfinished = False
    try:
        now = world.reader.cluster(cluster)  # until the Lease was ours, another run may have gone on
        found = found if now is None else _leftovers(now, world.reader, world.run_id)
        ended = [_ended(world, hands.store, cluster, left) for left in found]
        clean = all(result.outcome == "Done" for result in ended) and not world.unfinished
    except Unanswered as nothing:
        ended = [StepResult(subject=cluster, outcome="Failed", message=str(nothing))]
    finally:
        hands.store.release(cluster, world.run_id, clean=clean)
    return ended


def _ended(world: World, store: Store, cluster: str, left: Leftover) -> StepResult:
    """See one leftover to its end, or to the end of patience; when the run shall come to an end, nothing new is begun."""
    why = world.stop()
    if why is not None:
        return StepResult(subject=left.subject, outcome="Skipped", message=why)
    until, heard = world.clock.now() + SETTLED_WITHIN, None
    try:
        steps = left.end(world)
        for pause in steps or ():
            why = world.stop()
            heard = heard or (None if why is None else world.clock.now())
            late = heard is not None and world.clock.now() - heard >= LAST_STEP
            if why is not None and (late or not pause.up_to_us):
                return StepResult(subject=left.subject, outcome="Skipped", message=why)
            lost = store.acquire(cluster, world.run_id)  # this may take longer than a Lease is good without being renewed
            if lost is not None:
                return StepResult(subject=left.subject, outcome="Skipped", message=lost)
            if world.clock.now() >= until:
                raise Surprise("churn", f"after {SETTLED_WITHIN} still: {pause.why}")
            _, namespace, _ = left.subject.split("/")
            world.reader.until_change([(cluster, namespace)], LOOK_AGAIN)
    except (Surprise, Unanswered) as surprise:
        return StepResult(subject=left.subject, outcome="Failed", message=str(surprise))
    return StepResult(subject=left.subject, outcome="Done", message="recovered")


def _leftovers(cluster: Cluster, reader: Reader, run_id: str) -> list[Leftover]:
    """In the order in which they are to be ended: copies before the costs of their originals."""
    pods = [pod for pod in cluster.pods if not pod.terminating and annotation(pod.annotations, RUN) != run_id]
    found = [_copy(cluster, pod) for pod in pods if pod.owner is None and annotation(pod.annotations, MOVE_OF) is not None]
    found += [_cost(pod) for pod in pods if annotation(pod.annotations, PREVIOUS_COST) is not None]
    if hold.left_over(reader, cluster.name, run_id):
        found.append(Leftover(f"{cluster.name}/{HOLD_NAMESPACE}/{HOLD_NAME}", lambda world: hold.forget(world, cluster.name)))
    found += [_gate(pod) for pod in pods if HOLD_GATE in pod.gates]
    found += [
        Leftover(f"{cluster.name}/{entry['metadata']['namespace']}/{entry['metadata']['name']}", _journal(cluster.name, entry))
        for entry in reader.journals(cluster.name)
    ]
    return found


def _copy(cluster: Cluster, pod: Pod) -> Leftover:
    """An ownerless copy: finish the exchange when it is as good as done, else take the copy away. Neither costs a replica."""

    def end(world: World) -> Iterator[Pause]:
        what = Object(cluster=cluster.name, kind="Pod", namespace=pod.ref.namespace, name=pod.ref.name, uid=pod.uid)
        body = read_same(world, what)
        if body is None or terminating(body) or controller(body) is not None:
            return
        if TEMPLATE_HASH in (body["metadata"].get("labels") or {}):  # its ReplicaSet was about to adopt it
            yield from _until_adopted(world, what)
            return
        siblings = world.reader.pods(cluster.name, pod.ref.namespace)
        original = next((p for p in siblings if p["metadata"]["uid"] == notes(body)[MOVE_OF]), None)
        exchange = _exchange(world, cluster.name, body, original)
        if exchange is not None and ready(body) and RESERVED_GATE not in gates(body) and _adopted(world, exchange, what):
            yield from surge.until_dropped(world, exchange, what)
            return
        now = read_same(world, what)  # adopted since, it is a replica that counts: hence the version that says it is not
        if now is None or controller(now) is not None:
            return
        deleted(world, replace(what, version=now["metadata"]["resourceVersion"]))
        if original is not None:
            surge.restore_cost(world, object_of(cluster.name, original))

    return Leftover(str(pod.ref), end)


def _adopted(world: World, exchange: Exchange, copy: Object) -> bool:
    """Give the copy its label, if everything is still as it must be for that."""
    try:
        surge.adopt(world, exchange, copy)
    except Surprise:
        return False
    return True


def _until_adopted(world: World, copy: Object) -> Iterator[Pause]:
    while (body := read_same(world, copy)) is not None and controller(body) is None and not terminating(body):
        yield Pause(f"{copy.name} is not adopted yet")


def _exchange(world: World, cluster: str, copy: Body, original: Body | None) -> Exchange | None:
    """What the interrupted run had in mind, read off the copy; ``None`` when the original has gone its own way."""
    node = node_of(copy)
    if original is None or terminating(original) or node is None:
        return None
    meta = original["metadata"]
    pod = PlanPod(cluster=cluster, namespace=meta["namespace"], name=meta["name"], uid=meta["uid"])
    where = node_of(original)
    target = Spot(cluster=cluster, node=node)
    return Exchange(pod=pod, target=target, wave=0, waiting=where is None, read=lambda: surge.as_it_was(world, pod, where))


def _cost(pod: Pod) -> Leftover:
    """Our deletion cost on a pod: once its ReplicaSet has settled, a survivor gets back what its user gave it."""

    def end(world: World) -> Iterator[Pause]:
        what = Object(cluster=pod.ref.cluster, kind="Pod", namespace=pod.ref.namespace, name=pod.ref.name, uid=pod.uid)
        while (body := read_same(world, what)) is not None and not terminating(body) and _crowded(world, pod.ref.cluster, body):
            yield Pause(f"the ReplicaSet of {pod.ref.name} has one pod too many")
        if body is not None and not terminating(body):
            surge.restore_cost(world, what)

    return Leftover(str(pod.ref), end)


def _crowded(world: World, cluster: str, pod: Body) -> bool:
    """Whether the pod's ReplicaSet is about to drop one."""
    try:
        replica_set = replica_set_of(world, cluster, pod)
    except Surprise:
        return False
    wanted: int = replica_set["spec"].get("replicas", 1)
    return len(owned(world, cluster, replica_set)) > wanted


def _gate(pod: Pod) -> Leftover:
    """A held pod is released without restriction: that it runs matters more than where."""

    def end(world: World) -> None:
        what = Object(cluster=pod.ref.cluster, kind="Pod", namespace=pod.ref.namespace, name=pod.ref.name, uid=pod.uid)
        hold.set_free(world, what)

    return Leftover(str(pod.ref), end)


def _journal(cluster: str, entry: Body) -> Callable[[World], Iterator[Pause]]:
    return lambda world: journal.replay(world, cluster, entry)
