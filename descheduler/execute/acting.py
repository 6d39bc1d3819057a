"""Acting on a plan: Leases, the second look, the waves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta

from descheduler.clock import Clock
from descheduler.domain.history import History
from descheduler.domain.plan import Mover, Plan
from descheduler.domain.report import Outcome
from descheduler.domain.snapshot import Remark, Snapshot
from descheduler.errors import ExecutionError, LockHeld, UsageError
from descheduler.execute.drift import drift
from descheduler.execute.memory import begun, counted, ended, recall, write_down
from descheduler.execute.second_look import Looked, second_look
from descheduler.execute.waves import MOVERS, carry_out
from descheduler.execute.world import Technique
from descheduler.policy.policy import Policy
from descheduler.ports import Actuator, Reader, Store

PATIENCE = timedelta(minutes=10)
"""How long one wave may take: pods must start and become Ready."""

MOST_DRIFT = 20
"""How much of what has changed is told when a plan is refused because of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hands:
    """All it takes to act. A run without it changes nothing."""

    actuator: Actuator
    store: Store
    patience: timedelta = PATIENCE
    stop: Callable[[], str | None] = lambda: None
    """Why the run shall come to an end, or ``None``."""
    require_lock: bool = False
    """Whether a Lease that is held elsewhere ends the run instead of leaving the cluster out."""
    movers: Mapping[Mover, Technique] = field(default_factory=lambda: MOVERS)
    """Who carries each kind of move out."""


def act(plan: Plan, policy: Policy, reader: Reader, hands: Hands, clock: Clock) -> Outcome:
    """Carry out what still holds of a plan. Nothing is written before the second look, except the Leases.

    Raises ExecutionError when too little of the gain is left or the schedule is closed, UsageError when a cluster is another one by now,
    LockHeld when a Lease is held elsewhere and that shall end the run.
    """
    schedule, holder = policy.spec.schedule, plan.metadata.run_id
    closed = schedule.closed(clock.now())
    if closed is not None:
        raise ExecutionError("churn", f"nothing is moved: {closed}")
    clean = True
    sources = {move.source.cluster for move in plan.moves}
    clusters = sorted(sources | {move.target.cluster for move in plan.moves} | {placed.target.cluster for placed in plan.placements})
    left_out: dict[str, str] = {}
    try:
        for cluster in clusters:
            reason = hands.store.halted(cluster) or hands.store.acquire(cluster, holder)
            if reason is not None:
                left_out[cluster] = reason
        if hands.require_lock and left_out:
            raise LockHeld("; ".join(left_out.values()))
        history, lost = recall(hands.store, [cluster for cluster in clusters if cluster not in left_out])
        snapshot = reader.snapshot()
        same_clusters(plan, snapshot)
        changed = drift(plan, snapshot)
        left_out |= lost | {gone.cluster: f"{gone.cluster} cannot be read: {gone.reason}" for gone in snapshot.unreadable}
        looked = _looked(plan, snapshot, policy, left_out, history, changed)
        ours = [cluster for cluster in clusters if cluster not in left_out]
        unwritten = _write_down(ours, begun(looked.plan, history, clock.now()), policy, hands, clock)
        if unwritten:
            looked = _looked(plan, snapshot, policy, left_out | unwritten, history, changed)
        clean = False
        run = replace(hands, stop=lambda: hands.stop() or schedule.closed(clock.now()))
        outcome = carry_out(
            looked.plan, reader, run.actuator, run.store, clock, patience=run.patience, stop=run.stop, movers=run.movers
        )
        clean = all(result.outcome in ("Done", "Skipped") for result in outcome.results)
        _write_down(ours, ended(looked.plan, history, outcome.results, clock.now()), policy, hands, clock)
    finally:
        for cluster in clusters:
            hands.store.release(cluster, holder, clean=clean)
    return replace(outcome, results=(*looked.dropped, *outcome.results), drift=changed)


def _looked(
    plan: Plan, snapshot: Snapshot, policy: Policy, left_out: Mapping[str, str], history: History, changed: tuple[Remark, ...]
) -> Looked:
    """``second_look``; when it refuses the plan, what has changed is told object by object."""
    try:
        return second_look(plan, snapshot, policy, left_out, history)
    except ExecutionError as stale:
        lines = [f"changed: {remark.where} {remark.message}" for remark in changed[:MOST_DRIFT]]
        more = [f"changed: {len(changed) - MOST_DRIFT} more"] if len(changed) > MOST_DRIFT else []
        raise ExecutionError(stale.cause, "\n".join([str(stale), *lines, *more])) from None


def _write_down(clusters: list[str], history: History, policy: Policy, hands: Hands, clock: Clock) -> dict[str, str]:
    """Keep the history in every cluster; those where that did not work, and why."""
    told = {cluster: write_down(hands.store, cluster, history, policy, clock.now()) for cluster in clusters}
    return {cluster: reason for cluster, reason in told.items() if reason is not None}


def same_clusters(plan: Plan, snapshot: Snapshot) -> None:
    """Raises UsageError when a cluster of the plan is another one now, or is not in the fleet."""
    now = {cluster.name: cluster.uid for cluster in snapshot.clusters}
    unreadable = {cluster.cluster for cluster in snapshot.unreadable}
    for name, uid in plan.metadata.clusters:
        if name not in now and name not in unreadable:
            raise UsageError(f"the plan is for cluster {name}, which is not in this fleet: {', '.join(sorted(now))}")
        if uid and now.get(name) and now[name] != uid:
            raise UsageError(f"cluster {name} is another one: kube-system has the UID {now[name]}, the plan says {uid}")


def note_waiting(snapshot: Snapshot, history: History, policy: Policy, hands: Hands, clock: Clock, run_id: str) -> None:
    """Count this run for every pod that waits. Where the Lease is held elsewhere, that run counts."""
    seen = counted(snapshot, history)
    for cluster in sorted(each.name for each in snapshot.clusters):
        if hands.store.acquire(cluster, run_id) is None:
            ours = {pod.uid for each in snapshot.clusters if each.name == cluster for pod in each.pods}
            mine = replace(seen, seen={uid: count for uid, count in (seen.seen or {}).items() if uid in ours})
            write_down(hands.store, cluster, mine, policy, clock.now())
            hands.store.release(cluster, run_id)
