from __future__ import annotations

from collections import Counter
from datetime import timedelta

from descheduler.domain.placement import Bind, Shift
from descheduler.domain.plan import Category, Metadata, Plan, Status
from descheduler.domain.problem import Problem
from descheduler.portfolio import Found
from descheduler.portfolio.publish import moved_pods, placed_pods, publish
from descheduler.solver.solution import LevelResult
from tests.builders import NOW, a_node, a_pod
from tests.problems import a_problem, a_route, bind, shift

METADATA = Metadata(
    run_id="r", created_at=NOW, snapshot_digest="", policy_digest="", version="", seed=0, effort=1.0, reproducible=True, clusters=()
)
PROVEN = (
    LevelResult(name="PendingPods", key=0, value=1.0, bound=1.0),
    LevelResult(name="Disruption", key="moves", value=1.0, bound=1.0),
)


def published(
    problem: Problem,
    *steps: Shift | Bind,
    levels: tuple[LevelResult, ...] = PROVEN,
    possible: dict[str, str] | None = None,
    verbose: bool = False,
) -> Plan:
    return publish(problem, Found(route=a_route(*steps), levels=levels), METADATA, possible or {}, verbose)


ROOM = (a_node("big", cpu=4), a_node("small", cpu=2), a_pod("cart", of="cart", on="big", cpu=2))


def test_a_move_says_what_it_frees_and_for_whom() -> None:
    problem = a_problem(*ROOM, a_pod("train", cpu=4))

    plan = published(problem, shift(problem, "cart", "small"), bind(problem, "train", "big", wave=2))

    (move,) = plan.moves
    assert (move.id, move.because, move.makes_room_for) == ("m1", "frees cpu 2m on big", ("east/default/train",))
    assert (move.source.node, move.target.node, move.pod.workload) == ("big", "small", ("Deployment", "cart"))


def test_a_move_for_nobody_says_so() -> None:
    problem = a_problem(*ROOM, objectives=("PendingPods", "Headroom", "Disruption"))

    plan = published(problem, shift(problem, "cart", "small"))

    assert plan.moves[0].because == "frees cpu 2m on big: more room for the policy's shapes"


def test_the_longest_waiting_replica_gets_the_earliest_place() -> None:
    since = [NOW - timedelta(hours=hours) for hours in (1, 3, 2)]
    problem = a_problem(*ROOM, *(a_pod(f"train-{i}", of="train", cpu=2, waiting_since=since[i]) for i in range(3)))
    steps = (bind(problem, "train-0", "big"), shift(problem, "cart", "small", wave=2), bind(problem, "train-0", "big", wave=3))

    plan = published(problem, *steps)

    assert [placed.pod.name for placed in plan.placements] == ["train-1", "train-2"]
    assert [left.pod.name for left in plan.unplaced] == ["train-0"]


def test_pods_of_one_class_are_moved_in_the_order_of_their_names() -> None:
    problem = a_problem(
        a_node("n0"), a_node("n1"), *(a_pod(f"web-{i}", of="web", on="n0") for i in (2, 0, 1)), limits={"perWorkload": None}
    )

    plan = published(problem, shift(problem, "web-0", "n1"), shift(problem, "web-0", "n1", wave=2))

    assert [(move.id, move.pod.name, move.wave) for move in plan.moves] == [("m1", "web-0", 1), ("m2", "web-1", 2)]


def test_every_waiting_pod_has_exactly_one_account() -> None:
    problem = a_problem(
        *ROOM,
        a_pod("placed", cpu=2),
        a_pod("huge", cpu=99),
        a_pod("big", cpu=4),
        a_pod("gated", gates=["x"]),
        a_pod("young", waiting_since=NOW),
        a_pod("limited", cpu=3),
    )

    plan = published(problem, bind(problem, "placed", "big"), possible={"east/default/limited": "told", "east/default/young": "told"})

    told = {left.pod.name: left.category for left in plan.unplaced}
    assert told == {
        "huge": Category.NEVER,
        "big": Category.ROOM,
        "gated": Category.NOT_OURS,
        "young": Category.LIMITS,
        "limited": Category.LIMITS,
    }
    assert Counter([p.pod.name for p in plan.placements] + list(told)) == Counter(["placed", *told])
    assert plan.pending_before == 5


def test_a_pod_is_never_placed_only_if_every_node_refuses_it_when_empty() -> None:
    problem = a_problem(
        a_node("n0", cpu=4), a_pod("log", of="log", kind="DaemonSet", on="n0", cpu=1), a_pod("fits", cpu=3), a_pod("not", cpu=4)
    )

    plan = published(problem, levels=())

    assert {left.pod.name: left.category for left in plan.unplaced} == {"fits": Category.ROOM, "not": Category.NEVER}


def test_a_cordon_is_not_for_ever() -> None:
    problem = a_problem(a_node("n0", cpu=4, unschedulable=True), a_pod("train", cpu=4))

    (left,) = published(problem, levels=()).unplaced

    assert (left.category, left.reason) == (Category.ROOM, "0/1 nodes are available: 1 node(s) were unschedulable.")


