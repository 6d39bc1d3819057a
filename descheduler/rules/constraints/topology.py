"""Topology domains, and who else is there when a pod arrives."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from descheduler.domain.moment import Arrival, Moment
from descheduler.domain.problem import Problem

Domains = dict[str, tuple[int, ...]]
"""Label value to nodes."""


def domains_by(problem: Problem, cluster: str, key: str) -> Domains:
    """Label value to the nodes that carry it; nodes without the label belong to no domain. Not to be changed: who asks again shares it."""
    known = problem.once(_known)
    if (cluster, key) not in known:
        known[cluster, key] = eligible_by(problem, cluster, key, lambda node: True)
    return known[cluster, key]


def _known(problem: Problem) -> dict[tuple[str, str], Domains]:
    return {}


def eligible_by(problem: Problem, cluster: str, key: str, eligible: Callable[[int], bool]) -> Domains:
    """The same of the eligible nodes alone."""
    found: dict[str, list[int]] = {}
    for index in problem.nodes_of[cluster]:
        value = problem.node_labels[index].get(key)
        if value is not None and eligible(index):
            found.setdefault(value, []).append(index)
    return {value: tuple(nodes) for value, nodes in sorted(found.items())}


def reached(problem: Problem, group: Iterable[int]) -> list[int]:
    """Nodes that some class of the group may be sent to."""
    return sorted({n for c in group for n in problem.classes[c].reach})


def there_beside(moment: Moment, arrival: Arrival, pod_class: int, node: int | None = None) -> int:
    """Pods of a class on a node (the arrival's, unless another is named) while it comes, apart from itself.

    An old self that does not count is left out too.
    """
    where = arrival.node if node is None else node
    count = moment.during().of(pod_class).get(where, 0)
    if pod_class == arrival.pod_class:
        count -= (where == arrival.node) + (where == arrival.old)
    return count
