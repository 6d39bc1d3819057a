"""A pod that has a node: what protects it, how it could be moved, and who else could take it."""

from __future__ import annotations

from dataclasses import replace

from descheduler.diagnose.classes import Sorted
from descheduler.domain.explanation import Bound, Cover
from descheduler.domain.objects import Cluster, Pod
from descheduler.domain.plan import Mover
from descheduler.rules.movers import TECHNIQUES
from descheduler.rules.protections import PROTECTIONS
from descheduler.rules.scene import Scene
from descheduler.rules.subject import Subject


def bound(sorted_: Sorted, index: int, cluster: Cluster) -> tuple[Bound, Scene, Pod]:
    """The story, and the scene and the pod by which other nodes are to be judged.

    The best mover decides whether the pod itself is still there when its successor is judged.
    """
    pod, subject = sorted_.pods[index], sorted_.subject(index)
    movers, verdict = sorted_.classes[sorted_.class_of[index]].movers, sorted_.protected.get(index)
    protections = tuple((name, reason) for name, rule in PROTECTIONS.items() if (reason := rule(subject)) is not None)
    unsteered = "" if protections or verdict is None else verdict
    story = Bound(
        protections=protections,
        verdict=verdict,
        movers=tuple((str(mover), _why_not(mover, subject) or _astray(mover, movers, unsteered)) for mover in _ordered(subject)),
        budgets=tuple(Cover(name=b.name, healthy=b.healthy, desired=b.desired, allowed=b.allowed, never=b.never) for b in subject.budgets),
    )
    both = TECHNIQUES[movers[0]].keeps_both if movers else False
    scene = Scene(cluster.nodes, (p for p in cluster.pods if both or p.uid != pod.uid))
    return story, scene, replace(pod, uid="", node=None, nominated_node=None, terminating=False)


def _ordered(subject: Subject) -> tuple[Mover, ...]:
    return tuple(dict.fromkeys([*(Mover(name) for name in subject.policy_movers), *TECHNIQUES]))


def _why_not(mover: Mover, subject: Subject) -> str | None:
    if mover not in subject.policy_movers:
        return "the policy does not allow it"
    if subject.cluster_movers is not None and mover not in subject.cluster_movers:
        return "not found in the cluster"
    return TECHNIQUES[mover].applies(subject)


def _astray(mover: Mover, movers: tuple[Mover, ...], verdict: str) -> str | None:
    """Why a mover that applies is not used all the same: its successor could end where nobody wants it."""
    if movers:
        return None if mover in movers else "its successor could go to a node that is no destination"
    return verdict.rpartition(f"{mover}: ")[2] or None
