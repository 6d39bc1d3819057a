"""Random fleets for one real cluster, every predicate of kube-scheduler somewhere: equal seeds, equal fleets.

Nodes are few and nearly full, labels and ports are drawn from small sets, so that rules meet. Nothing here imports the tool.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from random import Random

from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.objects import a_node

ZONE, REGION, HOSTNAME = "topology.kubernetes.io/zone", "topology.kubernetes.io/region", "kubernetes.io/hostname"
ZONES = ("a", "b", "c")
CORDON: Object = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
NAMESPACES: dict[str, dict[str, str]] = {
    "shop": {"team": "web", "env": "prod"},
    "ml": {"team": "data", "env": "prod"},
    "batch": {"team": "data", "env": "test"},
    "plain": {},
}
APPS = ("a", "b", "c", "d")
TIERS = ("front", "back")
TAINTS: tuple[Object, ...] = (
    {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"},
    {"key": "dedicated", "value": "batch", "effect": "NoSchedule"},
    {"key": "maintenance", "effect": "NoExecute"},
    {"key": "spot", "value": "true", "effect": "PreferNoSchedule"},
)
ROLE = "oracle"
"""The label that tells test pods from the others; no selector of a fleet names it."""


@dataclass
class Fleet:
    """One cluster in the making; everything as manifests."""

    seed: int
    only: Collection[str] | None = None
    """Fragments of pods to use; ``None`` uses all."""
    nodes: list[Object] = field(default_factory=list)
    around: list[Object] = field(default_factory=list)
    """Cluster-wide objects and claims, in the order of creation."""
    residents: list[Object] = field(default_factory=list)
    """Bound pods."""
    leaving: set[tuple[str, str]] = field(default_factory=set)
    """(namespace, name) of residents that shall be terminating."""
    resized: dict[tuple[str, str], Object] = field(default_factory=dict)
    """(namespace, name) of a resident to the status its kubelet tells of an in-place resize."""
    nominated: list[tuple[Object, str]] = field(default_factory=list)
    """Gated pods, and the node each one is nominated to."""
    bound: set[tuple[str, str]] = field(default_factory=set)
    """(namespace, name) of claims that shall be bound before anything is asked."""
    late: dict[tuple[str, str], Object] = field(default_factory=dict)
    """Claims of test pods that wait for their first consumer, by (namespace, name)."""
    tests: list[Object] = field(default_factory=list)
    """Pods to be judged; without gate."""

    flavour: str = "mixed"
    """Which rules its test pods are mostly about."""

    def __post_init__(self) -> None:
        self.dice = Random(self.seed)

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def uses(self, fragment: str) -> bool:
        return self.only is None or fragment in self.only

    @property
    def node_names(self) -> list[str]:
        return [node["metadata"]["name"] for node in self.nodes]

    def grow_nodes(self) -> None:
        """8 to 12 nodes: labels that are sometimes missing, taints, cordons, little room for pods."""
        for i in range(self.dice.randint(8, 12)):
            self.nodes.append(self._node(f"n{i:02}"))

    def _node(self, name: str) -> Object:
        taints = self._taints()
        notes = {}
        if self.uses("not-ready") and self.chance(0.06):
            notes["descheduler.test/ready"] = "never"
            taints += [{"key": "node.kubernetes.io/not-ready", "effect": effect} for effect in ("NoSchedule", "NoExecute")]
        cordoned = self.uses("cordons") and self.chance(0.12)
        node = a_node(name, self._room(), labels=self._labels(name), taints=[*taints, CORDON] if cordoned else taints, annotations=notes)
        if cordoned:
            node["spec"]["unschedulable"] = True
        return node

    def _room(self) -> dict[str, str]:
        room = {
            "cpu": self.dice.choice(["2", "3", "4", "4", "7500m"]),
            "memory": self.dice.choice(["4Gi", "6Gi", "8Gi", "8G"]),
            "ephemeral-storage": self.dice.choice(["10Gi", "40Gi"]),
            "pods": self.dice.choice(["4", "6", "8", "110", "110", "110"]),
        }
        if self.chance(0.4):
            room["example.com/gpu"] = self.dice.choice(["1", "2", "4"])
        if self.chance(0.25):
            room["hugepages-2Mi"] = "1Gi"
        return room

    def _labels(self, name: str) -> dict[str, str]:
        labels = {REGION: "r"}
        for share, key, values in (
            (0.9, ZONE, ZONES),
            (0.7, "rack", ("r1", "r2", "r3", "r4")),
            (0.8, "disk", ("ssd", "ssd", "hdd", "hdd", "")),
            (0.7, "generation", ("1", "3", "5", "old", "1_0", "007")),
        ):
            if self.chance(share):
                labels[key] = self.dice.choice(values)
        if ZONE in labels and self.chance(0.15):
            labels["failure-domain.beta.kubernetes.io/zone"] = labels[ZONE]
            if self.chance(0.5):
                del labels[ZONE]
        if self.chance(0.1):
            labels[HOSTNAME] = f"host-{name}"
        return labels

    def _taints(self) -> list[Object]:
        taints = [dict(self.dice.choice(TAINTS))] if self.uses("taints") and self.chance(0.3) else []
        if self.uses("scale-down") and self.chance(0.03):
            taints.append({"key": "ToBeDeletedByClusterAutoscaler", "effect": "NoSchedule"})
        if taints and self.chance(0.2):
            taints.append({"key": "extra", "value": "x", "effect": "NoSchedule"})
        return taints


def ready(node: Object) -> bool:
    """Whether it will ever be Ready."""
    return "descheduler.test/ready" not in node["metadata"]["annotations"]
