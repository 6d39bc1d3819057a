"""Filters: may this pod run on this node, whoever else is there? Names and words are kube-scheduler's.

A filter declares which part of a pod and which part of a node it reads, so that ``Verdicts`` asks once per pair of
parts and never per pair of pods and nodes. To add one: the function, its two parts, its line in ``FILTERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from descheduler.domain.objects import Node, PodSpec
from descheduler.domain.selectors import Taint

UNSCHEDULABLE = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")
HOSTNAME = "kubernetes.io/hostname"


def node_open(spec: PodSpec, node: Node) -> str | None:
    """Ours: nothing is sent to a node that leaves, cannot be read or is not Ready (stricter than kube-scheduler)."""
    if node.closed is not None:
        return node.closed
    return None if node.ready else "node(s) were not ready"


def node_unschedulable(spec: PodSpec, node: Node) -> str | None:
    """kube-scheduler's NodeUnschedulable: a cordon blocks unless its taint is tolerated."""
    if node.unschedulable and not any(t.tolerates(UNSCHEDULABLE) for t in spec.tolerations):
        return "node(s) were unschedulable"
    return None


def untolerated_taint(spec: PodSpec, node: Node) -> str | None:
    """kube-scheduler's TaintToleration, to the letter: for how long a taint is tolerated does not matter to it."""
    for taint in node.taints:
        if taint.effect in ("NoSchedule", "NoExecute") and not any(t.tolerates(taint) for t in spec.tolerations):
            return _untolerated(taint)
    return None


def taint_toleration(spec: PodSpec, node: Node) -> str | None:
    """TaintToleration; a NoExecute taint that any toleration accepts only for a while is refused too (stricter)."""
    for taint in node.taints:
        if taint.effect == "NoExecute" and any(t.seconds is not None and t.tolerates(taint) for t in spec.tolerations):
            return _untolerated(taint)
    return untolerated_taint(spec, node)


def _untolerated(taint: Taint) -> str:
    return f"node(s) had untolerated taint {{{taint.key}: {taint.value}}}"


def node_affinity(spec: PodSpec, node: Node) -> str | None:
    """kube-scheduler's NodeAffinity: ``nodeSelector`` and required node affinity."""
    labels = dict(node.labels)
    fits = all(labels.get(key) == value for key, value in spec.node_selector)
    if fits and spec.node_affinity is not None:
        fits = any(term.matches(labels, node.ref.name) for term in spec.node_affinity)
    return None if fits else "node(s) didn't match Pod's node affinity/selector"


def pod_topology_spread_keys(spec: PodSpec, node: Node) -> str | None:
    """kube-scheduler's PodTopologySpread, the part without other pods: the node carries every topology key."""
    present = {key for key, _ in node.labels}
    if all(constraint.topology_key in present for constraint in spec.spread):
        return None
    return "node(s) didn't match pod topology spread constraints (missing required label)"


def node_resources_alone(spec: PodSpec, node: Node) -> str | None:
    """kube-scheduler's NodeResourcesFit for a node with nobody on it."""
    if node.allocatable["pods"] < 1:
        return "Too many pods"
    for resource, amount in spec.requests.items():
        if amount > node.allocatable[resource]:
            return f"Insufficient {resource}"
    return None


def _affinity_keys(spec: PodSpec) -> frozenset[str]:
    terms = spec.node_affinity or ()
    return frozenset([key for key, _ in spec.node_selector] + [e.key for term in terms for e in term.expressions])


def _affinity_part(spec: PodSpec, node: Node) -> Hashable:
    keys = _affinity_keys(spec)
    name = node.ref.name if any(term.fields for term in spec.node_affinity or ()) else ""
    return tuple(pair for pair in node.labels if pair[0] in keys), name


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter with the parts it reads: equal parts have equal verdicts."""

    name: str
    check: Callable[[PodSpec, Node], str | None]
    pod_part: Callable[[PodSpec], Hashable]
    node_part: Callable[[PodSpec, Node], Hashable]


NODE_OPEN = Filter("NodeOpen", node_open, lambda spec: None, lambda spec, node: (node.closed, node.ready))
NODE_UNSCHEDULABLE = Filter("NodeUnschedulable", node_unschedulable, lambda spec: spec.tolerations, lambda spec, node: node.unschedulable)
TAINT_TOLERATION = Filter("TaintToleration", taint_toleration, lambda spec: spec.tolerations, lambda spec, node: node.taints)
NODE_AFFINITY = Filter("NodeAffinity", node_affinity, lambda spec: (spec.node_selector, spec.node_affinity), _affinity_part)
SPREAD_KEYS = Filter(
    "PodTopologySpread",
    pod_topology_spread_keys,
    lambda spec: tuple(sorted({c.topology_key for c in spec.spread})),
    lambda spec, node: tuple(c.topology_key in {key for key, _ in node.labels} for c in spec.spread),
)
RESOURCES_ALONE = Filter("NodeResourcesFit", node_resources_alone, lambda spec: spec.requests, lambda spec, node: node.allocatable)

FILTERS: tuple[Filter, ...] = (
    NODE_OPEN,
    NODE_UNSCHEDULABLE,
    TAINT_TOLERATION,
    NODE_AFFINITY,
    SPREAD_KEYS,
    RESOURCES_ALONE,
)

KUBE_SCHEDULER: tuple[Filter, ...] = (
    NODE_UNSCHEDULABLE,
    Filter("TaintToleration", untolerated_taint, lambda spec: spec.tolerations, lambda spec, node: node.taints),
    NODE_AFFINITY,
    SPREAD_KEYS,
    RESOURCES_ALONE,
)
"""Where kube-scheduler might put a pod that nobody steers: the same without what only we refuse."""


class Verdicts:
    """Asks a table of filters and remembers: one question per pair of parts."""

    def __init__(self, filters: tuple[Filter, ...] = FILTERS) -> None:
        self._filters = filters
        self._known: tuple[dict[Hashable, dict[Hashable, str | None]], ...] = tuple({} for _ in filters)

    def reason(self, spec: PodSpec, node: Node) -> str | None:
        """Why the pod may not run there, from the first filter that objects; ``None`` when none does."""
        for filter_, known in zip(self._filters, self._known, strict=True):
            verdicts = known.setdefault(filter_.pod_part(spec), {})
            part = filter_.node_part(spec, node)
            if part not in verdicts:
                verdicts[part] = filter_.check(spec, node)
            if verdicts[part] is not None:
                return verdicts[part]
        return None

    def admits(self, spec: PodSpec, node: Node) -> bool:
        return self.reason(spec, node) is None
