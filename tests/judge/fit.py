"""Which node admits which pod, alone and beside others (kubernetes.md 3.3 to 3.9)."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from tests.judge.fleet import Cluster, Node, Pod
from tests.judge.labels import node_selected, selects, untolerated
from tests.judge.opaque import terms
from tests.judge.quantities import Amounts, Body

CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
LIFECYCLE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", CORDON["key"])
LEAVING = ("ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler", "karpenter.sh/disrupted")


def refusal(pod: Pod, node: Node, *, cordons: bool = True, lifecycle: bool = True) -> str | None:
    """Why this node never takes the pod, looking at no other pod; ``lifecycle`` off: a node that is not Ready counts as Ready."""
    taints, tolerations = node.taints, pod.spec.get("tolerations") or []
    if not cordons:
        taints = [taint for taint in taints if taint.get("key") != CORDON["key"]]
    elif node.cordoned and untolerated(tolerations, [CORDON]):
        return "it is cordoned"
    if not lifecycle:
        taints = [taint for taint in taints if taint.get("key") not in LIFECYCLE]
    elif not node.ready:
        return "it is not Ready"
    if node.raw["metadata"].get("deletionTimestamp"):
        return "it is being deleted"
    if node.allocatable is None:
        return "its allocatable cannot be read"
    taint = untolerated(tolerations, taints)
    if taint:
        return f"untolerated taint {{{taint.get('key')}: {taint.get('value', '')}}}"
    leaving = next((t["key"] for t in node.taints if t.get("key") in LEAVING), None)
    if leaving:
        return f"it is marked {leaving}"
    if not node_selected(pod.spec, node.name, node.labels):
        return "node affinity or selector does not match"
    return None


@dataclass(frozen=True)
class Guest:
    """A pod on a node at some instant; ``role`` tells the two copies of a moving pod apart."""

    pod: Pod
    node: str
    role: str = "old"
    larger: tuple[tuple[str, int], ...] = ()
    """What it asks for when not what the pod asks for."""

    @property
    def token(self) -> tuple[str, str]:
        return (self.pod.key, self.role)

    @property
    def requests(self) -> Amounts:
        return dict(self.larger) or self.pod.requests or {"pods": 1}


def namespaces_of(term: Body, pod: Pod, cluster: Cluster) -> set[str]:
    """The namespaces an (anti-)affinity term looks at."""
    listed, selector = set(term.get("namespaces") or []), term.get("namespaceSelector")
    if selector is not None:
        listed |= {name for name, meta in cluster.namespaces.items() if selects(selector, meta.get("labels") or {})}
    return listed if listed or selector is not None else {pod.namespace}


def with_label_keys(constraint: Body, labels: dict[str, str]) -> Body | None:
    """The selector with matchLabelKeys merged in."""
    selector = constraint.get("labelSelector")
    keys = {key: labels[key] for key in constraint.get("matchLabelKeys") or [] if key in labels}
    if selector is None or not keys:
        return selector
    return {**selector, "matchLabels": {**(selector.get("matchLabels") or {}), **keys}}


def host_ports(pod: Pod) -> set[tuple[str, int, str]]:
    """(protocol, port, IP) of every host port."""
    containers = (pod.spec.get("containers") or []) + [
        c for c in pod.spec.get("initContainers") or [] if c.get("restartPolicy") == "Always"
    ]
    ports = [port for c in containers for port in c.get("ports") or []]
    return {(p.get("protocol", "TCP"), p["hostPort"], p.get("hostIP") or "0.0.0.0") for p in ports if p.get("hostPort")}  # noqa: S104


class State:
    """Who is where in one cluster at one instant."""

    def __init__(self, cluster: Cluster, guests: Iterable[Guest] = ()) -> None:
        self.cluster = cluster
        self.guests: dict[tuple[str, str], Guest] = {}
        self.used: dict[str, Counter[str]] = defaultdict(Counter)
        self.at: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self.by_namespace: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self.repelling: set[tuple[str, str]] = set()
        for guest in guests:
            self.add(guest)

    def copy(self) -> State:
        other = State(self.cluster)
        other.guests = dict(self.guests)
        for name in ("used", "at", "by_namespace"):
            mine = getattr(self, name)
            getattr(other, name).update({key: value.copy() for key, value in mine.items()})
        other.repelling = set(self.repelling)
        return other

    def add(self, guest: Guest) -> None:
        assert guest.token not in self.guests, f"{guest.token} is there already"
        self.guests[guest.token] = guest
        self.used[guest.node].update(guest.requests)
        self.at[guest.node].add(guest.token)
        self.by_namespace[guest.pod.namespace].add(guest.token)
        if terms(guest.pod, "podAntiAffinity"):
            self.repelling.add(guest.token)

    def remove(self, token: tuple[str, str]) -> None:
        guest = self.guests.pop(token)
        self.used[guest.node].subtract(guest.requests)
        self.at[guest.node].discard(token)
        self.by_namespace[guest.pod.namespace].discard(token)
        self.repelling.discard(token)

    def closed(self, node: str) -> bool:
        """Whether a pod of unknown size sits there."""
        return any(self.guests[token].pod.requests is None for token in self.at[node])

    def lacks(
        self, guest: Guest, *, reserved: Counter[str] | None = None, ignoring: frozenset[tuple[str, str]] = frozenset()
    ) -> str | None:
        """NodeResourcesFit: what the node has not enough of; the guest itself may be in the state already."""
        room = self.cluster.nodes[guest.node].allocatable or {}
        used = Counter(self.used[guest.node])
        used.update(reserved or {})
        for token in ignoring | {guest.token}:
            if token in self.at[guest.node]:
                used.subtract(self.guests[token].requests)
        for name, amount in sorted(guest.requests.items()):
            if amount > 0 and used[name] + amount > room.get(name, 0):
                return f"{name} {used[name] + amount} > {room.get(name, 0)}"
        return None

    def has_room(self, guest: Guest) -> bool:
        """``lacks`` in short, for a guest that is not in the state."""
        room, used = self.cluster.nodes[guest.node].allocatable or {}, self.used[guest.node]
        return all(not amount or used[name] + amount <= room.get(name, 0) for name, amount in guest.requests.items())

    def clash(self, guest: Guest, *, ignoring: frozenset[tuple[str, str]] = frozenset()) -> str | None:
        """Host ports, and required anti-affinity both ways."""
        node, skipped = self.cluster.nodes[guest.node], ignoring | {guest.token}
        wanted = host_ports(guest.pod)
        for token in self.at[guest.node] - skipped if wanted else set():
            for protocol, port, address in host_ports(self.guests[token].pod):
                if any((protocol, port) == (p, q) and (address == a or "0.0.0.0" in (address, a)) for p, q, a in wanted):  # noqa: S104
                    return f"port {port} is taken by {self.guests[token].pod.key}"
        for term in terms(guest.pod, "podAntiAffinity"):
            for namespace in namespaces_of(term, guest.pod, self.cluster):
                for token in self.by_namespace.get(namespace, set()) - skipped:
                    if self._repels(term, guest.pod, node, self.guests[token].node, self.guests[token].pod):
                        return f"its anti-affinity forbids {self.guests[token].pod.key}"
        for token in self.repelling - skipped:
            other = self.guests[token]
            for term in terms(other.pod, "podAntiAffinity"):
                if guest.pod.namespace in namespaces_of(term, other.pod, self.cluster) and self._repels(
                    term, other.pod, node, other.node, guest.pod
                ):
                    return f"the anti-affinity of {other.pod.key} forbids it"
        return None

    def _repels(self, term: Body, holder: Pod, node: Node, where: str, other: Pod) -> bool:
        key, there = term.get("topologyKey", ""), self.cluster.nodes.get(where)
        same = there is not None and key in node.labels and node.labels[key] == there.labels.get(key)
        return same and selects(with_label_keys(term, holder.labels), other.labels)

    def counts(self, holder: Pod, constraint: Body, ignoring: frozenset[tuple[str, str]] = frozenset()) -> dict[str, int]:
        """Matching pods per eligible domain of a hard spread constraint, terminating ones left out."""
        keys = [c["topologyKey"] for c in hard(holder)]
        out: dict[str, int] = {}
        for node in self.cluster.nodes.values():
            if all(key in node.labels for key in keys) and _eligible(holder, constraint, node):
                out.setdefault(node.labels[constraint["topologyKey"]], 0)
                for token in self.at[node.name] - ignoring:
                    if counts_for(holder, constraint, self.guests[token].pod):
                        out[node.labels[constraint["topologyKey"]]] += 1
        return out


def hard(pod: Pod) -> list[Body]:
    """Its DoNotSchedule spread constraints."""
    listed = pod.spec.get("topologySpreadConstraints") or []
    return [c for c in listed if c.get("whenUnsatisfiable", "DoNotSchedule") == "DoNotSchedule"]


def counts_for(holder: Pod, constraint: Body, other: Pod) -> bool:
    """Whether ``other`` is counted by a constraint of ``holder``; an empty selector counts nothing (kubernetes.md 3.9)."""
    selector = with_label_keys(constraint, holder.labels)
    empty = not selector or not (selector.get("matchLabels") or selector.get("matchExpressions"))
    return not empty and other.namespace == holder.namespace and not other.terminating and selects(selector, other.labels)


def _eligible(holder: Pod, constraint: Body, node: Node) -> bool:
    if constraint.get("nodeAffinityPolicy", "Honor") == "Honor" and not node_selected(holder.spec, node.name, node.labels):
        return False
    honors = constraint.get("nodeTaintsPolicy", "Ignore") == "Honor"
    return not honors or untolerated(holder.spec.get("tolerations") or [], node.taints) is None


def floor_of(counts: dict[str, int], constraint: Body) -> int:
    """The smallest count, or 0 with fewer domains than minDomains."""
    return min(counts.values()) if counts and len(counts) >= (constraint.get("minDomains") or 1) else 0


def spread_refusal(guest: Guest, most: State, least: State, ignoring: frozenset[tuple[str, str]] = frozenset()) -> str | None:
    """PodTopologySpread for an arrival: its own domain counted in ``most``, the emptiest one in ``least``."""
    labels, skipped = most.cluster.nodes[guest.node].labels, ignoring | {guest.token}
    for constraint in hard(guest.pod):
        key = constraint["topologyKey"]
        if key not in labels:
            return f"the node has no label {key}"
        here = most.counts(guest.pod, constraint, skipped).get(labels[key], 0)
        here += counts_for(guest.pod, constraint, guest.pod)
        skew = here - floor_of(least.counts(guest.pod, constraint, skipped), constraint)
        if skew > constraint.get("maxSkew", 1):
            return f"spread over {key}: skew {skew} > {constraint.get('maxSkew', 1)}"
    return None


def joint_refusal(guest: Guest, state: State, *, reserved: Counter[str] | None = None, alone: bool = True) -> str | None:
    """Why the guest does not fit into the state right now; ``alone``: the filters are asked as well."""
    node = state.cluster.nodes.get(guest.node)
    if node is None:
        return "there is no such node"
    return (
        (refusal(guest.pod, node) if alone else None)
        or ("a pod of unknown size is there" if state.closed(guest.node) else None)
        or state.lacks(guest, reserved=reserved)
        or state.clash(guest)
        or spread_refusal(guest, state, state)
    )


def identity(holder: Pod, constraint: Body) -> str:
    """The same for constraints that judge alike."""
    spec = {key: holder.spec.get(key) for key in ("nodeSelector", "affinity", "tolerations", "topologySpreadConstraints")}
    return json.dumps([holder.namespace, constraint, with_label_keys(constraint, holder.labels), spec], sort_keys=True)
