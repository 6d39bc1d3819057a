"""Why one pod is where it is: what its scheduler says of every node, what would help it, or what keeps it in its place."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from descheduler.domain.objects import Pod
from descheduler.domain.plan import Move, Placed, Unplaced
from descheduler.domain.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGroup:
    """Nodes that answer alike."""

    plugin: str | None
    """The kube-scheduler plugin that refuses first; ``Ours`` when only we do; ``None`` when nobody does."""
    reasons: tuple[str, ...]
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortfall:
    """Nodes on which room is all that is missing, the same amounts on each."""

    lacking: Resources
    """How much more would have to be free, ``pods`` included, in base units."""
    even_empty: bool
    """An empty node of them would be too small as well."""
    nodes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exclusion:
    """Nodes that the same cordons, taints, selectors or volumes shut to the pod, whoever else is there."""

    causes: tuple[str, ...]
    nodes: tuple[str, ...]
    roomy: tuple[str, ...]
    """Those of them that would take the pod now if these causes were gone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Neighbours:
    """Nodes that only a rule between pods shuts to the pod, and whom or what the rule points at there."""

    reason: str
    nodes: tuple[str, ...]
    pods: tuple[str, ...] = ()
    """``cluster/namespace/name``; empty when the rule asks for somebody who is not there."""
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Occupants:
    """Who holds the room of a node that room is all that is missing on."""

    node: str
    movable: tuple[str, ...]
    """Pods that may be moved, as ``cluster/namespace/name``."""
    protected: tuple[tuple[str, int], ...]
    """Why the others may not, with how many; the most frequent reason first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """A pod without a node."""

    sentence: str
    """What FailedScheduling says, or would say."""
    not_ours: str | None
    """Why it does not wait for room, if so."""
    placed: Placed | None
    moves: tuple[Move, ...]
    """Those of an ordinary plan that make room for it."""
    unplaced: Unplaced | None
    shortfalls: tuple[Shortfall, ...]
    """The smallest first."""
    exclusions: tuple[Exclusion, ...]
    neighbours: tuple[Neighbours, ...]
    occupants: tuple[Occupants, ...]
    """Of the nodes with the smallest shortfalls; only where no plan helps."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cover:
    """A PodDisruptionBudget that selects the pod."""

    name: str
    healthy: int
    desired: int
    allowed: int
    never: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """A pod that has a node."""

    protections: tuple[tuple[str, str], ...]
    """(rule, reason) of every protection that objects; the first is the one that a plan reports."""
    verdict: str | None
    """Why this run may not move it; ``None`` when it may."""
    movers: tuple[tuple[str, str | None], ...]
    """(mover, why not), the policy's own in its order first; ``None`` where it applies."""
    budgets: tuple[Cover, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One pod explained."""

    pod: Pod
    workload: tuple[str, str] | None
    """(kind, name) of the topmost controller."""
    now: datetime
    story: Waiting | Bound
    groups: tuple[NodeGroup, ...]
    """All nodes of its cluster, those that could take it first; for a bound pod all but its own, and it is a copy that is judged."""
