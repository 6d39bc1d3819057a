"""What is proven about a large fleet's plan: clusters each by itself as long as that settles a level, then what they exchange, then all.

A level is settled when the clusters' own bounds add up to what the plan places: then every plan as good holds just these counts
in every cluster, and the next level can be asked cluster by cluster again. From the first open level on one cluster may gain by
another's giving way above; cuts say what each can have of both, and a small programme over counts adds them up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from descheduler.solver.arrays import Instance
from descheduler.solver.bounds import Cut, Proof, exchanged
from descheduler.solver.solution import LevelResult
from descheduler.solver.tasks import Pairs, all_together, exchangeable, proven

Ask = Callable[[Callable[..., Proof], Sequence[object]], list[Proof | None]]
"""Does a task for each of some arguments; ``None`` where it had to be left undone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A plan and what it is measured against."""

    priorities: tuple[int, ...]
    """Highest first."""
    instances: tuple[Instance, ...]
    """Relaxed, one a cluster."""
    placed: tuple[Pairs, ...]
    """By cluster."""
    ratio: int | None
    workers: int
    """Tasks that are done at a time."""
    deadline: float | None
    """``time.monotonic``; what is not proven by then is no bound."""

    def seconds(self, tasks: int = 1) -> float | None:
        """What is left of the time, or a fair share of it for one of so many tasks."""
        return None if self.deadline is None else (self.deadline - time.monotonic()) / max(1.0, tasks / self.workers)

    def reached(self) -> dict[int, int]:
        """What the plan places in all."""
        return {p: sum(dict(placed).get(p, 0) for placed in self.placed) for p in self.priorities}


def proofs(question: Question, ask: Ask) -> tuple[tuple[LevelResult, ...], bool]:
    """Each level with its bound, and whether the clock kept anything from being proven."""
    reached = question.reached()
    each = question.seconds(2 * len(question.instances))
    asked: list[Any] = [(i, placed, each) for i, placed in zip(question.instances, question.placed, strict=True)]
    alone = [proof or Proof(cut_short=True) for proof in ask(proven, asked)]
    known = _settled(question, [proof.bounds for proof in alone], reached)
    open_ = tuple(p for p in question.priorities if known.get(p, reached[p] + 1) > reached[p])
    late = any(proof.cut_short for proof in alone)
    known |= {p: 0 for p in open_ if not any(p in i.priorities for i in question.instances)}
    if open_ and len(question.instances) > 1:
        more, too_late = _open(question, [proof.bounds for proof in alone], reached, open_, ask)
        late |= too_late
        for priority, bound in more.items():
            known[priority] = min(bound, known.get(priority, bound))
    elif question.ratio is not None or len(open_) > 1:
        more, too_late = _jointly(question, [()] * len(question.instances), reached, open_, ask)
        late |= too_late
        for priority, bound in more.items():
            known[priority] = min(bound, known.get(priority, bound))
    found = (LevelResult(name="PendingPods", key=p, value=reached[p], bound=known.get(p)) for p in question.priorities)
    return tuple(found), late


def _settled(question: Question, alone: Sequence[Mapping[int, int]], reached: Mapping[int, int]) -> dict[int, int]:
    """The clusters' own bounds added up, down to the first level that they leave open."""
    here = [i.priorities for i in question.instances]
    found: dict[int, int] = {}
    for priority in question.priorities:
        if not all(priority in own for own, some in zip(alone, here, strict=True) if priority in some):
            break
        found[priority] = sum(own.get(priority, 0) for own in alone)
        if found[priority] > reached[priority]:
            break
    return found


def _open(
    question: Question, alone: Sequence[Mapping[int, int]], reached: Mapping[int, int], open_: tuple[int, ...], ask: Ask
) -> tuple[dict[int, int], bool]:
    """Bounds of the levels from the first open one on."""
    settled = [tuple((p, k) for p, k in placed if p not in open_) for placed in question.placed]
    each = question.seconds(2 * len(question.instances))
    asked: list[Any] = [(i, held, open_, each) for i, held in zip(question.instances, settled, strict=True)]
    told = [proof or Proof(cut_short=True) for proof in ask(exchangeable, asked)]
    first = open_[0]
    cuts = [
        (*proof.cuts, *([Cut(weights=((first, 1),), limit=own[first])] if first in own else []))
        for proof, own in zip(told, alone, strict=True)
    ]
    found = exchanged(cuts, open_, reached)
    more, late = _jointly(question, cuts, reached, open_, ask)
    for priority, bound in more.items():
        found[priority] = min(bound, found.get(priority, bound))
    return found, late or any(proof.cut_short for proof in told)


def _jointly(
    question: Question, cuts: Sequence[Sequence[Cut]], reached: Mapping[int, int], open_: tuple[int, ...], ask: Ask
) -> tuple[dict[int, int], bool]:
    task = (question.instances, cuts, tuple(reached.items()), open_, question.ratio, question.seconds())
    proof = ask(all_together, [task])[0] or Proof(cut_short=True)
    return proof.bounds, proof.cut_short
