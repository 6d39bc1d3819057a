"""The policy's limits: how many pods one run may move, in all and by cluster, namespace, workload and node."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from descheduler.domain.moment import Moment, Violation
from descheduler.domain.problem import Problem
from descheduler.domain.rows import MoveBudget, MovesPerPlacedPod

NAME = "MoveLimits"


def rows(problem: Problem) -> Iterator[MoveBudget | MovesPerPlacedPod]:
    for limit in problem.terms.limits:
        group = tuple(i for i in limit.group if problem.classes[i].movers and problem.classes[i].reach)
        if group:
            yield MoveBudget(rule=NAME, name=f"{limit.name} {limit.subject}", group=group, limit=limit.count, nodes=limit.nodes)
    if problem.terms.moves_per_placed_pod is not None:
        yield MovesPerPlacedPod(rule=NAME, ratio=problem.terms.moves_per_placed_pod)


def _limits_of(problem: Problem) -> dict[int, list[int]]:
    """Class to the positions of the limits that speak of it."""
    found: dict[int, list[int]] = {}
    for at, limit in enumerate(problem.terms.limits):
        for c in set(limit.group):
            found.setdefault(c, []).append(at)
    return found


def violations(problem: Problem, moment: Moment) -> Iterator[Violation]:
    if moment.run is None:
        return
    shifts, terms = moment.run.shifts, problem.terms
    limits_of, spent = problem.once(_limits_of), Counter[int]()
    for s in shifts:
        for at in limits_of.get(s.pod_class, ()):
            nodes = terms.limits[at].nodes
            spent[at] += nodes is None or s.source in nodes
    for at, limit in enumerate(terms.limits):
        if spent[at] > limit.count:
            yield Violation(NAME, limit.subject, f"{limit.name}: {spent[at]} moves > {limit.count}")
    ratio = terms.moves_per_placed_pod
    only_waiting = not terms.earning
    if ratio is not None and only_waiting and len(shifts) > ratio * len(moment.run.binds):
        yield Violation(NAME, "run", f"movesPerPlacedPod: {len(shifts)} moves for {len(moment.run.binds)} pods > {ratio} each")
    if moment.run.waves > terms.waves:
        yield Violation(NAME, "run", f"waves: {moment.run.waves} > {terms.waves}")
    breaks = sum(shift.cycle_break for shift in shifts)
    if breaks > terms.cycle_breaks:
        yield Violation(NAME, "run", f"cycleBreaks: {breaks} > {terms.cycle_breaks}")
