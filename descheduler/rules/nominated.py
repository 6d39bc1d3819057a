"""Waiting pods that kube-scheduler has nominated to a node, and whom else they keep off it.

Their requests are a matter of ``rules/constraints/node_resources_fit.py``. What they rule out by being there is decided here, once:
kube-scheduler asks every filter with the nominated pods of equal and higher priority on the node, and without them
(``RunFilterPluginsWithNominatedPods``); both answers must be yes.
"""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.domain.objects import Node
from descheduler.domain.problem import PodClass
from descheduler.rules.constraints.node_ports import conflict


def barred(c: PodClass, nodes: Sequence[Node], nominated: Sequence[PodClass]) -> int:
    """The nodes, as bits, on which a nominated pod rules out pods of the class by port, anti-affinity, claim or spread."""
    found = 0
    for other in nominated:
        if other.nominated is None or other.index == c.index or other.cluster != c.cluster or other.priority < c.priority:
            continue
        if _clash(c, other, frozenset(key for key, _ in nodes[other.nominated].labels)):
            found |= 1 << other.nominated
    return found


def _clash(c: PodClass, other: PodClass, keys: frozenset[str]) -> bool:
    if conflict(c, other) is not None or not set(c.spec.exclusive_claims).isdisjoint(other.spec.exclusive_claims):
        return True
    for one, two in ((c, other), (other, c)):
        if any(term.topology_key in keys and term.of_newcomer.matches(two.namespace, dict(two.labels)) for term in one.spec.anti_affinity):
            return True
    return c.namespace == other.namespace and any(s.selector is not None and s.selector.matches(dict(other.labels)) for s in c.spec.spread)
