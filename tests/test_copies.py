"""Which waiting pods may be reserved by a second copy: as far as quota and the copy's own pin allow."""

from __future__ import annotations

from dataclasses import replace

from descheduler.copies import refused
from descheduler.domain.plan import Mover
from tests.builders import ZONE, a_cluster, a_node, a_pod, a_quota, spread_over
from tests.problems import a_problem, a_route, bind, shift

SURGE, SCHEDULE = Mover.SURGE, Mover.SCHEDULE


def test_copies_share_what_the_quota_leaves_wave_by_wave() -> None:
    pods = [a_pod(f"p{i}", of=f"p{i}", cpu=1) for i in range(3)]
    problem = a_problem(a_node("n"), *pods, a_quota(pods=1))

    together = a_route(*(bind(problem, f"p{i}", "n", mover=SURGE) for i in range(3)))
    in_turn = a_route(*(bind(problem, f"p{i}", "n", mover=SURGE, wave=i + 1) for i in range(3)))

    assert refused(problem, together) == {1, 2}
    assert refused(problem, in_turn) == frozenset()


def test_moves_that_make_copies_go_first() -> None:
    problem = a_problem(a_node("n"), a_node("m"), a_pod("old", on="n", of="old"), a_pod("new", of="new"), a_quota(pods=1))

    assert refused(problem, a_route(shift(problem, "old", "m"), bind(problem, "new", "n", mover=SURGE))) == {0}
    assert refused(problem, a_route(bind(problem, "new", "n", mover=SURGE))) == frozenset()


def test_a_copy_is_there_while_its_hole_is_being_made() -> None:
    """It keeps the hole from its first maker's wave on; without a maker it comes with its own wave."""
    nodes = [a_node("n"), a_node("m"), a_node("far", cluster="west")]
    others = [a_pod("held", on="n", of="db", kind="StatefulSet"), a_pod("away", on="far", of="away", cluster="west")]
    problem = a_problem(*nodes, *others, a_pod("soon", of="soon"), a_pod("late", of="late"), a_quota(pods=1))
    binds = (bind(problem, "soon", "m", mover=SURGE), bind(problem, "late", "n", mover=SURGE, wave=2))

    assert refused(problem, a_route(shift(problem, "held", "m", mover=Mover.HOLD), *binds)) == {1}
    assert refused(problem, a_route(*binds)) == frozenset()


def test_only_moves_of_its_own_cluster_begin_to_make_a_copys_hole() -> None:
    west = a_cluster("west", a_node("far"), a_node("off"), a_pod("away", on="far", of="away"))
    problem = a_problem(west, a_node("n"), a_node("m"), a_pod("soon", of="soon"), a_pod("late", of="late"), a_quota(pods=1))
    binds = (bind(problem, "soon", "m", mover=SURGE), bind(problem, "late", "n", mover=SURGE, wave=2))

    assert refused(problem, a_route(shift(problem, "away", "off"), *binds)) == frozenset()


def test_a_move_whose_old_self_goes_first_takes_nothing_of_the_quota() -> None:
    nodes = [a_node("n"), a_node("m")]
    problem = a_problem(*nodes, a_pod("old", on="n", of="old", kind="Deployment"), a_pod("new", of="new"), a_quota(pods=1))

    assert refused(problem, a_route(shift(problem, "old", "m", mover=Mover.HOLD), bind(problem, "new", "n", mover=SURGE))) == frozenset()
    assert refused(problem, a_route(shift(problem, "old", "m"), bind(problem, "new", "n", mover=SURGE))) == {0}


def test_whoever_is_left_to_the_scheduler_needs_no_copy() -> None:
    problem = a_problem(a_node("n"), a_pod("new", of="new"), a_quota(pods=0))

    assert refused(problem, a_route(bind(problem, "new", "n"))) == frozenset()
    assert refused(problem, a_route(bind(problem, "new", "n", mover=SURGE))) == {0}


def test_a_pin_that_would_leave_one_domain_of_several_asked_for_is_refused_beside_a_sibling() -> None:
    spread = [spread_over(ZONE, max_skew=1, min_domains=2, app="web")]
    nodes = [a_node("a1", zone="a"), a_node("b1", zone="b"), a_node("b2", zone="b")]
    there = a_pod("old", on="b1", labels={"app": "web"})
    problem = a_problem(*nodes, there, a_pod("new", of="new", labels={"app": "web"}, spread=spread))

    assert refused(problem, a_route(bind(problem, "new", "b1", mover=SURGE))) == {0}
    assert refused(problem, a_route(bind(problem, "new", "b2", mover=SURGE))) == frozenset()
    assert refused(problem, a_route(bind(problem, "new", "b1", mover=SCHEDULE))) == frozenset()


def test_a_spread_that_does_not_ask_for_domains_or_for_affinity_is_no_obstacle() -> None:
    for spread in (spread_over(ZONE, app="web"), replace(spread_over(ZONE, min_domains=2, app="web"), honor_affinity=False)):
        problem = a_problem(
            a_node("a1", zone="a"),
            a_node("b1", zone="b"),
            a_pod("old", on="b1", labels={"app": "web"}),
            a_pod("new", of="new", labels={"app": "web"}, spread=[spread]),
        )

        assert refused(problem, a_route(bind(problem, "new", "b1", mover=SURGE))) == frozenset()
