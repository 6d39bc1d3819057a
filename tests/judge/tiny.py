"""A hand-made fleet of three nodes and a lawful plan for it, to be spoilt by the tests.

``web-1`` (2 cpu) sits on n1, the only node of 8 cpu, where ``big`` (7 cpu) would fit; n2 is empty; ``web-2`` is on n3.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.judge import judge
from tests.judge.quantities import Body

OLD = "2026-11-20T09:00:00Z"
SINCE = "2026-11-23T11:30:00Z"


def node(name: str, cpu: int, zone: str, **spec: object) -> Body:
    labels = {"kubernetes.io/hostname": name, "zone": zone}
    status = {"allocatable": {"cpu": str(cpu), "memory": "8Gi", "pods": "10"}, "conditions": [{"type": "Ready", "status": "True"}]}
    return {
        "kind": "Node",
        "metadata": {"name": name, "uid": f"u-{name}", "labels": labels, "annotations": {}},
        "spec": spec,
        "status": status,
    }


def deployment(app: str, replicas: int) -> list[Body]:
    counts = {"observedGeneration": 1, "replicas": replicas, "updatedReplicas": replicas}
    spec = {"replicas": replicas, "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1}}}
    meta = {"namespace": "shop", "generation": 1}
    owner = {"kind": "Deployment", "name": app, "uid": f"u-d-{app}", "controller": True}
    return [
        {"kind": "Deployment", "metadata": {**meta, "name": app, "uid": f"u-d-{app}", "annotations": {}}, "spec": spec, "status": counts},
        {
            "kind": "ReplicaSet",
            "metadata": {**meta, "name": f"{app}-rs", "uid": f"u-rs-{app}", "ownerReferences": [owner]},
            "spec": {"replicas": replicas},
        },
    ]


def pod(name: str, app: str, cpu: str, on: str | None = None, created: str = OLD) -> Body:
    owner = {"kind": "ReplicaSet", "name": f"{app}-rs", "uid": f"u-rs-{app}", "controller": True}
    spec: Body = {"containers": [{"name": "main", "resources": {"requests": {"cpu": cpu, "memory": "1Gi"}}}], "priority": 0}
    status: Body = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "lastTransitionTime": SINCE}]}
    if on:
        spec["nodeName"] = on
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "True"}]}
    meta = {"name": name, "namespace": "shop", "uid": f"u-{name}", "labels": {"app": app}, "annotations": {}, "creationTimestamp": created}
    return {"kind": "Pod", "metadata": {**meta, "ownerReferences": [owner]}, "spec": spec, "status": status}


def budget(app: str, allowed: int, **spec: object) -> Body:
    return {
        "kind": "PodDisruptionBudget",
        "metadata": {"name": app, "namespace": "shop", "uid": f"u-pdb-{app}-{allowed}", "generation": 1},
        "spec": {"selector": {"matchLabels": {"app": app}}, **(spec or {"minAvailable": 1})},
        "status": {"observedGeneration": 1, "disruptionsAllowed": allowed, "expectedPods": 2},
    }


def anti_affinity(app: str) -> Body:
    term = {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "kubernetes.io/hostname"}
    return {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}


def spread(app: str) -> list[Body]:
    return [{"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]


def told(name: str, app: str) -> Body:
    """A pod as plan.json names it."""
    return {"cluster": "c", "namespace": "shop", "name": name, "uid": f"u-{name}", "workload": {"kind": "Deployment", "name": app}}


def move(name: str, app: str, source: str, target: str | None, wave: int = 1, mover: str = "Surge") -> Body:
    return {
        "id": f"m-{name}",
        "wave": wave,
        "arrivalWave": wave,
        "cycleBreak": False,
        "mover": mover,
        "pod": told(name, app),
        "from": {"cluster": "c", "node": source},
        "to": {"cluster": "c", "node": target},
        "because": "PendingPods",
        "makesRoomFor": ["c/shop/big"],
    }


def placement(name: str, app: str, target: str, wave: int = 2, mover: str = "Schedule") -> Body:
    return {"wave": wave, "mover": mover, "contested": False, "pod": told(name, app), "to": {"cluster": "c", "node": target}}


def unplaced(name: str, app: str, category: str) -> Body:
    return {"pod": told(name, app), "category": category, "reason": "0/3 nodes are available"}


def fragments(cpu: str, memory: str) -> Body:
    return {"c": {"slots": {"large": 0}, "largestPod": {"cpu": cpu, "memory": memory}, "stranded": {"cpu": 1.0, "memory": 1.0}}}


@dataclass
class Case:
    """A fleet, a plan and a policy that agree until a test spoils one of them."""

    fleet: Body = field(
        default_factory=lambda: {"takenAt": "2026-11-23T12:00:00Z", "clusters": [{"name": "c", "movers": ["Surge", "Hold", "Evict"]}]}
    )
    objects: list[Body] = field(default_factory=list)
    plan: Body = field(default_factory=dict)
    policy: Body = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.objects = [
            node("n1", 8, "a"),
            node("n2", 4, "b"),
            node("n3", 4, "b"),
            *deployment("web", 2),
            *deployment("big", 1),
            pod("web-1", "web", "2", "n1"),
            pod("web-2", "web", "2", "n3"),
            pod("big", "big", "7", created=SINCE),
        ]
        self.plan = {
            "apiVersion": "fleet.descheduler.io/v1alpha1",
            "kind": "Plan",
            "metadata": {
                "runID": "r",
                "createdAt": SINCE,
                "snapshotDigest": "d",
                "policyDigest": "d",
                "version": "0",
                "seed": 0,
                "effort": 1.0,
                "reproducible": True,
                "clusters": [{"name": "c", "uid": None}],
            },
            "summary": {
                "objectives": [
                    {"name": "PendingPods", "value": 1, "bound": 1, "status": "Optimal"},
                    {"name": "Disruption", "value": 1, "bound": 1, "status": "Optimal"},
                    {"name": "Headroom", "value": 0, "bound": None, "status": "NoBound"},
                ]
            },
            "moves": [move("web-1", "web", "n1", "n2")],
            "placements": [placement("big", "big", "n1")],
            "unplaced": [],
            "fragmentation": {"before": fragments("4", "8Gi"), "after": fragments("2", "7Gi")},
        }
        self.count()

    def get(self, name: str, kind: str = "Pod") -> Body:
        return next(each for each in self.objects if each["metadata"]["name"] == name and each["kind"] == kind)

    def count(self) -> None:
        """Make the summary agree with the lists again; every pod of the tests has the priority of its object."""
        plan, summary = self.plan, self.plan["summary"]
        ours = [p["pod"]["name"] for p in plan["placements"]] + [u["pod"]["name"] for u in plan["unplaced"] if u["category"] != "NotOurs"]
        placed = [p["pod"]["name"] for p in plan["placements"]]
        waves = max([m["arrivalWave"] for m in plan["moves"]] + [p["wave"] for p in plan["placements"]], default=0)
        summary.update(pendingBefore=len(ours), placed=len(placed), unplaced=len(plan["unplaced"]), moves=len(plan["moves"]), waves=waves)
        summary["evictions"] = sum(m["mover"] != "Surge" for m in plan["moves"])
        rows: dict[int, Body] = {}
        for name in ours:
            priority = self.get(name)["spec"]["priority"]
            row = rows.setdefault(priority, {"priority": priority, "pendingBefore": 0, "placed": 0, "bound": None})
            row["pendingBefore"] += 1
            row["placed"] += name in placed
        summary["byPriority"] = [rows[key] for key in sorted(rows, reverse=True)]
        summary["objectives"][0].update(value=len(placed), bound=len(placed))

    def judged(self, folder: Path) -> list[str]:
        (folder / "c").mkdir(parents=True, exist_ok=True)
        (folder / "fleet.yaml").write_text(json.dumps(self.fleet), encoding="utf-8")
        (folder / "c" / "all.json").write_text(json.dumps({"kind": "List", "items": self.objects}), encoding="utf-8")
        return judge(folder, self.plan, self.policy)


Change = Callable[[Case], object]


def both(*changes: Change) -> Change:
    """Several changes as one."""

    def change(case: Case) -> None:
        for each in changes:
            each(case)

    return change


def mover(case: Case, name: str) -> None:
    case.plan["moves"][0]["mover"] = name
    case.count()


def also_waiting(case: Case, category: str, cpu: str, **spec: object) -> None:
    case.objects += [*deployment("late", 1), pod("late", "late", cpu, created=SINCE)]
    case.get("late")["spec"].update(spec)
    case.plan["unplaced"].append(unplaced("late", "late", category))
    case.count()
