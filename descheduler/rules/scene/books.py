"""Who is where in one cluster, kept so that every plugin finds its numbers without going through all pods."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from functools import lru_cache

from descheduler.domain.objects import Node, Pod
from descheduler.domain.resources import PODS, Resources
from descheduler.domain.selectors import HostPort, Pairs, PodTerm

ONE_POD = Resources({PODS: 1})

Profile = tuple[str, Pairs]
"""A pod's namespace and labels: all that other pods' selectors see of it."""


@lru_cache(maxsize=65536)
def mapped(told: Pairs) -> Mapping[str, str]:
    return dict(told)


class Books:
    """Nodes, and pods that come and go. Pods on nodes that do not exist are not written down."""

    def __init__(self, nodes: Iterable[Node]) -> None:
        self.nodes = {node.ref.name: node for node in nodes}
        self.labels = {name: mapped(node.labels) for name, node in self.nodes.items()}
        self.at: dict[str, dict[str, Pod]] = {name: {} for name in self.nodes}
        self.nominated: dict[str, dict[str, Pod]] = {}
        """Waiting pods by the node they are nominated to; nodes without any are not in it."""
        self.left = {name: dict(node.allocatable.items()) for name, node in self.nodes.items()}
        """What the node's pods leave of each resource, the number of pods included; negative when it is over-committed."""
        self.ports: dict[str, Counter[HostPort]] = {}
        self.claims: Counter[str] = Counter()
        """ReadWriteOncePod claims of bound pods."""
        self.crowds: dict[Profile, Counter[str]] = {}
        """How many pods of a profile are bound to each node; terminating ones are among them."""
        self.leaving: dict[Profile, Counter[str]] = {}
        """How many of these are terminating."""
        self.apart: dict[PodTerm, Counter[str]] = {}
        """Required anti-affinity of bound pods: how many carry the term in each domain."""

    def replace_node(self, node: Node) -> None:
        """The node changed in anything but its labels."""
        name, left = node.ref.name, self.left[node.ref.name]
        (node.allocatable - self.nodes[name].allocatable).add_to(left)
        self.nodes[name] = node

    def write(self, pod: Pod, sign: int) -> None:
        """``sign`` 1 for a pod that came, -1 for one that went."""
        name = pod.node or pod.nominated_node
        if name not in self.nodes:
            return
        there = self.at[name] if pod.node else self.nominated.setdefault(name, {})
        if sign > 0:
            there[pod.uid] = pod
        else:
            there.pop(pod.uid, None)
        if pod.node:
            self._count(pod, name, sign)

    def _count(self, pod: Pod, name: str, sign: int) -> None:
        profile = (pod.ref.namespace, pod.labels)
        pod.spec.requests.add_to(self.left[name], -sign)
        ONE_POD.add_to(self.left[name], -sign)
        for port in pod.spec.host_ports:
            self.ports.setdefault(name, Counter())[port] += sign
        for claim in pod.spec.exclusive_claims:
            self.claims[claim] += sign
        self.crowds.setdefault(profile, Counter())[name] += sign
        if pod.terminating:
            self.leaving.setdefault(profile, Counter())[name] += sign
        for term in pod.spec.anti_affinity:
            value = self.labels[name].get(term.topology_key)
            if value is not None:
                self.apart.setdefault(term, Counter())[value] += sign

    def guests(self, pod: Pod, node: str) -> tuple[Pod, ...]:
        """Pods of equal or higher priority nominated to the node (``addGENominatedPods``)."""
        waiting = self.nominated.get(node)
        if not waiting:
            return ()
        return tuple(p for p in waiting.values() if p.uid != pod.uid and p.priority >= pod.priority)
