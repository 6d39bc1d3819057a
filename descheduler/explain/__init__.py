"""One pod explained: kube-scheduler's verdict on every node, what would help, what protects it. Pure values in and out.

Told by the scene (``rules.scene``), by the same sorting that a plan starts from, and by an ordinary plan.
"""

from __future__ import annotations

from dataclasses import replace

from descheduler.diagnose.classes import Sorted
from descheduler.domain.explanation import Explanation
from descheduler.domain.objects import Pod
from descheduler.domain.plan import Plan
from descheduler.domain.snapshot import Snapshot
from descheduler.explain.bound import bound
from descheduler.explain.find import find
from descheduler.explain.nodes import grouped
from descheduler.explain.waiting import waiting
from descheduler.policy.policy import Policy


def explain(snapshot: Snapshot, policy: Policy, pod: Pod, plan: Plan | None) -> Explanation:
    """Everything there is to say about one pod of the snapshot; ``plan`` is the ordinary plan, wanted for a waiting pod only."""
    cluster = next(c for c in snapshot.clusters if c.name == pod.ref.cluster)
    sorted_ = Sorted(replace(snapshot, clusters=(cluster,)), policy, lifted=False)
    index = sorted_.pods.index(pod)
    story, scene, judged = bound(sorted_, index, cluster) if pod.node else waiting(sorted_, index, cluster, plan)
    return Explanation(
        pod=pod,
        workload=sorted_.names[index].workload,
        now=snapshot.taken_at,
        story=story,
        groups=grouped(scene, judged, besides=pod.node),
    )


__all__ = ["explain", "find"]
