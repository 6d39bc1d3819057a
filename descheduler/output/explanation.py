"""An explanation as text or JSON: pure functions, nothing is read and nothing is printed here."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from descheduler.domain.durations import format_duration
from descheduler.domain.explanation import Bound, Exclusion, Explanation, Neighbours, NodeGroup, Occupants, Shortfall, Waiting
from descheduler.domain.plan import Move
from descheduler.domain.quantity import format_amount
from descheduler.domain.resources import EPHEMERAL_STORAGE, MEMORY, VOLUMES, Resources
from descheduler.output import words
from descheduler.output.page import Page, Row

KEY, DIM, GOOD, BAD, NAME = "bold", "dim", "green", "yellow", "cyan"
MEBI = 2**20
MOST = 4
"""How many nodes, or pods, are named before the rest is counted."""
MOST_ROWS = 6
"""How many shortfalls are listed before the rest is counted."""


def render_explanation(explanation: Explanation, format: str, *, colour: bool = False) -> str:
    """The explanation in one of ``FORMATS``, ending in a newline; ``colour`` means ANSI colours, in text only."""
    return FORMATS[format](explanation, colour)


def _text(explanation: Explanation, colour: bool) -> str:
    page, story = Page(), explanation.story
    _opening(page, explanation)
    if isinstance(story, Waiting):
        _scheduler(page, explanation, story)
        _plan(page, story)
        _nodes(page, explanation.groups, "nodes")
        _help(page, story)
    else:
        _protection(page, story)
        _nodes(page, explanation.groups, "other nodes")
    return page.text(colour=colour)


def _opening(page: Page, explanation: Explanation) -> None:
    pod = explanation.pod
    if isinstance(explanation.story, Bound):
        state = f" {'is terminating' if pod.terminating else 'runs' if pod.phase == 'Running' else 'is bound'} on {pod.node}"
    else:
        since = pod.waiting_since
        waited = f" for {format_duration(explanation.now - since)}" if since is not None and since <= explanation.now else ""
        state = " is terminating without a node" if pod.terminating else f" waits{waited}"
        state += f", nominated to {pod.nominated_node}" if pod.nominated_node else ""
    controller = f" · {' '.join(explanation.workload)}" if explanation.workload else " · no controller"
    page.line((str(pod.ref), KEY), state, (f"{controller} · priority {pod.priority}", DIM))


def _scheduler(page: Page, explanation: Explanation, story: Waiting) -> None:
    page.head("kube-scheduler")
    if story.not_ours is not None:
        page.line("  ", (f"waits for something other than room: {story.not_ours}", BAD))
    taking = next((group.nodes for group in explanation.groups if group.plugin is None), ())
    if taking:
        page.line("  ", (f"would bind it to {_listed(taking)} as things are", GOOD))
    else:
        page.line("  ", story.sentence)
    recorded = explanation.pod.scheduler_message
    if recorded and not recorded.startswith(story.sentence):
        page.line("  ", ("last heard: ", DIM), recorded)


def _plan(page: Page, story: Waiting) -> None:
    if story.not_ours is not None or (story.placed is None and story.unplaced is None):
        return
    page.head("plan")
    if story.placed is not None:
        how = f" on {words.spot(story.placed.target, story.placed.pod)} in wave {story.placed.wave} ({story.placed.mover})"
        page.line("  ", ("places it", GOOD), how, *((f"; {words.caveat(story.placed)}",) if story.placed.contested else ()))
    elif story.unplaced is not None:
        page.line("  ", (str(story.unplaced.category), BAD), f": {words.CATEGORIES[story.unplaced.category]}")
        if story.unplaced.reason != story.sentence:
            page.line("    ", story.unplaced.reason)
    page.columns([_moved(move) for move in story.moves], indent="    ")


def _moved(move: Move) -> Row:
    road = f"{words.spot(move.source, move.pod)} → {words.spot(move.target, move.pod)}"
    return (f"wave {move.wave}", (str(move.pod), NAME), road, str(move.mover))


def _nodes(page: Page, groups: tuple[NodeGroup, ...], title: str) -> None:
    page.head(title, f" ({sum(len(group.nodes) for group in groups)})")
    rows: list[Row] = []
    for group in groups:
        told = ", ".join(group.reasons) if group.plugin else "could take it"
        rows.append((str(len(group.nodes)), (group.plugin or "–", DIM), (told, "" if group.plugin else GOOD), (_listed(group.nodes), NAME)))
    page.columns(rows, right="><<<")


def _help(page: Page, story: Waiting) -> None:
    sections = (
        ("more room, the smallest need first", _short([s for s in story.shortfalls if not s.even_empty])),
        ("larger nodes: these are too small even when empty", _short([s for s in story.shortfalls if s.even_empty])),
        ("what shuts nodes to it", [_excluded(e) for e in story.exclusions]),
        ("rules between pods", [_neighbour(n) for n in story.neighbours]),
        ("who holds the room", [row for o in story.occupants for row in _occupied(o)]),
    )
    if not any(rows for _, rows in sections):
        return
    page.head("what would help")
    for title, rows in sections:
        if rows:
            page.line("  ", (title, DIM))
            page.columns(rows, indent="    ")


def _short(shortfalls: list[Shortfall]) -> list[Row]:
    rows: list[Row] = [(_amounts(s.lacking), f"on {_listed(s.nodes)}") for s in shortfalls[:MOST_ROWS]]
    rest = sum(len(s.nodes) for s in shortfalls[MOST_ROWS:])
    return [*rows, (("more", DIM), (f"on {words.count(rest, 'other node')}", DIM))] if rest else rows


def _amounts(lacking: Resources) -> str:
    return ", ".join(f"{_named(resource)} {_amount(resource, amount)}" for resource, amount in lacking.items())


def _named(resource: str) -> str:
    return f"attachments of {resource.removeprefix(VOLUMES)}" if resource.startswith(VOLUMES) else resource


def _amount(resource: str, amount: int) -> str:
    """Bytes are rounded up to mebibytes: it is told to people how much more there would have to be."""
    if resource in (MEMORY, EPHEMERAL_STORAGE) and amount > MEBI:
        return format_amount(resource, -(-amount // MEBI) * MEBI)
    return format_amount(resource, amount)


def _excluded(exclusion: Exclusion) -> Row:
    gain = f"{len(exclusion.roomy)} would take it otherwise" if exclusion.roomy else "no room there either"
    return (" and ".join(exclusion.causes), words.count(len(exclusion.nodes), "node"), (_listed(exclusion.nodes), NAME), (gain, DIM))


def _neighbour(neighbours: Neighbours) -> Row:
    pointed = words.listed(neighbours.pods, MOST) or neighbours.detail
    return (neighbours.reason, (_listed(neighbours.nodes), NAME), pointed)


def _occupied(occupants: Occupants) -> list[Row]:
    told = [f"may move: {words.listed(occupants.movable, MOST)}"] if occupants.movable else []
    told += [f"{count} × {reason}" for reason, count in occupants.protected]
    return [((occupants.node if first else "", NAME), line) for first, line in zip([True] + [False] * len(told), told, strict=False)]


def _protection(page: Page, story: Bound) -> None:
    page.head("may it be moved")
    page.line("  ", (f"no: {story.verdict}", BAD) if story.verdict is not None else ("yes", GOOD))
    if story.protections:
        page.head("protections")
        page.columns([(rule, reason) for rule, reason in story.protections])
    page.head("movers")
    page.columns([(mover, (reason, DIM) if reason is not None else ("applies", GOOD)) for mover, reason in story.movers])
    if story.budgets:
        page.head("budgets")
    for budget in story.budgets:
        allowed = "never allows a disruption" if budget.never else f"{words.count(budget.allowed, 'disruption')} allowed now"
        page.line(f"  PodDisruptionBudget {budget.name}: {budget.healthy} healthy, {budget.desired} desired, {allowed}")


def _listed(names: tuple[str, ...]) -> str:
    return words.listed(names, MOST)


def explanation_to_json(explanation: Explanation) -> dict[str, Any]:
    """The same as plain JSON values; amounts are Kubernetes quantities."""
    pod, story, workload = explanation.pod, explanation.story, explanation.workload
    return {
        "apiVersion": "fleet.descheduler.io/v1alpha1",
        "kind": "Explanation",
        "pod": {
            "cluster": pod.ref.cluster,
            "namespace": pod.ref.namespace,
            "name": pod.ref.name,
            "uid": pod.uid,
            "workload": {"kind": workload[0], "name": workload[1]} if workload else None,
        },
        "node": pod.node,
        "nodes": [{"plugin": g.plugin, "reasons": list(g.reasons), "nodes": list(g.nodes)} for g in explanation.groups],
        "waiting": _waiting(story) if isinstance(story, Waiting) else None,
        "bound": _bound(story) if isinstance(story, Bound) else None,
    }


def _waiting(story: Waiting) -> dict[str, Any]:
    return {
        "sentence": story.sentence,
        "notOurs": story.not_ours,
        "placed": {"wave": story.placed.wave, "mover": str(story.placed.mover), "node": story.placed.target.node} if story.placed else None,
        "moves": [
            {"id": m.id, "wave": m.wave, "mover": str(m.mover), "pod": str(m.pod), "from": m.source.node, "to": m.target.node}
            for m in story.moves
        ],
        "unplaced": {"category": str(story.unplaced.category), "reason": story.unplaced.reason} if story.unplaced else None,
        "shortfalls": [
            {"lacking": {r: format_amount(r, a) for r, a in s.lacking.items()}, "evenEmpty": s.even_empty, "nodes": list(s.nodes)}
            for s in story.shortfalls
        ],
        "exclusions": [{"causes": list(e.causes), "nodes": list(e.nodes), "roomy": list(e.roomy)} for e in story.exclusions],
        "neighbours": [
            {"reason": n.reason, "nodes": list(n.nodes), "pods": list(n.pods), "detail": n.detail or None} for n in story.neighbours
        ],
        "occupants": [
            {"node": o.node, "movable": list(o.movable), "protected": [{"reason": r, "pods": count} for r, count in o.protected]}
            for o in story.occupants
        ],
    }


def _bound(story: Bound) -> dict[str, Any]:
    return {
        "movable": story.verdict is None,
        "reason": story.verdict,
        "protections": [{"rule": rule, "reason": reason} for rule, reason in story.protections],
        "movers": [{"mover": mover, "reason": reason} for mover, reason in story.movers],
        "budgets": [
            {"name": b.name, "healthy": b.healthy, "desired": b.desired, "allowed": b.allowed, "never": b.never} for b in story.budgets
        ],
    }


FORMATS: Mapping[str, Callable[[Explanation, bool], str]] = {
    "text": _text,
    "json": lambda explanation, colour: json.dumps(explanation_to_json(explanation), indent=2, ensure_ascii=False, allow_nan=False) + "\n",
}
