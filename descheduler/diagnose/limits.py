"""The policy's limits as counts over classes. An override's limits are budgets of their own for the pods it matches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from descheduler.domain.durations import format_duration
from descheduler.domain.history import NO_HISTORY, History, Workload
from descheduler.domain.objects import Node
from descheduler.domain.problem import Limit, PodClass
from descheduler.policy.amounts import Amount
from descheduler.policy.overrides import Effective
from descheduler.policy.policy import Policy

NEVER = datetime.min.replace(tzinfo=UTC)
OWN = {"per_namespace": "perNamespace", "per_workload": "perWorkload", "per_node": "perNode"}
"""An override replaces these for the pods it matches."""
EXTRA = {"per_run": "perRun", "per_cluster": "perCluster"}
"""These hold for everybody; an override adds a cap for the pods it matches."""


@dataclass
class _Bucket:
    amount: Amount
    name: str
    subject: str
    nodes: tuple[int, ...] | None
    spent: int
    """Moves of earlier runs that count in it."""
    group: list[int] = field(default_factory=list)
    running: int = 0
    movable: int = 0


@dataclass(frozen=True, slots=True)
class Past:
    """What was moved before, seen from now."""

    history: History = NO_HISTORY
    now: datetime = NEVER

    def within(self, window: timedelta, workload: Workload | None = None) -> int:
        """How many pods were moved within the last ``window``, in all or of one workload."""
        return self.history.since(self.now - window, workload) if self.history.moves else 0


NOTHING = Past()


def limits(
    policy: Policy, classes: Sequence[PodClass], effective: Mapping[int, Effective], nodes: Sequence[Node], past: Past = NOTHING
) -> tuple[Limit, ...]:
    """Every limit that can bind, resolved against the running pods of its scope."""
    buckets: dict[tuple[str, ...], _Bucket] = {}
    for pod_class in classes:
        if pod_class.waiting:
            continue
        for key, amount, name, subject, node in _asked(policy, pod_class, effective[pod_class.index], nodes):
            spent = _spent(policy, pod_class, key, past)
            place = None if node is None else (node,)
            bucket = buckets.setdefault(key, _Bucket(amount, name, subject, place, spent))
            count = len(pod_class.pods) if node is None else pod_class.there(node)
            bucket.running += count
            if pod_class.movers:
                bucket.group.append(pod_class.index)
                bucket.movable += count
    found = []
    for bucket in buckets.values():
        count = max(0, bucket.amount.resolve(bucket.running) - bucket.spent)
        if bucket.group and count < bucket.movable:
            limit = Limit(name=bucket.name, subject=bucket.subject, group=tuple(bucket.group), count=count, nodes=bucket.nodes)
            found.append(limit)
    return tuple(found)


def _spent(policy: Policy, c: PodClass, key: tuple[str, ...], past: Past) -> int:
    """What earlier runs have used up of a limit over a window of time."""
    if key[0] != "window" or not past.history.moves:
        return 0
    window = next(w.window for w in policy.spec.limits.per_window if format_duration(w.window) == key[1])
    if key[2] == "fleet":
        return past.within(window)
    return past.within(window, (c.cluster, c.namespace, *c.workload)) if c.workload else 0


Asked = tuple[tuple[str, ...], Amount, str, str, int | None]


def _asked(policy: Policy, c: PodClass, effective: Effective, nodes: Sequence[Node]) -> Iterable[Asked]:
    """(bucket, amount, limit, subject, node) for each limit that the class's pods count in."""
    base, workload = policy.spec.limits, "/".join(c.workload) if c.workload else f"pod class {c.index}"  # one pod, if it can move
    subjects: dict[str, str] = {
        "per_run": "fleet",
        "per_cluster": c.cluster,
        "per_namespace": f"{c.cluster}/{c.namespace}",
        "per_workload": f"{c.cluster}/{c.namespace}/{workload}",
    }
    for limit, name in EXTRA.items():
        amount = getattr(base, limit)
        if amount is not None:
            yield (limit, subjects[limit]), amount, name, subjects[limit], None
        source = effective.source_of(limit)
        own = getattr(effective.limits, limit)
        if source is not None and own is not None:
            subject = f"{subjects[limit]} (overrides[{source}])"
            yield (limit, subjects[limit], str(source)), own, name, subject, None
    for window in base.per_window:
        span = format_duration(window.window)
        if window.per_fleet is not None:
            yield ("window", span, "fleet"), window.per_fleet, f"perWindow {span} perFleet", "fleet", None
        if window.per_workload is not None:
            subject = subjects["per_workload"]
            yield ("window", span, subject), window.per_workload, f"perWindow {span} perWorkload", subject, None
    for limit, name in OWN.items():
        amount, source = getattr(effective.limits, limit), effective.source_of(limit)
        if amount is None:
            continue
        suffix = "" if source is None else f" (overrides[{source}])"
        places: Iterable[int | None] = c.at if limit == "per_node" else (None,)
        for node in places:
            subject = subjects[limit] if node is None else str(nodes[node].ref)
            yield (limit, subject, str(source)), amount, name, subject + suffix, node
