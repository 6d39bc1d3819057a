"""What earlier runs did, as far as later ones must heed it: moves by workload, and how often a pod was seen waiting."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

Workload = tuple[str, str, str, str]
"""(cluster, namespace, kind, name)."""

BEGUN, DONE, FAILED, BLOCKED = "Begun", "Done", "Failed", "Blocked"
IN_VAIN = (FAILED, BLOCKED)


@dataclass(frozen=True, slots=True, kw_only=True)
class PastMove:
    """One pod of a workload that a run moved, or meant to."""

    workload: Workload
    source: str
    """The node it left."""
    target: str | None
    """The node it went to, or was to go to."""
    at: datetime
    outcome: str
    """``Begun`` when the run did not live to tell: it counts as done. ``Blocked``: tried in vain, the pod stayed where it was."""
    run: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """The memory of the clusters of a fleet."""

    moves: tuple[PastMove, ...] = ()
    seen: Mapping[str, int] | None = None
    """UID of a waiting pod to the number of runs in a row that saw it wait; ``None`` where nobody counts."""
    _by_workload: dict[Workload, list[PastMove]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for move in sorted(self.moves, key=lambda each: each.at):
            self._by_workload.setdefault(move.workload, []).append(move)

    def of(self, workload: Workload) -> Iterable[PastMove]:
        """A workload's moves, the oldest first."""
        return self._by_workload.get(workload, ())

    def since(self, instant: datetime, workload: Workload | None = None) -> int:
        """How many pods were moved after an instant, in all or of one workload."""
        moves = self.moves if workload is None else self.of(workload)
        return sum(move.at > instant and move.outcome != BLOCKED for move in moves)

    def resting_until(self, workload: Workload, pause: timedelta, longest: timedelta) -> datetime | None:
        """Until when a workload is left alone; every attempt in vain in a row doubles the pause, up to the longest."""
        moves = list(self.of(workload))
        if not moves or not pause:
            return None
        for move in reversed(moves):
            if move.outcome not in IN_VAIN or pause >= longest:
                break
            pause = min(2 * pause, longest)
        return moves[-1].at + pause

    def benched(self, workload: Workload, since: datetime) -> frozenset[str]:
        """Nodes to which no pod of a workload is moved: one was moved away from there, or did not do well there."""
        recent = [move for move in self.of(workload) if move.at > since]
        left = {move.source for move in recent if move.outcome not in IN_VAIN}
        return frozenset(left | {move.target for move in recent if move.outcome in IN_VAIN and move.target is not None})


NO_HISTORY = History()
