"""Random pods, predicate by predicate: each function adds to a pod what one predicate of kube-scheduler looks at.

To add one: its function and its line in `fragments.FRAGMENTS`. A test pod gets a few of them, a resident fewer.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from tests.cluster.controlplane.api import Object
from tests.cluster.oracle.fleet import APPS, HOSTNAME, NAMESPACES, ZONE, ZONES, Fleet

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
KEYS = (ZONE, ZONE, HOSTNAME, HOSTNAME, "rack", "disk")
"""Topology keys; not every node has each."""


@dataclass(frozen=True)
class Pod:
    """One pod in the making, and the dice of its fleet."""

    fleet: Fleet
    dice: Random
    body: Object
    resident: bool

    @property
    def spec(self) -> Object:
        spec: Object = self.body["spec"]
        return spec

    @property
    def namespace(self) -> str:
        namespace: str = self.body["metadata"]["namespace"]
        return namespace

    @property
    def labels(self) -> dict[str, str]:
        labels: dict[str, str] = self.body["metadata"]["labels"]
        return labels

    @property
    def main(self) -> Object:
        """Its first container."""
        container: Object = self.spec["containers"][0]
        return container

    def chance(self, share: float) -> bool:
        return self.dice.random() < share


def _amounts(dice: Random) -> dict[str, str]:
    return {
        "cpu": dice.choice(["100m", "250m", "0.3333", "500m", "1", "1500m", "2"]),
        "memory": dice.choice(["64Mi", "256Mi", "512M", "1Gi", "1.5Gi", "1e9", "123456789"]),
    }


def requests(pod: Pod) -> None:
    """What the first container asks for; sometimes nothing, sometimes disk."""
    asked = _amounts(pod.dice)
    if pod.resident:
        asked["cpu"] = pod.dice.choice(["0", "50m", "100m", "250m", "333m", "700m"])
    for name in list(asked):
        if pod.chance(0.15):
            del asked[name]
    if pod.chance(0.2):
        asked["ephemeral-storage"] = pod.dice.choice(["1Gi", "9Gi", "11Gi"])
    pod.main["resources"] = {"requests": asked}


def extended_resources(pod: Pod) -> None:
    """Devices and huge pages: limits must equal requests."""
    asked = {"example.com/gpu": pod.dice.choice(["1", "2"])} if pod.chance(0.7) else {"hugepages-2Mi": pod.dice.choice(["512Mi", "1Gi"])}
    pod.main["resources"]["limits"] = asked
    pod.main["resources"]["requests"] = {"cpu": "50m", **pod.main["resources"].get("requests", {}), **asked}


def init_containers(pod: Pod) -> None:
    """Ordinary ones and sidecars, in any order."""
    found = []
    for i in range(pod.dice.randint(1, 3)):
        container = {"name": f"init-{i}", "image": "registry.example/init:1", "resources": {"requests": _amounts(pod.dice)}}
        if pod.chance(0.5):
            container["restartPolicy"] = "Always"
            container["resources"] = {"requests": {"cpu": pod.dice.choice(["100m", "300m"]), "memory": "64Mi"}}
        found.append(container)
    pod.spec["initContainers"] = found


def more_containers(pod: Pod) -> None:
    asked = {"cpu": pod.dice.choice(["0.0001", "33m", "600m"]), "memory": pod.dice.choice(["1", "100Mi"])}
    pod.spec["containers"].append({"name": "more", "image": "registry.example/more:1", "resources": {"requests": asked}})


def overhead(pod: Pod) -> None:
    """A RuntimeClass adds overhead, and one of them a selector and a toleration."""
    pod.spec["runtimeClassName"] = pod.dice.choice(["heavy", "heavy", "sandboxed"])


def pod_level(pod: Pod) -> None:
    """Requests of the whole pod; the API wants them no smaller than the containers' sum."""
    pod.main["resources"] = {"requests": {"cpu": "100m", "memory": "64Mi"}}
    pod.spec["containers"] = [pod.main]
    pod.spec.pop("initContainers", None)
    asked = _amounts(pod.dice)
    pod.spec["resources"] = {"requests": asked if not pod.chance(0.3) else {"cpu": asked["cpu"]}}
    if pod.chance(0.5):
        sidecar = {"name": "side", "image": "registry.example/side:1", "restartPolicy": "Always", "resources": {}}
        pod.spec["initContainers"] = [sidecar]


