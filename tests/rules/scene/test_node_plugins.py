"""Truth tables of the plugins that look at the node alone."""

from __future__ import annotations

import pytest

from descheduler.domain.objects import Node, Pod
from descheduler.domain.selectors import NodeDemand, NodeSelectorTerm, Requirement, Taint, Toleration
from descheduler.rules.scene import Scene
from tests.builders import ZONE, a_node, a_pod, a_term

SPOT = Taint("spot", "yes", "NoSchedule")
LEAVING = Taint("leaving", "", "NoExecute")
CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


def reasons(node: Node, pod: Pod) -> tuple[str, ...]:
    return Scene([node]).reasons(pod)[node.ref.name]


@pytest.mark.parametrize(
    ("tolerations", "passes"),
    [
        ([], False),
        ([Toleration(CORDON.key, "Exists")], True),
        ([Toleration(CORDON.key, "Exists", effect="NoSchedule")], True),
        ([Toleration(CORDON.key, "Exists", effect="NoExecute")], False),
        ([Toleration(operator="Exists")], True),
        ([Toleration("spot", "Exists")], False),
    ],
)
def test_a_cordon_blocks_unless_its_taint_is_tolerated(tolerations: list[Toleration], passes: bool) -> None:
    cordoned = a_node("n", unschedulable=True)

    assert reasons(cordoned, a_pod("p", tolerations=tolerations)) == (() if passes else ("node(s) were unschedulable",))


@pytest.mark.parametrize(
    ("taints", "tolerations", "passes"),
    [
        ([], [], True),
        ([SPOT], [], False),
        ([LEAVING], [], False),
        ([Taint("spot", "yes", "PreferNoSchedule")], [], True),
        ([SPOT], [Toleration("spot", "Equal", "yes")], True),
        ([SPOT], [Toleration("spot", "", "yes")], True),
        ([SPOT], [Toleration("spot", "Equal", "no")], False),
        ([SPOT], [Toleration("spot", "Exists")], True),
        ([SPOT], [Toleration("other", "Exists")], False),
        ([SPOT], [Toleration("spot", "Exists", effect="NoExecute")], False),
        ([SPOT], [Toleration(operator="Exists")], True),
        ([SPOT, LEAVING], [Toleration("spot", "Exists")], False),
        ([SPOT, LEAVING], [Toleration("spot", "Exists"), Toleration("leaving", "Exists")], True),
        ([LEAVING], [Toleration("leaving", "Exists", seconds=300)], True),
    ],
)
def test_every_taint_that_blocks_must_be_tolerated(taints: list[Taint], tolerations: list[Toleration], passes: bool) -> None:
    found = reasons(a_node("n", taints=taints), a_pod("p", tolerations=tolerations))

    assert found == (() if passes else ("node(s) had untolerated taint(s)",))


@pytest.mark.parametrize(
    ("selector", "terms", "passes"),
    [
        ({"disk": "ssd"}, None, True),
        ({"disk": "hdd"}, None, False),
        ({"gpu": ""}, None, False),
        ({}, (), False),
        ({}, (NodeSelectorTerm(),), False),
        ({}, (a_term(("disk", "In", ("ssd", "nvme"))),), True),
        ({}, (a_term(("disk", "In", ("hdd",))),), False),
        ({}, (a_term(("disk", "In", ("hdd",))), a_term(("disk", "Exists", ()))), True),
        ({}, (a_term(("disk", "Exists", ()), ("cores", "Gt", ("8",))),), False),
        ({}, (a_term(("cores", "Gt", ("7",))),), True),
        ({}, (a_term(("cores", "Lt", ("9",))),), True),
        ({}, (a_term(("disk", "Gt", ("1",))),), False),
        ({}, (a_term(("gpu", "NotIn", ("a100",))),), True),
        ({}, (a_term(("disk", "NotIn", ("ssd",))),), False),
        ({}, (a_term(("gpu", "DoesNotExist", ())),), True),
        ({"disk": "ssd"}, (a_term(("cores", "In", ("4",))),), False),
    ],
)
def test_selector_and_one_term_of_affinity_must_match(
    selector: dict[str, str], terms: tuple[NodeSelectorTerm, ...] | None, passes: bool
) -> None:
    found = reasons(a_node("n", labels={"disk": "ssd", "cores": "8"}), a_pod("p", node_selector=selector, node_affinity=terms))

    assert found == (() if passes else ("node(s) didn't match Pod's node affinity/selector",))


def demand(plugin: str, reason: str, zone: str) -> NodeDemand:
    return NodeDemand(plugin, reason, (a_term((ZONE, "In", (zone,))),))


