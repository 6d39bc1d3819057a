"""Broad fleets as raw Kubernetes JSON: thousands of small pods spread thin, larger ones that wait. Equal seeds, equal fleets.

Replicas are few for most workloads and many for some; a fifth of them may not share a node, a fifth spread over zones.
Nothing here imports the tool.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from tests.raw import NOON, Json, deployment_json, namespace_json, node_json, owner_json, pod_json, replicaset_json, write_cluster

ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
HASH = "5d8"
NODES = ((16_000, 62), (16_000, 62), (32_000, 125), (32_000, 125), (64_000, 250), (16_000, 125))
"""(millicores, GiB) that a node can give; every kind as likely as the others."""
SIZES = (100, 250, 250, 500, 500, 1000, 1000, 2000, 4000, 8000)
"""Millicores of running pods."""
LARGE = (8_000, 8_000, 12_000, 16_000, 24_000)
"""Millicores of pods that wait."""
PRIORITIES = (0, 0, 1000, 1000, 1000, 10_000, 100_000)
FULL = 0.88
"""Share of a cluster's cpu that is in use."""


@dataclass
class Broad:
    """One cluster in the making."""

    name: str
    dice: Random
    objects: list[Json] = field(default_factory=list)
    nodes: dict[str, list[int]] = field(default_factory=dict)
    """Node to what it has left: millicores, GiB, pods."""
    zones: dict[str, str] = field(default_factory=dict)

    def grow(self, nodes: int, waiting: int) -> None:
        for i in range(nodes):
            cpu, memory = self.dice.choice(NODES)
            name, zone = f"n{i:03}", "abc"[i % 3]
            self.nodes[name], self.zones[name] = [cpu, memory, 110], zone
            self.objects.append(node_json(name, cpu=f"{cpu}m", memory=f"{memory}Gi", zone=zone))
        whole = sum(cpu for cpu, _, _ in self.nodes.values())
        app = 0
        while sum(cpu for cpu, _, _ in self.nodes.values()) > (1 - FULL) * whole:
            self._app(f"a{app:04}", self.dice.choice(SIZES), min(12, int(self.dice.paretovariate(1.2))))
            app += 1
        for i in range(waiting):
            self._app(f"w{i:03}", self.dice.choice(LARGE), 1, waiting=True)
        self.objects.append(namespace_json("shop"))

    def _app(self, name: str, cpu: int, replicas: int, waiting: bool = False) -> None:
        """Each replica on the emptiest node that its rules allow; those that wait could not be placed anyway."""
        memory = max(1, cpu * self.dice.choice((2, 4, 4)) // 1000)
        kind = "" if waiting or replicas < 2 else self.dice.choice(("apart", "spread", "", "", ""))
        labels, spec = {"app": name}, self._rules(name, kind)
        owner, priority = owner_json("ReplicaSet", f"{name}-{HASH}"), self.dice.choice(PRIORITIES)
        used: list[str] = []
        for i in range(replicas):
            node = None if waiting else self._emptiest(cpu, memory, kind, used)
            if node is None and not waiting:
                break
            if node is not None:
                used.append(node)
                self.nodes[node] = [left - asked for left, asked in zip(self.nodes[node], (cpu, memory, 1), strict=True)]
            asks = {"cpu": f"{cpu}m", "memory": f"{memory}Gi"}
            self.objects.append(pod_json(f"{name}-{i}", on=node, requests=asks, labels=labels, owner=owner, priority=priority, **spec))
        self.objects.append(deployment_json(name, replicas=len(used) or replicas))
        self.objects.append(replicaset_json(f"{name}-{HASH}", deployment=name, replicas=len(used) or replicas))

    def _rules(self, name: str, kind: str) -> Json:
        selector = {"labelSelector": {"matchLabels": {"app": name}}}
        if kind == "apart":
            return {
                "affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [{"topologyKey": HOSTNAME, **selector}]}}
            }
        if kind == "spread":
            return {"topologySpreadConstraints": [{"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", **selector}]}
        return {}

    def _emptiest(self, cpu: int, memory: int, kind: str, used: list[str]) -> str | None:
        count = {zone: sum(self.zones[n] == zone for n in used) for zone in "abc"}
        able = [
            (left[0], name)
            for name, left in self.nodes.items()
            if left[0] >= cpu and left[1] >= memory and left[2]
            if not (kind == "apart" and name in used)
            if not (kind == "spread" and count[self.zones[name]] > min(count.values()))
        ]
        return max(able)[1] if able else None


def a_broad_fleet(folder: Path, seed: int, clusters: dict[str, tuple[int, int]]) -> Path:
    """Clusters by name with their nodes and waiting pods, written as a snapshot directory."""
    for name, (nodes, waiting) in sorted(clusters.items()):
        cluster = Broad(name, Random(f"{seed} {name}"))
        cluster.grow(nodes, waiting)
        write_cluster(folder / name, *cluster.objects)
    file = {
        "apiVersion": "fleet.descheduler.io/v1alpha1",
        "kind": "Fleet",
        "takenAt": NOON,
        "clusters": [{"name": name} for name in clusters],
    }
    (folder / "fleet.yaml").write_text(json.dumps(file), encoding="utf-8")
    return folder
