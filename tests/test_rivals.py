"""Who may take the room that a plan makes, and what the plan does about it."""

from __future__ import annotations

from typing import Any

from descheduler.domain.placement import Bind, Shift
from descheduler.domain.plan import Mover
from descheduler.domain.problem import Problem
from descheduler.domain.selectors import HostPort, Taint, Toleration
from descheduler.rivals import settled
from tests.builders import Thing, a_node, a_pod, near
from tests.plan_builders import a_move, a_placement, a_plan
from tests.problems import HOLD, a_problem, a_route, bind, shift

SPARE = (a_node("big", cpu=8), a_node("small", cpu=4), a_pod("cart", of="cart", on="big", cpu=4))
WALL = a_pod("wall", on="big", cpu=4)
HERE = {"kubernetes.io/hostname": "big"}
ELSEWHERE = a_node("elsewhere", cpu=8, taints=[Taint("cart", "", "NoSchedule")])


def outcome(problem: Problem, *steps: Shift | Bind) -> tuple[list[tuple[str, str, bool]], list[str]]:
    """(pod, mover, contested) of every placement, and the moves that may be robbed of their room."""
    route, robbed = settled(problem, a_route(*steps))
    told = [(problem.pods[problem.classes[b.pod_class].pods[0]].ref.name, str(b.mover), b.contested) for b in route.binds]
    return sorted(told), [problem.pods[problem.classes[s.pod_class].pods[0]].ref.name for s in robbed]


def placed(*rivals: Thing, waiting: Thing | None = None, **spec: Any) -> tuple[str, bool]:
    """How ``train``, which needs the room that ``cart`` leaves on ``big``, gets its place."""
    train = waiting or a_pod("train", of="train", cpu=4, priority=5)
    problem = a_problem(*SPARE, WALL, train, *rivals, **spec)
    told, _ = outcome(problem, shift(problem, "cart", "small"), bind(problem, "train", "big", wave=2))
    return told[0][1:]


def test_where_nobody_else_waits_kube_scheduler_finds_the_room() -> None:
    assert placed() == ("Schedule", False)


def test_a_rival_that_fits_there_is_kept_out_by_a_copy() -> None:
    assert placed(a_pod("rival", cpu=1)) == ("Surge", False)


def test_a_rival_that_does_not_fit_there_does_no_harm() -> None:
    assert placed(a_pod("rival", cpu=5)) == ("Schedule", False)
    assert placed(a_pod("rival", cpu=1, node_selector={"disk": "ssd"})) == ("Schedule", False)


def test_an_equal_rival_is_kept_out_a_higher_one_is_not() -> None:
    assert placed(a_pod("rival", cpu=1, priority=5)) == ("Surge", False)
    assert placed(a_pod("rival", cpu=1, priority=6)) == ("Surge", True)


def test_another_scheduler_heeds_no_copy() -> None:
    assert placed(a_pod("rival", cpu=1, scheduler="volcano")) == ("Surge", True)


def test_a_gated_pod_is_no_rival() -> None:
    assert placed(a_pod("rival", cpu=1, gates=["example.com/quota"])) == ("Schedule", False)


def test_a_pod_that_we_do_not_model_is_a_rival_all_the_same() -> None:
    assert placed(a_pod("rival", cpu=1, opaque="spec.resourceClaims")) == ("Surge", False)


def test_a_pod_that_cannot_be_copied_stays_contested() -> None:
    waiting = a_pod("train", of="train", kind="StatefulSet", cpu=4, priority=5)

    assert placed(a_pod("rival", cpu=1), waiting=waiting) == ("Schedule", True)


def test_a_policy_that_never_reserves_leaves_it_contested() -> None:
    assert placed(a_pod("rival", cpu=1), reserve="Never") == ("Schedule", True)


def test_a_policy_that_always_reserves_copies_without_need() -> None:
    assert placed(reserve="Always") == ("Surge", False)


def test_equal_replicas_are_no_rivals_while_all_of_them_are_placed() -> None:
    problem = a_problem(*SPARE, WALL, *(a_pod(f"train-{i}", of="train", cpu=2) for i in range(2)))

    told, _ = outcome(problem, shift(problem, "cart", "small"), *(bind(problem, f"train-{i}", "big", wave=2) for i in range(2)))

    assert {contested for _, _, contested in told} == {False}


def test_a_pod_with_a_place_of_its_own_may_still_look_elsewhere_first() -> None:
    """``early`` has room from the start, but it may as well take what ``cart`` leaves, as long as it is not bound."""
    problem = a_problem(*SPARE, WALL, a_node("free", cpu=1), a_pod("early", cpu=1), a_pod("train", of="train", kind="StatefulSet", cpu=4))

    same_wave, _ = outcome(
        problem, shift(problem, "cart", "small"), bind(problem, "early", "free", wave=2), bind(problem, "train", "big", wave=2)
    )
    before, _ = outcome(
        problem, bind(problem, "early", "free"), shift(problem, "cart", "small", wave=2), bind(problem, "train", "big", wave=3)
    )

    assert ("train", "Schedule", True) in same_wave
    assert ("train", "Schedule", False) in before


