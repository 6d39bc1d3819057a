"""Selectors, taints and tolerations match exactly as in Kubernetes: truth tables of kubernetes.md 3.4, 3.5 and 3.7."""

from __future__ import annotations

import pytest

from descheduler.domain.selectors import LabelSelector, NodeSelectorTerm, PodTerm, Requirement, Taint, Toleration

HERE = {"zone": "a", "cores": "16", "word": "many", "grouped": "1_000", "padded": "0016", "huge": "9" * 19}


@pytest.mark.parametrize(
    ("key", "operator", "values", "holds"),
    [
        ("zone", "In", ("a", "b"), True),
        ("zone", "In", ("b",), False),
        ("gone", "In", ("a",), False),
        ("zone", "NotIn", ("a",), False),
        ("zone", "NotIn", ("b",), True),
        ("gone", "NotIn", ("a",), True),
        ("zone", "Exists", (), True),
        ("gone", "Exists", (), False),
        ("zone", "DoesNotExist", (), False),
        ("gone", "DoesNotExist", (), True),
        ("cores", "Gt", ("15",), True),
        ("cores", "Gt", ("16",), False),
        ("cores", "Lt", ("17",), True),
        ("cores", "Lt", ("16",), False),
        ("gone", "Lt", ("16",), False),
        ("word", "Gt", ("1",), False),
        ("cores", "Gt", ("many",), False),
        ("cores", "Gt", ("1_0",), False),
        ("grouped", "Gt", ("1",), False),
        ("padded", "Gt", ("15",), True),
        ("huge", "Gt", ("1",), False),
        ("cores", "Gt", ("1", "2"), False),
        ("cores", "Gt", ("0_1",), False),
        ("zone", "Resembles", ("a",), False),
    ],
)
def test_each_operator_decides_as_kubernetes_does(key: str, operator: str, values: tuple[str, ...], holds: bool) -> None:
    assert Requirement(key, operator, values).matches(HERE) is holds


def test_an_empty_label_selector_selects_everything() -> None:
    assert LabelSelector().matches({})
    assert LabelSelector().matches(HERE)


def test_labels_and_expressions_must_all_hold() -> None:
    selector = LabelSelector((("zone", "a"),), (Requirement("cores", "Exists"),))

    assert selector.matches(HERE)
    assert not selector.matches({"zone": "a"})
    assert not selector.matches({"cores": "16"})


def test_an_empty_node_selector_term_matches_no_node() -> None:
    assert not NodeSelectorTerm().matches(HERE, "n1")


def test_a_node_selector_term_may_name_the_node() -> None:
    term = NodeSelectorTerm(fields=(Requirement("metadata.name", "In", ("n1",)),))

    assert term.matches({}, "n1")
    assert not term.matches({}, "n2")


@pytest.mark.parametrize(
    ("toleration", "taint", "tolerated"),
    [
        (Toleration("gpu", "Exists"), Taint("gpu", "yes"), True),
        (Toleration("gpu", "Equal", "yes"), Taint("gpu", "yes"), True),
        (Toleration("gpu", "", "yes"), Taint("gpu", "yes"), True),
        (Toleration("gpu", "Equal", "no"), Taint("gpu", "yes"), False),
        (Toleration("", "Exists"), Taint("anything"), True),
        (Toleration("", "Equal"), Taint("anything"), False),
        (Toleration("gpu", "Exists", effect="NoExecute"), Taint("gpu"), False),
        (Toleration("gpu", "Exists", effect="NoSchedule"), Taint("gpu"), True),
        (Toleration("cores", "Gt", "8"), Taint("cores", "16"), False),
    ],
)
def test_a_toleration_tolerates_what_kube_scheduler_says(toleration: Toleration, taint: Taint, tolerated: bool) -> None:
    assert toleration.tolerates(taint) is tolerated


def test_a_pod_term_without_selector_matches_nothing() -> None:
    assert not PodTerm("zone", None, None).matches("shop", {})


def test_a_pod_term_looks_only_into_its_namespaces() -> None:
    term = PodTerm("zone", LabelSelector(), frozenset({"shop"}))

    assert term.matches("shop", {})
    assert not term.matches("bank", {})
    assert PodTerm("zone", LabelSelector(), None).matches("bank", {})
