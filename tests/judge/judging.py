"""Puts the judge's questions in order: shape, accounts, each pod, the waves, the limits, the rivals, the rest."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.judge.contract import contract_violations
from tests.judge.fit import joint_refusal
from tests.judge.fleet import Fleet
from tests.judge.fragments import fragment_violations
from tests.judge.limits import limit_violations
from tests.judge.moves import Step, residents, steps_of
from tests.judge.opaque import not_ours
from tests.judge.policy import Policy
from tests.judge.protections import mover_refusal, protection, surge_refusal
from tests.judge.purpose import purpose_violations
from tests.judge.quantities import Body
from tests.judge.reading import read
from tests.judge.rivals import rival_violations
from tests.judge.shape import shape_violations, word_violations
from tests.judge.unplaced import unplaced_violations
from tests.judge.waves import wave_violations


def judge(snapshot_dir: Path, plan: Body, policy: Body | None = None) -> list[str]:
    """Every way in which the plan breaks the contract, as sentences; empty for a lawful plan.

    ``policy`` is the policy document, or its spec, or nothing for the default policy; absent fields have their defaults.
    """
    shape = list(shape_violations(plan)) or list(word_violations(plan))
    if shape:
        return shape
    fleet, rules = read(snapshot_dir), Policy(policy)
    steps = steps_of(plan, fleet)
    found = list(contract_violations(plan, fleet, rules))
    found += [text for step in steps for text in _step(step, fleet, rules)]
    found += limit_violations(fleet, steps, rules)
    if _replayable(steps, fleet):
        found += _replays(plan, fleet, steps, rules)
    return list(dict.fromkeys(found))


def _replayable(steps: list[Step], fleet: Fleet) -> bool:
    """Whether every step is about one known pod, once, with waves and nodes that exist."""
    keys = [step.pod.key for step in steps]
    known = all(step.node is None or step.node in fleet.clusters[step.pod.cluster].nodes for step in steps)
    moved = all(step.pod.node in fleet.clusters[step.pod.cluster].nodes for step in steps if step.is_move)
    waiting = all(step.pod.waiting for step in steps if not step.is_move)
    ordered = all(step.arrives >= 1 and step.arrives >= step.leaves for step in steps)
    return len(set(keys)) == len(keys) and known and moved and waiting and ordered


def _replays(plan: Body, fleet: Fleet, steps: list[Step], policy: Policy) -> Iterator[str]:
    wrong = list(wave_violations(fleet, steps))
    yield from wrong
    yield from unplaced_violations(plan, fleet, steps, policy)
    yield from fragment_violations(plan, fleet, steps, policy)
    if not wrong:  # an unlawful plan has no meaningful rivals or needless moves
        yield from purpose_violations(fleet, steps, policy)
        yield from rival_violations(fleet, steps, str(policy.spec["reserve"]))


def _step(step: Step, fleet: Fleet, policy: Policy) -> Iterator[str]:
    """One move or placement by itself."""
    cluster = fleet.clusters[step.pod.cluster]
    if cluster.trouble:
        yield f"{step.name}: its cluster is not readable"
        return
    if step.is_move:
        reason = protection(step.pod, fleet, policy)
        if reason:
            yield f"{step.name}: it is protected: {reason}"
        reason = mover_refusal(step.pod, step.mover, fleet, policy)
        if reason:
            yield f"{step.name}: {step.mover} is not possible: {reason}"
        if step.mover == "Evict" and step.node is None and not _reachable(step, fleet):
            yield f"{step.name}: no node can take it"
        return
    reason = not_ours(step.pod, cluster) or policy.outside(step.pod) or policy.untriggered(step.pod, fleet)
    if reason:
        yield f"{step.name}: it may not be placed: {reason}"
    if step.mover == "Surge":
        reason = surge_refusal(step.pod, cluster, waiting=True) or _reserve_refusal(step, fleet, policy)
        if reason:
            yield f"{step.name}: Surge is not possible: {reason}"


def _reserve_refusal(step: Step, fleet: Fleet, policy: Policy) -> str | None:
    if policy.spec["reserve"] == "Never":
        return "the policy says reserve: Never"
    if "Surge" not in policy.section(step.pod, "movers"):
        return "the policy's movers leave Surge out"
    found = fleet.clusters[step.pod.cluster].declared.get("movers")
    return f"the cluster offers {found}" if found is not None and "Surge" not in found else None


def _reachable(step: Step, fleet: Fleet) -> bool:
    cluster = fleet.clusters[step.pod.cluster]
    state = residents(cluster)
    state.remove((step.pod.key, "old"))
    return any(joint_refusal(step.guest(cluster, name), state) is None for name in cluster.nodes)
