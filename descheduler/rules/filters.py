"""Filters: may this pod run on this node, whoever else is there? Names and words are kube-scheduler's.

A filter declares which part of a pod and which part of a node it reads, so that ``Verdicts`` asks once per pair of
parts and never per pair of pods and nodes. Many nodes at once are answered by ``NodeSets``: one that reads labels or
amounts says so with ``nodes``, as sets of nodes; all others are asked once per pair of parts. To add one: the function,
its parts, its line in ``FILTERS``.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass

from descheduler.domain.objects import Node, PodSpec
from descheduler.domain.resources import VOLUMES
from descheduler.domain.selectors import Taint
from descheduler.rules.node_sets import NodeSets

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


def node_demands(spec: PodSpec, node: Node) -> str | None:
    """VolumeBinding, VolumeZone and what a scheduler's configuration adds: demands on labels that the pod does not spell out itself."""
    labels = dict(node.labels) if spec.node_demands else {}
    return next((demand.reason for demand in spec.node_demands if not demand.met(labels, node.ref.name)), None)


def pod_topology_spread_keys(spec: PodSpec, node: Node) -> str | None:
    """kube-scheduler's PodTopologySpread, the part without other pods: the node carries every topology key."""
    present = {key for key, _ in node.labels}
    if all(constraint.topology_key in present for constraint in spec.spread):
        return None
    return "node(s) didn't match pod topology spread constraints (missing required label)"


def pod_affinity_keys(spec: PodSpec, node: Node) -> str | None:
    """kube-scheduler's InterPodAffinity, the part without other pods: the node carries every key of required pod affinity."""
    present = {key for key, _ in node.labels} if spec.affinity else frozenset[str]()
    return None if all(term.topology_key in present for term in spec.affinity) else "node(s) didn't match pod affinity rules"


def node_resources_alone(spec: PodSpec, node: Node) -> str | None:
    """kube-scheduler's NodeResourcesFit, and NodeVolumeLimits for volumes, for a node with nobody on it."""
    if node.allocatable["pods"] < 1:
        return "Too many pods"
    short = next((resource for resource, amount in spec.requests.items() if amount > node.allocatable[resource]), None)
    return None if short is None else insufficient(short)


def insufficient(resource: str) -> str:
    """kube-scheduler's words for a resource of which a node has too little."""
    if resource == "pods":
        return "Too many pods"
    return "node(s) exceed max volume count" if resource.startswith(VOLUMES) else f"Insufficient {resource}"


def _affinity_part(spec: PodSpec, node: Node) -> Hashable:
    terms = spec.node_affinity or ()
    keys = {key for key, _ in spec.node_selector} | {e.key for term in terms for e in term.expressions}
    name = node.ref.name if any(term.fields for term in terms) else ""
    return tuple(pair for pair in node.labels if pair[0] in keys), name


def _affinity_nodes(spec: PodSpec, nodes: NodeSets) -> int:
    found = nodes.everyone
    for key, value in spec.node_selector:
        found &= nodes.labelled(key, value)
    return found if spec.node_affinity is None else found & nodes.of_terms(spec.node_affinity)


def _demanded_nodes(spec: PodSpec, nodes: NodeSets) -> int:
    found = nodes.everyone
    for demand in spec.node_demands:
        found &= nodes.of_terms(demand.terms)
    return found


def _with_keys(keys: set[str], nodes: NodeSets) -> int:
    found = nodes.everyone
    for key in keys:
        found &= nodes.having(key)
    return found


def _roomy_nodes(spec: PodSpec, nodes: NodeSets) -> int:
    found = nodes.with_room("pods", 1)
    for resource, amount in spec.requests.items():
        found &= nodes.with_room(resource, amount)
    return found


