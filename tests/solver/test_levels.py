from __future__ import annotations

from datetime import timedelta
from typing import Any

from descheduler.domain.problem import Problem
from descheduler.solver.exact import solve
from descheduler.solver.solution import LevelResult, Search, Solution
from tests.builders import NOW, Thing, a_node, a_pod
from tests.problems import HOLD, a_problem, pod_class

HEADROOM_SECOND = ("PendingPods", "Headroom", "Disruption")
SHAPES = [{"name": "big", "requests": {"cpu": "4m"}}]


def solved(*things: Thing, movers: tuple[str, ...] | None = None, **spec: Any) -> tuple[Problem, Solution]:
    problem = a_problem(*things, movers=movers, **{"shapes": SHAPES, **spec})
    return problem, solve(problem, Search())


def comings(problem: Problem, solution: Solution) -> set[str]:
    """``cart→n1`` for every arrival."""
    told = set()
    for (c, n), count in solution.placement.arrivals.items():
        first = problem.classes[c]
        name = first.workload[1] if first.workload else problem.pods[first.pods[0]].ref.name
        told.add(f"{name}→{problem.nodes[n].ref.name}" + (f" ×{count}" if count > 1 else ""))
    return told


def level(solution: Solution, name: str, key: int | str) -> LevelResult:
    return next(r for r in solution.levels if (r.name, r.key) == (name, key))


def test_a_higher_priority_counts_more_than_any_number_below() -> None:
    problem, solution = solved(a_node("n0", cpu=4), a_pod("urgent", cpu=4, priority=9), *(a_pod(f"b{i}", cpu=1) for i in range(4)))

    assert comings(problem, solution) == {"urgent→n0"}
    assert [(r.key, r.value) for r in solution.levels if r.name == "PendingPods"][:2] == [(9, 1), (0, 0)]


def test_a_lower_priority_is_served_as_far_as_the_higher_one_allows() -> None:
    problem, solution = solved(a_node("n0", cpu=4), a_node("n1", cpu=2), a_pod("urgent", cpu=2, priority=9), a_pod("batch", cpu=4))

    assert comings(problem, solution) == {"urgent→n1", "batch→n0"}


def test_more_pods_come_before_fewer_moves() -> None:
    _, solution = solved(
        a_node("n0", cpu=4), a_node("n1", cpu=2), a_pod("cart", of="cart", on="n0", cpu=2), a_pod("a", cpu=4), a_pod("b", cpu=3)
    )

    assert solution.placement.moves == 1
    assert level(solution, "PendingPods", 0).value == 1


def test_of_two_equals_the_longest_waiting_is_placed() -> None:
    early, late = NOW - timedelta(hours=3), NOW - timedelta(hours=1)
    problem, solution = solved(
        a_node("n0", cpu=4), a_pod("a-late", cpu=4, waiting_since=late), a_pod("b-early", cpu=4, waiting_since=early)
    )

    assert comings(problem, solution) == {"b-early→n0"}


def test_waiting_longer_is_worth_no_move() -> None:
    early, late = NOW - timedelta(hours=3), NOW - timedelta(minutes=5)
    problem, solution = solved(
        a_node("n0", cpu=2),
        a_node("n1", cpu=4),
        a_pod("cart", of="cart", on="n1", cpu=1),
        a_pod("wall", on="n0", cpu=1),
        a_pod("late", cpu=3, waiting_since=late),
        a_pod("early", cpu=4, waiting_since=early),
    )

    assert comings(problem, solution) == {"late→n1"}


def test_as_few_pods_move_as_possible() -> None:
    problem, solution = solved(
        a_node("n0", cpu=6),
        a_node("n1", cpu=6),
        a_node("n2", cpu=9),
        *(a_pod(f"small-{i}", of=f"small-{i}", on="n0", cpu=1) for i in range(3)),
        a_pod("large", of="large", on="n1", cpu=3),
        a_pod("wall", on="n2", cpu=4),
        a_pod("train", cpu=6),
    )

    assert "train→n1" in comings(problem, solution)
    assert level(solution, "Disruption", "moves").value == 1


def test_of_two_equal_moves_the_cheaper_mover_is_chosen() -> None:
    for dear, cheap in (("n0", "n1"), ("n1", "n0")):
        problem, solution = solved(
            a_node("n0", cpu=4),
            a_node("n1", cpu=4),
            a_node("n2", cpu=2),
            a_pod("held", of="held", kind="StatefulSet", on=dear, cpu=2),
            a_pod("surged", of="surged", on=cheap, cpu=2),
            a_pod("train", cpu=4),
            movers=HOLD,
        )

        assert f"train→{cheap}" in comings(problem, solution)
        assert level(solution, "Disruption", "cost").value == 1


