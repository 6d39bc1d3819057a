"""Required inter-pod affinity and anti-affinity (kubernetes.md 3.7)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from tests.judge.fleet import Cluster, Node, Pod, terms
from tests.judge.labels import selects
from tests.judge.quantities import Body
from tests.judge.state import Guest, State, Token

Pair = tuple[str, str]


def with_label_keys(constraint: Body, labels: dict[str, str]) -> Body | None:
    """The selector with matchLabelKeys and mismatchLabelKeys merged in; merging twice changes nothing."""
    selector = constraint.get("labelSelector")
    keys = {key: labels[key] for key in constraint.get("matchLabelKeys") or [] if key in labels}
    others = [key for key in constraint.get("mismatchLabelKeys") or [] if key in labels]
    if selector is None or not (keys or others):
        return selector
    unlike = [{"key": key, "operator": "NotIn", "values": [labels[key]]} for key in others]
    return {
        "matchLabels": selector.get("matchLabels") or {},
        "matchExpressions": [
            *(selector.get("matchExpressions") or []),
            *({"key": key, "operator": "In", "values": [value]} for key, value in keys.items()),
            *unlike,
        ],
    }


def looks_at(term: Body, holder: Pod, namespace: str, cluster: Cluster, *, unknown: bool) -> bool:
    """Whether a term looks at pods of a namespace; ``unknown``: the answer where the labels that decide are not in the snapshot."""
    listed, selector = term.get("namespaces") or [], term.get("namespaceSelector")
    if selector is None:
        return namespace in listed if listed else namespace == holder.namespace
    if namespace in listed or not (selector.get("matchLabels") or selector.get("matchExpressions")):
        return True
    known = cluster.namespaces.get(namespace)
    return unknown if known is None else selects(selector, known.get("labels") or {})


def affects(term: Body, holder: Pod, other: Pod, cluster: Cluster, *, unknown: bool) -> bool:
    """Whether a term of ``holder`` matches ``other``."""
    return looks_at(term, holder, other.namespace, cluster, unknown=unknown) and selects(with_label_keys(term, holder.labels), other.labels)


def _within(term: Body, holder: Pod, state: State) -> Iterator[Token]:
    for namespace, tokens in state.by_namespace.items():
        if tokens and looks_at(term, holder, namespace, state.cluster, unknown=True):
            yield from tokens


def clash(guest: Guest, state: State, *, ignoring: frozenset[Token] = frozenset()) -> str | None:
    """Required anti-affinity both ways."""
    node, skipped, cluster = state.cluster.nodes[guest.node], ignoring | {guest.token}, state.cluster
    for term in terms(guest.pod, "podAntiAffinity"):
        selector = with_label_keys(term, guest.pod.labels)
        for token in _within(term, guest.pod, state):
            other = state.guests[token]
            if token not in skipped and _same_domain(term, node, cluster.nodes.get(other.node)) and selects(selector, other.pod.labels):
                return f"its anti-affinity forbids {other.pod.key}"
    for token in state.repelling - skipped:
        other = state.guests[token]
        for term in terms(other.pod, "podAntiAffinity"):
            if _same_domain(term, node, cluster.nodes.get(other.node)) and affects(term, other.pod, guest.pod, cluster, unknown=True):
                return f"the anti-affinity of {other.pod.key} forbids it"
    return None


def _same_domain(term: Body, node: Node, there: Node | None) -> bool:
    key = term.get("topologyKey", "")
    return there is not None and key in node.labels and node.labels[key] == there.labels.get(key)


def company_refusal(
    guest: Guest, most: State, least: State, *, ignoring: frozenset[Token] = frozenset(), stricter: bool = False
) -> str | None:
    """Required pod affinity, for any order: whoever is in ``most`` and not in ``least`` may be there or not.

    One and the same pod must match all terms; each term's domain of the node must hold such a pod, for certain (a terminating one
    is never certain where the two states differ), or nobody anywhere matches and the pod matches its own terms. Where orders
    differ, every order must pass. ``stricter`` also refuses what kube-scheduler lets pass but the page does not promise.
    """
    asked = terms(guest.pod, "podAffinity")
    if not asked:
        return None
    cluster, node = most.cluster, most.cluster.nodes[guest.node]
    missing = next((term["topologyKey"] for term in asked if term["topologyKey"] not in node.labels), None)
    if missing:
        return f"its affinity needs the node label {missing}"
    wanted = {(term["topologyKey"], node.labels[term["topologyKey"]]) for term in asked}
    skipped = ignoring | {guest.token}
    maybe = {token: pairs for token, pairs in _company(asked, guest.pod, most, skipped) if pairs or stricter}
    sure: set[Pair] = set()
    certain = set()
    for token, pairs in maybe.items():
        if token in least.guests and not (most.guests[token].pod.terminating and (stricter or most is not least)):
            certain.add(token)
            sure |= pairs
    if certain:
        absent = sorted(wanted - sure)
        return f"its affinity finds nobody for certain in {absent[0][0]} {absent[0][1]}" if absent else None
    if not all(affects(term, guest.pod, guest.pod, cluster, unknown=False) for term in asked):
        return "its affinity finds nobody for certain"
    elsewhere = [most.guests[token].pod.key for token, pairs in maybe.items() if stricter or not wanted <= pairs]
    return f"its affinity may find {min(elsewhere)} elsewhere" if elsewhere else None


def _company(asked: list[Body], holder: Pod, state: State, skipped: Iterable[Token]) -> Iterator[tuple[Token, set[Pair]]]:
    """Who matches all terms, with the (key, value) pairs of the terms on its node."""
    first, *_ = asked
    for token in _within(first, holder, state):
        other = state.guests[token]
        if token not in skipped and all(affects(term, holder, other.pod, state.cluster, unknown=False) for term in asked):
            there = state.cluster.nodes[other.node].labels
            yield token, {(term["topologyKey"], there[term["topologyKey"]]) for term in asked if term["topologyKey"] in there}
