"""plan.json: the plan as a file to review, diff and apply, and the way back from the file to the plan."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from descheduler.domain.plan import Fragmentation, Level, Metadata, Move, Placed, Plan, PlanPod, PriorityRow, Protected, Spot, Unplaced
from descheduler.domain.report import Outcome, Report, StepResult
from descheduler.domain.snapshot import Remark
from descheduler.output import wire

INSTANT = "%Y-%m-%dT%H:%M:%SZ"
SCHEMA_ID = "https://fleet.descheduler.io/v1alpha1/plan.schema.json"

NOTHING_DONE = Outcome(pending_after=None)
"""There was nothing to act on, but something to recover."""


class NotAPlan(ValueError):
    """A text that is no plan.json; ``mistakes`` are worded ``key: what``."""

    def __init__(self, *mistakes: str) -> None:
        super().__init__("\n".join(mistakes))
        self.mistakes = mistakes


def plan_to_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON values, keys in the order of the contract."""
    return _to_wire(Report(plan=plan)).model_dump(mode="json", by_alias=True)


def render_json(plan: Plan) -> str:
    """The text of plan.json: two spaces, UTF-8, a newline at the end; equal plans give equal bytes."""
    return render_report_json(Report(plan=plan))


def render_report_json(report: Report) -> str:
    """plan.json with the results of a plan that was carried out."""
    told = _to_wire(report).model_dump(mode="json", by_alias=True)
    return json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def plan_from_json(text: str) -> Plan:
    """The plan a plan.json holds, whether it was carried out or not. Raises NotAPlan as ``report_from_json`` does."""
    return report_from_json(text).plan


def report_from_json(text: str) -> Report:
    """The plan a plan.json holds and, when it was carried out, what that led to.

    Raises NotAPlan, naming every key that is missing, unknown, of the wrong kind or at odds with the rest.
    """
    try:
        part = wire.Plan.model_validate_json(text, strict=True, by_alias=True, by_name=False)
    except ValidationError as invalid:
        raise NotAPlan(*(_mistake(error) for error in invalid.errors())) from None
    plan = _from_wire(part)
    told, counted = part.summary, _summary(plan)
    wrong = [name for name in ("placed", "unplaced", "moves", "evictions", "waves") if getattr(told, name) != getattr(counted, name)]
    if wrong:
        raise NotAPlan(*(f"summary.{name}: says {getattr(told, name)}, but the plan lists {getattr(counted, name)}" for name in wrong))
    results = part.results
    if results is None:
        return Report(plan=plan)
    outcome = _read_outcome(results)
    return Report(plan=plan, outcome=None if outcome == NOTHING_DONE else outcome, recovered=_read_recovered(results))


def plan_schema() -> dict[str, Any]:
    """The JSON Schema (2020-12) of plan.json, as shipped in ``plan.schema.json``."""
    schema: dict[str, Any] = _untitled(wire.Plan.model_json_schema(by_alias=True, mode="validation"))
    results = "Only when the plan was carried out, or something was recovered."
    schema["properties"]["results"] = {"description": results, "$ref": "#/$defs/Results"}
    schema["properties"]["protected"] = {"description": "Only with --verbose.", "type": "array", "items": {"$ref": "#/$defs/Protected"}}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "$id": SCHEMA_ID} | schema | {"title": "Plan"}


def _untitled(schema: Any) -> Any:
    """The schema without the titles pydantic makes up from field names."""
    if isinstance(schema, dict):
        return {key: _untitled(value) for key, value in schema.items() if not (key == "title" and isinstance(value, str))}
    return [_untitled(value) for value in schema] if isinstance(schema, list) else schema


def render_schema() -> str:
    """The text of ``plan.schema.json``."""
    return json.dumps(plan_schema(), indent=2, ensure_ascii=False) + "\n"


def _mistake(error: Any) -> str:
    path = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in error["loc"]).lstrip(".")
    what = str(error["msg"]).replace("Input should be", "must be")
    what = re.sub(r"<\w+\.\w+: ('[^']*')>", r"\1", what)  # enum members by their value
    what = {"missing": "is missing", "extra_forbidden": "unknown key", "json_invalid": what}.get(error["type"], what)
    return f"{path}: {what}" if path else what


