"""While a pod exists twice, both count against the ResourceQuotas of its namespace: all copies of a wave together.

kubernetes.md 1.4: a dry run sees one copy at a time. What counts how follows the API server's quota evaluator for pods
(``pkg/quota/v1/evaluator/core/pods.go``). A move whose old self is gone first needs nothing more than it had.
"""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.domain.moment import Moment, Violation
from descheduler.domain.objects import Quota
from descheduler.domain.problem import PodClass, Problem
from descheduler.domain.resources import PODS
from descheduler.domain.rows import CopyQuota

NAME = "ResourceQuota"
_NATIVE = ("cpu", "memory", "ephemeral-storage")


def counts(quota: Quota, c: PodClass) -> bool:
    """Whether the quota's scopes take in pods of the class."""
    spec = c.spec
    holds = {
        "BestEffort": spec.best_effort,
        "NotBestEffort": not spec.best_effort,
        "Terminating": spec.terminating_scope,
        "NotTerminating": not spec.terminating_scope,
        "CrossNamespacePodAffinity": spec.cross_namespace_affinity,
    }
    if quota.namespace != c.namespace or not all(holds.get(scope, True) for scope in quota.scopes):
        return False
    labels = {"PriorityClass": spec.priority_class} if spec.priority_class else {}
    return all(requirement.matches(labels) for requirement in quota.priority_classes)


def amount(resource: str, c: PodClass) -> int:
    """What one more pod of the class adds to a quota's resource, in base units."""
    if resource in (PODS, "count/pods"):
        return 1
    if resource.startswith("limits."):
        return c.spec.limits[resource.removeprefix("limits.")]
    if resource in _NATIVE or resource.startswith("hugepages-"):
        return c.requests[resource]
    return c.requests[resource.removeprefix("requests.")] if resource.startswith("requests.") else 0


def _asked(quota: Quota, c: PodClass) -> Iterator[tuple[str, int, int]]:
    """Resource, what a copy adds, and what is left of it; a quota that cannot be judged lets nothing in."""
    if quota.unknown is not None:
        yield quota.unknown, 1, 0
        return
    for resource, left in quota.left:
        adds = amount(resource, c)
        if adds:
            yield resource, adds, max(0, left)


def rows(problem: Problem) -> Iterator[CopyQuota]:
    for cluster, quota in problem.quotas:
        found: dict[str, tuple[list[int], list[int], int]] = {}
        for c in problem.namespaces.get(cluster, {}).get(quota.namespace, ()):
            if c.movers and c.reach and counts(quota, c):
                for resource, adds, left in _asked(quota, c):
                    group, amounts, _ = found.setdefault(resource, ([], [], left))
                    group.append(c.index)
                    amounts.append(adds)
        for resource, (group, amounts, left) in found.items():
            name = f"{cluster}/{quota.namespace}/{quota.name} {resource}"
            yield CopyQuota(rule=NAME, name=name, group=tuple(group), amounts=tuple(amounts), limit=left)


def violations(problem: Problem, moment: Moment) -> Iterator[Violation]:
    """In the end state every wave may have used what is left anew."""
    times = problem.terms.waves if moment.settled else 1
    copies = [problem.classes[arrival.pod_class] for arrival in moment.arrivals if arrival.copy]
    if not copies:
        return
    spaces = {(c.cluster, c.namespace) for c in copies}
    for cluster, quota in problem.quotas:
        if (cluster, quota.namespace) not in spaces:
            continue
        asked: dict[str, int] = {}
        room: dict[str, int] = {}
        for c in copies:
            if c.cluster == cluster and counts(quota, c):
                for resource, adds, left in _asked(quota, c):
                    asked[resource] = asked.get(resource, 0) + adds
                    room[resource] = left * times
        for resource in sorted(asked):
            if asked[resource] > room[resource]:
                fact = f"second copies ask for {asked[resource]} {resource}, {room[resource]} are left"
                yield Violation(NAME, f"{cluster}/{quota.namespace}/{quota.name}", fact)