def test_among_plans_of_equal_moves_the_one_that_leaves_more_slots_wins() -> None:
    for whole, broken in (("n1", "n2"), ("n2", "n1")):
        problem, solution = solved(
            a_node("n0", cpu=4),
            a_node(whole, cpu=4),
            a_node(broken, cpu=3),
            a_pod("cart", of="cart", on="n0", cpu=2),
            a_pod("train", cpu=4, node_selector={"kubernetes.io/hostname": "n0"}),
        )

        assert comings(problem, solution) == {f"cart→{broken}", "train→n0"}
        assert level(solution, "Headroom", "slots") == LevelResult(name="Headroom", key="slots", value=1, bound=1)


UNTIDY = (
    a_node("n0", cpu=4),
    a_node("n1", cpu=4),
    a_pod("a", of="a", on="n0", cpu=1),
    a_pod("b", of="b", on="n1", cpu=1),
)


def test_slots_are_worth_no_move_where_disruption_comes_first() -> None:
    _, solution = solved(*UNTIDY)

    assert solution.placement.moves == 0


def test_headroom_second_is_worth_a_move_that_brings_more_than_the_floor() -> None:
    _, solution = solved(*UNTIDY, objectives=HEADROOM_SECOND, floor={"slotsPerMove": 0.5})

    assert solution.placement.moves == 1
    assert level(solution, "Headroom", "slots") == LevelResult(name="Headroom", key="slots", value=0.5, bound=0.5)


def test_a_move_that_brings_no_more_than_the_floor_is_not_made() -> None:
    _, solution = solved(*UNTIDY, objectives=HEADROOM_SECOND, floor={"slotsPerMove": 1})

    assert solution.placement.moves == 0


def test_weights_of_shapes_count() -> None:
    shapes = [{"name": "big", "weight": 3, "requests": {"cpu": "4m"}}]
    _, solution = solved(*UNTIDY, objectives=HEADROOM_SECOND, floor={"slotsPerMove": 2}, shapes=shapes)

    assert level(solution, "Headroom", "slots").value == 1


def test_moves_that_waiting_pods_need_are_not_charged_to_headroom() -> None:
    problem, solution = solved(*UNTIDY, a_pod("train", cpu=4, priority=1), objectives=HEADROOM_SECOND, floor={"slotsPerMove": 1})

    assert level(solution, "PendingPods", 1).value == 1
    assert solution.placement.moves == 1
    assert level(solution, "Headroom", "slots").value == 0
    assert {"a→n1", "train→n0"} == comings(problem, solution) or {"b→n0", "train→n1"} == comings(problem, solution)


def test_headroom_never_costs_a_waiting_pod_its_place() -> None:
    problem, solution = solved(*UNTIDY, a_pod("small", cpu=3), objectives=HEADROOM_SECOND, floor={"slotsPerMove": 0.1})

    assert level(solution, "PendingPods", 0).value == 1
    assert pod_class(problem, "small").index in {c for c, _ in solution.placement.arrivals}


def test_limits_hold_for_headroom_too() -> None:
    _, solution = solved(*UNTIDY, objectives=HEADROOM_SECOND, floor={"slotsPerMove": 0}, limits={"perRun": 0})

    assert solution.placement.moves == 0


EMPTY_NODES_SECOND = ("PendingPods", "EmptyNodes", "Disruption")
SPARSE = (*UNTIDY, a_node("n2", cpu=4, labels={"pool": "big"}), a_pod("c", of="c", on="n2", cpu=1), a_pod("d", of="d", on="n2", cpu=1))


def test_a_node_is_emptied_for_less_than_its_price() -> None:
    problem, solution = solved(*UNTIDY, objectives=EMPTY_NODES_SECOND, floor={"slotsPerMove": 0.5})

    assert solution.placement.moves == 1
    assert comings(problem, solution) in ({"a→n1"}, {"b→n0"})
    assert level(solution, "EmptyNodes", "nodes") == LevelResult(name="EmptyNodes", key="nodes", value=0.5, bound=0.5)


def test_the_dearest_nodes_are_emptied_first() -> None:
    prices = {"prices": [{"nodeSelector": {"pool": "big"}, "price": 3}]}
    problem, solution = solved(*SPARSE, objectives=EMPTY_NODES_SECOND, emptyNodes=prices, limits={"perRun": 2})

    assert {arrival.partition("→")[0] for arrival in comings(problem, solution)} == {"c", "d"}
    assert level(solution, "EmptyNodes", "nodes") == LevelResult(name="EmptyNodes", key="nodes", value=2, bound=2)


