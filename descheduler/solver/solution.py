"""What a search brings back: a placement, and for every level its value, its bound and whether it is proven."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from descheduler.domain.placement import Placement, Route


def never() -> bool:
    """Nobody asks for an early end."""
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelResult:
    """One level of the strict order. ``key`` tells levels of one objective apart: a priority, or a word."""

    name: str
    key: int | str
    value: float
    bound: float | None
    """Proven best value while all higher levels keep theirs; ``None`` when nothing was proven."""

    @property
    def optimal(self) -> bool:
        return self.bound is not None and abs(self.value - self.bound) < 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """A placement that obeys every row in the end state, and where the search was timed in every wave."""

    placement: Placement
    levels: tuple[LevelResult, ...] = ()
    reproducible: bool = True
    doubt: str = ""
    """A contradiction the solver ran into; the placement is still judged like any other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """How hard to look, counted so that equal searches end alike."""

    effort: float = 1.0
    seed: int = 0
    deadline: float | None = None
    """When to stop at the latest (``time.monotonic``); only an emergency stop, it makes the result irreproducible."""
    stop: Callable[[], bool] = never
    """Whether to stop now, asked at fixed points and while the solver works; it makes the result irreproducible too."""
    heard: Callable[[LevelResult], None] | None = None
    """Told of every better assignment of a level; not verified."""
    forbidden: frozenset[tuple[int, int]] = frozenset()
    """(class, node) that nothing may arrive at: what could not be carried out before."""
    clusters: frozenset[str] | None = None
    """Only these clusters' pods move or are placed; ``None`` for all."""
    sources: frozenset[int] | None = None
    """Pods leave only these nodes; ``None``: any."""
    targets: frozenset[int] | None = None
    """Pods come only to these nodes; ``None``: any."""
    spent: Placement = field(default_factory=Placement)
    """What other blocks of the same run already use of the limits."""
    waves: int = 0
    """Model this many waves explicitly in the clusters of ``timed``; 0 judges the end state only."""
    timed: frozenset[str] = frozenset()
    """Clusters in which the end state alone could not be ordered; the others stay relaxed, so bounds remain valid."""
    quick: bool = False
    """Only PendingPods and the number of moves, no tie-breaks."""
    ceilings: tuple[tuple[str, int | str, float], ...] = ()
    """(name, key, bound) proven before: a search that reaches one stops there."""
    hint: Route | None = None
    """A route to start from; only for a model with waves."""
    reached: tuple[tuple[str, int, int], ...] = ()
    """(cluster, priority, placed) of a realised plan: levels are held at these instead of the best found, for its bounds."""
