"""Schedule: the room is made, kube-scheduler finds it; all there is to do is to watch."""

from __future__ import annotations

from descheduler.domain.plan import Placed
from descheduler.execute.reserve import waiting_pod
from descheduler.execute.world import Arrived, Pause, Steps, Surprise, World


def schedule(world: World, placed: Placed) -> Steps:
    """Wait until a waiting pod is bound; any node will do."""
    while True:
        try:
            waiting_pod(world, placed)
        except Surprise as surprise:
            if surprise.node is None:
                raise
            elsewhere = "" if surprise.node == placed.target.node else f"on {surprise.node}, planned on {placed.target.node}"
            return Arrived(surprise.node, elsewhere)
        yield Pause(f"{placed.pod} is not bound")
