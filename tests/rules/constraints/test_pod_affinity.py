"""InterPodAffinity, the half that attracts: near whom a pod must be, and who may come first."""

from __future__ import annotations

from dataclasses import replace

from descheduler.domain.plan import Mover
from descheduler.domain.rows import Needs
from descheduler.rules.constraints import pod_affinity as rule
from tests.builders import HOSTNAME, ZONE, a_node, a_pod, near
from tests.questions import a_problem, bind, broken, names, planned, shift

ZONES = [a_node("a1", zone="a"), a_node("a2", zone="a"), a_node("b1", zone="b")]
LIKES_CACHE = [near(ZONE, app="cache")]
LIKES_ITSELF = [near(ZONE, app="web")]
LONELY = "PodAffinity: east/b1: nobody whom a pod of default needs is near by topology.kubernetes.io/zone"


def test_a_pod_goes_where_the_one_it_needs_is() -> None:
    problem = a_problem(*ZONES, a_pod("cache", on="a1", of="cache"), a_pod("new", affinity=LIKES_CACHE))

    assert broken(problem, rule, bind(problem, "new", "b1")) == [LONELY]
    assert broken(problem, rule, bind(problem, "new", "a2")) == []
    assert planned(problem)["new"] in {"a1", "a2"}


def test_without_anybody_to_be_near_it_goes_nowhere() -> None:
    assert planned(a_problem(*ZONES, a_pod("new", affinity=LIKES_CACHE))) == {}


def test_a_node_without_the_key_is_near_nobody() -> None:
    problem = a_problem(a_node("n"), a_pod("cache", on="n", of="cache"), a_pod("new", affinity=LIKES_CACHE))

    assert planned(problem) == {}


def test_the_first_of_those_who_like_themselves_may_go_anywhere_and_the_others_follow() -> None:
    first = a_problem(*ZONES, a_pod("web-1", of="web", affinity=LIKES_ITSELF))
    second = a_problem(*ZONES, a_pod("old", on="b1", labels={"app": "web"}), a_pod("web-1", of="web", affinity=LIKES_ITSELF))

    assert broken(first, rule, bind(first, "web-1", "a1")) == []
    assert broken(second, rule, bind(second, "web-1", "b1")) == []
    assert len(broken(second, rule, bind(second, "web-1", "a1"))) == 1
    assert planned(second) == {"web-1": "b1"}


def test_two_cannot_both_be_the_first_in_one_wave() -> None:
    problem = a_problem(*ZONES, *(a_pod(f"web-{i}", of="web", affinity=LIKES_ITSELF) for i in (1, 2)))

    together = broken(problem, rule, bind(problem, "web-1", "a1"), bind(problem, "web-2", "a2"))
    in_turn = broken(problem, rule, bind(problem, "web-1", "a1"), bind(problem, "web-2", "a2", wave=2))
    apart = broken(problem, rule, bind(problem, "web-1", "a1"), bind(problem, "web-2", "b1", wave=2))

    assert len(together) == 2
    assert in_turn == []
    assert apart == [LONELY]


def test_an_anchor_that_leaves_or_comes_in_the_same_wave_is_none() -> None:
    problem = a_problem(*ZONES, a_pod("cache", on="a1", of="cache"), a_pod("new", affinity=LIKES_CACHE))

    leaving = broken(problem, rule, shift(problem, "cache", "b1"), bind(problem, "new", "a2"))
    coming = broken(problem, rule, shift(problem, "cache", "b1"), bind(problem, "new", "b1"))
    come = broken(problem, rule, shift(problem, "cache", "b1"), bind(problem, "new", "b1", wave=2))

    assert [len(leaving), len(coming), len(come)] == [1, 1, 0]


def test_a_terminating_anchor_may_be_gone_but_still_forbids_to_be_first() -> None:
    old = a_pod("old", on="a1", labels={"app": "web"}, terminating=True)
    problem = a_problem(*ZONES, old, a_pod("web-1", affinity=LIKES_ITSELF, of="web"))

    assert len(broken(problem, rule, bind(problem, "web-1", "a2"))) == 1
    assert len(broken(problem, rule, bind(problem, "web-1", "b1"))) == 1
    assert planned(problem) == {}


def test_one_and_the_same_pod_must_match_all_terms() -> None:
    both = [near(ZONE, app="cache"), near(ZONE, tier="fast")]
    half = [a_pod("cache", on="a1", labels={"app": "cache"}), a_pod("fast", on="a1", labels={"tier": "fast"})]
    whole = a_pod("whole", on="b1", labels={"app": "cache", "tier": "fast"})

    assert planned(a_problem(*ZONES, *half, a_pod("new", affinity=both))) == {}
    assert planned(a_problem(*ZONES, *half, whole, a_pod("new", affinity=both))) == {"new": "b1"}


def test_every_term_has_its_own_domain() -> None:
    both = [near(ZONE, app="cache"), near(HOSTNAME, app="cache")]
    problem = a_problem(*ZONES, a_pod("cache", on="a1", of="cache"), a_pod("new", affinity=both))

    assert planned(problem) == {"new": "a1"}


def test_another_namespace_is_not_looked_at() -> None:
    problem = a_problem(*ZONES, a_pod("cache", on="a1", namespace="other", labels={"app": "cache"}), a_pod("new", affinity=LIKES_CACHE))

    assert planned(problem) == {}


def test_a_copy_is_near_its_old_self_where_a_held_pod_is_the_first_anywhere() -> None:
    problem = a_problem(*ZONES, a_pod("web-1", on="a1", of="web", affinity=LIKES_ITSELF), a_pod("big", cpu=1))

    assert broken(problem, rule, shift(problem, "web-1", "a2")) == []
    assert len(broken(problem, rule, shift(problem, "web-1", "b1"))) == 1
    assert broken(problem, rule, shift(problem, "web-1", "b1", by=Mover.HOLD)) == []


def test_who_stays_is_not_asked_whether_its_anchor_does() -> None:
    problem = a_problem(*ZONES, a_pod("cache", on="a1", of="cache"), a_pod("fan", on="a2", of="fan", affinity=LIKES_CACHE))

    assert broken(problem, rule, shift(problem, "cache", "b1")) == []


def test_rows_name_carriers_anchors_and_all_company() -> None:
    web = a_pod("web-1", of="web", affinity=LIKES_ITSELF)
    problem = a_problem(*ZONES, web, a_pod("old", on="a1", labels={"app": "web"}, terminating=True), a_pod("kin", on="a2", of="web"))

    (row,) = rule.rows(problem)

    assert isinstance(row, Needs)
    assert row.bootstrap
    assert names(problem, row.carriers) == ["web-1"]
    assert names(problem, row.anchors) == ["kin", "web-1"]
    assert names(problem, row.company) == ["kin", "old", "web-1"]


def test_the_namespaces_of_a_term_may_be_all_of_them() -> None:
    anywhere = [replace(near(ZONE, app="cache"), namespaces=None)]
    problem = a_problem(*ZONES, a_pod("cache", on="b1", namespace="other", labels={"app": "cache"}), a_pod("new", affinity=anywhere))

    assert planned(problem) == {"new": "b1"}
