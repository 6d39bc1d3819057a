"""One cluster as its kube-scheduler sees it at one instant: may this waiting pod be bound to that node now?

The judgement is told once more here, on live pods one at a time, apart from filters and rows: the simulated scheduler binds by
it and the executor asks it again before each step that cannot be undone. Source: kube-scheduler's plugins, kubernetes.md section 3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from descheduler.domain.objects import Node, Pod
from descheduler.domain.selectors import Pairs, PodTerm, SpreadConstraint, Taint

CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


@lru_cache(maxsize=65536)
def _map(told: Pairs) -> Mapping[str, str]:
    return dict(told)


class Scene:
    """Nodes and pods of one cluster; pods come and go. A pod that changes is removed as it was and added as it is."""

    def __init__(self, nodes: Iterable[Node], pods: Iterable[Pod] = ()) -> None:
        self.nodes = {node.ref.name: node for node in nodes}
        self._at: dict[str, dict[str, Pod]] = {name: {} for name in self.nodes}
        self._used: dict[str, Counter[str]] = {name: Counter() for name in self.nodes}
        self._nominated: dict[str, dict[str, Pod]] = {name: {} for name in self.nodes}
        self._apart: dict[PodTerm, Counter[str]] = {}
        """Required anti-affinity of bound pods: how many carry the term in each domain."""
        self._domains: dict[str, dict[str, list[str]]] = {}
        self._counts: dict[object, dict[str, int]] = {}
        for pod in pods:
            self.add(pod)

    def add(self, pod: Pod) -> None:
        self._book(pod, 1)

    def remove(self, pod: Pod) -> None:
        self._book(pod, -1)

    def replace_node(self, node: Node) -> None:
        """The node changed in anything but its labels."""
        self.nodes[node.ref.name] = node
        self._counts.clear()

    def _book(self, pod: Pod, sign: int) -> None:
        self._counts.clear()
        name = pod.node or pod.nominated_node
        if name not in self.nodes:
            return
        there = self._at[name] if pod.node else self._nominated[name]
        if sign > 0:
            there[pod.uid] = pod
        else:
            there.pop(pod.uid, None)
        if pod.node is None:
            return
        for resource, amount in pod.spec.requests.items():
            self._used[name][resource] += sign * amount
        for term in pod.spec.anti_affinity:
            value = _map(self.nodes[name].labels).get(term.topology_key)
            if value is not None:
                self._apart.setdefault(term, Counter())[value] += sign

    def on(self, node: str) -> Iterator[Pod]:
        """The pods bound to the node."""
        yield from self._at.get(node, {}).values()

    def free(self, node: str, resource: str) -> int:
        """What the node's pods leave of a resource; negative when it is over-committed."""
        here = self.nodes[node].allocatable[resource]
        return here - (len(self._at[node]) if resource == "pods" else self._used[node][resource])

    def feasible(self, pod: Pod) -> list[str]:
        """Every node that ``pod`` may be bound to now, by name."""
        return [name for name in self.nodes if self.objection(pod, name) is None]

    def objection(self, pod: Pod, name: str) -> str | None:
        """Why ``pod`` may not be bound to the node now; ``None`` when it may. The pod itself must not be bound in the scene.

        Nominated pods of equal or higher priority count as if they were there; both with and without them all must hold
        (``RunFilterPluginsWithNominatedPods``).
        """
        node = self.nodes.get(name)
        if node is None:
            return "node(s) were gone"
        reason = _alone(pod, node) or self._together(pod, node, ())
        rivals = tuple(p for p in self._nominated[name].values() if p.uid != pod.uid and p.priority >= pod.priority)
        return reason or (self._together(pod, node, rivals) if rivals else None)

    def _together(self, pod: Pod, node: Node, rivals: tuple[Pod, ...]) -> str | None:
        return self._crowded(pod, node, rivals) or self._repelled(pod, node, rivals) or self._skewed(pod, node, rivals)

    def _crowded(self, pod: Pod, node: Node, rivals: tuple[Pod, ...]) -> str | None:
        """NodeResourcesFit: the number of pods always, other resources only as far as they are asked for."""
        name = node.ref.name
        if self.free(name, "pods") - len(rivals) < 1:
            return "Too many pods"
        for resource, amount in pod.spec.requests.items():
            if amount > self.free(name, resource) - sum(rival.spec.requests[resource] for rival in rivals):
                return f"Insufficient {resource}"
        return None

    def _repelled(self, pod: Pod, node: Node, rivals: tuple[Pod, ...]) -> str | None:
        """InterPodAffinity: the pod's own required anti-affinity, and that of everyone in the node's domains."""
        here = _map(node.labels)
        for term in pod.spec.anti_affinity:
            value = here.get(term.topology_key)
            if value is None:
                continue
            for name in self._nodes_of(term.topology_key).get(value, ()):
                there = (*self._at[name].values(), *(rivals if name == node.ref.name else ()))
                if any(p.uid != pod.uid and term.matches(p.ref.namespace, _map(p.labels)) for p in there):
                    return "node(s) didn't match pod anti-affinity rules"
        namespace, labels = pod.ref.namespace, _map(pod.labels)
        for term, domains in self._apart.items():
            if domains[here.get(term.topology_key, "")] > 0 and term.topology_key in here and term.matches(namespace, labels):
                return "node(s) didn't satisfy existing pods anti-affinity rules"
        if any(t.topology_key in here and t.matches(namespace, labels) for rival in rivals for t in rival.spec.anti_affinity):
            return "node(s) didn't satisfy existing pods anti-affinity rules"
        return None

    def _skewed(self, pod: Pod, node: Node, rivals: tuple[Pod, ...]) -> str | None:
        """PodTopologySpread, hard constraints only (kubernetes.md 3.9)."""
        here = _map(node.labels)
        for constraint in pod.spec.spread:
            value = here.get(constraint.topology_key)
            if value is None:
                return "node(s) didn't match pod topology spread constraints (missing required label)"
            counts = self._spread(pod, constraint)
            if rivals and value in counts and _takes_part(pod, constraint, node):
                counts = {**counts, value: counts[value] + sum(_counted(p, pod, constraint) for p in rivals)}
            least = min(counts.values()) if counts and len(counts) >= constraint.min_domains else 0
            own = constraint.selector is not None and constraint.selector.matches(_map(pod.labels))
            if counts.get(value, 0) + own - least > constraint.max_skew:
                return "node(s) didn't match pod topology spread constraints"
        return None

    def _spread(self, pod: Pod, constraint: SpreadConstraint) -> dict[str, int]:
        """Domain value to the number of pods that count there; only domains that take part are in it."""
        key = (pod.spec, pod.ref.namespace, constraint)
        if key not in self._counts:
            counts: dict[str, int] = {}
            for name, node in self.nodes.items():
                if _takes_part(pod, constraint, node):
                    value = _map(node.labels)[constraint.topology_key]
                    counts[value] = counts.get(value, 0) + sum(_counted(p, pod, constraint) for p in self._at[name].values())
            self._counts[key] = counts
        return self._counts[key]

    def _nodes_of(self, key: str) -> Mapping[str, list[str]]:
        if key not in self._domains:
            found: dict[str, list[str]] = {}
            for name, node in self.nodes.items():
                value = _map(node.labels).get(key)
                if value is not None:
                    found.setdefault(value, []).append(name)
            self._domains[key] = found
        return self._domains[key]


