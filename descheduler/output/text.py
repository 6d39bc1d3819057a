"""The face of the tool: what waits, what moves where and for whom, what stays pending and why, and how sure that is."""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.domain.plan import Category, Fragmentation, Plan
from descheduler.domain.report import Outcome, Report, StepResult
from descheduler.output import words
from descheduler.output.page import Cell, Page, Row, aligned

MOST_DRIFT = 20
"""How many changes since the plan are listed; JSON has all of them."""
GOOD, BAD, DIM, NAME, KEY = "green", "red", "dim", "cyan", "bold"


def render_text(report: Report, *, colour: bool = False) -> str:
    """The report for a person at a terminal, or in a log when ``colour`` is off."""
    page, plan = Page(), report.plan
    _opening(page, report)
    _notes(page, report)
    _recovered(page, report.recovered)
    _priorities(page, plan)
    _objectives(page, plan)
    _waves(page, plan)
    _left_pending(page, plan)
    _protected(page, plan)
    _room(page, plan)
    if report.outcome is not None:
        _results(page, plan, report.outcome)
    return page.text(colour=colour)


def _opening(page: Page, report: Report) -> None:
    metadata = report.plan.metadata
    page.line(
        (f"plan {metadata.run_id[:8]}", KEY),
        f" of {metadata.created_at:%Y-%m-%d %H:%M:%S} UTC: ",
        (words.headline(report.plan), KEY),
    )
    size = words.fleet(report)
    if size is not None:
        page.line(("fleet: ", DIM), size)
    if not metadata.reproducible:
        page.line(("cut short by the time limit: another run may find another plan", "yellow"))


def _notes(page: Page, report: Report) -> None:
    """What limits how far the plan can be trusted, before the plan itself."""
    for unreadable in report.unreadable:
        page.line(("unreadable: ", BAD), f"{unreadable.cluster}: {unreadable.reason} (neither source nor destination)")
    if report.opaque:
        pods = sum(number for _, number in report.opaque)
        verbs = "holds its room and is" if pods == 1 else "hold their room and are"
        page.line(
            ("not modelled: ", "yellow"),
            f"{words.count(pods, 'pod')} {verbs} never moved or placed: ",
            "; ".join(f"{number} × {reason}" for reason, number in report.opaque),
        )
    subjects_of = words.grouped((remark.message, remark.where) for remark in report.remarks)
    for message, subjects in subjects_of:
        page.line(("note: ", "yellow"), f"{words.listed(subjects, 3)}: {message}")


def _recovered(page: Page, results: tuple[StepResult, ...]) -> None:
    for result in results:
        mark = ("left by an interrupted run: ", "yellow" if result.outcome == "Done" else BAD)
        page.line(mark, f"{result.subject}: {result.message}")


def render_recovery(results: tuple[StepResult, ...], clusters: Sequence[str], *, colour: bool = False) -> str:
    """What ``recover`` found and did."""
    page = Page()
    if not results:
        page.line(f"nothing to recover in {', '.join(clusters)}")
    _recovered(page, results)
    return page.text(colour=colour)


def _priorities(page: Page, plan: Plan) -> None:
    if not plan.by_priority:
        return
    page.line()
    header: Row = tuple((title, DIM) for title in ("priority", "pending", "placed", "at most", ""))
    rows: list[Row] = [header]
    for row in plan.by_priority:
        proven = row.bound is not None and row.bound <= row.placed
        rows.append(
            (
                str(row.priority),
                str(row.pending_before),
                (str(row.placed), GOOD if row.placed == row.pending_before else ""),
                words.number(row.bound),
                (words.proof(row), DIM if proven else "yellow"),
            )
        )
    page.columns(rows, right=">>>><")


def _objectives(page: Page, plan: Plan) -> None:
    if not plan.objectives:
        return
    page.line()
    header: Row = tuple((title, DIM) for title in ("objective", "value", "bound", ""))
    rows: list[Row] = [header]
    for level in plan.objectives:
        told: Row = (level.name, words.number(level.value), words.number(level.bound), (words.level_proof(level), DIM))
        rows.append(told)
    page.columns(rows, right="<>><")


