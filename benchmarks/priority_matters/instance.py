"""One instance: its pods and nodes, placements as counts, the tool's problem for any of its nodes, and an independent check."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from descheduler.domain.objects import Node, NodeRef, PodSpec
from descheduler.domain.problem import PodClass, Problem, Terms
from descheduler.domain.resources import CPU, MEMORY, PODS, Resources
from descheduler.domain.rows import Capacity

Counts = Counter[tuple[int, int]]
"""(ReplicaSet, node from 0) to running pods."""
Vector = tuple[int, ...]
"""Running pods by priority, the most important first."""


@dataclass(frozen=True, slots=True)
class ReplicaSet:
    priority: int
    cpu: int
    """Millicores of one pod."""
    memory: int
    """Bytes of one pod."""
    replicas: int


@dataclass(frozen=True, slots=True)
class Instance:
    """One line of an instance file."""

    seed: str
    nodes: int
    cpu: int
    memory: int
    sets: tuple[ReplicaSet, ...]
    start: Counts
    """Where kube-scheduler without preemption runs what."""
    default: Counts
    """Where kube-scheduler with preemption runs what: the published comparator."""

    @property
    def priorities(self) -> tuple[int, ...]:
        return tuple(sorted({s.priority for s in self.sets}, reverse=True))

    @property
    def pods(self) -> Vector:
        """What all of them would be."""
        return tuple(sum(s.replicas for s in self.sets if s.priority == p) for p in self.priorities)

    def score(self, counts: Counts) -> Vector:
        running = Counter[int]()
        for (c, _), k in counts.items():
            running[self.sets[c].priority] += k
        return tuple(running[p] for p in self.priorities)

    def kept(self, counts: Counts) -> Vector:
        """Pods that run where ``start`` has them, by priority; replicas of one set are alike."""
        kept = Counter[int]()
        for (c, n), k in self.start.items():
            kept[self.sets[c].priority] += min(k, counts[c, n])
        return tuple(kept[p] for p in self.priorities)

    def moves(self, counts: Counts) -> int:
        """Pods that run in ``start`` and not there afterwards: moved, or without a place."""
        return self.start.total() - sum(self.kept(counts))

    def wrong(self, counts: Counts) -> str | None:
        """Why the placement is not lawful: said in plain arithmetic, apart from the model."""
        used: dict[int, list[int]] = {n: [0, 0] for n in range(self.nodes)}
        placed = Counter[int]()
        for (c, n), k in counts.items():
            if k < 0 or n not in used:
                return f"{k} pods of ReplicaSet {c} on node {n}"
            used[n][0] += k * self.sets[c].cpu
            used[n][1] += k * self.sets[c].memory
            placed[c] += k
        for c, k in placed.items():
            if k > self.sets[c].replicas:
                return f"{k} > {self.sets[c].replicas} pods of ReplicaSet {c}"
        for n, (cpu, memory) in used.items():
            if cpu > self.cpu or memory > self.memory:
                return f"node {n}: cpu {cpu} of {self.cpu}, memory {memory} of {self.memory}"
        return None


def problem(instance: Instance, sets: Sequence[tuple[int, int]], nodes: int) -> Problem:
    """So many empty nodes and waiting pods: ``sets`` are (ReplicaSet, pods), one class each, in this order."""
    room = Resources({CPU: instance.cpu, MEMORY: instance.memory, PODS: sum(k for _, k in sets)})
    classes, first = [], 0
    for index, (c, k) in enumerate(sets):
        asks = Resources({CPU: instance.sets[c].cpu, MEMORY: instance.sets[c].memory, PODS: 1})
        classes.append(
            PodClass(
                index=index,
                cluster="benchmark",
                namespace="default",
                spec=PodSpec(requests=asks),
                requests=asks,
                labels=(),
                priority=instance.sets[c].priority,
                workload=("ReplicaSet", str(c)),
                waiting=True,
                terminating=False,
                movers=(),
                budgets=(),
                pods=tuple(range(first, first + k)),
                at={},
                reach=tuple(range(nodes)),
            )
        )
        first += k
    return Problem(
        now=datetime(2026, 1, 1, tzinfo=UTC),
        nodes=tuple(Node(ref=NodeRef("benchmark", str(n)), allocatable=room) for n in range(nodes)),
        pods=(),
        classes=tuple(classes),
        budgets=(),
        terms=Terms(objectives=("PendingPods",)),
        rows=tuple(Capacity(rule="NodeResourcesFit", node=n, resource=r, limit=room[r]) for n in range(nodes) for r in (CPU, MEMORY)),
    )


def read(path: Path) -> Iterator[Instance]:
    """The instances of one cell."""
    with gzip.open(path, "rt") as lines:
        for line in lines:
            yield _instance(json.loads(line))


def _instance(told: dict[str, Any]) -> Instance:
    return Instance(
        seed=told["seed"],
        nodes=told["nodes"],
        cpu=told["node_cpu_m"],
        memory=told["node_mem_b"],
        sets=tuple(ReplicaSet(*row) for row in told["rs"]),
        start=_counts(told["start"]),
        default=_counts(told["default"]),
    )


def _counts(places: list[list[int]]) -> Counts:
    return Counter((c, node - 1) for c, replicas in enumerate(places) for node in replicas if node)
