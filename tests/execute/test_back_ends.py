"""Somebody else's way of moving a pod takes the place of ours without a change to the executor."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta

from descheduler.domain.objects import Pod
from descheduler.domain.plan import Move, Mover
from descheduler.domain.report import Outcome
from descheduler.domain.selectors import Taint, Toleration
from descheduler.execute import MOVERS, Hands, act
from descheduler.execute.world import Arrived, Pause, Steps, Surprise, World, node_of, pod_object, read_same, running_victim
from descheduler.federation.simulated import SimulatedFleet
from descheduler.ports import Object
from tests.builders import a_node, a_pod, a_snapshot
from tests.fakes import FakeClock
from tests.plan_builders import a_move, a_placement, a_plan
from tests.problems import a_policy

SMALL = a_pod("small", on="a", of="web", cpu=1)
BIG = a_pod("big", of="batch", cpu=4, tolerations=[Toleration(key="batch", operator="Exists")])
A, B = a_node("a", cpu=4, taints=[Taint(key="batch", value="", effect="NoSchedule")]), a_node("b", cpu=1)


class Cooperative(SimulatedFleet):
    """A fleet with somebody in it who heeds requests that pods leave (as EvictionRequest has it), a while later; or does not."""

    def __init__(self, *, heeds: bool = True) -> None:
        self.time = FakeClock()
        super().__init__(a_snapshot(A, B, SMALL, BIG), self.time)
        self.requests: list[Object] = []
        self.withdrawn: list[Object] = []
        self.heeds = heeds

    def until_change(self, places: Iterable[tuple[str, str]], at_most: timedelta) -> None:
        super().until_change(places, at_most)
        if self.heeds:
            for pod in self.requests:
                self.evict(pod)

    def ask_to_leave(self, world: World, move: Move) -> Steps:
        """The back end: it asks, waits until the pod is gone, and withdraws its request when the executor loses patience."""
        running_victim(world, move)
        self.requests.append(pod_object(move.pod))
        try:
            while read_same(world, pod_object(move.pod)) is not None:
                yield Pause("nobody has taken it away yet")
            while (node := self._new_node(move)) is None:
                yield Pause("its successor has no node yet")
        except Surprise:
            self.withdrawn.append(self.requests.pop())
            raise
        return Arrived(node)

    def _new_node(self, move: Move) -> str | None:
        pods = self.pods(move.pod.cluster, move.pod.namespace)
        return next((node_of(pod) for pod in pods if pod["metadata"]["labels"].get("app") == "web"), None)


def acted(fleet: Cooperative) -> Outcome:
    plan = a_plan(a_move(SMALL, "b", mover=Mover.EVICT, room_for=[BIG]), a_placement(BIG, "a", wave=2))
    movers = {**MOVERS, Mover.EVICT: fleet.ask_to_leave}
    return act(plan, a_policy(trigger={"pendingFor": "0s"}), fleet, Hands(actuator=fleet, store=fleet, movers=movers), fleet.time)


def where(fleet: SimulatedFleet) -> list[str | None]:
    def app(pod: Pod) -> str:
        return dict(pod.labels)["app"]

    return [pod.node for pod in sorted(fleet.snapshot().pods(), key=app)]


def test_another_back_end_moves_the_pod_and_the_next_wave_waits_for_it() -> None:
    fleet = Cooperative()

    outcome = acted(fleet)

    assert outcome.complete, outcome
    assert where(fleet) == ["a", "b"]


def test_a_back_end_that_waits_in_vain_cleans_up_and_the_rest_is_stopped() -> None:
    fleet = Cooperative(heeds=False)

    outcome = acted(fleet)

    assert [(result.outcome, result.message) for result in outcome.results] == [
        ("Blocked", "after 0:10:00 still: nobody has taken it away yet"),
        ("Skipped", "stopped with move-small"),
    ]
    assert (fleet.requests, len(fleet.withdrawn)) == ([], 1)
    assert where(fleet) == [None, "a"]
