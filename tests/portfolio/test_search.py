from __future__ import annotations

from typing import Any

from descheduler.domain.placement import Route
from descheduler.domain.selectors import Taint, Toleration
from descheduler.portfolio import Budgeted, search
from descheduler.portfolio.score import score
from descheduler.verify import violations
from tests.builders import a_cluster, a_node, a_pod
from tests.problems import HOLD, a_problem, a_route, bind, shift, told

HEADROOM_SECOND = ("PendingPods", "Headroom", "Disruption")
SHAPES = [{"name": "whole", "requests": {"cpu": "4m"}}]


def test_a_small_pod_makes_room_for_a_big_one() -> None:
    problem = a_problem(
        a_node("big", cpu=4), a_node("small", cpu=1), a_pod("squatter", of="squatter", on="big", cpu=1), a_pod("waiting", cpu=4)
    )

    found = search(problem, Budgeted())

    assert told(problem, found.route) == ["1 squatter big→small Surge", "2 waiting →big"]
    assert found.rejected == ()


def test_where_nobody_waits_nothing_is_searched() -> None:
    problem = a_problem(a_node("n0", cpu=4), a_node("n1", cpu=4), a_pod("a", of="a", on="n0", cpu=1), a_pod("b", of="b", on="n1", cpu=1))

    found = search(problem, Budgeted())

    assert (found.route, found.levels) == (Route(), ())


def test_a_cluster_without_waiting_pods_is_left_alone() -> None:
    west = a_cluster(
        "west", a_node("n0", cpu=4), a_node("n1", cpu=4), a_pod("a", of="a", on="n0", cpu=1), a_pod("b", of="b", on="n1", cpu=1)
    )
    problem = a_problem(
        a_node("big", cpu=4), a_node("small", cpu=1), a_pod("cart", of="cart", on="big", cpu=1), a_pod("train", cpu=4), west
    )

    route = search(problem, Budgeted()).route

    assert told(problem, route) == ["1 cart big→small Surge", "2 train →big"]


CYCLE = (
    a_node("large", cpu=8),
    a_node("medium", cpu=6),
    a_pod("db", of="db", kind="StatefulSet", on="large", cpu=6),
    a_pod("log", of="log", kind="StatefulSet", on="medium", cpu=4),
    a_pod("index", cpu=4, node_selector={"kubernetes.io/hostname": "large"}),
)


def test_what_cannot_be_ordered_is_not_published() -> None:
    problem = a_problem(*CYCLE, movers=HOLD)

    assert search(problem, Budgeted()).route == Route()


def test_a_cycle_that_may_be_broken_is_published() -> None:
    problem = a_problem(*CYCLE, movers=HOLD, limits={"cycleBreaks": 1})

    found = search(problem, Budgeted())

    assert told(problem, found.route) == ["1-3 db large→medium Hold", "2 index →large", "2 log medium→large Hold"]
    assert found.rejected == ()


def test_where_the_fewest_moves_cannot_be_ordered_more_moves_are_found() -> None:
    """Two pods changing places would do, but neither can go first; by way of a third node it takes three moves."""
    problem = a_problem(
        a_node("large", cpu=8),
        a_node("medium", cpu=6),
        a_node("aside", cpu=5),
        a_pod("db", of="db", on="large", cpu=6),
        a_pod("log", of="log", on="medium", cpu=4),
        a_pod("filler", of="filler", on="aside", cpu=2),
        a_pod("index", cpu=4, node_selector={"kubernetes.io/hostname": "large"}),
    )

    found = search(problem, Budgeted())

    assert (len(found.route.binds), len(found.route.shifts)) == (1, 3)
    assert [str(v) for v in violations(problem, found.route)] == []


def test_moves_for_headroom_survive_where_the_policy_puts_it_second() -> None:
    problem = a_problem(
        a_node("n0", cpu=4),
        a_node("n1", cpu=4),
        a_pod("a", of="a", on="n0", cpu=1),
        a_pod("b", of="b", on="n1", cpu=1),
        objectives=HEADROOM_SECOND,
        shapes=SHAPES,
    )

    route = search(problem, Budgeted()).route

    assert len(route.shifts) == 1


