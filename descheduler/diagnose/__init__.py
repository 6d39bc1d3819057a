"""Snapshot and policy become a problem: who waits and why, who may not move and why, which mover each pod has."""

from __future__ import annotations

from descheduler.diagnose.classes import Sorted
from descheduler.diagnose.limits import Past, limits
from descheduler.diagnose.shapes import automatic_shapes
from descheduler.domain.history import NO_HISTORY, History
from descheduler.domain.problem import Price, Problem, Shape, Terms
from descheduler.domain.resources import PODS, Resources
from descheduler.domain.snapshot import Snapshot
from descheduler.policy import shapes as policy_shapes
from descheduler.policy.policy import Policy
from descheduler.policy.shapes import AUTO
from descheduler.rules.constraints import with_rows

UNLIMITED_WAVES = 64


def diagnose(snapshot: Snapshot, policy: Policy, *, lifted: bool = False, history: History = NO_HISTORY) -> Problem:
    """The question this run answers; ``history`` is what earlier runs did.

    With ``lifted`` the policy's limits, trigger and scope are ignored: it asks what they stand in the way of.
    """
    sorted_ = Sorted(snapshot, policy, lifted, NO_HISTORY if lifted else history)
    spec = policy.spec
    terms = Terms(
        objectives=spec.objectives,
        shapes=automatic_shapes(sorted_, policy) if spec.shapes == AUTO else tuple(_shape(shape) for shape in spec.shapes),
        prices=tuple(Price(node_selector=one.node_selector, price=round(one.price, 3)) for one in spec.empty_nodes.prices),
        limits=() if lifted else limits(policy, sorted_.classes, sorted_.effective, sorted_.nodes, Past(history, snapshot.taken_at)),
        moves_per_placed_pod=None if lifted else spec.limits.moves_per_placed_pod,
        waves=UNLIMITED_WAVES if lifted or spec.limits.waves is None else spec.limits.waves,
        cycle_breaks=10**6 if lifted or spec.limits.cycle_breaks is None else spec.limits.cycle_breaks,
        floor=spec.floor.slots_per_move,
        reserve=spec.reserve,
    )
    problem = Problem(
        now=snapshot.taken_at,
        nodes=tuple(sorted_.nodes),
        pods=tuple(sorted_.pods),
        classes=tuple(sorted_.classes),
        budgets=tuple(sorted_.budgets),
        terms=terms,
        quotas=tuple(sorted_.quotas),
        class_of=tuple(sorted_.class_of),
        every_cluster=tuple(cluster.name for cluster in snapshot.clusters),
        names=tuple(sorted_.names),
        protected=sorted_.protected,
        not_ours=sorted_.not_ours,
        held_back=sorted_.held_back,
        loose=sorted_.loose,
    )
    return with_rows(problem)


def _shape(told: policy_shapes.Shape) -> Shape:
    return Shape(
        name=told.name,
        weight=told.weight,
        requests=told.requests + Resources({PODS: 1}),
        node_selector=told.node_selector,
        tolerations=told.tolerated,
    )


__all__ = ["diagnose"]