def test_a_node_is_not_emptied_for_its_price_or_more() -> None:
    _, solution = solved(*UNTIDY, objectives=EMPTY_NODES_SECOND, floor={"slotsPerMove": 1})

    assert solution.placement.moves == 0


def test_an_empty_node_is_never_filled_to_empty_another() -> None:
    fleet = (a_node("n0", cpu=4), a_node("n1", cpu=4), a_pod("a", of="a", on="n0", cpu=1))
    problem, solution = solved(*fleet, objectives=EMPTY_NODES_SECOND, floor={"slotsPerMove": 0})

    assert comings(problem, solution) == set()
    assert level(solution, "EmptyNodes", "nodes") == LevelResult(name="EmptyNodes", key="nodes", value=0, bound=0)


def test_a_waiting_pod_gets_its_place_even_on_an_empty_node() -> None:
    problem, solution = solved(a_node("n0", cpu=4), a_pod("train", cpu=4), objectives=EMPTY_NODES_SECOND)

    assert comings(problem, solution) == {"train→n0"}
    assert level(solution, "EmptyNodes", "nodes").value == -1


def test_a_waiting_pod_goes_where_somebody_is_already() -> None:
    for objectives in (EMPTY_NODES_SECOND, ("PendingPods", "Disruption", "EmptyNodes")):
        for full, free in (("n0", "n1"), ("n1", "n0")):
            problem, solution = solved(
                a_node(free, cpu=4), a_node(full, cpu=4), a_pod("wall", on=full, cpu=1), a_pod("small", cpu=1), objectives=objectives
            )

            assert comings(problem, solution) == {f"small→{full}"}


def test_emptying_is_worth_no_move_where_disruption_comes_first() -> None:
    _, solution = solved(*UNTIDY, objectives=("PendingPods", "Disruption", "EmptyNodes"))

    assert solution.placement.moves == 0


def test_a_pod_that_cannot_move_keeps_its_node_from_being_emptied() -> None:
    _, solution = solved(*UNTIDY, a_pod("bare", on="n0"), a_pod("stuck", on="n1"), objectives=EMPTY_NODES_SECOND)

    assert solution.placement.moves == 0


def test_daemonset_pods_keep_no_node_from_being_emptied() -> None:
    daemons = (a_pod(f"log-{n}", of="log", kind="DaemonSet", on=n, cpu=1) for n in ("n0", "n1"))
    _, solution = solved(*UNTIDY, *daemons, objectives=EMPTY_NODES_SECOND)

    assert level(solution, "EmptyNodes", "nodes").value == 0.5


def test_both_gains_may_come_before_disruption_in_either_order() -> None:
    for first, second in (("Headroom", "EmptyNodes"), ("EmptyNodes", "Headroom")):
        _, solution = solved(*UNTIDY, objectives=("PendingPods", first, second, "Disruption"))

        assert [r.name for r in solution.levels if r.key in ("slots", "nodes")] == [first, second]
        assert all(r.optimal and r.value == 0.5 for r in solution.levels if r.key in ("slots", "nodes"))


def test_what_is_forbidden_is_not_tried_again() -> None:
    problem = a_problem(a_node("n0", cpu=4), a_node("n1", cpu=4), a_pod("train", cpu=4))
    forbidden = frozenset({(pod_class(problem, "train").index, 0)})

    solution = solve(problem, Search(forbidden=forbidden))

    assert comings(problem, solution) == {"train→n1"}


def test_a_proven_bound_is_the_value_itself() -> None:
    _, solution = solved(a_node("n0", cpu=4), *(a_pod(f"p{i}", cpu=3) for i in range(3)))

    assert level(solution, "PendingPods", 0) == LevelResult(name="PendingPods", key=0, value=1, bound=1)
    assert all(r.optimal for r in solution.levels)


def test_a_search_cut_short_claims_no_more_than_it_proved() -> None:
    things: list[Thing] = [*(a_node(f"n{i}", cpu=7 + i % 3) for i in range(8)), *(a_pod(f"w{i}", cpu=3 + i % 4) for i in range(14))]
    things += [a_pod(f"r{i}", of=f"r{i}", on=f"n{i % 8}", cpu=1 + i % 3) for i in range(20)]
    problem = a_problem(*things)

    whole, cut = solve(problem, Search()), solve(problem, Search(effort=1e-4))

    best = level(whole, "PendingPods", 0).value
    short = level(cut, "PendingPods", 0)
    assert short.value <= best
    assert short.bound is None or short.bound >= best


def test_equal_searches_end_alike() -> None:
    problem = a_problem(*UNTIDY, a_pod("x", cpu=2), a_pod("y", cpu=2), shapes=SHAPES)

    assert solve(problem, Search(seed=3)) == solve(problem, Search(seed=3))