def test_a_node_is_emptied_whole_or_not_at_all() -> None:
    fleet = (
        a_node("n0", cpu=4),
        a_node("n1", cpu=4),
        a_pod("a", of="a", on="n0", cpu=1),
        a_pod("b", of="b", on="n0", cpu=1),
        a_pod("wall", on="n1", cpu=1),
    )
    emptying: dict[str, Any] = {"objectives": ("PendingPods", "EmptyNodes", "Disruption"), "emptyNodes": {"prices": [{"price": 2}]}}

    both = search(a_problem(*fleet, **emptying), Budgeted())
    neither = search(a_problem(*fleet, limits={"perRun": 1}, **emptying), Budgeted())

    assert told(a_problem(*fleet), both.route) == ["1 a n0→n1 Surge", "1 b n0→n1 Surge"]
    assert neither.route == Route()


def test_emptying_a_node_never_takes_a_waiting_pod_its_place() -> None:
    problem = a_problem(
        a_node("n0", cpu=4),
        a_node("n1", cpu=4),
        a_pod("a", of="a", on="n0", cpu=1),
        a_pod("wall", on="n1", cpu=1),
        a_pod("train", cpu=3),
        objectives=("PendingPods", "EmptyNodes", "Disruption"),
    )

    found = search(problem, Budgeted())

    assert told(problem, found.route) == ["1 train →n0"] or told(problem, found.route) == ["1 train →n1"]
    assert score(problem, found.route).values == (1, 0, 0, 0, 0)


def test_a_move_that_a_rival_could_rob_is_not_made() -> None:
    """``a`` could only go where ``b`` leaves, and nothing keeps that room from the thief while ``a`` is held."""
    ssd = {"disk": "ssd"}
    problem = a_problem(
        a_node("n0", cpu=4, labels=ssd),
        a_node("n1", cpu=4, labels=ssd),
        a_node("n2", cpu=4),
        a_pod("a", of="a", kind="StatefulSet", on="n0", cpu=4, node_selector=ssd),
        a_pod("b", of="b", on="n1", cpu=4),
        a_pod("train", cpu=3, node_selector={"kubernetes.io/hostname": "n0"}),
        a_pod("thief", cpu=1, scheduler="volcano", node_selector={"kubernetes.io/hostname": "n1"}),
        movers=HOLD,
    )

    assert search(problem, Budgeted()).route == Route()


def test_rather_more_waves_than_a_contested_place() -> None:
    """``early`` has room from the start; once it is bound nobody else wants what is made for the StatefulSet's pod."""
    problem = a_problem(
        a_node("big", cpu=8),
        a_node("small", cpu=4, taints=[Taint("cart", "", "NoSchedule")]),
        a_node("free", cpu=1),
        a_pod("cart", of="cart", on="big", cpu=4, tolerations=[Toleration("cart")]),
        a_pod("wall", on="big", cpu=4),
        a_pod("early", cpu=1),
        a_pod("train", of="train", kind="StatefulSet", cpu=4, node_selector={"kubernetes.io/hostname": "big"}),
    )

    route = search(problem, Budgeted()).route

    assert told(problem, route) == ["1 early →free", "2 cart big→small Surge", "3 train →big"]
    assert [b.contested for b in route.binds] == [False, False]


def test_a_realised_plan_is_scored_in_the_policys_order() -> None:
    problem = a_problem(
        a_node("big", cpu=4), a_node("small", cpu=1), a_pod("cart", of="cart", on="big", cpu=1), a_pod("train", cpu=4), a_pod("mini", cpu=1)
    )
    nothing, easy = Route(), a_route(bind(problem, "mini", "small"))
    hard = a_route(shift(problem, "cart", "small"), bind(problem, "train", "big", wave=2))

    assert score(problem, nothing) < score(problem, easy)
    assert score(problem, hard) < score(problem, easy)


def test_bounds_are_never_below_what_was_reached() -> None:
    problem = a_problem(*CYCLE, a_pod("easy", cpu=2), movers=HOLD)

    found = search(problem, Budgeted())

    bounds = {r.key: r.bound for r in found.levels if r.name == "PendingPods"}
    placed = len(found.route.binds)
    assert bounds[0] is not None
    assert bounds[0] >= placed == 1


def test_equal_searches_end_alike_whatever_the_number_of_workers() -> None:
    problem = a_problem(*CYCLE, a_pod("easy", cpu=2), movers=HOLD)

    assert search(problem, Budgeted(workers=1)) == search(problem, Budgeted(workers=4))


def test_a_search_without_time_still_answers() -> None:
    problem = a_problem(*CYCLE, movers=HOLD)

    found = search(problem, Budgeted(deadline=0.0))

    assert list(violations(problem, found.route)) == []
    assert not found.reproducible
