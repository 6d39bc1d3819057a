"""Movers: the techniques of a move, what each costs and when it applies (DESIGN.md section 8, kubernetes.md section 1).

Nobody asks for a mover by name: what matters about one is in its row. To add one: its function and its row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from descheduler.domain.marks import DELETION_COST, MINIMAL_COST
from descheduler.domain.moment import Techniques
from descheduler.domain.objects import Workload
from descheduler.domain.plan import Mover
from descheduler.rules.subject import Subject, annotation

_COST = re.compile(r"-[0-9]{1,20}|0|[1-9][0-9]{0,20}", re.ASCII)


def deletion_cost(text: str | None) -> int:
    """The pod's deletion cost; 0 when absent or not an int32, as the ReplicaSet controller reads it (no ``+5``, no ``05``)."""
    cost = int(text) if text is not None and _COST.fullmatch(text) else 0
    return cost if MINIMAL_COST <= cost < 2**31 else 0


def _two_at_once(chain: tuple[Workload, ...], controllers: frozenset[str], kind: str | None) -> str | None:
    """Why the pod's ReplicaSet may not have one pod more for a while."""
    if kind != "ReplicaSet":
        return "it has no ReplicaSet"
    if not chain or chain[0].kind != "ReplicaSet":
        return "its ReplicaSet is not in the snapshot"
    if chain[0].owner is None:
        return None if "ReplicaSet" in controllers else "its ReplicaSet has no Deployment"
    if len(chain) < 2 or chain[1].kind != "Deployment":
        return "its Deployment is not in the snapshot"
    deployment = chain[1]
    if deployment.strategy != "RollingUpdate":
        return f"Deployment {deployment.name} has strategy {deployment.strategy or 'unknown'}"
    if deployment.max_surge < 1:
        return f"Deployment {deployment.name} has maxSurge 0"
    return f"Deployment {deployment.name} is rolling out" if deployment.rolling else None


def _claims(subject: Subject) -> str | None:
    """Why two pods of its kind cannot have their volumes at once."""
    lone = next((v for v in subject.pod.volumes if v.kind == "persistentVolumeClaim" and not v.shared), None)
    return f"its claim {lone.claim or lone.name} is for one node at a time" if lone else None


def _grows(subject: Subject) -> str | None:
    """Why the pod that its controller would make needs more room than was planned for it.

    DESIGN.md section 8 plans with the larger of pod and template; until a class can have two sizes such a pod stays where it is.
    """
    for controller in subject.chain[:1]:
        for resource, amount in controller.template.items():
            if amount > subject.pod.spec.requests.get(resource, 0):
                return f"the template of {controller.kind} {controller.name} asks for more {resource} than it does"
    return None


def surge(subject: Subject) -> str | None:
    reason = _two_at_once(subject.chain, subject.settings.controllers, subject.owner_kind) or _claims(subject) or _grows(subject)
    if reason is not None:
        return reason
    name, replicas = subject.chain[0].name, subject.replicas
    if replicas is None or replicas.ready < replicas.total or replicas.total != subject.chain[0].replicas:
        return f"not every replica of {name} is Ready"
    itself = deletion_cost(annotation(subject.pod.annotations, DELETION_COST)) == MINIMAL_COST
    if replicas.at_minimal_cost > itself:
        return f"another replica of {name} carries the minimal deletion cost"
    return None


def reserved(subject: Subject) -> str | None:
    """Whether a waiting pod can be given its node by a surge copy (kubernetes.md 1.6); its not being Ready is the point."""
    made_anew = next((f"its ephemeral volume {v.name} would be made anew" for v in subject.pod.volumes if v.kind == "ephemeral"), None)
    return _two_at_once(subject.chain, subject.settings.controllers, subject.owner_kind) or made_anew or _grows(subject)


def _disruption(subject: Subject) -> str | None:
    if len(subject.budgets) > 1:
        return "it is under two PodDisruptionBudgets"
    if any(budget.allowed < 1 for budget in subject.budgets):
        return f"PodDisruptionBudget {subject.budgets[0].name} allows no disruption now"
    return None


def hold(subject: Subject) -> str | None:
    if subject.cluster_movers is None or Mover.HOLD not in subject.cluster_movers:
        return "Hold is not installed in the cluster"
    if subject.owner_kind is None:
        return "it has no controller"
    return _grows(subject) or _disruption(subject)


def evict(subject: Subject) -> str | None:
    if subject.owner_kind is None:
        return "it has no controller"
    return _grows(subject) or _disruption(subject)


def recreate(subject: Subject) -> str | None:
    if subject.owner_kind is not None:
        return "it has a controller"
    return _disruption(subject)


@dataclass(frozen=True, slots=True, kw_only=True)
class Technique:
    """One mover."""

    keeps_both: bool
    """Old and new run side by side for a while."""
    spends_budget: bool
    """It takes one of ``disruptionsAllowed``."""
    steers: bool
    """The successor can land on the planned node only."""
    waits: bool
    """It can leave in one wave and arrive in a later one."""
    reserves: bool
    """Room can be kept for it against other waiting pods while it is being made."""
    gap: str
    """How long the pod is missing, in words."""
    cost: int
    """For choosing between plans with equally many moves."""
    applies: Callable[[Subject], str | None]
    """Why it cannot be used for this pod."""


TECHNIQUES: Mapping[Mover, Technique] = {
    Mover.SURGE: Technique(
        keeps_both=True, spends_budget=False, steers=True, waits=False, reserves=True, gap="none", cost=1, applies=surge
    ),
    Mover.HOLD: Technique(
        keeps_both=False, spends_budget=True, steers=True, waits=True, reserves=False, gap="start-up", cost=3, applies=hold
    ),
    Mover.EVICT: Technique(
        keeps_both=False, spends_budget=True, steers=False, waits=False, reserves=False, gap="start-up", cost=4, applies=evict
    ),
    Mover.RECREATE: Technique(
        keeps_both=False, spends_budget=True, steers=True, waits=False, reserves=False, gap="start-up", cost=6, applies=recreate
    ),
}

KEEPS_BOTH: Mapping[str, bool] = {mover: technique.keeps_both for mover, technique in TECHNIQUES.items()}
SPENDS_BUDGET: Mapping[str, bool] = {mover: technique.spends_budget for mover, technique in TECHNIQUES.items()}
STEERS: Mapping[str, bool] = {mover: technique.steers for mover, technique in TECHNIQUES.items()}
BY_MOVER = Techniques(KEEPS_BOTH, SPENDS_BUDGET, STEERS)


def movers_for(subject: Subject) -> tuple[tuple[Mover, ...], str]:
    """The movers that apply, the policy's order kept, and why the others do not."""
    found: list[Mover] = []
    reasons: list[str] = []
    for name in subject.policy_movers:
        mover = Mover(name)
        missing = subject.cluster_movers is not None and name not in subject.cluster_movers
        reason = "not found in the cluster" if missing else TECHNIQUES[mover].applies(subject)
        if reason is None:
            found.append(mover)
        else:
            reasons.append(f"{name}: {reason}")
    return tuple(found), "; ".join(reasons) or ("" if found else "the policy allows no mover")
