"""NodePorts: one port of a node for one pod."""

from __future__ import annotations

import pytest

from descheduler.domain.selectors import HostPort
from descheduler.rules.constraints import node_ports as rule
from tests.builders import a_node, a_pod
from tests.questions import a_problem, bind, broken, planned, shift

HTTP = HostPort(port=80)
ONE, OTHER = HostPort(ip="10.0.0.1", port=80), HostPort(ip="10.0.0.2", port=80)


@pytest.mark.parametrize(
    ("taken", "wanted", "clash"),
    [
        (HTTP, HTTP, True),
        (HTTP, HostPort(port=81), False),
        (HTTP, HostPort(protocol="UDP", port=80), False),
        (HTTP, ONE, True),
        (ONE, HTTP, True),
        (ONE, ONE, True),
        (ONE, OTHER, False),
    ],
)
def test_ports_clash_by_protocol_number_and_address(taken: HostPort, wanted: HostPort, clash: bool) -> None:
    problem = a_problem(a_node("n"), a_pod("there", on="n", host_ports=[taken]), a_pod("new", host_ports=[wanted]))

    assert broken(problem, rule, bind(problem, "new", "n")) == (["NodePorts: east/n: TCP port 80 is taken already"] if clash else [])
    assert planned(problem) == ({} if clash else {"new": "n"})


def test_two_that_come_together_cannot_both_have_it() -> None:
    problem = a_problem(a_node("n"), a_node("m"), a_pod("a", host_ports=[HTTP]), a_pod("b", host_ports=[HTTP]))

    assert len(broken(problem, rule, bind(problem, "a", "n"), bind(problem, "b", "n"))) == 2
    assert sorted(planned(problem).values()) == ["m", "n"]


def test_whoever_holds_the_port_makes_room_for_one_that_can_go_nowhere_else() -> None:
    problem = a_problem(
        a_node("n", labels={"disk": "ssd"}),
        a_node("m"),
        a_pod("holder", on="n", of="holder", host_ports=[HTTP]),
        a_pod("new", host_ports=[HTTP], node_selector={"disk": "ssd"}),
    )

    assert planned(problem) == {"holder": "m", "new": "n"}


def test_a_pod_is_not_in_its_own_way_when_it_only_leaves_and_comes_back_to_another_node() -> None:
    problem = a_problem(a_node("n"), a_node("m"), a_pod("web-1", on="n", of="web", host_ports=[HTTP]))

    assert broken(problem, rule, shift(problem, "web-1", "m")) == []


def test_an_address_named_by_one_pod_keeps_those_who_want_all_addresses_away_but_not_each_other() -> None:
    problem = a_problem(a_node("n"), *(a_pod(f"p{i}", host_ports=[port]) for i, port in enumerate((ONE, OTHER, HTTP))))

    assert broken(problem, rule, bind(problem, "p0", "n"), bind(problem, "p1", "n")) == []
    assert len(broken(problem, rule, bind(problem, "p0", "n"), bind(problem, "p2", "n"))) == 2
    assert len(planned(problem)) == 2
