"""What the policy says about one pod."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from descheduler.domain.plan import Mover
from descheduler.policy import Policy
from descheduler.policy.amounts import Amount


def a_policy(*overrides: dict[str, Any], **spec: Any) -> Policy:
    return Policy.model_validate({"spec": {**spec, "overrides": list(overrides)}})


def test_a_pod_that_no_override_matches_has_the_policy_itself() -> None:
    policy = a_policy({"match": {"namespaces": ["batch-*"]}, "movers": ["Evict"]})

    effective = policy.for_pod("web", {})

    assert (effective.protections, effective.limits, effective.trigger) == (
        policy.spec.protections,
        policy.spec.limits,
        policy.spec.trigger,
    )
    assert effective.movers == policy.spec.movers
    assert effective.overrides == ()


def test_only_the_fields_written_in_an_override_differ() -> None:
    policy = a_policy(
        {"match": {"namespaces": ["batch-*"]}, "protections": {"jobs": False}, "limits": {"perNode": "50%"}},
        protections={"minPodAge": "1h"},
    )

    effective = policy.for_pod("batch-1", {})

    assert effective.protections == policy.spec.protections.model_copy(update={"jobs": False})
    assert effective.protections.min_pod_age == timedelta(hours=1)
    assert effective.limits == policy.spec.limits.model_copy(update={"per_node": Amount(share=5000)})
    assert (effective.source_of("per_node"), effective.source_of("per_run")) == (0, None)


def test_of_several_matching_overrides_the_last_to_write_a_field_decides() -> None:
    policy = a_policy(
        {"match": {}, "protections": {"minPodAge": "1h", "jobs": False}, "limits": {"perWorkload": 2, "perNode": 3}},
        {"match": {"podSelector": {"matchLabels": {"tier": "web"}}}, "movers": ["Surge"], "limits": {"perWorkload": None}},
        {"match": {"namespaces": ["elsewhere"]}, "movers": []},
        {"match": {"namespaces": ["shop"]}, "protections": {"minPodAge": "5m"}},
    )

    effective = policy.for_pod("shop", {"tier": "web"})

    assert effective.overrides == (0, 1, 3)
    assert effective.protections.min_pod_age == timedelta(minutes=5)
    assert effective.protections.jobs is False
    assert effective.movers == (Mover.SURGE,)
    assert effective.limits.per_workload is None
    assert effective.limit_sources == (("per_node", 0), ("per_workload", 1))


def test_writing_the_default_in_an_override_overrides() -> None:
    policy = a_policy({"match": {}, "protections": {"singletons": False}}, protections={"singletons": True})

    assert policy.for_pod("any", {}).protections.singletons is False


def test_pods_matched_by_the_same_overrides_share_one_value() -> None:
    policy = a_policy({"match": {"namespaces": ["a*"]}, "movers": ["Surge"]})

    assert policy.for_pod("a1", {}) is policy.for_pod("a2", {"x": "y"})
    assert policy.for_pod("b1", {}) is not policy.for_pod("a1", {})


def test_asking_about_a_pod_leaves_the_policy_equal_and_copies_afresh() -> None:
    policy, other = a_policy(), a_policy()
    policy.for_pod("a", {})

    changed = policy.model_copy(update={"spec": policy.spec.model_copy(update={"movers": (Mover.EVICT,)})})

    assert policy == other
    assert hash(policy) == hash(other)
    assert changed.for_pod("a", {}).movers == (Mover.EVICT,)


def test_scope_is_globs_on_cluster_and_namespace_and_a_selector_on_labels() -> None:
    scope = a_policy(
        scope={
            "clusters": {"include": ["eu-*", "us-1"], "exclude": ["eu-test"]},
            "namespaces": {"exclude": ["secret-?"]},
            "podSelector": {"matchExpressions": [{"key": "stay", "operator": "DoesNotExist"}]},
        }
    ).spec.scope

    assert scope.covers("eu-1", "secret", {})
    assert not scope.covers("eu-test", "web", {})
    assert not scope.covers("us-2", "web", {})
    assert not scope.covers("us-1", "secret-1", {})
    assert not scope.covers("us-1", "web", {"stay": ""})


def test_the_shipped_scope_leaves_system_namespaces_alone() -> None:
    scope = Policy().spec.scope

    assert scope.covers("east", "default", {"any": "label"})
    assert not scope.covers("east", "kube-system", {})
