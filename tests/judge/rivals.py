"""Replays a plan against eager rivals: any waiting pod may take any node as soon as it fits there, in any order.

A play is one schedule of departures and rivals. Random plays try many; aimed plays go for one planned arrival:
the node it needs is freed first and rivals look there first. What a surged copy has reserved is closed to rivals
of equal or lower priority that the same scheduler serves.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from tests.judge.fit import joint_refusal
from tests.judge.fleet import Cluster, Fleet, Pod
from tests.judge.moves import Step, residents
from tests.judge.state import Guest, State
from tests.judge.waves import arrival_refusal

RANDOM_PLAYS = 24
MOST_AIMED_PLAYS = 400
EAGERNESS = 0.85


@dataclass
class Aim:
    """What an aimed play goes for; ``rival`` alone acts, or all of them."""

    target: Step
    rival: str | None = None
    small_first: bool = False


@dataclass
class Play:
    """One schedule in one cluster."""

    cluster: Cluster
    steps: list[Step]
    reserves: bool
    dice: random.Random
    state: State
    aim: Aim | None = None
    bound: dict[str, str] = field(default_factory=dict)
    """Waiting pods that found a node, and which."""
    failures: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rivals = [pod for pod in self.cluster.pods if may_rival(pod)]
        self.held = [step for step in self.steps if step.mover == "Surge" and self.reserves and step.node]

    def run(self) -> dict[str, str]:
        """What no longer fits, per step, and why."""
        for wave in range(1, max(max(step.arrives, step.leaves) for step in self.steps) + 1):
            arrivals = [step for step in self.steps if step.arrives == wave and step.mover not in ("Schedule", "Evict")]
            leavers = [step for step in self.steps if step.leaves == wave]
            if wave > 1:
                self._rivals_act()
            for step in arrivals:
                self._arrive(step)
            self._rivals_act()
            for step in self._order(leavers):
                if (step.pod.key, "old") in self.state.guests:
                    self.state.remove((step.pod.key, "old"))
                if step.mover == "Hold" and step.arrives > wave and self.reserves:
                    self.held.append(step)
                if step.mover == "Evict":
                    self._bind_or_fail(step, (step.pod.key, "new"))
                self._rivals_act()
            for step in self._order([step for step in self.steps if step.arrives == wave and step.mover == "Schedule"]):
                if step.pod.key not in self.bound and not step.contested:
                    self._bind_or_fail(step, (step.pod.key, "new"))
        return self.failures

    def _arrive(self, step: Step) -> None:
        if step in self.held:
            self.held.remove(step)
        if step.node not in self.cluster.nodes or step.node is None:
            return
        guest = step.guest(self.cluster)
        if (guest.pod.key, "new") in self.state.guests:
            if step.is_move:
                return
            self.state.remove((guest.pod.key, "new"))  # the waiting original found a node by itself: the copy takes over
        reason = arrival_refusal(step, guest, self.state, self.state)
        if reason and not step.contested:
            taken = sorted(f"{key} on {node}" for key, node in self.bound.items() if node == step.node) or sorted(self.bound)
            self.failures.setdefault(step.name, f"{reason}, after rivals {', '.join(taken) or 'none'} came")
        if not reason:
            self.state.add(guest)

    def _bind_or_fail(self, step: Step, token: tuple[str, str]) -> None:
        if token in self.state.guests:
            return
        nodes = self._open_nodes(step.pod)
        if nodes:
            self.state.add(Guest(step.pod, self._pick(nodes, step.pod), "new"))
            self.bound.setdefault(step.pod.key, self.state.guests[token].node)
        else:
            told = ", ".join(f"{key} on {node}" for key, node in sorted(self.bound.items()))
            self.failures.setdefault(step.name, f"no node has room in wave {step.arrives}, after rivals {told or 'none'} came")

    def _order(self, steps: list[Step]) -> list[Step]:
        shuffled = self.dice.sample(steps, len(steps))
        if self.aim:
            wanted = self.aim.target.node
            shuffled.sort(key=lambda step: step.pod.node != wanted)
        return shuffled

    def _rivals_act(self) -> None:
        rivals = self.dice.sample(self.rivals, len(self.rivals))
        if self.aim:
            sign = 1 if self.aim.small_first else -1
            rivals.sort(key=lambda pod: sign * (pod.requests or {}).get("cpu", 0))
        for pod in rivals:
            if pod.key in self.bound or (pod.key, "new") in self.state.guests or self._patient(pod):
                continue
            nodes = self._open_nodes(pod)
            if nodes:
                node = self._pick(nodes, pod)
                self.state.add(Guest(pod, node, "new"))
                self.bound[pod.key] = node

    def _patient(self, pod: Pod) -> bool:
        """Whether it does not act this time; the target of an aim never acts early."""
        if self.aim is None:
            return self.dice.random() > EAGERNESS
        return pod.key == self.aim.target.pod.key or (self.aim.rival is not None and pod.key != self.aim.rival)

    def _pick(self, nodes: list[str], pod: Pod) -> str:
        if self.aim is None or pod.key == self.aim.target.pod.key:
            return self.dice.choice(nodes)
        return self.aim.target.node if self.aim.target.node in nodes else self.dice.choice(nodes)

    def _open_nodes(self, pod: Pod) -> list[str]:
        """Nodes where the pod fits now, reservations against it counted."""
        out = []
        for name in self.cluster.nodes:
            guest = Guest(pod, name, "new")
            if self.state.has_room(guest) and joint_refusal(guest, self.state, reserved=self._reserved(name, pod)) is None:
                out.append(name)
        return out

    def _reserved(self, node: str, pod: Pod) -> list[Guest]:
        """Gated, nominated copies that keep their place on the node against the pod."""
        ours, lower = self.cluster.serves(pod), pod.priority
        held = [step.guest(self.cluster) for step in self.held if ours and step.node == node and step.pod.priority >= lower]
        return [replace(guest, role="reserved") for guest in held]


def may_rival(pod: Pod) -> bool:
    """Waiting, not gated, of known size; opaque pods and those of other schedulers too."""
    return pod.waiting and not pod.spec.get("schedulingGates") and pod.requests is not None


def rival_violations(fleet: Fleet, steps: list[Step], reserve: str, seed: int = 0) -> Iterator[str]:
    """Planned arrivals that some schedule of rivals prevents."""
    for cluster in fleet.readable:
        own = [step for step in steps if step.pod.cluster == cluster.name]
        if not own:
            continue
        told: dict[str, str] = {}
        start = residents(cluster)
        for number, aim in enumerate(_aims(cluster, own)):
            dice = random.Random(f"{seed}/{cluster.name}/{number}")
            told = Play(cluster, own, reserve != "Never", dice, start.copy(), aim).run() | told
        yield from (f"rivals: {cluster.name}: {name} no longer fits: {reason}" for name, reason in sorted(told.items()))


def _aims(cluster: Cluster, steps: list[Step]) -> Iterator[Aim | None]:
    rivals = [pod.key for pod in cluster.pods if may_rival(pod)]
    yield from [None] * RANDOM_PLAYS
    aims = 0
    for target in steps:
        if target.contested:
            continue
        for rival in [None, *rivals]:
            for small_first in (False, True) if rival is None else (False,):
                aims += 1
                if rival != target.pod.key and aims <= MOST_AIMED_PLAYS:
                    yield Aim(target, rival, small_first)
