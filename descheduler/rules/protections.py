"""Protections: why a running pod may not be moved, whoever gains. The first objection is the reason reported.

To add one: the function and its line in ``PROTECTIONS``, in the order an operator would want to hear them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from descheduler.domain.durations import format_duration
from descheduler.domain.selectors import Pairs
from descheduler.rules.subject import Subject, annotation

DO_NOT_DISRUPT = "fleet.descheduler.io/do-not-disrupt"
KARPENTER = "karpenter.sh/do-not-disrupt"
SAFE_TO_EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
SAFE_VOLUMES = "cluster-autoscaler.kubernetes.io/safe-to-evict-local-volumes"
DESCHEDULER = "descheduler.alpha.kubernetes.io/"
MAY_EVICT = f"{DESCHEDULER}evict"
"""The one annotation of kubernetes-sigs' descheduler that asks for an eviction instead of forbidding it."""


def scope(subject: Subject) -> str | None:
    return None if subject.in_scope else "outside the policy's scope"


def terminating(subject: Subject) -> str | None:
    return "is terminating" if subject.pod.terminating else None


def static(subject: Subject) -> str | None:
    return "is a static pod" if subject.pod.static else None


def daemon(subject: Subject) -> str | None:
    return f"belongs to DaemonSet {subject.pod.owner.name}" if subject.pod.owner and subject.pod.daemon else None


def opaque(subject: Subject) -> str | None:
    return f"uses {subject.pod.spec.opaque}, which is not modelled" if subject.pod.spec.opaque else None


def responsible(subject: Subject) -> str | None:
    """Another scheduler would bind its successor; whether it fits is not ours to say."""
    name = subject.pod.spec.scheduler
    return None if name in subject.schedulers else f"is scheduled by {name}"


def running(subject: Subject) -> str | None:
    return None if subject.pod.phase == "Running" else f"is {subject.pod.phase or 'of unknown phase'}, not Running"


def reachable(subject: Subject) -> str | None:
    """A pod on a lost node cannot be told to stop, so its successor could run beside it."""
    if subject.node is None:
        return "its node is not in the snapshot"
    return None if subject.node.ready else f"its node {subject.node.ref.name} is not Ready"


def _objections(where: str, pairs: Pairs) -> Iterator[str]:
    for key in (DO_NOT_DISRUPT, KARPENTER):
        value = annotation(pairs, key)
        if value is not None and value.lower() != "false":
            yield f"{where} is annotated {key}"
    if annotation(pairs, SAFE_TO_EVICT) == "false":
        yield f'{where} is annotated {SAFE_TO_EVICT}: "false"'
    for key, _ in pairs:
        if key.startswith(DESCHEDULER) and key != MAY_EVICT:
            yield f"{where} is annotated {key}"


def do_not_disrupt(subject: Subject) -> str | None:
    """The opt-outs of DESIGN.md section 5, on pod, workload, Namespace and Node."""
    places: list[tuple[str, Pairs]] = [("the pod", subject.pod.annotations)]
    places += [(f"{w.kind} {w.name}", w.annotations) for w in subject.chain]
    places.append((f"Namespace {subject.pod.ref.namespace}", subject.namespace_annotations))
    if subject.node is not None:
        places.append((f"Node {subject.node.ref.name}", subject.node.annotations))
    return next((objection for where, pairs in places for objection in _objections(where, pairs)), None)


def controllers(subject: Subject) -> str | None:
    """Bare pods, Jobs, StatefulSets and unknown controllers; ReplicaSets, alone or under a Deployment, are fine."""
    settings, kind = subject.settings, subject.owner_kind
    if kind is None:
        return "has no controller" if settings.bare_pods else None
    if kind == "Job":
        if settings.jobs:
            return f"belongs to Job {subject.pod.owner.name if subject.pod.owner else ''}"
        if not (subject.chain and subject.chain[0].ignores_disruption):
            return "its Job's podFailurePolicy does not ignore DisruptionTarget"
        return None
    if kind == "StatefulSet":
        return "belongs to a StatefulSet" if settings.stateful_sets else None
    kinds = [kind, *(w.kind for w in subject.chain), *(w.owner.kind for w in subject.chain if w.owner)]
    strangers = [k for k in kinds if k not in ("ReplicaSet", "Deployment") and k not in settings.controllers]
    return f"is controlled by a {strangers[0]}" if strangers else None


def min_pod_age(subject: Subject) -> str | None:
    if not subject.settings.min_pod_age:
        return None
    if subject.pod.created is None:
        return "its age is unknown"
    young = subject.now - subject.pod.created < subject.settings.min_pod_age
    return f"is younger than protections.minPodAge ({format_duration(subject.settings.min_pod_age)})" if young else None


def local_storage(subject: Subject) -> str | None:
    """hostPath, or an emptyDir on disk that nobody declared safe."""
    if not subject.settings.local_storage:
        return None
    declared = annotation(subject.pod.annotations, SAFE_VOLUMES) or ""
    safe = {name.strip() for name in declared.split(",")} | subject.settings.volumes_allowed
    for volume in subject.pod.volumes:
        if volume.kind == "hostPath" or (volume.kind == "emptyDir" and volume.name not in safe):
            return f"has local storage ({volume.kind} {volume.name})"
    return None


def persistent_volumes(subject: Subject) -> str | None:
    """By policy; an ephemeral volume always: its successor's claim does not exist yet, so nothing proves where that can be had."""
    if not subject.settings.persistent_volumes:
        made_anew = next((v for v in subject.pod.volumes if v.kind == "ephemeral"), None)
        return f"has an ephemeral volume ({made_anew.name})" if made_anew else None
    volume = next((v for v in subject.pod.volumes if v.kind in ("persistentVolumeClaim", "ephemeral")), None)
    return f"has a persistent volume ({volume.name})" if volume else None


def singletons(subject: Subject) -> str | None:
    if not subject.settings.singletons or not subject.chain:
        return None
    sized = next((w for w in reversed(subject.chain) if w.replicas is not None), None)
    return f"is the only replica of {sized.kind} {sized.name}" if sized and (sized.replicas or 0) <= 1 else None


def closed_budgets(subject: Subject) -> str | None:
    """A budget that can never allow a disruption says "leave it alone", to a surge too."""
    if not subject.settings.closed_budgets:
        return None
    closed = next((b for b in subject.budgets if b.never), None)
    return f"PodDisruptionBudget {closed.name} never allows a disruption" if closed else None


Protection = Callable[[Subject], str | None]

PROTECTIONS: dict[str, Protection] = {
    "Scope": scope,
    "Terminating": terminating,
    "Static": static,
    "DaemonSet": daemon,
    "Opaque": opaque,
    "Scheduler": responsible,
    "Node": reachable,
    "Phase": running,
    "DoNotDisrupt": do_not_disrupt,
    "Controllers": controllers,
    "MinPodAge": min_pod_age,
    "LocalStorage": local_storage,
    "PersistentVolumes": persistent_volumes,
    "Singletons": singletons,
    "ClosedBudgets": closed_budgets,
}


def protection(subject: Subject) -> str | None:
    """The first reason against moving the pod; ``None`` when there is none."""
    return next((reason for check in PROTECTIONS.values() if (reason := check(subject)) is not None), None)
