"""FailedScheduling, word for word; and what is ours and not kube-scheduler's."""

from __future__ import annotations

import pytest

from descheduler.domain.objects import Node
from descheduler.domain.selectors import Taint, Toleration
from descheduler.rules.scene import Scene, words
from tests.builders import a_node, a_pod, a_term

SPOT, LEAVING = Taint("spot"), Taint("leaving", "", "NoExecute")


def test_reasons_are_counted_over_all_nodes_and_sorted_as_text() -> None:
    small = [a_node(f"small-{n}", cpu=1, memory=1) for n in range(2)]
    tight = [a_node(f"tight-{n}", cpu=1) for n in range(8)]
    tainted = [a_node("spot", taints=[SPOT]), a_node("gpu", taints=[Taint("gpu", "a100")])]
    scene = Scene([*small, *tight, *tainted, a_node("cordoned", unschedulable=True)])

    assert scene.sentence(a_pod("p", cpu=2, memory=2)) == (
        "0/13 nodes are available: 1 node(s) were unschedulable, 10 Insufficient cpu, 2 Insufficient memory, "
        "2 node(s) had untolerated taint(s)."
    )


def test_a_pod_that_waits_for_a_claim_is_told_that_and_nothing_else() -> None:
    pod = a_pod("p", cpu=2, waits_for_claim='persistentvolumeclaim "data" not found')

    assert Scene([a_node("n", cpu=1)]).sentence(pod) == '0/1 nodes are available: persistentvolumeclaim "data" not found.'


def test_names_that_nobody_bears_refuse_every_node() -> None:
    pod = a_pod("p", node_affinity=(a_term(names=("ghost",)),))

    assert Scene([a_node("m"), a_node("n")]).sentence(pod) == "0/2 nodes are available: 2 node(s) didn't satisfy plugin(s) [NodeAffinity]."


def test_without_nodes_there_is_nothing_to_count() -> None:
    assert Scene([]).sentence(a_pod("p", waits_for_claim="anything")) == "no nodes available to schedule pods"


@pytest.mark.parametrize(
    ("node", "ours"),
    [
        (a_node("n", closed="being deleted"), "being deleted"),
        (a_node("n", ready=False), words.NOT_READY),
        (a_node("n", taints=[LEAVING]), words.TOLERATED_FOR_A_WHILE),
        (a_node("n"), None),
    ],
)
def test_what_only_we_refuse_is_not_put_into_the_schedulers_mouth(node: Node, ours: str | None) -> None:
    scene, pod = Scene([node]), a_pod("p", tolerations=[Toleration("leaving", "Exists", seconds=300)])

    assert scene.objection(pod, "n") == ours
    assert scene.reasons(pod) == {"n": ()}
    assert scene.feasible(pod) == ([] if ours else ["n"])


def test_a_node_that_is_gone_takes_nobody() -> None:
    assert Scene([]).objection(a_pod("p"), "n") == "node(s) were gone"
