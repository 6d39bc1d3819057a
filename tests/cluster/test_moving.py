"""Every mover on a real control plane, under the shipped mover account."""

from __future__ import annotations

from pathlib import Path

import pytest

from descheduler.domain.plan import Move, Mover, Placed
from tests.cluster.acting import CRON_JOB, Acting, a_move, a_placement, install, is_refused, recover_job_succeeded, two_nodes, watching
from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.objects import a_node, a_workload
from tests.cluster.proxy import Call, proxy

CPU = {"cpu": "1", "memory": "1Gi"}


@pytest.fixture
def acting(east: Cluster, binaries: Binaries, tmp_path: Path) -> Acting:
    """Two nodes, the namespace ``shop``, and the mover installed."""
    kubeconfig = install(east, binaries, tmp_path)
    east.namespace("shop")
    two_nodes(east)
    return Acting(east, kubeconfig)


def test_a_surge_moves_a_pod_and_never_one_replica_is_missing(acting: Acting) -> None:
    acting.cluster.api.create(a_workload("web", "shop", 2, CPU))
    first, second = acting.running("web", 2)
    source = first["spec"]["nodeName"]
    target = "b" if source == "a" else "a"
    other = second["spec"]["nodeName"]

    with watching(acting.cluster, "web") as ready:
        outcome = acting.act(a_move(first, target))

    assert [(result.outcome, result.node) for result in outcome.results] == [("Done", target)], outcome
    assert acting.nodes_of("web") == sorted([target, other])
    assert min(ready) == 2
    assert acting.leftovers() == []


def a_hole_in_the_wrong_place(acting: Acting) -> tuple[Object, str, str, Object]:
    """``small`` sits on one node; beside ``rest`` there is just room for it on the other; ``big`` needs a whole node, and waits."""
    acting.cluster.api.create(a_workload("small", "shop", 1, CPU))
    (small,) = acting.running("small")
    source = small["spec"]["nodeName"]
    target = "b" if source == "a" else "a"
    acting.cluster.api.create(a_workload("rest", "shop", 1, CPU, nodeSelector={"kubernetes.io/hostname": target}))
    acting.running("rest")
    acting.cluster.api.create(a_workload("big", "shop", 1, {"cpu": "2", "memory": "1Gi"}))
    (big,) = acting.waiting("big")
    return small, source, target, big


def test_a_waiting_pod_gets_exactly_its_node(acting: Acting) -> None:
    small, source, target, big = a_hole_in_the_wrong_place(acting)

    with watching(acting.cluster, "small") as ready:
        outcome = acting.act(a_move(small, target, room_for=[big]), a_placement(big, source, mover=Mover.SURGE, wave=2))

    assert {(result.outcome, result.node) for result in outcome.results} == {("Done", target), ("Done", source)}, outcome
    assert (acting.nodes_of("small"), acting.nodes_of("big")) == ([target], [source])
    assert min(ready) == 1
    assert acting.leftovers() == []


def test_waiting_siblings_get_their_nodes_one_after_the_other(acting: Acting) -> None:
    """The Deployment's status is behind for a moment when the first copy was adopted: that is no rollout."""
    api, small = acting.cluster.api, {"cpu": "1", "memory": "8Gi"}
    acting.cluster.add_nodes(a_node("e", {"cpu": "2", "memory": "8Gi"}), *(a_node(name, small) for name in ("c", "d", "f")))
    for app, node in (("one", "a"), ("two", "b"), ("three", "e")):
        term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
        prefers = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]}}
        api.create(a_workload(app, "shop", 1, CPU, affinity=prefers))
        acting.running(app)
    api.create(a_workload("big", "shop", 3, {"cpu": "2", "memory": "1Gi"}))
    api.wait("/api/v1/namespaces/shop/pods", lambda pods: sum(map(is_refused, pods)) == 3, labelSelector="app=big")
    waiting = acting.waiting("big")
    steps: list[Move | Placed] = []
    for app, source, target, big in zip(("one", "two", "three"), "abe", "cdf", waiting, strict=True):
        (pod,) = acting.pods(app)
        steps += [a_move(pod, target, room_for=[big]), a_placement(big, source, mover=Mover.SURGE, wave=2)]

    outcome = acting.act(*steps)

    assert outcome.complete, outcome
    assert acting.nodes_of("big") == ["a", "b", "e"]
    assert acting.leftovers() == []


