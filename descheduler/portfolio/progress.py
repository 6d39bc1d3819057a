"""How far a search is: the verified plan it would give now, and how much better one could be."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.solver.solution import LevelResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Told whenever something changes."""

    placed: int
    """Waiting pods that the best verified plan so far places."""
    pending: int
    """Waiting pods that are ours to place."""
    moves: int
    bound: int | None = None
    """The proven bounds of all priorities added up, as the plan tells them; ``None`` while one is unknown."""
    level: LevelResult | None = None
    """What is searched at the moment, and the best found for it; not verified yet."""

    @property
    def gap(self) -> int | None:
        """How many more pods are not ruled out."""
        return None if self.bound is None else max(0, self.bound - self.placed)