def tolerations(pod: Pod) -> None:
    choices: list[Object] = [
        {"key": "dedicated", "value": "gpu", "effect": "NoSchedule"},
        {"key": "dedicated", "operator": "Equal", "value": "batch"},
        {"key": "dedicated", "operator": "Exists"},
        {"key": "dedicated", "operator": "Exists", "effect": "NoExecute"},
        {"key": "maintenance", "operator": "Exists", "effect": "NoExecute"},
        {"key": "maintenance", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 600},
        {"key": "maintenance", "effect": "NoExecute"},
        {"key": "extra", "operator": "Exists"},
        {"key": "node.kubernetes.io/unschedulable", "operator": "Exists", "effect": "NoSchedule"},
        {"operator": "Exists", "effect": "NoSchedule"},
        {"operator": "Exists"},
    ]
    weights = [4, 4, 4, 2, 4, 2, 2, 3, 1, 1, 1]
    pod.spec["tolerations"] = pod.spec.get("tolerations", []) + pod.dice.choices(choices, weights, k=pod.dice.randint(1, 3))


def node_selector(pod: Pod) -> None:
    key, values = pod.dice.choice([(ZONE, ZONES), ("disk", ("ssd", "hdd", "tape", "")), ("rack", ("r1", "r2", "r3"))])
    value = "ssd" if key == "disk" and pod.spec.get("runtimeClassName") == "sandboxed" else pod.dice.choice(values)  # admission wants it so
    pod.spec["nodeSelector"] = {key: value}


def _expression(pod: Pod) -> Object:
    dice = pod.dice
    return dice.choice(
        [
            {"key": ZONE, "operator": "In", "values": dice.sample(ZONES, 2)},
            {"key": ZONE, "operator": "NotIn", "values": [dice.choice(ZONES)]},
            {"key": "disk", "operator": "NotIn", "values": ["hdd"]},
            {"key": "rack", "operator": "Exists"},
            {"key": "rack", "operator": "DoesNotExist"},
            {"key": "generation", "operator": "Gt", "values": [dice.choice(["0", "1", "3", "03"])]},
            {"key": "generation", "operator": "Lt", "values": [dice.choice(["3", "4", "0"])]},
        ]
    )


def _field(pod: Pod) -> Object:
    name = pod.dice.choice([*pod.fleet.node_names, "no-such-node"])
    return {"key": "metadata.name", "operator": pod.dice.choice(["In", "NotIn"]), "values": [name]}


def node_affinity(pod: Pod) -> None:
    """One to three ORed terms; an empty one matches nothing."""
    terms: list[Object] = []
    for _ in range(pod.dice.randint(1, 3)):
        term: Object = {}
        if pod.chance(0.85):
            term["matchExpressions"] = [_expression(pod) for _ in range(pod.dice.randint(1, 2))]
        if pod.chance(0.3):
            term["matchFields"] = [_field(pod)]
        terms.append(term)
    if pod.chance(0.15):
        terms = [{"matchFields": [{**_field(pod), "operator": "In"}]} for _ in range(pod.dice.randint(1, 2))]
    pod.spec.setdefault("affinity", {})["nodeAffinity"] = {REQUIRED: {"nodeSelectorTerms": terms}}


def host_ports(pod: Pod) -> None:
    taken: list[Object] = []
    for number in pod.dice.sample((8080, 9090, 53), pod.dice.randint(1, 2)):
        port: Object = {"containerPort": number, "hostPort": number, "protocol": pod.dice.choice(["TCP", "TCP", "UDP", "SCTP"])}
        if pod.chance(0.5):
            port["hostIP"] = pod.dice.choice(["0.0.0.0", "10.0.0.1", "10.0.0.2", "::"])  # noqa: S104 - a value to be compared
        taken.append(port)
    holder = pod.main
    if pod.chance(0.3) and pod.spec.get("initContainers"):
        holder = pod.dice.choice(pod.spec["initContainers"])
    elif pod.chance(0.2):
        pod.spec["hostNetwork"] = True
        taken = [{"containerPort": port["containerPort"], "protocol": port["protocol"]} for port in taken]
    holder["ports"] = taken


