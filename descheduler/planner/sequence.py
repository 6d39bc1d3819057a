"""Waves from a sequence of steps that was found lawful one after another."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from descheduler.domain.placement import Bind, Placement, Route, Shift
from descheduler.domain.problem import Problem
from descheduler.planner.ledger import Ledger
from descheduler.planner.order import Ordered, shifted, take
from descheduler.rules.movers import TECHNIQUES

Step = tuple[int, int, int]
"""(class, node it leaves or -1 for a waiting pod, node it comes to)."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Nodes on which rivals are about: the later room is made and the sooner it is taken, the fewer of them are left to take it."""

    waits: frozenset[int] = frozenset()
    """Whoever comes in made room waits until all have left who leave earlier in the sequence."""
    holds: frozenset[int] = frozenset()
    """Whoever leaves waits until all have come who come earlier in the sequence."""

    def more(self, robbed: AbstractSet[int], everywhere: frozenset[int]) -> Patience:
        """With nodes on which somebody could still be robbed; on all of them once that does not help."""
        told = Patience(self.waits | robbed, self.holds | (robbed & self.waits))
        return told if told != self else Patience(everywhere, everywhere if self.waits == everywhere else self.holds)


HASTY = Patience()


def in_sequence(problem: Problem, steps: Sequence[Step], patience: Patience = HASTY) -> Ordered:
    """Each step in the first wave in which it is lawful. Nobody comes to a node before those who come there earlier in the sequence.

    Room therefore never runs out in another order than the one in which it was counted.
    """
    ledger = Ledger(problem)
    left = list(steps)
    leaving = Counter((c, source) for c, source, _ in steps if source >= 0)
    shifts: list[Shift] = []
    binds: list[Bind] = []
    for wave in range(1, problem.terms.waves + 1):
        waiting: list[Step] = []
        late: set[int] = set()
        half_made: set[int] = set()
        expected: set[int] = set()
        freed: list[int] = []
        for step in left:
            c, source, target = step
            hasty = (wave > 1 and target in half_made) or source in expected
            half_made |= {source} & patience.waits
            expected |= {target} & patience.holds
            if target in late or hasty:
                late.add(target)
                waiting.append(step)
            elif source < 0 and ledger.bind(c, target):
                binds.append(Bind(wave=wave, pod_class=c, target=target))
            elif source >= 0 and (mover := shifted(ledger, c, source, target, leaving)) is not None:
                shifts.append(Shift(wave=wave, arrival_wave=wave, pod_class=c, source=source, target=target, mover=mover))
                take(leaving, (c, source))
                freed += [c] if TECHNIQUES[mover].spends_budget else []
            else:
                late.add(target)
                waiting.append(step)
        if len(waiting) == len(left):
            break
        ledger.close(freed)
        left = waiting
    stuck = Placement(
        departures=Counter((c, source) for c, source, _ in left if source >= 0), arrivals=Counter((c, target) for c, _, target in left)
    )
    return Ordered(route=Route(shifts=tuple(sorted(shifts)), binds=tuple(sorted(binds))), stuck=stuck)
