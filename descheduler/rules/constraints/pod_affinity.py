"""Required pod affinity: a pod comes only where a pod it wants to be near is, for certain.

The other half of kube-scheduler's InterPodAffinity (``interpodaffinity/filtering.go``), kubernetes.md 3.7: one and the same pod
must match all terms, and be in the node's domain for each of them. A pod that matches its own terms may come first, as long as
nobody matches them anywhere. Stricter than kube-scheduler, which counts terminating pods as company to be near: they may be gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from descheduler.domain.moment import Arrival, Moment, Violation
from descheduler.domain.problem import PodClass, Problem
from descheduler.domain.rows import Needs
from descheduler.domain.selectors import PodTerm
from descheduler.rules.constraints.topology import domains_by, there_beside

NAME = "PodAffinity"


def _company(problem: Problem, cluster: str, terms: Iterable[PodTerm]) -> list[int]:
    """Classes whose pods match all terms."""
    return sorted(frozenset.intersection(*(frozenset(problem.matched(cluster, t.namespaces, t.selector)) for t in terms)))


def rows(problem: Problem) -> Iterator[Needs]:
    wanting: dict[tuple[str, tuple[PodTerm, ...]], list[PodClass]] = {}
    for c in problem.classes:
        if c.spec.affinity and c.reach:
            wanting.setdefault((c.cluster, c.spec.affinity), []).append(c)
    for (cluster, terms), classes in wanting.items():
        company = _company(problem, cluster, (term.of_newcomer for term in terms))
        matching = _company(problem, cluster, terms)
        anchors = tuple(c for c in matching if not problem.classes[c].terminating)
        for bootstrap in (False, True):
            carriers = tuple(c.index for c in classes if (c.index in matching) is bootstrap)
            for key in dict.fromkeys(term.topology_key for term in terms) if carriers else ():
                yield Needs(
                    rule=NAME,
                    carriers=carriers,
                    anchors=anchors,
                    company=tuple(company),
                    domains=tuple(domains_by(problem, cluster, key).values()),
                    bootstrap=bootstrap,
                )


def violations(problem: Problem, moment: Moment) -> Iterator[Violation]:
    wanting: dict[tuple[str, tuple[PodTerm, ...]], list[Arrival]] = {}
    for arrival in moment.arrivals:
        c = problem.classes[arrival.pod_class]
        if c.spec.affinity:
            wanting.setdefault((c.cluster, c.spec.affinity), []).append(arrival)
    for (cluster, terms), arrivals in wanting.items():
        scene = _Scene(problem, moment, cluster, terms)
        for key in dict.fromkeys(term.topology_key for term in terms):
            for arrival in scene.lonely(arrivals, key):
                namespace = problem.classes[arrival.pod_class].namespace
                yield Violation(NAME, str(problem.nodes[arrival.node].ref), f"nobody whom a pod of {namespace} needs is near by {key}")


class _Scene:
    """One cluster at a moment, with the eyes of those who carry the same terms."""

    def __init__(self, problem: Problem, moment: Moment, cluster: str, terms: tuple[PodTerm, ...]) -> None:
        self.problem, self.moment = problem, moment
        self.nodes = problem.nodes_of[cluster]
        self.company = _company(problem, cluster, (term.of_newcomer for term in terms))
        """Who keeps an arrival from being the first."""
        self.matching = _company(problem, cluster, terms)
        """Whom it needs; those who are company only as a newcomer reads its terms are not relied on (stricter)."""

    def lonely(self, arrivals: list[Arrival], key: str) -> list[Arrival]:
        """Arrivals that find nobody near for certain and may not be the first of all."""
        value = {n: self.problem.node_labels[n].get(key) for n in self.nodes}
        alone = [a for a in arrivals if value[a.node] is None or not self._near(a, [n for n in self.nodes if value[n] == value[a.node]])]
        if self.moment.settled:
            places = {value[a.node] for a in alone if a.pod_class in self.matching}
            settled = any(count > 0 for (c, _), count in self.moment.residents.items() if c in self.company)
            return [a for a in alone if a.pod_class not in self.matching or settled or len(places) > 1 or None in places]
        return [a for a in alone if value[a.node] is None or not self._first(a)]

    def _first(self, arrival: Arrival) -> bool:
        """Whether it matches its own terms and nobody else who does can be anywhere."""
        everyone = (there_beside(self.moment, arrival, c, n) for c in self.company for n in self.nodes)
        return arrival.pod_class in self.matching and not any(count > 0 for count in everyone)

    def _near(self, arrival: Arrival, domain: list[int]) -> bool:
        """Whether someone is there who neither leaves nor has yet to come; in the end state, whether someone ever was."""
        moment = self.moment
        for c in self.matching:
            if self.problem.classes[c].terminating:
                continue
            if c == arrival.pod_class and arrival.twin in domain:
                return True
            for n in domain:
                if moment.settled:
                    sure = there_beside(moment, arrival, c, n) + moment.gone.get((c, n), 0)
                else:
                    sure = moment.residents.get((c, n), 0) - moment.leaving.count((c, n))
                if sure > 0:
                    return True
        return False
