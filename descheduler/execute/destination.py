"""The second look at a destination, taken right before every step that cannot be undone."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace

from descheduler.domain.marks import RESERVED_GATE
from descheduler.domain.objects import Cluster, Pod
from descheduler.execute.world import Pause, Surprise, World
from descheduler.ports import Object
from descheduler.rules.scene import Scene


class NotYet(Surprise):
    """Only copies of ours that keep room stand in the way: what leaves for them has not left yet, and then there is room for both."""


def check(world: World, pod: Object, node: str | None, *, old_self_stays: bool) -> Cluster:
    """The cluster as it is now. Raises Surprise unless a pod like this one fits on the node; on any node when ``node`` is ``None``.

    ``old_self_stays``: the pod itself keeps its room beside the newcomer (Surge).
    """
    cluster, found = _look(world, pod)
    newcomer = replace(found, uid="", node=None, nominated_node=None, terminating=False)
    there = [p for p in cluster.pods if old_self_stays or p.uid != pod.uid]
    scene = Scene(cluster.nodes, there)
    if node is None:
        if not scene.feasible(newcomer):
            raise Surprise("scheduling", f"{found.ref}: no node has room for its successor any more")
        return cluster
    reason = scene.objection(newcomer, node)
    if reason is None:
        return cluster
    keepers = {copy.uid for copy, place in world.reserved.items() if (copy.cluster, place) == (pod.cluster, node)}
    without = Scene(cluster.nodes, (p for p in there if p.node is not None or p.uid not in keepers))
    if keepers and without.objection(newcomer, node) is None:
        raise NotYet("scheduling", f"{pod.cluster}/{node} cannot take {found.ref} yet: room that is being made there is kept")
    raise Surprise("scheduling", f"{pod.cluster}/{node} cannot take {found.ref} any more: {reason}")


def has_room(world: World, pod: Object, node: str | None) -> bool:
    """Whether any node can take a waiting pod, or this one will when those have left beside whom a copy of ours keeps room.

    Raises Surprise when the pod is not there any more.
    """
    for place in (None, node):
        try:
            check(world, pod, place, old_self_stays=False)
        except NotYet:
            return True
        except Surprise as surprise:
            if surprise.cause != "scheduling":
                raise
        else:
            return True
    return False


def until_fits(world: World, pod: Object, node: str, *, old_self_stays: bool) -> Generator[Pause, None, Cluster]:
    """``check``, waiting while only our own reserved copies stand in the way. Raises Surprise."""
    while True:
        try:
            return check(world, pod, node, old_self_stays=old_self_stays)
        except NotYet as not_yet:
            yield Pause(str(not_yet))


def contended(cluster: Cluster, node: str, pod: Object, priority: int) -> bool:
    """Whether a copy of a pod of this priority could preempt somebody on the node, or race somebody for it whom a claim would hold off.

    Whoever waits may have been about to get a node already; copies of ours behind their gates are about to get none.
    """
    on_it = (p.priority < priority for p in cluster.pods if p.node == node)
    waiting = (p for p in cluster.pods if p.node is None and p.uid != pod.uid and RESERVED_GATE not in p.gates)
    return any(on_it) or any(p.priority <= priority for p in waiting)


def _look(world: World, pod: Object) -> tuple[Cluster, Pod]:
    cluster = world.reader.cluster(pod.cluster)
    found = next((p for p in cluster.pods if p.uid == pod.uid), None) if cluster else None
    if cluster is None or found is None:
        raise Surprise("churn", f"{pod.cluster}/{pod.namespace}/{pod.name} is not there any more")
    return cluster, found
