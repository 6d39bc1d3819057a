"""What a run found, planned and did: everything a person may want to read about it."""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.domain.plan import Plan
from descheduler.domain.snapshot import Remark, Unreadable


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """The outcome of one move or placement that was carried out, or was not."""

    subject: str
    """A move's id, or ``cluster/namespace/name`` of a placed pod."""
    outcome: str
    """``Done``, ``Blocked``, ``Skipped`` or ``Failed``."""
    node: str | None = None
    """Where the pod runs now, if known."""
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What acting on a plan led to."""

    results: tuple[StepResult, ...] = ()
    pending_after: int | None = 0
    """Waiting pods, NotOurs left out, after the last wave; ``None`` when the fleet could not be read any more."""
    drift: tuple[Remark, ...] = ()
    """What had changed between the plan and the first step."""
    unfinished: bool = False
    """Whether something may be left for recovery to put in order."""

    @property
    def complete(self) -> bool:
        return all(result.outcome == "Done" for result in self.results)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The plan, what is worth knowing about the source, and the results if the plan was carried out."""

    plan: Plan
    unreadable: tuple[Unreadable, ...] = ()
    remarks: tuple[Remark, ...] = ()
    opaque: tuple[tuple[str, int], ...] = ()
    """(reason, number of pods): pods that use something not modelled exactly."""
    nodes: int = 0
    running: int = 0
    """Pods bound to a node, in all readable clusters."""
    recovered: tuple[StepResult, ...] = ()
    """What earlier, interrupted runs had left, and what became of it."""
    outcome: Outcome | None = None