def test_whoever_is_contested_goes_on_looking_and_robs_others() -> None:
    """``first`` may lose ``free`` to ``rival``; then it takes the room that is made for ``train``."""
    problem = a_problem(
        *SPARE,
        WALL,
        a_node("free", cpu=5),
        a_pod("first", of="first", kind="StatefulSet", cpu=4, priority=9),
        a_pod("rival", cpu=5, priority=9, node_selector={"kubernetes.io/hostname": "free"}),
        a_pod("train", of="train", kind="StatefulSet", cpu=4),
    )

    told, _ = outcome(
        problem, bind(problem, "first", "free"), shift(problem, "cart", "small", wave=2), bind(problem, "train", "big", wave=3)
    )

    assert told == [("first", "Schedule", True), ("train", "Schedule", True)]


def test_a_move_into_room_that_a_rival_may_take_is_reported_as_robbed() -> None:
    """A held pod arrives where another one has left; nothing keeps that place free for it."""
    problem = a_problem(
        a_node("n0", cpu=4),
        a_node("n1", cpu=4),
        a_node("n2", cpu=4),
        a_pod("a", of="a", kind="StatefulSet", on="n0", cpu=4),
        a_pod("b", of="b", on="n1", cpu=4),
        a_pod("train", cpu=4, node_selector={"kubernetes.io/hostname": "n0"}),
        a_pod("rival", cpu=1, node_selector={"kubernetes.io/hostname": "n1"}),
        movers=HOLD,
    )
    moves = (shift(problem, "b", "n2"), shift(problem, "a", "n1", Mover.HOLD, wave=2), bind(problem, "train", "n0", wave=3))

    _, robbed = outcome(problem, *moves)

    assert robbed == ["a"]


def test_a_surge_keeps_its_room_while_it_is_being_made() -> None:
    problem = a_problem(
        a_node("n0", cpu=4),
        a_node("n1", cpu=4),
        a_node("n2", cpu=4),
        a_pod("a", of="a", on="n0", cpu=4),
        a_pod("b", of="b", on="n1", cpu=4),
        a_pod("train", cpu=4, node_selector={"kubernetes.io/hostname": "n0"}),
        a_pod("rival", cpu=1, node_selector={"kubernetes.io/hostname": "n1"}),
    )
    moves = (shift(problem, "b", "n2"), shift(problem, "a", "n1", wave=2), bind(problem, "train", "n0", wave=3))

    _, robbed = outcome(problem, *moves)

    assert robbed == []


def late(wave: int, leaver_wave: int | None = None, **rival: Any) -> list[str]:
    """Who is robbed when ``a`` is surged to ``n1``, where it and ``early`` fit beside ``b`` but not both of them."""
    problem = a_problem(
        a_node("n0", cpu=4),
        a_node("n1", cpu=8),
        a_node("n2", cpu=4, taints=[Taint("b", "", "NoSchedule")]),
        a_pod("a", of="a", on="n0", cpu=4),
        a_pod("b", of="b", on="n1", cpu=4, tolerations=[Toleration("b")]),
        a_pod("early", of="early", kind="StatefulSet", cpu=1, node_selector={"kubernetes.io/hostname": "n1"}, **rival),
    )
    steps = [shift(problem, "a", "n1", wave=wave)]
    if leaver_wave is not None:
        steps.append(shift(problem, "b", "n2", wave=leaver_wave))
    return outcome(problem, *steps)[1]


def test_room_is_kept_from_the_wave_in_which_the_copy_is_made_and_not_before() -> None:
    """Until ``a``'s copy is there nothing keeps ``early`` off the room that was there from the start."""
    assert late(wave=1) == []
    assert late(wave=2) == ["a"]
    assert late(wave=3, leaver_wave=1) == []
    assert late(wave=3, leaver_wave=3) == ["a"]


def test_the_room_of_a_surge_is_kept_as_early_as_the_executor_makes_its_copy() -> None:
    a, b, c = a_pod("a", on="n0", of="a"), a_pod("b", on="n1", of="b"), a_pod("c", on="n3", of="c")
    train = a_pod("train", of="train")
    plan = a_plan(
        a_move(c, "n4", wave=2, room_for=[train]),
        a_move(b, "n2", wave=3),
        a_move(a, "n1", wave=4),
        a_placement(train, "n0", wave=5, mover=Mover.SURGE),
    )
    waves = {move.pod.name: plan.room_kept_from(move) for move in plan.moves}

    assert waves == {"c": 2, "b": 3, "a": 3}
    assert plan.room_kept_from(plan.placements[0]) == 2
    assert plan.room_kept_from(a_placement(a_pod("other"), "n0", wave=5, mover=Mover.SURGE)) == 4
    assert plan.room_kept_from(a_placement(a_pod("other"), "n9", wave=5, mover=Mover.SURGE)) == 5


