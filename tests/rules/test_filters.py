"""Filters say no with kube-scheduler's words, look at one pod and one node, and are asked once per pair of parts."""

from __future__ import annotations

import pytest

from descheduler.domain.objects import Node, Pod, PodSpec
from descheduler.domain.selectors import Taint, Toleration
from descheduler.rules.filters import FILTERS, KUBE_SCHEDULER, Filter, Verdicts
from tests.builders import ZONE, a_node, a_pod, a_term, spread_over

SELECTOR = "node(s) didn't match Pod's node affinity/selector"
GPU = Taint("gpu", "yes", "NoSchedule")
OUT = Taint("maintenance", "", "NoExecute")


def verdict(pod: Pod, node: Node, filters: tuple[Filter, ...] = FILTERS) -> str | None:
    return Verdicts(filters).reason(pod.spec, node)


def tolerating(**fields: object) -> Pod:
    return a_pod("p", tolerations=[Toleration(**fields)])  # type: ignore[arg-type]


def test_a_node_with_room_for_a_plain_pod_has_no_objection() -> None:
    assert verdict(a_pod("p", cpu=1), a_node("n", cpu=1)) is None


@pytest.mark.parametrize(
    ("node", "reason"),
    [
        (a_node("n", ready=False), "node(s) were not ready"),
        (a_node("n", closed="being deleted"), "being deleted"),
        (a_node("n", unschedulable=True), "node(s) were unschedulable"),
        (a_node("n", taints=[GPU]), "node(s) had untolerated taint {gpu: yes}"),
        (a_node("n", taints=[OUT]), "node(s) had untolerated taint {maintenance: }"),
        (a_node("n", cpu=1), "Insufficient cpu"),
        (a_node("n", memory=1), "Insufficient memory"),
        (a_node("n", pods=0), "Too many pods"),
    ],
)
def test_every_objection_has_its_words(node: Node, reason: str) -> None:
    assert verdict(a_pod("p", cpu=2, memory=2), node) == reason


def test_a_cordon_is_passed_by_whoever_tolerates_its_taint() -> None:
    cordoned = a_node("n", unschedulable=True)

    assert verdict(tolerating(key="node.kubernetes.io/unschedulable", operator="Exists"), cordoned) is None
    assert verdict(tolerating(operator="Exists"), cordoned) is None
    assert verdict(tolerating(key="node.kubernetes.io/unschedulable", operator="Exists", effect="NoExecute"), cordoned) is not None


