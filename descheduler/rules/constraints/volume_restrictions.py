"""A ReadWriteOncePod claim is for one pod of the whole cluster.

kube-scheduler's VolumeRestrictions (``volumerestrictions/volume_restrictions.go``), kubernetes.md 3.8.
"""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.domain.moment import Moment, Violation
from descheduler.domain.problem import Problem
from descheduler.domain.rows import AtMost
from descheduler.rules.constraints.topology import there_beside

NAME = "VolumeRestrictions"


def rows(problem: Problem) -> Iterator[AtMost]:
    users: dict[tuple[str, str], list[int]] = {}
    for c in problem.classes:
        for claim in c.spec.exclusive_claims:
            users.setdefault((c.cluster, claim), []).append(c.index)
    for (cluster, _), group in users.items():
        if any(problem.classes[c].reach for c in group):
            yield AtMost(rule=NAME, group=tuple(group), domains=(problem.nodes_of[cluster],), limit=1)


def _users(problem: Problem) -> tuple[int, ...]:
    """Classes whose pods have such claims."""
    return tuple(c.index for c in problem.classes if c.spec.exclusive_claims)


def violations(problem: Problem, moment: Moment) -> Iterator[Violation]:
    taking = [a for a in moment.arrivals if problem.classes[a.pod_class].spec.exclusive_claims]
    if not taking:
        return
    holders = {
        (c, node): frozenset(problem.classes[c].spec.exclusive_claims)
        for c in problem.once(_users)
        for node, count in moment.during().of(c).items()
        if count > 0
    }
    for arrival in taking:
        comer = problem.classes[arrival.pod_class]
        for (c, node), claims in holders.items():
            wanted = claims.intersection(comer.spec.exclusive_claims)
            if wanted and problem.classes[c].cluster == comer.cluster and there_beside(moment, arrival, c, node) > 0:
                yield Violation(NAME, str(problem.nodes[arrival.node].ref), f"ReadWriteOncePod claim {min(wanted)} is in use")
