"""The shipped roles grant what carrying a plan out takes, every mover and recovery included, and not one verb more."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from descheduler.clock import SystemClock
from descheduler.domain.plan import Mover
from descheduler.execute import Hands, recover
from descheduler.federation.kube_hands import LiveHands
from descheduler.federation.kube_store import ClusterStore
from tests.cluster.acting import DEPLOY, Acting, a_move, a_placement, install, plan_of, recover_job_succeeded
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.objects import a_node, a_pod, a_workload
from tests.cluster.proxy import Call, Proxy, proxy

CPU = {"cpu": "1", "memory": "1Gi"}
VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
Right = tuple[str, str, str]
"""(API group, resource, verb)."""


@pytest.fixture
def front(east: Cluster, binaries: Binaries, tmp_path: Path) -> Iterator[Proxy]:
    install(east, binaries, tmp_path, "hold")
    recover_job_succeeded(east)
    east.namespace("shop")
    east.add_nodes(*(a_node(name, {"cpu": "4", "memory": "8Gi"}) for name in ("a", "b")))
    with proxy(east) as told:
        told.kubeconfig(tmp_path / "kubeconfig", east.token_of("descheduler", "descheduler"))
        yield told


def test_every_right_that_is_granted_is_used_and_nothing_else_is_needed(front: Proxy, east: Cluster, tmp_path: Path) -> None:
    acting = Acting(east, tmp_path / "kubeconfig")
    east.api.create(a_workload("web", "shop", 1, CPU))
    east.api.create(a_workload("api", "shop", 1, CPU))
    east.api.create(a_workload("db", "shop", 1, CPU, kind="StatefulSet"))
    east.api.create(a_pod("bare", "shop", CPU, labels={"app": "bare"}))
    steps = []
    for app, mover in (("web", Mover.SURGE), ("db", Mover.HOLD), ("bare", Mover.RECREATE)):
        (pod,) = acting.running(app)
        steps.append(a_move(pod, "b" if pod["spec"]["nodeName"] == "a" else "a", mover=mover))
    (api,) = acting.running("api")
    store = ClusterStore(acting.fleet(), SystemClock())

    outcome = acting.act(*steps)
    east.api.patch(f"/api/v1/nodes/{api['spec']['nodeName']}", {"spec": {"unschedulable": True}})
    evicted = acting.act(a_move(api, "b" if api["spec"]["nodeName"] == "a" else "a", mover=Mover.EVICT))
    east.api.patch(f"/api/v1/nodes/{api['spec']['nodeName']}", {"spec": {"unschedulable": None}})
    a_reserved_place(acting)
    a_copy_in_vain(acting)
    fleet = acting.fleet()
    store.acquire("east", "run")
    assert store.halted("east") is None
    assert store.save("east", {"moves": []}) is None
    assert store.save("east", {"moves": []}) is None
    assert store.load("east") == {"moves": []}
    store.release("east", "run")
    hands = Hands(actuator=LiveHands(fleet), store=store)
    assert [result.outcome for result in recover(fleet.snapshot(), fleet, hands, SystemClock(), "recovery")] == []

    assert outcome.complete, outcome
    assert evicted.complete, evicted
    assert plan_of(east, "sha256:0").moves == ()
    assert {right for call in front.calls for right in used(call)} - READS == granted() - READS


def a_reserved_place(acting: Acting) -> None:
    """A waiting pod whose place is kept by a gated copy."""
    api = acting.cluster.api
    api.create(a_workload("wide", "shop", 1, {"cpu": "3", "memory": "1Gi"}, nodeSelector={"slot": "one"}))
    acting.cluster.add_nodes(a_node("c", {"cpu": "4", "memory": "8Gi"}, labels={"slot": "one"}), a_node("d", {"cpu": "3", "memory": "8Gi"}))
    (wide,) = acting.running("wide")
    api.patch("/api/v1/nodes/d", {"metadata": {"labels": {"slot": "one"}}})
    api.create(a_workload("big", "shop", 1, {"cpu": "4", "memory": "1Gi"}, nodeSelector={"slot": "one"}))
    (big,) = acting.waiting("big")
    outcome = acting.act(a_move(wide, "d", room_for=[big]), a_placement(big, "c", mover=Mover.SURGE, wave=2))
    assert outcome.complete, outcome


def a_copy_in_vain(acting: Acting) -> None:
    """A copy that is not long enough Ready in time is taken away."""
    slow = a_workload("slow", "shop", 1, {"cpu": "100m", "memory": "1Gi"})
    slow["spec"]["minReadySeconds"] = 60
    acting.cluster.api.create(slow)
    (pod,) = acting.running("slow")
    outcome = acting.act(a_move(pod, "b" if pod["spec"]["nodeName"] == "a" else "a"), patience=timedelta(seconds=3))
    assert [result.outcome for result in outcome.results] == ["Blocked"], outcome


def used(call: Call) -> list[Right]:
    """The right that a call takes."""
    if call.path == "/version" or call.path.endswith(("/selfsubjectreviews", "/selfsubjectaccessreviews")):
        return []
    parts = call.path.strip("/").split("/")
    group, rest = ("", parts[2:]) if parts[0] == "api" else (parts[1], parts[3:])
    if not rest:
        return []  # discovery
    if rest[0] == "namespaces" and len(rest) > 2:
        rest = rest[2:]
    resource = rest[0] if len(rest) < 3 else f"{rest[0]}/{rest[2]}"
    looked = "watch" if call.query.get("watch") else "get" if len(rest) > 1 else "list"
    return [(group, resource, VERBS.get(call.method, looked))]


def rules(folder: str) -> set[Right]:
    found = set()
    for path in (DEPLOY / folder).glob("*.yaml"):
        for document in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            if document and document["kind"] in ("Role", "ClusterRole"):
                for rule in document["rules"]:
                    found |= {(g, r, v) for g in rule["apiGroups"] for r in rule["resources"] for v in rule["verbs"]}
    return found


READS = rules("base")
"""The reader's rights; another test keeps them equal to what is read."""


def granted() -> set[Right]:
    return rules("base") | rules("mover") | rules("hold")
