"""What can go wrong while a plan is carried out, against a real API server: each fault has its answer, and none costs a pod."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from descheduler.clock import SystemClock
from descheduler.domain.plan import Move, Mover, Placed
from descheduler.domain.report import Outcome
from descheduler.federation.kube_store import ClusterStore
from descheduler.federation.standalone import LiveFleet
from tests.cluster.acting import Acting, a_move, a_placement, install, is_ready, two_nodes, watching
from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import SCHEDULER, Cluster
from tests.cluster.controlplane.objects import a_node, a_pod, a_workload
from tests.cluster.proxy import Call, Proxy, proxy
from tests.cluster.webhook import change, denial, webhook

CPU = {"cpu": "1", "memory": "1Gi"}
SHORT = timedelta(seconds=8)
PODS = "/api/v1/namespaces/shop/pods"


class Stage(Acting):
    """Acting through a proxy."""

    front: Proxy


@pytest.fixture
def stage(east: Cluster, binaries: Binaries, tmp_path: Path) -> Iterator[Stage]:
    install(east, binaries, tmp_path)
    east.namespace("shop")
    two_nodes(east)
    with proxy(east) as front:
        told = Stage(east, front.kubeconfig(tmp_path / "through", east.token_of("descheduler", "descheduler")))
        told.front = front
        yield told


def one(stage: Stage, app: str = "web", **fields: Any) -> tuple[Object, str, str]:
    """The only pod of a Deployment, its node, and the other node."""
    stage.cluster.api.create(a_workload(app, "shop", 1, CPU, **fields))
    (pod,) = stage.running(app)
    here = pod["spec"]["nodeName"]
    return pod, here, "b" if here == "a" else "a"


def status(code: int, reason: str, message: str, *causes: str) -> Object:
    details = {"causes": [{"reason": cause, "message": cause} for cause in causes]}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "code": code,
        "reason": reason,
        "message": message,
        "details": details,
    }


def is_eviction(call: Call) -> bool:
    return call.path.endswith("/eviction")


def is_copy(call: Call) -> bool:
    return call.changes and call.method == "POST" and call.path == PODS


def is_trial(call: Call) -> bool:
    return call.method == "POST" and call.path == PODS and "dryRun" in call.query


def patches(word: str) -> Callable[[Call], bool]:
    return lambda call: call.changes and call.method == "PATCH" and "/pods/" in call.path and word in str(call.body)


def result_of(outcome: Outcome) -> tuple[str, str]:
    (result,) = outcome.results
    return result.outcome, result.message


def untouched(stage: Stage, pod: Object, app: str = "web") -> bool:
    """Whether the pod is where it was, alone, with nothing left on it."""
    return [p["metadata"]["uid"] for p in stage.pods(app)] == [pod["metadata"]["uid"]] and stage.leftovers() == []


# Eviction: the answers of kubernetes.md section 2.


def evicting(stage: Stage, patience: timedelta = timedelta(seconds=40)) -> tuple[Object, str, Outcome]:
    """Evict the only pod of a Deployment, whose successor finds only the other node."""
    pod, here, there = one(stage)
    stage.cluster.api.patch(f"/api/v1/nodes/{here}", {"spec": {"unschedulable": True}})
    return pod, there, stage.act(a_move(pod, there, mover=Mover.EVICT), patience=patience)


BUDGET = status(429, "TooManyRequests", "The disruption budget web is still being processed by the server.", "DisruptionBudget")
PASSING: dict[str, dict[str, Any]] = {
    "429 over a budget, with Retry-After": {"instead": lambda call: (429, BUDGET, {"Retry-After": "1"})},
    "429 of a server that is too busy": {"instead": lambda call: (429, status(429, "TooManyRequests", "later"), {"Retry-After": "1"})},
    "500 after conflicts over the budget": {"instead": lambda call: (500, status(500, "ServerTimeout", "couldn't update PDB"), {})},
    "504": {"instead": lambda call: (504, status(504, "Timeout", "request did not complete"), {})},
    "a connection cut before the server acted": {"instead": lambda call: None},
    "a connection cut after the server acted": {"lose": True},
}


@pytest.mark.parametrize("fault", PASSING)
def test_an_eviction_outlives_what_passes(fault: str, stage: Stage) -> None:
    stage.front.spoil(is_eviction, **PASSING[fault])

    _, there, outcome = evicting(stage)

    assert result_of(outcome) == ("Done", ""), fault
    assert stage.nodes_of("web") == [there]
    assert sum(is_eviction(call) for call in stage.front.calls) == (1 if "after the server acted" in fault else 2)


def test_an_eviction_that_comes_about_after_its_server_gave_up_is_seen_to_its_end(stage: Stage) -> None:
    """The server said 504 and went on; the pod was still there when we looked."""
    begun: list[str] = []

    def gave_up(call: Call) -> tuple[int, Any, dict[str, str]]:
        begun.append(call.path.removesuffix("/eviction"))
        return 504, status(504, "Timeout", "request did not complete"), {}

    stage.front.spoil(is_eviction, instead=gave_up)
    stage.front.spoil(lambda call: call.method == "GET" and call.path in begun, after=lambda call: stage.cluster.api.delete(call.path))

    _, there, outcome = evicting(stage)

    assert result_of(outcome) == ("Done", "")
    assert stage.nodes_of("web") == [there]
    assert sum(is_eviction(call) for call in stage.front.calls) == 1


REFUSING: dict[str, tuple[int, str, str]] = {
    "409: another pod by now": (409, "Conflict", "the UID in the precondition does not match"),
    "403: not allowed, or a budget with a negative allowance": (403, "Forbidden", "you may not"),
    "500: an internal error": (500, "InternalError", "This pod has more than one PodDisruptionBudget"),
}


@pytest.mark.parametrize("fault", REFUSING)
def test_an_eviction_that_is_refused_is_not_tried_again(fault: str, stage: Stage) -> None:
    code, reason, message = REFUSING[fault]
    stage.front.spoil(is_eviction, instead=lambda call: (code, status(code, reason, message), {}), times=9)

    pod, _, outcome = evicting(stage)

    assert result_of(outcome)[0] == "Blocked"
    assert message in result_of(outcome)[1]
    assert untouched(stage, pod)
    assert sum(is_eviction(call) for call in stage.front.calls) == 1


def a_budget(name: str) -> Object:
    spec = {"minAvailable": 1, "selector": {"matchLabels": {"app": "web"}}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": name, "namespace": "shop"}, "spec": spec}


@pytest.mark.parametrize("budgets", [1, 2])
def test_a_real_budget_that_is_closed_and_two_real_budgets_keep_the_pod(budgets: int, stage: Stage) -> None:
    for i in range(budgets):
        stage.cluster.api.create(a_budget(f"web-{i}"))

    pod, _, outcome = evicting(stage, SHORT)

    assert result_of(outcome)[0] == "Blocked"
    assert ("more than one PodDisruptionBudget" if budgets == 2 else "disruption budget") in result_of(outcome)[1]
    assert untouched(stage, pod)
    assert sum(is_eviction(call) for call in stage.front.calls) <= 3  # it does not spin


# Surge.


@pytest.mark.parametrize(
    "fault",
    [
        {"picks": is_copy, "lose": True},
        {"picks": is_copy, "instead": lambda call: (429, status(429, "", "later"), {"Retry-After": "1"})},
        {"picks": is_copy, "instead": lambda call: (409, status(409, "AlreadyExists", "pods web-abcde already exists"), {})},
        {"picks": patches("deletion-cost"), "lose": True},
        {"picks": patches("deletion-cost"), "instead": lambda call: None},
        {"picks": patches("pod-template-hash"), "lose": True},
        {"picks": patches("pod-template-hash"), "instead": lambda call: None},
    ],
)
def test_a_surge_outlives_lost_answers(fault: dict[str, Any], stage: Stage) -> None:
    pod, _, there = one(stage)
    stage.front.spoil(**fault)

    with watching(stage.cluster, "web") as ready:
        outcome = stage.act(a_move(pod, there), patience=timedelta(seconds=40))

    assert result_of(outcome) == ("Done", "")
    assert stage.nodes_of("web") == [there]
    assert min(ready) == 1
    assert stage.leftovers() == []


def quota(stage: Stage) -> None:
    spec = {"hard": {"pods": "1"}}
    stage.cluster.api.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "one", "namespace": "shop"}, "spec": spec})
    path = "/api/v1/namespaces/shop/resourcequotas"
    stage.cluster.api.wait(path, lambda quotas: any(q.get("status", {}).get("used", {}).get("pods") == "1" for q in quotas))


def admission(stage: Stage, kind: str, **spec: Any) -> None:
    """A policy of the cluster about pods that nobody owns."""
    rules = [{"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}]
    whose = [{"name": "nobody-s", "expression": "!has(object.metadata.ownerReferences)"}]
    group = {"apiVersion": "admissionregistration.k8s.io/v1", "metadata": {"name": "theirs"}}
    told = {"matchConstraints": {"resourceRules": rules}, "matchConditions": whose, "failurePolicy": "Fail", **spec}
    stage.cluster.api.create({**group, "kind": f"{kind}AdmissionPolicy", "spec": told})
    actions = {"validationActions": ["Deny"]} if kind == "Validating" else {}
    stage.cluster.api.create({**group, "kind": f"{kind}AdmissionPolicyBinding", "spec": {"policyName": "theirs", **actions}})
    stage.until_admission_works()


def denied(stage: Stage) -> None:
    admission(stage, "Validating", validations=[{"expression": "false", "message": "nobody's pods are not wanted here"}])


def changed(stage: Stage) -> None:
    patch = '[JSONPatch{op: "add", path: "/spec/tolerations/-", value: {"key": "theirs", "operator": "Exists"}}]'
    admission(stage, "Mutating", reinvocationPolicy="Never", mutations=[{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}])


@pytest.mark.parametrize(
    ("hindrance", "reason"),
    [(quota, "exceeded quota"), (denied, "nobody's pods are not wanted here"), (changed, "would differ in tolerations")],
)
def test_a_copy_that_may_not_be_is_found_in_the_dry_run(hindrance: Callable[[Stage], None], reason: str, stage: Stage) -> None:
    pod, _, there = one(stage)
    hindrance(stage)

    outcome = stage.act(a_move(pod, there), patience=SHORT)

    assert result_of(outcome)[0] == "Blocked"
    assert reason in result_of(outcome)[1]
    assert untouched(stage, pod)
    assert not any(is_copy(call) for call in stage.front.calls)


NOT_WANTED = denial("nobody's pods are not wanted here")
THEIRS = change({"op": "add", "path": "/spec/tolerations/-", "value": {"key": "theirs", "operator": "Exists"}})


@pytest.mark.parametrize(("answer", "reason"), [(NOT_WANTED, "nobody's pods are not wanted here"), (THEIRS, "would differ in tolerations")])
def test_a_webhook_that_denies_or_changes_the_copy_is_met_in_the_dry_run(answer: Object, reason: str, stage: Stage) -> None:
    pod, _, there = one(stage)

    with webhook(stage.cluster, answer):
        stage.until_admission_works()
        outcome = stage.act(a_move(pod, there), patience=SHORT)

    assert result_of(outcome)[0] == "Blocked"
    assert reason in result_of(outcome)[1]
    assert untouched(stage, pod)
    assert not any(is_copy(call) for call in stage.front.calls)


DEPLOYMENT = "/apis/apps/v1/namespaces/shop/deployments/web"


def test_a_rollout_that_begins_beside_a_surge_wins(stage: Stage) -> None:
    pod, _, there = one(stage)
    newer = {"spec": {"template": {"metadata": {"annotations": {"version": "2"}}}}}
    stage.front.spoil(is_copy, after=lambda call: stage.cluster.api.patch(DEPLOYMENT, newer))

    outcome = stage.act(a_move(pod, there), patience=SHORT)
    stage.cluster.api.wait(PODS, lambda pods: len(pods) == 1 and is_ready(pods[0]))

    assert result_of(outcome)[0] in ("Blocked", "Failed")
    (only,) = stage.pods("web")
    assert only["metadata"]["annotations"]["version"] == "2"
    assert stage.leftovers() == []


@pytest.mark.parametrize(("before", "after"), [(2, 3), (3, 2)])
@pytest.mark.parametrize("moment", ["deletion-cost", "pod-template-hash"])
def test_a_workload_that_is_scaled_beside_a_surge_has_the_number_it_asks_for(before: int, after: int, moment: str, stage: Stage) -> None:
    stage.cluster.api.create(a_workload("web", "shop", before, {"cpu": "100m", "memory": "1Gi"}))
    pod = stage.running("web", before)[0]
    there = "b" if pod["spec"]["nodeName"] == "a" else "a"
    stage.front.spoil(patches(moment), after=lambda call: stage.cluster.api.patch(DEPLOYMENT, {"spec": {"replicas": after}}))

    with watching(stage.cluster, "web") as ready:
        stage.act(a_move(pod, there), patience=timedelta(seconds=20))
        stage.cluster.api.wait(PODS, lambda pods: len(pods) == after and all(is_ready(p) for p in pods))

    assert min(ready) >= min(before, after)
    assert stage.leftovers() == []


# The destination.


def a_class(stage: Stage, name: str, value: int) -> str:
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": value}
    stage.cluster.api.create(body)
    return name


@pytest.mark.parametrize("priority", [50, 100, 200])
def test_a_rival_that_takes_the_destination_first_is_never_preempted_by_our_copy(priority: int, stage: Stage) -> None:
    """The pod has priority 100. The rival is bound by someone else at the last moment, when the destination has been looked at."""
    a_class(stage, "ours", 100)
    a_class(stage, "theirs", priority)
    pod, _, there = one(stage, priorityClassName="ours")
    low = a_pod("low", "shop", CPU, nodeName=there, priorityClassName="theirs")
    stage.cluster.api.create(low)
    stage.cluster.api.wait(PODS, lambda pods: sum(is_ready(p) for p in pods) == 2)
    rival = a_pod("rival", "shop", CPU, nodeName=there, priorityClassName="theirs")

    def come(call: Call) -> tuple[int, Any, dict[str, str]] | None:
        stage.cluster.api.create(rival)
        stage.cluster.api.wait(PODS, lambda pods: any(p["metadata"]["name"] == "rival" and is_ready(p) for p in pods))
        return None

    stage.front.spoil(lambda call: call.method == "POST" and call.path == PODS and "dryRun" not in call.query, instead=come)

    outcome = stage.act(a_move(pod, there), patience=SHORT)

    assert result_of(outcome)[0] == "Blocked"
    assert {p["metadata"]["name"] for p in stage.pods()} == {"low", "rival", pod["metadata"]["name"]}
    assert stage.leftovers() == []


@pytest.mark.parametrize(("priority", "kept"), [(50, True), (100, True), (200, False)])
def test_a_half_made_hole_is_kept_against_rivals_of_lower_and_equal_priority(priority: int, kept: bool, stage: Stage) -> None:
    """kubernetes.md 1.6: two pods leave one after the other; a rival that fits in half the hole waits for it; the scheduler restarts.

    It forgets the copy that keeps the room, and is reminded before each step that frees some. (What it binds while it starts, with
    half of the room free already, nobody can prevent: then the rest is stopped.)
    """
    a_class(stage, "ours", 100)
    a_class(stage, "theirs", priority)
    stage.cluster.add_nodes(a_node("hole", {"cpu": "2", "memory": "8Gi"}))
    pods = [one_on(stage, "hole", app) for app in ("web", "api")]
    big_one = a_workload("big", "shop", 1, {"cpu": "2", "memory": "1Gi"}, priorityClassName="ours", nodeSelector=only("hole"))
    stage.cluster.api.create(big_one)
    (big,) = stage.waiting("big")
    smaller = a_pod("rival", "shop", CPU, priorityClassName="theirs", nodeSelector=only("hole"), labels={"app": "rival"})
    stage.cluster.api.create(smaller)
    stage.waiting("rival")
    first, second = pods
    steps: list[Move | Placed] = [a_move(first, "a", room_for=[big]), a_move(second, "b", room_for=[big], wave=2)]
    steps.append(a_placement(big, "hole", mover=Mover.SURGE, wave=3))
    about_to, restarted = threading.Event(), threading.Event()

    def pause(call: Call) -> None:
        about_to.set()
        restarted.wait(30)

    stage.front.spoil(patches("deletion-cost"), after=pause)  # the room is kept, and the first pod is about to leave

    with ThreadPoolExecutor(1) as pool:
        acting = pool.submit(stage.act, *steps, patience=timedelta(seconds=30))
        assert about_to.wait(30), acting.result()
        stage.cluster.processes[SCHEDULER].restart()
        restarted.set()
        outcome = acting.result()

    assert outcome.complete == kept, outcome
    assert stage.nodes_of("big") == (["hole"] if kept else ["-"])
    assert stage.nodes_of("rival") == (["-"] if kept else ["hole"])
    assert stage.leftovers() == []


def only(node: str) -> Object:
    return {"kubernetes.io/hostname": node}


def one_on(stage: Stage, node: str, app: str) -> Object:
    """A pod that prefers a node and may go elsewhere."""
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    prefers = {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]}}
    pod, here, _ = one(stage, app, affinity=prefers, priorityClassName="ours")  # or the waiting pod would preempt it
    assert here == node
    return pod


def test_a_destination_that_is_lost_under_way_blocks_the_move_and_nothing_more(stage: Stage) -> None:
    pod, _, there = one(stage)
    # Right after the copy's dry run: a copy that exists already may be bound and Ready before its node is gone.
    stage.front.spoil(is_trial, after=lambda call: stage.cluster.api.delete(f"/api/v1/nodes/{there}"))

    outcome = stage.act(a_move(pod, there), patience=SHORT)

    assert result_of(outcome)[0] == "Blocked"
    assert untouched(stage, pod)


def test_a_pod_that_never_stops_ends_the_wave_and_is_told(stage: Stage) -> None:
    pod, here, there = one(stage)
    stage.cluster.api.patch(f"/api/v1/nodes/{here}", {"spec": {"unschedulable": True}})
    stage.cluster.api.patch(f"{PODS}/{pod['metadata']['name']}", {"metadata": {"finalizers": ["example.com/stuck"]}})

    outcome = stage.act(a_move(pod, there, mover=Mover.EVICT), patience=SHORT)

    assert result_of(outcome)[0] == "Failed"
    assert "is not gone yet" in result_of(outcome)[1]
    assert stage.nodes_of("web") == [there]


def test_a_stolen_lease_stops_every_further_write(stage: Stage) -> None:
    pod, _, there = one(stage)
    path = "/apis/coordination.k8s.io/v1/namespaces/descheduler/leases/descheduler"

    def steal(call: Call) -> None:
        stage.cluster.api.patch(path, {"spec": {"holderIdentity": "a thief", "leaseDurationSeconds": 600}})

    stage.front.spoil(is_copy, after=steal)
    outcome = stage.act(a_move(pod, there), patience=timedelta(seconds=30), lease=timedelta(milliseconds=1))

    written = [str(call) for call in stage.front.changes if "/leases" not in call.path]
    assert result_of(outcome)[0] in ("Blocked", "Failed")
    assert "was taken by another run" in result_of(outcome)[1]
    assert pod["metadata"]["uid"] in {p["metadata"]["uid"] for p in stage.pods("web")}
    assert written[-1] == f"POST {PODS}"


def test_a_lease_is_kept_while_a_copy_takes_its_time(stage: Stage) -> None:
    """Nothing is written meanwhile, for longer than the Lease is good; another run that wants it sees that we are alive."""
    pod, _, there = one(stage)
    stage.cluster.api.patch(DEPLOYMENT, {"spec": {"minReadySeconds": 15}})
    stage.cluster.api.wait("/apis/apps/v1/namespaces/shop/replicasets", lambda found: found[0]["spec"].get("minReadySeconds") == 15)
    stage.running("web")
    another = Acting(stage.cluster, stage.cluster.kubeconfig).fleet()
    told: list[str | None] = []

    with ThreadPoolExecutor(1) as waits:
        stage.front.spoil(is_copy, after=lambda call: waits.submit(lambda: told.append(a_store(another).acquire("east", "another"))))
        outcome = stage.act(a_move(pod, there), patience=timedelta(seconds=60), lease=LEASE)

    assert result_of(outcome) == ("Done", "")
    assert len(told) == 1
    assert str(told[0]).startswith("the Lease of east is held elsewhere, by run-")


def a_store(fleet: LiveFleet) -> ClusterStore:
    return ClusterStore(fleet, SystemClock(), LEASE)


LEASE = timedelta(seconds=12)


UNWATCHED: dict[str, Object] = {
    "a watch that ends at once": {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "1"}}},
    "a version that is always too old": {"type": "ERROR", "object": {"code": 410, "reason": "Expired"}},
}


@pytest.mark.parametrize("fault", UNWATCHED)
def test_a_server_that_lets_nobody_watch_is_not_asked_all_the_time(fault: str, stage: Stage) -> None:
    pod, _, there = one(stage)
    stage.cluster.api.patch(DEPLOYMENT, {"spec": {"minReadySeconds": 5}})
    stage.cluster.api.wait("/apis/apps/v1/namespaces/shop/replicasets", lambda found: found[0]["spec"].get("minReadySeconds") == 5)
    stage.running("web")
    stage.front.spoil(lambda call: "watch" in call.query, instead=lambda call: (200, UNWATCHED[fault], {}), times=10**6)

    outcome = stage.act(a_move(pod, there), patience=timedelta(seconds=30))

    assert result_of(outcome) == ("Done", "")
    assert 0 < sum("watch" in call.query for call in stage.front.calls) < 20


def test_who_becomes_schedulable_when_a_copy_has_claimed_its_room_does_not_get_it(stage: Stage) -> None:
    """A pod of the same priority waits, and may be tried again at any moment: the copy is let go only when the room is its own."""
    pod, _, there = one(stage)
    stage.cluster.api.create(a_pod("filler", "shop", CPU, nodeName=there))
    gates = [{"name": "example.com/later"}]
    stage.cluster.api.create(a_pod("waits", "shop", CPU, labels={"app": "waits"}, nodeSelector=only(there), schedulingGates=gates))

    def ungate(call: Call) -> None:
        stage.cluster.api.patch(f"{PODS}/waits", {"spec": {"schedulingGates": None}})
        stage.waiting("waits")

    stage.front.spoil(patches("nominatedNodeName"), after=ungate)

    outcome = stage.act(a_move(pod, there), patience=timedelta(seconds=30))

    assert result_of(outcome) == ("Done", "")
    assert (stage.nodes_of("web"), stage.nodes_of("waits")) == ([there], ["-"])
    assert stage.leftovers() == []
