"""What makes a random fleet of ``tests.properties.wild`` harder to fit: everything that only exact fit can judge, at modest rates.

It has dice of its own and works on the finished objects, so that the fleets of old seeds stay what they were.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

from tests.properties.wild_volumes import Storage
from tests.raw import Json, taint_json

ZONE, HOSTNAME = "topology.kubernetes.io/zone", "kubernetes.io/hostname"
HASH = "pod-template-hash"
MARKS = ["ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler", "karpenter.sh/disrupted"]
PORTS = [8080, 8080, 8081]
SCOPES: list[Json] = [
    {},
    {},
    {},
    {"scopes": ["NotTerminating"]},
    {"scopes": ["BestEffort"]},
    {"scopes": ["NotBestEffort", "NotTerminating"]},
    {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["gold"]}]}},
    {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "DoesNotExist"}]}},
    {"scopes": ["CrossNamespacePodAffinity"]},
]


@dataclass
class Kin:
    """The pods of one app."""

    namespace: str
    app: str
    pods: list[Json]

    @property
    def waiting(self) -> list[Json]:
        return [pod for pod in self.pods if "nodeName" not in pod["spec"]]

    @property
    def running(self) -> list[Json]:
        return [pod for pod in self.pods if "nodeName" in pod["spec"]]


def a_scheduler(dice: Random) -> Json:
    """What the Fleet file says of a cluster's scheduler."""
    told: Json = {}
    if dice.random() < 0.5:
        told["profiles"] = ["default-scheduler", "batch"]
    if dice.random() < 0.1:
        told |= dice.choice([{"ignoredResources": ["nvidia.com/gpu"]}, {"ignoredResourceGroups": ["nvidia.com"]}])
    if dice.random() < 0.1:
        need = {"key": "cores", "operator": "NotIn", "values": [dice.choice(["2", "many"])]}
        told["addedAffinity"] = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [{"matchExpressions": [need]}]}}
    if dice.random() < 0.1:
        action = dice.choice(["ScheduleAnyway", "ScheduleAnyway", "DoNotSchedule"])
        told["defaultConstraints"] = [{"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": action}]
    return told


