"""A small eager kube-scheduler: whoever fits is bound at once, to a node that nobody may rely on.

It never preempts. ``ADVERSARIAL`` is every bad day at once: pods are tried in any order (a pod in back-off is overtaken), pods
of other schedulers and pods we do not model bind too, and each takes the node where that hurts most.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random

from descheduler.domain.objects import NodeRef, Pod, PodRef
from descheduler.federation.simulated.state import EVER, Record, State


class Choice(StrEnum):
    """Which of several feasible nodes a pod gets."""

    RANDOM = "random"
    ADVERSARIAL = "adversarial"
    LEAST_ALLOCATED = "least-allocated"


class Scheduler:
    """Binds waiting pods; ``contested`` are the nodes an adversary takes first."""

    def __init__(self, choice: Choice, seed: int, contested: Iterable[NodeRef], start_delay: timedelta) -> None:
        self._choice = choice
        self._random = Random(seed)  # noqa: S311  # repeatable on purpose
        self._contested = frozenset(contested)
        self._start_delay = start_delay

    def bind_all(self, state: State, now: datetime) -> None:
        """Bind until nobody who waits fits anywhere."""
        while state.fresh or state.stirred:
            fresh, stirred = state.fresh, state.stirred
            state.fresh, state.stirred = {}, {}
            for ref in self._order(state):
                record = state.waiting.get(ref)
                if record is None:
                    continue
                nodes = self._worth_trying(state, record.pod, ref in fresh, stirred)
                pod, scene = record.as_scheduled, state.scenes[ref.cluster]
                feasible = [name for name in nodes if scene.objection(pod, name) is None]
                if feasible:
                    self._bind(state, record, self._pick(state, pod, feasible), now)

    def _order(self, state: State) -> list[PodRef]:
        ours = (ref for ref, record in state.waiting.items() if self._ours(state, record))
        found = sorted(ours, key=lambda ref: _queue(state.waiting[ref].pod))
        if self._choice is Choice.ADVERSARIAL:
            self._random.shuffle(found)
        return found

    def _ours(self, state: State, record: Record) -> bool:
        pod = record.pod
        if pod.gates or pod.waits_for_claim:
            return False
        strange = pod.spec.opaque is not None or pod.spec.scheduler not in state.clusters[pod.ref.cluster].schedulers
        return not strange or (self._choice is Choice.ADVERSARIAL and pod.spec.size_known)

    @staticmethod
    def _worth_trying(state: State, pod: Pod, fresh: bool, stirred: dict[str, dict[str, None]]) -> list[str]:
        """Nodes where something changed; all of them for a new pod, and for one that looks at other pods."""
        nodes = state.scenes[pod.ref.cluster].nodes
        joint = bool(pod.spec.affinity or pod.spec.anti_affinity or pod.spec.spread or pod.spec.exclusive_claims)
        if fresh or (joint and pod.ref.cluster in stirred):
            return list(nodes)
        return [name for name in stirred.get(pod.ref.cluster, ()) if name in nodes]

    def _pick(self, state: State, pod: Pod, feasible: list[str]) -> str:
        scene = state.scenes[pod.ref.cluster]

        def room_left(name: str) -> float:
            asked, given = pod.spec.requests, scene.nodes[name].allocatable
            return sum((scene.free(name, r) - asked[r]) / given[r] for r in given if r != "pods")

        match self._choice:
            case Choice.RANDOM:
                return self._random.choice(sorted(feasible))
            case Choice.LEAST_ALLOCATED:
                return max(sorted(feasible), key=room_left)
            case Choice.ADVERSARIAL:
                return min(sorted(feasible), key=lambda name: (NodeRef(pod.ref.cluster, name) not in self._contested, room_left(name)))

    def _bind(self, state: State, record: Record, node: str, now: datetime) -> None:
        ref = record.pod.ref
        state.change(ref, node=node, nominated_node=None, waiting_since=None, scheduler_message="")
        if self._start_delay:
            record.ready_at = now + self._start_delay
            state.timed[ref] = None
        else:
            state.change(ref, phase="Running", ready=True)


def _queue(pod: Pod) -> tuple[int, datetime, PodRef]:
    """PrioritySort: higher priority first, then who came first."""
    return -pod.priority, pod.created or EVER, pod.ref