def _to_wire(report: Report) -> wire.Plan:
    plan = report.plan
    return wire.Plan(
        api_version="fleet.descheduler.io/v1alpha1",
        kind="Plan",
        metadata=_metadata(plan.metadata),
        summary=_summary(plan),
        moves=tuple(_move(move) for move in plan.moves),
        placements=tuple(_placement(placed) for placed in plan.placements),
        unplaced=tuple(wire.Unplaced(pod=_pod(left.pod), category=left.category, reason=left.reason) for left in plan.unplaced),
        protected=None
        if plan.protected is None
        else tuple(wire.Protected(pod=_pod(kept.pod), reason=kept.reason) for kept in plan.protected),
        fragmentation=wire.Fragmentation(before=_rooms(plan.before), after=_rooms(plan.after)),
        results=_results(report.outcome or NOTHING_DONE, report.recovered) if report.outcome or report.recovered else None,
    )


def _results(outcome: Outcome, recovered: tuple[StepResult, ...]) -> wire.Results:
    return wire.Results.model_validate(
        {
            "pending_after": outcome.pending_after,
            "steps": [{"step": r.subject, "outcome": r.outcome, "node": r.node, "message": r.message} for r in outcome.results],
            "drift": [{"cluster": c.cluster, "subject": c.subject, "message": c.message} for c in outcome.drift],
            "recovered": [{"subject": r.subject, "outcome": r.outcome, "message": r.message} for r in recovered],
        }
    )


def _read_outcome(part: wire.Results) -> Outcome:
    results = (StepResult(subject=x.step, outcome=x.outcome, node=x.node, message=x.message) for x in part.steps)
    drift = (Remark(cluster=x.cluster, subject=x.subject, message=x.message) for x in part.drift)
    return Outcome(results=tuple(results), pending_after=part.pending_after, drift=tuple(drift))


def _read_recovered(part: wire.Results) -> tuple[StepResult, ...]:
    return tuple(StepResult(subject=x.subject, outcome=x.outcome, message=x.message) for x in part.recovered)


def _metadata(metadata: Metadata) -> wire.Metadata:
    return wire.Metadata(
        run_id=metadata.run_id,
        created_at=metadata.created_at.astimezone(UTC).strftime(INSTANT),
        snapshot_digest=metadata.snapshot_digest,
        policy_digest=metadata.policy_digest,
        version=metadata.version,
        seed=metadata.seed,
        effort=_number(metadata.effort),
        reproducible=metadata.reproducible,
        clusters=tuple(wire.Cluster(name=name, uid=uid or None) for name, uid in metadata.clusters),
    )


def _summary(plan: Plan) -> wire.Summary:
    return wire.Summary(
        pending_before=plan.pending_before,
        placed=len(plan.placements),
        unplaced=len(plan.unplaced),
        moves=len(plan.moves),
        evictions=plan.evictions,
        waves=plan.waves,
        objectives=tuple(
            wire.Level(name=level.name, value=_known(level.value), bound=_known(level.bound), status=level.status)
            for level in plan.objectives
        ),
        by_priority=tuple(
            wire.Priority(priority=row.priority, pending_before=row.pending_before, placed=row.placed, bound=row.bound)
            for row in plan.by_priority
        ),
    )


def _move(move: Move) -> wire.Move:
    return wire.Move.model_validate(
        {
            "id": move.id,
            "wave": move.wave,
            "arrival_wave": move.arrival_wave,
            "cycle_break": move.cycle_break,
            "mover": move.mover,
            "pod": _pod(move.pod),
            "source": {"cluster": move.source.cluster, "node": move.source.node},
            "target": _target(move.target),
            "because": move.because,
            "makes_room_for": move.makes_room_for,
        }
    )


