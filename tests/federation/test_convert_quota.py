"""What a ResourceQuota leaves for pods, and which pods its scopes take in (the API server's quota evaluator for pods)."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.domain.objects import PodSpec, Quota
from descheduler.domain.selectors import Requirement
from tests.federation.reading import read, read_oddly, the_pod
from tests.raw import Json, container_json, meta_json, owner_json, pod_json

GI = 2**30
OWNED = {"ownerReferences": [owner_json("ReplicaSet", "cart")]}
REQUIRED, PREFERRED = "requiredDuringSchedulingIgnoredDuringExecution", "preferredDuringSchedulingIgnoredDuringExecution"


def quota_json(hard: Json, used: Json | None = None, *, status: Json | None = None, **spec: Any) -> Json:
    """A quota observed as it is, nothing ``used`` unless said."""
    told = {"hard": hard, "used": {**dict.fromkeys(hard, "0"), **(used or {})}} if status is None else status
    meta = meta_json("q", namespace="shop", uid="uid-quota")
    return {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": meta, "spec": {"hard": hard, **spec}, "status": told}


def the_quota(raw: Json) -> Quota:
    return read(raw).quotas[0]


def left(hard: Json, used: Json | None = None, **more: Any) -> dict[str, int]:
    found = the_quota(quota_json(hard, used, **more))
    assert found.unknown is None
    return dict(found.left)


def test_what_is_left_is_hard_minus_used_in_base_units() -> None:
    hard = {"pods": "10", "cpu": "4", "requests.cpu": "4500m", "limits.cpu": "8", "memory": "2Gi", "limits.memory": "4Gi"}
    used = {"pods": "3", "cpu": "3500m", "requests.cpu": "4600m", "limits.cpu": "1", "memory": "1Gi", "limits.memory": "0"}

    assert left(hard, used) == {
        "pods": 7,
        "cpu": 500,
        "requests.cpu": -100,
        "limits.cpu": 7000,
        "memory": GI,
        "limits.memory": 4 * GI,
    }


def test_what_is_left_is_rounded_down() -> None:
    assert left({"cpu": "1", "memory": "10"}, {"cpu": "100500u", "memory": "500m"}) == {"cpu": 899, "memory": 9}


@pytest.mark.parametrize(
    ("resource", "counts"),
    [
        ("pods", True),
        ("count/pods", True),
        ("cpu", True),
        ("requests.memory", True),
        ("limits.ephemeral-storage", True),
        ("hugepages-2Mi", True),
        ("requests.hugepages-2Mi", True),
        ("requests.nvidia.com/gpu", True),
        ("requests.deviceclass.resource.kubernetes.io/gpu", True),
        ("nvidia.com/gpu", False),
        ("limits.nvidia.com/gpu", False),
        ("requests.storage", False),
        ("requests.kubernetes.io/batch-cpu", False),
        ("fast.storageclass.storage.k8s.io/requests.storage", False),
        ("persistentvolumeclaims", False),
        ("services.loadbalancers", False),
        ("count/deployments.apps", False),
    ],
)
def test_only_what_pods_count_towards_is_kept(resource: str, counts: bool) -> None:
    assert left({"pods": "5", resource: "5"}) == ({"pods": 5, resource: 5000 if resource == "cpu" else 5} if counts else {"pods": 5})
    assert len(read(quota_json({resource: "5"})).quotas) == counts


def test_a_limit_just_lowered_counts_already_and_one_just_raised_not_yet() -> None:
    assert left({"pods": "3"}, status={"hard": {"pods": "5"}, "used": {"pods": "1"}}) == {"pods": 2}
    assert left({"pods": "5"}, status={"hard": {"pods": "3"}, "used": {"pods": "1"}}) == {"pods": 2}


@pytest.mark.parametrize("status", [{}, {"hard": {"pods": "5"}}, {"hard": {"pods": "5"}, "used": {"cpu": "1"}}])
def test_a_quota_that_nobody_has_counted_yet_is_unknown(status: Json) -> None:
    assert the_quota(quota_json({"pods": "5"}, status=status)).unknown == "status.used.pods: missing"


def select(scope: str, operator: str = "Exists", *values: str) -> Json:
    return {"matchExpressions": [{"scopeName": scope, "operator": operator, **({"values": list(values)} if values else {})}]}


@pytest.mark.parametrize(
    ("spec", "scopes", "classes"),
    [
        ({}, (), ()),
        ({"scopes": ["NotTerminating", "BestEffort"]}, ("BestEffort", "NotTerminating"), ()),
        ({"scopes": ["CrossNamespacePodAffinity"]}, ("CrossNamespacePodAffinity",), ()),
        ({"scopes": ["PriorityClass"]}, (), (Requirement("PriorityClass", "Exists"),)),
        ({"scopeSelector": select("Terminating")}, ("Terminating",), ()),
        ({"scopeSelector": select("PriorityClass", "In", "low", "high")}, (), (Requirement("PriorityClass", "In", ("high", "low")),)),
        ({"scopeSelector": select("PriorityClass", "NotIn", "low")}, (), (Requirement("PriorityClass", "NotIn", ("low",)),)),
        ({"scopeSelector": select("PriorityClass", "DoesNotExist")}, (), (Requirement("PriorityClass", "DoesNotExist"),)),
        ({"scopeSelector": select("PriorityClass", "Exists")}, (), (Requirement("PriorityClass", "Exists"),)),
        ({"scopes": ["BestEffort"], "scopeSelector": select("PriorityClass")}, ("BestEffort",), (Requirement("PriorityClass", "Exists"),)),
    ],
)
def test_scopes_are_told_as_they_are(spec: Json, scopes: tuple[str, ...], classes: tuple[Requirement, ...]) -> None:
    quota = the_quota(quota_json({"pods": "5"}, **spec))

    assert (quota.scopes, quota.priority_classes, quota.unknown) == (scopes, classes, None)


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"scopes": ["OnTuesdays"]}, "spec.scopes: OnTuesdays"),
        ({"scopeSelector": select("OnTuesdays")}, "spec.scopes: OnTuesdays"),
        ({"scopeSelector": select("BestEffort", "DoesNotExist")}, "spec.scopeSelector.matchExpressions[]: BestEffort DoesNotExist"),
        ({"scopeSelector": select("PriorityClass", "Like", "x")}, "spec.scopeSelector.matchExpressions[]: PriorityClass Like"),
        ({"scopeSelector": select("PriorityClass", "In")}, "spec.scopeSelector.matchExpressions[]: PriorityClass In"),
    ],
)
def test_a_scope_that_is_not_known_makes_the_quota_unknown(spec: Json, why: str) -> None:
    assert the_quota(quota_json({"pods": "5"}, **spec)).unknown == why


def test_a_scope_of_claims_has_nothing_to_do_with_pods() -> None:
    assert read(quota_json({"pods": "5"}, scopeSelector=select("VolumeAttributesClass"))).quotas == ()


def test_a_quota_that_cannot_be_read_lets_no_second_copy_in() -> None:
    cluster, odd = read_oddly(quota_json({"pods": "several"}))

    assert cluster.quotas == (Quota(namespace="shop", name="q", unknown="spec.hard['pods']: 'several' is not a quantity"),)
    assert odd == [("ResourceQuota shop/q", "spec.hard['pods']: 'several' is not a quantity; it lets no second copy into its namespace")]


# What of a pod a quota asks for.


def spec_of(**pod: Any) -> PodSpec:
    return the_pod(pod_json("cart", **pod)).spec


def limited(name: str, cpu: str, **more: Any) -> Json:
    return container_json(name, **more) | {"resources": {"limits": {"cpu": cpu, "memory": "1Gi", "nvidia.com/gpu": "1"}}}


def test_limits_are_summed_like_requests() -> None:
    sidecar, setup = limited("proxy", "500m", restartPolicy="Always"), limited("setup", "5")

    assert dict(spec_of(containers=[limited("a", "1"), limited("b", "2")]).limits) == {"cpu": 3000, "memory": 2 * GI}
    assert spec_of(containers=[limited("a", "1")], initContainers=[sidecar]).limits["cpu"] == 1500
    assert spec_of(containers=[limited("a", "1")], initContainers=[sidecar, setup]).limits["cpu"] == 5500
    assert spec_of(containers=[limited("a", "1")], initContainers=[setup, sidecar]).limits["cpu"] == 5000
    assert dict(spec_of(containers=[container_json("a")]).limits) == {}


def test_pod_level_limits_replace_the_sum_and_overhead_goes_to_what_is_limited() -> None:
    containers = [limited("a", "4"), limited("b", "4")]

    assert spec_of(containers=containers, resources={"limits": {"cpu": "5"}}).limits["cpu"] == 5000
    assert dict(spec_of(containers=[container_json("a")], overhead={"cpu": "1"}).limits) == {}
    assert spec_of(containers=[limited("a", "1")], overhead={"cpu": "250m"}).limits["cpu"] == 1250


def test_a_resize_that_is_under_way_counts_with_the_larger_limit() -> None:
    status: Json = {"containerStatuses": [{"name": "a", "resources": {"limits": {"cpu": "3"}}}]}
    refused = {"conditions": [{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}]}

    assert spec_of(on="n1", containers=[limited("a", "4")], status=status | refused, metadata=OWNED).limits["cpu"] == 4000
    assert spec_of(on="n1", containers=[limited("a", "1")], status=status).limits["cpu"] == 3000
    assert spec_of(on="n1", containers=[limited("a", "4")], status=status).limits["cpu"] == 4000


@pytest.mark.parametrize(
    ("pod", "best_effort"),
    [
        ({}, True),
        ({"cpu": "0"}, True),
        ({"requests": {"nvidia.com/gpu": "1", "ephemeral-storage": "1Gi"}}, True),
        ({"cpu": "1"}, False),
        ({"memory": "1"}, False),
        ({"containers": [limited("a", "1")]}, False),
        ({"initContainers": [container_json("i", requests={"cpu": "1"})]}, False),
        ({"resources": {}, "cpu": "1"}, True),
        ({"resources": {"limits": {"memory": "1Gi"}}}, False),
        ({"cpu": "1", "status": {"qosClass": "BestEffort"}}, True),
        ({"status": {"qosClass": "Burstable"}}, False),
    ],
)
def test_the_qos_class_is_the_one_of_the_status_or_follows_from_what_is_asked(pod: Json, best_effort: bool) -> None:
    assert spec_of(**pod).best_effort is best_effort


@pytest.mark.parametrize(("deadline", "terminating"), [(None, False), (0, True), (3600, True)])
def test_a_deadline_makes_the_terminating_scope(deadline: int | None, terminating: bool) -> None:
    assert spec_of(activeDeadlineSeconds=deadline).terminating_scope is terminating


def test_the_priority_class_is_kept() -> None:
    assert spec_of(priorityClassName="high").priority_class == "high"
    assert spec_of().priority_class == ""


@pytest.mark.parametrize("kind", ["podAffinity", "podAntiAffinity"])
@pytest.mark.parametrize(
    ("term", "crosses"),
    [({}, False), ({"namespaces": []}, False), ({"namespaces": ["shop"]}, True), ({"namespaceSelector": {}}, True)],
)
def test_terms_that_name_namespaces_cross_them(kind: str, term: Json, crosses: bool) -> None:
    told = {"topologyKey": "zone", **term}

    assert spec_of(affinity={kind: {REQUIRED: [told]}}).cross_namespace_affinity is crosses
    assert spec_of(affinity={kind: {PREFERRED: [{"weight": 1, "podAffinityTerm": told}]}}).cross_namespace_affinity is crosses


def test_an_unreadable_part_of_affinity_counts_as_crossing() -> None:
    cluster, odd = read_oddly(pod_json("cart", affinity={"podAffinity": {PREFERRED: ["near"]}}))

    assert cluster.pods[0].spec.cross_namespace_affinity
    assert len(odd) == 1
