"""A whole random fleet: nodes, what surrounds them, residents, and the pods to be judged."""

from __future__ import annotations

from collections.abc import Collection

from tests.cluster.controlplane.api import Object
from tests.cluster.oracle.fleet import Fleet
from tests.cluster.oracle.fragments import FLAVOURS, a_random_pod
from tests.cluster.oracle.volumes import surround

GATE: Object = {"name": "oracle.test/gate"}
NEVER_STOPS = {"descheduler.test/stops": "never"}


def grow(seed: int, only: Collection[str] | None = None, tests: int = 50) -> Fleet:
    """The fleet of that seed, with ``only`` these fragments."""
    flavours = list(FLAVOURS)
    fleet = Fleet(seed, only, flavour=flavours[seed % len(flavours)])
    fleet.grow_nodes()
    fleet.around += _classes()
    if fleet.uses("volumes") or fleet.uses("ephemeral"):
        surround(fleet)
    for i in range(fleet.dice.randint(20, 60)):
        fleet.residents.append(_resident(fleet, f"r{i:02}"))
    if fleet.uses("nominated"):
        for i in range(fleet.dice.randint(0, 3)):
            pod = a_random_pod(fleet, f"nominated-{i}", resident=True)
            pod["spec"].pop("schedulerName", None)  # of another scheduler's nominations this one knows nothing; we count them
            pod["spec"]["schedulingGates"] = [GATE]
            fleet.nominated.append((pod, fleet.dice.choice(fleet.node_names)))
    fleet.tests = [a_random_pod(fleet, f"t{i:02}", resident=False) for i in range(tests)]
    return fleet


def _classes() -> list[Object]:
    """Priority classes that never preempt, and runtime classes with overhead."""

    def runtime(name: str, **more: object) -> Object:
        overhead = {"podFixed": {"cpu": "250m", "memory": "120Mi"}}
        return {
            "apiVersion": "node.k8s.io/v1",
            "kind": "RuntimeClass",
            "metadata": {"name": name},
            "handler": name,
            "overhead": overhead,
            **more,
        }

    found: list[Object] = [
        {
            "apiVersion": "scheduling.k8s.io/v1",
            "kind": "PriorityClass",
            "metadata": {"name": name},
            "value": value,
            "preemptionPolicy": "Never",
        }
        for name, value in (("low", 10), ("high", 1000))
    ]
    steered = {"nodeSelector": {"disk": "ssd"}, "tolerations": [{"key": "dedicated", "operator": "Exists"}]}
    return [*found, runtime("heavy"), runtime("sandboxed", scheduling=steered)]


def _resize(fleet: Fleet, pod: Object) -> Object:
    """What a kubelet tells while a container has more, or less, than its spec asks for."""
    dice = fleet.dice
    given = {"cpu": dice.choice(["50m", "900m", "2"]), "memory": dice.choice(["64Mi", "2Gi"])}
    told: Object = {"name": pod["spec"]["containers"][0]["name"], "resources": {"requests": given}}
    if fleet.chance(0.5):
        told["allocatedResources"] = {"cpu": dice.choice(["100m", "1"]), "memory": "128Mi"}
    status: Object = {"containerStatuses": [told]}
    if fleet.chance(0.4):
        reason = dice.choice(["Infeasible", "Deferred"])
        status["conditions"] = [
            {"type": "PodResizePending", "status": "True", "reason": reason, "lastTransitionTime": "2026-01-01T00:00:00Z"}
        ]
    return status


def _resident(fleet: Fleet, name: str) -> Object:
    """A pod on some node, which may be overcommitted by it; where a NoExecute taint is, it tolerates everything of that effect."""
    pod = a_random_pod(fleet, name, resident=True)
    node = fleet.dice.choice(fleet.nodes)
    pod["spec"]["nodeName"] = node["metadata"]["name"]
    if any(taint["effect"] == "NoExecute" for taint in node["spec"]["taints"]):
        pod["spec"].setdefault("tolerations", []).append({"operator": "Exists", "effect": "NoExecute"})
    if fleet.uses("ghosts") and fleet.chance(0.02):
        pod["spec"]["nodeName"] = "no-such-node"
    if pod["spec"]["nodeName"] != "no-such-node" and fleet.uses("resize") and fleet.chance(0.12):
        fleet.resized[pod["metadata"]["namespace"], name] = _resize(fleet, pod)
    if fleet.uses("terminating") and fleet.chance(0.08):
        fleet.leaving.add((pod["metadata"]["namespace"], name))
        pod["metadata"]["finalizers"] = ["oracle.test/held"]
        pod["metadata"]["annotations"] = dict(NEVER_STOPS)
    return pod
