"""Tolerations, affinity and spread of pods as the scheduler takes them, also where that is not what is written."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.domain.selectors import LabelSelector, NodeSelectorTerm, PodTerm, Requirement, SpreadConstraint, Toleration
from tests.federation.affinity import HOSTNAME, PREFERRED, REQUIRED, ZONE, apart_from, near, on_nodes
from tests.federation.reading import read, the_pod
from tests.raw import namespace_json, pod_json


def test_tolerations_keep_their_seconds_and_lose_their_order() -> None:
    first = {"key": "a", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
    second = {"key": "b", "value": "x"}

    one, other = read(pod_json("one", tolerations=[first, second]), pod_json("other", tolerations=[second, first])).pods

    assert one.spec.tolerations == (Toleration("a", "Exists", "", "NoExecute", 300), Toleration("b", "Equal", "x"))
    assert one.spec is other.spec


def test_required_node_affinity_is_kept_and_preferred_is_not() -> None:
    expression = {"key": "cores", "operator": "Gt", "values": ["8"]}
    name = {"key": "metadata.name", "operator": "In", "values": ["n1"]}
    affinity = on_nodes({"matchExpressions": [expression]}, {"matchFields": [name]})
    affinity["nodeAffinity"][PREFERRED] = [{"weight": 1, "preference": {}}]

    pod = the_pod(pod_json("cart", affinity=affinity))

    terms = (NodeSelectorTerm((Requirement("cores", "Gt", ("8",)),)), NodeSelectorTerm((), (Requirement("metadata.name", "In", ("n1",)),)))
    assert pod.spec.node_affinity == terms
    assert pod.spec.opaque is None
    assert the_pod(pod_json("cart", affinity=on_nodes())).spec.node_affinity == ()
    assert the_pod(pod_json("cart")).spec.node_affinity is None


@pytest.mark.parametrize("values", [["not a label"], ["a", "ends-"], ["x" * 64]])
def test_a_term_that_the_scheduler_cannot_parse_matches_no_node(values: list[str]) -> None:
    """It takes such a term from clients that had it before; NotIn would else match every node."""
    odd, fine = ({"matchExpressions": [{"key": "pool", "operator": "NotIn", "values": told}]} for told in (values, ["x"]))

    assert the_pod(pod_json("cart", affinity=on_nodes(odd, fine))).spec.node_affinity == (
        NodeSelectorTerm(),
        NodeSelectorTerm((Requirement("pool", "NotIn", ("x",)),)),
    )


def test_anti_affinity_looks_into_its_own_namespace_unless_it_says_otherwise() -> None:
    selector = LabelSelector((("app", "cart"),))

    def namespaces(**term: Any) -> frozenset[str] | None:
        found = the_pod(pod_json("cart", affinity=apart_from(**term)), namespace_json("shop"), namespace_json("bank", labels={"team": "b"}))
        assert found.spec.opaque is None
        assert found.spec.anti_affinity[0].selector == selector
        return found.spec.anti_affinity[0].namespaces

    assert namespaces() == frozenset({"shop"})
    assert namespaces(namespaces=["bank"]) == frozenset({"bank"})
    assert namespaces(namespaceSelector={}) is None
    assert namespaces(namespaceSelector={"matchLabels": {"team": "b"}}) == frozenset({"bank"})
    assert namespaces(namespaces=["shop"], namespaceSelector={"matchLabels": {"team": "b"}}) == frozenset({"shop", "bank"})


def test_a_namespace_selector_without_the_namespaces_labels_is_opaque_and_keeps_away() -> None:
    pod = the_pod(
        pod_json("cart", on="n1", affinity=apart_from(namespaceSelector={"matchLabels": {"team": "b"}})), pod_json("x", namespace="bank")
    )

    assert pod.spec.anti_affinity[0].namespaces == frozenset({"shop", "bank"})
    assert pod.spec.opaque is not None
    assert "namespaceSelector" in pod.spec.opaque


def test_a_namespaces_own_name_needs_no_labels() -> None:
    by_name = {"matchLabels": {"kubernetes.io/metadata.name": "bank"}}

    pod = the_pod(pod_json("cart", affinity=apart_from(namespaceSelector=by_name)), pod_json("x", namespace="bank"))

    assert pod.spec.anti_affinity[0].namespaces == frozenset({"bank"})
    assert pod.spec.opaque is None


def test_affinity_is_read_like_anti_affinity() -> None:
    labels = {"app": "cart", "hash": "5d8"}
    selector = LabelSelector((("app", "cart"),), (Requirement("hash", "In", ("5d8",)), Requirement("hash", "NotIn", ("5d8",))))
    wider = {"namespaceSelector": {"matchLabels": {"team": "b"}}, "matchLabelKeys": ["hash"], "mismatchLabelKeys": ["hash", "gone"]}

    pod = the_pod(
        pod_json("cart", labels=labels, affinity=near(**wider)), namespace_json("shop"), namespace_json("bank", labels={"team": "b"})
    )

    assert pod.spec.affinity == (PodTerm(ZONE, selector, frozenset({"bank"})),)
    assert pod.spec.anti_affinity == ()
    assert the_pod(pod_json("cart", affinity=near(namespaceSelector={}))).spec.affinity[0].namespaces is None
    assert the_pod(pod_json("cart", affinity=near(labelSelector=None))).spec.affinity[0].selector is None


def test_affinity_is_not_drawn_to_namespaces_of_unknown_labels() -> None:
    selecting = near(namespaces=["depot"], namespaceSelector={"matchLabels": {"team": "b"}})

    pod = the_pod(pod_json("cart", affinity=selecting), pod_json("x", namespace="bank"), namespace_json("till", labels={"team": "b"}))

    assert pod.spec.affinity[0].namespaces == frozenset({"depot", "till"})
    assert pod.spec.opaque is not None
    assert pod.spec.opaque.startswith("spec.affinity.podAffinity")


def test_match_label_keys_are_written_out_once() -> None:
    labels = {"app": "cart", "hash": "5d8"}
    merged = (Requirement("hash", "In", ("5d8",)),)
    expressions = [{"key": "hash", "operator": "In", "values": ["5d8"]}]

    before = the_pod(pod_json("cart", labels=labels, affinity=apart_from(matchLabelKeys=["hash", "gone"])))
    after = the_pod(
        pod_json(
            "cart", labels=labels, affinity=apart_from(labelSelector={"matchLabels": {"app": "cart"}, "matchExpressions": expressions})
        )
    )
    other = the_pod(pod_json("cart", labels=labels, affinity=apart_from(mismatchLabelKeys=["hash"])))

    assert before.spec.anti_affinity == after.spec.anti_affinity
    assert before.spec.anti_affinity == (PodTerm(HOSTNAME, LabelSelector((("app", "cart"),), merged), frozenset({"shop"})),)
    assert other.spec.anti_affinity[0].selector == LabelSelector((("app", "cart"),), (Requirement("hash", "NotIn", ("5d8",)),))


@pytest.mark.parametrize("kind", ["podAffinity", "podAntiAffinity"])
def test_label_keys_that_the_server_merged_are_those_of_the_creation(kind: str) -> None:
    """The pod's label has changed since: kube-scheduler does not look at the keys of pod affinity."""
    was, never = {"key": "hash", "operator": "In", "values": ["old"]}, {"key": "tier", "operator": "NotIn", "values": ["a"]}
    merged = {"matchExpressions": [was, never]}
    term = {"topologyKey": ZONE, "labelSelector": merged, "matchLabelKeys": ["hash"], "mismatchLabelKeys": ["tier"]}

    spec = the_pod(pod_json("cart", labels={"hash": "new", "tier": "b"}, affinity={kind: {REQUIRED: [term]}})).spec

    expected = LabelSelector((), (Requirement("hash", "In", ("old",)), Requirement("tier", "NotIn", ("a",))))
    assert [term.selector for term in (*spec.affinity, *spec.anti_affinity)] == [expected]


