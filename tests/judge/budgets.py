"""PodDisruptionBudgets: what each allows per wave, and which can never allow anything."""

from __future__ import annotations

from collections.abc import Iterator

from tests.judge.fleet import Cluster, Pod
from tests.judge.labels import selects
from tests.judge.moves import Step
from tests.judge.quantities import Body


def budgets_of(cluster: Cluster, pod: Pod) -> list[Body]:
    """The budgets that select the pod."""
    mine = [each for each in cluster.of("PodDisruptionBudget") if each["metadata"].get("namespace") == pod.namespace]
    return [each for each in mine if selects((each.get("spec") or {}).get("selector"), pod.labels)]


def allowed(budget: Body) -> int:
    """``disruptionsAllowed``; 0 when the status is missing or stale."""
    status, generation = budget.get("status") or {}, budget["metadata"].get("generation")
    if generation is not None and (status.get("observedGeneration") or 0) < generation:
        return 0
    return int(status.get("disruptionsAllowed") or 0)


def closed(cluster: Cluster, budget: Body) -> bool:
    """Whether it can never allow a disruption: maxUnavailable 0, or minAvailable of all its pods."""
    spec, status = budget.get("spec") or {}, budget.get("status") or {}
    if spec.get("maxUnavailable") is not None:
        return str(spec["maxUnavailable"]) in ("0", "0%")
    least = spec.get("minAvailable")
    if least is None:
        return False
    if str(least).endswith("%"):
        return float(str(least)[:-1]) >= 100
    matched = [pod for pod in cluster.pods if budget in budgets_of(cluster, pod)]
    return int(least) >= int(status.get("expectedPods") or len(matched))


def budget_violations(cluster: Cluster, steps: list[Step]) -> Iterator[str]:
    """Hold, Evict and Recreate of Running pods spend one from the wave they leave in to the one they arrive in."""
    spending = [step for step in steps if step.is_move and step.mover != "Surge" and step.pod.running]
    for step in steps:
        if step.is_move and step.mover != "Surge" and len(budgets_of(cluster, step.pod)) > 1:
            yield f"{step.name}: a pod under two PodDisruptionBudgets is never evicted"
    for budget in cluster.of("PodDisruptionBudget"):
        under = [step for step in spending if budget in budgets_of(cluster, step.pod)]
        for wave in range(1, max((step.arrives for step in under), default=0) + 1):
            spent = sum(step.leaves <= wave <= step.arrives for step in under)
            if spent > allowed(budget):
                meta = budget["metadata"]
                name = f"{cluster.name}: PodDisruptionBudget {meta['namespace']}/{meta['name']}"
                yield f"wave {wave}: {name}: {spent} disruptions > {allowed(budget)}"
