"""The sentences that text and Markdown share: the same plan is told in the same words everywhere."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeVar

from descheduler.domain.plan import Category, Level, Move, Placed, Plan, PlanPod, PriorityRow, Spot, Status, Unplaced
from descheduler.domain.report import Outcome, Report

MOST_NAMES = 10
"""How many pods with one and the same reason are listed by name."""

CATEGORIES: Mapping[Category, str] = {
    Category.ROOM: "no lawful moves that make room for them were found",
    Category.LIMITS: "the policy's limits, trigger or scope stand in the way",
    Category.NEVER: "no node could take them even if it were empty",
    Category.NOT_OURS: "they wait for something other than room",
}

Item = TypeVar("Item")
Key = TypeVar("Key")


def count(number: int, noun: str) -> str:
    """``1 move``, ``2 moves``."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def headline(plan: Plan) -> str:
    """The plan in one sentence."""
    moves = count(len(plan.moves), "move")
    if plan.evictions:
        moves += f" ({count(plan.evictions, 'eviction')})"
    if plan.moves and plan.waves > 1:
        moves += f" in {count(plan.waves, 'wave')}"
    one = len(plan.moves) == 1
    pending = count(plan.pending_before, "pending pod")
    if plan.placements and plan.moves:
        return f"{moves} {'makes' if one else 'make'} room for {len(plan.placements)} of {pending}"
    if plan.placements:
        return f"{len(plan.placements)} of {pending} fit as things are, no move is needed"
    state = f"none of {pending} can be placed" if plan.pending_before else "no pod is pending for lack of room"
    return f"{state}; {moves} {'gathers' if one else 'gather'} free room" if plan.moves else f"nothing to do: {state}"


def ending(outcome: Outcome, pending_before: int) -> str:
    """What acting led to, in one sentence."""
    done = sum(result.outcome == "Done" for result in outcome.results)
    after = "nobody knows how many" if outcome.pending_after is None else outcome.pending_after
    return f"{done} of {count(len(outcome.results), 'step')} done; pending pods: {pending_before} before, {after} after"


ELSEWHERE = "elsewhere"


def astray(plan: Plan, outcome: Outcome) -> list[tuple[str, str, str]]:
    """The steps that did not go as planned: how they ended, whose pod, and why or where."""
    planned = {move.id: move.target.node for move in plan.moves} | {str(placed.pod): placed.target.node for placed in plan.placements}
    subjects = {move.id: str(move.pod) for move in plan.moves}
    rows = []
    for result in outcome.results:
        name, node = subjects.get(result.subject, result.subject), planned.get(result.subject)
        if result.outcome != "Done":
            rows.append((result.outcome.lower(), name, result.message))
        elif result.node is not None and node not in (None, result.node):
            rows.append((ELSEWHERE, name, f"runs on {result.node} instead of {node}"))
    return rows


def fleet(report: Report) -> str | None:
    """The size of what was read; ``None`` when only a plan is known."""
    if not report.nodes:
        return None
    clusters = [name for name, _ in report.plan.metadata.clusters]
    pods = count(report.running, "running pod")
    return f"{count(len(clusters), 'cluster')} ({', '.join(clusters)}), {count(report.nodes, 'node')}, {pods}"


def proof(row: PriorityRow) -> str:
    """How far a priority's count is from the most that is possible."""
    if row.bound is None:
        return "no bound known"
    missing = row.bound - row.placed
    return "proven: no plan within the limits places more" if missing <= 0 else f"{missing} more not ruled out"


def level_proof(level: Level) -> str:
    """A level's status in words."""
    match level.status:
        case Status.OPTIMAL:
            return "proven optimal"
        case Status.FEASIBLE if level.value is not None and level.bound is not None:
            return f"at most {number(abs(level.bound - level.value))} from the best"
        case Status.FEASIBLE:
            return "not proven"
        case Status.NO_BOUND:
            return "no bound known"
        case Status.SKIPPED:
            return "not searched"


def number(value: float | None) -> str:
    """``8``, ``0.25``, or ``–`` when unknown."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"


def spot(where: Spot, pod: PlanPod) -> str:
    """A node, with its cluster only where it is not the pod's own."""
    node = where.node or "any node that fits"
    return node if where.cluster == pod.cluster else f"{where.cluster}/{node}"


def purpose(move: Move) -> str:
    """Whom a move makes room for, or why else it is made."""
    told = f"makes room for {listed(move.makes_room_for, 2)}" if move.makes_room_for else move.because
    return f"{told}; arrives in wave {move.arrival_wave} (breaks a cycle)" if move.cycle_break else told


def caveat(placed: Placed) -> str:
    """What a reader must know about a placement."""
    return "contested: another pending pod may take the room first" if placed.contested else ""


def listed(names: Sequence[str], most: int) -> str:
    """``a, b and 3 more``."""
    return ", ".join(names) if len(names) <= most + 1 else f"{', '.join(names[:most])} and {len(names) - most} more"


def grouped(items: Iterable[tuple[Key, Item]]) -> list[tuple[Key, list[Item]]]:
    """Items under their keys, keys in order of first appearance."""
    groups: dict[Key, list[Item]] = {}
    for key, item in items:
        groups.setdefault(key, []).append(item)
    return list(groups.items())


def left_pending(plan: Plan) -> list[tuple[Category, list[tuple[str, list[PlanPod]]]]]:
    """Unplaced pods by category, in the order of ``CATEGORIES``, then by reason."""
    by_category: dict[Category, list[Unplaced]] = dict(grouped((left.category, left) for left in plan.unplaced))
    return [(c, grouped((left.reason, left.pod) for left in by_category[c])) for c in CATEGORIES if c in by_category]


def names(pods: Sequence[PlanPod]) -> list[str]:
    """The pods by name; many of them as a few and how many more."""
    shown = [str(pod) for pod in pods]
    return shown if len(shown) <= MOST_NAMES else [*shown[:3], f"and {len(shown) - 3} more like them"]