def test_an_evicted_pod_is_waited_for_and_the_scheduler_binds_the_waiting_one(acting: Acting) -> None:
    small, source, target, big = a_hole_in_the_wrong_place(acting)
    acting.cluster.api.patch(f"/api/v1/nodes/{source}", {"spec": {"unschedulable": True}})

    outcome = acting.act(a_move(small, target, mover=Mover.EVICT))
    acting.cluster.api.patch(f"/api/v1/nodes/{source}", {"spec": {"unschedulable": None}})
    bound = acting.act(a_placement(big, source))

    assert [(result.outcome, result.node) for result in (*outcome.results, *bound.results)] == [("Done", target), ("Done", source)]
    assert (acting.nodes_of("small"), acting.nodes_of("big")) == ([target], [source])
    assert acting.leftovers() == []


# Hold.


@pytest.fixture
def holding(east: Cluster, binaries: Binaries, tmp_path: Path) -> Acting:
    """Two nodes, the namespace ``shop``, and the mover with all that Hold needs."""
    kubeconfig = install(east, binaries, tmp_path, "hold")
    recover_job_succeeded(east)
    east.namespace("shop")
    two_nodes(east)
    return Acting(east, kubeconfig)


def test_a_held_pod_of_a_stateful_set_goes_to_exactly_its_node(holding: Acting) -> None:
    holding.cluster.api.create(a_workload("db", "shop", 1, CPU, kind="StatefulSet"))
    (db,) = holding.running("db")
    source = db["spec"]["nodeName"]
    target = "b" if source == "a" else "a"

    outcome = holding.act(a_move(db, target, mover=Mover.HOLD))

    assert [(result.outcome, result.node) for result in outcome.results] == [("Done", target)], outcome
    assert [(pod["metadata"]["name"], pod["spec"]["nodeName"]) for pod in holding.pods("db")] == [("db-0", target)]
    assert holding.held() == []
    assert holding.leftovers() == []


def test_hold_is_offered_only_while_somebody_would_release_what_a_dead_run_held(holding: Acting) -> None:
    api = holding.cluster.api

    def offered() -> bool:
        (cluster,) = holding.fleet().snapshot().clusters
        return "Hold" in (cluster.movers or ())

    with_all = offered()
    api.patch(f"{CRON_JOB}/status", {"status": {"lastSuccessfulTime": "2026-01-01T00:00:00Z"}})
    with_a_stale_job = offered()
    api.patch(f"{CRON_JOB}/status", {"status": {"lastSuccessfulTime": "2126-01-01T00:00:00Z"}})
    with_a_clock_that_is_wrong = offered()
    recover_job_succeeded(holding.cluster)
    binding = "/apis/admissionregistration.k8s.io/v1/mutatingadmissionpolicybindings/placement-hold.fleet.descheduler.io"
    api.delete(binding)

    assert (with_all, with_a_stale_job, with_a_clock_that_is_wrong, offered()) == (True, False, False, False)


def test_hold_works_where_the_server_knows_admission_policies_as_v1beta1_only(east: Cluster, binaries: Binaries, tmp_path: Path) -> None:
    """A server of 1.36 does not start without v1: here the tool is kept from seeing it, as a server of 1.34 or 1.35 would."""
    install(east, binaries, tmp_path, "hold-v1beta1")
    recover_job_succeeded(east)
    east.namespace("shop")
    two_nodes(east)
    east.api.create(a_workload("db", "shop", 1, CPU, kind="StatefulSet"))
    with proxy(east) as front:
        holding = Acting(east, front.kubeconfig(tmp_path / "through", east.token_of("descheduler", "descheduler")))
        front.spoil(is_admission_v1, instead=lambda call: (404, {"kind": "Status", "code": 404, "reason": "NotFound"}, {}), times=99)
        (cluster,) = holding.fleet().snapshot().clusters
        (db,) = holding.running("db")
        target = "b" if db["spec"]["nodeName"] == "a" else "a"

        outcome = holding.act(a_move(db, target, mover=Mover.HOLD))

    assert "Hold" in (cluster.movers or ())
    assert any("/v1beta1/mutatingadmissionpolicies/" in call.path for call in front.calls)
    assert any(map(is_admission_v1, front.calls))
    assert [(result.outcome, result.node) for result in outcome.results] == [("Done", target)], outcome
    assert holding.leftovers() == []


def is_admission_v1(call: Call) -> bool:
    return call.path.startswith("/apis/admissionregistration.k8s.io/v1/")
