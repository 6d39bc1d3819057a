"""InterPodAffinity: required anti-affinity, from the one who comes and from those who are there."""

from __future__ import annotations

from descheduler.domain.plan import Mover
from descheduler.domain.rows import AtMost, Exclude
from descheduler.domain.selectors import LabelSelector, PodTerm
from descheduler.rules.constraints import inter_pod_affinity as rule
from tests.builders import HOSTNAME, ZONE, a_node, a_pod, apart_from, selecting
from tests.questions import a_problem, bind, broken, names, planned, shift

APART = [apart_from(app="web")]
BY_ZONE = [apart_from(ZONE, app="web")]


def test_replicas_that_shun_each_other_are_told_apart_by_the_plan() -> None:
    problem = a_problem(
        a_node("n", cpu=9),
        a_node("m", cpu=9),
        a_pod("web-1", on="n", of="web", anti_affinity=APART),
        a_pod("web-2", of="web", anti_affinity=APART),
    )

    assert planned(problem) == {"web-2": "m"}


def test_a_violation_names_both_and_the_key() -> None:
    problem = a_problem(
        a_node("n", zone="a"),
        a_node("m", zone="a"),
        a_pod("web-1", on="n", of="web", anti_affinity=BY_ZONE),
        a_pod("rival", of="rival", labels={"app": "web"}, namespace="default"),
    )

    assert broken(problem, rule, bind(problem, "rival", "m")) == [
        "InterPodAffinity: east/m: default/rival and default/web exclude each other by topology.kubernetes.io/zone"
    ]


def test_it_holds_from_both_sides_and_for_the_whole_domain() -> None:
    problem = a_problem(
        a_node("n", zone="a"),
        a_node("same", zone="a"),
        a_node("other", zone="b"),
        a_pod("loner", on="n", anti_affinity=[apart_from(ZONE, app="noise")]),
        a_pod("noise", labels={"app": "noise"}),
        a_pod("shy", anti_affinity=[apart_from(ZONE, app="quiet")]),
        a_pod("quiet", on="n", labels={"app": "quiet"}),
    )

    for pod in ("noise", "shy"):
        assert len(broken(problem, rule, bind(problem, pod, "n"))) == 1
        assert len(broken(problem, rule, bind(problem, pod, "same"))) == 1
        assert broken(problem, rule, bind(problem, pod, "other")) == []
    assert planned(problem) == {"noise": "other", "shy": "other"}


def test_two_that_arrive_together_exclude_each_other_as_well() -> None:
    problem = a_problem(
        a_node("n"), a_pod("a", labels={"app": "web"}, anti_affinity=APART), a_pod("b", labels={"app": "web"}, anti_affinity=APART)
    )
    together = [bind(problem, "a", "n"), bind(problem, "b", "n")]

    assert len(broken(problem, rule, *together)) == 2
    assert len(planned(problem)) == 1


def test_a_node_without_the_key_is_in_no_domain() -> None:
    problem = a_problem(
        a_node("n"),
        a_pod("web-1", on="n", labels={"app": "web"}, anti_affinity=BY_ZONE),
        a_pod("web-2", labels={"app": "web"}, anti_affinity=BY_ZONE),
    )

    assert broken(problem, rule, bind(problem, "web-2", "n")) == []
    assert planned(problem) == {"web-2": "n"}


def test_only_the_namespaces_of_the_term_are_looked_at() -> None:
    everywhere = PodTerm(HOSTNAME, selecting(app="web"), None)
    nothing = PodTerm(HOSTNAME, None, None)
    all_of_it = PodTerm(HOSTNAME, LabelSelector(), frozenset({"other"}))
    problem = a_problem(
        a_node("n"),
        a_pod("web-1", on="n", namespace="other", labels={"app": "web"}),
        a_pod("own", anti_affinity=APART),
        a_pod("all", anti_affinity=[everywhere]),
        a_pod("none", anti_affinity=[nothing]),
        a_pod("any", anti_affinity=[all_of_it]),
    )

    refused = {name for name in ("own", "all", "none", "any") if broken(problem, rule, bind(problem, name, "n"))}

    assert refused == {"all", "any"}