class More:
    """One cluster to be made harder."""

    def __init__(self, objects: list[Json], dice: Random) -> None:
        self.objects, self.dice = objects, dice
        self.nodes = [each for each in objects if each["kind"] == "Node"]
        kin: dict[tuple[str, str], list[Json]] = defaultdict(list)
        for each in objects:
            if each["kind"] == "Pod":
                kin[each["metadata"]["namespace"], each["metadata"]["labels"]["app"]].append(each)
        self.kin = [Kin(namespace, app, pods) for (namespace, app), pods in kin.items()]
        self.storage = Storage(objects, self.nodes, dice)

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def grow(self) -> None:
        """One or two features for most apps, then what belongs to the cluster."""
        for namespace in self.objects:
            if namespace["kind"] == "Namespace" and self.chance(0.7):
                namespace["metadata"]["labels"]["team"] = self.dice.choice("ab")
        features: list[Callable[[Kin], None]] = [
            *[self._ports, self._affinity, self._affinity, self._anti_affinity, self._spread, self._spread, self._node_affinity],
            *[self._requests, self._requests, self._resize, self._limits, self._scheduler, self._template, self._pin, self._tolerations],
        ]
        for kin in self.kin:
            for feature in self.dice.sample(features, self.dice.choice([0, 1, 1, 2])):
                feature(kin)
            if self.chance(0.3):
                self.storage.give(kin.pods)
        self.storage.close()
        self._nodes()
        self._nominate()
        self._quotas()

    def _other(self, kin: Kin) -> Kin:
        """Somebody to be with: the own kind, or another."""
        return kin if self.chance(0.4) else self.dice.choice(self.kin)

    def _term(self, kin: Kin) -> Json:
        other = self._other(kin)
        key = self.dice.choice([HOSTNAME, ZONE, ZONE])
        term: Json = {"topologyKey": key, "labelSelector": {"matchLabels": {"app": other.app}}}
        if self.chance(0.05):
            term["labelSelector"] = self.dice.choice([{}, {"matchExpressions": [{"key": "app", "operator": "Exists"}]}])
        if other.namespace != kin.namespace or self.chance(0.15):
            term |= self.dice.choice(
                [{"namespaces": [other.namespace]}, {"namespaceSelector": {}}, {"namespaceSelector": {"matchLabels": {"team": "a"}}}]
            )
        if self.chance(0.2):  # merged as the API server does at creation
            labels = kin.pods[0]["metadata"]["labels"]
            keys, operator = self.dice.choice([("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")])
            if HASH in labels:
                merged = [{"key": HASH, "operator": operator, "values": [labels[HASH]]}]
                selector = term["labelSelector"]
                term[keys] = [HASH]
                term["labelSelector"] = {**selector, "matchExpressions": [*selector.get("matchExpressions", []), *merged]}
        return term

    def _joins(self, kin: Kin, kind: str, terms: list[Json]) -> None:
        for pod in kin.pods:
            affinity = pod["spec"].get("affinity", {})
            pod["spec"]["affinity"] = {**affinity, kind: {"requiredDuringSchedulingIgnoredDuringExecution": terms}}

    def _affinity(self, kin: Kin) -> None:
        self._joins(kin, "podAffinity", [self._term(kin) for _ in range(self.dice.choice([1, 1, 1, 2]))])

    def _anti_affinity(self, kin: Kin) -> None:
        self._joins(kin, "podAntiAffinity", [self._term(kin)])

    def _ports(self, kin: Kin) -> None:
        number = self.dice.choice(PORTS)
        port: Json = {"containerPort": number, "hostPort": number, "protocol": self.dice.choice(["TCP", "TCP", "UDP"])}
        if self.chance(0.3):
            port["hostIP"] = self.dice.choice(["10.0.0.1", "0.0.0.0"])  # noqa: S104
        where = self.dice.choice(["main", "main", "main", "sidecar", "init", "hostNetwork"])
        for pod in kin.pods:
            if where in ("sidecar", "init"):
                lasts = {"restartPolicy": "Always"} if where == "sidecar" else {}
                pod["spec"]["initContainers"] = [{"name": where, "image": "x", "resources": {}, "ports": [port], **lasts}]
                continue
            if where == "hostNetwork":
                pod["spec"]["hostNetwork"] = True
            self._container(pod)["ports"] = [port]

    def _container(self, pod: Json) -> Json:
        found: Json = pod["spec"]["containers"][0]
        return found

    def _spread(self, kin: Kin) -> None:
        keys = self.dice.choice([[HOSTNAME], [ZONE], [ZONE], [ZONE, HOSTNAME]])
        constraints = []
        for key in keys:
            constraint: Json = {
                "topologyKey": key,
                "maxSkew": self.dice.choice([1, 1, 2, 3]),
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": self._other(kin).app if self.chance(0.2) else kin.app}},
            }
            if self.chance(0.4):
                constraint["minDomains"] = self.dice.randint(2, 4)
            if self.chance(0.3):
                constraint["nodeAffinityPolicy"] = self.dice.choice(["Honor", "Ignore"])
            if self.chance(0.3):
                constraint["nodeTaintsPolicy"] = self.dice.choice(["Honor", "Ignore"])
            if self.chance(0.2):
                constraint["matchLabelKeys"] = [self.dice.choice([HASH, "app", "absent"])]
            if self.chance(0.1):
                constraint["labelSelector"] = {}
            elif self.chance(0.05):
                constraint = {k: v for k, v in constraint.items() if k not in ("labelSelector", "matchLabelKeys")}
            constraints.append(constraint)
        for pod in kin.pods:
            pod["spec"]["topologySpreadConstraints"] = constraints

    def _node_affinity(self, kin: Kin) -> None:
        names = [node["metadata"]["name"] for node in self.nodes]
        choices: list[Json] = [
            {"matchExpressions": [{"key": "disk", "operator": "NotIn", "values": ["hdd"]}]},
            {"matchExpressions": [{"key": ZONE, "operator": "In", "values": ["a", "b"]}, {"key": "disk", "operator": "Exists"}]},
            {"matchExpressions": [{"key": ZONE, "operator": "DoesNotExist"}]},
            {"matchExpressions": [{"key": "cores", "operator": "Gt", "values": ["2"]}]},
            {"matchExpressions": [{"key": "cores", "operator": "Lt", "values": ["4"]}]},
            {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [self.dice.choice(names)]}]},
            {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": [self.dice.choice(names)]}]},
            {},
        ]
        terms = self.dice.sample(choices, self.dice.choice([1, 1, 2]))
        for pod in kin.pods:
            affinity = pod["spec"].get("affinity", {})
            required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}}
            pod["spec"]["affinity"] = {**affinity, "nodeAffinity": required}

    def _tolerations(self, kin: Kin) -> None:
        toleration = self.dice.choice(
            [
                {"operator": "Exists"},
                {"key": "dedicated", "operator": "Equal", "value": "gpu", "effect": "NoSchedule"},
                {"key": "dedicated", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 60},
                {"key": "dedicated", "value": "gpu"},
            ]
        )
        for pod in kin.pods:
            pod["spec"]["tolerations"] = [toleration]

    def _requests(self, kin: Kin) -> None:
        kind = self.dice.choice(["level", "overhead", "init", "sidecar", "both", "disk", "hugepages", "gpu"])
        odd = self.dice.choice(["500m", "1", "1100m", "2"])
        side: Json = {"name": "side", "image": "x", "restartPolicy": "Always", "resources": {"requests": {"cpu": odd}}}
        init: Json = {"name": "init", "image": "x", "resources": {"requests": {"cpu": "3", "memory": "1Gi"}}}
        for pod in kin.pods:
            spec = pod["spec"]
            if kind == "level":
                spec["resources"] = {"requests": {"cpu": odd}}
            elif kind == "overhead":
                spec |= {"overhead": {"cpu": "250m", "memory": "64Mi"}, "runtimeClassName": "sandbox"}
            elif kind in ("init", "sidecar", "both"):
                spec["initContainers"] = {"init": [init], "sidecar": [side], "both": self.dice.choice([[init, side], [side, init]])}[kind]
            else:
                name = {"disk": "ephemeral-storage", "hugepages": "hugepages-2Mi", "gpu": "nvidia.com/gpu"}[kind]
                self._container(pod)["resources"]["requests"][name] = {"disk": "5Gi", "hugepages": "256Mi", "gpu": "1"}[kind]
        if kind == "overhead" and self.chance(0.8) and not any(each["kind"] == "RuntimeClass" for each in self.objects):
            meta = {"name": "sandbox", "uid": "uid-runtime"}
            self.objects.append({"apiVersion": "node.k8s.io/v1", "kind": "RuntimeClass", "metadata": meta, "handler": "sandbox"})

    def _resize(self, kin: Kin) -> None:
        for pod in kin.running:
            container = self._container(pod)
            granted = {**container["resources"]["requests"], "cpu": self.dice.choice(["1", "1500m", "3"])}
            told: Json = {"name": container["name"], "resources": {"requests": granted}}
            if self.chance(0.5):
                told["allocatedResources"] = granted
            pod["status"]["containerStatuses"] = [told]
            if self.chance(0.3):
                reason = self.dice.choice(["Infeasible", "Deferred"])
                pod["status"]["conditions"].append({"type": "PodResizePending", "status": "True", "reason": reason})

    def _limits(self, kin: Kin) -> None:
        for pod in kin.pods:
            resources = self._container(pod)["resources"]
            resources["limits"] = dict(resources["requests"])
            if self.chance(0.5):
                pod["spec"]["priorityClassName"] = "gold"
            if self.chance(0.1):
                pod["spec"]["activeDeadlineSeconds"] = 600

    def _scheduler(self, kin: Kin) -> None:
        if self.chance(0.5):
            for pod in kin.pods:
                pod["spec"]["schedulerName"] = "batch"

    def _template(self, kin: Kin) -> None:
        """The controller's template asks for something else than its pods."""
        for ref in kin.pods[0]["metadata"].get("ownerReferences", []):
            for owner in self.objects:
                if owner["kind"] == ref["kind"] and owner["metadata"]["uid"] == ref["uid"]:
                    container = {"name": "main", "image": "x", "resources": {"requests": {"cpu": self.dice.choice(["1", "2", "3500m"])}}}
                    owner["spec"]["template"] = {
                        "metadata": {"labels": kin.pods[0]["metadata"]["labels"]},
                        "spec": {"containers": [container]},
                    }

    def _pin(self, kin: Kin) -> None:
        """Moved by us before, or bound to a hostname by its owner."""
        ours = self.chance(0.7)
        for pod in kin.running:
            if self.chance(0.5):
                pod["spec"]["nodeSelector"] = {**pod["spec"].get("nodeSelector", {}), HOSTNAME: pod["spec"]["nodeName"]}
                if ours:
                    pod["metadata"].setdefault("annotations", {})["fleet.descheduler.io/pin"] = pod["spec"]["nodeName"]

    def _nodes(self) -> None:
        for node in self.nodes:
            allocatable = node["status"]["allocatable"]
            node["metadata"]["labels"]["cores"] = self.dice.choice(["2", "4", "8", "many"])
            if self.chance(0.8):
                allocatable["ephemeral-storage"] = self.dice.choice(["10Gi", "20Gi", "100Gi"])
            if self.chance(0.5):
                allocatable["hugepages-2Mi"] = self.dice.choice(["256Mi", "512Mi", "0"])
            if self.chance(0.08):
                node["spec"].setdefault("taints", []).append(taint_json(self.dice.choice(MARKS)))
            if self.chance(0.05):
                node["spec"].setdefault("taints", []).append(taint_json("full", effect="PreferNoSchedule"))

    def _nominate(self) -> None:
        for kin in self.kin:
            for pod in kin.waiting:
                if self.chance(0.12):
                    pod["status"]["nominatedNodeName"] = self.dice.choice(self.nodes)["metadata"]["name"]

    def _quotas(self) -> None:
        for namespace in ("shop", "ml"):
            for i in range(self.dice.choice([0, 0, 1, 2])):
                names = self.dice.sample(["pods", "count/pods", "requests.cpu", "cpu", "requests.memory", "limits.cpu"], 2)
                left = {name: self.dice.choice([0, 1, 2, 4]) for name in names}
                unit = {name: "Gi" if name.endswith("memory") else "" for name in names}
                used = {name: f"10{unit[name]}" for name in names if not self.chance(0.03)}
                scopes = self.dice.choice(SCOPES)
                if scopes.get("scopes") == ["BestEffort"]:
                    left, unit, used = {"pods": left[names[0]]}, {"pods": ""}, {"pods": "10"}
                self.objects.append(
                    {
                        "apiVersion": "v1",
                        "kind": "ResourceQuota",
                        "metadata": {"name": f"q{i}", "namespace": namespace, "uid": f"uid-quota-{namespace}-{i}"},
                        "spec": {"hard": {name: f"{10 + amount}{unit[name]}" for name, amount in left.items()}, **scopes},
                        "status": {"hard": {name: f"{10 + amount}{unit[name]}" for name, amount in left.items()}, "used": used},
                    }
                )
