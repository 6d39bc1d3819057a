"""One pod with its surroundings, for the rules that ask about a single pod."""

from __future__ import annotations

from typing import Any

from descheduler.domain.objects import Budget, Namespace, Node, Pod, Workload
from descheduler.domain.selectors import Pairs
from descheduler.rules.subject import ProtectionSettings, Replicas, Subject
from tests.builders import NOW, a_cluster, a_node


def a_subject(
    pod: Pod,
    *,
    node: Node | None = None,
    on_a_lost_node: bool = False,
    chain: tuple[Workload, ...] | None = None,
    budgets: tuple[Budget, ...] = (),
    namespace: Namespace | None = None,
    replicas: Replicas | None = None,
    in_scope: bool = True,
    movers: tuple[str, ...] = ("Surge", "Hold", "Evict", "Recreate"),
    found: tuple[str, ...] | None = ("Surge", "Hold", "Evict", "Recreate"),
    **settings: Any,
) -> Subject:
    """A pod on a Ready node under the controllers its builder named, alone and Ready in its ReplicaSet; ``settings`` are the policy's."""
    return Subject(
        pod=pod,
        now=NOW,
        settings=ProtectionSettings(**settings),
        in_scope=in_scope,
        node=None if on_a_lost_node or pod.node is None else node or a_node(pod.node),
        chain=_chain(pod) if chain is None else chain,
        budgets=budgets,
        namespace_annotations=_annotations(namespace),
        replicas=replicas or (Replicas(total=1, ready=1, at_minimal_cost=0) if pod.owner else None),
        policy_movers=movers,
        cluster_movers=found,
    )


def _annotations(namespace: Namespace | None) -> Pairs:
    return namespace.annotations if namespace else ()


def _chain(pod: Pod) -> tuple[Workload, ...]:
    """The controllers that ``a_cluster`` makes for the pod, nearest first."""
    made = {(w.kind, w.name): w for w in a_cluster(pod.ref.cluster, pod).workloads}
    found: list[Workload] = []
    owner = pod.owner
    while owner is not None and (owner.kind, owner.name) in made:
        found.append(made[owner.kind, owner.name])
        owner = found[-1].owner
    return tuple(found)
