"""Replays a plan wave by wave: every rule for any order within a wave."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.judge.budgets import budget_violations
from tests.judge.fit import Guest, State, counts_for, floor_of, hard, identity, refusal, spread_refusal
from tests.judge.fleet import Cluster, Fleet, Pod
from tests.judge.moves import Step, residents
from tests.judge.quantities import Amounts, Body, Unreadable, amounts


def wave_violations(fleet: Fleet, steps: list[Step]) -> Iterator[str]:
    """What goes wrong in any wave of any cluster."""
    for cluster in fleet.readable:
        own = [step for step in steps if step.pod.cluster == cluster.name]
        if own:
            yield from _replay(cluster, own)
            yield from budget_violations(cluster, own)
            yield from _quota(cluster, own)


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
    nominated: Counter[str] = Counter()
    for pod in most.cluster.pods:
        waits = pod.waiting and pod.status.get("nominatedNodeName") == guest.node and pod.priority >= step.pod.priority
        if waits and pod.key != step.pod.key and (pod.key, "new") not in most.guests:
            nominated.update(pod.requests or {})
    return (
        refusal(step.pod, node)
        or ("a pod of unknown size is there" if most.closed(guest.node) else None)
        or most.lacks(guest, reserved=nominated, ignoring=ignoring)
        or most.clash(guest, ignoring=ignoring)
        or spread_refusal(guest, most, _with_own_old_self(step, most, least), ignoring)
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
    counts = state.counts(holder, constraint)
    return max(counts.values(), default=0) - floor_of(counts, constraint)


def _quota(cluster: Cluster, steps: list[Step]) -> Iterator[str]:
    """ResourceQuotas without scopes hold for all second copies of a wave together."""
    for quota in cluster.of("ResourceQuota"):
        meta, spec = quota["metadata"], quota.get("spec") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        left = _left(quota)
        for wave in sorted({step.arrives for step in steps}):
            asked: Counter[str] = Counter()
            for step in steps:
                if step.arrives == wave and step.mover == "Surge" and step.pod.namespace == meta["namespace"]:
                    asked.update(step.guest(cluster).requests)
            for name, room in left.items():
                plain = name.removeprefix("requests.").removeprefix("count/")
                if asked[plain] and asked[plain] > room:
                    where = f"{cluster.name}: ResourceQuota {meta['namespace']}/{meta['name']}: {name}"
                    yield f"wave {wave}: {where}: copies ask for {asked[plain]} > {room}"


def _left(quota: Body) -> Amounts:
    def plain(listed: Body) -> Body:
        return {
            name.removeprefix("requests.").removeprefix("count/"): text for name, text in listed.items() if not name.startswith("limits.")
        }

    try:
        hard_limits = amounts(plain((quota.get("spec") or {}).get("hard") or {}))
        used = amounts(plain((quota.get("status") or {}).get("used") or {}))
    except Unreadable:
        return {}
    return {name: limit - used.get(name, 0) for name, limit in hard_limits.items()}
