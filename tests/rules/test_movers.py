"""Movers: which techniques apply to a pod, in the policy's order, and why the others do not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from descheduler.domain.objects import OwnerRef, Pod, Workload
from descheduler.domain.plan import Mover
from descheduler.domain.resources import Resources
from descheduler.rules.movers import TECHNIQUES, deletion_cost, movers_for, reserved
from descheduler.rules.subject import Replicas, Subject
from tests.builders import a_budget, a_deployment, a_pod, a_uid, a_workload
from tests.rules.subjects import a_subject

COST = "controller.kubernetes.io/pod-deletion-cost"
LEAST = str(-(2**31))
WEB = a_pod("web-1", on="n", of="web")
ABOVE = OwnerRef("Deployment", "web", a_uid("east", "default", "Deployment", "web"), "apps/v1")


def under(deployment: Workload, replicas: int = 1) -> tuple[Workload, ...]:
    return a_workload("ReplicaSet", "web-5d8", replicas=replicas, owner=ABOVE), deployment


def why_not(mover: Mover, subject: Subject) -> str | None:
    return TECHNIQUES[mover].applies(subject)


def test_a_ready_replica_may_surge_be_held_or_be_evicted_in_the_policys_order() -> None:
    assert movers_for(a_subject(WEB))[0] == (Mover.SURGE, Mover.HOLD, Mover.EVICT)
    assert movers_for(a_subject(WEB, movers=("Evict", "Surge")))[0] == (Mover.EVICT, Mover.SURGE)


def test_what_the_policy_leaves_out_is_never_used() -> None:
    assert movers_for(a_subject(WEB, movers=())) == ((), "the policy allows no mover")
    assert movers_for(a_subject(WEB, movers=("Recreate",))) == ((), "Recreate: it has a controller")


@pytest.mark.parametrize(
    ("found", "movers"),
    [
        (None, (Mover.SURGE, Mover.EVICT)),
        (("Surge",), (Mover.SURGE,)),
        (("Hold", "Evict"), (Mover.HOLD, Mover.EVICT)),
        ((), ()),
    ],
)
def test_a_mover_must_have_been_found_in_the_cluster_and_without_discovery_only_hold_is_missing(
    found: tuple[str, ...] | None, movers: tuple[Mover, ...]
) -> None:
    assert movers_for(a_subject(WEB, found=found))[0] == movers


@pytest.mark.parametrize(
    ("pod", "chain", "reason"),
    [
        (a_pod("p", on="n"), (), "it has no ReplicaSet"),
        (a_pod("p", on="n", of="db", kind="StatefulSet"), None, "it has no ReplicaSet"),
        (WEB, (), "its ReplicaSet is not in the snapshot"),
        (WEB, under(a_deployment("web"))[:1], "its Deployment is not in the snapshot"),
        (a_pod("p", on="n", of="rs", kind="ReplicaSet"), None, "its ReplicaSet has no Deployment"),
        (WEB, under(a_deployment("web", strategy="Recreate")), "Deployment web has strategy Recreate"),
        (WEB, under(a_deployment("web", strategy="")), "Deployment web has strategy unknown"),
        (WEB, under(a_deployment("web", max_surge=0)), "Deployment web has maxSurge 0"),
        (WEB, under(a_deployment("web", rolling=True)), "Deployment web is rolling out"),
    ],
)
def test_a_surge_needs_a_deployment_that_may_have_one_pod_more(pod: Pod, chain: tuple[Workload, ...] | None, reason: str) -> None:
    assert why_not(Mover.SURGE, a_subject(pod, chain=chain)) == reason
    assert reserved(a_subject(pod, chain=chain)) == reason


def test_a_pod_that_would_come_back_larger_stays_where_it_is() -> None:
    """VPA made it smaller, or its revision is being replaced: the next one asks for what the template says."""
    small = a_pod("web-1", on="n", of="web", cpu=1000)
    mine, above = under(a_deployment("web"))

    def told(technique: Callable[[Subject], str | None], **template: int) -> str | None:
        return technique(a_subject(small, chain=(replace(mine, template=Resources(template)), above)))

    for technique in (reserved, *(TECHNIQUES[mover].applies for mover in (Mover.SURGE, Mover.HOLD, Mover.EVICT))):
        assert told(technique, cpu=1001) == "the template of ReplicaSet web-5d8 asks for more cpu than it does"
        assert told(technique, cpu=1000) is None
    assert told(TECHNIQUES[Mover.SURGE].applies, memory=1, cpu=1) == "the template of ReplicaSet web-5d8 asks for more memory than it does"


def test_a_bare_replica_set_surges_only_if_the_policy_lists_its_kind() -> None:
    assert why_not(Mover.SURGE, a_subject(a_pod("p", on="n", of="rs", kind="ReplicaSet"), controllers=frozenset({"ReplicaSet"}))) is None


@pytest.mark.parametrize(("total", "ready"), [(3, 2), (2, 2), (4, 4)])
def test_a_surge_needs_every_wanted_replica_ready_and_no_other(total: int, ready: int) -> None:
    replicas = Replicas(total=total, ready=ready, at_minimal_cost=0)
    subject = a_subject(WEB, chain=under(a_deployment("web", replicas=3), replicas=3), replicas=replicas)

    assert why_not(Mover.SURGE, subject) == "not every replica of web-5d8 is Ready"
    assert reserved(subject) is None


def test_a_replica_that_carries_the_minimal_deletion_cost_would_be_the_victim_of_every_other_surge() -> None:
    chain = under(a_deployment("web", replicas=2), replicas=2)
    marked = a_pod("web-1", on="n", of="web", annotations={COST: LEAST})

    def told(pod: Pod, at_minimal_cost: int) -> str | None:
        replicas = Replicas(total=2, ready=2, at_minimal_cost=at_minimal_cost)
        return why_not(Mover.SURGE, a_subject(pod, chain=chain, replicas=replicas))

    assert told(WEB, 0) is None
    assert told(marked, 1) is None
    assert told(WEB, 1) == "another replica of web-5d8 carries the minimal deletion cost"
    assert told(marked, 2) == "another replica of web-5d8 carries the minimal deletion cost"


@pytest.mark.parametrize(
    ("text", "cost"),
    [
        (None, 0),
        ("", 0),
        ("7", 7),
        ("-7", -7),
        (LEAST, -(2**31)),
        (str(2**31 - 1), 2**31 - 1),
        (str(2**31), 0),
        (str(-(2**31) - 1), 0),
        ("1.5", 0),
        ("+5", 0),
        ("05", 0),
        ("1_0", 0),
        (" 5", 0),
        ("9" * 5000, 0),
    ],
)
def test_a_deletion_cost_is_read_as_the_replica_set_controller_reads_it(text: str | None, cost: int) -> None:
    assert deletion_cost(text) == cost


@pytest.mark.parametrize("mover", [Mover.HOLD, Mover.EVICT])
def test_what_takes_a_pod_away_first_needs_a_controller_and_a_budget_that_allows_it(mover: Mover) -> None:
    assert why_not(mover, a_subject(a_pod("p", on="n"))) == "it has no controller"
    assert why_not(mover, a_subject(WEB, budgets=(a_budget("web", allowed=1),))) is None
    assert why_not(mover, a_subject(WEB, budgets=(a_budget("web", allowed=0),))) == "PodDisruptionBudget web allows no disruption now"
    two = (a_budget("web", allowed=5), a_budget("web", name="other", allowed=5))
    assert why_not(mover, a_subject(WEB, budgets=two)) == "it is under two PodDisruptionBudgets"


def test_a_surge_asks_no_budget() -> None:
    two = (a_budget("web", allowed=0), a_budget("web", name="other", allowed=0))

    assert movers_for(a_subject(WEB, budgets=two))[0] == (Mover.SURGE,)


def test_only_bare_pods_are_recreated_and_they_ask_their_budget() -> None:
    bare = a_pod("p", on="n")

    assert movers_for(a_subject(bare))[0] == (Mover.RECREATE,)
    assert why_not(Mover.RECREATE, a_subject(bare, budgets=(a_budget("x", allowed=0),))) is not None


def test_every_mover_that_does_not_apply_says_why() -> None:
    db = a_pod("db-0", on="n", of="db", kind="StatefulSet")

    movers, reasons = movers_for(a_subject(db, found=None, budgets=(a_budget("db", allowed=0),), movers=("Surge", "Hold", "Evict")))

    assert movers == ()
    assert reasons == (
        "Surge: it has no ReplicaSet; Hold: Hold is not installed in the cluster; Evict: PodDisruptionBudget db allows no disruption now"
    )


def test_the_table_says_what_each_technique_promises() -> None:
    assert {m for m, t in TECHNIQUES.items() if t.keeps_both} == {Mover.SURGE}
    assert {m for m, t in TECHNIQUES.items() if not t.spends_budget} == {Mover.SURGE}
    assert {m for m, t in TECHNIQUES.items() if not t.steers} == {Mover.EVICT}
    assert {m for m, t in TECHNIQUES.items() if t.waits} == {Mover.HOLD}
    assert sorted(TECHNIQUES, key=lambda m: TECHNIQUES[m].cost) == [Mover.SURGE, Mover.HOLD, Mover.EVICT, Mover.RECREATE]
