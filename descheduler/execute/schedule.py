"""Schedule: the room is made, kube-scheduler finds it; all there is to do is to watch."""

from __future__ import annotations

from descheduler.domain.plan import Placed
from descheduler.execute import destination
from descheduler.execute.reserve import waiting_pod
from descheduler.execute.world import Arrived, Pause, Steps, Surprise, World, pod_object


def schedule(world: World, placed: Placed) -> Steps:
    """Wait until a waiting pod is bound; any node will do. No longer than there is one with room: two looks in a row must say so."""
    missed, next_look = False, world.clock.now() + destination.LOOK_EVERY
    while True:
        try:
            waiting_pod(world, placed)
        except Surprise as surprise:
            if surprise.node is None:
                raise
            elsewhere = "" if surprise.node == placed.target.node else f"on {surprise.node}, planned on {placed.target.node}"
            return Arrived(surprise.node, elsewhere)
        if world.clock.now() >= next_look:
            before, missed = missed, not destination.has_room(world, pod_object(placed.pod))
            next_look = world.clock.now() + destination.LOOK_EVERY
            if before and missed:
                raise Surprise("scheduling", f"{placed.pod}: no node has room for it any more")
        yield Pause(f"{placed.pod} is not bound")
