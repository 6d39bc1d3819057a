"""What has changed since a plan was made, object by object, as far as the plan and the objects themselves tell (DESIGN.md section 4).

A plan.json names its pods and nodes and holds a digest of everything else: of that, only newcomers can be named. Drift never refuses by
itself; what does not hold any more because of it is dropped by the second look.
"""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.domain.objects import Node, NodeRef, Pod
from descheduler.domain.plan import Plan, PlanPod
from descheduler.domain.snapshot import Remark, Snapshot, digest

UNNAMED = "something that counts has changed since the plan was made, but nothing the plan names"


def drift(plan: Plan, snapshot: Snapshot) -> tuple[Remark, ...]:
    """Every pod and node of the plan that is not what the plan was made for, and pods that came later; empty when nothing changed.

    Clusters that cannot be read are left out: the second look tells of them.
    """
    if digest(snapshot) == plan.metadata.snapshot_digest:
        return ()
    unreadable = {cluster.cluster for cluster in snapshot.unreadable}
    found = (*_pods(plan, snapshot), *_nodes(plan, snapshot), *_newcomers(plan, snapshot))
    told = tuple(dict.fromkeys(remark for remark in found if remark.cluster not in unreadable))
    return told or (Remark(cluster="", subject="snapshotDigest", message=UNNAMED),)


def _pods(plan: Plan, snapshot: Snapshot) -> Iterator[Remark]:
    by_name = {(pod.ref.cluster, pod.ref.namespace, pod.ref.name): pod for pod in snapshot.pods()}
    planned: list[tuple[PlanPod, str | None]] = [(move.pod, move.source.node) for move in plan.moves]
    planned += [(placed.pod, None) for placed in plan.placements] + [(left.pod, None) for left in plan.unplaced]
    for pod, node in planned:
        change = _change(by_name.get((pod.cluster, pod.namespace, pod.name)), pod, node)
        if change is not None:
            yield Remark(cluster=pod.cluster, subject=f"pod {pod.namespace}/{pod.name}", message=change)


def _change(now: Pod | None, planned: PlanPod, node: str | None) -> str | None:
    if now is None:
        return "is gone"
    if planned.uid and now.uid != planned.uid:
        return "is another pod of the same name"
    if now.terminating:
        return "is terminating"
    if now.node == node:
        return None
    return f"runs on {now.node} instead of {node}" if node is not None else f"has been bound to {now.node}"


def _nodes(plan: Plan, snapshot: Snapshot) -> Iterator[Remark]:
    nodes = {node.ref: node for cluster in snapshot.clusters for node in cluster.nodes}
    sources = {move.source for move in plan.moves}
    targets = {move.target for move in plan.moves} | {placed.target for placed in plan.placements}
    for spot in sorted(sources | targets, key=lambda spot: (spot.cluster, spot.node or "")):
        change = _node_change(nodes.get(NodeRef(spot.cluster, spot.node)), spot in targets) if spot.node is not None else None
        if change is not None:
            yield Remark(cluster=spot.cluster, subject=f"node {spot.node}", message=change)


def _node_change(now: Node | None, is_target: bool) -> str | None:
    """Whether pods that leave it leave a cordoned node does not matter; a target was Ready and open."""
    if now is None:
        return "is gone"
    if not is_target:
        return None
    if not now.ready:
        return "is not Ready any more"
    if now.unschedulable:
        return "is cordoned"
    return now.closed


def _newcomers(plan: Plan, snapshot: Snapshot) -> Iterator[Remark]:
    since = plan.metadata.created_at
    for pod in snapshot.pods():
        if pod.created is not None and pod.created > since:
            where = f"on {pod.node}" if pod.node is not None else "and waits"
            yield Remark(cluster=pod.ref.cluster, subject=f"pod {pod.ref.namespace}/{pod.ref.name}", message=f"is new {where}")
