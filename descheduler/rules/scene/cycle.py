"""One scheduling cycle: what kube-scheduler's PreFilter plugins work out about one pod before any node is looked at."""

from __future__ import annotations

from collections import Counter
from functools import cached_property

from descheduler.domain.objects import Node, Pod
from descheduler.domain.resources import CPU, EPHEMERAL_STORAGE, MEMORY, VOLUMES
from descheduler.domain.selectors import NodeSelectorTerm, PodTerm, SpreadConstraint, Taint
from descheduler.rules.scene.books import Books, mapped
from descheduler.rules.scene.words import AFFINITY_CONFLICT

FIRST = (CPU, MEMORY, EPHEMERAL_STORAGE)
"""Resources that are named before all others."""

Domain = tuple[str, str]
"""Topology key and value."""


class Cycle:
    """The pod, the cluster's books, and counts that hold as long as the books do not change."""

    def __init__(self, books: Books, pod: Pod) -> None:
        self.books, self.pod, self.spec = books, pod, pod.spec
        self.namespace, self.labels = pod.ref.namespace, mapped(pod.labels)
        asked = sorted(pod.spec.requests.items(), key=lambda item: FIRST.index(item[0]) if item[0] in FIRST else len(FIRST))
        self.asked = tuple((r, amount) for r, amount in asked if amount > 0 and not r.startswith(VOLUMES))
        """What NodeResourcesFit asks for, in its order."""
        self.volumes = tuple((r, amount) for r, amount in asked if amount > 0 and r.startswith(VOLUMES))
        """What NodeVolumeLimits asks for."""
        self.affinity = tuple(term.of_newcomer for term in pod.spec.affinity)
        self.anti_affinity = tuple(term.of_newcomer for term in pod.spec.anti_affinity)
        self._tolerated: dict[tuple[Taint, ...], bool] = {}

    @cached_property
    def rejection(self) -> str | None:
        """Why the pod is refused whatever the nodes are: NodeAffinity's PreFilter comes before those that look at claims."""
        names = self.named
        return AFFINITY_CONFLICT if names is not None and not names else self.pod.waits_for_claim

    @cached_property
    def skipped(self) -> frozenset[str]:
        """Plugins that have nothing to say about the pod on any node; guests do not wake them."""
        spec, demanding = self.spec, {demand.plugin for demand in self.spec.node_demands}
        idle = {
            "NodeAffinity": not spec.node_selector and spec.node_affinity is None and not demanding - {"VolumeBinding", "VolumeZone"},
            "NodePorts": not spec.host_ports,
            "VolumeRestrictions": not any(self.books.claims[claim] > 0 for claim in spec.exclusive_claims),
            "NodeVolumeLimits": not self.volumes,
            "VolumeBinding": "VolumeBinding" not in demanding,
            "VolumeZone": "VolumeZone" not in demanding,
            "PodTopologySpread": not spec.spread,
            "InterPodAffinity": not spec.affinity and not spec.anti_affinity and not self.repelled_from,
        }
        return frozenset(plugin for plugin, nothing in idle.items() if nothing)

    @cached_property
    def named(self) -> frozenset[str] | None:
        """The nodes that required affinity names by ``matchFields``; ``None`` when a term names none (NodeAffinity's PreFilter)."""
        names: frozenset[str] = frozenset()
        for term in self.spec.node_affinity or ():
            told = _names(term)
            if told is None:
                return None
            names |= told
        return names if self.spec.node_affinity else None

    def tolerates(self, node: Node) -> bool:
        """Every NoSchedule and NoExecute taint is tolerated; for how long does not matter."""
        taints = node.taints
        if taints not in self._tolerated:
            blocking = [taint for taint in taints if taint.effect in ("NoSchedule", "NoExecute")]
            self._tolerated[taints] = all(any(t.tolerates(taint) for t in self.spec.tolerations) for taint in blocking)
        return self._tolerated[taints]

    def selected(self, node: Node) -> bool:
        """``nodeSelector`` and required node affinity (``GetRequiredNodeAffinity``)."""
        labels = self.books.labels[node.ref.name]
        if any(labels.get(key) != value for key, value in self.spec.node_selector):
            return False
        terms = self.spec.node_affinity
        return terms is None or any(term.matches(labels, node.ref.name) for term in terms)

    @cached_property
    def repelled_from(self) -> Counter[Domain]:
        """Domains with bound pods whose required anti-affinity speaks of this pod."""
        found: Counter[Domain] = Counter()
        for term, values in self.books.apart.items():
            if term.matches(self.namespace, self.labels):
                found.update({(term.topology_key, value): count for value, count in values.items() if count > 0})
        return found

    @cached_property
    def avoided(self) -> Counter[Domain]:
        """Domains with bound pods that a required anti-affinity term of this pod speaks of."""
        found: Counter[Domain] = Counter()
        for term in self.anti_affinity:
            found.update(self._domains((term,), term.topology_key))
        return found

    @cached_property
    def attracted_to(self) -> Counter[Domain]:
        """Domains with bound pods that match all required affinity terms of this pod at once."""
        found: Counter[Domain] = Counter()
        for key in {term.topology_key for term in self.affinity}:
            found.update(self._domains(self.affinity, key))
        return found

    def _domains(self, terms: tuple[PodTerm, ...], key: str) -> Counter[Domain]:
        found: Counter[Domain] = Counter()
        for (namespace, told), crowd in self.books.crowds.items():
            if all(term.matches(namespace, mapped(told)) for term in terms):
                for node, count in crowd.items():
                    value = self.books.labels[node].get(key)
                    if value is not None and count:
                        found[key, value] += count
        return found

    def takes_part(self, constraint: SpreadConstraint, node: Node) -> bool:
        """Whether the node counts for the constraint: it has every key of the pod's hard constraints, and both policies let it."""
        labels = self.books.labels[node.ref.name]
        if any(c.topology_key not in labels for c in self.spec.spread):
            return False
        return not (constraint.honor_affinity and not self.selected(node)) and not (constraint.honor_taints and not self.tolerates(node))

    @cached_property
    def spread(self) -> tuple[dict[str, int], ...]:
        """For each hard constraint, domain value to the number of pods that count there; only domains that take part are in it.

        Nobody is counted for an empty selector, nor terminating pods, nor other namespaces (``countPodsMatchSelector``).
        """
        return tuple(self._spread(constraint) for constraint in self.spec.spread)

    def _spread(self, constraint: SpreadConstraint) -> dict[str, int]:
        domain = {
            name: self.books.labels[name][constraint.topology_key]
            for name, node in self.books.nodes.items()
            if self.takes_part(constraint, node)
        }
        counts = dict.fromkeys(domain.values(), 0)
        selector = constraint.selector
        if selector is None or not (selector.labels or selector.expressions):
            return counts
        for profile, crowd in self.books.crowds.items():
            if profile[0] != self.namespace or not selector.matches(mapped(profile[1])):
                continue
            leaving = self.books.leaving.get(profile, Counter())
            for node, count in crowd.items():
                if node in domain:
                    counts[domain[node]] += count - leaving[node]
        return counts


def _names(term: NodeSelectorTerm) -> frozenset[str] | None:
    found: frozenset[str] | None = None
    for field in term.fields:
        if field.key == "metadata.name" and field.operator == "In":
            found = frozenset(field.values) if found is None else found & frozenset(field.values)
    return found
