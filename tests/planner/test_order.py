from __future__ import annotations

from random import Random

from descheduler.diagnose import diagnose
from descheduler.domain.moment import snapshot_spots
from descheduler.domain.placement import Route
from descheduler.domain.problem import Problem
from descheduler.planner import order
from descheduler.rules.movers import TECHNIQUES
from descheduler.solver.exact import solve
from descheduler.solver.solution import Search
from descheduler.verify import violations
from tests.builders import Thing, a_budget, a_node, a_pod, apart_from
from tests.problems import HOLD, a_problem, placement, told
from tests.properties.tiny import a_loose_policy, a_tiny_fleet


def test_moves_that_do_not_touch_share_a_wave_and_the_waiting_pod_follows() -> None:
    problem = a_problem(
        a_node("big", cpu=8),
        a_node("small", cpu=4),
        a_pod("cart", of="cart", on="big", cpu=2),
        a_pod("web", of="web", on="big", cpu=2),
        a_pod("train", cpu=8),
    )

    ordered = order(problem, placement(problem, cart="small", web="small", train="big"))

    assert told(problem, ordered.route) == ["1 cart big→small Surge", "1 web big→small Surge", "2 train →big"]
    assert ordered.complete


def test_whoever_needs_a_place_comes_after_the_one_who_had_it() -> None:
    problem = a_problem(
        *(a_node(f"n{i}", cpu=3) for i in range(4)),
        *(a_pod(f"p{i}", of=f"p{i}", on=f"n{i}", cpu=2) for i in range(3)),
        a_pod("train", cpu=3),
    )

    ordered = order(problem, placement(problem, p0="n1", p1="n2", p2="n3", train="n0"))

    assert told(problem, ordered.route) == ["1 p2 n2→n3 Surge", "2 p1 n1→n2 Surge", "3 p0 n0→n1 Surge", "4 train →n0"]


def test_no_more_waves_than_the_policy_allows() -> None:
    things: list[Thing] = [*(a_node(f"n{i}", cpu=3) for i in range(4)), *(a_pod(f"p{i}", of=f"p{i}", on=f"n{i}", cpu=2) for i in range(3))]
    problem = a_problem(*things, limits={"waves": 2})

    ordered = order(problem, placement(problem, p0="n1", p1="n2", p2="n3"))

    assert told(problem, ordered.route) == ["1 p2 n2→n3 Surge", "2 p1 n1→n2 Surge"]
    assert ordered.stuck == placement(problem, p0="n1")


def test_a_shunned_pod_comes_after_the_pod_that_shuns_it_has_left() -> None:
    problem = a_problem(
        a_node("n0"),
        a_node("n1"),
        a_node("n2"),
        a_pod("shy", of="shy", on="n1", anti_affinity=[apart_from(app="noisy")]),
        a_pod("noisy", of="noisy", on="n0"),
    )

    ordered = order(problem, placement(problem, shy="n2", noisy="n1"))

    assert told(problem, ordered.route) == ["1 shy n1→n2 Surge", "2 noisy n0→n1 Surge"]


SWAP = (
    a_node("n0", cpu=3),
    a_node("n1", cpu=3),
    a_pod("a", of="a", kind="StatefulSet", on="n0", cpu=2),
    a_pod("b", of="b", kind="StatefulSet", on="n1", cpu=2),
)


def test_two_pods_that_must_change_places_are_stuck_by_default() -> None:
    problem = a_problem(*SWAP, movers=HOLD)

    ordered = order(problem, placement(problem, a="n1", b="n0"))

    assert ordered.route == Route()
    assert ordered.stuck == placement(problem, a="n1", b="n0")


def test_a_hold_breaks_a_cycle_where_the_policy_allows_it() -> None:
    problem = a_problem(*SWAP, movers=HOLD, limits={"cycleBreaks": 1, "movesPerPlacedPod": None})

    ordered = order(problem, placement(problem, a="n1", b="n0"))

    assert told(problem, ordered.route) == ["1-3 a n0→n1 Hold", "2 b n1→n0 Hold"]
    assert list(violations(problem, ordered.route)) == []


def test_a_cycle_of_pods_that_cannot_be_held_is_not_broken() -> None:
    problem = a_problem(
        a_node("n0", cpu=3),
        a_node("n1", cpu=3),
        a_pod("a", of="a", on="n0", cpu=2),
        a_pod("b", of="b", on="n1", cpu=2),
        limits={"cycleBreaks": 5},
    )

    ordered = order(problem, placement(problem, a="n1", b="n0"))

    assert ordered.route == Route()


def test_a_held_pod_that_finds_no_place_has_never_left() -> None:
    problem = a_problem(*SWAP, a_pod("wall", on="n1", cpu=1), movers=HOLD, limits={"cycleBreaks": 1})
    impossible = placement(problem, a="n1")

    ordered = order(problem, impossible)

    assert ordered.route == Route()
    assert ordered.stuck == impossible