@dataclass(frozen=True, slots=True)
class Filter:
    """A filter with the parts it reads: equal parts have equal verdicts."""

    name: str
    check: Callable[[PodSpec, Node], str | None]
    pod_part: Callable[[PodSpec], Hashable]
    node_part: Callable[[PodSpec, Node], Hashable]
    nodes: Callable[[PodSpec, NodeSets], int] | None = None
    """The nodes that pass, at once; ``None``: the node's part does not depend on the pod, so each part is asked once."""


NODE_OPEN = Filter("NodeOpen", node_open, lambda spec: None, lambda spec, node: (node.closed, node.ready))
NODE_UNSCHEDULABLE = Filter("NodeUnschedulable", node_unschedulable, lambda spec: spec.tolerations, lambda spec, node: node.unschedulable)
TAINT_TOLERATION = Filter("TaintToleration", taint_toleration, lambda spec: spec.tolerations, lambda spec, node: node.taints)
NODE_AFFINITY = Filter(
    "NodeAffinity", node_affinity, lambda spec: (spec.node_selector, spec.node_affinity), _affinity_part, nodes=_affinity_nodes
)
RESOURCES_ALONE = Filter(
    "NodeResourcesFit", node_resources_alone, lambda spec: spec.requests, lambda spec, node: node.allocatable, nodes=_roomy_nodes
)
NODE_DEMANDS = Filter(
    "VolumeBinding",
    node_demands,
    lambda spec: spec.node_demands,
    lambda spec, node: (node.labels, node.ref.name) if spec.node_demands else None,
    nodes=_demanded_nodes,
)
SPREAD_KEYS = Filter(
    "PodTopologySpread",
    pod_topology_spread_keys,
    lambda spec: tuple(sorted({c.topology_key for c in spec.spread})),
    lambda spec, node: tuple(c.topology_key in {key for key, _ in node.labels} for c in spec.spread),
    nodes=lambda spec, nodes: _with_keys({c.topology_key for c in spec.spread}, nodes),
)
AFFINITY_KEYS = Filter(
    "InterPodAffinity",
    pod_affinity_keys,
    lambda spec: tuple(sorted({term.topology_key for term in spec.affinity})),
    lambda spec, node: tuple(term.topology_key in {key for key, _ in node.labels} for term in spec.affinity),
    nodes=lambda spec, nodes: _with_keys({term.topology_key for term in spec.affinity}, nodes),
)

KUBE_SCHEDULER: tuple[Filter, ...] = (
    NODE_UNSCHEDULABLE,
    Filter("TaintToleration", untolerated_taint, lambda spec: spec.tolerations, lambda spec, node: node.taints),
    NODE_AFFINITY,
    RESOURCES_ALONE,
    NODE_DEMANDS,
    SPREAD_KEYS,
    AFFINITY_KEYS,
)
"""Where kube-scheduler might put a pod that nobody steers, in the order in which it asks."""

FILTERS: tuple[Filter, ...] = (NODE_OPEN, NODE_UNSCHEDULABLE, TAINT_TOLERATION, *KUBE_SCHEDULER[2:])
"""Where we would send a pod: stricter by ``NodeOpen`` and by taints that are tolerated for a while only."""


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

    def admitted(self, spec: PodSpec, nodes: NodeSets) -> int:
        """All nodes that the pod may run on, as a set of ``nodes``."""
        found = nodes.everyone
        for filter_ in self._filters:
            found &= filter_.nodes(spec, nodes) if filter_.nodes else self._asked(filter_, spec, nodes)
            if not found:
                break
        return found

    def _asked(self, filter_: Filter, spec: PodSpec, nodes: NodeSets) -> int:
        """A filter whose node part does not depend on the pod: one question for each part there is."""

        def answer() -> int:
            passing = 0
            for node, members in nodes.grouped(filter_.name, lambda node: filter_.node_part(spec, node)):
                if filter_.check(spec, node) is None:
                    passing |= members
            return passing

        return nodes.remembered((filter_.check, filter_.pod_part(spec)), answer)
