"""Headroom: how many more pods of the policy's shapes the free room would take, each shape alone, whole pods per node."""

from __future__ import annotations

from collections.abc import Mapping

from descheduler.domain.objects import Node, PodSpec
from descheduler.domain.problem import Problem, Shape
from descheduler.domain.rows import NodeValue
from descheduler.rules.filters import node_affinity, untolerated_taint

NAME = "Headroom"


def admits(shape: Shape, node: Node) -> bool:
    """Ready, uncordoned nodes that the shape's selector and tolerations admit, as DESIGN.md section 4 counts slots.

    Whether we would send a pod there (a node marked for scale-down, say) is another question.
    """
    spec = PodSpec(requests=shape.requests, node_selector=shape.node_selector, tolerations=shape.tolerations)
    return node.ready and not node.unschedulable and untolerated_taint(spec, node) is None and node_affinity(spec, node) is None


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
