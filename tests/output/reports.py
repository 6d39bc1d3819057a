"""A report with one of everything, and the plan in it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from descheduler.domain.plan import (
    Category,
    Fragmentation,
    Level,
    Metadata,
    Move,
    Mover,
    Placed,
    Plan,
    PlanPod,
    PriorityRow,
    Protected,
    Spot,
    Status,
    Unplaced,
)
from descheduler.domain.report import Outcome, Report, StepResult
from descheduler.domain.snapshot import Remark, Unreadable


def named(name: str, *, cluster: str = "east", namespace: str = "shop", of: tuple[str, str] | None = ("Deployment", "cart")) -> PlanPod:
    return PlanPod(cluster=cluster, namespace=namespace, name=name, uid=f"uid-{name}", workload=of)


def a_metadata(*, reproducible: bool = True) -> Metadata:
    return Metadata(
        run_id="7f3a1c2e-0000-4000-8000-000000000000",
        created_at=datetime(2026, 11, 23, 12, 0, 4, tzinfo=UTC),
        snapshot_digest="sha256:" + "ab" * 32,
        policy_digest="sha256:" + "cd" * 32,
        version="0.1.0",
        seed=1,
        effort=1.0,
        reproducible=reproducible,
        clusters=(("east", "uid-east"), ("west", None)),
    )


def an_empty_plan() -> Plan:
    return Plan(metadata=a_metadata(), pending_before=0, objectives=(), by_priority=())


def a_rich_plan() -> Plan:
    """Two waves, a surge, an eviction to any node, a broken cycle, placements of both kinds, all four categories."""
    surge = Move(
        id="m1", wave=1, arrival_wave=1, mover=Mover.SURGE, pod=named("cart-7d9"), source=Spot(cluster="east", node="gpu-1"),
        target=Spot(cluster="east", node="web-1"), because="frees gpu-1", makes_room_for=("east/ml/train-0",),
    )  # fmt: skip
    evict = Move(
        id="m2", wave=1, arrival_wave=1, mover=Mover.EVICT, pod=named("cart-7da"), source=Spot(cluster="east", node="gpu-1"),
        target=Spot(cluster="east", node=None), because="frees gpu-1", makes_room_for=("east/ml/train-0",),
    )  # fmt: skip
    hold = Move(
        id="m3", wave=1, arrival_wave=2, cycle_break=True, mover=Mover.HOLD, pod=named("db-0", of=("StatefulSet", "db")),
        source=Spot(cluster="east", node="web-1"), target=Spot(cluster="west", node="web-9"), because="empties web-1",
    )  # fmt: skip
    train = named("train-0", namespace="ml", of=None)
    late = named("late-0", namespace="ml", of=None)
    short = "0/2 nodes: 2 Insufficient cpu"
    huge = tuple(named(f"huge-{n}", namespace="ml", of=("Job", "huge")) for n in range(12))
    hopeless = tuple(Unplaced(pod=pod, category=Category.NEVER, reason=short) for pod in huge)
    room = Fragmentation(slots={"large": 2}, largest_pod={"cpu": "3500m", "memory": "12Gi"}, stranded={"cpu": 0.25, "memory": 0})
    return Plan(
        metadata=a_metadata(),
        pending_before=16,
        objectives=(
            Level(name="PendingPods", value=2.0, bound=3, status=Status.FEASIBLE),
            Level(name="Disruption", value=3, bound=None, status=Status.NO_BOUND),
            Level(name="Headroom", value=2.5, bound=2.5, status=Status.OPTIMAL),
        ),
        by_priority=(
            PriorityRow(priority=1000, pending_before=1, placed=1, bound=1),
            PriorityRow(priority=0, pending_before=15, placed=1, bound=2),
        ),
        moves=(surge, evict, hold),
        placements=(
            Placed(wave=2, mover=Mover.SCHEDULE, contested=False, pod=train, target=Spot(cluster="east", node="gpu-1")),
            Placed(wave=2, mover=Mover.SCHEDULE, contested=True, pod=late, target=Spot(cluster="east", node="web-1")),
        ),
        unplaced=(
            Unplaced(pod=named("big-0"), category=Category.ROOM, reason="0/2 nodes: 2 Insufficient memory"),
            Unplaced(pod=named("young-0"), category=Category.LIMITS, reason="pending for 30s < 2m"),
            *hopeless,
            Unplaced(pod=named("gated-0"), category=Category.NOT_OURS, reason="scheduling gate example.com/wait"),
        ),
        before={"east": room},
        after={"east": replace(room, slots={"large": 3})},
    )


def a_rich_report(*, acted: bool = False) -> Report:
    outcome = Outcome(
        results=(
            StepResult(subject="m1", outcome="Done", node="web-1"),
            StepResult(subject="m2", outcome="Blocked", message="429: the budget allows no disruption"),
            StepResult(subject="m3", outcome="Done", node="web-9"),
            StepResult(subject="east/ml/train-0", outcome="Done", node="gpu-2"),
            StepResult(subject="east/ml/late-0", outcome="Done", node="web-1"),
        ),
        pending_after=14,
    )
    return Report(
        plan=a_rich_plan(),
        unreadable=(Unreadable(cluster="north", reason="connection refused"),),
        remarks=(Remark(cluster="east", subject="Node/odd", message="allocatable cpu `x` is no quantity"),),
        opaque=(("uses hostPort", 3), ("needs a ResourceClaim", 1)),
        nodes=60,
        running=1234,
        outcome=outcome if acted else None,
    )


def a_protected_plan() -> Plan:
    return replace(a_rich_plan(), protected=(Protected(pod=named("db-1"), reason="StatefulSet"),))