def test_terminating_pods_still_count() -> None:
    problem = a_problem(
        a_node("n"),
        a_pod("going", on="n", labels={"app": "web"}, terminating=True),
        a_pod("next", anti_affinity=APART),
    )

    assert planned(problem) == {}


def test_another_cluster_is_another_world() -> None:
    problem = a_problem(
        a_node("n", zone="a"),
        a_node("n2", cluster="west", zone="a"),
        a_pod("web-1", on="n2", cluster="west", labels={"app": "web"}, anti_affinity=BY_ZONE),
        a_pod("web-2", labels={"app": "web"}, anti_affinity=BY_ZONE),
    )

    assert planned(problem) == {"web-2": "n"}


def test_of_a_pod_on_its_way_only_a_surge_has_its_old_self_against_it() -> None:
    problem = a_problem(a_node("n", zone="a"), a_node("m", zone="a"), a_pod("web-1", on="n", of="web", anti_affinity=BY_ZONE))

    assert len(broken(problem, rule, shift(problem, "web-1", "m", by=Mover.SURGE))) == 1
    assert broken(problem, rule, shift(problem, "web-1", "m", by=Mover.HOLD)) == []


def test_only_one_old_self_is_forgiven() -> None:
    replicas = [a_pod(f"web-{i}", on="n", of="web", anti_affinity=BY_ZONE) for i in (1, 2)]
    problem = a_problem(a_node("n", zone="a"), a_node("m", zone="a"), *replicas)

    assert len(broken(problem, rule, shift(problem, "web-1", "m", by=Mover.HOLD))) == 1


def test_a_broken_rule_is_forgiven_to_those_who_stay_and_to_nobody_who_comes() -> None:
    replicas = [a_pod(f"web-{i}", on="n", of="web", anti_affinity=APART) for i in (1, 2)]
    problem = a_problem(
        a_node("n", cpu=2),
        a_node("m", cpu=2),
        *replicas,
        a_pod("web-3", of="other", labels={"app": "web"}, anti_affinity=APART),
        a_pod("guest", cpu=1),
    )

    assert broken(problem, rule) == []
    assert broken(problem, rule, bind(problem, "guest", "n")) == []
    assert len(broken(problem, rule, bind(problem, "web-3", "n"))) == 1
    assert broken(problem, rule, bind(problem, "web-3", "m")) == []
    assert planned(problem)["web-3"] == "m"


def test_all_who_shun_each_other_make_one_row_and_one_sided_terms_another() -> None:
    replicas = [a_pod(f"web-{i}", on="n", of="web", anti_affinity=APART) for i in (1, 2)]
    problem = a_problem(
        a_node("n"), a_node("m"), *replicas, a_pod("shy", anti_affinity=[apart_from(app="loud")]), a_pod("loud", labels={"app": "loud"})
    )

    mutual, one_sided = sorted(rule.rows(problem), key=lambda row: type(row).__name__)

    assert isinstance(mutual, AtMost)
    assert (names(problem, mutual.group), mutual.limit, len(mutual.domains)) == (["web-1", "web-2"], 1, 2)
    assert isinstance(one_sided, Exclude)
    assert (names(problem, one_sided.carriers), names(problem, one_sided.others)) == (["shy"], ["loud"])


def test_terms_that_meet_nobody_or_nobody_who_may_come_make_no_row() -> None:
    problem = a_problem(
        a_node("n"),
        a_pod("shy", anti_affinity=[apart_from(app="nobody")]),
        a_pod("fixed-1", on="n", labels={"app": "web"}, anti_affinity=APART),
        a_pod("fixed-2", on="n", labels={"app": "web"}, anti_affinity=APART),
    )

    assert list(rule.rows(problem)) == []
