"""The question: which pods may go where, under which joint rules, prepared so that no stage needs the snapshot again."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from functools import cached_property
from typing import Any, TypeVar

from descheduler.domain.objects import Budget, Node, Pod, PodRef, PodSpec, Quota
from descheduler.domain.placement import Spots
from descheduler.domain.plan import Mover, PlanPod
from descheduler.domain.resources import Resources
from descheduler.domain.rows import Group, Row
from descheduler.domain.selectors import LabelSelector, Pairs, Toleration

Known = TypeVar("Known")

PRECEDENCES = 40
"""Waiting pods that can be told apart by how long they wait."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PodClass:
    """Pods of one workload that no rule, protection or mover tells apart: the unit of every row."""

    index: int
    cluster: str
    namespace: str
    spec: PodSpec
    requests: Resources
    """Effective requests with ``pods`` 1, in base units."""
    labels: Pairs
    priority: int
    workload: tuple[str, str] | None
    """(kind, name) of the topmost controller."""
    waiting: bool
    terminating: bool
    movers: tuple[Mover, ...]
    """Running: how its pods may be moved, best first; empty when they may not. Waiting: ``SURGE`` when its place can be reserved."""
    budgets: tuple[int, ...]
    """Indices of ``Problem.budgets`` that cover its pods."""
    pods: tuple[int, ...]
    """Indices of ``Problem.pods``; waiting ones the longest waiting first."""
    at: Mapping[int, tuple[int, ...]]
    """Node index to the pods there, in the snapshot; empty for waiting pods."""
    reach: tuple[int, ...]
    """Nodes its pods may be sent to as far as filters tell; empty for pods that are neither placeable nor movable."""
    nominated: int | None = None
    """Waiting: the node kube-scheduler has nominated it to; its room there counts against equal and lower priorities."""

    def there(self, node: int) -> int:
        """How many of its pods the snapshot shows on the node."""
        return len(self.at.get(node, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A pod size users care about."""

    name: str
    weight: float
    requests: Resources
    """With ``pods`` 1."""
    node_selector: Pairs = ()
    tolerations: tuple[Toleration, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """What emptying a node with these labels is worth."""

    node_selector: Pairs
    price: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """One limit of the policy, resolved to a count, and the pods it speaks of."""

    name: str
    subject: str
    group: Group
    count: int
    nodes: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What the policy asks of a plan, resolved to numbers."""

    objectives: tuple[str, ...]
    shapes: tuple[Shape, ...] = ()
    prices: tuple[Price, ...] = ()
    """The first that matches a node is its price; 1 where none does."""
    limits: tuple[Limit, ...] = ()
    moves_per_placed_pod: int | None = None
    waves: int = 8
    cycle_breaks: int = 0
    floor: float = 0.0
    """Weighted slots, or priced nodes, each move beyond those for waiting pods must bring."""
    reserve: str = "Contested"

    @property
    def earning(self) -> tuple[str, ...]:
        """Objectives that come before Disruption: moves that no waiting pod needs are wanted for them."""
        above = self.objectives[: self.objectives.index("Disruption")] if "Disruption" in self.objectives else self.objectives
        return tuple(name for name in above if name != "PendingPods")


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Nodes, pods and classes of a fleet with every rule that a placement must obey.

    Indices are positions in the tuples. ``rows`` is filled by the rules' tables when the problem is made.
    """

    now: datetime
    nodes: tuple[Node, ...]
    pods: tuple[Pod, ...]
    classes: tuple[PodClass, ...]
    budgets: tuple[tuple[str, Budget], ...]
    """(cluster, budget)."""
    terms: Terms
    quotas: tuple[tuple[str, Quota], ...] = ()
    """(cluster, quota)."""
    rows: tuple[Row, ...] = ()
    class_of: tuple[int, ...] = ()
    """Pod index to class index."""
    every_cluster: tuple[str, ...] = ()
    """The names of all clusters that could be read, those without any node included."""
    names: tuple[PlanPod, ...] = ()
    """Pod index to the pod as plan.json names it."""
    protected: Mapping[int, str] = field(default_factory=dict)
    """Running pods that may not be moved, and why."""
    not_ours: Mapping[int, str] = field(default_factory=dict)
    """Waiting pods that are not ours to place, and why."""
    held_back: Mapping[int, str] = field(default_factory=dict)
    """Waiting pods that scope or trigger keep out of this run, and why."""
    loose: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    """Classes whose pods an eviction would send to one of several nodes, whichever the scheduler likes, and these nodes.

    This version does not plan such moves; bounds allow for them.
    """

    def once(self, make: Callable[[Problem], Known]) -> Known:
        """What ``make``, a function of a module, says of this problem: asked the first time, remembered afterwards."""
        if make not in self._remembered:
            self._remembered[make] = make(self)
        found: Known = self._remembered[make]
        return found

    @cached_property
    def _remembered(self) -> dict[Callable[[Problem], Any], Any]:
        return {}

    def __getstate__(self) -> dict[str, Any]:
        """The fields alone: what can be worked out anew is sent to nobody."""
        return {told.name: getattr(self, told.name) for told in fields(self)}

    def in_line(self, pod: int) -> tuple[int, datetime, PodRef]:
        """Sorts waiting pods: by priority, then the longest waiting first."""
        return -self.pods[pod].priority, self.pods[pod].waiting_since or self.now, self.pods[pod].ref

    @cached_property
    def precedence(self) -> Mapping[int, int]:
        """What placing a waiting pod is worth among plans that are equal otherwise: each more than all that wait less.

        Beyond the first ``PRECEDENCES`` pods, by priority and time waited, all are worth the same.
        """
        waiting = [pod for c in self.placeable for pod in c.pods]
        waiting.sort(key=self.in_line)
        return {pod: 2 ** max(0, PRECEDENCES - rank) for rank, pod in enumerate(waiting)}

    @cached_property
    def waiting(self) -> tuple[int, ...]:
        """Every waiting pod."""
        return tuple(i for i, pod in enumerate(self.pods) if pod.waiting)

    @cached_property
    def placeable(self) -> tuple[PodClass, ...]:
        """Classes of waiting pods that this run may place."""
        return tuple(c for c in self.classes if c.waiting and c.reach)

    @cached_property
    def movable(self) -> tuple[PodClass, ...]:
        return tuple(c for c in self.classes if not c.waiting and c.movers and c.reach)

    @cached_property
    def nominated(self) -> tuple[PodClass, ...]:
        """Classes of waiting pods that kube-scheduler has nominated to a node."""
        return tuple(c for c in self.classes if c.nominated is not None)

    @cached_property
    def priorities(self) -> tuple[int, ...]:
        """Distinct priorities of waiting pods that are ours, highest first."""
        return tuple(sorted({self.pods[i].priority for i in self.waiting if i not in self.not_ours}, reverse=True))

    @cached_property
    def clusters(self) -> tuple[str, ...]:
        return tuple(sorted({node.ref.cluster for node in self.nodes}))

    @cached_property
    def nodes_of(self) -> Mapping[str, tuple[int, ...]]:
        """Cluster to its nodes."""
        found: dict[str, list[int]] = {}
        for index, node in enumerate(self.nodes):
            found.setdefault(node.ref.cluster, []).append(index)
        return {cluster: tuple(indices) for cluster, indices in found.items()}

    @cached_property
    def namespaces(self) -> Mapping[str, Mapping[str, tuple[PodClass, ...]]]:
        """Cluster to namespace to its classes."""
        found: dict[str, dict[str, list[PodClass]]] = {}
        for c in self.classes:
            found.setdefault(c.cluster, {}).setdefault(c.namespace, []).append(c)
        return {cluster: {name: tuple(classes) for name, classes in spaces.items()} for cluster, spaces in found.items()}

    def matched(self, cluster: str, namespaces: frozenset[str] | None, selector: LabelSelector | None) -> tuple[int, ...]:
        """Classes of a cluster that a selector picks in some namespaces (``None``: in all), in ascending order; ``None`` picks nobody."""
        if selector is None:
            return ()
        spaces = self.namespaces.get(cluster, {})
        within = [*spaces] if namespaces is None else [name for name in namespaces if name in spaces]
        if selector.labels:
            asked = (c for name in within for c in self._carrying.get((cluster, name, *selector.labels[0]), ()))
        else:
            asked = (c for name in within for c in spaces[name])
        return tuple(sorted(c.index for c in asked if selector.matches(self._labels[c.index])))

    @cached_property
    def _carrying(self) -> Mapping[tuple[str, str, str, str], list[PodClass]]:
        """(cluster, namespace, label, value) to the classes that carry it."""
        found: dict[tuple[str, str, str, str], list[PodClass]] = {}
        for c in self.classes:
            for key, value in c.labels:
                found.setdefault((c.cluster, c.namespace, key, value), []).append(c)
        return found

    @cached_property
    def _labels(self) -> tuple[Mapping[str, str], ...]:
        return tuple(dict(c.labels) for c in self.classes)

    @cached_property
    def node_labels(self) -> tuple[Mapping[str, str], ...]:
        """Node to its labels, for look-ups by key."""
        return tuple(dict(node.labels) for node in self.nodes)

    @cached_property
    def used(self) -> tuple[Resources, ...]:
        """What the snapshot's pods ask of each node, ``pods`` included."""
        totals: list[dict[str, int]] = [{} for _ in self.nodes]
        for pod_class in self.classes:
            for node, pods in pod_class.at.items():
                pod_class.requests.add_to(totals[node], len(pods))
        return tuple(Resources(total) for total in totals)

    def free(self, counts: Spots) -> list[dict[str, int]]:
        """Per node, what is left of its allocatable beside the given (class, node) counts; below 0 where it is overcommitted."""
        free = [dict(node.allocatable.items()) for node in self.nodes]
        for (c, node), count in counts.items():
            self.classes[c].requests.add_to(free[node], -count)
        return free
