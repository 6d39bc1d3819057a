"""Nominated pods: the node kube-scheduler has promised to a waiting pod is not free for its equals."""

from __future__ import annotations

from descheduler.domain.selectors import HostPort
from descheduler.rules.constraints import node_resources_fit as rule
from descheduler.verify import violations
from tests.builders import HOSTNAME, ZONE, a_node, a_pod, apart_from, spread_over
from tests.problems import a_route
from tests.questions import a_problem, bind, broken, planned, reach_of

WEB = {"app": "web"}


def test_its_requests_count_against_equals_and_lower_but_not_against_higher() -> None:
    promised = a_pod("promised", cpu=3, nominated="n", priority=5, node_selector={"nowhere": ""})
    for priority, lawful in ((4, False), (5, False), (6, True)):
        problem = a_problem(a_node("n", cpu=4), promised, a_pod("new", cpu=2, priority=priority))

        assert (broken(problem, rule, bind(problem, "new", "n")) == []) is lawful
        assert planned(problem) == ({"new": "n"} if lawful else {})


def test_what_is_left_beside_it_may_be_used() -> None:
    problem = a_problem(a_node("n", cpu=4), a_pod("promised", cpu=3, nominated="n", node_selector={"nowhere": ""}), a_pod("new", cpu=1))

    assert planned(problem) == {"new": "n"}


def test_it_is_not_in_its_own_way() -> None:
    problem = a_problem(a_node("n", cpu=4), a_pod("promised", cpu=3, nominated="n"))

    assert planned(problem) == {"promised": "n"}


def test_two_nominated_to_one_node_count_against_each_other() -> None:
    pods = [a_pod(f"p{i}", cpu=2, nominated="n", of="train") for i in (1, 2)]

    assert sorted(planned(a_problem(a_node("n", cpu=3), *pods))) == []
    assert sorted(planned(a_problem(a_node("n", cpu=4), *pods))) == ["p1", "p2"]


def test_ports_anti_affinity_and_spread_keep_others_off_that_node_only() -> None:
    nodes = [a_node("n", zone="a"), a_node("m", zone="a"), a_node("b", zone="b")]
    promised = {"nominated": "n", "node_selector": {"nowhere": ""}, "labels": WEB}
    for ours, theirs in (
        ({"host_ports": [HostPort(port=80)]}, {"host_ports": [HostPort(port=80)]}),
        ({"anti_affinity": [apart_from(ZONE, **WEB)]}, {}),
        ({"labels": WEB}, {"anti_affinity": [apart_from(HOSTNAME, **WEB)]}),
        ({"spread": [spread_over(max_skew=5, app="web")]}, {}),
        ({"exclusive_claims": ["default/one"]}, {"exclusive_claims": ["default/one"]}),
    ):
        problem = a_problem(*nodes, a_pod("promised", **{**promised, **theirs}), a_pod("new", **ours))  # type: ignore[arg-type]

        assert reach_of(problem, "new") == ["b", "m"]
        assert any("nominated" in str(v) for v in violations(problem, a_route(bind(problem, "new", "n"))))


def test_a_nomination_to_a_node_that_is_gone_means_nothing() -> None:
    problem = a_problem(a_node("n", cpu=4), a_pod("promised", cpu=3, nominated="gone", node_selector={"nowhere": ""}), a_pod("new", cpu=2))

    assert planned(problem) == {"new": "n"}
