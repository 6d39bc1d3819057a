"""Hard topology spread: an arrival may not make its domain hold more than ``maxSkew`` over the emptiest one.

kube-scheduler's PodTopologySpread (``podtopologyspread/filtering.go``), kubernetes.md 3.9: domains are made of nodes
that carry every key of the pod's hard constraints and pass its inclusion policies; only pods of the same namespace
that are not terminating count. A pod that comes pinned to its node is judged by its own spec and by the pinned one: the
pin makes that node the only domain there is, which matters where ``minDomains`` asks for more. Beyond kube-scheduler, no
wave may leave a skew that is worse than both ``maxSkew`` and the snapshot's where a pod that can move matches (DESIGN.md
section 4).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from descheduler.domain.moment import Arrival, Moment, Violation
from descheduler.domain.objects import Node, PodSpec
from descheduler.domain.placement import Spots
from descheduler.domain.problem import PodClass, Problem
from descheduler.domain.rows import Domains, Group, Spread
from descheduler.domain.selectors import SpreadConstraint
from descheduler.domain.standing import Standing, at_start
from descheduler.rules.constraints.topology import eligible_by, reached, there_beside
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
    """The constraint's domains; specs that ``eligible`` cannot tell apart share theirs."""
    known = problem.once(_known)
    affinity = (spec.node_selector, spec.node_affinity) if constraint.honor_affinity else None
    keys = frozenset(c.topology_key for c in spec.spread)
    asked = (cluster, constraint.topology_key, keys, affinity, spec.tolerations if constraint.honor_taints else None)
    if asked not in known:
        known[asked] = eligible_by(problem, cluster, constraint.topology_key, lambda n: eligible(spec, constraint, problem.nodes[n]))
    return known[asked]


def _known(problem: Problem) -> dict[Hashable, dict[str, tuple[int, ...]]]:
    return {}


def counted(problem: Problem, cluster: str, namespace: str, constraint: SpreadConstraint) -> tuple[int, ...]:
    """Classes of the namespace whose pods the constraint counts; terminating ones are not among them."""
    if constraint.selector is None or not (constraint.selector.labels or constraint.selector.expressions):
        return ()  # kube-scheduler counts nothing for an absent and for an empty selector
    found = problem.matched(cluster, frozenset({namespace}), constraint.selector)
    return tuple(c for c in found if not problem.classes[c].terminating)


def _totals(standing: Standing, group: Group, domains: Domains) -> list[int]:
    """Per domain the pods of the group."""
    number = {node: at for at, nodes in enumerate(domains) for node in nodes}
    totals = [0] * len(domains)
    for c in group:
        for node, count in standing.of(c).items():
            if node in number:
                totals[number[node]] += count
    return totals


def skew(spots: Spots, group: Group, domains: Domains, min_domains: int) -> int:
    """The fullest domain minus the emptiest; the emptiest counts 0 while there are fewer than ``min_domains``."""
    totals = _totals(Standing.of_spots(spots), group, domains)
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
    snapshot = at_start(problem)
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


@dataclass(frozen=True, slots=True)
class _Scope:
    """A constraint as pods of one namespace and spec carry it: whom it counts, where."""

    constraint: SpreadConstraint
    group: Group
    domains: dict[str, tuple[int, ...]]
    movable: bool


class _Scopes:
    """The scopes of the classes, each worked out when it is first asked for; classes of one spec share theirs."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._of_class: dict[int, tuple[_Scope, ...]] = {}
        self._known: dict[tuple[str, str, PodSpec], tuple[_Scope, ...]] = {}

    def of(self, carrier: PodClass) -> tuple[_Scope, ...]:
        if carrier.index not in self._of_class:
            key = (carrier.cluster, carrier.namespace, carrier.spec)
            if key not in self._known:
                self._known[key] = tuple(self._scope(carrier, constraint) for constraint in dict.fromkeys(carrier.spec.spread))
            self._of_class[carrier.index] = self._known[key]
        return self._of_class[carrier.index]

    def _scope(self, carrier: PodClass, constraint: SpreadConstraint) -> _Scope:
        group = counted(self._problem, carrier.cluster, carrier.namespace, constraint)
        domains = _domains(self._problem, carrier.cluster, carrier.spec, constraint)
        return _Scope(constraint, group, domains, _movable(self._problem, group))


def violations(problem: Problem, moment: Moment) -> Iterator[Violation]:
    if moment.run is not None or not (moment.arrivals or moment.leaving):
        return
    scopes = problem.once(_Scopes)
    coming: dict[int, list[Arrival]] = {}
    for arrival in moment.arrivals:
        coming.setdefault(arrival.pod_class, []).append(arrival)
    touched = frozenset(coming) | {c for c, _ in moment.leaving}
    told: set[int] = set()
    for carrier in _carriers(problem, touched):
        for scope in scopes.of(carrier):
            if id(scope) not in told and not touched.isdisjoint(scope.group):
                yield from _tilted(problem, moment, carrier, scope)
            told.add(id(scope))
            for arrival in coming.get(carrier.index, ()):
                yield from _judge(problem, moment, arrival, scope)


def _carriers(problem: Problem, touched: AbstractSet[int]) -> list[PodClass]:
    """Classes with hard constraints in the namespaces of the touched ones."""
    spaces = {(problem.classes[c].cluster, problem.classes[c].namespace) for c in touched}
    carriers = (c for cluster, namespace in spaces for c in problem.namespaces[cluster][namespace] if c.spec.spread)
    return sorted(carriers, key=lambda c: c.index)


def _tilted(problem: Problem, moment: Moment, carrier: PodClass, scope: _Scope) -> Iterator[Violation]:
    """The wave leaves more skew than the constraint and the snapshot."""
    if not scope.movable:
        return
    constraint, domains = scope.constraint, tuple(scope.domains.values())
    allowed = max(constraint.max_skew, skew(at_start(problem), scope.group, domains, constraint.min_domains))
    worst = skew(moment.after(), scope.group, domains, constraint.min_domains)
    if worst > allowed:
        yield Violation(NAME, f"{carrier.cluster}/{carrier.namespace}", f"{constraint.topology_key} skew {worst} > {allowed}")


def _judge(problem: Problem, moment: Moment, arrival: Arrival, scope: _Scope) -> Iterator[Violation]:
    constraint, group, domains = scope.constraint, scope.group, scope.domains
    yield from _too_many_beside_a_pin(problem, moment, arrival, constraint, group)
    value = problem.node_labels[arrival.node].get(constraint.topology_key)
    node = problem.nodes[arrival.node].ref
    if value is None:
        yield Violation(NAME, str(node), f"no label {constraint.topology_key}")
        return
    mine = domains.get(value, ())
    here = sum(_totals(moment.during(), group, (mine,))) - (arrival.pod_class in group and arrival.old in mine)
    least = 0
    if len(domains) >= constraint.min_domains:
        others = moment.after() if moment.settled else moment.least()
        rest = tuple(nodes for v, nodes in domains.items() if v != value)
        least = min([here, *_totals(others, group, rest)])
    if here - least > constraint.max_skew:
        yield Violation(NAME, str(node), f"{constraint.topology_key} {here} - {least} > maxSkew {constraint.max_skew}")
