"""Small fleets with what kube-scheduler said of one pod in them, kept from disagreements (``tests/rules/scheduler_said``)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from descheduler.domain.snapshot import Snapshot
from descheduler.federation.convert import ClusterBuilder
from descheduler.federation.kinds import KINDS
from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.objects import a_node, a_pod
from tests.cluster.oracle.growing import GATE
from tests.cluster.oracle.ours import Judge, Ours

FOLDER = Path(__file__).resolve().parents[2] / "rules" / "scheduler_said"
LITTLE = {"cpu": "100m"}
ASKED = "asked"


@dataclass(frozen=True)
class Said:
    """One file."""

    name: str
    nodes: list[Object]
    namespaces: dict[str, dict[str, str]]
    around: list[Object]
    residents: list[Object]
    asked: Object
    message: str
    """The scheduler's sentence; empty where it binds the pod."""
    bound: frozenset[str]
    """The nodes it may bind the pod to."""
    stricter: str
    """The rule by which our planning refuses all the same."""

    def ours(self) -> Ours:
        """Our verdicts, from the objects as a server would list them."""
        listed = [*map(_as_listed, [*self.nodes, *self._spaces(), *self.around, *self.residents, _gated(self.asked)])]
        builder = ClusterBuilder("recorded")
        for kind in KINDS:
            builder.saw(kind)  # all that there is was listed; none of it is unknown
        for raw in listed:
            builder.add(raw)
        cluster, remarks = builder.build()
        assert remarks == ()
        key = (self.asked["metadata"]["namespace"], ASKED)
        return Judge(Snapshot(taken_at=datetime.fromisoformat(NOON), clusters=(cluster,)), frozenset({key}))(*key)

    def _spaces(self) -> list[Object]:
        return [
            {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}
            for name, labels in self.namespaces.items()
        ]


NOON = "2026-11-23T12:00:00+00:00"


def recorded(path: Path) -> Said:
    """What a file tells."""
    told = yaml.safe_load(path.read_text(encoding="utf-8"))
    return Said(
        name=path.stem,
        nodes=[
            a_node(name, node.get("room"), labels=node.get("labels"), taints=node.get("taints", ())) for name, node in told["nodes"].items()
        ],
        namespaces=told["namespaces"],
        around=told.get("objects", []),
        residents=[_pod(pod, pod["name"]) for pod in told.get("pods", [])],
        asked=_pod(told["asked"], ASKED),
        message=told.get("scheduler", ""),
        bound=frozenset(told.get("bound", ())),
        stricter=told.get("stricter", ""),
    )


def _pod(told: Object, name: str) -> Object:
    node = {"nodeName": told["node"]} if "node" in told else {}
    return a_pod(name, told["namespace"], LITTLE, labels=told.get("labels"), **{**told.get("spec", {}), **node})


def _gated(pod: Object) -> Object:
    return pod | {"spec": pod["spec"] | {"schedulingGates": [GATE]}}


def _as_listed(manifest: Object) -> Object:
    """With a uid and, where it matters, a status."""
    meta = {"uid": f"uid-{manifest['kind']}-{manifest['metadata']['name']}", "creationTimestamp": NOON, **manifest["metadata"]}
    listed = manifest | {"metadata": meta}
    if manifest["kind"] == "Node":
        listed["status"] = manifest["status"] | {"conditions": [{"type": "Ready", "status": "True"}]}
    elif manifest["kind"] == "Pod" and "nodeName" in manifest["spec"]:
        listed["status"] = {"phase": "Running"}
    return listed


FILES = sorted(FOLDER.glob("*.yaml"))
