"""Two pods of one node cannot take the same port of it.

kube-scheduler's NodePorts (``nodeports/node_ports.go``), kubernetes.md 3.6: same protocol and port, and one of the
addresses is every address or both are the same.
"""

from __future__ import annotations

from collections.abc import Iterator

from descheduler.domain.moment import Moment, Violation
from descheduler.domain.problem import PodClass, Problem
from descheduler.domain.rows import AtMost
from descheduler.domain.selectors import HostPort
from descheduler.rules.constraints.topology import reached, there_beside

NAME = "NodePorts"


def conflict(one: PodClass, other: PodClass) -> HostPort | None:
    """A port of ``one`` that ``other`` would have too."""
    return next((a for a in one.spec.host_ports for b in other.spec.host_ports if a.conflicts(b)), None)


def rows(problem: Problem) -> Iterator[AtMost]:
    """Pods that conflict pairwise: for each port and each address named with it, those who take that address or all of them."""
    takers: dict[tuple[str, str, int], dict[str, list[int]]] = {}
    for c in problem.classes:
        for port in dict.fromkeys(c.spec.host_ports):
            takers.setdefault((c.cluster, port.protocol, port.port), {}).setdefault(port.ip, []).append(c.index)
    for by_address in takers.values():
        everywhere = by_address.get("", [])
        named = [address for address in by_address if address]
        for address in named or [""]:
            group = tuple(sorted({*everywhere, *by_address.get(address, ())}))
            domains = tuple((n,) for n in reached(problem, group))
            if domains:
                yield AtMost(rule=NAME, group=group, domains=domains, limit=1)


def _takers(problem: Problem) -> tuple[int, ...]:
    """Classes whose pods take ports of their nodes."""
    return tuple(c.index for c in problem.classes if c.spec.host_ports)


def violations(problem: Problem, moment: Moment) -> Iterator[Violation]:
    present: dict[int, list[int]] = {}
    taking = [a for a in moment.arrivals if problem.classes[a.pod_class].spec.host_ports]
    if not taking:
        return
    for c in problem.once(_takers):
        for node, count in moment.during().of(c).items():
            if count > 0:
                present.setdefault(node, []).append(c)
    for arrival in taking:
        comer = problem.classes[arrival.pod_class]
        for c in present[arrival.node]:
            port = conflict(comer, problem.classes[c])
            if port is not None and there_beside(moment, arrival, c) > 0:
                yield Violation(NAME, str(problem.nodes[arrival.node].ref), f"{port.protocol} port {port.port} is taken already")
