"""Hard topology spread: an arrival may not make its domain hold more than ``maxSkew`` over the emptiest one.

kube-scheduler's PodTopologySpread (``podtopologyspread/filtering.go``), kubernetes.md 3.9: domains are made of nodes
that carry every key of the pod's hard constraints and pass its inclusion policies; only pods of the same namespace
that are not terminating count. A pod that comes pinned to its node is judged by its own spec and by the pinned one: the
pin makes that node the only domain there is, which matters where ``minDomains`` asks for more. Beyond kube-scheduler, no
wave may leave a skew that is worse than both ``maxSkew`` and the snapshot's where a pod that can move matches (DESIGN.md
section 4).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from descheduler.domain.moment import Arrival, Moment, Violation
from descheduler.domain.objects import Node, PodSpec
from descheduler.domain.problem import PodClass, Problem
from descheduler.domain.rows import Domains, Group, Spread
from descheduler.domain.selectors import SpreadConstraint
from descheduler.rules.constraints.topology import domains_by, reached, there_beside
from descheduler.rules.filters import node_affinity, untolerated_taint
from descheduler.rules.movers import STEERS

NAME = "PodTopologySpread"


def eligible(spec: PodSpec, constraint: SpreadConstraint, node: Node) -> bool:
    """Whether the node's domain takes part: all keys, ``nodeAffinityPolicy``, ``nodeTaintsPolicy``."""
    keys = {key for key, _ in node.labels}
    if not all(c.topology_key in keys for c in spec.spread):
        return False
    if constraint.honor_affinity and node_affinity(spec, node) is not None:
        return False
    return not (constraint.honor_taints and untolerated_taint(spec, node) is not None)


def _domains(problem: Problem, cluster: str, spec: PodSpec, constraint: SpreadConstraint) -> dict[str, tuple[int, ...]]:
    return domains_by(problem, cluster, constraint.topology_key, lambda n: eligible(spec, constraint, problem.nodes[n]))


def counted(problem: Problem, cluster: str, namespace: str, constraint: SpreadConstraint) -> tuple[int, ...]:
    """Classes of the namespace whose pods the constraint counts; terminating ones are not among them."""
    if constraint.selector is None or not (constraint.selector.labels or constraint.selector.expressions):
        return ()  # kube-scheduler counts nothing for an absent and for an empty selector
    found = problem.matched(cluster, frozenset({namespace}), constraint.selector)
    return tuple(c for c in found if not problem.classes[c].terminating)


def skew(counts: Mapping[tuple[int, int], int], group: Group, domains: Domains, min_domains: int) -> int:
    """The fullest domain minus the emptiest; the emptiest counts 0 while there are fewer than ``min_domains``."""
    totals = [sum(counts.get((c, node), 0) for c in group for node in nodes) for nodes in domains]
    if not totals:
        return 0
    return max(totals) - (0 if len(domains) < min_domains else min(totals))


def _movable(problem: Problem, group: Group) -> bool:
    """Whether a running pod of the group can be moved; the wave's guard speaks of moved pods only."""
    return any(not c.waiting and c.movers and c.reach for c in map(problem.classes.__getitem__, group))


def rows(problem: Problem) -> Iterator[Spread]:
    carriers: dict[tuple[str, str, PodSpec, SpreadConstraint], list[PodClass]] = {}
    for pod_class in problem.classes:
        for constraint in pod_class.spec.spread:
            carriers.setdefault((pod_class.cluster, pod_class.namespace, pod_class.spec, constraint), []).append(pod_class)
    snapshot = {(c.index, node): len(pods) for c in problem.classes for node, pods in c.at.items()}
    for (cluster, namespace, spec, constraint), classes in carriers.items():
        group = counted(problem, cluster, namespace, constraint)
        if not any(problem.classes[i].reach for i in group) and not any(c.reach for c in classes):
            continue
        domains = tuple(_domains(problem, cluster, spec, constraint).values())
        guard = max(constraint.max_skew, skew(snapshot, group, domains, constraint.min_domains)) if _movable(problem, group) else None
        yield Spread(
            rule=NAME,
            carriers=tuple(c.index for c in classes),
            group=group,
            domains=domains,
            max_skew=constraint.max_skew,
            min_domains=constraint.min_domains,
            guard=guard,
        )
        pinned = tuple(c.index for c in classes if not c.waiting and any(STEERS[m] for m in c.movers))
        if constraint.min_domains > 1 and constraint.honor_affinity and pinned:
            nodes = reached(problem, pinned)
            yield Spread(
                rule=NAME,
                carriers=pinned,
                group=group,
                domains=tuple((n,) for n in nodes),
                max_skew=constraint.max_skew,
                min_domains=len(nodes) + 1,  # too few domains, whatever there is: the emptiest counts 0
                guard=None,
            )


