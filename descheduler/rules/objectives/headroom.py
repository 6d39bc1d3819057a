"""Headroom: how many more pods of the policy's shapes the free room would take, each shape alone, whole pods per node."""

from __future__ import annotations

from collections.abc import Mapping

from descheduler.domain.objects import Node, PodSpec
from descheduler.domain.problem import Problem, Shape
from descheduler.domain.rows import NodeValue
from descheduler.rules.filters import NODE_AFFINITY, NODE_OPEN, NODE_UNSCHEDULABLE, TAINT_TOLERATION

NAME = "Headroom"


def admits(shape: Shape, node: Node) -> bool:
    """Ready, uncordoned nodes that the shape's selector and tolerations admit."""
    spec = PodSpec(requests=shape.requests, node_selector=shape.node_selector, tolerations=shape.tolerations)
    if node.unschedulable:
        return False
    return all(f.check(spec, node) is None for f in (NODE_OPEN, NODE_UNSCHEDULABLE, TAINT_TOLERATION, NODE_AFFINITY))


def slots(shape: Shape, free: Mapping[str, int]) -> int:
    """Whole pods of the shape that fit in the free amounts (base units)."""
    return max(0, min((free.get(resource, 0) // amount for resource, amount in shape.requests.items()), default=0))


def node_values(problem: Problem) -> tuple[NodeValue, ...]:
    """One row per shape and node that can hold at least one pod of it when empty."""
    return tuple(
        NodeValue(shape=s, node=n, weight=shape.weight)
        for s, shape in enumerate(problem.terms.shapes)
        for n, node in enumerate(problem.nodes)
        if shape.requests.fits(node.allocatable) and admits(shape, node)
    )
