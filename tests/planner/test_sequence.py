"""Waves from a sequence: who is early, and who waits for whom where rivals are about."""

from __future__ import annotations

from descheduler.domain.problem import Problem
from descheduler.planner import Patience, in_sequence
from tests.builders import a_node, a_pod
from tests.problems import a_problem, node, pod_class, told


def a_hall() -> Problem:
    """A full node with three pods, empty ones beside it, and two more pods."""
    return a_problem(
        a_node("hall", cpu=6),
        *(a_node(name, cpu=2) for name in ("left", "right", "far", "hut")),
        *(a_pod(name, of=name, on="hall", cpu=2) for name in ("ann", "bob", "cid")),
        a_pod("dee", of="dee", on="hut", cpu=2),
        a_pod("eve", of="eve", on="right", cpu=2),
    )


HASTY = Patience()


def waves(*steps: str, patience: Patience = HASTY) -> list[str]:
    """``ann hall→left``, one after another, in waves."""
    problem = a_hall()
    parted = [step.replace("→", " ").split() for step in steps]
    found = [(pod_class(problem, pod).index, node(problem, source), node(problem, target)) for pod, source, target in parted]
    ordered = in_sequence(problem, found, patience)
    assert ordered.complete
    return sorted(told(problem, ordered.route))


HALL = frozenset([node(a_hall(), "hall")])
LATER_ROOM = ("ann hall→left", "eve right→far", "bob hall→right", "dee hut→hall")
LATER_LEAVER = ("ann hall→left", "dee hut→hall", "bob hall→far")


def test_room_is_taken_as_soon_as_it_is_enough() -> None:
    assert waves(*LATER_ROOM)[-1] == "2 dee hut→hall Surge"
    assert waves(*LATER_LEAVER) == ["1 ann hall→left Surge", "1 bob hall→far Surge", "2 dee hut→hall Surge"]


def test_on_a_node_that_waits_room_is_taken_when_all_have_left_who_leave_before() -> None:
    assert waves(*LATER_ROOM, patience=Patience(waits=HALL))[-1] == "3 dee hut→hall Surge"


def test_a_node_that_holds_keeps_who_leaves_until_those_have_come_who_come_before() -> None:
    assert waves(*LATER_LEAVER, patience=Patience(HALL, HALL)) == ["1 ann hall→left Surge", "2 dee hut→hall Surge", "3 bob hall→far Surge"]


def test_patience_grows_with_what_is_robbed_and_ends_everywhere() -> None:
    everywhere, robbed = frozenset({1, 2, 3}), frozenset({1})

    told = [Patience()]
    while len(told) < 9 and (more := told[-1].more(robbed, everywhere)) != told[-1]:
        told.append(more)

    assert told == [
        Patience(),
        Patience(waits=robbed),
        Patience(robbed, robbed),
        Patience(everywhere, robbed),
        Patience(everywhere, everywhere),
    ]
