"""Protections: what keeps a running pod where it is, in words an operator can act on."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from descheduler.domain.objects import OwnerRef, Pod, Volume
from descheduler.rules.protections import PROTECTIONS, protection
from descheduler.rules.subject import Subject
from tests.builders import NOW, a_budget, a_deployment, a_namespace, a_node, a_pod, a_workload
from tests.rules.subjects import a_subject

OPT_OUT = "fleet.descheduler.io/do-not-disrupt"
SAFE = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SAFE_VOLUMES = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
DESCHEDULER = "descheduler.alpha.kubernetes.io/"


def web(**fields: object) -> Pod:
    return a_pod("web-1", on="n", of="web", **fields)  # type: ignore[arg-type]


def test_a_ready_replica_of_a_deployment_may_be_moved() -> None:
    assert protection(a_subject(web())) is None


@pytest.mark.parametrize(
    ("subject", "reason"),
    [
        (a_subject(web(), in_scope=False), "outside the policy's scope"),
        (a_subject(web(terminating=True)), "is terminating"),
        (a_subject(web(static=True)), "is a static pod"),
        (a_subject(a_pod("p", on="n", of="agent", kind="DaemonSet")), "belongs to DaemonSet agent"),
        (a_subject(web(opaque="spec.affinity.podAffinity")), "uses spec.affinity.podAffinity, which is not modelled"),
        (a_subject(web(scheduler="volcano")), "is scheduled by volcano"),
        (a_subject(web(), on_a_lost_node=True), "its node is not in the snapshot"),
        (a_subject(web(), node=a_node("n", ready=False)), "its node n is not Ready"),
        (a_subject(replace(web(), phase="Pending")), "is Pending, not Running"),
        (a_subject(replace(web(), phase="")), "is of unknown phase, not Running"),
    ],
)
def test_what_no_policy_can_lift(subject: Subject, reason: str) -> None:
    assert protection(subject) == reason


@pytest.mark.parametrize(
    "annotations",
    [
        {OPT_OUT: "true"},
        {OPT_OUT: ""},
        {"karpenter.sh/do-not-disrupt": "true"},
        {SAFE: "false"},
        {DESCHEDULER + "prefer-no-eviction": "true"},
        {DESCHEDULER + "request-evict-only": ""},
    ],
)
def test_an_opt_out_counts_on_pod_workload_namespace_and_node(annotations: dict[str, str]) -> None:
    (key,) = annotations
    replica_set = a_workload("ReplicaSet", "web-5d8", replicas=1)
    deployment = a_deployment("web", annotations=annotations)

    told = [
        protection(a_subject(web(annotations=annotations))),
        protection(a_subject(web(), chain=(replica_set, deployment))),
        protection(a_subject(web(), namespace=a_namespace("default", annotations=annotations))),
        protection(a_subject(web(), node=a_node("n", annotations=annotations))),
    ]

    places = ["the pod", "Deployment web", "Namespace default", "Node n"]
    assert [str(reason).split(" is annotated ")[0] for reason in told] == places
    assert all(key in str(reason) for reason in told)


@pytest.mark.parametrize(
    "annotations", [{OPT_OUT: "false"}, {OPT_OUT: "False"}, {SAFE: "true"}, {DESCHEDULER + "evict": "true"}, {"x/y": "true"}]
)
def test_what_is_no_opt_out_does_not_protect(annotations: dict[str, str]) -> None:
    assert protection(a_subject(web(annotations=annotations))) is None


def test_a_bare_pod_is_left_alone_unless_the_policy_says_otherwise() -> None:
    bare = a_pod("p", on="n")

    assert protection(a_subject(bare)) == "has no controller"
    assert protection(a_subject(bare, bare_pods=False)) is None


def test_a_job_pod_moves_only_if_policy_and_job_both_allow_it() -> None:
    pod = a_pod("p", on="n", of="etl", kind="Job")
    forgiving = (a_workload("Job", "etl", ignores_disruption=True),)

    assert protection(a_subject(pod, chain=forgiving)) == "belongs to Job etl"
    assert protection(a_subject(pod, jobs=False)) == "its Job's podFailurePolicy does not ignore DisruptionTarget"
    assert protection(a_subject(pod, chain=(), jobs=False)) is not None
    assert protection(a_subject(pod, chain=forgiving, jobs=False)) is None


def test_a_stateful_set_may_be_moved_unless_the_policy_says_otherwise() -> None:
    pod = a_pod("p", on="n", of="db", kind="StatefulSet")

    assert protection(a_subject(pod)) is None
    assert protection(a_subject(pod, stateful_sets=True)) == "belongs to a StatefulSet"


def test_a_bare_replica_set_is_an_ordinary_controller() -> None:
    assert protection(a_subject(a_pod("p", on="n", of="web", kind="ReplicaSet"))) is None


@pytest.mark.parametrize("kind", ["ReplicationController", "Workflow"])
def test_another_controller_protects_by_its_kind_unless_listed(kind: str) -> None:
    pod = a_pod("p", on="n", of="thing", kind=kind)

    assert protection(a_subject(pod)) == f"is controlled by a {kind}"
    assert protection(a_subject(pod, chain=())) == f"is controlled by a {kind}"
    assert protection(a_subject(pod, controllers=frozenset({kind}))) is None


def test_a_replica_set_under_a_stranger_is_protected_even_if_the_stranger_was_not_read() -> None:
    rollout = OwnerRef("Rollout", "web", "u", "argoproj.io/v1alpha1")
    chain = (a_workload("ReplicaSet", "web", replicas=1, owner=rollout),)
    pod = a_pod("p", on="n", of="web", kind="ReplicaSet")

    assert protection(a_subject(pod, chain=chain)) == "is controlled by a Rollout"
    assert protection(a_subject(pod, chain=chain, controllers=frozenset({"Rollout"}))) is None


def test_a_pod_must_reach_its_minimal_age() -> None:
    five = timedelta(minutes=5)

    assert protection(a_subject(web(created=NOW - five + timedelta(seconds=1)))) == "is younger than protections.minPodAge (5m)"
    assert protection(a_subject(web(created=NOW - five))) is None


def test_an_unknown_age_protects_only_where_age_matters() -> None:
    ageless = replace(web(), created=None)

    assert protection(a_subject(ageless)) == "its age is unknown"
    assert protection(a_subject(ageless, min_pod_age=timedelta())) is None


def test_local_storage_is_host_path_or_a_disk_directory_nobody_declared_safe() -> None:
    cache, scratch, host = Volume("cache", "emptyDir"), Volume("scratch", "emptyDir"), Volume("cache", "hostPath")
    declared = {SAFE_VOLUMES: "cache , other"}

    assert protection(a_subject(web(volumes=[cache]))) == "has local storage (emptyDir cache)"
    assert protection(a_subject(web(volumes=[cache], annotations=declared))) is None
    assert protection(a_subject(web(volumes=[cache, scratch], annotations=declared))) == "has local storage (emptyDir scratch)"
    assert protection(a_subject(web(volumes=[cache, scratch], annotations=declared), volumes_allowed=frozenset({"scratch"}))) is None
    assert protection(a_subject(web(volumes=[host], annotations=declared))) == "has local storage (hostPath cache)"
    assert protection(a_subject(web(volumes=[host]), local_storage=False)) is None


def test_persistent_volumes_protect_unless_the_policy_says_otherwise() -> None:
    pod = web(volumes=[Volume("data", "persistentVolumeClaim", "claim")])

    assert protection(a_subject(pod)) == "has a persistent volume (data)"
    assert protection(a_subject(pod, persistent_volumes=False)) is None


def test_an_ephemeral_volume_protects_whatever_the_policy_says() -> None:
    pod = web(volumes=[Volume("scratch", "ephemeral", "web-1-scratch")])

    assert protection(a_subject(pod)) == "has a persistent volume (scratch)"
    assert protection(a_subject(pod, persistent_volumes=False)) == "has an ephemeral volume (scratch)"


def test_the_only_replica_is_left_alone_if_the_policy_asks_for_it() -> None:
    replica_set = a_workload("ReplicaSet", "web-5d8", replicas=1)
    alone, pair = (replica_set, a_deployment("web", replicas=1)), (replica_set, a_deployment("web", replicas=2))

    assert protection(a_subject(web(), chain=alone)) is None
    assert protection(a_subject(web(), chain=alone, singletons=True)) == "is the only replica of Deployment web"
    assert protection(a_subject(web(), chain=pair, singletons=True)) is None


def test_a_budget_that_can_never_allow_a_disruption_protects_and_one_that_cannot_now_does_not() -> None:
    never, not_now = a_budget("web", allowed=0, never=True), a_budget("web", allowed=0)

    assert protection(a_subject(web(), budgets=(not_now, never))) == "PodDisruptionBudget web never allows a disruption"
    assert protection(a_subject(web(), budgets=(never,), closed_budgets=False)) is None
    assert protection(a_subject(web(), budgets=(not_now,))) is None


def test_the_first_objection_of_the_table_is_the_one_told() -> None:
    subject = a_subject(web(terminating=True, static=True, opaque="spec.x", created=NOW), in_scope=False)

    objecting = [name for name, check in PROTECTIONS.items() if check(subject) is not None]

    assert objecting == ["Scope", "Terminating", "Static", "Opaque", "MinPodAge"]
    assert protection(subject) == "outside the policy's scope"
