"""Replays a plan wave by wave: every rule for any order within a wave."""

from __future__ import annotations

from collections.abc import Iterator

from tests.judge.budgets import budget_violations
from tests.judge.fit import company_of, node_refusal, nominees, room_of
from tests.judge.fleet import Cluster, Fleet, Pod
from tests.judge.moves import Step, residents
from tests.judge.quantities import Body
from tests.judge.quotas import quota_violations
from tests.judge.spread import counts, counts_for, floor_of, hard, identity, spread_refusal
from tests.judge.state import Guest, State


def wave_violations(fleet: Fleet, steps: list[Step]) -> Iterator[str]:
    """What goes wrong in any wave of any cluster."""
    for cluster in fleet.readable:
        own = [step for step in steps if step.pod.cluster == cluster.name]
        if own:
            yield from _replay(cluster, own)
            yield from budget_violations(cluster, own)
            yield from quota_violations(cluster, own)


def moments(cluster: Cluster, steps: list[Step]) -> Iterator[tuple[int, State, State, State, list[Step]]]:
    """Per wave: its number, the fullest and the emptiest the cluster may be in it, how it ends, and who arrives."""
    state = residents(cluster)
    for wave in range(1, max(max(step.arrives, step.leaves) for step in steps) + 1):
        arrivals = [step for step in steps if step.arrives == wave and step.node in cluster.nodes]
        leavers = [step for step in steps if step.leaves == wave and (step.pod.key, "old") in state.guests]
        most, least = state.copy(), state.copy()
        for step in leavers:
            least.remove((step.pod.key, "old"))
        for step in arrivals:
            most.add(step.guest(cluster))
        state = least.copy()
        for step in arrivals:
            state.add(step.guest(cluster))
        yield wave, most, least, state, arrivals


def _replay(cluster: Cluster, steps: list[Step]) -> Iterator[str]:
    watched = _watched(cluster, [step.pod for step in steps if step.is_move])
    start = residents(cluster)
    before = [_skew(start, pod, constraint) for pod, constraint in watched]
    for wave, most, least, end, arrivals in moments(cluster, steps):
        for step in arrivals:
            reason = arrival_refusal(step, step.guest(cluster), most, least)
            if reason:
                yield f"wave {wave}: {step.name}: {cluster.name}/{step.node}: {reason}"
        for (pod, constraint), skew in zip(watched, before, strict=True):
            now, allowed = _skew(end, pod, constraint), max(constraint.get("maxSkew", 1), skew)
            if now > allowed:
                yield f"after wave {wave}: {cluster.name}: spread of {pod.key} over {constraint['topologyKey']}: skew {now} > {allowed}"


def arrival_refusal(step: Step, guest: Guest, most: State, least: State) -> str | None:
    """Why an arrival is unlawful in its wave; only the own old self of a mover without surge does not count."""
    ignoring = frozenset() if step.keeps_old else frozenset({(step.pod.key, "old")})
    node = most.cluster.nodes[guest.node]
    few, held = _with_own_old_self(step, most, least), nominees(guest, most)
    return (
        node_refusal(step.pod, node, most.cluster, fresh=guest.fresh)
        or ("a pod of unknown size is there" if most.closed(guest.node) else None)
        or most.lacks(guest, reserved=room_of(held), ignoring=ignoring)
        or company_of(guest, most, few, held, ignoring=ignoring)
        or (spread_refusal(guest, most, few, ignoring, pinned=True) if step.steers else None)
    )


def _with_own_old_self(step: Step, most: State, least: State) -> State:
    """A surged pod leaves only after it has arrived: its own old self is still there when its arrival is judged."""
    old = most.guests.get((step.pod.key, "old"))
    if not step.keeps_old or old is None or old.token in least.guests:
        return least
    state = least.copy()
    state.add(old)
    return state


def _watched(cluster: Cluster, moved: list[Pod]) -> list[tuple[Pod, Body]]:
    """One holder of each hard spread constraint that a moved pod matches."""
    found: dict[str, tuple[Pod, Body]] = {}
    for holder in cluster.pods:
        for constraint in hard(holder):
            if any(counts_for(holder, constraint, pod) for pod in moved):
                found.setdefault(identity(holder, constraint), (holder, constraint))
    return list(found.values())


def _skew(state: State, holder: Pod, constraint: Body) -> int:
    told = counts(state, holder, constraint)
    return max(told.values(), default=0) - floor_of(told, constraint)
