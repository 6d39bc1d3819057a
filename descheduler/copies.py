"""Which waiting pods may have their place reserved by a second copy: quota must let it in, and its pin must not spoil its spread.

DESIGN.md sections 5 and 8. The planner counts the copies of moves; waiting pods share what these leave, in the order of the route.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from descheduler.domain.moment import Moment, moments
from descheduler.domain.placement import Bind, Route
from descheduler.domain.problem import Problem
from descheduler.domain.rows import CopyQuota
from descheduler.domain.selectors import SpreadConstraint
from descheduler.rules.constraints.pod_topology_spread import counted
from descheduler.rules.movers import BY_MOVER, KEEPS_BOTH


def refused(problem: Problem, route: Route) -> frozenset[int]:
    """Indices of the route's binds that ask for a second copy and cannot have it."""
    asking = [i for i, bind in enumerate(route.binds) if KEEPS_BOTH.get(bind.mover, False)]
    if not asking:
        return frozenset()
    return frozenset(_over_quota(problem, route, asking)) | frozenset(_skewed(problem, route, asking))


def _over_quota(problem: Problem, route: Route, asking: list[int]) -> Iterator[int]:
    rows = [dict(zip(row.group, row.amounts, strict=True)) for row in problem.rows if isinstance(row, CopyQuota)]
    limits = [row.limit for row in problem.rows if isinstance(row, CopyQuota)]
    if not rows:
        return
    spent = Counter[tuple[int, int]]()
    for s in route.shifts:
        if KEEPS_BOTH[s.mover]:
            spent.update({(at, s.arrival_wave): adds[s.pod_class] for at, adds in enumerate(rows) if s.pod_class in adds})
    for i in asking:
        bind = route.binds[i]
        waves = _waves_of_copy(problem, route, bind)
        mine = {(at, wave): adds[bind.pod_class] for at, adds in enumerate(rows) if bind.pod_class in adds for wave in waves}
        if any(spent[key] + amount > limits[key[0]] for key, amount in mine.items()):
            yield i
        else:
            spent.update(mine)


def _waves_of_copy(problem: Problem, route: Route, bind: Bind) -> range:
    """From the wave in which its hole may begin to be made, for the copy is there before the room is, to the one in which it is adopted."""
    cluster = problem.classes[bind.pod_class].cluster
    makers = [s.wave for s in route.shifts if problem.classes[s.pod_class].cluster == cluster and s.wave <= bind.wave]
    return range(min([bind.wave, *makers]), bind.wave + 1)


def _skewed(problem: Problem, route: Route, asking: list[int]) -> Iterator[int]:
    wary = [i for i in asking if any(True for _ in _one_domain(problem, route.binds[i]))]
    if not wary:
        return
    by_wave = {moment.wave: moment for moment in moments(problem, route, BY_MOVER)}
    for i in wary:
        bind = route.binds[i]
        if any(_together(problem, by_wave[bind.wave], bind, constraint) > constraint.max_skew for constraint in _one_domain(problem, bind)):
            yield i


def _one_domain(problem: Problem, bind: Bind) -> Iterator[SpreadConstraint]:
    """Constraints that ask for more domains than a pinned pod sees."""
    yield from (s for s in problem.classes[bind.pod_class].spec.spread if s.min_domains > 1 and s.honor_affinity)


def _together(problem: Problem, moment: Moment, bind: Bind, constraint: SpreadConstraint) -> int:
    """Pods on the bind's node that the constraint counts while its copy arrives, that one included."""
    c = problem.classes[bind.pod_class]
    there = moment.during()
    return sum(there.get((index, bind.target), 0) for index in counted(problem, c.cluster, c.namespace, constraint))
