"""The scene keeps count while pods come and go, and sees what kube-scheduler sees."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from descheduler.domain.objects import Pod
from descheduler.rules.scene import Scene
from tests.builders import ZONE, a_node, a_pod, apart_from, spread_over

NODES = [a_node("a1", cpu=4, zone="a"), a_node("a2", cpu=4, zone="a"), a_node("b1", cpu=4, zone="b"), a_node("plain", cpu=4)]
PROBES = [
    a_pod("small", cpu=1),
    a_pod("loner", cpu=1, labels={"app": "x"}, anti_affinity=[apart_from(ZONE, app="x")]),
    a_pod("spread", cpu=1, labels={"app": "x"}, spread=[spread_over(app="x")]),
]


@st.composite
def some_pods(draw: st.DrawFn) -> list[Pod]:
    def one(number: int) -> Pod:
        node = draw(st.sampled_from(["a1", "a2", "b1", "plain", "unknown"]))
        apart = [apart_from(draw(st.sampled_from([ZONE, "kubernetes.io/hostname"])), app="x")] if draw(st.booleans()) else []
        pod = a_pod(f"p{number}", on=node, cpu=draw(st.integers(0, 3)), labels={"app": draw(st.sampled_from("xy"))}, anti_affinity=apart)
        if draw(st.booleans()):
            return replace(pod, terminating=draw(st.booleans()))
        return replace(pod, node=None, nominated_node=node)

    return [one(number) for number in range(draw(st.integers(0, 5)))]


@given(some_pods(), some_pods())
def test_pods_that_came_and_went_leave_no_trace(stay: list[Pod], guests: list[Pod]) -> None:
    guests = [replace(pod, uid=f"guest {pod.uid}") for pod in guests]
    fresh, busy = Scene(NODES, stay), Scene(NODES, [*stay, *guests])
    [busy.objection(probe, node.ref.name) for probe in PROBES for node in NODES]

    for pod in guests:
        busy.remove(pod)

    asked = [(probe, node.ref.name) for probe in PROBES for node in NODES]
    assert [busy.objection(*pair) for pair in asked] == [fresh.objection(*pair) for pair in asked]


def test_an_over_committed_node_still_takes_what_asks_for_nothing_of_it() -> None:
    scene = Scene([a_node("n", cpu=1)], [a_pod("big", on="n", cpu=2)])

    assert scene.objection(a_pod("modest"), "n") is None
    assert scene.objection(a_pod("asking", cpu=1), "n") == "Insufficient cpu"


def test_anti_affinity_holds_in_both_directions_and_in_the_whole_domain() -> None:
    loner = a_pod("loner", on="a1", labels={"app": "y"}, anti_affinity=[apart_from(ZONE, app="x")])
    scene = Scene(NODES, [loner])

    assert scene.feasible(a_pod("x", labels={"app": "x"})) == ["b1", "plain"]
    assert scene.feasible(a_pod("z", anti_affinity=[apart_from(ZONE, app="y")])) == ["b1", "plain"]


def test_spread_leaves_terminating_pods_and_other_namespaces_out() -> None:
    there = [
        a_pod("one", on="a1", labels={"app": "x"}),
        a_pod("going", on="b1", labels={"app": "x"}, terminating=True),
        a_pod("foreign", on="b1", labels={"app": "x"}, namespace="other"),
    ]

    feasible = Scene(NODES, there).feasible(a_pod("new", labels={"app": "x"}, spread=[spread_over(app="x")]))

    assert feasible == ["b1"]


def test_too_few_domains_count_as_an_empty_one() -> None:
    spread = [spread_over(min_domains=3, app="x")]
    there = [a_pod(f"p{node}", on=node, labels={"app": "x"}) for node in ("a1", "b1")]

    assert Scene(NODES, there).feasible(a_pod("new", labels={"app": "x"}, spread=spread)) == []
