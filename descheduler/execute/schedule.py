"""Schedule: the room is made, kube-scheduler finds it; all there is to do is to watch."""

from __future__ import annotations

from datetime import timedelta

from descheduler.domain.plan import Placed
from descheduler.execute import destination
from descheduler.execute.reserve import waiting_pod
from descheduler.execute.world import Arrived, Pause, Steps, Surprise, World, pod_object

LOOK_EVERY = timedelta(seconds=10)
"""How often to ask whether the room is still there: as long as kube-scheduler leaves a pod alone at most after a failed attempt."""


def schedule(world: World, placed: Placed) -> Steps:
    """Wait until a waiting pod is bound; any node will do. No longer than there is one with room: two looks in a row must say so."""
    missed, next_look = False, world.clock.now() + LOOK_EVERY
    while True:
        try:
            waiting_pod(world, placed)
        except Surprise as surprise:
            if surprise.node is None:
                raise
            elsewhere = "" if surprise.node == placed.target.node else f"on {surprise.node}, planned on {placed.target.node}"
            return Arrived(surprise.node, elsewhere)
        if world.clock.now() >= next_look:
            next_look = world.clock.now() + LOOK_EVERY
            before, missed = missed, not destination.has_room(world, pod_object(placed.pod), placed.target.node)
            if before and missed:
                raise Surprise("scheduling", f"{placed.pod}: no node has room for it any more")
        yield Pause(f"{placed.pod} is not bound")
