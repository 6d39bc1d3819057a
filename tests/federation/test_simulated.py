"""The simulated fleet behaves as clusters do: it binds eagerly, replaces what is gone, guards budgets and takes holds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from descheduler.domain.marks import DELETION_COST, HOLD_API, HOLD_GATE, HOLD_KIND, HOLD_NAME, HOLD_NAMESPACE, HOSTNAME, MINIMAL_COST, PIN
from descheduler.domain.objects import NodeRef, Pod, PodRef
from descheduler.domain.selectors import HostPort, Taint
from descheduler.domain.snapshot import Snapshot, digest
from descheduler.federation.simulated import SimulatedFleet
from descheduler.ports import Actuator, Object, Reader, Store
from tests.builders import HASH, ZONE, a_budget, a_deployment, a_node, a_pod, a_snapshot, apart_from, spread_over
from tests.fakes import FakeClock


def a_fleet(*things: Any, **more: Any) -> SimulatedFleet:
    return SimulatedFleet(a_snapshot(*things), FakeClock(), **more)


def the(pod: Pod, kind: str = "Pod") -> Object:
    return Object(cluster=pod.ref.cluster, kind=kind, namespace=pod.ref.namespace, name=pod.ref.name, uid=pod.uid)


def where(snapshot: Snapshot) -> dict[str, str | None]:
    return {pod.ref.name: pod.node for pod in snapshot.pods()}


def a_copy(name: str, labels: Mapping[str, str], *, on: str, cpu: int = 1) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default", "labels": dict(labels), "annotations": {PIN: on}}
    containers = [{"name": "main", "resources": {"requests": {"cpu": f"{cpu}m"}}}]
    return {"kind": "Pod", "metadata": meta, "spec": {"containers": containers, "nodeSelector": {HOSTNAME: on}}}


def test_it_stands_behind_all_three_ports() -> None:
    fleet = a_fleet()

    ports: tuple[Reader, Actuator, Store] = (fleet, fleet, fleet)

    assert ports == (fleet, fleet, fleet)


def test_a_fleet_left_alone_is_its_snapshot() -> None:
    snapshot = a_snapshot(a_node("n", cpu=1), a_pod("a", on="n", cpu=1, of="web"), a_pod("b", cpu=1, of="web"), a_budget("web"))

    fleet = SimulatedFleet(snapshot, FakeClock())

    assert fleet.pods("east", "default")
    assert digest(fleet.snapshot()) == digest(a_snapshot(*snapshot.clusters[0].nodes, *snapshot.pods(), a_budget("web", healthy=1)))


def test_a_waiting_pod_takes_the_room_an_evicted_one_leaves() -> None:
    squatter = a_pod("squatter", on="n", cpu=2)
    fleet = a_fleet(a_node("n", cpu=3), squatter, a_pod("big", cpu=3))

    answer = fleet.evict(the(squatter))

    assert answer.code == 201
    assert where(fleet.snapshot()) == {"big": "n"}


def test_the_higher_priority_goes_first_then_the_older_one() -> None:
    gone = a_pod("gone", on="n", cpu=1)
    low, high = a_pod("low", cpu=1), a_pod("high", cpu=1, priority=5)
    fleet = a_fleet(a_node("n", cpu=1), gone, low, high)

    fleet.delete(the(gone))

    assert where(fleet.snapshot()) == {"low": None, "high": "n"}


@pytest.mark.parametrize(
    "waiting",
    [
        a_pod("waiting", cpu=1, gates=["example.com/later"]),
        a_pod("waiting", cpu=1, scheduler="other"),
        a_pod("waiting", cpu=1, opaque="spec.resourceClaims"),
        a_pod("waiting", cpu=1, waits_for_claim="claim data is unbound"),
        a_pod("waiting", cpu=2),
        a_pod("waiting", cpu=1, node_selector={"disk": "ssd"}),
        a_pod("waiting", cpu=1, labels={"app": "web"}, anti_affinity=[apart_from(app="web")]),
        a_pod("waiting", cpu=1, labels={"app": "loner"}),
        a_pod("waiting", cpu=1, spread=[spread_over()]),
    ],
    ids=["gated", "scheduler", "opaque", "claim", "size", "selector", "anti-affinity", "symmetry", "spread"],
)
def test_what_does_not_fit_stays_waiting(waiting: Pod) -> None:
    gone = a_pod("gone", on="n", cpu=1)
    loner = a_pod("loner", on="n", anti_affinity=[apart_from(app="loner")], labels={"app": "web"})
    fleet = a_fleet(a_node("n", cpu=1), gone, loner, waiting)

    fleet.delete(the(gone))

    assert where(fleet.snapshot())["waiting"] is None


def test_every_profile_of_the_cluster_binds_its_pods() -> None:
    snapshot = a_snapshot(a_node("n", cpu=2), a_pod("theirs", cpu=1, scheduler="other"), a_pod("told", cpu=1, scheduler="batch"))
    (east,) = snapshot.clusters
    told = replace(snapshot, clusters=(replace(east, schedulers=("default-scheduler", "batch")),))

    fleet = SimulatedFleet(told, FakeClock())

    assert fleet.pods("east", "default")
    assert where(fleet.snapshot()) == {"theirs": None, "told": "n"}


@pytest.mark.parametrize(
    "node",
    [
        a_node("other", unschedulable=True),
        a_node("other", ready=False),
        a_node("other", closed="is being deleted"),
        a_node("other", taints=[Taint("dedicated", "gpu")]),
        a_node("other", pods=0),
    ],
    ids=["cordon", "readiness", "closed", "taint", "pods"],
)
def test_a_node_that_takes_nobody_takes_nobody(node: Any) -> None:
    gone = a_pod("gone", on="n", of="web", cpu=1)
    fleet = a_fleet(a_node("n", cpu=1), node, gone, a_pod("rival", priority=1, cpu=1, node_selector={HOSTNAME: "n"}))

    fleet.evict(the(gone))

    assert where(fleet.snapshot()) == {"rival": "n", f"web-{HASH}-00001": None}


def test_a_nominated_pod_keeps_lower_and_equal_priorities_out_but_not_higher_ones() -> None:
    for priority, node in ((0, None), (5, None), (6, "n")):
        gone = a_pod("gone", on="n", cpu=1)
        keeper = a_pod("keeper", cpu=1, priority=5, gates=["g"], nominated="n")
        fleet = a_fleet(a_node("n", cpu=1), gone, keeper, a_pod("rival", cpu=1, priority=priority))

        fleet.delete(the(gone))

        assert where(fleet.snapshot())["rival"] == node


def test_spread_counts_domains_not_nodes() -> None:
    nodes = [a_node("a1", zone="a"), a_node("a2", zone="a"), a_node("b", zone="b", cpu=1)]
    web = [a_pod(f"web-{i}", on=n, of="web", spread=[spread_over(app="web")]) for i, n in enumerate(["a1", "b"])]
    filler = a_pod("filler", on="b", cpu=1)
    waiting = [a_pod(f"late-{i}", of="web", cpu=1, spread=[spread_over(app="web")], priority=-i) for i in range(2)]
    fleet = a_fleet(*nodes, *web, filler, *waiting)

    fleet.pods("east", "default")

    zones = [dict(next(n.labels for n in nodes if n.ref.name == node))[ZONE] for node in where(fleet.snapshot()).values() if node]
    assert sorted(zones) == ["a", "a", "b", "b"]


def test_an_adversary_lets_anyone_take_the_contested_node() -> None:
    gone, planned = a_pod("gone", on="hole", cpu=2), a_pod("planned", cpu=2, priority=9)
    stranger = a_pod("stranger", cpu=1, scheduler="other")
    nodes = [a_node("hole", cpu=2), a_node("roomy", cpu=1)]
    taken = set()
    for seed in range(10):
        fleet = a_fleet(*nodes, gone, planned, stranger, a_pod("squatter", on="roomy", cpu=1), seed=seed, choice="adversarial")
        fleet.evict(the(gone))
        taken.add(where(fleet.snapshot())["planned"])

    assert taken == {"hole", None}


def test_an_adversary_prefers_a_contested_node_to_a_fuller_one() -> None:
    contested = [NodeRef("east", "wanted")]
    fleet = a_fleet(
        a_node("wanted", cpu=9), a_node("full", cpu=1), a_node("east", cpu=9), a_pod("p", cpu=1), choice="adversarial", contested=contested
    )

    fleet.pods("east", "default")

    assert where(fleet.snapshot()) == {"p": "wanted"}


def test_a_replica_set_replaces_a_pod_that_is_gone() -> None:
    cart = a_pod("cart", on="n", of="shop")
    fleet = a_fleet(a_node("n"), cart, a_pod("till", on="n", of="shop"))

    fleet.evict(the(cart))

    (new,) = [pod for pod in fleet.snapshot().pods() if pod.ref.name not in ("cart", "till")]
    assert (new.node, new.ready, new.owner, new.labels) == ("n", True, cart.owner, cart.labels)


def test_a_stateful_set_brings_the_name_back_with_another_uid_when_the_old_one_is_gone() -> None:
    clock, db = FakeClock(), a_pod("db-0", on="n", of="db", kind="StatefulSet")
    fleet = SimulatedFleet(a_snapshot(a_node("n"), db), clock, grace=timedelta(seconds=30))

    fleet.evict(the(db))
    during = next(fleet.snapshot().pods())
    clock.sleep(timedelta(seconds=30))
    fleet.read(the(db))
    after = next(fleet.snapshot().pods())

    assert (during.uid, during.terminating) == (db.uid, True)
    assert (after.ref, after.node, after.uid != db.uid) == (db.ref, "n", True)


def test_a_pod_that_takes_time_to_start_is_ready_later() -> None:
    clock = FakeClock()
    fleet = SimulatedFleet(a_snapshot(a_node("n"), a_pod("p")), clock, start_delay=timedelta(seconds=10))

    fleet.pods("east", "default")
    at_first = next(fleet.snapshot().pods())
    clock.sleep(timedelta(seconds=10))
    fleet.pods("east", "default")
    later = next(fleet.snapshot().pods())

    assert (at_first.node, at_first.phase, at_first.ready) == ("n", "Pending", False)
    assert (later.phase, later.ready) == ("Running", True)


def test_an_adopted_copy_makes_its_replica_set_drop_the_cheapest_pod() -> None:
    cart, till = a_pod("cart", on="a", of="shop", cpu=1), a_pod("till", on="a", of="shop", cpu=1)
    fleet = a_fleet(a_node("a"), a_node("b"), cart, till)
    labels = dict(cart.labels)
    hashed = labels.pop("pod-template-hash")

    made = fleet.create("east", a_copy("copy", labels, on="b")).body
    fleet.patch(the(cart), {"metadata": {"annotations": {DELETION_COST: str(MINIMAL_COST)}}})
    before = where(fleet.snapshot())
    copy = Object(cluster="east", kind="Pod", namespace="default", name="copy", uid=made["metadata"]["uid"])
    fleet.patch(copy, {"metadata": {"labels": {"pod-template-hash": hashed}}})

    assert before == {"cart": "a", "till": "a", "copy": "b"}
    assert where(fleet.snapshot()) == {"till": "a", "copy": "b"}


def test_an_adopted_copy_that_is_not_ready_is_itself_dropped() -> None:
    cart = a_pod("cart", on="a", of="shop", cpu=1)
    fleet = a_fleet(a_node("a"), a_node("b", cpu=0), cart)

    fleet.create("east", a_copy("copy", dict(cart.labels), on="b"))

    assert where(fleet.snapshot()) == {"cart": "a"}


def test_a_pin_is_seen_by_the_next_reading_while_the_pod_waits() -> None:
    fleet = a_fleet(a_node("a", cpu=9), a_node("b", cpu=0))

    fleet.create("east", a_copy("copy", {}, on="b"))

    (copy,) = fleet.snapshot().pods()
    body = fleet.read(the(copy))
    assert (copy.node, copy.spec.node_selector, dict(copy.annotations)) == (None, ((HOSTNAME, "b"),), {PIN: "b"})
    assert body is not None
    assert body["spec"]["nodeSelector"] == {HOSTNAME: "b"}


def test_a_pin_is_not_seen_by_the_next_reading_once_the_pod_runs() -> None:
    fleet = a_fleet(a_node("a", cpu=9), a_node("b", cpu=9))

    fleet.create("east", a_copy("copy", {}, on="b"))

    (copy,) = fleet.snapshot().pods()
    assert (copy.node, copy.spec.node_selector, dict(copy.annotations)) == ("b", (), {PIN: "b"})


def test_a_created_pod_is_read_back_as_its_sibling() -> None:
    asks: dict[str, Any] = {"spread": [spread_over(app="shop")], "node_selector": {"d": "s"}}
    asks |= {"host_ports": [HostPort("UDP", "10.0.0.1", 53)]}
    asks |= {"affinity": [apart_from(ZONE, app="shop")], "anti_affinity": [apart_from(ZONE, app="other")]}
    cart = a_pod("cart", on="a", of="shop", cpu=250, memory=7, priority=3, **asks)
    cart = replace(cart, spec=replace(cart.spec, priority_class="high"))
    fleet = a_fleet(a_node("a", labels={"d": "s"}), cart)
    set_of = Object(cluster="east", kind="ReplicaSet", namespace="default", name=f"shop-{HASH}")

    replica_set = fleet.read(set_of)
    assert replica_set is not None
    template = replica_set["spec"]["template"]
    meta = {"name": "copy", "namespace": "default", "labels": {"app": "shop"}}
    fleet.create("east", {"kind": "Pod", "metadata": meta, "spec": template["spec"]})

    copy = next(p for p in fleet.snapshot().pods() if p.ref.name == "copy")
    assert (copy.spec, copy.priority) == (cart.spec, 3)


def test_a_budget_refuses_until_the_replacement_is_ready() -> None:
    clock = FakeClock()
    pods = [a_pod(f"p{i}", on="n", of="web") for i in range(2)]
    snapshot = a_snapshot(a_node("n"), *pods, a_budget("web", allowed=1))
    fleet = SimulatedFleet(snapshot, clock, start_delay=timedelta(seconds=5))

    codes = [fleet.evict(the(pods[0])).code, fleet.evict(the(pods[1])).code]
    clock.sleep(timedelta(seconds=5))
    codes.append(fleet.evict(the(pods[1])).code)

    assert codes == [201, 429, 201]


def test_a_dry_run_eviction_is_judged_and_does_nothing() -> None:
    pod = a_pod("p", on="n", of="web")
    open_, closed = a_fleet(a_node("n"), pod, a_budget("web")), a_fleet(a_node("n"), pod, a_budget("web", allowed=0))

    codes = [open_.evict(the(pod), dry_run=True).code, closed.evict(the(pod), dry_run=True).code]

    assert codes == [201, 429]
    assert where(open_.snapshot()) == {"p": "n"}


def test_a_pod_under_two_budgets_is_never_evicted() -> None:
    pod = a_pod("p", on="n", of="web")
    fleet = a_fleet(a_node("n"), pod, a_budget("web", name="one"), a_budget("web", name="two"))

    assert fleet.evict(the(pod)).code == 500


def test_every_verb_refuses_another_uid() -> None:
    pod = a_pod("p", on="n")
    fleet = a_fleet(a_node("n"), pod)
    other = Object(cluster="east", kind="Pod", namespace="default", name="p", uid="another")

    assert [fleet.evict(other).code, fleet.delete(other).code, fleet.patch(other, {}).code] == [409, 409, 409]


def test_a_held_controllers_new_pods_are_gated_and_leave_by_a_guarded_patch() -> None:
    db = a_pod("db-0", on="a", of="db", kind="StatefulSet")
    assert db.owner is not None
    fleet = a_fleet(a_node("a"), a_node("b"), db)
    meta = {"name": HOLD_NAME, "namespace": HOLD_NAMESPACE}
    fleet.create("east", {"apiVersion": HOLD_API, "kind": HOLD_KIND, "metadata": meta, "spec": {"ownerUIDs": [db.owner.uid]}})

    fleet.evict(the(db))
    (held,) = fleet.snapshot().pods()
    stale = fleet.patch(the(held), {"metadata": {"resourceVersion": "99"}, "spec": {"schedulingGates": []}})
    added = fleet.patch(the(held), {"spec": {"schedulingGates": [{"name": HOLD_GATE}, {"name": "more"}]}})
    pin = {"metadata": {"annotations": {PIN: "b"}}, "spec": {"nodeSelector": {HOSTNAME: "b"}, "schedulingGates": []}}
    released = fleet.patch(the(held), pin)

    assert (held.gates, held.node) == ((HOLD_GATE,), None)
    assert [stale.code, added.code, released.code] == [409, 422, 200]
    assert where(fleet.snapshot()) == {"db-0": "b"}


def test_failure_can_be_rehearsed() -> None:
    pod = a_pod("p", on="n", of="web")
    fleet = a_fleet(a_node("n"), pod)
    fleet.refuse_next("evict", code=429, retry_after=10)
    fleet.before_next("patch", lambda: fleet.remove(pod.ref))

    refused = fleet.evict(the(pod))
    late = fleet.patch(the(pod), {})
    fleet.unknown_next("create")
    unknown = fleet.create("east", a_copy("copy", {}, on="n"))
    fleet.lose_node("east", "n")

    assert (refused.code, refused.retry_after_seconds, late.code) == (429, 10, 404)
    assert (unknown.unknown, "copy" in where(fleet.snapshot())) == (True, True)
    assert not any(pod.ready for pod in fleet.snapshot().pods())
    assert [(call.verb, call.code) for call in fleet.log] == [("evict", 429), ("patch", 404), ("create", 0)]


def test_the_same_seed_tells_the_same_story() -> None:
    def story(seed: int) -> dict[str, str | None]:
        gone = [a_pod(f"gone-{i}", on=f"n{i}", cpu=4, of="web") for i in range(4)]
        fleet = a_fleet(*[a_node(f"n{i}", cpu=8) for i in range(4)], *gone, seed=seed)
        for pod in gone:
            fleet.evict(the(pod))
        return where(fleet.snapshot())

    assert story(1) == story(1)
    assert len({tuple(sorted(story(seed).items(), key=str)) for seed in range(5)}) > 1


def test_a_lease_is_held_by_one() -> None:
    fleet = a_fleet()

    taken = [fleet.acquire("east", "me"), fleet.acquire("east", "you")]
    fleet.release("east", "you")
    fleet.release("east", "me")

    assert taken == [None, "the Lease of east is held elsewhere, by me"]
    assert fleet.acquire("east", "you") is None


def test_a_scaled_down_replica_set_drops_the_waiting_pod_first() -> None:
    running, waiting = a_pod("running", on="n", of="web", cpu=1), a_pod("waiting", of="web", cpu=1)
    fleet = a_fleet(a_node("n", cpu=1), running, waiting, a_deployment("web", replicas=2))

    fleet.scale("east", "default", "ReplicaSet", f"web-{HASH}", 1)

    assert [pod.ref for pod in fleet.snapshot().pods()] == [PodRef("east", "default", "running")]
