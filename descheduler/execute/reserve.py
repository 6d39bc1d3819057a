"""Reserve: a waiting ReplicaSet pod gets exactly its planned node. A gated, nominated copy keeps the hole free while it is being made.

kubernetes.md 1.6. When the wave begins the copy is let go, binds, is adopted, and the ReplicaSet drops the waiting original.
"""

from __future__ import annotations

from descheduler.domain.plan import Placed
from descheduler.execute.surge import Exchange, exchange
from descheduler.execute.world import Steps, Surprise, World, node_of, pod_object, terminating
from descheduler.ports import Body


def reserve(world: World, placed: Placed) -> Steps:
    """Place a waiting pod by a copy that keeps its room."""
    what = Exchange(pod=placed.pod, target=placed.target, wave=placed.wave, waiting=True, read=lambda: waiting_pod(world, placed))
    return exchange(world, what)


def waiting_pod(world: World, placed: Placed) -> Body:
    """The waiting pod, read now. Raises Surprise when it is gone or another one; as ``Done`` when someone else has bound it."""
    what = pod_object(placed.pod)
    body = world.reader.read(what)
    if body is None or terminating(body):
        raise Surprise("churn", f"{placed.pod} is gone")
    if body["metadata"]["uid"] != what.uid:
        raise Surprise("churn", f"{placed.pod} is another pod by now: its UID is {body['metadata']['uid']}")
    node = node_of(body)
    if node is not None:
        raise Surprise("churn", f"kube-scheduler bound it to {node} first", outcome="Done", node=node)
    return body