def test_a_budget_lets_so_many_go_in_one_wave_as_it_allows() -> None:
    problem = a_problem(
        a_node("n0"),
        a_node("n1"),
        *(a_pod(f"db-{i}", of="db", kind="StatefulSet", on="n0") for i in range(5)),
        a_budget("db", allowed=2),
        movers=HOLD,
    )

    ordered = order(problem, placement(problem, db_0="n1", db_1="n1", db_2="n1", db_3="n1", db_4="n1"))

    assert [s.wave for s in ordered.route.shifts] == [1, 1, 2, 2, 3]


def test_a_budget_stays_spent_until_the_held_pod_has_arrived() -> None:
    """There is room for ``c`` from wave 3 on, when ``a`` arrives, but one budget covers both."""
    problem = a_problem(
        a_node("n0", cpu=3),
        a_node("n1", cpu=3),
        a_node("n2", cpu=3),
        a_pod("a", of="a", kind="StatefulSet", on="n0", cpu=2),
        a_pod("b", of="b", kind="StatefulSet", on="n1", cpu=3),
        a_pod("c", of="c", kind="StatefulSet", on="n2", cpu=1, labels={"app": "a"}),
        a_budget("a", allowed=1),
        movers=HOLD,
        limits={"cycleBreaks": 1, "movesPerPlacedPod": None},
    )

    ordered = order(problem, placement(problem, a="n1", b="n0", c="n1"))

    assert told(problem, ordered.route) == ["1-3 a n0→n1 Hold", "2 b n1→n0 Hold", "4 c n2→n1 Hold"]
    assert list(violations(problem, ordered.route)) == []


def test_a_surge_spends_no_budget() -> None:
    problem = a_problem(a_node("n0"), a_node("n1"), a_pod("web", of="web", on="n0"), a_budget("web", allowed=0, healthy=1, desired=1))

    ordered = order(problem, placement(problem, web="n1"))

    assert told(problem, ordered.route) == ["1 web n0→n1 Surge"]


def test_what_is_stuck_is_left_out_with_what_depends_on_it_and_the_rest_goes_on() -> None:
    problem = a_problem(
        a_node("big", cpu=4),
        a_node("full", cpu=2),
        a_node("free", cpu=2),
        a_pod("cart", of="cart", on="big", cpu=2),
        a_pod("wall", on="full", cpu=2),
        a_pod("web", of="web", on="big", cpu=1),
        a_pod("train", cpu=4),
    )

    ordered = order(problem, placement(problem, cart="full", web="free", train="big"))

    assert told(problem, ordered.route) == ["1 web big→free Surge"]
    assert ordered.stuck == placement(problem, cart="full", train="big")


def test_the_important_pod_is_placed_before_others_that_want_the_same_node() -> None:
    problem = a_problem(
        a_node("big", cpu=4),
        a_node("small", cpu=4),
        a_pod("cart", of="cart", on="big", cpu=4),
        a_pod("late", cpu=2),
        a_pod("urgent", cpu=2, priority=9),
        limits={"waves": 2},
    )

    ordered = order(problem, placement(problem, cart="small", late="big", urgent="big"))

    assert [problem.classes[b.pod_class].priority for b in ordered.route.binds if b.wave == 2] == [0, 9]


def test_whatever_the_solver_finds_is_ordered_lawfully() -> None:
    for seed in range(150):
        problem = diagnose(a_tiny_fleet(seed), a_loose_policy(seed))

        ordered = order(problem, solve(problem, Search()).placement)

        assert [str(v) for v in violations(problem, ordered.route)] == [], f"seed {seed}"


def test_no_order_within_a_wave_overfills_a_node() -> None:
    for seed in range(150):
        problem = diagnose(a_tiny_fleet(seed), a_loose_policy(seed))
        route = order(problem, solve(problem, Search()).placement).route

        assert overfilled(problem, route, Random(seed)) == [], f"seed {seed}"


def overfilled(problem: Problem, route: Route, dice: Random) -> list[str]:
    """Nodes that an arrival overfills when each wave's steps happen in some random order, one half-step at a time."""
    there = dict(snapshot_spots(problem))
    found = []
    for wave in range(1, route.waves + 1):
        comings = [(s.pod_class, s.source, s.target, TECHNIQUES[s.mover].keeps_both) for s in route.shifts if s.wave == wave]
        halves = [[("leave", c, source), ("come", c, target)] for c, source, target, _ in comings]
        halves = [list(reversed(pair)) if both else pair for pair, (*_, both) in zip(halves, comings, strict=True)]
        halves += [[("come", b.pod_class, b.target)] for b in route.binds if b.wave == wave]
        while halves:
            steps = dice.choice(halves)
            deed, c, place = steps.pop(0)
            there[c, place] = there.get((c, place), 0) + (1 if deed == "come" else -1)
            if deed == "come" and not fits(problem, there, c, place):
                found.append(f"wave {wave}: {problem.nodes[place].ref}")
            halves = [rest for rest in halves if rest]
    return found


def fits(problem: Problem, there: dict[tuple[int, int], int], comer: int, place: int) -> bool:
    """Whether the node holds everyone, in what the comer asks for."""
    used = {
        r: sum(k * problem.classes[c].requests[r] for (c, n), k in there.items() if n == place) for r in problem.classes[comer].requests
    }
    return all(amount <= problem.nodes[place].allocatable[r] for r, amount in used.items())
