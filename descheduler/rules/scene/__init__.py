"""One cluster as its kube-scheduler sees it at one instant: may this waiting pod be bound to that node now, and if not, why?

The judgement is told once more here, on live pods one at a time, apart from filters and rows: the simulated scheduler binds by
it and the executor asks it again before each step that cannot be undone. Source: kube-scheduler 1.36.2, its plugins under
``pkg/scheduler/framework/plugins``, ``schedule_one.go`` and ``FitError`` in ``framework/types.go``; kubernetes.md section 3.
NodeName is not among the plugins: a pod that names a node is not scheduled at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from descheduler.domain.objects import Node, Pod
from descheduler.domain.resources import PODS, Resources
from descheduler.rules.scene import words
from descheduler.rules.scene.books import ONE_POD, Books
from descheduler.rules.scene.cycle import Cycle
from descheduler.rules.scene.node_plugins import node_affinity, node_unschedulable, taint_toleration, volume_binding, volume_zone
from descheduler.rules.scene.pod_plugins import (
    inter_pod_affinity,
    node_ports,
    node_resources_fit,
    node_volume_limits,
    pod_topology_spread,
    volume_restrictions,
)

Plugin = Callable[[Cycle, Node, tuple[Pod, ...]], tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Objection:
    """Why a node does not take a pod: all reasons of the first plugin that refuses."""

    plugin: str
    reasons: tuple[str, ...]


class Scene:
    """Nodes and pods of one cluster; pods come and go. A pod that changes is removed as it was and added as it is.

    A pod that is asked about must not be bound in the scene.
    """

    def __init__(self, nodes: Iterable[Node], pods: Iterable[Pod] = ()) -> None:
        self._books = Books(nodes)
        self._latest: Cycle | None = None
        self._asked: tuple[tuple[str, Plugin], ...] = ()
        """The plugins that have something to say about the latest pod."""
        for pod in pods:
            self.add(pod)

    @property
    def nodes(self) -> Mapping[str, Node]:
        return self._books.nodes

    def add(self, pod: Pod) -> None:
        self._latest = None
        self._books.write(pod, 1)

    def remove(self, pod: Pod) -> None:
        self._latest = None
        self._books.write(pod, -1)

    def replace_node(self, node: Node) -> None:
        """The node changed in anything but its labels."""
        self._latest = None
        self._books.replace_node(node)

    def on(self, node: str) -> Iterator[Pod]:
        """The pods bound to the node."""
        yield from self._books.at.get(node, {}).values()

    def free(self, node: str, resource: str) -> int:
        """What the node's pods leave of a resource; negative when it is over-committed."""
        return self._books.left[node].get(resource, 0)

    def feasible(self, pod: Pod) -> list[str]:
        """Every node that we let ``pod`` be bound to now, by name."""
        return [name for name in self.nodes if self.objection(pod, name) is None]

    def objection(self, pod: Pod, name: str) -> str | None:
        """Why ``pod`` is not to be bound to the node now, by us or by kube-scheduler; ``None`` when nothing stands against it."""
        node = self.nodes.get(name)
        if node is None:
            return words.GONE
        refused = refusal(pod, node)
        if refused is not None:
            return refused
        found = self._judge(self._cycle(pod), node)
        return found.reasons[0] if found else None

    def verdict(self, pod: Pod, name: str) -> Objection | None:
        """kube-scheduler's verdict on one node that exists, and nothing but that; ``None`` when it would bind the pod."""
        return self._judge(self._cycle(pod), self.nodes[name])

    def objections(self, pod: Pod) -> dict[str, Objection | None]:
        """The same for every node, by name."""
        return {name: self.verdict(pod, name) for name in self.nodes}

    def reasons(self, pod: Pod) -> dict[str, tuple[str, ...]]:
        """The same in words: all reasons of the first plugin that refuses; empty where kube-scheduler would bind the pod."""
        return {name: found.reasons if found else () for name, found in self.objections(pod).items()}

    def shortfall(self, pod: Pod, name: str) -> Resources:
        """How much more the node would have to have free for the pod, ``pods`` and attach limits included; empty when room is there."""
        cycle, left, guests = self._cycle(pod), self._books.left[name], self._books.guests(pod, name)
        asked = (*cycle.asked, *cycle.volumes, (PODS, 1))
        held = {resource: sum((guest.spec.requests + ONE_POD)[resource] for guest in guests) for resource, _ in asked}
        lacking = {resource: amount - left.get(resource, 0) + held[resource] for resource, amount in asked}
        return Resources({resource: amount for resource, amount in lacking.items() if amount > 0})

    def sentence(self, pod: Pod) -> str:
        """The message of kube-scheduler's FailedScheduling, without what PostFilter adds about preemption; nodes that fit are left out."""
        cycle = self._cycle(pod)
        if cycle.rejection is not None:
            return words.rejected(len(self.nodes), cycle.rejection)
        return words.failed(len(self.nodes), (reason for told in self.reasons(pod).values() for reason in told))

    def _cycle(self, pod: Pod) -> Cycle:
        if self._latest is None or self._latest.pod is not pod:
            self._latest = Cycle(self._books, pod)
            self._asked = tuple((name, plugin) for name, plugin in PLUGINS if name not in self._latest.skipped)
        return self._latest

    def _judge(self, cycle: Cycle, node: Node) -> Objection | None:
        """Nominated pods of equal or higher priority count as if they were there; both with and without them all plugins must
        let the pod pass (``RunFilterPluginsWithNominatedPods``)."""
        if cycle.rejection is not None:
            return Objection("PreFilter", (cycle.rejection,))
        name = node.ref.name
        if cycle.named is not None and name not in cycle.named and name != cycle.pod.nominated_node:
            return Objection("NodeAffinity", (words.NARROWED,))
        guests = self._books.guests(cycle.pod, name)
        return (self._first(cycle, node, guests) if guests else None) or self._first(cycle, node, ())

    def _first(self, cycle: Cycle, node: Node, guests: tuple[Pod, ...]) -> Objection | None:
        for plugin, judge in self._asked:
            reasons = judge(cycle, node, guests)
            if reasons:
                return Objection(plugin, reasons)
        return None


def refusal(pod: Pod, node: Node) -> str | None:
    """What only we refuse: a node that leaves or cannot be read, is not Ready, or would evict the pod after a while."""
    if node.closed is not None:
        return node.closed
    if not node.ready:
        return words.NOT_READY
    for taint in node.taints:
        if taint.effect == "NoExecute" and any(t.seconds is not None and t.tolerates(taint) for t in pod.spec.tolerations):
            return words.TOLERATED_FOR_A_WHILE
    return None


PLUGINS: tuple[tuple[str, Plugin], ...] = (
    ("NodeUnschedulable", node_unschedulable),
    ("TaintToleration", taint_toleration),
    ("NodeAffinity", node_affinity),
    ("NodePorts", node_ports),
    ("NodeResourcesFit", node_resources_fit),
    ("VolumeRestrictions", volume_restrictions),
    ("NodeVolumeLimits", node_volume_limits),
    ("VolumeBinding", volume_binding),
    ("VolumeZone", volume_zone),
    ("PodTopologySpread", pod_topology_spread),
    ("InterPodAffinity", inter_pod_affinity),
)
"""In the order in which kube-scheduler asks them (``getDefaultPlugins``)."""
