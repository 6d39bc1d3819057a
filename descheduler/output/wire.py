"""The shape of plan.json, key by key and in order, as DESIGN.md section 4 fixes it; the JSON Schema is made from it.

Every key is always present: unknown is ``null``, empty is ``[]``. Only ``protected`` is left out unless asked for, and ``results``
until there are some.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from descheduler.domain.plan import Category, Mover, Status

API_VERSION = "fleet.descheduler.io/v1alpha1"

Count = Annotated[int, Field(ge=0)]
Wave = Annotated[int, Field(ge=1)]
Name = Annotated[str, Field(min_length=1)]
PodName = Annotated[str, Field(pattern=r"^[^/]+/[^/]+/[^/]+$")]
Instant = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", json_schema_extra={"format": "date-time"})]
Quantity = Annotated[str, Field(pattern=r"^[+-]?(\d+(\.\d*)?|\.\d+)([KMGTPE]i|[numkMGTPE]|[eE][+-]?\d+)?$")]
Share = Annotated[int | float, Field(ge=0, le=1), WithJsonSchema({"type": "number", "minimum": 0, "maximum": 1})]
Number = Annotated[int | float, WithJsonSchema({"type": "number"})]
MoveMover = Literal[Mover.SURGE, Mover.HOLD, Mover.EVICT, Mover.RECREATE]


def _key(name: str) -> Any:
    """A field whose key in JSON is not its name here."""
    return Field(alias=name)


class _Section(BaseModel):
    model_config = ConfigDict(
        extra="forbid", frozen=True, populate_by_name=True, use_attribute_docstrings=True, allow_inf_nan=False, protected_namespaces=()
    )


class Workload(_Section):
    kind: Name
    name: Name


class Pod(_Section):
    """A pod as plan.json names it everywhere."""

    cluster: Name
    namespace: Name
    name: Name
    uid: str
    workload: Workload | None
    """The topmost controller reachable in the snapshot."""


class Source(_Section):
    """Where a pod runs."""

    cluster: Name
    node: Name


class Target(_Section):
    """Where a pod shall run."""

    cluster: Name
    node: Name | None
    """With Evict it may be null: every node the replacement could reach has been verified."""


class Cluster(_Section):
    name: Name
    uid: str | None
    """UID of the namespace kube-system; null when unknown."""


class Metadata(_Section):
    """Where the plan came from; all but runID and createdAt repeat exactly for the same input."""

    run_id: Name = _key("runID")
    created_at: Instant = _key("createdAt")
    snapshot_digest: Name = _key("snapshotDigest")
    policy_digest: Name = _key("policyDigest")
    version: Name
    seed: int
    effort: Number
    reproducible: bool
    """False when the emergency time limit cut the search short."""
    clusters: tuple[Cluster, ...]


class Level(_Section):
    """One objective of the policy, as achieved by the plan as ordered."""

    name: Name
    value: Number | None
    bound: Number | None
    status: Status


class Priority(_Section):
    """PendingPods for one priority value, highest first."""

    priority: int
    pending_before: Count = _key("pendingBefore")
    placed: Count
    bound: Count | None
    """Proven most pods of this priority while all higher rows keep at least their placed; null if unknown."""


class Summary(_Section):
    pending_before: Count = _key("pendingBefore")
    """Waiting pods, those that are not ours left out."""
    placed: Count
    unplaced: Count
    """Entries of unplaced, those that are not ours included."""
    moves: Count
    evictions: Count
    """Running pods moved other than by Surge."""
    waves: Count
    """The highest wave number used."""
    objectives: tuple[Level, ...]
    by_priority: tuple[Priority, ...] = _key("byPriority")


class Move(_Section):
    """One running pod from node to node; moves of one wave may run in any order."""

    id: Name
    wave: Wave
    """The wave in which it leaves."""
    arrival_wave: Wave = _key("arrivalWave")
    """The wave in which it arrives; later than wave only for a cycle break."""
    cycle_break: bool = _key("cycleBreak")
    mover: MoveMover
    pod: Pod
    source: Source = _key("from")
    target: Target = _key("to")
    because: str
    makes_room_for: tuple[PodName, ...] = _key("makesRoomFor")


class Placement(_Section):
    """A waiting pod and the node that has room for it when wave begins."""

    wave: Wave
    mover: Mover
    contested: bool
    """Whether another waiting pod may take the room first."""
    pod: Pod
    target: Target = _key("to")


class Unplaced(_Section):
    """A waiting pod for which the plan does nothing, and why."""

    pod: Pod
    category: Category
    reason: str


class Protected(_Section):
    """A running pod that may not be moved, and why."""

    pod: Pod
    reason: str


class LargestPod(_Section):
    cpu: Quantity
    memory: Quantity


class Room(_Section):
    """How usable a cluster's free room is."""

    slots: dict[str, Count]
    """Per shape, how many more pods of it fit, each shape alone."""
    largest_pod: LargestPod = _key("largestPod")
    """Free cpu and memory of the node with the largest minimum of free share over both."""
    stranded: dict[str, Share]
    """Per resource, the share of the free amount on nodes with no slot of any shape."""


class Fragmentation(_Section):
    before: dict[str, Room]
    after: dict[str, Room]


class Step(_Section):
    """What became of a move or a placement."""

    step: Name
    """The id of a move, or cluster/namespace/name of a placed pod."""
    outcome: Literal["Done", "Blocked", "Skipped", "Failed"]
    """Blocked: nothing was disturbed. Failed: the pod has left and did not arrive as planned. Skipped: it was not begun, or undone."""
    node: str | None
    """Where the pod runs now, if known."""
    message: str


class Change(_Section):
    """An object that is not what the plan was made for."""

    cluster: str
    subject: Name
    message: str


class Left(_Section):
    """Something an interrupted run had left, and what became of it."""

    subject: Name
    outcome: Literal["Done", "Skipped", "Failed"]
    message: str


class Results(_Section):
    """What carrying the plan out led to; without steps, what was recovered before there was nothing to carry out."""

    pending_after: Count | None = _key("pendingAfter")
    """As summary.pendingBefore, after the last wave; null when nothing could be read any more."""
    steps: tuple[Step, ...]
    drift: tuple[Change, ...]
    """What had changed between the plan and its first step."""
    recovered: tuple[Left, ...]
    """What earlier, interrupted runs had left; ended before the plan was made."""


class Plan(_Section):
    """An ordered, proven plan of few moves, and an account of every waiting pod."""

    api_version: Literal["fleet.descheduler.io/v1alpha1"] = _key("apiVersion")
    kind: Literal["Plan"]
    metadata: Metadata
    summary: Summary
    moves: tuple[Move, ...]
    placements: tuple[Placement, ...]
    unplaced: tuple[Unplaced, ...]
    protected: tuple[Protected, ...] | None = Field(default=None, exclude_if=lambda value: value is None)
    """Only with --verbose."""
    fragmentation: Fragmentation
    results: Results | None = Field(default=None, exclude_if=lambda value: value is None)
    """Only when the plan was carried out, or something was recovered."""