@pytest.mark.parametrize(
    ("toleration", "passes"),
    [
        ({"key": "gpu", "value": "yes"}, True),
        ({"key": "gpu", "value": "no"}, False),
        ({"key": "gpu", "operator": "", "value": "yes"}, True),
        ({"key": "gpu", "operator": "Exists"}, True),
        ({"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}, True),
        ({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False),
        ({"operator": "Exists"}, True),
        ({"operator": "Equal", "value": "yes"}, False),
        ({"key": "gpu", "operator": "Gt", "value": "0"}, False),
    ],
)
def test_a_toleration_matches_a_taint_as_in_the_api(toleration: dict[str, str], passes: bool) -> None:
    assert (verdict(tolerating(**toleration), a_node("n", taints=[GPU])) is None) is passes


def test_every_taint_must_be_tolerated_and_preferences_never_block() -> None:
    both = a_node("n", taints=[GPU, OUT])
    preference = a_node("n", taints=[Taint("spot", "", "PreferNoSchedule")])

    assert verdict(tolerating(key="gpu", operator="Exists"), both) == "node(s) had untolerated taint {maintenance: }"
    assert verdict(a_pod("p"), preference) is None


def test_a_taint_tolerated_for_a_while_makes_no_destination_although_kube_scheduler_would_go_there() -> None:
    a_while = tolerating(key="maintenance", operator="Exists", seconds=300)
    for_ever = tolerating(key="maintenance", operator="Exists")
    both = a_pod("p", tolerations=[*for_ever.spec.tolerations, *a_while.spec.tolerations])
    node = a_node("n", taints=[OUT])

    assert verdict(for_ever, node) is None
    assert verdict(a_while, node) is not None
    assert verdict(both, node) is not None
    assert verdict(a_while, node, KUBE_SCHEDULER) is None


def test_seconds_do_not_matter_to_taints_that_only_keep_newcomers_out() -> None:
    assert verdict(tolerating(key="gpu", operator="Exists", seconds=5), a_node("n", taints=[GPU])) is None


def test_node_selector_and_affinity_must_both_hold() -> None:
    node = a_node("n", labels={"disk": "ssd", "arch": "arm"})
    ssd = (a_term(("disk", "In", ("ssd",))),)

    assert verdict(a_pod("p", node_selector={"arch": "arm"}, node_affinity=ssd), node) is None
    assert verdict(a_pod("p", node_selector={"arch": "amd"}, node_affinity=ssd), node) == SELECTOR
    assert verdict(a_pod("p", node_selector={"arch": "arm", "gpu": ""}), node) == SELECTOR
    assert verdict(a_pod("p", node_selector={"arch": "arm"}, node_affinity=(a_term(("disk", "In", ("hdd",))),)), node) == SELECTOR


@pytest.mark.parametrize(
    ("expression", "passes"),
    [
        (("disk", "In", ("hdd", "ssd")), True),
        (("disk", "NotIn", ("ssd",)), False),
        (("absent", "NotIn", ("ssd",)), True),
        (("disk", "Exists", ()), True),
        (("absent", "DoesNotExist", ()), True),
        (("disk", "DoesNotExist", ()), False),
        (("cores", "Gt", ("7",)), True),
        (("cores", "Gt", ("8",)), False),
        (("cores", "Lt", ("9",)), True),
        (("disk", "Gt", ("1",)), False),
        (("absent", "Lt", ("1",)), False),
        (("cores", "Gt", ("1", "2")), False),
        (("cores", "Near", ("8",)), False),
    ],
)
def test_node_affinity_expressions_mean_what_the_api_says(expression: tuple[str, str, tuple[str, ...]], passes: bool) -> None:
    node = a_node("n", labels={"disk": "ssd", "cores": "8"})

    assert (verdict(a_pod("p", node_affinity=(a_term(expression),)), node) is None) is passes


def test_terms_are_ored_what_is_in_one_is_anded_and_empty_ones_match_nothing() -> None:
    node = a_node("n", labels={"disk": "ssd"})
    ssd, hdd = ("disk", "In", ("ssd",)), ("disk", "In", ("hdd",))

    assert verdict(a_pod("p", node_affinity=(a_term(hdd), a_term(ssd))), node) is None
    assert verdict(a_pod("p", node_affinity=(a_term(hdd, ssd),)), node) == SELECTOR
    assert verdict(a_pod("p", node_affinity=(a_term(),)), node) == SELECTOR
    assert verdict(a_pod("p", node_affinity=()), node) == SELECTOR


def test_a_term_may_name_its_nodes() -> None:
    pod = a_pod("p", node_affinity=(a_term(names=("n1",)), a_term(("disk", "Exists", ()), names=("n2",))))

    assert [n for n in ("n1", "n2", "n3") if verdict(pod, a_node(n)) is None] == ["n1"]
    assert verdict(pod, a_node("n2", labels={"disk": ""})) is None


def test_a_node_without_a_topology_key_of_a_hard_spread_is_refused() -> None:
    pod = a_pod("p", spread=[spread_over(ZONE, app="x"), spread_over("rack", app="x")])

    assert verdict(pod, a_node("n", zone="a", labels={"rack": "1"})) is None
    for half in (a_node("n", zone="a"), a_node("n", labels={"rack": "1"})):
        assert verdict(pod, half) == "node(s) didn't match pod topology spread constraints (missing required label)"


def test_only_what_is_asked_for_is_looked_at_and_a_resource_the_node_lacks_is_nothing() -> None:
    assert verdict(a_pod("p", memory=1), a_node("n", cpu=-5)) is None
    assert verdict(a_pod("p", extended={"nvidia.com/gpu": 1}), a_node("n")) == "Insufficient nvidia.com/gpu"
    assert verdict(a_pod("p", extended={"nvidia.com/gpu": 1}), a_node("n", extended={"nvidia.com/gpu": 1})) is None


def test_what_is_remembered_for_one_pair_never_answers_for_another() -> None:
    specs = [
        a_pod("p", cpu=1).spec,
        a_pod("p", cpu=3).spec,
        a_pod("p", node_selector={"disk": "ssd"}).spec,
        a_pod("p", node_affinity=(a_term(("disk", "DoesNotExist", ())),)).spec,
        a_pod("p", node_affinity=(a_term(names=("a",)),)).spec,
        a_pod("p", spread=[spread_over(ZONE, app="x"), spread_over("rack", app="x")]).spec,
        a_pod("p", spread=[spread_over("rack", app="x"), spread_over(ZONE, app="x")]).spec,
        tolerating(operator="Exists").spec,
        tolerating(operator="Exists", seconds=9).spec,
    ]
    nodes = [
        a_node("a", cpu=2),
        a_node("b", cpu=2),
        a_node("c", cpu=2, labels={"disk": "ssd"}, zone="z"),
        a_node("d", labels={"rack": "1"}),
        a_node("e", labels={"rack": "1"}, zone="z", taints=[GPU]),
        a_node("f", taints=[OUT], unschedulable=True),
        a_node("g", ready=False),
        a_node("h", closed="being deleted"),
    ]
    for filters in (FILTERS, KUBE_SCHEDULER):
        once = Verdicts(filters)

        told = [once.reason(spec, node) for spec in specs for node in nodes]

        assert told == [Verdicts(filters).reason(spec, node) for spec in specs for node in nodes]


def test_pods_and_nodes_alike_in_what_a_filter_reads_are_asked_once() -> None:
    asked: list[str] = []

    def counting(spec: PodSpec, node: Node) -> str | None:
        asked.append(node.ref.name)
        return None

    verdicts = Verdicts((Filter("Counting", counting, lambda spec: spec.requests, lambda spec, node: node.allocatable),))
    for spec in (a_pod("p", cpu=1).spec, a_pod("p", cpu=1, tolerations=[Toleration("any", "Exists")]).spec):
        for node in (a_node("n1"), a_node("n2"), a_node("n3", cpu=1)):
            assert verdicts.admits(spec, node)

    assert asked == ["n1", "n3"]
