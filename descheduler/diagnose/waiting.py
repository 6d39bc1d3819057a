"""Who waits, for what, and whether this run may help."""

from __future__ import annotations

from datetime import datetime

from descheduler.domain.durations import format_duration
from descheduler.domain.objects import Cluster, Pod
from descheduler.policy.overrides import Effective


def not_ours(pod: Pod, schedulers: tuple[str, ...]) -> str | None:
    """Why a waiting pod is not ours to place; ``None`` when it waits for room."""
    if pod.gates:
        return f"is gated ({', '.join(pod.gates)})"
    if pod.spec.scheduler not in schedulers:
        return f"is scheduled by {pod.spec.scheduler}"
    if pod.waits_for_claim is not None:
        return pod.waits_for_claim
    if pod.spec.opaque is not None or not pod.spec.size_known:
        return f"uses {pod.spec.opaque or 'requests that cannot be read'}, which is not modelled"
    return None


def held_back(pod: Pod, in_scope: bool, effective: Effective, cluster: Cluster, now: datetime, seen: int | None = None) -> str | None:
    """Why scope or trigger keep a waiting pod out of this run; ``None`` when they do not.

    ``seen`` is in how many runs before, in a row, it was seen waiting; ``None`` where nobody counts.
    """
    if not in_scope:
        return "outside the policy's scope"
    trigger = effective.trigger
    if trigger.min_priority is not None and pod.priority < trigger.min_priority:
        return f"priority {pod.priority} is below trigger.minPriority {trigger.min_priority}"
    if pod.waiting_since is not None and now - pod.waiting_since < trigger.pending_for:
        return f"waits for less than trigger.pendingFor {format_duration(trigger.pending_for)}"
    if seen is not None and seen + 1 < trigger.seen_in_runs:
        return f"was seen waiting in {seen + 1} of the trigger.seenInRuns {trigger.seen_in_runs} runs"
    for event in cluster.scale_ups:
        if (event.namespace, event.pod) == (pod.ref.namespace, pod.ref.name) and now - event.at < trigger.scale_up_grace:
            return f"a node is on its way ({event.reason}), trigger.scaleUpGrace {format_duration(trigger.scale_up_grace)}"
    return None
