"""Waves, greedily: as many lawful moves as possible in each, waiting pods as soon as they stand in nobody's way.

A wave is lawful in any order: arrivals count from its beginning, leavers until its end (DESIGN.md section 4). What
cannot be ordered is returned, never forced. When nothing else goes, a cycle is broken by a move that may leave in one
wave and arrive in a later one, as often as the policy allows.
"""

from __future__ import annotations

from dataclasses import dataclass

from descheduler.domain.placement import Bind, Placement, Route, Shift, Spots
from descheduler.domain.plan import Mover
from descheduler.domain.problem import Problem
from descheduler.planner.ledger import Ledger
from descheduler.rules.movers import TECHNIQUES

Counts = dict[tuple[int, int], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ordered:
    """A lawful route, and what of the placement it leaves out."""

    route: Route
    stuck: Placement

    @property
    def complete(self) -> bool:
        return not self.stuck.departures and not self.stuck.arrivals


class _Planner:
    def __init__(self, problem: Problem, placement: Placement, late: frozenset[int]) -> None:
        self.problem = problem
        self.late = late
        self.ledger = Ledger(problem)
        self.leaving: Counts = dict(placement.departures)
        self.coming: Counts = {k: v for k, v in placement.arrivals.items() if not problem.classes[k[0]].waiting}
        self.waiting: Counts = {k: v for k, v in placement.arrivals.items() if problem.classes[k[0]].waiting}
        self.held: list[tuple[int, int, int, Mover]] = []
        """(class, source, wave it left in, mover) of pods that have left and not arrived."""
        self.shifts: list[Shift] = []
        self.binds: list[Bind] = []
        self.breaks = 0

    def run(self) -> Ordered:
        for wave in range(1, self.problem.terms.waves + 1):
            if not (self.leaving or self.coming or self.waiting or self.held):
                break
            done = len(self.shifts) + len(self.binds)
            freed = self._arrive_held(wave)
            freed += self._move(wave)
            self._place(wave, patient=True)
            if len(self.shifts) + len(self.binds) == done:
                self._place(wave, patient=False)
            if len(self.shifts) + len(self.binds) == done and self.late:
                self.late = frozenset()
                freed += self._move(wave)
                self._place(wave, patient=True)
            if len(self.shifts) + len(self.binds) == done and not self._break_cycle(wave):
                break
            self.ledger.close(freed)
        return self._ordered()

    def _ordered(self) -> Ordered:
        departures = dict(self.leaving)
        for c, source, _, _ in self.held:
            departures[c, source] = departures.get((c, source), 0) + 1
        stuck = Placement(departures=departures, arrivals={**self.coming, **self.waiting})
        return Ordered(route=Route(shifts=tuple(sorted(self.shifts)), binds=tuple(sorted(self.binds))), stuck=stuck)

    def _move(self, wave: int) -> list[int]:
        """Every move that is lawful beside the others; classes of the moves that spend a budget in this wave."""
        freed: list[int] = []
        wanted = {node for _, node in (*self.coming, *self.waiting)}
        again = True
        while again:
            again = False
            for c, source in sorted(self.leaving, key=lambda k: (k[1] not in wanted, k)):
                if source in self.late:
                    continue
                for target in sorted(n for d, n in self.coming if d == c):
                    mover = shifted(self.ledger, c, source, target, self.leaving)
                    if mover is None:
                        continue
                    self.shifts.append(Shift(wave=wave, arrival_wave=wave, pod_class=c, source=source, target=target, mover=mover))
                    take(self.leaving, (c, source))
                    take(self.coming, (c, target))
                    if TECHNIQUES[mover].spends_budget:
                        freed.append(c)
                    again = True
                    break
        return freed

    def _place(self, wave: int, patient: bool) -> None:
        """Bind waiting pods, the most important first; the patient ones let moves into the same node go first."""
        order = sorted(self.waiting, key=lambda k: (-self.problem.classes[k[0]].priority, k))
        for c, node in order:
            while self.waiting.get((c, node)):
                if patient and any(n == node for _, n in self.coming) and not self._roomy(node):
                    break
                if not self.ledger.bind(c, node):
                    break
                self.binds.append(Bind(wave=wave, pod_class=c, target=node))
                take(self.waiting, (c, node))

    def _roomy(self, node: int) -> bool:
        """Whether everyone still to come to the node fits beside everyone who is there."""
        used = dict(self.ledger.used[node])
        for (c, n), count in (*self.coming.items(), *self.waiting.items()):
            if n == node:
                self.problem.classes[c].requests.add_to(used, count)
        room = self.problem.nodes[node].allocatable
        return all(amount <= room[resource] for resource, amount in used.items())

    def _arrive_held(self, wave: int) -> list[int]:
        freed = []
        for entry in list(self.held):
            c, source, left, mover = entry
            for target in sorted(n for d, n in self.coming if d == c):
                if self.ledger.bind(c, target):
                    self.shifts.append(Shift(wave=left, arrival_wave=wave, pod_class=c, source=source, target=target, mover=mover))
                    take(self.coming, (c, target))
                    self.held.remove(entry)
                    freed.append(c)
                    break
        return freed

    def _break_cycle(self, wave: int) -> bool:
        """Let one pod leave now and arrive later."""
        if self.breaks >= self.problem.terms.cycle_breaks or wave >= self.problem.terms.waves:
            return False
        for c, source in sorted(self.leaving):
            movers = [m for m in self.problem.classes[c].movers if TECHNIQUES[m].waits]
            if movers and self.ledger.depart(c, source):
                self.held.append((c, source, wave, movers[0]))
                take(self.leaving, (c, source))
                self.breaks += 1
                return True
        return False


def shifted(ledger: Ledger, c: int, source: int, target: int, leaving: Spots) -> Mover | None:
    """The first of the class's movers by which this move is lawful in the wave, the ledger's from now on; ``None`` for none.

    ``leaving`` are all that have still to leave.
    """
    movers = ledger.problem.classes[c].movers
    return next((mover for mover in movers if ledger.shift(c, source, target, mover, leaving)), None)


def take(counts: Counts, key: tuple[int, int]) -> None:
    """Count one down; what is at 0 is gone."""
    counts[key] -= 1
    if not counts[key]:
        del counts[key]


def order(problem: Problem, placement: Placement, late: frozenset[int] = frozenset()) -> Ordered:
    """The placement in waves; what is stuck stays where it is.

    From ``late`` nodes nothing leaves before everything else is done: who waits for other room is bound by then and takes
    no interest in theirs. A pod that left to break a cycle and found no place to arrive makes the attempt void: it is
    ordered again without breaks.
    """
    planner = _Planner(problem, placement, late)
    ordered = planner.run()
    if planner.held:
        planner = _Planner(problem, placement, late)
        planner.breaks = problem.terms.cycle_breaks
        ordered = planner.run()
    return ordered
