"""A small kube-scheduler: where the generator's pods land, and in its words why some do not."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from catalogue import App


@dataclass
class Machine:
    """One node while the fleet is being filled."""

    name: str
    zone: str
    labels: dict[str, str]
    room: dict[str, int]
    """cpu in millicores, memory in mebibytes, pods, gpu."""
    taints: list[tuple[str, str, str]] = field(default_factory=list)
    cordoned: bool = False
    ready: bool = True
    apps: list[App] = field(default_factory=list)
    """The workload of each pod that runs here."""
    used: Counter[str] = field(default_factory=Counter)

    def take(self, app: App) -> None:
        self.apps.append(app)
        self.used.update(requests(app))


def requests(app: App) -> dict[str, int]:
    """What one pod of it asks for; a sidecar adds 100m and 128Mi."""
    extra = (100, 128) if app.sidecar else (0, 0)
    return {"cpu": app.cpu + extra[0], "memory": app.memory + extra[1], "gpu": app.gpu, "pods": 1}


def refusals(app: App, machine: Machine, machines: list[Machine]) -> list[str]:
    """kube-scheduler's reasons against this node: the first plugin that refuses speaks, resources all at once."""
    if not machine.ready and app.tolerates != "*":
        return ["node(s) had untolerated taint {node.kubernetes.io/not-ready: }"]
    if machine.cordoned and app.tolerates != "*":
        return ["node(s) were unschedulable"]
    for key, value, _ in machine.taints:
        if app.tolerates not in ("*", key):
            return [f"node(s) had untolerated taint {{{key}: {value}}}"]
    if any(machine.labels.get(key) != value for key, value in app.selector.items()):
        return ["node(s) didn't match Pod's node affinity/selector"]
    if app.host_port and any(other.host_port == app.host_port for other in machine.apps):
        return ["node(s) didn't have free ports for the requested pod ports"]
    lacks = _lacks(app, machine)
    if lacks:
        return lacks
    if app.spread and _skew_after(app, machine, machines) > 1:
        return ["node(s) didn't match pod topology spread constraints"]
    if app.anti and any(other is app for other in machine.apps):
        return ["node(s) didn't match pod anti-affinity rules"]
    return []


def _lacks(app: App, machine: Machine) -> list[str]:
    words = {"pods": "Too many pods", "cpu": "Insufficient cpu", "memory": "Insufficient memory", "gpu": "Insufficient nvidia.com/gpu"}
    asked = requests(app)
    return [text for name, text in words.items() if asked[name] and asked[name] > machine.room.get(name, 0) - machine.used[name]]


def _skew_after(app: App, machine: Machine, machines: list[Machine]) -> int:
    counts = {one.zone: 0 for one in machines if all(one.labels.get(k) == v for k, v in app.selector.items())}
    for one in machines:
        if one.zone in counts:
            counts[one.zone] += sum(other is app for other in one.apps)
    return counts[machine.zone] + 1 - min(counts.values())


def choose(app: App, machines: list[Machine]) -> Machine | None:
    """The feasible node with the largest free share (LeastAllocated), the first by name among equals."""
    feasible = [machine for machine in machines if not refusals(app, machine, machines)]
    return max(feasible, key=_free_share, default=None)


def _free_share(machine: Machine) -> float:
    return sum((machine.room[name] - machine.used[name]) / machine.room[name] for name in ("cpu", "memory"))


def why_unschedulable(app: App, machines: list[Machine]) -> str:
    """The message of the PodScheduled condition; raises ValueError when the pod would fit."""
    if app.volume == "unbound":
        return (
            f"0/{len(machines)} nodes are available: pod has unbound immediate PersistentVolumeClaims. "
            "preemption: not eligible due to preemptionPolicy=Never."
        )
    told: Counter[str] = Counter()
    for machine in machines:
        reasons = refusals(app, machine, machines)
        if not reasons:
            raise ValueError(f"{app.namespace}/{app.name} fits on {machine.name}")
        told.update(reasons)
    listed = ", ".join(sorted(f"{count} {reason}" for reason, count in told.items()))
    return f"0/{len(machines)} nodes are available: {listed}. preemption: not eligible due to preemptionPolicy=Never."
