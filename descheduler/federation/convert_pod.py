"""Raw pods as domain pods, part by part: what cannot be read makes the pod opaque, never the run fail."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from sys import intern as intern_text
from typing import Any

from descheduler.domain.marks import PIN
from descheduler.domain.objects import Pod, PodRef, PodSpec
from descheduler.domain.selectors import HostPort, NodeSelectorTerm, Pairs, SpreadConstraint
from descheduler.federation import convert_selectors as selectors
from descheduler.federation.convert_ports import host_ports
from descheduler.federation.convert_volumes import NO_MOUNTS, ClaimUse, Mounts, mounts
from descheduler.federation.fields import NOTHING, Attempts, mapping, moment, name, objects, sorted_pairs, text, whole
from descheduler.federation.interning import Interner
from descheduler.federation.metadata import MIRROR, Place, controlling_owner, known_annotations
from descheduler.federation.opaque import unmodelled
from descheduler.federation.requests import NO_SIZE, Size, effective_requests, resize_infeasible

HOSTNAME = "kubernetes.io/hostname"
FINISHED = frozenset({"Succeeded", "Failed"})
_AFFINITY = f"spec.affinity.podAffinity.{selectors.REQUIRED}"
_ANTI_AFFINITY = f"spec.affinity.podAntiAffinity.{selectors.REQUIRED}"
_NODE_AFFINITY = f"spec.affinity.nodeAffinity.{selectors.REQUIRED}"


@dataclass(frozen=True, slots=True)
class PodDraft:
    """A pod that still needs objects which may be read after it."""

    pod: Pod
    near: tuple[selectors.ScopedTerm, ...] = ()
    """Of its required affinity."""
    apart: tuple[selectors.ScopedTerm, ...] = ()
    """Of its required anti-affinity."""
    runtime_class: str = ""
    claims: tuple[ClaimUse, ...] = ()
    inline: tuple[str, ...] = ()
    """CSI drivers towards whose attach limit its volumes without a claim count."""
    own_constraints: bool = False
    """Whether it has topology spread constraints of any kind."""

    @property
    def complete(self) -> bool:
        return not (self.near or self.apart or self.runtime_class or self.claims or self.inline)


def finished(raw: Mapping[str, Any]) -> bool:
    """Whether the pod has run to its end: the scheduler does not see it any more."""
    status = raw.get("status")
    return isinstance(status, dict) and isinstance(status.get("phase"), str) and status["phase"] in FINISHED


def read_pod(raw: Mapping[str, Any], place: Place, cluster: str, interner: Interner) -> tuple[PodDraft, tuple[str, ...]]:
    """The pod, and what was odd about it. A bound pod whose size is in doubt has ``spec.size_known`` False."""
    attempt = Attempts()
    meta = attempt(mapping, raw.get("metadata"), "metadata", NOTHING)
    body = attempt(mapping, raw.get("spec"), "spec", NOTHING, closes=True)
    status = attempt(mapping, raw.get("status"), "status", NOTHING, closes=True)
    labels = interner(attempt(sorted_pairs, meta.get("labels"), "metadata.labels", (), closes=True))
    notes = interner(attempt(known_annotations, meta.get("annotations"), "metadata.annotations", ()))
    node = attempt(name, body.get("nodeName"), "spec.nodeName", "") or None
    spec, near, apart = _spec(raw, body, place.namespace, labels, dict(notes).get(PIN), attempt, interner)
    terminating = meta.get("deletionTimestamp") is not None
    waiting = node is None and not terminating
    conditions = attempt(_conditions, status.get("conditions"), "status.conditions", NOTHING)
    created = attempt(moment, meta.get("creationTimestamp"), "metadata.creationTimestamp", None)
    since, message = _waits_since(conditions.get("PodScheduled", NOTHING), created, attempt) if waiting else (None, "")
    owner = attempt(controlling_owner, meta.get("ownerReferences"), "metadata.ownerReferences", None)
    mirror = attempt(mapping, meta.get("annotations"), "metadata.annotations", NOTHING).get(MIRROR) is not None
    mounted: Mounts = attempt(lambda value, at: mounts(value, at, place.name), body.get("volumes"), "spec.volumes", NO_MOUNTS, closes=True)
    pod = Pod(
        ref=PodRef(cluster, intern_text(place.namespace), place.name),
        uid=place.uid,
        spec=spec,
        labels=labels,
        annotations=notes,
        volumes=interner(mounted.volumes),
        node=intern_text(node) if node else None,
        phase=intern_text(attempt(text, status.get("phase"), "status.phase", "") or "Pending"),
        ready=conditions.get("Ready", NOTHING).get("status") == "True",
        terminating=terminating,
        created=created,
        waiting_since=since,
        scheduler_message=interner(message),
        priority=attempt(whole, body.get("priority"), "spec.priority", None) or 0,
        gates=interner(attempt(selectors.gates, body.get("schedulingGates"), "spec.schedulingGates", ())),
        nominated_node=attempt(name, status.get("nominatedNodeName"), "status.nominatedNodeName", "") or None,
        owner=interner(owner),
        static=mirror or (owner is not None and owner.kind == "Node"),
    )
    runtime_class = attempt(text, body.get("runtimeClassName"), "spec.runtimeClassName", "")
    own = bool(body.get("topologySpreadConstraints"))
    draft = PodDraft(_doubted(pod, attempt, interner), near, apart, runtime_class, mounted.claims, mounted.inline, own)
    return draft, tuple(dict.fromkeys(attempt.oddities))


def _waits_since(scheduled: Mapping[str, Any], created: datetime | None, attempt: Attempts) -> tuple[datetime | None, str]:
    """Since when the scheduler has said no, and how it said it; since creation while it has not."""
    if scheduled.get("status") != "False":
        return created, ""
    since = attempt(moment, scheduled.get("lastTransitionTime"), "status.conditions[].lastTransitionTime", None)
    return since or created, attempt(text, scheduled.get("message"), "status.conditions[].message", "")


def _doubted(pod: Pod, attempt: Attempts, interner: Interner) -> Pod:
    """The pod, made opaque by whatever could not be read."""
    if not attempt.oddities:
        return pod
    spec = replace(pod.spec, opaque=attempt.oddities[0], size_known=not attempt.closing)
    return replace(pod, spec=interner(spec))


def _conditions(value: object, field: str) -> dict[str, Mapping[str, Any]]:
    return {text(condition.get("type"), f"{field}[].type"): condition for condition in objects(value, field)}


def _spec(
    raw: Mapping[str, Any], body: Mapping[str, Any], namespace: str, labels: Pairs, pin: str | None, attempt: Attempts, interner: Interner
) -> tuple[PodSpec, tuple[selectors.ScopedTerm, ...], tuple[selectors.ScopedTerm, ...]]:
    bound = bool(body.get("nodeName"))
    if not isinstance(raw.get("spec"), dict) and not attempt.oddities:
        attempt.oddities.append("spec: missing")
        attempt.closing = True
    size: Size = attempt(lambda pod, _: interner.sizes(pod, scheduled=bound), raw, "spec", NO_SIZE, closes=True)
    selector: Pairs = attempt(sorted_pairs, body.get("nodeSelector"), "spec.nodeSelector", ())
    if pin is not None and bound:  # a pod that waits cannot lose its pin, so kube-scheduler will never put it elsewhere
        selector = tuple(pair for pair in selector if pair != (HOSTNAME, pin))
    terms: tuple[NodeSelectorTerm, ...] | None = None
    near: selectors.Terms = ((), ())
    apart: selectors.Terms = ((), ())
    if body.get("affinity") is not None:
        terms, near, apart = _affinity(body["affinity"], namespace, labels, attempt)
    spread: tuple[SpreadConstraint, ...] = ()
    if body.get("topologySpreadConstraints"):
        field = "spec.topologySpreadConstraints"
        spread = attempt(lambda value, at: selectors.spread(value, at, dict(labels)), body[field[5:]], field, ())
    ports: tuple[HostPort, ...] = attempt(lambda value, _: host_ports(value), body, "spec", (), closes=True)
    deadline = attempt(whole, body.get("activeDeadlineSeconds"), "spec.activeDeadlineSeconds", None)
    spec = PodSpec(
        requests=interner.resources(size.requests),
        limits=interner.resources(size.limits),
        node_selector=interner(selector),
        node_affinity=interner(terms),
        tolerations=interner(attempt(selectors.tolerations, body.get("tolerations"), "spec.tolerations", ())),
        host_ports=interner(ports),
        affinity=interner(near[0]),
        anti_affinity=interner(apart[0]),
        spread=interner(spread),
        scheduler=intern_text(attempt(name, body.get("schedulerName"), "spec.schedulerName", "") or "default-scheduler"),
        priority_class=intern_text(attempt(name, body.get("priorityClassName"), "spec.priorityClassName", "")),
        best_effort=size.best_effort,
        terminating_scope=deadline is not None and deadline >= 0,
        cross_namespace_affinity=attempt(selectors.names_namespaces, body.get("affinity"), "spec.affinity", True),
        opaque=attempt(lambda value, _: unmodelled(value), body, "spec", None) or _never_given(raw, bound, size.requests, attempt),
    )
    return interner(spec), near[1], apart[1]


def _never_given(raw: Mapping[str, Any], bound: bool, amounts: Mapping[str, int], attempt: Attempts) -> str | None:
    """A refused resize counts with what runs, but a pod that nobody makes from a template would be made with what was refused."""
    if not bound or not attempt(lambda pod, _: resize_infeasible(pod), raw, "status", False):
        return None
    owners = attempt(mapping, raw.get("metadata"), "metadata", NOTHING).get("ownerReferences")
    if attempt(controlling_owner, owners, "metadata.ownerReferences", None) is not None:
        return None
    asked: Mapping[str, int] = attempt(lambda pod, _: effective_requests(pod, scheduled=False), raw, "spec", NOTHING)
    return "status.conditions[].type PodResizePending" if any(asked[name] > amounts.get(name, 0) for name in asked) else None


def _affinity(
    value: object, namespace: str, labels: Pairs, attempt: Attempts
) -> tuple[tuple[NodeSelectorTerm, ...] | None, selectors.Terms, selectors.Terms]:
    """Node affinity, pod affinity, and the anti-affinity that everyone else must respect: unreadable, it closes the pod's node."""

    def terms_of(value: object, field: str) -> selectors.Terms:
        return selectors.pod_terms(value, field, namespace, dict(labels))

    none: selectors.Terms = ((), ())
    affinity = attempt(mapping, value, "spec.affinity", NOTHING, closes=True)
    nodes = attempt(mapping, affinity.get("nodeAffinity"), "spec.affinity.nodeAffinity", NOTHING)
    to_nodes = attempt(selectors.node_terms, nodes.get(selectors.REQUIRED), _NODE_AFFINITY, None)
    near = attempt(mapping, affinity.get("podAffinity"), "spec.affinity.podAffinity", NOTHING)
    to_pods = attempt(terms_of, near.get(selectors.REQUIRED), _AFFINITY, none)
    apart = attempt(mapping, affinity.get("podAntiAffinity"), "spec.affinity.podAntiAffinity", NOTHING, closes=True)
    from_pods = attempt(terms_of, apart.get(selectors.REQUIRED), _ANTI_AFFINITY, none, closes=True)
    return to_nodes, to_pods, from_pods
