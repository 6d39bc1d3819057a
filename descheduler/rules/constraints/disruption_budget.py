"""A PodDisruptionBudget allows what its status says, in each wave: every move that spends one holds it until it arrives.

kubernetes.md section 2 and DESIGN.md section 4: the sum per budget and wave is at most the snapshot's
``disruptionsAllowed``; a pod under two budgets is never evicted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from descheduler.domain.moment import Moment, Violation
from descheduler.domain.problem import Problem
from descheduler.domain.rows import MoveBudget
from descheduler.rules.movers import SPENDS_BUDGET

NAME = "PodDisruptionBudget"


def rows(problem: Problem) -> Iterator[MoveBudget]:
    groups: dict[int, list[int]] = {}
    for c in problem.movable:
        for index in c.budgets if all(SPENDS_BUDGET[m] for m in c.movers) else ():
            groups.setdefault(index, []).append(c.index)
    for index, group in sorted(groups.items()):
        cluster, budget = problem.budgets[index]
        name = f"{cluster}/{budget.namespace}/{budget.name}"
        yield MoveBudget(rule=NAME, name=name, group=tuple(group), limit=budget.allowed, per="wave")


def violations(problem: Problem, moment: Moment) -> Iterator[Violation]:
    spent: Counter[int] = Counter()
    for shift in moment.spending:
        covering = problem.classes[shift.pod_class].budgets
        if len(covering) > 1:
            yield Violation(NAME, str(problem.nodes[shift.source].ref), "a pod under two budgets cannot be evicted")
        spent.update(covering)
    for index, count in sorted(spent.items()):
        cluster, budget = problem.budgets[index]
        if count > budget.allowed:
            yield Violation(NAME, f"{cluster}/{budget.namespace}/{budget.name}", f"{count} > disruptionsAllowed {budget.allowed}")
