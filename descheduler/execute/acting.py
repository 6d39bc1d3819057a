"""Acting on a plan: Leases, the second look, the waves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta

from descheduler.clock import Clock
from descheduler.domain.plan import Plan
from descheduler.domain.report import Outcome
from descheduler.domain.snapshot import Snapshot
from descheduler.errors import LockHeld, UsageError
from descheduler.execute.second_look import second_look
from descheduler.execute.waves import execute
from descheduler.policy.policy import Policy
from descheduler.ports import Actuator, Reader, Store

PATIENCE = timedelta(minutes=10)
"""How long one wave may take: pods must start and become Ready."""


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


def act(plan: Plan, policy: Policy, reader: Reader, hands: Hands, clock: Clock) -> Outcome:
    """Carry out what still holds of a plan. Nothing is written before the second look, except the Leases.

    Raises ExecutionError when too little of the gain is left, UsageError when a cluster is another one by now,
    LockHeld when a Lease is held elsewhere and that shall end the run.
    """
    holder = plan.metadata.run_id
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
        snapshot = reader.snapshot()
        same_clusters(plan, snapshot)
        left_out |= {gone.cluster: f"{gone.cluster} cannot be read: {gone.reason}" for gone in snapshot.unreadable}
        looked = second_look(plan, snapshot, policy, left_out)
        outcome = execute(looked.plan, reader, hands.actuator, hands.store, clock, patience=hands.patience, stop=hands.stop)
    finally:
        for cluster in clusters:
            hands.store.release(cluster, holder)
    return replace(outcome, results=(*looked.dropped, *outcome.results))


def same_clusters(plan: Plan, snapshot: Snapshot) -> None:
    """Raises UsageError when a cluster of the plan is another one now, or is not in the fleet."""
    now = {cluster.name: cluster.uid for cluster in snapshot.clusters}
    unreadable = {cluster.cluster for cluster in snapshot.unreadable}
    for name, uid in plan.metadata.clusters:
        if name not in now and name not in unreadable:
            raise UsageError(f"the plan is for cluster {name}, which is not in this fleet: {', '.join(sorted(now))}")
        if uid and now.get(name) and now[name] != uid:
            raise UsageError(f"cluster {name} is another one: kube-system has the UID {now[name]}, the plan says {uid}")
