"""Rules between pods: on nodes that nothing else shuts to a pod, whom its ports, claims, affinity and spread run into."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from descheduler.domain.explanation import Neighbours
from descheduler.domain.objects import Cluster, Node, Pod
from descheduler.domain.resources import Resources
from descheduler.domain.selectors import PodTerm
from descheduler.explain.nodes import shut
from descheduler.rules.scene import Objection, Scene, words

BETWEEN_PODS = ("NodePorts", "VolumeRestrictions", "PodTopologySpread", "InterPodAffinity")
Domain = tuple[str, str]
"""Topology key and value."""


def neighbours(scene: Scene, pod: Pod, cluster: Cluster) -> tuple[Neighbours, ...]:
    """Nodes by the rule and the pods it points at; room is left out of account. The largest group first."""
    modest = replace(pod, spec=replace(pod.spec, requests=Resources()), waits_for_claim=None)
    found: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    pointed: _Pointed | None = None
    for name, node in scene.nodes.items():
        objection = None if shut(pod, node) else scene.verdict(modest, name)
        if objection is not None and objection.plugin in BETWEEN_PODS:
            pointed = pointed or _Pointed(scene, pod, cluster)
            pods = tuple(sorted({str(other.ref) for other in pointed.at(objection.reasons[0], node)}))
            found.setdefault((objection.reasons[0], _detail(objection, pod, node), pods), []).append(name)
    told = [Neighbours(reason=r, detail=d, pods=pods, nodes=tuple(sorted(names))) for (r, d, pods), names in found.items()]
    return tuple(sorted(told, key=lambda n: (-len(n.nodes), n.reason, n.nodes)))


class _Pointed:
    """Whom the rules of a pod, or those of others, point at; bound pods are looked through once."""

    def __init__(self, scene: Scene, pod: Pod, cluster: Cluster) -> None:
        self._scene, self._pod = scene, pod
        others = [p for p in cluster.pods if p.uid != pod.uid]
        self._bound = [p for p in others if p.node in scene.nodes]
        self._nominated = [p for p in others if p.node is None and p.nominated_node is not None]
        self._shunning = tuple(term.of_newcomer for term in pod.spec.anti_affinity)
        self._avoided = self._by_domain((p, term) for p in self._bound for term in self._shunning if _speaks_of(term, p))
        self._repelling = self._by_domain((p, term) for p in self._bound for term in p.spec.anti_affinity if _speaks_of(term, pod))

    def at(self, reason: str, node: Node) -> Iterator[Pod]:
        """The pods that the reason means on this node."""
        spec, guests = self._pod.spec, [p for p in self._nominated if p.nominated_node == node.ref.name]
        if reason == words.PORTS:
            here = [*self._scene.on(node.ref.name), *guests]
            yield from (p for p in here if any(mine.conflicts(theirs) for mine in spec.host_ports for theirs in p.spec.host_ports))
        elif reason == words.CLAIM_IN_USE:
            yield from (p for p in self._bound if set(spec.exclusive_claims) & set(p.spec.exclusive_claims))
        elif reason == words.POD_ANTI_AFFINITY:
            yield from (p for domain in node.labels for p in self._avoided.get(domain, ()))
            yield from (p for p in guests if any(_speaks_of(term, p) for term in self._shunning))
        elif reason == words.EXISTING_ANTI_AFFINITY:
            yield from (p for domain in node.labels for p in self._repelling.get(domain, ()))
            yield from (p for p in guests if any(_speaks_of(term, self._pod) for term in p.spec.anti_affinity))

    def _by_domain(self, pairs: Iterable[tuple[Pod, PodTerm]]) -> dict[Domain, list[Pod]]:
        found: dict[Domain, list[Pod]] = {}
        for pod, term in pairs:
            value = dict(self._scene.nodes[pod.node or ""].labels).get(term.topology_key)
            if value is not None:
                found.setdefault((term.topology_key, value), []).append(pod)
        return found


def _speaks_of(term: PodTerm, pod: Pod) -> bool:
    return term.matches(pod.ref.namespace, dict(pod.labels))


def _detail(objection: Objection, pod: Pod, node: Node) -> str:
    labels = dict(node.labels)
    if objection.plugin == "PodTopologySpread":
        return ", ".join(f"{c.topology_key}={labels[c.topology_key]}" for c in pod.spec.spread if c.topology_key in labels)
    return "nobody there whom it wants to be near" if objection.reasons[0] == words.POD_AFFINITY else ""
