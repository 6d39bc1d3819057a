"""What can be said about pods, nodes and owners only when all objects of a cluster have been read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from descheduler.domain.objects import Node, OwnerRef, Pod, Workload
from descheduler.domain.selectors import PodTerm
from descheduler.federation.attach_limits import asked
from descheduler.federation.claims import Attached, Claims, Judged
from descheduler.federation.convert_pod import PodDraft
from descheduler.federation.convert_selectors import ScopedTerm, resolve
from descheduler.federation.interning import Interner


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """The objects a pod may need besides itself."""

    namespaces: Mapping[str, Mapping[str, str] | None]
    """The labels of every namespace that exists or holds a pod; None when there is no such object or it cannot be read."""
    runtime_classes: frozenset[str]
    claims: Claims


def complete_pod(draft: PodDraft, seen: Surroundings, interner: Interner) -> tuple[Pod, frozenset[Attached]]:
    """The pod with its namespace selectors resolved and its claims judged, and its CSI volumes.

    Opaque when an object it needs is not there.
    """
    if draft.complete:
        return draft.pod, frozenset()
    spec, opaque = draft.pod.spec, draft.pod.spec.opaque
    if draft.runtime_class and draft.runtime_class not in seen.runtime_classes:
        opaque = opaque or "spec.runtimeClassName: its RuntimeClass is missing"
    near, near_known = _resolved(draft.near, seen, unknown=False)
    apart, apart_known = _resolved(draft.apart, seen, unknown=True)
    for kind, known in (("podAffinity", near_known), ("podAntiAffinity", apart_known)):
        if not known:
            opaque = opaque or f"spec.affinity.{kind}: namespaceSelector needs a Namespace that is missing"
    affinity, anti_affinity = interner(spec.affinity + near), interner(spec.anti_affinity + apart)
    pod = replace(draft.pod, spec=interner(replace(spec, affinity=affinity, anti_affinity=anti_affinity, opaque=opaque)))
    if not draft.claims and not draft.inline:
        return pod, frozenset()
    judged = seen.claims.judge(draft)
    return _with_claims(pod, judged, seen.claims, interner), judged.attached


def _with_claims(pod: Pod, judged: Judged, claims: Claims, interner: Interner) -> Pod:
    spec = replace(
        pod.spec,
        requests=interner.resources({**pod.spec.requests, **asked(judged.attached, claims)}),
        node_demands=interner(judged.demands),
        exclusive_claims=interner(judged.exclusive),
        opaque=pod.spec.opaque or judged.opaque,
    )
    volumes = tuple(replace(volume, shared=True) if volume.claim in judged.shared else volume for volume in pod.volumes)
    return replace(pod, spec=interner(spec), volumes=interner(volumes), waits_for_claim=judged.waits if pod.waiting else None)


def _resolved(scoped: tuple[ScopedTerm, ...], seen: Surroundings, *, unknown: bool) -> tuple[tuple[PodTerm, ...], bool]:
    """The terms with their namespaces, and whether all labels they needed were known."""
    found = [resolve(term, seen.namespaces, unknown=unknown) for term in scoped]
    return tuple(term for term, _ in found), all(complete for _, complete in found)


def with_closed_nodes(nodes: Iterable[Node], pods: Iterable[Pod], nameless_on: Iterable[str]) -> tuple[Node, ...]:
    """A bound pod of unknown size, or one that cannot even be named, closes its node as a destination."""
    holds = dict.fromkeys(nameless_on, "holds a pod without a name")
    for pod in pods:
        if pod.node is not None and not pod.spec.size_known:
            holds.setdefault(pod.node, f"holds {pod.ref.namespace}/{pod.ref.name} whose size is unknown")
    return tuple(replace(node, closed=holds[node.ref.name]) if node.closed is None and node.ref.name in holds else node for node in nodes)


def pointed_to(candidates: Iterable[Workload], workloads: Iterable[Workload], pods: Iterable[Pod]) -> Sequence[Workload]:
    """Those candidates that control a pod or workload, directly or through one another."""
    by_uid: dict[str, Workload] = {}
    by_name: dict[tuple[str, str, str], Workload] = {}
    for candidate in candidates:
        by_uid[candidate.uid] = candidate
        by_name[candidate.kind, candidate.namespace, candidate.name] = candidate
    open_references: list[tuple[str, OwnerRef]] = [(pod.ref.namespace, pod.owner) for pod in pods if pod.owner is not None]
    open_references += [(workload.namespace, workload.owner) for workload in workloads if workload.owner is not None]
    found: dict[tuple[str, str, str], Workload] = {}
    while open_references:
        namespace, owner = open_references.pop()
        workload = by_uid.get(owner.uid) if owner.uid else by_name.get((owner.kind, namespace, owner.name))
        if workload is not None and (workload.kind, workload.namespace, workload.name) not in found:
            found[workload.kind, workload.namespace, workload.name] = workload
            if workload.owner is not None:
                open_references.append((workload.namespace, workload.owner))
    return list(found.values())
