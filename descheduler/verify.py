"""The judge: plain Python over moments. It never imports the solver or the planner, and nothing is published without it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from descheduler.domain.moment import Moment, Violation, moments
from descheduler.domain.placement import Route
from descheduler.domain.problem import Problem
from descheduler.domain.standing import used_on
from descheduler.rules.constraints import CONSTRAINTS
from descheduler.rules.filters import Verdicts
from descheduler.rules.movers import BY_MOVER, TECHNIQUES
from descheduler.rules.nominated import barred


def violations(problem: Problem, route: Route) -> Iterator[Violation]:
    """Everything a route does that it may not: pods, movers, filters, and every joint rule in every wave."""
    yield from _bookkeeping(problem, route)
    yield from _filters(problem, route)
    for moment in moments(problem, route, BY_MOVER):
        for constraint in CONSTRAINTS:
            yield from constraint.violations(problem, moment)
        if moment.run is None:
            yield from _unsteered(problem, route, moment)


def _bookkeeping(problem: Problem, route: Route) -> Iterator[Violation]:
    leaving = Counter((s.pod_class, s.source) for s in route.shifts)
    for (c, node), count in sorted(leaving.items()):
        if count > problem.classes[c].there(node):
            yield Violation("Pods", str(problem.nodes[node].ref), f"{count} pods leave of {problem.classes[c].there(node)}")
    for s in route.shifts:
        if s.mover not in problem.classes[s.pod_class].movers or problem.classes[s.pod_class].waiting:
            fact = f"{s.mover} does not apply to a pod of {_name(problem, s.pod_class)}"
            yield Violation("Movers", str(problem.nodes[s.source].ref), fact)
        if s.arrival_wave < s.wave or s.wave < 1 or (s.cycle_break and not TECHNIQUES[s.mover].waits):
            yield Violation("Waves", str(problem.nodes[s.target].ref), f"leaves in {s.wave}, arrives in {s.arrival_wave}")
        if s.source == s.target:
            yield Violation("Pods", str(problem.nodes[s.source].ref), "moves to where it is")
    placed = Counter(b.pod_class for b in route.binds)
    for c, count in sorted(placed.items()):
        pod_class = problem.classes[c]
        if not pod_class.waiting or count > len(pod_class.pods):
            yield Violation("Pods", _name(problem, c), f"{count} placed of {len(pod_class.pods) if pod_class.waiting else 0} waiting")


def _name(problem: Problem, c: int) -> str:
    pod_class = problem.classes[c]
    return f"{pod_class.cluster}/{pod_class.namespace}/{pod_class.workload[1] if pod_class.workload else '?'}"


def _verdicts(problem: Problem) -> Verdicts:
    return Verdicts()


def _filters(problem: Problem, route: Route) -> Iterator[Violation]:
    verdicts = problem.once(_verdicts)
    for c, target in sorted({(s.pod_class, s.target) for s in route.shifts} | {(b.pod_class, b.target) for b in route.binds}):
        node = problem.nodes[target]
        reason = verdicts.reason(problem.classes[c].spec, node)
        if node.ref.cluster != problem.classes[c].cluster:
            reason = "is in another cluster"
        elif problem.nominated and barred(problem.classes[c], problem.nodes, problem.nominated) >> target & 1:
            reason = "a nominated pod rules it out there"
        if reason is not None:
            yield Violation("Filters", str(node.ref), f"{reason} ({_name(problem, c)})")


def _unsteered(problem: Problem, route: Route, moment: Moment) -> Iterator[Violation]:
    """A successor that nobody steers may find no other node than the planned one while it is on its way."""
    unsteered = [s for s in route.shifts if s.wave == moment.wave and not TECHNIQUES[s.mover].steers]
    used = used_on(problem, moment.least(), {n for s in unsteered for n in problem.classes[s.pod_class].reach})
    for s in unsteered:
        asks = problem.classes[s.pod_class].requests
        for node in problem.classes[s.pod_class].reach:
            room = problem.nodes[node].allocatable
            if node != s.target and all(used[node].get(resource, 0) + amount <= room[resource] for resource, amount in asks.items()):
                fact = f"a pod of {_name(problem, s.pod_class)} evicted here could also go to {problem.nodes[node].ref.name}"
                yield Violation("Movers", str(problem.nodes[s.source].ref), fact)
