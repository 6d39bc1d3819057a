"""Hard topology spread (kubernetes.md 3.9), and what a pin makes of it."""

from __future__ import annotations

import json

from tests.judge.affinity import with_label_keys
from tests.judge.fleet import Node, Pod
from tests.judge.labels import node_selected, selects, untolerated
from tests.judge.quantities import Body
from tests.judge.state import Guest, State, Token


def hard(pod: Pod) -> list[Body]:
    """Its DoNotSchedule spread constraints."""
    listed = pod.spec.get("topologySpreadConstraints") or []
    return [c for c in listed if c.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"]


def counts_for(holder: Pod, constraint: Body, other: Pod) -> bool:
    """Whether ``other`` is counted by a constraint of ``holder``; an empty selector counts nothing, an absent one too."""
    selector = with_label_keys(constraint, holder.labels)
    empty = not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))
    return not empty and other.namespace == holder.namespace and not other.terminating and selects(selector, other.labels)


def counts(
    state: State, holder: Pod, constraint: Body, ignoring: frozenset[Token] = frozenset(), pinned: str | None = None
) -> dict[str, int]:
    """Matching pods per eligible domain, terminating ones left out; ``pinned``: the node that the holder's selector names besides."""
    keys = [c["topologyKey"] for c in hard(holder)]
    out: dict[str, int] = {}
    for node in state.cluster.nodes.values():
        if all(key in node.labels for key in keys) and _eligible(holder, constraint, node, pinned):
            out.setdefault(node.labels[constraint["topologyKey"]], 0)
            for token in state.at[node.name] - ignoring:
                if counts_for(holder, constraint, state.guests[token].pod):
                    out[node.labels[constraint["topologyKey"]]] += 1
    return out


def _eligible(holder: Pod, constraint: Body, node: Node, pinned: str | None) -> bool:
    if constraint.get("nodeAffinityPolicy", "Honor") == "Honor":
        if pinned is not None and node.name != pinned:
            return False
        if not node_selected(holder.spec, node.name, node.labels):
            return False
    honors = constraint.get("nodeTaintsPolicy", "Ignore") == "Honor"
    return not honors or untolerated(holder.spec.get("tolerations") or [], node.taints) is None


def floor_of(told: dict[str, int], constraint: Body) -> int:
    """The smallest count, or 0 with fewer domains than minDomains."""
    return min(told.values()) if told and len(told) >= (constraint.get("minDomains") or 1) else 0


def spread_refusal(
    guest: Guest, most: State, least: State, ignoring: frozenset[Token] = frozenset(), *, pinned: bool = False
) -> str | None:
    """PodTopologySpread for an arrival in any order: its own domain counted in ``most``, every other one in ``least``."""
    labels, skipped = most.cluster.nodes[guest.node].labels, ignoring | {guest.token}
    pin = guest.node if pinned else None
    for constraint in hard(guest.pod):
        key = constraint["topologyKey"]
        if key not in labels:
            return f"the node has no label {key}"
        here = counts(most, guest.pod, constraint, skipped, pin).get(labels[key], 0)
        others = counts(least, guest.pod, constraint, skipped, pin)
        if labels[key] in others:
            others[labels[key]] = here
        skew = here + counts_for(guest.pod, constraint, guest.pod) - floor_of(others, constraint)
        if skew > constraint.get("maxSkew", 1):
            by = "pinned spread" if pinned else "spread"
            return f"{by} over {key}: skew {skew} > {constraint.get('maxSkew', 1)}"
    return None


def identity(holder: Pod, constraint: Body) -> str:
    """The same for constraints that judge alike."""
    spec = {key: holder.spec.get(key) for key in ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints")}
    return json.dumps([holder.namespace, constraint, with_label_keys(constraint, holder.labels), spec], sort_keys=True)
