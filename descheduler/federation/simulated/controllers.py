"""The controllers of the simulated fleet: ReplicaSets keep their number and adopt, StatefulSets bring a name back; others do nothing.

A controller acts only after one of its pods changed, so a recorded fleet in which something is missing is left as it was read.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime

from descheduler.domain.marks import DELETION_COST
from descheduler.domain.objects import Pod, PodRef
from descheduler.federation.simulated.state import OwnerKey, Record, State
from descheduler.rules.movers import deletion_cost
from descheduler.rules.subject import annotation

Admit = Callable[[Pod], Pod]
"""What admission makes of a pod that is being created."""
Terminate = Callable[[PodRef], None]


def reconcile(state: State, now: datetime, admit: Admit, terminate: Terminate) -> None:
    """Let every controller that was touched do its work."""
    while state.orphans or state.restless:
        for ref in list(state.orphans):
            state.orphans.pop(ref, None)
            _adopt(state, ref)
        for key in list(state.restless):
            state.restless.pop(key, None)
            if key not in state.templates:
                continue
            if key.kind == "ReplicaSet":
                _keep_number(state, key, now, admit, terminate)
            elif key.kind == "StatefulSet":
                _keep_names(state, key, now, admit)


def _adopt(state: State, ref: PodRef) -> None:
    """The first ReplicaSet all of whose template labels the ownerless pod carries takes it (``ClaimPods``)."""
    labels, pod = dict(state.records[ref].pod.labels), state.records[ref].pod
    if pod.terminating:
        return
    for key, template in state.templates.items():
        here = (key.cluster, key.namespace, key.kind) == (ref.cluster, ref.namespace, "ReplicaSet")
        if here and template.labels and all(labels.get(name) == value for name, value in template.labels):
            state.change(ref, owner=template.owner)
            return


def _keep_number(state: State, key: OwnerKey, now: datetime, admit: Admit, terminate: Terminate) -> None:
    pods = list(state.pods_of(key))
    for _ in range(state.desired[key] - len(pods)):
        number = state.serial()
        _create(state, key, f"{key.name}-{number:05x}", number, now, admit)
    surplus = len(pods) - state.desired[key]
    if surplus > 0:
        crowd: dict[str | None, int] = {}
        for pod in pods:
            crowd[pod.node] = crowd.get(pod.node, 0) + 1
        for pod in sorted(pods, key=lambda p: victim_order(p, crowd[p.node]))[:surplus]:
            terminate(pod.ref)


def _keep_names(state: State, key: OwnerKey, now: datetime, admit: Admit) -> None:
    """A name comes back when its pod is fully gone; which names there are is what the fleet began with."""
    for name in state.names[key]:
        if PodRef(key.cluster, key.namespace, name) not in state.records:
            _create(state, key, name, state.serial(), now, admit)


def _create(state: State, key: OwnerKey, name: str, number: int, now: datetime, admit: Admit) -> None:
    pod = replace(
        state.templates[key],
        ref=PodRef(key.cluster, key.namespace, name),
        uid=f"simulated-{number}",
        node=None,
        phase="Pending",
        ready=False,
        terminating=False,
        created=now,
        waiting_since=now,
        scheduler_message="",
    )
    state.put(Record(admit(pod)))


def victim_order(pod: Pod, crowd: int) -> tuple[bool, int, bool, int, int, float, str]:
    """``ActivePodsWithRanks.Less``: the smallest is deleted first (kubernetes.md 1.2); ``crowd`` is its number of siblings on its node."""
    phase = {"Pending": 0, "Unknown": 1}.get(pod.phase, 2)
    cost = deletion_cost(annotation(pod.annotations, DELETION_COST))
    age = -pod.created.timestamp() if pod.created else math.inf
    return pod.node is not None, phase, pod.ready, cost, -crowd, age, pod.uid
