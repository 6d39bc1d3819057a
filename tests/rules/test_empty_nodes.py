"""EmptyNodes: which nodes are empty, what that is worth, and that filling one counts as much as freeing one."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.domain.moment import snapshot_spots
from descheduler.domain.objects import Node, Pod
from descheduler.domain.placement import Route
from descheduler.domain.problem import Problem
from descheduler.portfolio.score import residents_after
from descheduler.rules.objectives.empty_nodes import empty_nodes, freed, node_prices
from tests.builders import Thing, a_node, a_pod
from tests.questions import a_problem, bind, node_of, shift


def asked(*fleet: Thing, prices: list[dict[str, Any]] | None = None) -> Problem:
    return a_problem(*fleet, objectives=["PendingPods", "EmptyNodes", "Disruption"], emptyNodes={"prices": prices or []})


def empty(problem: Problem) -> list[str]:
    return [problem.nodes[n].ref.name for n in sorted(empty_nodes(problem, snapshot_spots(problem)))]


@pytest.mark.parametrize(
    ("pod", "is_empty"),
    [
        (a_pod("log", on="n", of="log", kind="DaemonSet"), True),
        (a_pod("kube-proxy-n", on="n", static=True), True),
        (a_pod("web", on="n", of="web"), False),
        (a_pod("bare", on="n"), False),
        (a_pod("going", on="n", of="web", terminating=True), False),
        (a_pod("strange", on="n", opaque="a device"), False),
        (a_pod("elsewhere", on="m", of="web"), True),
        (a_pod("waits", of="web"), True),
    ],
)
def test_a_node_is_empty_but_for_daemonset_and_static_pods(pod: Pod, is_empty: bool) -> None:
    assert ("n" in empty(asked(a_node("n"), a_node("m"), pod))) is is_empty


@pytest.mark.parametrize("node", [a_node("n", ready=False), a_node("n", unschedulable=True)])
def test_a_node_that_nobody_could_use_is_not_counted(node: Node) -> None:
    assert empty(asked(node, a_node("m"))) == ["m"]


def test_the_first_matching_price_counts_and_one_where_none_does() -> None:
    prices = [
        {"nodeSelector": {"pool": "spot"}, "price": 0.5},
        {"nodeSelector": {"pool": "big", "zone": "a"}, "price": 8},
        {"nodeSelector": {"pool": "big"}, "price": 3},
        {"nodeSelector": {"pool": "spot"}, "price": 9},
    ]
    labels: list[dict[str, str]] = [{"pool": "spot"}, {"pool": "big", "zone": "a"}, {"pool": "big", "zone": "b"}, {"pool": "small"}, {}]

    problem = asked(*(a_node(f"n{i}", labels=told) for i, told in enumerate(labels)), prices=prices)

    assert [row.price for row in node_prices(problem)] == [0.5, 8, 3, 1, 1]


def test_only_nodes_that_could_become_empty_or_are_so_have_a_price() -> None:
    problem = asked(
        a_node("movable"),
        a_node("empty"),
        a_node("stuck"),
        a_node("worthless", labels={"pool": "spot"}),
        a_pod("a", on="movable", of="a"),
        a_pod("log", on="movable", of="log", kind="DaemonSet"),
        a_pod("bare", on="stuck"),
        prices=[{"nodeSelector": {"pool": "spot"}, "price": 0}],
    )

    assert [(problem.nodes[row.node].ref.name, row.empty) for row in node_prices(problem)] == [("empty", True), ("movable", False)]


FLEET = (a_node("n"), a_node("m", labels={"pool": "big"}), a_node("o"), a_pod("a", on="n", of="a"), a_pod("b", on="o", of="b"))
BIG = [{"nodeSelector": {"pool": "big"}, "price": 3}]


def test_what_is_freed_is_net_of_what_is_filled() -> None:
    problem = asked(*FLEET, a_pod("waits"), prices=BIG)
    a_leaves, a_goes_home = shift(problem, "a", "o"), shift(problem, "a", "m")
    filled = bind(problem, "waits", "m")

    def worth(*, shifts: tuple[Any, ...] = (), binds: tuple[Any, ...] = ()) -> float:
        return freed(problem, residents_after(problem, Route(shifts=shifts, binds=binds)))

    assert worth() == 0
    assert worth(shifts=(a_leaves,)) == 1
    assert worth(shifts=(a_goes_home,)) == 1 - 3
    assert worth(binds=(filled,)) == -3
    assert worth(binds=(bind(problem, "waits", "n"),)) == 0
    assert node_of(problem, "n") in empty_nodes(problem, residents_after(problem, Route(shifts=(a_leaves,))))


def test_prices_are_counted_in_thousandths() -> None:
    problem = asked(a_node("n"), prices=[{"price": 0.33349}])

    assert [row.price for row in node_prices(problem)] == [0.333]
