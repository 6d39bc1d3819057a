"""What surrounds a pod in its cluster: controllers, budgets, siblings, annotations."""

from __future__ import annotations

from descheduler.domain.marks import DELETION_COST, MINIMAL_COST
from descheduler.domain.objects import Cluster, Node, Pod, Workload
from descheduler.domain.selectors import LabelSelector, Pairs
from descheduler.rules.movers import deletion_cost
from descheduler.rules.subject import Replicas, annotation


class Surroundings:
    """Look-ups over one cluster, made once."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.nodes: dict[str, Node] = {node.ref.name: node for node in cluster.nodes}
        self._workloads = {(w.namespace, w.kind, w.name): w for w in cluster.workloads}
        self._namespaces = {n.name: n.annotations for n in cluster.namespaces}
        self._budgets: dict[str, dict[tuple[str, str] | None, list[tuple[int, LabelSelector]]]] = {}
        """Namespace to the first label of a selector (``None``: it spells out none) to the budgets that have one."""
        for index, budget in enumerate(cluster.budgets):
            if budget.selector is not None:
                pair = next(iter(budget.selector.labels), None)
                self._budgets.setdefault(budget.namespace, {}).setdefault(pair, []).append((index, budget.selector))
        self._covering: dict[tuple[str, Pairs], tuple[int, ...]] = {}
        self._chains: dict[tuple[str, str, str], tuple[Workload, ...]] = {}
        self._replicas: dict[tuple[str, str, str], Replicas] = {}
        for pod in cluster.pods:
            self._count(pod)

    def _count(self, pod: Pod) -> None:
        """A terminating pod is no replica any more, but while it is there the ReplicaSet is not at rest: it counts as not Ready."""
        if pod.owner is None or pod.owner.kind != "ReplicaSet":
            return
        key = (pod.ref.namespace, pod.owner.kind, pod.owner.name)
        was = self._replicas.get(key, Replicas(total=0, ready=0, at_minimal_cost=0))
        minimal = deletion_cost(annotation(pod.annotations, DELETION_COST)) == MINIMAL_COST
        ready = was.ready + (pod.node is not None and pod.ready and not pod.terminating)
        self._replicas[key] = Replicas(total=was.total + 1, ready=ready, at_minimal_cost=was.at_minimal_cost + minimal)

    def replicas(self, pod: Pod) -> Replicas | None:
        """The live pods of its ReplicaSet."""
        return self._replicas.get((pod.ref.namespace, pod.owner.kind, pod.owner.name)) if pod.owner else None

    def chain(self, pod: Pod) -> tuple[Workload, ...]:
        """The controllers found, nearest first. An owner with another UID is another object."""
        if pod.owner is None:
            return ()
        key = (pod.ref.namespace, pod.owner.kind, pod.owner.name)
        if key not in self._chains:
            self._chains[key] = tuple(self._climb(pod))
        chain = self._chains[key]
        if chain and chain[0].uid and pod.owner.uid and chain[0].uid != pod.owner.uid:
            return ()
        return chain

    def _climb(self, pod: Pod) -> list[Workload]:
        found: list[Workload] = []
        owner = pod.owner
        while owner is not None and len(found) < 8:  # a ring of owners is nonsense, but nonsense occurs
            workload = self._workloads.get((pod.ref.namespace, owner.kind, owner.name))
            if workload is None or (found and owner.uid and workload.uid and owner.uid != workload.uid):
                break
            found.append(workload)
            owner = workload.owner
        return found

    def top(self, pod: Pod) -> tuple[str, str] | None:
        """(kind, name) of the topmost controller reachable; the pod's own owner when none of it is in the snapshot."""
        chain = self.chain(pod)
        if chain:
            return chain[-1].kind, chain[-1].name
        return (pod.owner.kind, pod.owner.name) if pod.owner else None

    def covering(self, pod: Pod) -> tuple[int, ...]:
        """Indices of the cluster's budgets that select the pod."""
        key = (pod.ref.namespace, pod.labels)
        if key not in self._covering:
            labels, here = dict(pod.labels), self._budgets.get(pod.ref.namespace, {})
            asked = (found for pair in (None, *pod.labels) for found in here.get(pair, ()))
            self._covering[key] = tuple(sorted(i for i, selector in asked if selector.matches(labels)))
        return self._covering[key]

    def namespace_annotations(self, pod: Pod) -> Pairs:
        return self._namespaces.get(pod.ref.namespace, ())
