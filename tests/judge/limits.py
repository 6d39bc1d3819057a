"""Counts a plan's moves against every limit of the policy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from fractions import Fraction
from typing import Any

from tests.judge.fleet import Fleet, Pod
from tests.judge.moves import Step
from tests.judge.policy import Policy

Scope = tuple[str | None, ...]
SCOPES: dict[str, Callable[[Pod, Fleet], Scope]] = {
    "perRun": lambda pod, fleet: (),
    "perCluster": lambda pod, fleet: (pod.cluster,),
    "perNamespace": lambda pod, fleet: (pod.cluster, pod.namespace),
    "perNode": lambda pod, fleet: (pod.cluster, pod.node),
    "perWorkload": lambda pod, fleet: (pod.cluster, pod.namespace, *(fleet.clusters[pod.cluster].workload(pod) or ("Pod", pod.name))),
}
ALWAYS = ("perRun", "perCluster")
"""Hold for all pods together, whatever an override says of its own."""


def limit_violations(fleet: Fleet, steps: list[Step], policy: Policy) -> Iterator[str]:
    """Every limit that the plan exceeds."""
    moves = [step.pod for step in steps if step.is_move]
    for name in SCOPES:
        yield from _counted(name, moves, fleet, policy)
    yield from _ratio(steps, policy)
    for window in policy.spec["limits"].get("perWindow") or []:
        fleet_limit, workload_limit = window.get("perFleet"), window.get("perWorkload")
        if fleet_limit is not None and _exceeds(len(moves), fleet_limit, len(_running(fleet))):
            yield f"limits.perWindow: {len(moves)} moves > perFleet {fleet_limit}"
        for scope, count in Counter(SCOPES["perWorkload"](pod, fleet) for pod in moves).items():
            if isinstance(workload_limit, int) and count > workload_limit:
                yield f"limits.perWindow: {'/'.join(map(str, scope))}: {count} moves > perWorkload {workload_limit}"
    last = max((step.arrives for step in steps), default=0)
    waves = policy.spec["limits"].get("waves")
    if waves is not None and last > waves:
        yield f"limits.waves: {last} > {waves}"
    breaks, most = sum(step.cycle_break for step in steps), policy.spec["limits"].get("cycleBreaks")
    if most is not None and breaks > most:
        yield f"limits.cycleBreaks: {breaks} > {most}"


def _running(fleet: Fleet) -> list[Pod]:
    return [pod for cluster in fleet.readable for pod in cluster.pods if pod.node]


def _exceeds(count: int, limit: Any, running: int) -> bool:
    if isinstance(limit, str) and limit.endswith("%"):
        return Fraction(count) > Fraction(limit[:-1]) * running / 100
    return count > int(limit)


def _counted(name: str, moves: list[Pod], fleet: Fleet, policy: Policy) -> Iterator[str]:
    told: Counter[tuple[Any, ...]] = Counter()
    limits: dict[tuple[Any, ...], Any] = {}
    for pod in moves:
        group, limit = policy.limit(pod, name)
        groups = {group: limit} | ({"base": policy.spec["limits"].get(name)} if name in ALWAYS else {})
        for each, value in groups.items():
            key = (each, *SCOPES[name](pod, fleet))
            told[key] += 1
            limits[key] = value
    for key, count in sorted(told.items(), key=str):
        if limits[key] is None:
            continue
        share = isinstance(limits[key], str)
        around = (
            sum((key[0] in ("base", policy.limit(pod, name)[0])) and SCOPES[name](pod, fleet) == key[1:] for pod in _running(fleet))
            if share
            else 0
        )
        if _exceeds(count, limits[key], around):
            where = "/".join(map(str, key[1:])) or "the fleet"
            of = f" of {around} running pods" if share else ""
            yield f"limits.{name} ({key[0]}): {where}: {count} moves > {limits[key]}{of}"


def _ratio(steps: list[Step], policy: Policy) -> Iterator[str]:
    """Moves needed for waiting pods, per waiting pod that gets room.

    Where moves are also worth something by themselves, a move may help a waiting pod without being needed for it: the plan could have
    had fewer and took more for what they bring. How many would have done is not in the plan, so nothing is said then.
    """
    ratio = policy.spec["limits"].get("movesPerPlacedPod")
    objectives = policy.spec["objectives"]
    if any(name in objectives and objectives.index(name) < objectives.index("Disruption") for name in ("Headroom", "EmptyNodes")):
        return
    needed = sum(step.is_move and bool(step.makes_room_for) for step in steps)
    placed = sum(not step.is_move for step in steps)
    if ratio is not None and needed > Fraction(str(ratio)) * placed:
        yield f"limits.movesPerPlacedPod: {needed} moves for {placed} placed pods > {ratio}"
