"""The plan: how to get from the snapshot to the placement, and what it brings. The contract is DESIGN.md section 4."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


class Mover(StrEnum):
    """The technique by which a pod gets to its node; ``SCHEDULE`` only for pods that wait: kube-scheduler binds them."""

    SURGE = "Surge"
    HOLD = "Hold"
    EVICT = "Evict"
    RECREATE = "Recreate"
    SCHEDULE = "Schedule"


class Category(StrEnum):
    """Why a waiting pod was not placed."""

    LIMITS = "Limits"
    NEVER = "Never"
    NOT_OURS = "NotOurs"
    ROOM = "Room"


class Status(StrEnum):
    """How far a level's value is proven."""

    OPTIMAL = "Optimal"
    FEASIBLE = "Feasible"
    NO_BOUND = "NoBound"
    SKIPPED = "Skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanPod:
    """A pod as plan.json names it everywhere."""

    cluster: str
    namespace: str
    name: str
    uid: str
    workload: tuple[str, str] | None = None
    """(kind, name) of the topmost controller reachable in the snapshot."""

    def __str__(self) -> str:
        return f"{self.cluster}/{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """Where a pod is or shall be; ``node`` is ``None`` when several nodes are all acceptable."""

    cluster: str
    node: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """One running pod from node to node."""

    id: str
    wave: int
    """The wave in which it leaves, from 1."""
    arrival_wave: int
    """The wave in which it arrives; later than ``wave`` only for a cycle break."""
    cycle_break: bool = False
    mover: Mover
    pod: PlanPod
    source: Spot
    target: Spot
    because: str
    makes_room_for: tuple[str, ...] = ()
    """Waiting pods, as ``cluster/namespace/name``, whose placement needs this move."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A waiting pod and the node that has room for it when ``wave`` begins."""

    wave: int
    mover: Mover
    contested: bool
    """Whether another waiting pod may take the room first."""
    pod: PlanPod
    target: Spot


@dataclass(frozen=True, slots=True, kw_only=True)
class Unplaced:
    """A waiting pod for which the plan does nothing, and why."""

    pod: PlanPod
    category: Category
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Protected:
    """A running pod that may not be moved, and why."""

    pod: PlanPod
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Level:
    """One objective of the policy as achieved by the plan."""

    name: str
    value: float | None
    bound: float | None
    status: Status


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityRow:
    """PendingPods for one priority value."""

    priority: int
    pending_before: int
    placed: int
    bound: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fragmentation:
    """How usable a cluster's free room is, before or after the plan."""

    slots: Mapping[str, int]
    """Per shape, how many more pods of it fit, each shape alone."""
    largest_pod: Mapping[str, str]
    """``cpu`` and ``memory`` (Kubernetes quantities) free on the node with the largest minimum of free shares."""
    stranded: Mapping[str, float]
    """Per resource, the share of the free amount that lies on nodes without a slot of any shape."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """Where a plan came from; all but ``run_id`` and ``created_at`` repeat exactly for the same input."""

    run_id: str
    created_at: datetime
    snapshot_digest: str
    policy_digest: str
    version: str
    seed: int
    effort: float
    reproducible: bool
    clusters: tuple[tuple[str, str | None], ...]
    """(name, kube-system UID)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Ordered moves, the placements they make possible, and an account of every waiting pod."""

    metadata: Metadata
    pending_before: int
    objectives: tuple[Level, ...]
    by_priority: tuple[PriorityRow, ...]
    moves: tuple[Move, ...] = ()
    placements: tuple[Placed, ...] = ()
    unplaced: tuple[Unplaced, ...] = ()
    protected: tuple[Protected, ...] | None = None
    """``None`` unless asked for."""
    before: Mapping[str, Fragmentation] = field(default_factory=dict)
    after: Mapping[str, Fragmentation] = field(default_factory=dict)

    @property
    def evictions(self) -> int:
        """Running pods that stop before their successor runs: every mover but Surge."""
        return sum(move.mover is not Mover.SURGE for move in self.moves)

    def room_kept_from(self, step: Move | Placed) -> int:
        """The wave in which a copy that keeps the room of a surge is made: the first that makes such room, else the surge's own."""
        makers = [m.wave for m in self.moves if m.source == step.target or str(step.pod) in m.makes_room_for]
        return min([step.wave, *makers])

    @property
    def waves(self) -> int:
        """The highest wave number used; 0 for an empty plan."""
        return max([m.arrival_wave for m in self.moves] + [p.wave for p in self.placements], default=0)
