"""NodeResourcesFit: what arrives must fit beside everyone who is there in its wave, in every resource it asks for."""

from __future__ import annotations

from descheduler.domain.plan import Mover
from descheduler.rules.constraints import node_resources_fit as rule
from tests.builders import a_node, a_pod
from tests.questions import a_problem, bind, broken, planned, shift

GPU = "nvidia.com/gpu"


def test_a_small_pod_makes_room_for_a_big_one() -> None:
    problem = a_problem(
        a_node("big", cpu=4),
        a_node("small", cpu=1),
        a_pod("squatter", on="big", cpu=1, of="web"),
        a_pod("waiting", cpu=4),
    )

    assert planned(problem) == {"squatter": "small", "waiting": "big"}


def test_a_pod_that_does_not_fit_is_worded_with_both_amounts() -> None:
    problem = a_problem(a_node("n", cpu=4), a_node("m"), a_pod("there", on="n", cpu=3), a_pod("waiting", cpu=2))

    assert broken(problem, rule, bind(problem, "waiting", "n")) == ["NodeResourcesFit: east/n: cpu 5 > 4"]
    assert broken(problem, rule, bind(problem, "waiting", "m")) == []


def test_a_node_is_full_to_the_last_unit_and_not_beyond() -> None:
    problem = a_problem(a_node("n", cpu=3), a_pod("there", on="n", cpu=1), a_pod("a", cpu=1), a_pod("b", cpu=1), a_pod("c", cpu=1))
    steps = [bind(problem, name, "n") for name in "abc"]

    assert broken(problem, rule, *steps[:2]) == []
    assert broken(problem, rule, *steps) == ["NodeResourcesFit: east/n: cpu 4 > 3"]


def test_the_number_of_pods_counts_although_nobody_asks_for_it() -> None:
    problem = a_problem(a_node("n", pods=1), a_node("m"), a_pod("there", on="n", of="web"), a_pod("waiting", node_selector={"at": "n"}))

    assert broken(problem, rule, bind(problem, "waiting", "n")) == ["NodeResourcesFit: east/n: pods 2 > 1"]


def test_extended_resources_count_and_are_nothing_where_the_node_has_none() -> None:
    problem = a_problem(
        a_node("gpu", extended={GPU: 1}),
        a_node("plain"),
        a_pod("squatter", on="gpu", extended={GPU: 1}, of="web"),
        a_pod("waiting", extended={GPU: 1}),
    )

    assert planned(problem) == {}
    assert broken(problem, rule, bind(problem, "waiting", "plain")) == [f"NodeResourcesFit: east/plain: {GPU} 1 > 0"]


def test_who_leaves_counts_until_the_wave_ends() -> None:
    problem = a_problem(a_node("n", cpu=4), a_node("m", cpu=4), a_pod("leaver", on="n", cpu=3, of="web"), a_pod("waiting", cpu=2))
    leaves = shift(problem, "leaver", "m")

    assert broken(problem, rule, leaves, bind(problem, "waiting", "n", wave=1)) == ["NodeResourcesFit: east/n: cpu 5 > 4"]
    assert broken(problem, rule, leaves, bind(problem, "waiting", "n", wave=2)) == []


def test_two_pods_cannot_swap_full_nodes_in_one_wave_even_when_held() -> None:
    problem = a_problem(a_node("n", cpu=1), a_node("m", cpu=1), a_pod("a", on="n", cpu=1, of="a"), a_pod("b", on="m", cpu=1, of="b"))

    swap = [shift(problem, "a", "m", by=Mover.HOLD), shift(problem, "b", "n", by=Mover.HOLD)]

    assert broken(problem, rule, *swap) == ["NodeResourcesFit: east/m: cpu 2 > 1", "NodeResourcesFit: east/n: cpu 2 > 1"]


def test_an_overfull_node_keeps_what_stays_and_takes_only_what_asks_for_nothing_it_lacks() -> None:
    problem = a_problem(
        a_node("over", cpu=2, pods=9, extended={GPU: 1}),
        a_pod("one", on="over", cpu=2),
        a_pod("two", on="over", cpu=2),
        a_pod("modest", memory=1, extended={GPU: 1}),
        a_pod("asking", cpu=1),
    )

    assert broken(problem, rule) == []
    assert broken(problem, rule, bind(problem, "modest", "over")) == []
    assert broken(problem, rule, bind(problem, "asking", "over")) == ["NodeResourcesFit: east/over: cpu 5 > 2"]
    assert planned(problem) == {"modest": "over"}


def test_an_overfull_node_takes_an_arrival_once_it_is_back_under_its_limit() -> None:
    problem = a_problem(
        a_node("over", cpu=2),
        a_node("spare", cpu=2),
        a_pod("stays", on="over", cpu=1),
        a_pod("goes", on="over", cpu=2, of="web"),
        a_pod("waiting", cpu=1, node_selector={"kubernetes.io/hostname": "over"}),
    )

    assert planned(problem) == {"goes": "spare", "waiting": "over"}
    assert broken(problem, rule, shift(problem, "goes", "spare"), bind(problem, "waiting", "over", wave=2)) == []


def test_rows_are_made_only_where_somebody_may_arrive_and_only_for_what_they_ask() -> None:
    problem = a_problem(
        a_node("n", cpu=2), a_node("closed", closed="being deleted"), a_pod("there", on="n", memory=1), a_pod("waiting", cpu=1)
    )

    told = [(problem.nodes[row.node].ref.name, row.resource, row.limit) for row in rule.rows(problem)]

    assert told == [("n", "cpu", 2), ("n", "pods", 110)]
