"""Controllers and disruption budgets: what a surge may rely on, and what allows nothing."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.domain.selectors import LabelSelector
from tests.federation.reading import read, read_oddly, the_budget, the_workload
from tests.raw import budget_json, container_json, deployment_json, owner_json, pod_json, replicaset_json, workload_json


def surge(value: Any, replicas: int = 5) -> int:
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": value}}
    return the_workload(deployment_json("cart", replicas=replicas, strategy=strategy)).max_surge


def test_a_settled_deployment() -> None:
    cart = the_workload(deployment_json("cart", replicas=3))

    assert (cart.kind, cart.replicas, cart.strategy, cart.max_surge, cart.rolling) == ("Deployment", 3, "RollingUpdate", 1, False)


def test_max_surge_is_resolved_against_the_replicas() -> None:
    assert surge("25%") == 2
    assert surge("25%", replicas=4) == 1
    assert surge("150%", replicas=4) == 6
    assert surge(3) == 3
    assert surge(0) == 0
    assert surge("0%") == 0
    assert surge("25%", replicas=0) == 0
    assert surge("100%", replicas=2**31 - 1) == 2**31 - 1


def test_recreate_never_surges() -> None:
    cart = the_workload(deployment_json("cart", strategy={"type": "Recreate"}))

    assert (cart.strategy, cart.max_surge) == ("Recreate", 0)


@pytest.mark.parametrize(
    ("status", "rolling"),
    [
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 3}, False),
        ({"observedGeneration": 1, "replicas": 3, "updatedReplicas": 3}, True),
        ({"observedGeneration": 2, "replicas": 4, "updatedReplicas": 3}, True),
        ({"observedGeneration": 2, "replicas": 3, "updatedReplicas": 2}, True),
        ({}, True),
    ],
)
def test_a_deployment_rolls_while_generation_or_counts_disagree(status: dict[str, int], rolling: bool) -> None:
    assert the_workload(deployment_json("cart", replicas=3, generation=2, status=status)).rolling is rolling


def test_a_paused_deployment_does_not_roll_once_it_was_observed() -> None:
    halfway = {"observedGeneration": 2, "replicas": 4, "updatedReplicas": 2}

    assert not the_workload(deployment_json("cart", replicas=3, generation=2, paused=True, status=halfway)).rolling
    assert the_workload(deployment_json("cart", replicas=3, generation=3, paused=True, status=halfway)).rolling


def test_replicas_default_to_one() -> None:
    assert the_workload(replicaset_json("cart-5d8", replicas=None)).replicas == 1
    assert the_workload(workload_json("DaemonSet", "agent", replicas=None)).replicas is None


def failure_policy(*rules: dict[str, Any]) -> bool:
    return the_workload(workload_json("Job", "import", replicas=None, podFailurePolicy={"rules": list(rules)})).ignores_disruption


def test_a_job_ignores_disruption_only_if_no_earlier_rule_takes_the_pod() -> None:
    ignore = {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}

    assert failure_policy(ignore)
    assert failure_policy({"action": "FailJob", "onExitCodes": {"operator": "In", "values": [42]}}, ignore)
    assert not failure_policy({"action": "FailJob", "onExitCodes": {"operator": "In", "values": [143]}}, ignore)
    assert not failure_policy({"action": "FailJob", "onExitCodes": {"operator": "NotIn", "values": [0]}}, ignore)
    assert not failure_policy({"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget"}]}, ignore)
    assert not failure_policy()


def test_a_controller_that_cannot_be_read_is_left_out_and_named() -> None:
    cluster, odd = read_oddly(deployment_json("cart", strategy={"rollingUpdate": {"maxSurge": "some"}}))

    assert cluster.workloads == ()
    assert odd[0][0] == "Deployment shop/cart"
    assert "spec.strategy.rollingUpdate.maxSurge" in odd[0][1]


def test_a_template_tells_what_the_next_pod_asks_for() -> None:
    asked = container_json(requests={"cpu": "500m", "memory": "1Gi"})
    sidecar = container_json("s", requests={"cpu": "1"}, restartPolicy="Always")

    def told(**spec: Any) -> dict[str, int]:
        return dict(the_workload(replicaset_json("cart-5d8", template={"spec": spec})).template)

    assert told(containers=[asked], initContainers=[sidecar], overhead={"cpu": "1m"}) == {"cpu": 1501, "memory": 2**30}
    assert told() == {}
    assert dict(the_workload(replicaset_json("cart-5d8")).template) == {}


def test_any_other_kind_is_kept_if_it_controls_a_pod() -> None:
    rollout = workload_json("Rollout", "cart", replicas=2)
    replicaset = workload_json("ReplicaSet", "cart-5d8", owner=owner_json("Rollout", "cart"))

    kinds = [w.kind for w in read(rollout, replicaset, pod_json("x", owner=owner_json("ReplicaSet", "cart-5d8"))).workloads]

    assert kinds == ["ReplicaSet", "Rollout"]
    assert read(rollout, pod_json("x")).workloads == ()


def test_a_job_of_another_api_group_is_another_kind() -> None:
    volcano = {**workload_json("Job", "train", replicas=None), "apiVersion": "batch.volcano.sh/v1alpha1"}
    owner = {**owner_json("Job", "train"), "apiVersion": "batch.volcano.sh/v1alpha1"}

    assert read(volcano).workloads == ()
    assert read(volcano, pod_json("x", owner=owner)).workloads[0].api_version == "batch.volcano.sh/v1alpha1"


def test_a_budget_allows_what_its_status_says() -> None:
    budget = the_budget(budget_json("cart", labels={"app": "cart"}, allowed=2, unhealthyPodEvictionPolicy="AlwaysAllow", minAvailable=1))

    assert budget.selector == LabelSelector((("app", "cart"),))
    assert (budget.allowed, budget.healthy, budget.desired, budget.never, budget.always_allow_unhealthy) == (2, 3, 2, False, True)


def test_a_budget_with_missing_or_stale_status_allows_nothing() -> None:
    assert the_budget(budget_json("cart", status={})).allowed == 0
    assert the_budget(budget_json("cart", generation=2, status={"observedGeneration": 1, "disruptionsAllowed": 5})).allowed == 0


@pytest.mark.parametrize(
    ("spec", "expected", "never"),
    [
        ({"maxUnavailable": 0}, 3, True),
        ({"maxUnavailable": "0%"}, 3, True),
        ({"maxUnavailable": "1%"}, 3, False),
        ({"maxUnavailable": 1}, 3, False),
        ({"minAvailable": "100%"}, 0, True),
        ({"minAvailable": "90%"}, 3, True),
        ({"minAvailable": "60%"}, 3, False),
        ({"minAvailable": 3}, 3, True),
        ({"minAvailable": 4}, 3, True),
        ({"minAvailable": 2}, 3, False),
        ({"minAvailable": 1}, 0, False),
        ({"minAvailable": 0}, 3, False),
    ],
)
def test_a_budget_that_can_never_allow_a_disruption(spec: dict[str, Any], expected: int, never: bool) -> None:
    status = {"observedGeneration": 1, "expectedPods": expected}

    assert the_budget(budget_json("cart", status=status, **spec)).never is never


def test_a_budget_that_cannot_be_read_closes_its_namespace() -> None:
    cluster, odd = read_oddly(budget_json("cart", minAvailable=[1]))

    assert cluster.budgets[0].selector == LabelSelector()
    assert (cluster.budgets[0].allowed, cluster.budgets[0].never) == (0, True)
    assert odd[0][1].startswith("spec.minAvailable: a list, expected")


def test_an_empty_selector_of_the_old_api_selects_nothing() -> None:
    raw = budget_json("cart")

    assert the_budget(raw).selector == LabelSelector()
    assert the_budget({**raw, "apiVersion": "policy/v1beta1"}).selector is None
