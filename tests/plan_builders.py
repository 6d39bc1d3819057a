"""Builders of plans: moves and placements of the pods that ``tests.builders`` makes."""

from __future__ import annotations

from collections.abc import Iterable

from descheduler.domain.objects import Pod
from descheduler.domain.plan import Metadata, Move, Mover, Placed, Plan, PlanPod, Spot
from tests.builders import HASH, NOW, a_uid


def plan_pod(pod: Pod) -> PlanPod:
    """The pod as a plan names it; its workload is the Deployment or other controller its builder was told of."""
    workload = None
    if pod.owner:
        under = pod.owner.kind == "ReplicaSet" and pod.owner.name.endswith(f"-{HASH}")
        workload = ("Deployment", pod.owner.name.removesuffix(f"-{HASH}")) if under else (pod.owner.kind, pod.owner.name)
    return PlanPod(cluster=pod.ref.cluster, namespace=pod.ref.namespace, name=pod.ref.name, uid=pod.uid, workload=workload)


def a_move(
    pod: Pod,
    to: str | None,
    *,
    mover: Mover = Mover.SURGE,
    wave: int = 1,
    arrival_wave: int | None = None,
    room_for: Iterable[Pod] = (),
    id: str | None = None,
) -> Move:
    """The move of a running pod to node ``to`` of its own cluster; it breaks a cycle when it arrives later than it leaves."""
    arrives = wave if arrival_wave is None else arrival_wave
    return Move(
        id=id or f"move-{pod.ref.name}",
        wave=wave,
        arrival_wave=arrives,
        cycle_break=arrives > wave,
        mover=mover,
        pod=plan_pod(pod),
        source=Spot(cluster=pod.ref.cluster, node=pod.node),
        target=Spot(cluster=pod.ref.cluster, node=to),
        because="a test says so",
        makes_room_for=tuple(str(p.ref) for p in room_for),
    )


def a_placement(pod: Pod, to: str, *, wave: int = 1, mover: Mover = Mover.SCHEDULE, contested: bool = False) -> Placed:
    """The placement of a waiting pod on node ``to`` of its own cluster."""
    return Placed(wave=wave, mover=mover, contested=contested, pod=plan_pod(pod), target=Spot(cluster=pod.ref.cluster, node=to))


def a_plan(*steps: Move | Placed, clusters: Iterable[str] = ("east",)) -> Plan:
    """A plan of the given moves and placements; its figures are empty."""
    metadata = Metadata(
        run_id="run-1",
        created_at=NOW,
        snapshot_digest="sha256:0",
        policy_digest="sha256:0",
        version="0",
        seed=0,
        effort=1.0,
        reproducible=True,
        clusters=tuple((name, a_uid(name, "", "Namespace", "kube-system")) for name in clusters),
    )
    return Plan(
        metadata=metadata,
        pending_before=sum(isinstance(step, Placed) for step in steps),
        objectives=(),
        by_priority=(),
        moves=tuple(step for step in steps if isinstance(step, Move)),
        placements=tuple(step for step in steps if isinstance(step, Placed)),
    )