def _too_many_beside_a_pin(
    problem: Problem, moment: Moment, arrival: Arrival, constraint: SpreadConstraint, group: Group
) -> Iterator[Violation]:
    """With a pin on it the pod's own node is the only domain, which is fewer than ``minDomains``: nothing is subtracted."""
    if not arrival.pinned or constraint.min_domains < 2 or not constraint.honor_affinity:
        return
    here = sum(there_beside(moment, arrival, c) for c in group) + (arrival.pod_class in group)
    if here > constraint.max_skew:
        node = problem.nodes[arrival.node].ref
        yield Violation(NAME, str(node), f"{constraint.topology_key} {here} - 0 > maxSkew {constraint.max_skew} once it is pinned")


def violations(problem: Problem, moment: Moment) -> Iterator[Violation]:
    if moment.run is not None or not (moment.arrivals or moment.leaving):
        return
    during, after = moment.during(), moment.after()
    snapshot = {(c.index, node): len(pods) for c in problem.classes for node, pods in c.at.items()}
    touched = {(problem.classes[a.pod_class].cluster, problem.classes[a.pod_class].namespace) for a in moment.arrivals}
    touched |= {(problem.classes[c].cluster, problem.classes[c].namespace) for c, _ in moment.leaving}
    told: set[tuple[str, str, PodSpec, SpreadConstraint]] = set()
    for carrier in problem.classes:
        if (carrier.cluster, carrier.namespace) not in touched:
            continue
        for constraint in carrier.spec.spread:
            key = (carrier.cluster, carrier.namespace, carrier.spec, constraint)
            first = key not in told
            told.add(key)
            yield from _judge(problem, moment, carrier, constraint, (snapshot, during, after), first)


def _judge(
    problem: Problem,
    moment: Moment,
    carrier: PodClass,
    constraint: SpreadConstraint,
    states: tuple[Mapping[tuple[int, int], int], Mapping[tuple[int, int], int], Mapping[tuple[int, int], int]],
    first: bool,
) -> Iterator[Violation]:
    comers = [a for a in moment.arrivals if a.pod_class == carrier.index]
    if not comers and not first:
        return
    snapshot, during, after = states
    low = moment.least()
    group = counted(problem, carrier.cluster, carrier.namespace, constraint)
    domains = _domains(problem, carrier.cluster, carrier.spec, constraint)
    if first and _movable(problem, group):
        allowed = max(constraint.max_skew, skew(snapshot, group, tuple(domains.values()), constraint.min_domains))
        worst = skew(after, group, tuple(domains.values()), constraint.min_domains)
        if worst > allowed:
            yield Violation(NAME, f"{carrier.cluster}/{carrier.namespace}", f"{constraint.topology_key} skew {worst} > {allowed}")
    for arrival in comers:
        yield from _too_many_beside_a_pin(problem, moment, arrival, constraint, group)
        value = problem.node_labels[arrival.node].get(constraint.topology_key)
        node = problem.nodes[arrival.node].ref
        if value is None:
            yield Violation(NAME, str(node), f"no label {constraint.topology_key}")
            continue
        own = sum(arrival.pod_class in group and arrival.old in nodes for v, nodes in domains.items() if v == value)
        here = sum(during.get((c, n), 0) for c in group for n in domains.get(value, ())) - own
        least = 0
        if len(domains) >= constraint.min_domains:
            others = after if moment.settled else low
            totals = [sum(others.get((c, n), 0) for c in group for n in nodes) for v, nodes in domains.items() if v != value]
            least = min([here, *totals])
        if here - least > constraint.max_skew:
            yield Violation(NAME, str(node), f"{constraint.topology_key} {here} - {least} > maxSkew {constraint.max_skew}")
