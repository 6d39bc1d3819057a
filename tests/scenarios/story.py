"""Stories: ``clusters.yaml`` in its compact form becomes Kubernetes objects as kubectl would print them.

Per cluster: ``movers`` (what discovery found), ``nodes``, ``pods`` and ``budgets``. Whatever is not a key below is a resource.

- node: ``zone``, ``taints`` (``[gpu]`` is gpu:NoSchedule), ``cordoned``, ``ready: false``, ``pods`` (its limit, else 110), ``labels``.
- pod ``namespace/name``: ``on: <node>`` or ``pending: 20m``; ``of``: its controller (``web`` is a Deployment, ``StatefulSet/db`` any
  other kind, ``none`` a bare pod; absent: a Deployment called like the pod); ``replicas``, ``strategy``, ``maxSurge`` of a Deployment;
  ``priority``, ``labels`` (``app`` is there already), ``tolerates`` (taint keys), ``selector``, ``gated``, ``scheduler``;
  ``apart: hostname`` (or ``zone``, or ``{hostname: <app>}``): required anti-affinity to its own app or another one;
  ``spread: zone`` (or ``{zone: <maxSkew>}``): a hard topology spread constraint over its own app.
- budget ``namespace/name``: ``of: <app>``, ``allowed``, and the PodDisruptionBudget's own ``minAvailable`` or ``maxUnavailable``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from tests.raw import (
    Json,
    budget_json,
    deployment_json,
    list_json,
    namespace_json,
    node_json,
    owner_json,
    pod_json,
    replicaset_json,
    taint_json,
    workload_json,
    write_cluster,
    write_json,
)

TAKEN_AT = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
KEYS = {"hostname": "kubernetes.io/hostname", "zone": "topology.kubernetes.io/zone"}
KINDS = [
    *("Pod", "Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "PodDisruptionBudget"),
    *("ResourceQuota", "PersistentVolumeClaim", "StorageClass", "RuntimeClass", "Event"),
]
"""What was looked for, so that nothing has to be noted as absent."""
UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
RESOURCE = re.compile(r"cpu|memory|ephemeral-storage|pods|[a-z0-9.-]+/[a-zA-Z0-9.-]+")
HASH = "5d8"


class PlainLoader(yaml.SafeLoader):
    """YAML in which ``on`` is a word, not ``true``."""

    yaml_implicit_resolvers = {  # noqa: RUF012  # PyYAML's own way
        letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:bool" or letter in "tTfF"]
        for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class Told:
    """The fields of one entry; whoever asks for a field takes it, and what nobody took must be a resource."""

    def __init__(self, where: str, fields: Json | None) -> None:
        self.where = where
        self._left = dict(fields or {})

    def take(self, name: str, default: Any = None) -> Any:
        return self._left.pop(name, default)

    def amounts(self) -> dict[str, str]:
        """All that is left, as resources. Raises ValueError for a key that is none."""
        strange = [name for name in self._left if not RESOURCE.fullmatch(name)]
        if strange:
            raise ValueError(f"{self.where}: {', '.join(strange)}: neither a field of a story nor a resource")
        return {name: str(amount) for name, amount in self._left.items()}


def write_story(clusters: Path, folder: Path) -> Path:
    """The story's snapshot directory, below ``folder``."""
    told = yaml.load(clusters.read_text(encoding="utf-8"), Loader=PlainLoader)  # noqa: S506  # a SafeLoader
    listed: list[Json] = []
    for name, fields in told.items():
        cluster = dict(fields)
        movers = cluster.pop("movers", None)
        listed.append({"name": name, **({} if movers is None else {"movers": movers})})
        write_cluster(folder / name, *_objects(name, cluster))
        for kind in KINDS:
            write_json(folder / name / f"{kind.lower()}s.json", list_json((), kind=f"{kind}List"))
    fleet = {"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "Fleet", "takenAt": f"{TAKEN_AT:%Y-%m-%dT%H:%M:%SZ}"}
    (folder / "fleet.yaml").write_text(json.dumps({**fleet, "clusters": listed}), encoding="utf-8")
    return folder


def _objects(name: str, cluster: Json) -> Iterator[Json]:
    yield namespace_json("kube-system", uid=f"uid-of-{name}")
    for node, fields in cluster.pop("nodes").items():
        yield _node(node, Told(f"{name}/{node}", fields))
    owned: dict[tuple[str, str, str], list[Json]] = {}
    for ref, fields in cluster.pop("pods", {}).items():
        namespace, pod = ref.split("/")
        yield from _pod(namespace, pod, Told(f"{name}/{ref}", fields), owned)
    for namespace in sorted({namespace for namespace, _, _ in owned}):
        yield namespace_json(namespace)
    for (namespace, kind, app), wishes in owned.items():
        yield from _controllers(namespace, kind, app, wishes)
    for ref, fields in cluster.pop("budgets", {}).items():
        namespace, budget = ref.split("/")
        told = dict(fields)
        yield budget_json(budget, namespace=namespace, labels={"app": told.pop("of")}, **told)
    if cluster:
        raise ValueError(f"{name}: {', '.join(cluster)}: not a part of a cluster")


def _node(name: str, told: Told) -> Json:
    taints = [taint_json(key) for key in told.take("taints", [])]
    cordon: Json = {"unschedulable": True} if told.take("cordoned", False) else {}
    zone, labels, ready = told.take("zone"), told.take("labels"), told.take("ready", True)
    amounts = {"cpu": "8", "memory": "32Gi", "pods": "110", **told.amounts()}
    return node_json(name, zone=zone, labels=labels, ready=ready, taints=taints, allocatable=amounts, **cordon)


def _pod(namespace: str, name: str, told: Told, owned: dict[tuple[str, str, str], list[Json]]) -> Iterator[Json]:
    of = told.take("of", name)
    kind, app = of.split("/") if "/" in of else ("Deployment", of)
    if of != "none":
        wish = {key: value for key in ("replicas", "strategy", "maxSurge") if (value := told.take(key)) is not None}
        owned.setdefault((namespace, kind, app), []).append(wish)
    own = {"app": app, **({"pod-template-hash": HASH} if kind == "Deployment" and of != "none" else {})}
    owner = ("ReplicaSet", f"{app}-{HASH}") if kind == "Deployment" else (kind, app)
    times: Json = {}
    waits = told.take("pending")
    if waits is not None:
        since = f"{TAKEN_AT - timedelta(seconds=int(waits[:-1]) * UNITS[waits[-1]]):%Y-%m-%dT%H:%M:%SZ}"
        times = {"waiting_since": since, "created": since}
    yield pod_json(
        name,
        namespace=namespace,
        on=told.take("on"),
        labels={**own, **told.take("labels", {})},
        owner=owner_json(*owner, namespace=namespace) if of != "none" else None,
        priority=told.take("priority", 0),
        **times,
        **_scheduling(app, told),
        requests=told.amounts(),
    )


def _scheduling(app: str, told: Told) -> Json:
    """The parts of ``spec`` that say where the pod may run."""
    spec: Json = {}
    apart, spread = told.take("apart"), told.take("spread")
    if apart is not None:
        key, other = (apart, app) if isinstance(apart, str) else next(iter(apart.items()))
        term = {"topologyKey": KEYS[key], "labelSelector": {"matchLabels": {"app": other}}}
        spec["affinity"] = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    if spread is not None:
        key, skew = (spread, 1) if isinstance(spread, str) else next(iter(spread.items()))
        rule = {"topologyKey": KEYS[key], "maxSkew": skew, "whenUnsatisfiable": "DoNotSchedule"}
        spec["topologySpreadConstraints"] = [{**rule, "labelSelector": {"matchLabels": {"app": app}}}]
    if tolerated := told.take("tolerates"):
        spec["tolerations"] = [{"key": key, "operator": "Exists"} for key in tolerated]
    if selector := told.take("selector"):
        spec["nodeSelector"] = selector
    if told.take("gated", False):
        spec["schedulingGates"] = [{"name": "example.com/quota"}]
    if scheduler := told.take("scheduler"):
        spec["schedulerName"] = scheduler
    return spec


def _controllers(namespace: str, kind: str, app: str, wishes: list[Json]) -> Iterator[Json]:
    """The controller of an app's pods: as many replicas as there are pods, unless one of them says otherwise."""
    wish = {key: value for each in wishes for key, value in each.items()}
    replicas = wish.get("replicas", len(wishes))
    if kind != "Deployment":
        yield workload_json(kind, app, namespace=namespace, replicas=replicas)
        return
    strategy: Json = {"type": wish.get("strategy", "RollingUpdate")}
    if strategy["type"] == "RollingUpdate":
        strategy["rollingUpdate"] = {"maxSurge": wish.get("maxSurge", 1), "maxUnavailable": 0}
    yield deployment_json(app, namespace=namespace, replicas=replicas, strategy=strategy)
    yield replicaset_json(f"{app}-{HASH}", deployment=app, namespace=namespace, replicas=replicas)
