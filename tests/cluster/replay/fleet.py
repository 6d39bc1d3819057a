"""Random fleets in which room is in the wrong places: nearly full nodes, pods that wait for a hole which a few moves would make.

Raw objects of one cluster and a policy that lets most of them move, by any technique. Equal seeds, equal fleets.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from tests.raw import Json, budget_json, deployment_json, namespace_json, node_json, owner_json, pod_json, replicaset_json, workload_json

ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
HASH = "5d8"
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"


@dataclass
class App:
    """What all pods of one workload have in common."""

    name: str
    namespace: str
    kind: str
    cpu: int
    priority: int
    spec: Json = field(default_factory=dict)
    running: int = 0
    waiting: int = 0

    @property
    def labels(self) -> dict[str, str]:
        return {"app": self.name, **({"pod-template-hash": HASH} if self.kind == "Deployment" else {})}


@dataclass
class Crowded:
    """One cluster and its policy in the making."""

    seed: int
    objects: list[Json] = field(default_factory=list)
    free: dict[str, int] = field(default_factory=dict)
    """Node to the CPUs it has left."""
    spare: dict[str, int] = field(default_factory=dict)
    """Node to the CPUs that nobody takes."""
    nodes: dict[str, Json] = field(default_factory=dict)
    at: dict[str, list[App]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.dice = Random(f"crowded-{self.seed}")

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def grow(self) -> Crowded:
        """Nodes, apps that fill them, then apps that wait for room."""
        self.objects += [namespace_json("shop", labels={"env": "prod"}), namespace_json("ml")]
        for i in range(self.dice.randint(4, 8)):
            self._node(f"n{i}")
        apps = [self._app(f"{letter}") for letter in "abcdefgh"[: self.dice.randint(5, 8)]]
        for _ in range(60):
            app = self.dice.choice(apps)
            node = self._place(app)
            if node is not None:
                self._run(app, node)
        apps += [self._late(f"late-{i}") for i in range(self.dice.randint(1, 3))]
        for app in apps:
            self.objects += self._controllers(app) + self._budgets(app)
        return self

    def policy(self) -> Json:
        """Few limits, few protections."""
        dice = self.dice
        return {
            "trigger": {"pendingFor": "0s"},
            "objectives": dice.choice([["PendingPods", "Disruption", "Headroom"], ["PendingPods", "Headroom", "Disruption"]]),
            "shapes": [{"name": "large", "weight": 1, "requests": {"cpu": "3", "memory": "1Gi"}}],
            "limits": {
                "perRun": 20,
                "perCluster": None,
                "perNamespace": None,
                "perNode": None,
                "perWorkload": dice.choice([1, 2, None]),
                "movesPerPlacedPod": 5,
                "waves": 8,
                "cycleBreaks": dice.choice([0, 2]),
            },
            "protections": {"minPodAge": "0s", "barePods": False, "statefulSets": False},
            "movers": dice.choice([["Surge", "Hold", "Evict", "Recreate"]] * 3 + [["Hold", "Surge", "Recreate"], ["Surge", "Evict"]]),
            "reserve": dice.choice(["Contested", "Contested", "Never", "Always"]),
        }

    def _node(self, name: str) -> None:
        cpu = self.dice.randint(4, 8)
        taints = [{"key": "dedicated", "value": "gpu", "effect": "NoSchedule"}] if self.chance(0.15) else []
        body = node_json(
            name,
            cpu=str(cpu),
            memory="64Gi",
            zone=None if self.chance(0.05) else self.dice.choice("abc"),
            taints=taints,
            pods=self.dice.choice(["110", "110", "110", "6"]),
            labels={"disk": self.dice.choice(["ssd", "hdd"]), "kubernetes.io/os": "linux"},
        )
        if self.chance(0.06):
            body["spec"]["unschedulable"] = True
        self.free[name] = cpu
        self.spare[name] = self.dice.choice([0, 1, 1, 2, 2])
        self.nodes[name] = body
        self.objects.append(body)

    def _app(self, name: str) -> App:
        kind = self.dice.choice(["Deployment"] * 7 + ["StatefulSet", "StatefulSet", "Pod"])
        app = App(name, self.dice.choice(["shop", "shop", "ml"]), kind, self.dice.choice([1, 1, 2]), self.dice.choice([0, 0, 0, 100]))
        for rule, share in RULES:
            if self.chance(share):
                rule(self, app)
        return app

    def _place(self, app: App) -> str | None:
        """A node with room; its taints and labels are looked at, other rules may be broken already."""
        tolerant, wanted = "tolerations" in app.spec, app.spec.get("nodeSelector", {}).get("disk")
        fitting = [
            name
            for name, node in self.nodes.items()
            if self.free[name] >= app.cpu + self.spare[name]
            and len(self.at.get(name, ())) < int(node["status"]["allocatable"]["pods"])
            and (tolerant or not node["spec"].get("taints"))
            and wanted in (None, node["metadata"]["labels"]["disk"])
            and not (app.spec.get("apart") and app in self.at.get(name, ()))
        ]
        return self.dice.choice(fitting) if fitting and app.running < 6 else None

    def _run(self, app: App, node: str) -> None:
        self.free[node] -= app.cpu
        self.at.setdefault(node, []).append(app)
        self._pod(app, f"{app.name}-{app.running}", on=node)
        app.running += 1

    def _late(self, name: str) -> App:
        """As large as the hole that one to three leavers would make somewhere."""
        app = self._app(name)
        node, hole = self.dice.choice(list(self.free.items()))
        leavers = self.at.get(node, [])[: self.dice.randint(1, 2)]
        app.cpu = max(1, hole + sum(leaver.cpu for leaver in leavers))
        for i in range(self.dice.choice([1, 1, 1, 2])):
            self._pod(app, f"{name}-w{i}" if app.kind != "StatefulSet" else f"{name}-{i}")
            app.waiting += 1
        return app

    def _pod(self, app: App, name: str, **more: object) -> None:
        owner = None
        if app.kind != "Pod":
            kind, owned_by = ("ReplicaSet", f"{app.name}-{HASH}") if app.kind == "Deployment" else (app.kind, app.name)
            owner = owner_json(kind, owned_by, namespace=app.namespace)
        spec = {key: value for key, value in app.spec.items() if key != "apart"}
        ports = spec.pop("ports", None)
        body = pod_json(
            name,
            namespace=app.namespace,
            cpu=str(app.cpu),
            memory="256Mi",
            labels=app.labels,
            owner=owner,
            priority=app.priority,
            uid=f"{app.namespace}-{name}",
            on=str(more["on"]) if "on" in more else None,
            **spec,
        )
        if ports:
            body["spec"]["containers"][0]["ports"] = ports
        self.objects.append(body)

    def _controllers(self, app: App) -> list[Json]:
        replicas = app.running + app.waiting
        if app.kind == "Pod":
            return []
        if app.kind != "Deployment":
            return [workload_json(app.kind, app.name, namespace=app.namespace, replicas=replicas)]
        strategy: Json = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": self.dice.choice([1, 1, "25%", 0]), "maxUnavailable": 1}}
        return [
            deployment_json(app.name, namespace=app.namespace, replicas=replicas, strategy=strategy),
            replicaset_json(f"{app.name}-{HASH}", deployment=app.name, namespace=app.namespace, replicas=replicas),
        ]

    def _budgets(self, app: App) -> list[Json]:
        if not self.chance(0.3):
            return []
        allowed = self.dice.choice([1, 1, 2])
        return [budget_json(app.name, namespace=app.namespace, labels={"app": app.name}, allowed=allowed, maxUnavailable=1)]


def _anti_affinity(fleet: Crowded, app: App) -> None:
    term = {"topologyKey": fleet.dice.choice([HOSTNAME, HOSTNAME, ZONE]), "labelSelector": {"matchLabels": {"app": app.name}}}
    app.spec.setdefault("affinity", {})["podAntiAffinity"] = {REQUIRED: [term]}
    app.spec["apart"] = True


def _affinity(fleet: Crowded, app: App) -> None:
    other = fleet.dice.choice(["a", "b", app.name])
    term = {"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": other}}, "namespaces": ["shop", "ml"]}
    app.spec.setdefault("affinity", {})["podAffinity"] = {REQUIRED: [term]}


def _spread(fleet: Crowded, app: App) -> None:
    dice = fleet.dice
    constraint: Json = {"topologyKey": dice.choice([HOSTNAME, ZONE]), "maxSkew": dice.randint(1, 2), "whenUnsatisfiable": "DoNotSchedule"}
    constraint["labelSelector"] = {"matchLabels": {"app": app.name}}
    if fleet.chance(0.3):
        constraint["nodeTaintsPolicy"] = "Honor"
    if fleet.chance(0.2):
        constraint["minDomains"] = 2
    if fleet.chance(0.3) and app.kind == "Deployment":
        constraint["matchLabelKeys"] = ["pod-template-hash"]
    app.spec["topologySpreadConstraints"] = [constraint]


def _selector(fleet: Crowded, app: App) -> None:
    app.spec["nodeSelector"] = {"disk": fleet.dice.choice(["ssd", "hdd"])}


def _toleration(fleet: Crowded, app: App) -> None:
    app.spec["tolerations"] = [{"key": "dedicated", "operator": "Exists"}]


def _port(fleet: Crowded, app: App) -> None:
    app.spec["ports"] = [{"containerPort": 8080, "hostPort": fleet.dice.choice([8080, 8081])}]
    app.spec["apart"] = True


RULES: tuple[tuple[Callable[[Crowded, App], None], float], ...] = (
    (_anti_affinity, 0.15),
    (_affinity, 0.1),
    (_spread, 0.25),
    (_selector, 0.1),
    (_toleration, 0.2),
    (_port, 0.1),
)
