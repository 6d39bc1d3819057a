"""ResourceQuotas: all second copies of a wave together (DESIGN.md 4 and 8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.judge.fleet import Cluster, Pod
from tests.judge.moves import Step, template_of
from tests.judge.quantities import Amounts, Body, Unreadable, exact, pod_limits, whole

COUNTS = ("pods", "count/pods")
BARE = ("cpu", "memory", "ephemeral-storage")
ACROSS = ("namespaces", "namespaceSelector")


def quota_violations(cluster: Cluster, steps: list[Step]) -> Iterator[str]:
    """Copies by Surge, those of waiting pods included, that a quota which selects them has no room for."""
    copies = [step for step in steps if step.mover == "Surge"]
    for quota in cluster.of("ResourceQuota"):
        own = [step for step in copies if step.pod.namespace == quota["metadata"]["namespace"] and _selected(quota, step.pod)]
        for wave in sorted({step.arrives for step in own}):
            asked: Counter[str] = Counter()
            for step in own:
                if _begins(step, steps) <= wave <= step.arrives:
                    asked.update(counted(step, cluster))
            for text in _exceeded(quota, asked):
                yield f"wave {wave}: {cluster.name}: {text}"


def _begins(step: Step, steps: list[Step]) -> int:
    """The wave from which its copy exists: one that keeps a hole for a waiting pod is there while the hole is being made."""
    makers = [other.leaves for other in steps if not step.is_move and step.pod.key in other.makes_room_for]
    return min([step.arrives, *makers])


def counted(step: Step, cluster: Cluster) -> Amounts:
    """What a copy counts under each name that a quota may use for it."""
    out: Amounts = {}
    for name, amount in step.guest(cluster).requests.items():
        if name != "pods":
            out[f"requests.{name}"] = amount
            if name in BARE or name.startswith("hugepages-"):
                out[name] = amount
    for name, amount in _limits(step.pod, cluster).items():
        out[f"limits.{name}"] = amount
    return {name: amount for name, amount in out.items() if amount > 0} | dict.fromkeys(COUNTS, 1)


def _limits(pod: Pod, cluster: Cluster) -> Amounts:
    out: Amounts = {}
    for spec in (pod.spec, template_of(cluster, pod)):
        try:
            mine = pod_limits(spec or {})
        except (Unreadable, AttributeError, TypeError):
            continue
        out = {name: max(out.get(name, 0), mine.get(name, 0)) for name in out | mine}
    return {name: amount for name, amount in out.items() if name in BARE}


def _exceeded(quota: Body, asked: Counter[str]) -> Iterator[str]:
    meta = quota["metadata"]
    hard, used = (quota.get("spec") or {}).get("hard") or {}, (quota.get("status") or {}).get("used") or {}
    for name, text in hard.items():
        if not asked[name]:
            continue
        where = f"ResourceQuota {meta['namespace']}/{meta['name']}: {name}"
        plain = name.removeprefix("requests.").removeprefix("limits.")
        try:
            room = whole(plain, exact(text)) - whole(plain, exact(used[name]))
        except (Unreadable, KeyError):
            yield f"{where}: how much is left is unknown"
            continue
        if asked[name] > room:
            yield f"{where}: copies ask for {asked[name]} > {room}"


def _selected(quota: Body, pod: Pod) -> bool:
    spec = quota.get("spec") or {}
    listed = [{"scopeName": name, "operator": "Exists"} for name in spec.get("scopes") or []]
    listed += (spec.get("scopeSelector") or {}).get("matchExpressions") or []
    return all(_in_scope(each, pod) for each in listed)


def _in_scope(expression: Body, pod: Pod) -> bool:
    name, operator = expression.get("scopeName"), expression.get("operator")
    if name == "PriorityClass":
        mine, values = pod.spec.get("priorityClassName") or "", expression.get("values") or []
        answers = {"In": mine in values, "NotIn": mine not in values, "Exists": bool(mine), "DoesNotExist": not mine}
        return answers.get(str(operator), True)
    facts = {
        "Terminating": pod.spec.get("activeDeadlineSeconds") is not None,
        "NotTerminating": pod.spec.get("activeDeadlineSeconds") is None,
        "BestEffort": _best_effort(pod),
        "NotBestEffort": not _best_effort(pod),
        "CrossNamespacePodAffinity": _looks_across(pod),
    }
    return facts.get(str(name), True)


def _best_effort(pod: Pod) -> bool:
    bodies = [pod.spec, *(pod.spec.get("containers") or []), *(pod.spec.get("initContainers") or [])]
    for body in bodies:
        for listed in ((body.get("resources") or {}).get("requests") or {}, (body.get("resources") or {}).get("limits") or {}):
            for name in ("cpu", "memory"):
                try:
                    if exact(listed.get(name, "0")) > 0:
                        return False
                except Unreadable:
                    return False
    return True


def _looks_across(pod: Pod) -> bool:
    affinity = pod.spec.get("affinity") or {}
    listed: list[Body] = []
    for kind in ("podAffinity", "podAntiAffinity"):
        rules = affinity.get(kind) or {}
        listed += rules.get("requiredDuringSchedulingIgnoredDuringExecution") or []
        listed += [each.get("podAffinityTerm") or {} for each in rules.get("preferredDuringSchedulingIgnoredDuringExecution") or []]
    return any(term.get(key) is not None and term.get(key) != [] for term in listed for key in ACROSS)
