"""The pods of a node ask for no more than the node can give, the number of pods included.

kube-scheduler's NodeResourcesFit (``noderesources/fit.go``): a resource is looked at only when the arriving pod asks
for it. A node that is overcommitted already keeps what stays there, but takes no arrival that asks for what it lacks.
"""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.domain.moment import Moment, Violation
from descheduler.domain.problem import Problem
from descheduler.domain.rows import Capacity

NAME = "NodeResourcesFit"


def rows(problem: Problem) -> Iterator[Capacity]:
    asked: list[set[str]] = [set() for _ in problem.nodes]
    for pod_class in problem.classes:
        for reached in pod_class.reach:
            asked[reached].update(pod_class.requests)
    for index, node in enumerate(problem.nodes):
        for resource in sorted(asked[index]):
            yield Capacity(rule=NAME, node=index, resource=resource, limit=node.allocatable[resource])


def violations(problem: Problem, moment: Moment) -> Iterator[Violation]:
    arriving: dict[int, set[str]] = {}
    for arrival in moment.arrivals:
        arriving.setdefault(arrival.node, set()).update(problem.classes[arrival.pod_class].requests)
    if not arriving:
        return
    used: dict[int, dict[str, int]] = {node: {} for node in arriving}
    for (pod_class, where), count in moment.during().items():
        if where in used:
            problem.classes[pod_class].requests.add_to(used[where], count)
    for index in sorted(arriving):
        node = problem.nodes[index]
        for resource in sorted(arriving[index]):
            have, need = node.allocatable[resource], used[index].get(resource, 0)
            if need > have:
                yield Violation(NAME, str(node.ref), f"{resource} {need} > {have}")