def test_a_contested_pod_may_leave_more_room_to_its_rivals() -> None:
    """``first`` may lose ``big`` to ``train`` and take ``other``; then ``giant`` fits on ``big`` as soon as ``cart`` has left."""
    problem = a_problem(
        a_node("big", cpu=10),
        a_node("other", cpu=4),
        ELSEWHERE,
        a_pod("cart", of="cart", on="big", cpu=3, tolerations=[Toleration("cart")]),
        a_pod("first", of="first", kind="StatefulSet", cpu=4),
        a_pod("giant", of="giant", kind="StatefulSet", cpu=9),
        a_pod("train", of="train", kind="StatefulSet", cpu=4, node_selector=HERE),
    )

    told, robbed = outcome(
        problem, bind(problem, "first", "big"), shift(problem, "cart", "elsewhere", wave=2), bind(problem, "train", "big", wave=3)
    )

    assert (told, robbed) == ([("first", "Schedule", True), ("train", "Schedule", True)], [])


def test_a_pod_that_binds_elsewhere_leaves_more_room_to_its_rivals() -> None:
    """Nobody else fits where ``first`` is planned, but it may take ``other``; then ``giant`` fits on ``big`` once ``cart`` has left."""
    problem = a_problem(
        a_node("big", cpu=10),
        a_node("other", cpu=4),
        ELSEWHERE,
        a_pod("cart", of="cart", on="big", cpu=5, tolerations=[Toleration("cart")]),
        a_pod("first", of="first", kind="StatefulSet", cpu=4),
        a_pod("giant", of="giant", kind="StatefulSet", cpu=9),
        a_pod("train", of="train", kind="StatefulSet", cpu=6, node_selector=HERE),
    )

    told, _ = outcome(
        problem, bind(problem, "first", "big"), shift(problem, "cart", "elsewhere", wave=2), bind(problem, "train", "big", wave=3)
    )

    assert told == [("first", "Schedule", False), ("train", "Schedule", True)]


def test_a_rival_that_tolerates_a_taint_for_a_while_may_come_although_we_would_not_send_it() -> None:
    drained = [a_node("big", cpu=8, taints=[Taint("maintenance", "", "NoExecute")]), a_node("small", cpu=4)]
    for_ever = [Toleration(key="maintenance", operator="Exists")]
    a_while = [Toleration(key="maintenance", operator="Exists", seconds=300)]
    cart = a_pod("cart", of="cart", on="big", cpu=4, tolerations=for_ever)
    train = a_pod("train", of="train", cpu=4, priority=5, tolerations=for_ever)
    problem = a_problem(*drained, cart, WALL, train, a_pod("rival", cpu=1, tolerations=a_while))

    told, _ = outcome(problem, shift(problem, "cart", "small"), bind(problem, "train", "big", wave=2))

    assert told == [("train", "Surge", False)]


def test_a_rival_may_take_the_port_that_a_pod_waits_for() -> None:
    http = [HostPort(port=80)]
    nodes = [a_node("big", cpu=8), a_node("small", cpu=8)]
    holder, train = a_pod("holder", of="holder", on="big", host_ports=http), a_pod("train", of="train", host_ports=http, node_selector=HERE)
    for wanted, expected in (([HostPort(port=80)], "Surge"), ([HostPort(port=81)], "Schedule")):
        problem = a_problem(*nodes, holder, train, a_pod("rival", host_ports=wanted, node_selector=HERE))

        told, _ = outcome(problem, shift(problem, "holder", "small"), bind(problem, "train", "big", wave=2))

        assert told == [("train", expected, False)]


def test_who_comes_first_of_those_who_like_themselves_is_contested_by_its_siblings() -> None:
    nodes = [a_node("big", cpu=8), a_node("small", cpu=4)]
    web = {"of": "web", "affinity": [near(app="web")], "cpu": 4}
    alone, pair = (a_problem(*nodes, *(a_pod(f"web-{i}", **web) for i in range(n))) for n in (1, 2))  # type: ignore[arg-type]

    assert outcome(alone, bind(alone, "web-0", "big"))[0] == [("web-0", "Schedule", False)]
    assert outcome(pair, bind(pair, "web-0", "big"))[0] == [("web-0", "Surge", True)]


def test_a_rival_is_not_held_off_by_volumes_that_it_may_share() -> None:
    """Two pods on ``big`` mention one volume: we count two, kube-scheduler one, and the rival, which mounts it too, needs no more."""
    shared = {"volumes:csi.example.com": 1}
    rival = a_pod("rival", cpu=4, extended=shared)
    train = a_pod("train", of="train", cpu=4)
    there = [a_pod(name, on="big", extended=shared) for name in ("one", "two")]
    problem = a_problem(a_node("big", cpu=4, extended={"volumes:csi.example.com": 2}), *there, rival, train, reserve="Never")

    assert outcome(problem, bind(problem, "train", "big"))[0] == [("train", "Schedule", True)]
