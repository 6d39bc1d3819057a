"""The second look at a destination, taken right before every step that cannot be undone."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import replace
from datetime import timedelta

from descheduler.domain.marks import RESERVED_GATE
from descheduler.domain.objects import Cluster, Pod
from descheduler.execute.world import Pause, Surprise, World
from descheduler.ports import Object
from descheduler.rules.scene import Scene

LOOK_EVERY = timedelta(seconds=10)
"""How often to ask whether room is still there: as long as kube-scheduler leaves a pod alone at most after a failed attempt."""


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


def has_room(world: World, pod: Object) -> bool:
    """Whether any node can take a waiting pod, or will when those have gone who are on their way out, and copies of ours that keep room.

    A nominated pod has been promised room; a cluster that cannot be read says nothing. Raises Surprise when the pod is not there any more.
    """
    cluster = world.reader.cluster(pod.cluster)
    if cluster is None:
        return True
    found = _found(cluster, pod)
    if found.nominated_node is not None:
        return True
    keepers = {copy.uid for copy in world.reserved if copy.cluster == pod.cluster}
    staying = (p for p in cluster.pods if p.uid != pod.uid and not p.terminating and (p.node is not None or p.uid not in keepers))
    return bool(Scene(cluster.nodes, staying).feasible(replace(found, uid="")))


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
    if cluster is None:
        raise Surprise("churn", f"{pod.cluster} cannot be read")
    return cluster, _found(cluster, pod)


def _found(cluster: Cluster, pod: Object) -> Pod:
    found = next((p for p in cluster.pods if p.uid == pod.uid), None)
    if found is None:
        raise Surprise("churn", f"{pod.cluster}/{pod.namespace}/{pod.name} is not there any more")
    return found
