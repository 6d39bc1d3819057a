"""What a peer answers."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.domain.placement import Placement


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An end state, or why there is none."""

    placement: Placement | None
    note: str = ""
