"""Reads raw objects into one cluster and picks what a test looks at."""

from __future__ import annotations

from typing import Any

from descheduler.domain.objects import Budget, Cluster, Node, Pod, Workload
from descheduler.federation.convert import cluster_from_objects


def read(*objects: Any, unread: tuple[str, ...] = ()) -> Cluster:
    """The cluster ``east`` of these objects; nothing about them may be odd. Kinds that were ``unread`` could not be listed."""
    cluster, remarks = cluster_from_objects("east", objects, unread=unread)
    assert remarks == ()
    return cluster


def read_oddly(*objects: Any) -> tuple[Cluster, list[tuple[str, str]]]:
    """The cluster, and what was odd: (subject, message)."""
    cluster, remarks = cluster_from_objects("east", objects)
    return cluster, [(remark.subject, remark.message) for remark in remarks]


def the_pod(*objects: Any, name: str = "cart", unread: tuple[str, ...] = ()) -> Pod:
    return next(pod for pod in read(*objects, unread=unread).pods if pod.ref.name == name)


def the_node(*objects: Any) -> Node:
    return read(*objects).nodes[0]


def the_workload(*objects: Any) -> Workload:
    return read(*objects).workloads[0]


def the_budget(*objects: Any) -> Budget:
    return read(*objects).budgets[0]
