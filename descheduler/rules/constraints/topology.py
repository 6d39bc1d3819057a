"""Topology domains: the nodes of a cluster that share one value of a label."""

from __future__ import annotations

from collections.abc import Callable

from descheduler.domain.problem import Problem


def domains_by(problem: Problem, cluster: str, key: str, eligible: Callable[[int], bool] = lambda node: True) -> dict[str, tuple[int, ...]]:
    """Label value to the eligible nodes that carry it; nodes without the label belong to no domain."""
    found: dict[str, list[int]] = {}
    for index in problem.nodes_of[cluster]:
        value = dict(problem.nodes[index].labels).get(key)
        if value is not None and eligible(index):
            found.setdefault(value, []).append(index)
    return {value: tuple(nodes) for value, nodes in sorted(found.items())}