NODE_CONFLICT = "node(s) didn't match PersistentVolume's node affinity"
NO_VOLUME = "node(s) didn't find available persistent volumes to bind"
NO_SPACE = "node(s) did not have enough free storage"
ZONE_CONFLICT = "node(s) had no available volume zone"


@pytest.mark.parametrize(
    ("demands", "told"),
    [
        ([demand("VolumeBinding", NODE_CONFLICT, "a")], ()),
        ([demand("VolumeBinding", NODE_CONFLICT, "b")], (NODE_CONFLICT,)),
        ([demand("VolumeBinding", NODE_CONFLICT, "b"), demand("VolumeBinding", NODE_CONFLICT, "c")], (NODE_CONFLICT,)),
        ([demand("VolumeBinding", NO_SPACE, "b"), demand("VolumeBinding", NODE_CONFLICT, "b")], (NODE_CONFLICT, NO_SPACE)),
        ([demand("VolumeZone", ZONE_CONFLICT, "b"), demand("VolumeBinding", NO_VOLUME, "b")], (NO_VOLUME,)),
        ([demand("VolumeZone", ZONE_CONFLICT, "b")], (ZONE_CONFLICT,)),
        ([demand("NodeAffinity", "node(s) didn't match scheduler-enforced node affinity", "b"), demand("VolumeZone", ZONE_CONFLICT, "b")],
         ("node(s) didn't match scheduler-enforced node affinity",)),
        ([NodeDemand("VolumeBinding", NO_VOLUME, ())], (NO_VOLUME,)),
    ],
)  # fmt: skip
def test_what_volumes_and_configuration_ask_of_a_node_is_told_in_the_words_of_their_plugin(
    demands: list[NodeDemand], told: tuple[str, ...]
) -> None:
    assert reasons(a_node("n", zone="a"), a_pod("p", node_demands=demands)) == told


def test_only_the_first_plugin_that_refuses_is_heard() -> None:
    demands = [demand("VolumeBinding", NODE_CONFLICT, "b")]
    pod = a_pod("p", cpu=2, node_selector={"disk": "ssd"}, node_demands=demands)

    assert reasons(a_node("n", cpu=1, unschedulable=True, taints=[SPOT]), pod) == ("node(s) were unschedulable",)
    assert reasons(a_node("n", cpu=1, taints=[SPOT]), pod) == ("node(s) had untolerated taint(s)",)
    assert reasons(a_node("n", cpu=1), pod) == ("node(s) didn't match Pod's node affinity/selector",)
    assert reasons(a_node("n", cpu=1, labels={"disk": "ssd"}), pod) == ("Insufficient cpu",)
    assert reasons(a_node("n", labels={"disk": "ssd"}), pod) == (NODE_CONFLICT,)


def test_required_names_leave_the_other_nodes_unasked() -> None:
    scene = Scene([a_node("named", unschedulable=True), a_node("other", unschedulable=True)])
    pod = a_pod("p", node_affinity=(a_term(names=("named",)),))

    assert scene.reasons(pod) == {
        "named": ("node(s) were unschedulable",),
        "other": ("node(s) didn't satisfy plugin(s) [NodeAffinity]",),
    }


def test_one_term_without_a_name_has_every_node_asked() -> None:
    scene = Scene([a_node("named"), a_node("other")])
    pod = a_pod("p", node_affinity=(a_term(names=("named",)), a_term(("disk", "Exists", ()))))

    assert scene.reasons(pod) == {"named": (), "other": ("node(s) didn't match Pod's node affinity/selector",)}


def test_a_nominated_node_is_asked_even_where_others_are_named() -> None:
    scene = Scene([a_node("named"), a_node("nominated")])
    pod = a_pod("p", nominated="nominated", node_affinity=(a_term(names=("elsewhere",)),))

    assert scene.reasons(pod) == {
        "named": ("node(s) didn't satisfy plugin(s) [NodeAffinity]",),
        "nominated": ("node(s) didn't match Pod's node affinity/selector",),
    }


def test_names_that_exclude_each_other_refuse_the_pod_before_any_node_is_asked() -> None:
    both = NodeSelectorTerm((), (Requirement("metadata.name", "In", ("a",)), Requirement("metadata.name", "In", ("b",))))
    scene = Scene([a_node("a"), a_node("b", unschedulable=True)])
    pod = a_pod("p", node_affinity=(both,), waits_for_claim='persistentvolumeclaim "data" not found')

    assert scene.sentence(pod) == "0/2 nodes are available: pod affinity terms conflict."
    assert set(scene.reasons(pod).values()) == {("pod affinity terms conflict",)}
