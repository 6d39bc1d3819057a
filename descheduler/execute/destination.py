"""The second look at a destination, taken right before every step that cannot be undone."""

from __future__ import annotations

from dataclasses import replace

from descheduler.domain.objects import Pod
from descheduler.execute.world import Surprise, World
from descheduler.ports import Object
from descheduler.rules.scene import Scene


def check(world: World, pod: Object, node: str | None, *, old_self_stays: bool) -> None:
    """Raises Surprise unless a pod like this one fits on the node as the cluster is now; on any node when ``node`` is ``None``.

    ``old_self_stays``: the pod itself keeps its room beside the newcomer (Surge).
    """
    scene, found = _look(world, pod, old_self_stays)
    newcomer = replace(found, uid="", node=None, nominated_node=None, terminating=False)
    if node is None:
        if not scene.feasible(newcomer):
            raise Surprise("scheduling", f"{found.ref}: no node has room for its successor any more")
        return
    reason = scene.objection(newcomer, node)
    if reason is not None:
        raise Surprise("scheduling", f"{pod.cluster}/{node} cannot take {found.ref} any more: {reason}")


def _look(world: World, pod: Object, old_self_stays: bool) -> tuple[Scene, Pod]:
    cluster = world.reader.cluster(pod.cluster)
    found = next((p for p in cluster.pods if p.uid == pod.uid), None) if cluster else None
    if cluster is None or found is None:
        raise Surprise("churn", f"{pod.cluster}/{pod.namespace}/{pod.name} is not there any more")
    return Scene(cluster.nodes, (p for p in cluster.pods if old_self_stays or p.uid != pod.uid)), found
