"""The memory of a fleet, kept in its clusters: what was moved, by workload, and who was seen waiting. One bounded ConfigMap each.

A move is written down before it begins, so that a run that is killed counts too; how it ended is written when it has ended.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import accumulate, takewhile
from typing import Any

from descheduler.domain.history import BEGUN, BLOCKED, DONE, FAILED, IN_VAIN, History, PastMove
from descheduler.domain.plan import Move, Plan
from descheduler.domain.report import StepResult
from descheduler.domain.snapshot import Snapshot
from descheduler.policy.policy import Policy
from descheduler.ports import Body, Store

MOST_MOVES = 2000
MOST_SEEN = 5000
"""What is kept of a cluster at most; the oldest is forgotten first."""
MOST_CHARACTERS = 600_000
"""Of all moves of a cluster together, as JSON; names may be long, and an object must stay under 1 MiB."""
SHORTEST_MEMORY = timedelta(hours=24)
INSTANT = "%Y-%m-%dT%H:%M:%SZ"


class Unreadable(ValueError):
    """A state that is not what we write."""


def recall(store: Store, clusters: Iterable[str]) -> tuple[History, dict[str, str]]:
    """What earlier runs did, and the clusters whose memory cannot be had: there nothing may be done, for limits could be exceeded."""
    moves: list[PastMove] = []
    seen: dict[str, int] = {}
    lost: dict[str, str] = {}
    for cluster in clusters:
        state = store.load(cluster)
        try:
            if state is None:
                raise Unreadable("it cannot be read")
            moves += _moves(cluster, state)
            seen |= _seen(state)
        except (Unreadable, KeyError, TypeError, ValueError) as error:
            lost[cluster] = f"what earlier runs did in {cluster} is not known: {error}"
    return History(moves=tuple(moves), seen=seen), lost


def _moves(cluster: str, state: Body) -> list[PastMove]:
    return [
        PastMove(
            workload=(cluster, str(told["namespace"]), str(told["kind"]), str(told["name"])),
            source=str(told["from"]),
            target=told["to"],
            at=datetime.strptime(told["at"], INSTANT).replace(tzinfo=UTC),
            outcome=str(told["outcome"]),
            run=str(told["run"]),
        )
        for told in state.get("moves", ())
    ]


def _seen(state: Body) -> dict[str, int]:
    seen = state.get("seen", {})
    if not isinstance(seen, Mapping):
        raise Unreadable("seen is not a map")
    return {str(uid): int(count) for uid, count in seen.items()}


def write_down(store: Store, cluster: str, history: History, policy: Policy, now: datetime) -> str | None:
    """Keep what concerns a cluster and is young enough to matter; why that did not work, or ``None``."""
    windows = [window.window for window in policy.spec.limits.per_window]
    memory = max([SHORTEST_MEMORY, policy.spec.cooldown.backoff_max, *windows])
    ours = [move for move in history.moves if move.workload[0] == cluster and now - move.at <= memory]
    told = [_told(move) for move in sorted(ours, key=lambda move: move.at)[-MOST_MOVES:]]
    seen = dict(sorted((history.seen or {}).items())[:MOST_SEEN])
    return store.save(cluster, {"moves": _newest(told), "seen": seen})


def _newest(moves: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As many of the newest, which come last, as there is room for."""
    sizes = accumulate(len(json.dumps(move)) for move in reversed(moves))
    kept = sum(1 for _ in takewhile(lambda size: size <= MOST_CHARACTERS, sizes))
    return moves[len(moves) - kept :]


def _told(move: PastMove) -> dict[str, Any]:
    _, namespace, kind, name = move.workload
    where = {"namespace": namespace, "kind": kind, "name": name, "from": move.source, "to": move.target}
    return {**where, "at": move.at.strftime(INSTANT), "outcome": move.outcome, "run": move.run}


def begun(plan: Plan, history: History, now: datetime) -> History:
    """The history with every move of a plan as begun."""
    return replace(history, moves=(*history.moves, *(_past(plan, move, now) for move in plan.moves)))


def ended(plan: Plan, history: History, results: Iterable[StepResult], now: datetime) -> History:
    """The history when the plan has been carried out: moves that were not begun are forgotten again."""
    outcomes = {result.subject: result for result in results}
    before = tuple(move for move in history.moves if move.run != plan.metadata.run_id)
    told = [
        (move, outcomes[move.id]) for move in plan.moves if move.id in outcomes and outcomes[move.id].outcome in (DONE, FAILED, BLOCKED)
    ]
    return replace(history, moves=(*before, *(replace(_past(plan, m, now), outcome=r.outcome, target=_target(m, r)) for m, r in told)))


def _past(plan: Plan, move: Move, now: datetime) -> PastMove:
    kind, name = move.pod.workload or ("Pod", move.pod.name)
    return PastMove(
        workload=(move.pod.cluster, move.pod.namespace, kind, name),
        source=str(move.source.node),
        target=move.target.node,
        at=now.replace(microsecond=0),
        outcome=BEGUN,
        run=plan.metadata.run_id,
    )


def _target(move: Move, result: StepResult) -> str | None:
    return move.target.node if result.outcome in IN_VAIN else result.node or move.target.node


def counted(snapshot: Snapshot, history: History) -> History:
    """The history after a run that saw these pods waiting; who waits no longer begins anew."""
    before = history.seen or {}
    return replace(history, seen={pod.uid: before.get(pod.uid, 0) + 1 for pod in snapshot.pods() if pod.waiting})


def counts_runs(policy: Policy) -> bool:
    """Whether anybody asks how often a pod was seen."""
    triggers = [policy.spec.trigger, *(o.trigger for o in policy.spec.overrides if "trigger" in o.model_fields_set)]
    return any(trigger.seen_in_runs > 1 for trigger in triggers)