def _waves(page: Page, plan: Plan) -> None:
    """Wave by wave; columns stand below each other across all waves."""
    steps: list[tuple[int, Row]] = []
    for placed in plan.placements:
        target = f"→ {words.spot(placed.target, placed.pod)}"
        steps.append((placed.wave, (("place", GOOD), (str(placed.pod), NAME), target, str(placed.mover), words.caveat(placed))))
    for move in plan.moves:
        road = f"{words.spot(move.source, move.pod)} → {words.spot(move.target, move.pod)}"
        steps.append((move.wave, ("move", (str(move.pod), NAME), road, str(move.mover), words.purpose(move))))
        if move.arrival_wave > move.wave:
            arrival: Row = ("arrive", (str(move.pod), NAME), f"→ {words.spot(move.target, move.pod)}", str(move.mover), "")
            steps.append((move.arrival_wave, arrival))
    rows: list[tuple[int, list[Cell]]] = list(zip((wave for wave, _ in steps), aligned([row for _, row in steps]), strict=True))
    for wave in sorted({wave for wave, _ in rows}):
        page.head(f"wave {wave}")
        for _, row in (row for row in rows if row[0] == wave):
            page.line("  ", *row)


def _left_pending(page: Page, plan: Plan) -> None:
    if not plan.unplaced:
        return
    page.head("left pending", f" ({len(plan.unplaced)})")
    for category, reasons in words.left_pending(plan):
        total = sum(len(pods) for _, pods in reasons)
        colour = DIM if category is Category.NOT_OURS else "yellow"
        page.line("  ", (str(category), colour), f" · {words.count(total, 'pod')}: {words.CATEGORIES[category]}")
        for reason, pods in reasons:
            page.line(f"    {reason}" + (f"  × {len(pods)}" if len(pods) > 1 else ""))
            for name in words.names(pods):
                page.line("      ", (name, NAME))


def _protected(page: Page, plan: Plan) -> None:
    if plan.protected is None:
        return
    page.head("may not move", f" ({len(plan.protected)})")
    for reason, pods in words.grouped((kept.reason, kept.pod) for kept in plan.protected):
        page.line(f"  {reason}" + (f"  × {len(pods)}" if len(pods) > 1 else ""))
        for name in words.names(pods):
            page.line("    ", (name, NAME))


def _room(page: Page, plan: Plan) -> None:
    if not plan.before:
        return
    page.head("free room", ", before → after")
    rows: list[Row] = []
    for cluster, before in plan.before.items():
        after = plan.after.get(cluster, before)
        for position, (what, was, will_be) in enumerate(_measures(before, after)):
            rows.append((cluster if position == 0 else "", what, _change(was, will_be)))
    page.columns(rows)


def _measures(before: Fragmentation, after: Fragmentation) -> list[tuple[str, str, str]]:
    """What is told about a cluster's free room: what, before, after."""
    slots = [(f"slots for {shape}", words.number(number), words.number(after.slots.get(shape))) for shape, number in before.slots.items()]
    stranded = [] if not before.stranded else [("stranded", _shares(before), _shares(after))]
    return [*slots, ("largest pod that fits", _largest(before), _largest(after)), *stranded]


def _largest(room: Fragmentation) -> str:
    return ", ".join(f"{resource} {amount}" for resource, amount in room.largest_pod.items()) or "none"


def _shares(room: Fragmentation) -> str:
    return ", ".join(f"{resource} {share:.0%}" for resource, share in room.stranded.items())


def _change(before: str, after: str) -> Cell:
    return (f"{before}", DIM) if before == after else f"{before} → {after}"


def _results(page: Page, plan: Plan, outcome: Outcome) -> None:
    """What acting led to; only what did not go as planned is listed."""
    page.head("done" if outcome.complete else "partly done", f": {words.ending(outcome, plan.pending_before)}")
    for remark in outcome.drift[:MOST_DRIFT]:
        page.line(("changed: ", "yellow"), f"{remark.where}: {remark.message}")
    if len(outcome.drift) > MOST_DRIFT:
        page.line(("changed: ", "yellow"), f"{len(outcome.drift) - MOST_DRIFT} more")
    rows: list[Row] = []
    for how, whose, what in words.astray(plan, outcome):
        rows.append((how if how == words.ELSEWHERE else (how, BAD), (whose, NAME), what))
    page.columns(rows)