def _alone(pod: Pod, node: Node) -> str | None:
    """What stands against the pair whoever else is there. A node that is closed or not Ready is refused (stricter)."""
    if node.closed is not None:
        return node.closed
    if not node.ready:
        return "node(s) were not ready"
    if node.unschedulable and not any(t.tolerates(CORDON) for t in pod.spec.tolerations):
        return "node(s) were unschedulable"
    if _untolerated(pod, node):
        return "node(s) had untolerated taint"
    return None if _selected(pod, node) else "node(s) didn't match Pod's node affinity/selector"


def _untolerated(pod: Pod, node: Node) -> bool:
    blocking = [taint for taint in node.taints if taint.effect in ("NoSchedule", "NoExecute")]
    return not all(any(t.tolerates(taint) for t in pod.spec.tolerations) for taint in blocking)


def _selected(pod: Pod, node: Node) -> bool:
    labels = _map(node.labels)
    if any(labels.get(key) != value for key, value in pod.spec.node_selector):
        return False
    return pod.spec.node_affinity is None or any(term.matches(labels, node.ref.name) for term in pod.spec.node_affinity)


def _takes_part(pod: Pod, constraint: SpreadConstraint, node: Node) -> bool:
    """Whether the node's domain counts: all keys of the pod's hard constraints, and the two inclusion policies."""
    labels = _map(node.labels)
    if any(c.topology_key not in labels for c in pod.spec.spread):
        return False
    return not (constraint.honor_affinity and not _selected(pod, node)) and not (constraint.honor_taints and _untolerated(pod, node))


def _counted(other: Pod, pod: Pod, constraint: SpreadConstraint) -> bool:
    """kube-scheduler counts nobody for an absent or empty selector, nor terminating pods, nor other namespaces."""
    selector = constraint.selector
    if selector is None or not (selector.labels or selector.expressions) or other.terminating:
        return False
    return other.ref.namespace == pod.ref.namespace and selector.matches(_map(other.labels))
