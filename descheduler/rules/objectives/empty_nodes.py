"""EmptyNodes: nodes freed, each weighted by its price; an empty node that gets a pod counts as much against it.

A node is empty when it holds no pod but those of DaemonSets and static ones, as cluster-autoscaler and Karpenter count
before they remove it. Nodes that are cordoned or not Ready bring nothing: nobody could have used them.
"""

from __future__ import annotations

from collections.abc import Set as AbstractSet

from descheduler.domain.moment import snapshot_spots
from descheduler.domain.placement import Spots
from descheduler.domain.problem import Problem
from descheduler.domain.rows import NodePrice

NAME = "EmptyNodes"
USUAL_PRICE = 1.0
DIGITS = 6


def lodges(problem: Problem, pod_class: int) -> bool:
    """Whether pods of the class keep a node from being empty: all but those of DaemonSets and static ones."""
    first = problem.pods[problem.classes[pod_class].pods[0]]
    return not (first.daemon or first.static)


def price(problem: Problem, node: int) -> float:
    """What the first matching price of the policy says."""
    labels = problem.node_labels[node]
    matching = (p.price for p in problem.terms.prices if all(labels.get(key) == value for key, value in p.node_selector))
    return next(matching, USUAL_PRICE)


def occupied(problem: Problem, residents: Spots) -> frozenset[int]:
    """Nodes that are not empty, for the given (class, node) counts."""
    return frozenset(node for (c, node), count in residents.items() if count and lodges(problem, c))


def empty_nodes(problem: Problem, residents: Spots) -> frozenset[int]:
    """Ready, uncordoned nodes that are empty, for the given (class, node) counts."""
    full = occupied(problem, residents)
    return frozenset(n for n, node in enumerate(problem.nodes) if node.ready and not node.unschedulable and n not in full)


def freed(problem: Problem, residents: Spots) -> float:
    """The price of the nodes that have become empty less that of those that are no longer, since the snapshot."""
    return _worth(problem, empty_nodes(problem, residents)) - _worth(problem, empty_nodes(problem, snapshot_spots(problem)))


def _worth(problem: Problem, nodes: AbstractSet[int]) -> float:
    return round(sum(price(problem, node) for node in sorted(nodes)), DIGITS)


def node_prices(problem: Problem) -> tuple[NodePrice, ...]:
    """One row per node that is empty or that movable pods alone keep from being so, if it is worth anything."""
    full = occupied(problem, snapshot_spots(problem))
    stuck = {node for c in problem.classes if not (c.movers and c.reach) and lodges(problem, c.index) for node in c.at}
    return tuple(
        NodePrice(node=n, price=worth, empty=n not in full)
        for n, node in enumerate(problem.nodes)
        if node.ready and not node.unschedulable and n not in stuck and (worth := price(problem, n))
    )