def _pod_selector(pod: Pod) -> Object | None:
    dice = pod.dice
    roll = dice.random()
    if roll < 0.5:
        return {"matchLabels": {"app": pod.labels["app"] if dice.random() < 0.5 else dice.choice(APPS)}}
    if roll < 0.6:
        return {}
    if roll < 0.65:
        return None
    if roll < 0.72:
        told = {"key": "tier", "operator": dice.choice(["In", "NotIn"]), "values": ["front"]}
        return {"matchLabels": {"app": dice.choice(APPS)}, "matchExpressions": [told]}
    return {
        "matchExpressions": [
            dice.choice(
                [
                    {"key": "app", "operator": "In", "values": dice.sample(APPS, 2)},
                    {"key": "app", "operator": "NotIn", "values": dice.sample(APPS, 2)},
                    {"key": "tier", "operator": "Exists"},
                    {"key": "tier", "operator": "DoesNotExist"},
                ]
            )
        ]
    }


def _term(pod: Pod) -> Object:
    dice = pod.dice
    term: Object = {"topologyKey": dice.choice(KEYS)}
    selector = _pod_selector(pod)
    if selector is not None:
        term["labelSelector"] = selector
    if dice.random() < 0.2:
        term["namespaces"] = dice.sample([*NAMESPACES, "nowhere"], 2)
    if dice.random() < 0.25:
        chosen: list[Object] = [
            {},
            {"matchLabels": {"team": "data"}},
            {"matchLabels": {"team": "none"}},
            {"matchExpressions": [{"key": "env", "operator": "NotIn", "values": ["prod"]}]},
        ]
        term["namespaceSelector"] = dice.choice(chosen)
    if selector and "tier" not in str(selector) and dice.random() < 0.2:
        term[dice.choice(["matchLabelKeys", "mismatchLabelKeys"])] = ["tier"]
    return term


def pod_affinity(pod: Pod) -> None:
    """One or two terms; half the time a group that wants to be with itself."""
    terms = [_term(pod) for _ in range(pod.dice.choice([1, 1, 2]))]
    if pod.chance(0.4):
        terms[0] = {"topologyKey": pod.dice.choice(KEYS), "labelSelector": {"matchLabels": {"app": pod.labels["app"]}}}
    pod.spec.setdefault("affinity", {})["podAffinity"] = {REQUIRED: terms}


def pod_anti_affinity(pod: Pod) -> None:
    terms = [_term(pod) for _ in range(pod.dice.choice([1, 1, 2]))]
    pod.spec.setdefault("affinity", {})["podAntiAffinity"] = {REQUIRED: terms}


def topology_spread(pod: Pod) -> None:
    """One or two constraints with different keys; ScheduleAnyway never blocks."""
    found: list[Object] = []
    for key in dict.fromkeys(pod.dice.choices((*KEYS, "no-such-key"), [3, 3, 3, 3, 2, 2, 1], k=pod.dice.choice([1, 1, 2]))):
        constraint: Object = {"topologyKey": key, "maxSkew": pod.dice.choice([1, 1, 2, 3]), "whenUnsatisfiable": "DoNotSchedule"}
        selector = _pod_selector(pod)
        if selector is not None:
            constraint["labelSelector"] = selector
        if pod.chance(0.3):
            constraint["minDomains"] = pod.dice.randint(1, 5)
        if pod.chance(0.3):
            constraint["nodeAffinityPolicy"] = pod.dice.choice(["Honor", "Ignore"])
        if pod.chance(0.3):
            constraint["nodeTaintsPolicy"] = pod.dice.choice(["Honor", "Ignore"])
        if selector and "tier" not in str(selector) and pod.chance(0.25):
            constraint["matchLabelKeys"] = ["tier"]
        if pod.chance(0.1):
            constraint["whenUnsatisfiable"] = "ScheduleAnyway"
            constraint.pop("minDomains", None)
        found.append(constraint)
    pod.spec["topologySpreadConstraints"] = found


def priority(pod: Pod) -> None:
    pod.spec["priorityClassName"] = pod.dice.choice(["low", "high"])


def other_scheduler(pod: Pod) -> None:
    """Somebody else's pod holds its room like any other."""
    if pod.resident:
        pod.spec["schedulerName"] = "another-scheduler"
