"""Random fleets as raw Kubernetes JSON, every rule somewhere, with a random policy: equal seeds, equal fleets.

Amounts are a few whole CPUs and GiB, so that nodes are nearly full and every off-by-one shows. Nothing here imports the tool.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any

from tests.properties.wild_more import More, a_scheduler
from tests.properties.wild_policy import a_wild_policy, emptying, more_of_a_policy
from tests.raw import (
    Json,
    budget_json,
    deployment_json,
    namespace_json,
    node_json,
    owner_json,
    pod_json,
    replicaset_json,
    taint_json,
    workload_json,
    write_cluster,
)

TAKEN_AT = "2026-11-23T12:00:00Z"
ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
HASH = "5d8"
WAITS_SINCE = ["2026-11-23T08:00:00Z", "2026-11-23T10:30:00Z", "2026-11-23T11:30:00Z", "2026-11-23T11:30:00Z", "2026-11-23T11:59:00Z"]
APPS = "abcdefgh"


@dataclass
class App:
    """What all pods of one workload have in common."""

    name: str
    namespace: str
    kind: str
    cpu: int
    memory: int
    priority: int
    spec: Json = field(default_factory=dict)
    annotations: dict[str, str] = field(default_factory=dict)
    running: int = 0
    waiting: int = 0
    leaving: int = 0
    """Terminating pods: no controller counts them."""
    unready: bool = False

    @property
    def labels(self) -> dict[str, str]:
        return {"app": self.name, **({"pod-template-hash": HASH} if self.kind == "Deployment" else {})}

    @property
    def owner(self) -> Json | None:
        if self.kind == "Pod":
            return None
        name, kind = (f"{self.name}-{HASH}", "ReplicaSet") if self.kind == "Deployment" else (self.name, self.kind)
        return owner_json(kind, name, namespace=self.namespace)


@dataclass
class Wild:
    """One cluster in the making."""

    name: str
    dice: Random
    nodes: list[Json] = field(default_factory=list)
    free: dict[str, list[int]] = field(default_factory=dict)
    """Node to the CPUs, GiB and pods it still has."""
    residents: dict[str, list[App]] = field(default_factory=dict)
    objects: list[Json] = field(default_factory=list)

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def grow(self) -> None:
        """Nodes, then apps with their pods, then what surrounds them."""
        for i in range(self.dice.randint(4, 8)):
            self._node(f"n{i}")
        apps = [self._app(name) for name in APPS[: self.dice.randint(5, 8)]]
        for _ in range(self.dice.randint(7, 14)):
            self._running(self.dice.choice(apps))
        late = [self._app(f"late-{i}") for i in range(self.dice.randint(1, 4))]
        for app in [*late, *(a for a in apps if self.chance(0.1))]:
            self._waiting(app)
        apps += late
        for app in apps:
            self.objects += self._controllers(app) + self._budgets(app)
        notes = {"fleet.descheduler.io/do-not-disrupt": "true"} if self.chance(0.1) else {}
        self.objects += [namespace_json("shop", annotations=notes), namespace_json("ml")]
        self.objects.append(namespace_json("kube-system", uid=f"uid-of-{self.name}"))

    def _node(self, name: str) -> None:
        cpu, memory, pods = self.dice.randint(4, 8), self.dice.randint(7, 14), self.dice.choice([3, 5, 110, 110, 110])
        zone = None if self.chance(0.1) else self.dice.choice("abc")
        taints = [taint_json("dedicated", "gpu", self.dice.choice(["NoSchedule", "NoExecute"]))] if self.chance(0.2) else []
        cordoned: Json = {"unschedulable": True} if self.chance(0.1) else {}
        gpus = {"nvidia.com/gpu": "2"} if self.chance(0.3) else {}
        body = node_json(
            name,
            cpu=str(cpu),
            memory=f"{memory}Gi",
            pods=str(pods),
            zone=zone,
            taints=taints,
            allocatable=gpus,
            labels={"disk": self.dice.choice(["ssd", "hdd"])},
            ready=not self.chance(0.05),
            **cordoned,
        )
        self.nodes.append(body)
        self.free[name] = [cpu, memory, pods]
        self.objects.append(body)

    def _app(self, name: str) -> App:
        kind = self.dice.choice(["Deployment"] * 10 + ["StatefulSet", "ReplicaSet", "Pod", "Job", "DaemonSet"])
        app = App(
            name=name,
            namespace=self.dice.choice(["shop", "shop", "ml"]),
            kind=kind,
            cpu=self.dice.randint(1, 3),
            memory=self.dice.randint(1, 3),
            priority=self.dice.choice([0, 0, 0, 100, 1000]),
            unready=self.chance(0.06),
        )
        app.spec |= self._scheduling(app)
        if self.chance(0.08):
            app.spec["volumes"] = [self.dice.choice([{"name": "scratch", "emptyDir": {}}, {"name": "host", "hostPath": {"path": "/srv"}}])]
        if self.chance(0.08):
            app.annotations[self.dice.choice(["fleet.descheduler.io/do-not-disrupt", "karpenter.sh/do-not-disrupt"])] = "true"
        return app

    def _scheduling(self, app: App) -> Json:
        spec: Json = {}
        if self.chance(0.2):
            other = app.name if self.chance(0.7) else self.dice.choice(APPS)
            term = {"topologyKey": self.dice.choice([HOSTNAME, HOSTNAME, ZONE]), "labelSelector": {"matchLabels": {"app": other}}}
            spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
        if self.chance(0.2):
            spread: Json = {
                "topologyKey": self.dice.choice([HOSTNAME, ZONE, ZONE]),
                "maxSkew": self.dice.randint(1, 2),
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": app.name}},
            }
            if self.chance(0.3):
                spread |= {"minDomains": 2}
            if self.chance(0.3):
                spread |= {"nodeTaintsPolicy": "Honor"}
            spec["topologySpreadConstraints"] = [spread]
        if self.chance(0.3):
            spec["tolerations"] = [{"key": "dedicated", "operator": "Exists"}]
        if self.chance(0.15):
            spec["nodeSelector"] = {"disk": "ssd"}
        return spec

    def _running(self, app: App) -> None:
        """Mostly where it fits; now and then a node is overcommitted."""
        fitting = [n for n, free in self.free.items() if free[0] >= app.cpu and free[1] >= app.memory and free[2] >= 1]
        if app.kind == "StatefulSet" and app.running > app.waiting + 2:
            return
        nodes = list(self.free) if self.chance(0.04) else fitting
        if not nodes:
            return
        node = self.dice.choice(nodes)
        for i, amount in enumerate((app.cpu, app.memory, 1)):
            self.free[node][i] -= amount
        self.residents.setdefault(node, []).append(app)
        extra: Json = {}
        if self.chance(0.03):
            extra["metadata"] = {"deletionTimestamp": TAKEN_AT}
            app.leaving += 1
        if self.chance(0.05):
            extra["created"] = "2026-11-23T11:58:00Z"
        ready = not (app.unready and self.chance(0.5))
        self.objects.append(self._pod(app, f"{app.name}-{app.running}", on=node, ready=ready, **extra))
        app.running += 1

    def _waiting(self, app: App) -> None:
        if app.kind == "DaemonSet":
            return
        asked: Json = {}
        if self.chance(0.15):
            asked["requests"] = {"nvidia.com/gpu": "1"}
        if self.chance(0.08):
            asked["schedulingGates"] = [{"name": "example.com/wait"}]
        if self.chance(0.06):
            asked["schedulerName"] = "volcano"
        name = f"{app.name}-{app.running + app.waiting}" if app.kind == "StatefulSet" else f"{app.name}-w{app.waiting}"
        if not app.running + app.waiting:  # as large as a hole that one or two moves would make
            node, hole = self.dice.choice(list(self.free.items()))
            leavers = self.residents.get(node, [])[: self.dice.randint(1, 2)]
            app.cpu = max(1, hole[0] + sum(leaver.cpu for leaver in leavers))
            app.memory = max(1, min(hole[1], 4))
        app.waiting += 1
        since = self.dice.choice(WAITS_SINCE)
        self.objects.append(self._pod(app, name, waiting_since=since, created="2026-11-23T07:00:00Z", **asked))

    def _pod(self, app: App, name: str, **more: Any) -> Json:
        return pod_json(
            name,
            namespace=app.namespace,
            uid=f"{self.name}-{app.namespace}-{name}",
            cpu=str(app.cpu),
            memory=f"{app.memory}Gi",
            labels=app.labels,
            annotations=app.annotations,
            owner=app.owner,
            priority=app.priority,
            **{**app.spec, **more},
        )

    def _controllers(self, app: App) -> list[Json]:
        replicas = app.running + app.waiting - app.leaving
        if app.kind == "Deployment":
            strategy: Json = {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": self.dice.choice([1, 1, 1, "25%", "25%", 0]), "maxUnavailable": 1},
            }
            if self.chance(0.15):
                strategy = {"type": "Recreate"}
            return [
                deployment_json(app.name, namespace=app.namespace, replicas=replicas, strategy=strategy),
                replicaset_json(f"{app.name}-{HASH}", deployment=app.name, namespace=app.namespace, replicas=replicas),
            ]
        if app.kind == "Pod" or self.chance(0.05):
            return []
        spec: Json = {}
        if app.kind == "Job" and self.chance(0.5):
            spec["podFailurePolicy"] = {
                "rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]
            }
        count = replicas if app.kind in ("ReplicaSet", "StatefulSet") else None
        return [workload_json(app.kind, app.name, namespace=app.namespace, replicas=count, **spec)]

    def _budgets(self, app: App) -> list[Json]:
        found = []
        if self.chance(0.35):
            allowed = self.dice.choice([0, 1, 1, 2])
            spec: Json = self.dice.choice([{}, {}, {"maxUnavailable": 1}, {"maxUnavailable": 0}])
            found.append(budget_json(app.name, namespace=app.namespace, labels={"app": app.name}, allowed=allowed, **spec))
        if self.chance(0.05):
            found.append(budget_json(f"{app.name}-too", namespace=app.namespace, labels={"app": app.name}, allowed=1))
        return found


@dataclass
class WildFleet:
    """Two clusters, a ``fleet.yaml`` and a policy document."""

    seed: int
    clusters: dict[str, list[Json]]
    fleet: Json
    policy: Json

    def write(self, folder: Path) -> Path:
        """The snapshot directory."""
        for name, objects in self.clusters.items():
            write_cluster(folder / name, *objects)
        (folder / "fleet.yaml").write_text(json.dumps(self.fleet))  # JSON is YAML
        return folder


def a_wilder_fleet(seed: int) -> WildFleet:
    """The fleet of a seed with everything that only exact fit can judge; its dice leave the plain fleet of the seed as it is."""
    wild, dice = a_wild_fleet(seed), Random(f"{seed}-more")
    for objects in wild.clusters.values():
        More(objects, dice).grow()
    for listed in wild.fleet["clusters"]:
        told = a_scheduler(dice)
        if told:
            listed["scheduler"] = told
    more_of_a_policy(wild.policy, dice)
    return wild


def a_wild_fleet(seed: int) -> WildFleet:
    """The fleet of a seed."""
    dice = Random(seed)
    clusters: dict[str, list[Json]] = {}
    listed: list[Json] = []
    for name in ("east", "west"):
        wild = Wild(name, dice)
        wild.grow()
        clusters[name] = wild.objects
        movers = dice.choice([["Surge", "Hold", "Evict"], ["Surge", "Hold", "Evict"], ["Surge", "Evict"], ["Surge"], None])
        listed.append({"name": name} if movers is None else {"name": name, "movers": movers})
    fleet = {
        "apiVersion": "fleet.descheduler.io/v1alpha1",
        "kind": "Fleet",
        "takenAt": TAKEN_AT,
        "federation": {"kind": "Standalone"},
        "clusters": listed,
    }
    policy = a_wild_policy(dice)
    emptying(policy, Random(f"{seed}-empty"))
    return WildFleet(seed, clusters, fleet, policy)