def test_label_keys_of_spread_are_those_of_the_labels_as_they_are() -> None:
    merged = {"matchExpressions": [{"key": "hash", "operator": "In", "values": ["old"]}]}
    hard = {"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", "labelSelector": merged, "matchLabelKeys": ["hash"]}

    selector = the_pod(pod_json("cart", labels={"hash": "new"}, topologySpreadConstraints=[hard])).spec.spread[0].selector

    assert selector == LabelSelector((), (Requirement("hash", "In", ("new",)), Requirement("hash", "In", ("old",))))


@pytest.mark.parametrize(
    ("told", "selector", "min_domains", "honor_affinity", "honor_taints"),
    [
        ({}, None, 1, True, False),
        ({"labelSelector": {}}, LabelSelector(), 1, True, False),
        ({"labelSelector": None, "matchLabelKeys": ["app"]}, None, 1, True, False),
        ({"labelSelector": {}, "matchLabelKeys": ["gone"]}, LabelSelector(), 1, True, False),
        ({"labelSelector": {}, "matchLabelKeys": ["app"]}, LabelSelector((), (Requirement("app", "In", ("cart",)),)), 1, True, False),
        ({"minDomains": 3, "nodeAffinityPolicy": "Honor", "nodeTaintsPolicy": "Ignore"}, None, 3, True, False),
        ({"nodeAffinityPolicy": "Ignore", "nodeTaintsPolicy": "Honor"}, None, 1, False, True),
    ],
)
def test_what_a_spread_constraint_leaves_unsaid_is_as_the_scheduler_takes_it(
    told: dict[str, Any], selector: LabelSelector | None, min_domains: int, honor_affinity: bool, honor_taints: bool
) -> None:
    hard = {"topologyKey": ZONE, "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule", **told}

    spread = the_pod(pod_json("cart", labels={"app": "cart"}, topologySpreadConstraints=[hard])).spec.spread

    assert spread == (SpreadConstraint(ZONE, 1, selector, min_domains, honor_affinity, honor_taints),)


def test_hard_spread_is_kept_and_soft_spread_is_not() -> None:
    hard = {
        "topologyKey": "zone",
        "maxSkew": 2,
        "minDomains": 3,
        "whenUnsatisfiable": "DoNotSchedule",
        "nodeAffinityPolicy": "Ignore",
        "nodeTaintsPolicy": "Honor",
        "labelSelector": {},
        "matchLabelKeys": ["hash"],
    }
    soft = {"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}

    pod = the_pod(pod_json("cart", labels={"hash": "5d8"}, topologySpreadConstraints=[hard, soft]))

    selector = LabelSelector((), (Requirement("hash", "In", ("5d8",)),))
    assert pod.spec.spread == (SpreadConstraint("zone", 2, selector, 3, False, True),)