def _placement(placed: Placed) -> wire.Placement:
    return wire.Placement(
        wave=placed.wave, mover=placed.mover, contested=placed.contested, pod=_pod(placed.pod), target=_target(placed.target)
    )


def _pod(pod: PlanPod) -> wire.Pod:
    workload = None if pod.workload is None else wire.Workload(kind=pod.workload[0], name=pod.workload[1])
    return wire.Pod(cluster=pod.cluster, namespace=pod.namespace, name=pod.name, uid=pod.uid, workload=workload)


def _target(spot: Spot) -> wire.Target:
    return wire.Target(cluster=spot.cluster, node=spot.node)


def _rooms(rooms: Mapping[str, Fragmentation]) -> dict[str, wire.Room]:
    return {
        cluster: wire.Room(
            slots=dict(room.slots),
            largest_pod=wire.LargestPod(cpu=room.largest_pod.get("cpu", "0"), memory=room.largest_pod.get("memory", "0")),
            stranded={resource: _number(share) for resource, share in room.stranded.items()},
        )
        for cluster, room in rooms.items()
    }


def _number(value: float) -> int | float:
    """Whole numbers without a point: ``8``, not ``8.0``."""
    return int(value) if float(value).is_integer() else value


def _known(value: float | None) -> int | float | None:
    return None if value is None else _number(value)


def _from_wire(part: wire.Plan) -> Plan:
    return Plan(
        metadata=_read_metadata(part.metadata),
        pending_before=part.summary.pending_before,
        objectives=tuple(Level(name=x.name, value=x.value, bound=x.bound, status=x.status) for x in part.summary.objectives),
        by_priority=tuple(
            PriorityRow(priority=row.priority, pending_before=row.pending_before, placed=row.placed, bound=row.bound)
            for row in part.summary.by_priority
        ),
        moves=tuple(_read_move(move) for move in part.moves),
        placements=tuple(
            Placed(wave=x.wave, mover=x.mover, contested=x.contested, pod=_read_pod(x.pod), target=_read_spot(x.target))
            for x in part.placements
        ),
        unplaced=tuple(Unplaced(pod=_read_pod(x.pod), category=x.category, reason=x.reason) for x in part.unplaced),
        protected=None if part.protected is None else tuple(Protected(pod=_read_pod(x.pod), reason=x.reason) for x in part.protected),
        before=_read_rooms(part.fragmentation.before),
        after=_read_rooms(part.fragmentation.after),
    )


def _read_metadata(part: wire.Metadata) -> Metadata:
    return Metadata(
        run_id=part.run_id,
        created_at=datetime.strptime(part.created_at, INSTANT).replace(tzinfo=UTC),
        snapshot_digest=part.snapshot_digest,
        policy_digest=part.policy_digest,
        version=part.version,
        seed=part.seed,
        effort=part.effort,
        reproducible=part.reproducible,
        clusters=tuple((cluster.name, cluster.uid) for cluster in part.clusters),
    )


def _read_move(part: wire.Move) -> Move:
    return Move(
        id=part.id,
        wave=part.wave,
        arrival_wave=part.arrival_wave,
        cycle_break=part.cycle_break,
        mover=part.mover,
        pod=_read_pod(part.pod),
        source=_read_spot(part.source),
        target=_read_spot(part.target),
        because=part.because,
        makes_room_for=part.makes_room_for,
    )


def _read_pod(part: wire.Pod) -> PlanPod:
    workload = None if part.workload is None else (part.workload.kind, part.workload.name)
    return PlanPod(cluster=part.cluster, namespace=part.namespace, name=part.name, uid=part.uid, workload=workload)


def _read_spot(part: wire.Source | wire.Target) -> Spot:
    return Spot(cluster=part.cluster, node=part.node)


def _read_rooms(parts: Mapping[str, wire.Room]) -> dict[str, Fragmentation]:
    return {
        cluster: Fragmentation(
            slots=part.slots, largest_pod={"cpu": part.largest_pod.cpu, "memory": part.largest_pod.memory}, stranded=part.stranded
        )
        for cluster, part in parts.items()
    }
