"""PodTopologySpread: hard constraints, judged where pods arrive, and the skew that every wave leaves."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from descheduler.domain.objects import Node, Pod
from descheduler.domain.plan import Mover
from descheduler.domain.selectors import LabelSelector, SpreadConstraint, Taint, Toleration
from descheduler.rules.constraints import pod_topology_spread as rule
from tests.builders import ZONE, a_node, a_pod, a_term, spread_over
from tests.questions import a_problem, bind, broken, names, planned, shift

EVEN = [spread_over(app="web")]
ZONES = [a_node("a1", zone="a"), a_node("b1", zone="b")]


def web(number: int, on: str | None = None, **fields: Any) -> Pod:
    """A replica of ``web`` that keeps zones even; waiting ones belong to another owner, so that running ones may surge."""
    return a_pod(f"web-{number}", on=on, of="web" if on else "new", labels={"app": "web"}, **{"spread": EVEN, **fields})


def test_a_new_replica_goes_where_there_are_fewest() -> None:
    problem = a_problem(*ZONES, web(1, "a1"), web(2))

    assert planned(problem) == {"web-2": "b1"}


def test_a_running_replica_makes_way_to_its_own_zone_when_the_other_would_tip_the_balance() -> None:
    nodes = [a_node("a1", cpu=2, zone="a"), a_node("a2", cpu=1, zone="a"), a_node("b1", cpu=1, zone="b"), a_node("b2", cpu=1, zone="b")]
    there = [web(1, "a1", cpu=1), a_pod("full", on="b2", cpu=1)]

    problem = a_problem(*nodes, *there, web(2, "b1", cpu=0), a_pod("waiting", cpu=2))

    assert planned(problem) == {"waiting": "a1", "web-1": "a2"}


def test_a_violation_is_worded_with_both_counts() -> None:
    problem = a_problem(*ZONES, web(1, "a1"), web(2))

    assert broken(problem, rule, bind(problem, "web-2", "a1"))[-1] == f"PodTopologySpread: east/a1: {ZONE} 2 - 0 > maxSkew 1"
    assert broken(problem, rule, bind(problem, "web-2", "b1")) == []


@pytest.mark.parametrize(("max_skew", "lawful"), [(1, False), (2, True)])
def test_max_skew_is_reached_and_not_passed(max_skew: int, lawful: bool) -> None:
    spread = [spread_over(max_skew=max_skew, app="web")]
    problem = a_problem(*ZONES, web(1, "a1", spread=spread), web(2, spread=spread))

    assert (broken(problem, rule, bind(problem, "web-2", "a1")) == []) is lawful


def test_a_surge_counts_twice_in_its_zone_while_a_held_pod_counts_once() -> None:
    problem = a_problem(*ZONES, a_node("a2", zone="a"), web(1, "a1"))

    assert len(broken(problem, rule, shift(problem, "web-1", "a2"))) == 1
    assert broken(problem, rule, shift(problem, "web-1", "a2", by=Mover.HOLD)) == []


def test_who_leaves_the_emptiest_zone_is_not_counted_there() -> None:
    problem = a_problem(*ZONES, web(1, "a1"), web(2, "b1"), web(3))
    leaves = shift(problem, "web-2", "a1")

    assert any("- 0 > maxSkew 1" in text for text in broken(problem, rule, leaves))


def test_within_a_wave_no_arrival_leans_on_another_that_may_come_later() -> None:
    problem = a_problem(*ZONES, web(1, "a1"), web(2), web(3))
    there, here = bind(problem, "web-2", "b1"), bind(problem, "web-3", "a1")

    assert broken(problem, rule, there, here) != []
    assert broken(problem, rule, there, bind(problem, "web-3", "a1", wave=2)) == []


def test_terminating_pods_and_other_namespaces_do_not_count() -> None:
    problem = a_problem(
        *ZONES, web(1, "a1"), web(2, "b1", terminating=True), web(3, "b1", namespace="other"), web(4, node_selector={}), a_pod("idle")
    )

    assert broken(problem, rule, bind(problem, "web-4", "b1")) == []
    assert len(broken(problem, rule, bind(problem, "web-4", "a1"))) > 0
    assert planned(problem)["web-4"] == "b1"


def test_fewer_domains_than_min_domains_count_as_an_empty_one() -> None:
    three = [spread_over(min_domains=3, app="web")]
    problem = a_problem(*ZONES, web(1, "a1", spread=three), web(2, "b1", spread=three), web(3, spread=three))
    enough = a_problem(*ZONES, a_node("c1", zone="c"), web(1, "a1", spread=three), web(2, "b1", spread=three), web(3, spread=three))

    assert planned(problem) == {}
    assert planned(enough) == {"web-3": "c1"}
    assert f"PodTopologySpread: east/a1: {ZONE} 2 - 0 > maxSkew 1" in broken(problem, rule, bind(problem, "web-3", "a1"))


@pytest.mark.parametrize("selector", [None, LabelSelector()])
def test_an_absent_and_an_empty_selector_count_nobody(selector: LabelSelector | None) -> None:
    spread = [SpreadConstraint(ZONE, 1, selector)]
    problem = a_problem(*ZONES, web(1, "a1", spread=spread), web(2, "a1", spread=spread), web(3, spread=spread))

    assert broken(problem, rule, bind(problem, "web-3", "a1")) == []


def test_a_pod_that_does_not_match_its_own_selector_only_minds_the_others() -> None:
    problem = a_problem(
        *ZONES,
        web(1, "a1"),
        a_pod("guest", spread=EVEN),
        a_pod("second", on="a1", labels={"app": "web"}),
        a_pod("late", spread=[spread_over(max_skew=2, app="web")]),
    )

    assert broken(problem, rule, bind(problem, "guest", "b1")) == []
    assert len(broken(problem, rule, bind(problem, "guest", "a1"))) == 1
    assert broken(problem, rule, bind(problem, "late", "a1")) == []


def test_a_zone_its_selector_forbids_is_no_domain_unless_the_policy_is_ignore() -> None:
    def told(**fields: Any) -> list[str]:
        mine: dict[str, Any] = {"node_affinity": (a_term((ZONE, "NotIn", ("b",))),), **fields}
        problem = a_problem(*ZONES, web(1, "a1", **mine), web(2, **mine))
        return broken(problem, rule, bind(problem, "web-2", "a1"))

    assert told() == []
    assert len(told(spread=[replace(EVEN[0], honor_affinity=False)])) > 0


TAINTED = a_node("b1", zone="b", taints=[Taint("gone", "", "NoExecute")])


@pytest.mark.parametrize(
    ("tolerations", "honor", "takes_part"),
    [
        ((), False, True),
        ((), True, False),
        ((Toleration("gone", "Exists"),), True, True),
        ((Toleration("gone", "Exists", seconds=300),), True, True),
    ],
)
def test_a_tainted_zone_is_a_domain_unless_taints_are_honoured_and_not_tolerated(
    tolerations: tuple[Toleration, ...], honor: bool, takes_part: bool
) -> None:
    spread = [replace(EVEN[0], honor_taints=honor)]
    fields: dict[str, Any] = {"spread": spread, "tolerations": tolerations}
    problem = a_problem(ZONES[0], TAINTED, web(1, "a1", **fields), web(2, **fields))

    refused = broken(problem, rule, bind(problem, "web-2", "a1")) != []

    assert refused is takes_part


@pytest.mark.parametrize(
    "odd", [a_node("b1", zone="b", unschedulable=True), a_node("b1", zone="b", ready=False), a_node("b1", zone="b", closed="x")]
)
def test_a_zone_that_takes_nobody_still_is_the_emptiest(odd: Node) -> None:
    problem = a_problem(ZONES[0], odd, web(1, "a1"), web(2))

    assert planned(problem) == {}


def test_a_node_must_carry_the_keys_of_all_constraints_to_count_for_any() -> None:
    both = [*EVEN, spread_over("rack", max_skew=9, app="web")]
    nodes = [a_node("a1", zone="a", labels={"rack": "1"}), a_node("b1", zone="b")]
    problem = a_problem(*nodes, web(1, "a1", spread=both), web(2, spread=both))

    assert planned(problem) == {"web-2": "a1"}
    assert f"PodTopologySpread: east/b1: no label {'rack'}" in broken(problem, rule, bind(problem, "web-2", "b1"))


def test_a_broken_spread_is_forgiven_to_those_who_stay_and_its_crowd_takes_nobody() -> None:
    crowd = [web(i, "a1") for i in range(1, 5)]
    problem = a_problem(*ZONES, *crowd, web(9), a_pod("guest"))

    assert broken(problem, rule) == []
    assert broken(problem, rule, bind(problem, "guest", "a1")) == []
    assert broken(problem, rule, bind(problem, "web-9", "b1")) == []
    assert planned(problem)["web-9"] == "b1"
    assert f"PodTopologySpread: east/a1: {ZONE} 5 - 0 > maxSkew 1" in broken(problem, rule, bind(problem, "web-9", "a1"))


def test_no_wave_leaves_a_broken_spread_worse_than_the_snapshot_whoever_moves() -> None:
    follower = a_pod("follower", on="b1", of="follower", labels={"app": "web"})
    problem = a_problem(*ZONES, web(1, "a1"), web(2, "a1"), web(3, "b1"), follower)

    told = broken(problem, rule, shift(problem, "follower", "a1"))

    assert told == [f"PodTopologySpread: east/default: {ZONE} skew 2 > 1"]


def test_a_skew_that_was_there_may_stay_as_it_is() -> None:
    follower = a_pod("follower", on="a1", of="follower", labels={"app": "web"})
    problem = a_problem(*ZONES, a_node("a2", zone="a"), web(1, "a1"), web(2, "a1"), follower)

    assert broken(problem, rule, shift(problem, "follower", "a2")) == []
    assert broken(problem, rule, shift(problem, "web-1", "b1")) == []
    assert broken(problem, rule, shift(problem, "web-1", "a2", by=Mover.HOLD)) == [f"PodTopologySpread: east/a2: {ZONE} 3 - 0 > maxSkew 1"]


def test_the_row_says_who_carries_who_counts_and_how_far_waves_may_go() -> None:
    movable = a_problem(*ZONES, *[web(i, "a1") for i in (1, 2, 3)], a_pod("other", labels={"app": "web"}))
    (row,) = rule.rows(movable)

    assert names(movable, row.carriers) == ["web-1", "web-2", "web-3"]
    assert names(movable, row.group) == ["other", "web-1", "web-2", "web-3"]
    assert (row.max_skew, row.min_domains, row.guard) == (1, 1, 3)
    assert [[movable.nodes[n].ref.name for n in domain] for domain in row.domains] == [["a1"], ["b1"]]


def test_nobody_guards_the_skew_where_nobody_who_counts_can_move() -> None:
    fixed = a_problem(*ZONES, a_pod("fixed", on="a1", labels={"app": "web"}), web(2))

    (row,) = rule.rows(fixed)

    assert row.guard is None


def test_a_waiting_pod_that_is_counted_but_does_not_care_may_tip_the_balance() -> None:
    full = a_node("b1", zone="b", pods=0)
    fixed, careless = a_pod("fixed", on="a1", labels={"app": "web"}), a_pod("careless", of="new", labels={"app": "web"})

    assert planned(a_problem(ZONES[0], full, fixed, careless, web(2))) == {"careless": "a1"}


def test_with_too_few_domains_the_skew_to_keep_is_measured_from_nothing() -> None:
    three = [spread_over(min_domains=3, app="web")]
    pairs = [web(i, f"{zone}1", spread=three) for i, zone in enumerate("aabb")]

    whole, pinned = rule.rows(a_problem(*ZONES, *pairs))

    assert whole.guard == 2
    assert pinned.guard is None


def test_a_pinned_copy_sees_one_domain_only_so_min_domains_lets_it_join_nobody() -> None:
    two = [spread_over(max_skew=1, min_domains=2, app="web")]
    nodes = [*ZONES, a_node("b2", zone="b")]
    problem = a_problem(*nodes, web(1, "a1", spread=two), web(2, "b1", spread=two), a_pod("other", on="a1"))

    crowded = broken(problem, rule, shift(problem, "web-1", "b1"))
    alone = broken(problem, rule, shift(problem, "web-2", "b2"))

    assert f"PodTopologySpread: east/b1: {ZONE} 2 - 0 > maxSkew 1 once it is pinned" in crowded
    assert alone == []


def test_a_pin_spoils_nothing_where_node_affinity_does_not_count() -> None:
    two = [replace(spread_over(max_skew=2, min_domains=2, app="web"), honor_affinity=False)]
    problem = a_problem(*ZONES, web(1, "a1", spread=two), web(2, "b1", spread=two), web(3, "b1", spread=two))

    assert not any("pinned" in told for told in broken(problem, rule, shift(problem, "web-1", "b1")))
