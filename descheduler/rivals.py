"""Rivals: between waves any waiting pod may take any node as soon as it fits there. Which planned arrivals does that endanger?

DESIGN.md sections 4 and 5; kubernetes.md 1.6: room kept by a gated, nominated copy counts against rivals of equal and
lower priority on the default scheduler, and only against those. The answer errs towards danger: rivals are taken to
pass joint rules, and all of them together may come.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from descheduler.domain.moment import moments
from descheduler.domain.placement import Bind, Route, Shift
from descheduler.domain.plan import Mover
from descheduler.domain.problem import PodClass, Problem
from descheduler.rules.filters import Verdicts
from descheduler.rules.movers import KEEPS_BOTH, SPENDS_BUDGET, TECHNIQUES

Amounts = dict[str, int]


@dataclass(frozen=True, slots=True)
class _Stage:
    """A node in one wave: what is asked there at least, and by everyone who counts when arrivals are judged."""

    least: Mapping[str, int]
    most: Mapping[str, int]


class Rivals:
    """The waiting pods of a problem that some scheduler may bind at any time."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._verdicts = Verdicts()
        self._classes: dict[str, list[PodClass]] = defaultdict(list)
        for c in problem.classes:
            if c.waiting and not all(problem.pods[i].gates for i in c.pods):
                self._classes[c.cluster].append(c)

    def endangered(self, route: Route) -> tuple[frozenset[int], frozenset[int]]:
        """Indices of the binds and of the shifts whose room a rival may take before they arrive."""
        arrivals: dict[int, list[tuple[int, int, bool]]] = defaultdict(list)
        for s in route.shifts:
            arrivals[s.target].append((s.arrival_wave, s.pod_class, self._kept(s)))
        for b in route.binds:
            arrivals[b.target].append((b.wave, b.pod_class, self._kept(b)))
        stages = self._stages(route, arrivals)
        binds = frozenset(i for i, b in enumerate(route.binds) if self._in_danger(route, b, b.wave, arrivals[b.target], stages))
        shifts = frozenset(i for i, s in enumerate(route.shifts) if self._in_danger(route, s, s.arrival_wave, arrivals[s.target], stages))
        return binds, shifts

    def _kept(self, step: Shift | Bind) -> bool:
        """Whether room is kept for it while it is being made."""
        if step.mover is Mover.SCHEDULE or self.problem.terms.reserve == "Never":
            return False
        return TECHNIQUES[step.mover].reserves

    def _stages(self, route: Route, nodes: Iterable[int]) -> dict[int, list[_Stage]]:
        """Every node of interest, wave by wave."""
        found: dict[int, list[_Stage]] = {node: [] for node in nodes}
        for moment in moments(self.problem, route, KEEPS_BOTH, SPENDS_BUDGET):
            if moment.run is not None:
                continue
            least: dict[int, Amounts] = defaultdict(dict)
            most: dict[int, Amounts] = defaultdict(dict)
            leaving = Counter(moment.leaving)
            unsure = Counter((b.pod_class, b.target) for b in route.binds if b.contested and b.wave < moment.wave)
            for (c, node), count in moment.during().items():
                if node in found:
                    self._add(most[node], c, count)
            for (c, node), count in moment.residents.items():
                if node in found:
                    self._add(least[node], c, count - leaving[c, node] - unsure[c, node])
            for node, waves in found.items():
                waves.append(_Stage(least[node], most[node]))
        return found

    def _add(self, amounts: Amounts, c: int, count: int) -> None:
        for resource, amount in self.problem.classes[c].requests.items():
            amounts[resource] = amounts.get(resource, 0) + amount * count

    def _in_danger(
        self, route: Route, step: Shift | Bind, wave: int, there: list[tuple[int, int, bool]], stages: Mapping[int, list[_Stage]]
    ) -> bool:
        comer = self.problem.classes[step.pod_class]
        room = self.problem.nodes[step.target].allocatable
        most = stages[step.target][wave - 1].most
        taken: Amounts = {}
        for rival in self._classes[comer.cluster]:
            if self._kept(step) and rival.priority <= comer.priority and rival.spec.scheduler == "default-scheduler":
                continue
            count = self._how_many(route, rival, step, wave, there, stages[step.target])
            for resource, amount in rival.requests.items():
                taken[resource] = taken.get(resource, 0) + amount * count
        return any(amount and most.get(r, 0) + taken.get(r, 0) > room[r] for r, amount in comer.requests.items())

    def _how_many(
        self, route: Route, rival: PodClass, step: Shift | Bind, wave: int, there: list[tuple[int, int, bool]], waves: list[_Stage]
    ) -> int:
        """The most pods of a class that could slip onto the node before the step's own wave has ended."""
        node = self.problem.nodes[step.target]
        if not self._verdicts.admits(rival.spec, node):
            return 0
        binds = [b for b in route.binds if b.pod_class == rival.index]
        planned = Counter(b.wave for b in binds if not b.contested)  # whoever is contested may go on looking for ever
        unplanned = len(rival.pods) - sum(planned.values())
        same = isinstance(step, Bind) and rival.index == step.pod_class
        best = 0
        for at, stage in enumerate(waves[:wave], start=1):
            loose = unplanned + (0 if same else sum(k for w, k in planned.items() if w >= at))
            here = (b for b in binds if b.target == step.target and b.wave <= wave)
            loose -= sum(b.contested or (not same and b.wave >= at) for b in here)  # counted as planned already
            kept: Amounts = {}
            for w, c, reserved in there if rival.spec.scheduler == "default-scheduler" else ():
                if reserved and w >= at and self.problem.classes[c].priority >= rival.priority:
                    self._add(kept, c, 1)
            free = {r: node.allocatable[r] - stage.least.get(r, 0) - kept.get(r, 0) for r in rival.requests}
            fitting = min((free[r] // amount for r, amount in rival.requests.items()), default=0)
            best = max(best, min(loose, fitting))
        return max(0, best)


def settled(problem: Problem, route: Route) -> tuple[Route, tuple[Shift, ...]]:
    """Each bind by kube-scheduler where that is safe, else reserved by a surge where policy and owner allow, else contested.

    Also returns the moves that a rival may rob of their room: such a route may not be carried out.
    """
    rivals = Rivals(problem)
    reserve = problem.terms.reserve
    binds = [replace(b, mover=Mover.SCHEDULE, contested=False) for b in route.binds]
    if reserve == "Always":
        binds = [_surged(problem, b) for b in binds]
    route = replace(route, binds=tuple(binds))
    in_danger, _ = rivals.endangered(route)
    if reserve == "Contested" and in_danger:
        binds = [_surged(problem, b) if i in in_danger else b for i, b in enumerate(binds)]
        route = replace(route, binds=tuple(binds))
    while True:  # a pod that loses its place is one rival more for all others
        in_danger, robbed = rivals.endangered(route)
        binds = [replace(b, contested=b.contested or i in in_danger) for i, b in enumerate(route.binds)]
        if tuple(binds) == route.binds:
            return route, tuple(route.shifts[i] for i in sorted(robbed))
        route = replace(route, binds=tuple(binds))


def _surged(problem: Problem, bind: Bind) -> Bind:
    return replace(bind, mover=Mover.SURGE) if Mover.SURGE in problem.classes[bind.pod_class].movers else bind
