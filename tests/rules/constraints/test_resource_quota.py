"""ResourceQuota: second copies of a wave share what a namespace has left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from descheduler.domain.objects import Node, Pod, Quota
from descheduler.domain.plan import Mover
from descheduler.domain.resources import Resources
from descheduler.domain.selectors import Requirement
from descheduler.portfolio import Budgeted, search
from descheduler.rules.constraints import resource_quota as rule
from tests.builders import a_cluster, a_node, a_pod, a_quota, a_snapshot
from tests.questions import a_problem, broken, planned, shift

SURGE = ["Surge"]


def two_in_the_way(**spec: Any) -> Iterator[Node | Pod]:
    """Two pods of 1 CPU each fill the node that a waiting pod of 2 needs; elsewhere there is room for both."""
    yield a_node("tight", cpu=2, labels={"disk": "ssd"})
    yield a_node("wide", cpu=2)
    for name in ("a", "b"):
        yield a_pod(name, on="tight", of=name, cpu=1, **spec)
    yield a_pod("big", cpu=2, node_selector={"disk": "ssd"}, namespace="big")


def waves(problem: Any) -> list[int]:
    return [s.wave for s in search(problem, Budgeted()).route.shifts]


def test_copies_of_one_wave_share_what_is_left_and_the_next_wave_has_it_again() -> None:
    plenty, one = (a_problem(*two_in_the_way(), a_quota(pods=left), movers=SURGE) for left in (2, 1))

    assert waves(plenty) == [1, 1]
    assert waves(one) == [1, 2]


def test_a_full_quota_lets_no_copy_in_and_a_move_that_needs_none_still_goes() -> None:
    full = a_quota(pods=0)

    assert planned(a_problem(*two_in_the_way(), full, movers=SURGE)) == {}
    assert planned(a_problem(*two_in_the_way(), replace(full, left=(("pods", -3),)), movers=SURGE)) == {}
    held = a_snapshot(a_cluster("east", *two_in_the_way(), full, movers=("Surge", "Hold")))
    assert planned(a_problem(held)) == {"a": "wide", "b": "wide", "big": "tight"}


def test_a_violation_says_what_is_asked_and_what_is_left() -> None:
    problem = a_problem(*two_in_the_way(), a_quota(pods=1), movers=SURGE)
    both = [shift(problem, name, "wide") for name in ("a", "b")]

    assert broken(problem, rule, *both) == ["ResourceQuota: east/default/quota: second copies ask for 2 pods, 1 are left"]
    assert broken(problem, rule, both[0], shift(problem, "b", "wide", by=Mover.HOLD)) == []


def test_copies_outside_a_quotas_scopes_break_nothing() -> None:
    for scope, lines in (("NotTerminating", 1), ("Terminating", 0)):
        problem = a_problem(*two_in_the_way(), replace(a_quota(pods=1), scopes=(scope,)), movers=SURGE)

        assert len(broken(problem, rule, *(shift(problem, name, "wide") for name in ("a", "b")))) == lines, scope


@pytest.mark.parametrize(
    ("resource", "asked"),
    [
        ("pods", 1),
        ("count/pods", 1),
        ("cpu", 2),
        ("requests.cpu", 2),
        ("requests.memory", 3),
        ("requests.example.com/gpu", 4),
        ("limits.cpu", 5),
        ("limits.memory", 0),
        ("services", 0),
    ],
)
def test_what_a_copy_adds(resource: str, asked: int) -> None:
    pod = a_pod("web-1", on="n", of="web", cpu=2, memory=3, extended={"example.com/gpu": 4})
    pod = replace(pod, spec=replace(pod.spec, limits=Resources({"cpu": 5})))
    problem = a_problem(a_node("n"), pod)

    assert rule.amount(resource, problem.classes[0]) == asked


def quota(**fields: Any) -> Quota:
    return replace(a_quota(pods=0), **fields)


@pytest.mark.parametrize(
    ("scoped", "counted"),
    [
        (quota(), True),
        (quota(namespace="other"), False),
        (quota(scopes=("NotBestEffort",)), True),
        (quota(scopes=("BestEffort",)), False),
        (quota(scopes=("NotTerminating",)), True),
        (quota(scopes=("Terminating",)), False),
        (quota(scopes=("NotBestEffort", "Terminating")), False),
        (quota(scopes=("CrossNamespacePodAffinity",)), False),
        (quota(priority_classes=(Requirement("PriorityClass", "In", ("high",)),)), True),
        (quota(priority_classes=(Requirement("PriorityClass", "NotIn", ("high",)),)), False),
        (quota(priority_classes=(Requirement("PriorityClass", "Exists"),)), True),
    ],
)
def test_a_scope_says_which_pods_count(scoped: Quota, counted: bool) -> None:
    pod = a_pod("web-1", on="n", of="web", cpu=1)
    problem = a_problem(a_node("n"), replace(pod, spec=replace(pod.spec, priority_class="high")))

    assert rule.counts(scoped, problem.classes[0]) is counted


def test_a_quota_that_cannot_be_judged_lets_no_copy_in() -> None:
    strange = quota(left=(("pods", 99),), unknown="spec.scopes[]: 'Sometimes'")

    assert planned(a_problem(*two_in_the_way(), strange, movers=SURGE)) == {}


def test_a_waiting_pod_is_not_reserved_by_a_copy_that_the_quota_refuses() -> None:
    def contested(left: int) -> list[tuple[str, bool]]:
        problem = a_problem(
            a_node("n", cpu=4),
            a_node("m", cpu=2),
            a_pod("cart", on="n", of="cart", cpu=2, namespace="carts"),
            a_pod("big", of="big", cpu=4),
            a_pod("rival", of="rival", cpu=3, namespace="rivals"),
            a_quota(pods=left),
            limits={"perRun": 1},  # the rival stays pending
        )
        return [(str(b.mover), b.contested) for b in search(problem, Budgeted()).route.binds]

    assert contested(1) != []
    assert ("Surge", False) in contested(1) or ("Schedule", False) in contested(1)
    assert all(mover == "Schedule" for mover, _ in contested(0))
