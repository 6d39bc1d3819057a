"""Labels, selectors, taints and tolerations, and how each matches (kubernetes.md 3.4, 3.5, 3.7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace

Pairs = tuple[tuple[str, str], ...]
"""A map of strings as sorted pairs: hashable, picklable, equal by content."""

_DIGITS = re.compile(r"[+-]?[0-9]{1,63}")


def pairs(mapping: Mapping[str, str]) -> Pairs:
    return tuple(sorted(mapping.items()))


def _integer(text: str) -> int | None:
    """An int64 as Go's ``strconv.ParseInt`` reads it; Python's ``int`` would take ``1_000`` and spaces too."""
    if not _DIGITS.fullmatch(text):
        return None
    value = int(text)
    return value if -(2**63) <= value < 2**63 else None


@dataclass(frozen=True, slots=True)
class Requirement:
    """One expression ``key operator values``: In, NotIn, Exists, DoesNotExist, and for nodes Gt, Lt."""

    key: str
    operator: str
    values: tuple[str, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        """Kubernetes' labels.Requirement.Matches: NotIn holds where the key is absent; Gt and Lt need integers."""
        value = labels.get(self.key)
        match self.operator:
            case "In":
                return value is not None and value in self.values
            case "NotIn":
                return value is None or value not in self.values
            case "Exists":
                return value is not None
            case "DoesNotExist":
                return value is None
            case "Gt" | "Lt":
                if value is None or len(self.values) != 1:
                    return False
                have, limit = _integer(value), _integer(self.values[0])
                if have is None or limit is None:
                    return False
                return have > limit if self.operator == "Gt" else have < limit
            case _:
                return False


@dataclass(frozen=True, slots=True)
class LabelSelector:
    """``matchLabels`` and ``matchExpressions`` together; empty selects everything (absence is ``None``, selects nothing)."""

    labels: Pairs = ()
    expressions: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str]) -> bool:
        return all(labels.get(key) == value for key, value in self.labels) and all(e.matches(labels) for e in self.expressions)


@dataclass(frozen=True, slots=True)
class NodeSelectorTerm:
    """One ORed term of required node affinity; an empty term matches no node."""

    expressions: tuple[Requirement, ...] = ()
    fields: tuple[Requirement, ...] = ()

    def matches(self, labels: Mapping[str, str], name: str) -> bool:
        if not self.expressions and not self.fields:
            return False
        return all(e.matches(labels) for e in self.expressions) and all(f.matches({"metadata.name": name}) for f in self.fields)


@dataclass(frozen=True, slots=True)
class Taint:
    """A node's taint; ``PreferNoSchedule`` never blocks."""

    key: str
    value: str = ""
    effect: str = "NoSchedule"


@dataclass(frozen=True, slots=True)
class Toleration:
    """A pod's toleration (corev1 ``ToleratesTaint``)."""

    key: str = ""
    operator: str = "Equal"
    value: str = ""
    effect: str = ""
    seconds: int | None = None
    """``tolerationSeconds``: a NoExecute taint tolerated for a while only; such a node is no destination."""

    def tolerates(self, taint: Taint) -> bool:
        if self.effect and self.effect != taint.effect:
            return False
        if self.key and self.key != taint.key:
            return False
        if self.operator == "Exists":
            return True
        return self.operator in ("", "Equal") and bool(self.key) and self.value == taint.value


@dataclass(frozen=True, slots=True)
class PodTerm:
    """A required inter-pod (anti-)affinity term with its namespaces resolved where the pod was read."""

    topology_key: str
    selector: LabelSelector | None
    namespaces: frozenset[str] | None
    """The namespaces it looks at; ``None`` means all of them."""
    takes_unlabelled: bool = False
    """Its ``namespaceSelector`` selects a namespace without labels."""

    @property
    def of_newcomer(self) -> PodTerm:
        """The term as kube-scheduler 1.36 reads it when its carrier is the pod to be placed (docs/decisions/0007).

        InterPodAffinity's PreFilter then matches the ``namespaceSelector`` with no labels at all, so one that selects a namespace
        without labels selects them all.
        """
        return replace(self, namespaces=None) if self.takes_unlabelled else self

    def matches(self, namespace: str, labels: Mapping[str, str]) -> bool:
        if self.selector is None or (self.namespaces is not None and namespace not in self.namespaces):
            return False
        return self.selector.matches(labels)


@dataclass(frozen=True, slots=True)
class SpreadConstraint:
    """A hard (``DoNotSchedule``) topology spread constraint, ``matchLabelKeys`` already merged into the selector."""

    topology_key: str
    max_skew: int
    selector: LabelSelector | None
    min_domains: int = 1
    honor_affinity: bool = True
    """``nodeAffinityPolicy``: Honor unless it says Ignore."""
    honor_taints: bool = False
    """``nodeTaintsPolicy``: Ignore unless it says Honor."""


@dataclass(frozen=True, slots=True, order=True)
class HostPort:
    """A port of the node that a container takes for itself (kubernetes.md 3.6)."""

    protocol: str = "TCP"
    ip: str = ""
    """Empty: every address of the node; ``0.0.0.0`` is read as that."""
    port: int = 0

    def conflicts(self, other: HostPort) -> bool:
        """Whether two pods of one node cannot have both (kube-scheduler's ``HostPortInfo.CheckConflict``)."""
        return (self.protocol, self.port) == (other.protocol, other.port) and (not self.ip or not other.ip or self.ip == other.ip)


@dataclass(frozen=True, slots=True)
class NodeDemand:
    """What must hold of a node's labels besides the pod's own selector: where its volumes can be had, what the scheduler adds.

    Names the plugin that asks and its words, so that whoever explains can say them.
    """

    plugin: str
    """VolumeBinding, VolumeZone or NodeAffinity."""
    reason: str
    """kube-scheduler's words when the node does not satisfy it."""
    terms: tuple[NodeSelectorTerm, ...]
    """ORed; an empty term matches no node, no term at all matches no node."""

    def met(self, labels: Mapping[str, str], name: str) -> bool:
        return any(term.matches(labels, name) for term in self.terms)
