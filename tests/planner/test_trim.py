from __future__ import annotations

from datetime import timedelta

from descheduler.domain.placement import Bind, Shift
from descheduler.domain.plan import Mover
from descheduler.planner import filled, helped, trim
from descheduler.planner.trim import replay
from descheduler.verify import violations
from tests.builders import NOW, ZONE, a_cluster, a_node, a_pod, apart_from
from tests.problems import HOLD, a_problem, a_route, bind, shift, told

CHAIN = (
    a_node("big", cpu=8),
    a_node("middle", cpu=5),
    a_node("small", cpu=2),
    a_pod("search", of="search", on="big", cpu=4),
    a_pod("cache", of="cache", on="middle", cpu=2),
    a_pod("idle", of="idle", on="small"),
    a_pod("train", cpu=8),
)


def test_a_move_that_no_waiting_pod_needs_is_dropped() -> None:
    problem = a_problem(*CHAIN)
    needed: list[Shift | Bind] = [
        shift(problem, "cache", "small"),
        shift(problem, "search", "middle", wave=2),
        bind(problem, "train", "big", wave=3),
    ]

    trimmed = trim(problem, a_route(*needed, shift(problem, "idle", "big")))

    assert trimmed == a_route(*needed)


def test_whoever_fits_when_all_is_done_comes_last_the_most_important_and_the_longest_waiting_first() -> None:
    early, late = NOW - timedelta(hours=2), NOW - timedelta(hours=1)
    problem = a_problem(
        a_node("big", cpu=8),
        a_node("small", cpu=3),
        a_pod("cart", of="cart", on="big", cpu=2),
        a_pod("train", cpu=8, priority=3),
        a_pod("late", cpu=1, waiting_since=late),
        a_pod("early", cpu=1, waiting_since=early),
        a_pod("whale", cpu=7, priority=9),
        *(a_pod(f"twin-{i}", of="twin", cpu=1, priority=1) for i in range(2)),
    )
    route = a_route(shift(problem, "cart", "small"), bind(problem, "train", "big", wave=2))

    assert told(problem, filled(problem, route)) == [*told(problem, route), "3 twin →small"]

    assert sorted(told(problem, filled(problem, a_route(bind(problem, "late", "big"))))) == [  # equal pods go by the name of the first
        "1 early →big",
        "2 early →big",
        "2 twin →big",
        "2 twin →big",
    ]


def test_filling_asks_for_no_wave_more_than_the_policy_allows() -> None:
    fleet = (a_node("big", cpu=4), a_node("small", cpu=2), a_pod("cart", of="cart", on="big", cpu=2), a_pod("train", cpu=4), a_pod("tiny"))
    problem = a_problem(*fleet, limits={"waves": 2})
    route = a_route(shift(problem, "cart", "small"), bind(problem, "train", "big", wave=2))

    full = filled(problem, route)

    assert (full.waves, len(full.binds)) == (2, 2)
    assert [str(v) for v in violations(problem, full)] == []


def test_moves_without_any_placement_are_all_dropped() -> None:
    problem = a_problem(*CHAIN)

    trimmed = trim(problem, a_route(shift(problem, "cache", "small"), shift(problem, "search", "middle", wave=2)))

    assert trimmed == a_route()


def test_each_cluster_is_trimmed_by_itself() -> None:
    idle = a_cluster("west", a_node("n0"), a_node("n1"), a_pod("far", of="far", on="n0"))
    problem = a_problem(*CHAIN, idle)
    needed: list[Shift | Bind] = [
        shift(problem, "cache", "small"),
        shift(problem, "search", "middle", wave=2),
        bind(problem, "train", "big", wave=3),
    ]

    assert trim(problem, a_route(*needed, shift(problem, "far", "n1"))) == a_route(*needed)


def test_a_move_knows_everybody_who_falls_with_it() -> None:
    problem = a_problem(*CHAIN, a_pod("late", cpu=3, priority=5))
    first, second = shift(problem, "cache", "small"), shift(problem, "search", "middle", wave=2)
    train = bind(problem, "train", "big", wave=3)

    fallen = helped(problem, a_route(first, second, train))

    assert fallen == {first: [(train,)], second: [(train,)]}


def test_a_move_does_not_boast_of_those_who_fit_anyway() -> None:
    problem = a_problem(
        a_node("big", cpu=4), a_node("small", cpu=4), a_pod("cart", of="cart", on="big", cpu=1), a_pod("a", cpu=3), a_pod("b", cpu=4)
    )
    move, needs = shift(problem, "cart", "small"), bind(problem, "b", "big", wave=2)
    fits = bind(problem, "a", "small")

    assert helped(problem, a_route(move, needs, fits)) == {move: [(needs,)]}


def test_a_move_helps_whoever_may_come_to_the_domain_it_leaves() -> None:
    problem = a_problem(
        a_node("a1", zone="a"),
        a_node("a2", zone="a"),
        a_node("b1", zone="b"),
        a_pod("loud", of="loud", on="a1", labels={"app": "loud"}),
        a_pod("quiet", anti_affinity=[apart_from(ZONE, app="loud")]),
    )
    move, needs = shift(problem, "loud", "b1"), bind(problem, "quiet", "a2", wave=2)

    assert helped(problem, a_route(move, needs)) == {move: [(needs,)]}
    assert trim(problem, a_route(move, needs)) == a_route(move, needs)


def test_a_move_helps_whoever_nobody_steers_by_taking_the_room_elsewhere() -> None:
    problem = a_problem(
        a_node("big", cpu=8),
        a_node("small", cpu=4),
        a_node("other", cpu=4),
        a_node("third", cpu=3),
        a_pod("cart", of="cart", on="big", cpu=4),
        a_pod("filler", of="filler", on="third", cpu=3),
        a_pod("train", cpu=8),
        movers=HOLD,
    )
    filler, cart = shift(problem, "filler", "other", Mover.EVICT), shift(problem, "cart", "small", Mover.EVICT, wave=2)
    train = bind(problem, "train", "big", wave=3)

    assert helped(problem, a_route(filler, cart, train)) == {filler: [(train,)], cart: [(train,)]}


def test_replay_leaves_out_an_unlawful_step_with_what_depends_on_it() -> None:
    problem = a_problem(*CHAIN)
    too_early = shift(problem, "search", "middle")

    kept = replay(problem, a_route(shift(problem, "cache", "small"), too_early, bind(problem, "train", "big", wave=2)))

    assert told(problem, kept) == ["1 cache middle→small Surge"]


SWAP = (
    a_node("large", cpu=8),
    a_node("medium", cpu=6),
    a_pod("db", of="db", kind="StatefulSet", on="large", cpu=6),
    a_pod("log", of="log", kind="StatefulSet", on="medium", cpu=4),
    a_pod("index", cpu=4),
)


def test_both_moves_of_a_broken_cycle_are_needed() -> None:
    problem = a_problem(*SWAP, movers=HOLD, limits={"cycleBreaks": 1})
    route = a_route(
        shift(problem, "db", "medium", Mover.HOLD, wave=1, arrival=3),
        shift(problem, "log", "large", Mover.HOLD, wave=2),
        bind(problem, "index", "large", wave=2),
    )

    assert trim(problem, route) == route


def test_a_held_pod_that_cannot_arrive_takes_along_whoever_came_into_its_room() -> None:
    problem = a_problem(*SWAP, movers=HOLD, limits={"cycleBreaks": 1})

    kept = replay(problem, a_route(shift(problem, "db", "medium", Mover.HOLD, wave=1, arrival=3), bind(problem, "index", "large", wave=2)))

    assert kept == a_route()
