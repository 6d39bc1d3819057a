"""The plan as a comment on a pull request: the outcome at a glance, the details folded away."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from descheduler.domain.plan import Plan
from descheduler.domain.report import Report
from descheduler.output import words


def render_markdown(report: Report) -> str:
    """The report in GitHub's Markdown."""
    plan = report.plan
    lines = [f"### descheduler: {_escaped(words.headline(plan))}", ""]
    size = words.fleet(report)
    if size is not None:
        lines += [_escaped(f"Fleet: {size}."), ""]
    if not plan.metadata.reproducible:
        lines += ["**Cut short by the time limit: another run may find another plan.**", ""]
    lines += [f"**Unreadable:** {_escaped(f'{gone.cluster}: {gone.reason}')}\n" for gone in report.unreadable]
    if plan.by_priority:
        rows = [(row.priority, row.pending_before, row.placed, words.number(row.bound), words.proof(row)) for row in plan.by_priority]
        lines += [*_table(("priority", "pending", "placed", "at most", "proof"), rows), ""]
    if plan.moves or plan.placements:
        lines += _folded(f"{words.count(plan.waves, 'wave')}, step by step", _steps(plan))
    if plan.unplaced:
        lines += _folded(f"{words.count(len(plan.unplaced), 'pod')} left pending", _left_pending(plan))
    if plan.before:
        lines += _folded("free room", _room(plan))
    if report.outcome is not None:
        lines += [f"**{'Done' if report.outcome.complete else 'Partly done'}:** {words.ending(report.outcome, plan.pending_before)}.", ""]
        astray = words.astray(plan, report.outcome)
        lines += [*_table(("step", "pod", ""), astray), ""] if astray else []
    metadata = plan.metadata
    made = f"plan {metadata.run_id} · descheduler {metadata.version} · seed {metadata.seed} · {metadata.snapshot_digest[:19]}"
    lines.append(f"<sub>{_escaped(made)}</sub>")
    return "\n".join(lines) + "\n"


def _steps(plan: Plan) -> list[str]:
    rows: list[tuple[int, int, Sequence[object]]] = []
    for placed in plan.placements:
        target = f"→ {words.spot(placed.target, placed.pod)}"
        rows.append((placed.wave, 0, (placed.wave, "place", placed.pod, target, placed.mover, words.caveat(placed))))
    for move in plan.moves:
        road = f"{words.spot(move.source, move.pod)} → {words.spot(move.target, move.pod)}"
        rows.append((move.wave, 1, (move.wave, "move", move.pod, road, move.mover, words.purpose(move))))
    rows.sort(key=lambda row: row[:2])
    return _table(("wave", "step", "pod", "node", "mover", ""), [cells for _, _, cells in rows])


def _left_pending(plan: Plan) -> list[str]:
    rows = [
        (category, reason, len(pods), ", ".join(words.names(pods)))
        for category, reasons in words.left_pending(plan)
        for reason, pods in reasons
    ]
    return _table(("category", "reason", "pods", "which"), rows)


def _room(plan: Plan) -> list[str]:
    rows = [
        (cluster, shape, slots, words.number(plan.after[cluster].slots.get(shape) if cluster in plan.after else None))
        for cluster, room in plan.before.items()
        for shape, slots in room.slots.items()
    ]
    return _table(("cluster", "shape", "slots before", "after"), rows)


def _folded(title: str, lines: Iterable[str]) -> list[str]:
    return ["<details>", f"<summary>{_escaped(title)}</summary>", "", *lines, "", "</details>", ""]


def _table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    return [
        f"| {' | '.join(header)} |",
        f"|{' --- |' * len(header)}",
        *(f"| {' | '.join(_escaped(str(cell)) for cell in row)} |" for row in rows),
    ]


def _escaped(text: str) -> str:
    """Text that means itself: names and reasons come from clusters, and must not become markup or a mention."""
    for sign, stands_for in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;"), ("|", "\\|"), ("\n", " ")):
        text = text.replace(sign, stands_for)
    for sign in "*_`[]":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("@", "@\u200b")  # a zero-width space: nobody is called by a pod's name
