"""Every condition of a surge on a real control plane (kubernetes.md 1.4, DESIGN.md 8), asked right before the first step; and Jobs.

Where else they are tried: a webhook that changes the copy, one that denies it and a quota without room in test_faults.py, a budget that
allows nothing in test_serving.py, rollouts and autoscalers in test_races.py.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from descheduler.clock import SystemClock
from descheduler.domain.plan import Mover
from descheduler.domain.report import Outcome
from descheduler.errors import ExecutionError
from descheduler.execute import Hands, act
from descheduler.federation.kube_hands import LiveHands
from descheduler.federation.kube_store import ClusterStore
from descheduler.policy import policy_digest, policy_from_text
from tests.cluster.acting import Acting, a_move, install, plan_of
from tests.cluster.conftest import emptied
from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.control_planes import ControlPlanes
from tests.cluster.controlplane.objects import a_node, a_workload

SMALL = {"cpu": "100m", "memory": "64Mi"}
SHORT = timedelta(seconds=10)
COST = "controller.kubernetes.io/pod-deletion-cost"
SPACES = count()


@pytest.fixture(scope="module")
def ground(planes: ControlPlanes, binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> tuple[Cluster, Path]:
    """A cluster with three nodes, and the mover's account."""
    (cluster,) = emptied(planes, "east")
    kubeconfig = install(cluster, binaries, tmp_path_factory.mktemp("conditions"))
    cluster.add_nodes(*(a_node(name) for name in ("a", "b", "c")))
    return cluster, kubeconfig


@pytest.fixture
def acting(ground: tuple[Cluster, Path]) -> Acting:
    """A namespace of its own."""
    cluster, kubeconfig = ground
    return Acting(cluster, kubeconfig, cluster.namespace(f"s{next(SPACES)}"))


def running(acting: Acting, body: Object) -> list[Object]:
    acting.cluster.api.create(body)
    return acting.running(body["metadata"]["name"], body["spec"]["replicas"])


def elsewhere(*pods: Object) -> str:
    """A node none of them is on."""
    return min({"a", "b", "c"} - {pod["spec"]["nodeName"] for pod in pods})


def result_of(outcome: Outcome) -> tuple[str, str]:
    (result,) = outcome.results
    return result.outcome, result.message


def patch(acting: Acting, pod: Object, body: Object, subresource: str = "") -> None:
    acting.cluster.api.patch(f"/api/v1/namespaces/{acting.space}/pods/{pod['metadata']['name']}{subresource}", body)


def check_untouched(acting: Acting, outcome: Outcome, pods: list[Object], why: str) -> None:
    assert result_of(outcome)[0] == "Blocked"
    assert why in result_of(outcome)[1]
    assert [pod["metadata"]["uid"] for pod in acting.pods("web")] == [pod["metadata"]["uid"] for pod in pods]


