"""Recreate: a bare pod is journalled, evicted and created again on its node. Opt-in: nobody else brings it back (kubernetes.md 1.7)."""

from __future__ import annotations

from descheduler.domain.plan import Move
from descheduler.execute import destination, journal
from descheduler.execute.asking import ask
from descheduler.execute.evict import leave, until_running
from descheduler.execute.world import (
    Arrived,
    Steps,
    Surprise,
    World,
    begun,
    controller,
    generated,
    left_to_recovery,
    pod_object,
    running_victim,
)
from descheduler.ports import Body


def recreate(world: World, move: Move) -> Steps:
    """Move a bare pod to exactly the planned node; from the journal on, a crash at any instant brings it back."""
    victim, node, cluster = running_victim(world, move), move.target.node, move.pod.cluster
    if node is None:
        raise Surprise("scheduling", f"{move.pod}: a bare pod needs a node")
    _check_bare(victim)
    _check_scheduler(world, cluster, victim)
    told = journal.manifest(world, cluster, victim, node)
    rehearsed = {**told, "metadata": {**told["metadata"], "name": generated(move.pod.name, "rehearsal")}}
    answer = ask(world, lambda: world.actuator.create(cluster, rehearsed, dry_run=True), f"dry run of {move.pod}")
    if answer.unknown:
        raise Surprise("scheduling", f"the dry run of {move.pod} was not answered")
    destination.check(world, pod_object(move.pod), node, old_self_stays=False)
    kept = journal.write(world, cluster, told)
    try:
        yield from leave(world, move, lambda: destination.check(world, pod_object(move.pod), node, old_self_stays=False), as_read=True)
    except BaseException:
        if move.pod.uid not in world.unsure:  # an eviction that may still come about keeps its journal: recovery will see
            with left_to_recovery(world):
                journal.close(world, cluster, kept)
        else:
            world.unfinished = True
        raise
    with begun():
        made = yield from journal.replay(world, cluster, kept)
        if made is None:
            raise Surprise("churn", f"somebody else made {move.pod} again")
        arrived = yield from until_running(world, made)
        if arrived != node:
            raise Surprise("scheduling", f"{move.pod} runs on {arrived}, not on {node}", node=arrived)
    return Arrived(node)


def _check_bare(pod: Body) -> None:
    """Raises Surprise for a pod that somebody else looks after, or that cannot be made again as it is."""
    meta, spec = pod["metadata"], pod["spec"]
    if controller(pod) is not None:
        raise Surprise("churn", f"{meta['name']} has a controller")
    if "kubernetes.io/config.mirror" in (meta.get("annotations") or {}):
        raise Surprise("churn", f"{meta['name']} is a static pod")
    if spec.get("resourceClaims") or spec.get("schedulingGroup"):
        raise Surprise("scheduling", f"{meta['name']} uses resource claims or a scheduling group")


def _check_scheduler(world: World, cluster: str, pod: Body) -> None:
    """Raises Surprise unless the pod's scheduler is one of those whose profile is known: the same that planning allows."""
    name = pod["spec"].get("schedulerName") or "default-scheduler"
    now = world.reader.cluster(cluster)
    if now is None:
        raise Surprise("churn", f"{cluster} cannot be read")
    if name not in now.schedulers:
        raise Surprise("scheduling", f"{pod['metadata']['name']} is scheduled by {name}")
