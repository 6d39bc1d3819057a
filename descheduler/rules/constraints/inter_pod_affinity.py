"""Required anti-affinity, both ways: no pod comes where a pod it shuns is, nor where a pod is that shuns it.

kube-scheduler's InterPodAffinity (``interpodaffinity/filtering.go``), kubernetes.md 3.7: a node without the topology
key passes; terminating pods count; the arriving pod itself does not. A term is read as its newcomer reads it, also when
its carrier is there already (stricter, ``PodTerm.of_newcomer``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache

from descheduler.domain.moment import Arrival, Moment, Violation
from descheduler.domain.problem import PodClass, Problem
from descheduler.domain.rows import AtMost, Exclude
from descheduler.domain.selectors import PodTerm
from descheduler.rules.constraints.topology import domains_by

NAME = "InterPodAffinity"


def _carriers(problem: Problem) -> dict[tuple[str, PodTerm], list[int]]:
    found: dict[tuple[str, PodTerm], list[int]] = {}
    for pod_class in problem.classes:
        for term in pod_class.spec.anti_affinity:
            found.setdefault((pod_class.cluster, term.of_newcomer), []).append(pod_class.index)
    return found


def rows(problem: Problem) -> Iterator[AtMost | Exclude]:
    for (cluster, term), carriers in _carriers(problem).items():
        others = list(problem.matched(cluster, term.namespaces, term.selector))
        if not others or not any(problem.classes[i].reach for i in {*carriers, *others}):
            continue
        domains = tuple(domains_by(problem, cluster, term.topology_key).values())
        if carriers == others:
            yield AtMost(rule=NAME, group=tuple(carriers), domains=domains, limit=1)
        else:
            yield Exclude(rule=NAME, carriers=tuple(carriers), others=tuple(others), domains=domains)


@lru_cache(maxsize=65536)
def _matches(term: PodTerm, namespace: str, labels: tuple[tuple[str, str], ...]) -> bool:
    return term.matches(namespace, dict(labels))


def _shuns(problem: Problem, one: PodClass, other: PodClass, here: Mapping[str, str], there: Mapping[str, str]) -> str | None:
    """The topology key by which ``one`` (on a node labelled ``here``) forbids ``other`` (on ``there``)."""
    for term in one.spec.anti_affinity:
        key = term.topology_key
        if key in here and here[key] == there.get(key) and _matches(term.of_newcomer, other.namespace, other.labels):
            return key
    return None


def violations(problem: Problem, moment: Moment) -> Iterator[Violation]:
    known, during = problem.once(foes), moment.during()
    for arrival in moment.arrivals:
        for other in known.get(arrival.pod_class, ()):
            for node, count in during.of(other).items():
                yield from _against(problem, arrival, problem.classes[other], node, count)


def foes(problem: Problem) -> dict[int, tuple[int, ...]]:
    """Class to those whom it may exclude, or who may exclude it."""
    found: dict[int, set[int]] = {}
    for (cluster, term), carriers in _carriers(problem).items():
        others = problem.matched(cluster, term.namespaces, term.selector)
        for group, against in ((carriers, others), (others, carriers)):
            for c in group:
                found.setdefault(c, set()).update(against)
    return {c: tuple(sorted(others)) for c, others in found.items()}


def _against(problem: Problem, arrival: Arrival, other: PodClass, node: int, count: int) -> Iterator[Violation]:
    itself = (other.index, node) == (arrival.pod_class, arrival.node)
    old_self = other.index == arrival.pod_class and node == arrival.old
    if count - itself - old_self <= 0:
        return
    comer, here, there = problem.classes[arrival.pod_class], problem.node_labels[arrival.node], problem.node_labels[node]
    key = _shuns(problem, comer, other, here, there) or _shuns(problem, other, comer, there, here)
    if key is not None:
        fact = f"{comer.namespace}/{_name(comer)} and {other.namespace}/{_name(other)} exclude each other by {key}"
        yield Violation(NAME, str(problem.nodes[arrival.node].ref), fact)


def _name(pod_class: PodClass) -> str:
    return pod_class.workload[1] if pod_class.workload else "a pod"
