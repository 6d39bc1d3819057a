"""Acting on a plan: Leases, the second look, the waves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from descheduler.clock import Clock
from descheduler.domain.history import History
from descheduler.domain.plan import Plan
from descheduler.domain.report import Outcome, StepResult
from descheduler.domain.snapshot import Remark, Snapshot
from descheduler.errors import ExecutionError, LockHeld, UsageError
from descheduler.execute.drift import drift
from descheduler.execute.hands import Hands
from descheduler.execute.memory import begun, counted, ended, recall, write_down
from descheduler.execute.second_look import Looked, second_look
from descheduler.execute.waves import carry_out, waiting_now
from descheduler.policy.policy import Policy
from descheduler.ports import Reader

MOST_DRIFT = 20
"""How much of what has changed is told when a plan is refused because of it."""


def act(plan: Plan, policy: Policy, reader: Reader, hands: Hands, clock: Clock) -> Outcome:
    """Carry out what still holds of a plan. Nothing is written before the second look, except the Leases; nothing at all once told to end.

    Raises ExecutionError when too little of the gain is left or the schedule is closed, UsageError when a cluster is another one by now,
    LockHeld when a Lease is held elsewhere and that shall end the run.
    """
    schedule, holder = policy.spec.schedule, plan.metadata.run_id
    closed = schedule.closed(clock.now())
    if closed is not None:
        raise ExecutionError("churn", f"nothing is moved: {closed}")
    told = hands.stop()
    if told is not None:
        return Outcome(results=_not_begun(plan, told), pending_after=None)
    clean: bool | None = None
    sources = {move.source.cluster for move in plan.moves}
    clusters = sorted(sources | {move.target.cluster for move in plan.moves} | {placed.target.cluster for placed in plan.placements})
    left_out: dict[str, str] = {}
    try:
        for cluster in clusters:
            halted = hands.store.halted(cluster)
            locked = hands.store.acquire(cluster, holder) if halted is None else None
            if locked is not None and hands.require_lock:
                raise LockHeld(locked)
            if halted is not None or locked is not None:
                left_out[cluster] = str(halted or locked)
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
        outcome = carry_out(looked.plan, reader, run, clock)
        clean = False if outcome.unfinished else None
        _write_down(ours, ended(looked.plan, history, outcome.results, clock.now()), policy, hands, clock)
    finally:
        for cluster in clusters:
            hands.store.release(cluster, holder, clean=clean)
    return replace(outcome, results=(*looked.dropped, *outcome.results), drift=changed, pending_after=waiting_now(reader))


def _not_begun(plan: Plan, why: str) -> tuple[StepResult, ...]:
    moves = (StepResult(subject=move.id, outcome="Skipped", node=move.source.node, message=why) for move in plan.moves)
    return (*moves, *(StepResult(subject=str(placed.pod), outcome="Skipped", message=why) for placed in plan.placements))


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
    """Count this run for every pod that waits. Where the Lease is held elsewhere, that run counts.

    What was moved is recalled anew under the Lease: since ``history`` was, another run may have acted.
    """
    seen = counted(snapshot, history).seen or {}
    for cluster in sorted(snapshot.clusters, key=lambda each: each.name):
        if hands.stop() is not None or hands.store.acquire(cluster.name, run_id) is not None:
            continue
        try:
            now, lost = recall(hands.store, [cluster.name])
            if not lost:
                ours = {pod.uid: seen[pod.uid] for pod in cluster.pods if pod.uid in seen}
                write_down(hands.store, cluster.name, replace(now, seen=ours), policy, clock.now())
        finally:
            hands.store.release(cluster.name, run_id)