def test_a_value_at_its_bound_is_optimal_and_one_below_is_feasible() -> None:
    problem = a_problem(*ROOM, a_pod("train", cpu=4), a_pod("other", cpu=4))
    steps = (shift(problem, "cart", "small"), bind(problem, "train", "big", wave=2))

    proven = published(problem, *steps).objectives
    open_ = published(problem, *steps, levels=(LevelResult(name="PendingPods", key=0, value=1.0, bound=2.0),)).objectives

    assert [(x.name, x.value, x.bound, x.status) for x in proven[:2]] == [
        ("PendingPods", 1, 1, Status.OPTIMAL),
        ("Disruption", 1, 1, Status.OPTIMAL),
    ]
    assert (open_[0].bound, open_[0].status) == (2, Status.FEASIBLE)
    assert (open_[1].bound, open_[1].status) == (None, Status.NO_BOUND)


def test_priorities_are_told_one_by_one_highest_first() -> None:
    problem = a_problem(*ROOM, a_pod("urgent", cpu=4, priority=9), a_pod("late", cpu=4), a_pod("gated", priority=20, gates=["x"]))
    levels = (LevelResult(name="PendingPods", key=9, value=1.0, bound=1.0), LevelResult(name="PendingPods", key=0, value=0.0, bound=None))

    rows = published(problem, bind(problem, "urgent", "big"), levels=levels).by_priority

    assert [(row.priority, row.pending_before, row.placed, row.bound) for row in rows] == [(9, 1, 1, 1), (0, 1, 0, None)]


def test_a_bound_is_never_more_than_the_pods_that_wait() -> None:
    problem = a_problem(*ROOM, a_pod("train", cpu=2))

    (row,) = published(problem, levels=(LevelResult(name="PendingPods", key=0, value=1.0, bound=7.0),)).by_priority

    assert row.bound == 1


EMPTYING = ("PendingPods", "EmptyNodes", "Disruption")
APART = (*ROOM, a_pod("wall", on="small"))
EMPTIED = (
    LevelResult(name="Disruption", key="needed", value=0.0, bound=0.0),
    LevelResult(name="EmptyNodes", key="nodes", value=0.5, bound=0.5),
    LevelResult(name="Disruption", key="moves", value=1.0, bound=1.0),
)


def test_nodes_freed_are_told_less_the_floor_of_the_moves_made_for_them() -> None:
    problem = a_problem(*APART, objectives=EMPTYING)

    plan = published(problem, shift(problem, "cart", "small"), levels=EMPTIED)

    told = [(x.name, x.value, x.bound, x.status) for x in plan.objectives[1:]]
    assert told == [("EmptyNodes", 0.5, 0.5, Status.OPTIMAL), ("Disruption", 1, 1, Status.OPTIMAL)]
    assert plan.moves[0].because == "frees cpu 2m on big: nothing but DaemonSet and static pods stays there"


def test_a_plan_that_empties_less_than_was_searched_has_its_bound_but_none_for_its_moves() -> None:
    problem = a_problem(*APART, objectives=EMPTYING)

    plan = published(problem, levels=EMPTIED)

    told = [(x.name, x.value, x.bound, x.status) for x in plan.objectives[1:]]
    assert told == [("EmptyNodes", 0, 0.5, Status.FEASIBLE), ("Disruption", 0, None, Status.NO_BOUND)]


def test_a_move_that_only_lets_others_come_together_says_so() -> None:
    problem = a_problem(*ROOM, a_pod("stays", on="big"), objectives=EMPTYING)

    plan = published(problem, shift(problem, "cart", "small"), levels=EMPTIED)

    assert plan.moves[0].because == "frees cpu 2m on big: room for pods of nodes that become empty"


def test_nodes_that_fill_up_count_against_those_that_are_freed() -> None:
    problem = a_problem(*ROOM, a_pod("train", cpu=1), objectives=("PendingPods", "Disruption", "EmptyNodes"))

    level = published(problem, bind(problem, "train", "small")).objectives[2]

    assert (level.name, level.value, level.bound, level.status) == ("EmptyNodes", -1, None, Status.NO_BOUND)


def test_slots_are_told_before_and_after() -> None:
    problem = a_problem(*ROOM, a_pod("train", cpu=1), shapes=[{"name": "pair", "requests": {"cpu": "2m"}}])

    plan = published(problem, bind(problem, "train", "small"))

    assert (plan.before["east"].slots, plan.after["east"].slots) == ({"pair": 2}, {"pair": 1})


def test_protected_pods_are_told_only_when_asked_for() -> None:
    problem = a_problem(*ROOM, a_pod("bare", on="big"))

    assert published(problem).protected is None
    assert [(str(kept.pod), kept.reason) for kept in published(problem, verbose=True).protected or ()] == [
        ("east/default/bare", "has no controller")
    ]


def test_pods_get_their_nodes_by_name() -> None:
    problem = a_problem(*ROOM, a_pod("train", cpu=4))
    route = a_route(shift(problem, "cart", "small"), bind(problem, "train", "big", wave=2))

    moved = {problem.pods[i].ref.name: problem.nodes[n].ref.name for i, n in moved_pods(problem, route).items()}
    placed = {problem.pods[i].ref.name: problem.nodes[n].ref.name for i, n in placed_pods(problem, route).items()}

    assert (moved, placed) == ({"cart": "small"}, {"train": "big"})
