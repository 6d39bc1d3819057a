"""Sets of nodes answer as the filters do, one pod and one node at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from descheduler.domain.objects import Node, PodSpec
from descheduler.domain.resources import Resources
from descheduler.domain.selectors import NodeDemand, NodeSelectorTerm, Requirement, SpreadConstraint, Taint, Toleration
from descheduler.rules.filters import FILTERS, KUBE_SCHEDULER, Verdicts
from descheduler.rules.node_sets import NodeSets
from tests.builders import a_node, near

KEYS, VALUES = st.sampled_from(["a", "b", "c"]), st.sampled_from(["", "1", "2", "05", "x"])
LABELS = st.dictionaries(KEYS, VALUES, max_size=3)
EFFECTS = st.sampled_from(["NoSchedule", "NoExecute", "PreferNoSchedule"])
NAMES = st.sampled_from(["n0", "n1", "n2", "n9"])


@st.composite
def requirements(draw: st.DrawFn) -> Requirement:
    operator = draw(st.sampled_from(["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]))
    if operator in ("Exists", "DoesNotExist"):
        return Requirement(draw(KEYS), operator)
    count = 1 if operator in ("Gt", "Lt") else 2
    return Requirement(draw(KEYS), operator, tuple(draw(st.lists(VALUES, min_size=1, max_size=count))))


TERMS = st.builds(
    NodeSelectorTerm,
    st.lists(requirements(), max_size=2).map(tuple),
    st.lists(st.builds(lambda o, n: Requirement("metadata.name", o, (n,)), st.sampled_from(["In", "NotIn"]), NAMES), max_size=1).map(tuple),
)
SPECS = st.builds(
    PodSpec,
    requests=st.dictionaries(st.sampled_from(["cpu", "memory", "example.com/gpu"]), st.integers(0, 4)).map(Resources),
    node_selector=st.dictionaries(KEYS, VALUES, max_size=1).map(lambda told: tuple(sorted(told.items()))),
    node_affinity=st.none() | st.lists(TERMS, max_size=2).map(tuple),
    node_demands=st.lists(
        st.builds(NodeDemand, st.just("VolumeBinding"), st.just("no"), st.lists(TERMS, max_size=2).map(tuple)), max_size=1
    ).map(tuple),
    tolerations=st.lists(
        st.builds(Toleration, st.sampled_from(["", "t"]), st.sampled_from(["Exists", "Equal"]), st.sampled_from(["", "v"]), st.just("")),
        max_size=2,
    ).map(tuple),
    spread=st.lists(st.builds(SpreadConstraint, KEYS, st.just(1), st.none()), max_size=1).map(tuple),
    affinity=st.lists(st.builds(lambda key: near(key, app="x"), KEYS), max_size=1).map(tuple),
)


@st.composite
def nodes(draw: st.DrawFn) -> tuple[Node, ...]:
    return tuple(
        a_node(
            f"n{i}",
            cpu=draw(st.integers(0, 4)),
            memory=draw(st.integers(0, 4)),
            pods=draw(st.integers(0, 2)),
            labels=draw(LABELS),
            taints=draw(st.lists(st.builds(Taint, st.just("t"), st.sampled_from(["", "v"]), EFFECTS), max_size=2)),
            unschedulable=draw(st.booleans()),
            ready=draw(st.booleans()),
        )
        for i in range(draw(st.integers(1, 5)))
    )


@given(nodes=nodes(), specs=st.lists(SPECS, min_size=1, max_size=4))
def test_a_set_holds_exactly_the_nodes_that_no_filter_refuses(nodes: tuple[Node, ...], specs: list[PodSpec]) -> None:
    sets = NodeSets(nodes)
    for filters in (FILTERS, KUBE_SCHEDULER):
        verdicts = Verdicts(filters)
        for spec in specs:
            one_by_one = tuple(i for i, node in enumerate(nodes) if Verdicts(filters).reason(spec, node) is None)

            assert sets.indices(verdicts.admitted(spec, sets)) == one_by_one


@given(nodes=nodes(), specs=st.lists(SPECS, min_size=1, max_size=3))
def test_each_filter_alone_agrees_with_its_set(nodes: tuple[Node, ...], specs: list[PodSpec]) -> None:
    for filter_ in (*FILTERS, *KUBE_SCHEDULER):
        sets = NodeSets(nodes)
        for spec in specs:
            expected = tuple(i for i, node in enumerate(nodes) if filter_.check(spec, node) is None)

            assert sets.indices(Verdicts((filter_,)).admitted(spec, sets)) == expected, filter_.name


def test_room_given_apart_counts_instead_of_allocatable() -> None:
    sets = NodeSets([a_node("n", cpu=4), a_node("m", cpu=4)], room=[{"cpu": 1}, {"cpu": -1}])

    assert sets.indices(sets.with_room("cpu", 1)) == (0,)
    assert sets.indices(sets.with_room("cpu", 0)) == (0,)
    assert sets.indices(sets.with_room("cpu", 2)) == ()


def test_nodes_of_one_name_in_two_clusters_are_both_meant() -> None:
    sets = NodeSets([a_node("n", cluster="east"), a_node("n", cluster="west"), a_node("m")])

    assert sets.indices(sets.of_terms([NodeSelectorTerm((), (Requirement("metadata.name", "In", ("n",)),))])) == (0, 1)


def test_equal_sets_share_one_tuple() -> None:
    sets = NodeSets([a_node(f"n{i}") for i in range(300)])

    assert sets.indices(sets.everyone) is sets.indices(sets.with_room("cpu", 1))