@pytest.mark.parametrize(
    ("strategy", "why"),
    [
        ({"type": "Recreate"}, "Deployment web has strategy Recreate"),
        ({"rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}, "Deployment web has maxSurge 0"),
        ({"rollingUpdate": {"maxSurge": "0%", "maxUnavailable": "50%"}}, "Deployment web has maxSurge 0"),
    ],
)
def test_a_deployment_that_never_wants_two_at_once_is_not_surged(strategy: Object, why: str, acting: Acting) -> None:
    body = a_workload("web", acting.space, 1, SMALL)
    body["spec"]["strategy"] = strategy
    pods = running(acting, body)

    outcome = acting.act(a_move(pods[0], elsewhere(*pods)), patience=SHORT)

    check_untouched(acting, outcome, pods, why)


def test_a_replica_set_without_a_deployment_is_not_surged(acting: Acting) -> None:
    pods = running(acting, a_workload("web", acting.space, 1, SMALL, kind="ReplicaSet"))

    outcome = acting.act(a_move(pods[0], elsewhere(*pods)), patience=SHORT)

    check_untouched(acting, outcome, pods, "ReplicaSet web has no Deployment")


def test_a_sibling_that_is_not_ready_would_be_dropped_instead(acting: Acting) -> None:
    pods = running(acting, a_workload("web", acting.space, 2, SMALL))
    conditions = [{"type": "Ready", "status": "False"}]
    acting.cluster.api.request(
        "PATCH",
        f"/api/v1/namespaces/{acting.space}/pods/{pods[1]['metadata']['name']}/status",
        {"status": {"conditions": conditions}},
        content_type="application/strategic-merge-patch+json",
    )

    outcome = acting.act(a_move(pods[0], elsewhere(*pods)), patience=SHORT)

    check_untouched(acting, outcome, pods, "not every replica of web-")


def test_a_sibling_of_minimal_deletion_cost_would_be_dropped_instead(acting: Acting) -> None:
    pods = running(acting, a_workload("web", acting.space, 2, SMALL))
    patch(acting, pods[1], {"metadata": {"annotations": {COST: "-2147483648"}}})

    outcome = acting.act(a_move(pods[0], elsewhere(*pods)), patience=SHORT)

    check_untouched(acting, outcome, pods, "carries the minimal deletion cost")


def test_a_user_s_own_deletion_cost_does_not_send_another_pod_away(acting: Acting) -> None:
    pods = running(acting, a_workload("web", acting.space, 3, SMALL))
    patch(acting, pods[0], {"metadata": {"annotations": {COST: "100"}}})
    patch(acting, pods[1], {"metadata": {"annotations": {COST: "-5"}}})

    outcome = acting.act(a_move(pods[0], elsewhere(pods[0])), patience=SHORT)

    assert result_of(outcome) == ("Done", "")
    left = {pod["metadata"]["uid"]: pod["metadata"].get("annotations", {}).get(COST) for pod in acting.pods("web")}
    assert len(left) == 3
    assert pods[0]["metadata"]["uid"] not in left
    assert (left[pods[1]["metadata"]["uid"]], left[pods[2]["metadata"]["uid"]]) == ("-5", None)


def test_a_copy_is_ready_for_as_long_as_its_template_asks_before_the_original_goes(acting: Acting) -> None:
    body = a_workload("web", acting.space, 1, SMALL)
    body["spec"]["minReadySeconds"] = 3
    (pod,) = running(acting, body)
    path = f"/api/v1/namespaces/{acting.space}/pods"
    version = acting.cluster.api.get(path)["metadata"]["resourceVersion"]

    outcome = acting.act(a_move(pod, elsewhere(pod)), patience=SHORT)

    assert result_of(outcome) == ("Done", "")
    past = [event["object"] for event in acting.cluster.api.watch(path, {"resourceVersion": version, "timeoutSeconds": 1})]
    gone = next(p["metadata"]["deletionTimestamp"] for p in past if "deletionTimestamp" in p["metadata"])  # a second's grace included
    (copy,) = acting.pods("web")
    ready = next(each["lastTransitionTime"] for each in copy["status"]["conditions"] if each["type"] == "Ready")
    assert instant(gone) - instant(ready) >= timedelta(seconds=3)  # all in whole seconds


def instant(told: str) -> datetime:
    return datetime.strptime(told, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def test_a_quota_for_one_copy_lets_one_of_two_be_made_and_the_other_pod_stays(acting: Acting) -> None:
    """The dry run sees one copy only: of two in a wave the second finds the quota used, and nothing is lost."""
    pods = [*running(acting, a_workload("web", acting.space, 1, SMALL)), *running(acting, a_workload("api", acting.space, 1, SMALL))]
    meta = {"name": "three", "namespace": acting.space}
    acting.cluster.api.create({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": {"pods": "3"}}})
    path = f"/api/v1/namespaces/{acting.space}/resourcequotas"
    acting.cluster.api.wait(path, lambda quotas: any(q.get("status", {}).get("used", {}).get("pods") == "2" for q in quotas))

    outcome = acting.act(*(a_move(pod, elsewhere(pod)) for pod in pods), patience=SHORT)

    told = {result.subject: (result.outcome, "exceeded quota" in result.message) for result in outcome.results}
    assert sorted(told.values()) == [("Blocked", True), ("Done", False)]
    assert [len(acting.running(app)) for app in ("web", "api")] == [1, 1]
    blocked = next(pod for pod in pods if told[f"move-{pod['metadata']['name']}"][0] == "Blocked")
    assert blocked["metadata"]["uid"] in {pod["metadata"]["uid"] for pod in acting.pods()}


def test_a_copy_keeps_away_from_the_replicas_of_its_own_template_although_it_lacks_their_hash(acting: Acting) -> None:
    """``matchLabelKeys: [pod-template-hash]`` would be skipped while the copy has no such label."""
    term = {
        "topologyKey": "kubernetes.io/hostname",
        "labelSelector": {"matchLabels": {"app": "web"}},
        "matchLabelKeys": ["pod-template-hash"],
    }
    apart = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    first, second = running(acting, a_workload("web", acting.space, 2, SMALL, affinity=apart))

    beside_its_sibling = acting.act(a_move(first, second["spec"]["nodeName"]), patience=timedelta(seconds=4))
    alone = acting.act(a_move(first, elsewhere(first, second)), patience=SHORT)

    assert result_of(beside_its_sibling)[0] == "Blocked"
    assert result_of(alone) == ("Done", "")
    moved = next(pod for pod in acting.pods("web") if pod["metadata"]["uid"] != second["metadata"]["uid"])
    (told,) = moved["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    value = second["metadata"]["labels"]["pod-template-hash"]
    assert {"key": "pod-template-hash", "operator": "In", "values": [value]} in told["labelSelector"]["matchExpressions"]


def test_a_copy_that_its_template_would_gate_is_not_made(acting: Acting) -> None:
    """Nobody knows who lets it go, and when: the original went through that long ago."""
    acting.cluster.api.create(a_workload("web", acting.space, 1, SMALL, schedulingGates=[{"name": "example.com/approval"}]))
    path = f"/api/v1/namespaces/{acting.space}/pods"
    (gated,) = acting.cluster.api.wait(path, lambda pods: len(pods) == 1)
    patch(acting, gated, {"spec": {"schedulingGates": None}})
    pods = acting.running("web")

    outcome = acting.act(a_move(pods[0], elsewhere(*pods)), patience=SHORT)

    check_untouched(acting, outcome, pods, "would be gated (example.com/approval)")


def test_a_deployment_on_its_way_out_is_not_surged(acting: Acting) -> None:
    pods = running(acting, a_workload("web", acting.space, 1, SMALL))
    deployment = f"/apis/apps/v1/namespaces/{acting.space}/deployments/web"
    acting.cluster.api.patch(deployment, {"metadata": {"finalizers": ["example.com/stays"]}})
    acting.cluster.api.delete(deployment)

    outcome = acting.act(a_move(pods[0], elsewhere(*pods)), patience=SHORT)

    check_untouched(acting, outcome, pods, "Deployment web is gone or on its way out")


@pytest.mark.parametrize("mover", [Mover.EVICT, Mover.HOLD, Mover.SURGE])
def test_the_pod_of_a_job_is_not_touched_whatever_a_plan_says(mover: Mover, acting: Acting) -> None:
    template = {
        "metadata": {"labels": {"app": "etl"}},
        "spec": {**a_workload("etl", "")["spec"]["template"]["spec"], "restartPolicy": "Never"},
    }
    meta = {"name": "etl", "namespace": acting.space}
    acting.cluster.api.create(
        {"apiVersion": "batch/v1", "kind": "Job", "metadata": meta, "spec": {"backoffLimit": 0, "template": template}}
    )
    (pod,) = acting.running("etl")
    policy = policy_from_text(POLICY)
    fleet = acting.fleet()
    hands = Hands(actuator=LiveHands(fleet), store=ClusterStore(fleet, SystemClock()))

    with pytest.raises(ExecutionError, match="Job"):
        act(plan_of(acting.cluster, policy_digest(policy), a_move(pod, elsewhere(pod), mover=mover)), policy, fleet, hands, SystemClock())

    assert [p["metadata"]["uid"] for p in acting.pods("etl")] == [pod["metadata"]["uid"]]


POLICY: Any = """
apiVersion: fleet.descheduler.io/v1alpha1
kind: DeschedulePolicy
spec:
  protections: {minPodAge: 0s, jobs: false}
"""
