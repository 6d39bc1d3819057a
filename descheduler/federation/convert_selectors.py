"""Raw selectors, tolerations, node and pod affinity and spread constraints as domain values (kubernetes.md 3.4 to 3.9)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from descheduler.domain.selectors import (
    LabelSelector,
    NodeSelectorTerm,
    PodTerm,
    Requirement,
    SpreadConstraint,
    Toleration,
    pairs,
)
from descheduler.federation.fields import listing, mapping, objects, odd, string_map, text, texts, whole

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
_NAME_LABEL = "kubernetes.io/metadata.name"
_VALUES_NEEDED = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}


@dataclass(frozen=True, slots=True)
class ScopedTerm:
    """A term of pod affinity or anti-affinity whose namespaces are not known before all Namespace objects are."""

    term: PodTerm
    """With the namespaces it lists by name."""
    namespaces: LabelSelector
    """The ``namespaceSelector``; every namespace it selects is looked at too."""


Terms = tuple[tuple[PodTerm, ...], tuple[ScopedTerm, ...]]
"""The terms that are known at once, and those that need namespace labels."""


def label_selector(value: object, field: str) -> LabelSelector | None:
    """A label selector in canonical order; absent or null is None, which selects nothing."""
    if value is None:
        return None
    selector = mapping(value, field)
    labels = pairs(string_map(selector.get("matchLabels"), f"{field}.matchLabels"))
    at = f"{field}.matchExpressions"
    return LabelSelector(labels, _ordered([_requirement(item, f"{at}[]") for item in objects(selector.get("matchExpressions"), at)]))


def _requirement(item: Mapping[str, Any], field: str) -> Requirement:
    operator = text(item.get("operator"), f"{field}.operator")
    values = texts(item.get("values"), f"{field}.values")
    if operator not in _VALUES_NEEDED:
        raise odd(f"{field}.operator", item.get("operator"), "In, NotIn, Exists or DoesNotExist")
    if _VALUES_NEEDED[operator] != bool(values):
        raise odd(f"{field}.values", item.get("values"), f"{'some' if _VALUES_NEEDED[operator] else 'no'} values for {operator}")
    return Requirement(text(item.get("key"), f"{field}.key"), operator, tuple(sorted(set(values))))


def _ordered(requirements: list[Requirement]) -> tuple[Requirement, ...]:
    return tuple(sorted(set(requirements), key=lambda r: (r.key, r.operator, r.values)))


def node_terms(value: object, field: str) -> tuple[NodeSelectorTerm, ...] | None:
    """The terms of a node selector, ORed; None when there is none. Raises Odd for one the API server would not have taken."""
    if value is None:
        return None
    terms = []
    for term in objects(mapping(value, field).get("nodeSelectorTerms"), f"{field}.nodeSelectorTerms"):
        at = f"{field}.nodeSelectorTerms[]"
        on_labels, on_name = f"{at}.matchExpressions", f"{at}.matchFields"
        expressions = [_node_requirement(item, f"{on_labels}[]") for item in objects(term.get("matchExpressions"), on_labels)]
        names = [_name_requirement(item, f"{on_name}[]") for item in objects(term.get("matchFields"), on_name)]
        terms.append(term_of(expressions, names))
    return tuple(terms)


def term_of(expressions: list[Requirement], names: list[Requirement] | None = None) -> NodeSelectorTerm:
    """The term, empty when kube-scheduler cannot parse one of its expressions: then it matches no node.

    Source: apimachinery ``labels.NewRequirement``. The API server takes such terms from clients that had them before.
    """
    if not all(map(_parses, expressions)):
        return NodeSelectorTerm()
    return NodeSelectorTerm(_ordered(expressions), _ordered(names or []))


def _parses(requirement: Requirement) -> bool:
    """Numbers that cannot be parsed match no label anyway."""
    values = requirement.values
    return all(_LABEL_VALUE.fullmatch(value) for value in values) and (bool(values) or requirement.operator not in ("In", "NotIn"))


def _node_requirement(item: Mapping[str, Any], field: str) -> Requirement:
    if item.get("operator") not in ("Gt", "Lt"):
        return _requirement(item, field)
    values = texts(item.get("values"), f"{field}.values")
    if len(values) != 1:
        raise odd(f"{field}.values", item.get("values"), "one value")
    return Requirement(text(item.get("key"), f"{field}.key"), item["operator"], values)


def _name_requirement(item: Mapping[str, Any], field: str) -> Requirement:
    found = _requirement(item, field)
    if found.key != "metadata.name" or found.operator not in ("In", "NotIn") or len(found.values) != 1:
        raise odd(field, item, "metadata.name In or NotIn one value")
    return found


def tolerations(value: object, field: str) -> tuple[Toleration, ...]:
    """Tolerations, each once, in a fixed order: their order means nothing."""
    found = set()
    for item in objects(value, field):
        key, shown = text(item.get("key"), f"{field}[].key"), text(item.get("value"), f"{field}[].value")
        effect = text(item.get("effect"), f"{field}[].effect")
        operator = text(item.get("operator"), f"{field}[].operator") or "Equal"
        seconds = whole(item.get("tolerationSeconds"), f"{field}[].tolerationSeconds")
        found.add(Toleration(key, operator, shown, effect, seconds))
    if len(found) < 2:
        return tuple(found)
    return tuple(sorted(found, key=lambda t: (t.key, t.operator, t.value, t.effect, -1 if t.seconds is None else t.seconds)))


def merged(selector: LabelSelector | None, keys: object, field: str, labels: Mapping[str, str], operator: str) -> LabelSelector | None:
    """The selector with ``matchLabelKeys`` (In) or ``mismatchLabelKeys`` (NotIn) written out; keys the pod lacks are skipped."""
    more = [Requirement(key, operator, (labels[key],)) for key in texts(keys, field) if key in labels]
    if selector is None or not more:
        return selector
    return LabelSelector(selector.labels, _ordered([*selector.expressions, *more]))


def pod_terms(value: object, field: str, namespace: str, labels: Mapping[str, str]) -> Terms:
    """Required pod affinity or anti-affinity of a pod in ``namespace`` with ``labels``.

    Only the API server merges ``matchLabelKeys`` here, with the labels the pod was created with: what it wrote stays as it is.
    """
    known: list[PodTerm] = []
    scoped: list[ScopedTerm] = []
    for term in objects(value, field):
        key = text(term.get("topologyKey"), f"{field}[].topologyKey")
        if not key:
            raise odd(f"{field}[].topologyKey", term.get("topologyKey"), "a label name")
        selector = label_selector(term.get("labelSelector"), f"{field}[].labelSelector")
        for keys, operator in (("matchLabelKeys", "In"), ("mismatchLabelKeys", "NotIn")):
            written = {(r.key, r.operator) for r in selector.expressions} if selector is not None and term.get(keys) else set()
            left = {name: value for name, value in labels.items() if (name, operator) not in written}
            selector = merged(selector, term.get(keys), f"{field}[].{keys}", left, operator)
        named = frozenset(texts(term.get("namespaces"), f"{field}[].namespaces"))
        wider = label_selector(term.get("namespaceSelector"), f"{field}[].namespaceSelector")
        if wider is None:
            known.append(PodTerm(key, selector, named or frozenset({namespace})))
        elif wider == LabelSelector():
            known.append(PodTerm(key, selector, None))
        else:
            scoped.append(ScopedTerm(PodTerm(key, selector, named), wider))
    return tuple(known), tuple(scoped)


def names_namespaces(value: object, field: str) -> bool:
    """Whether any term of pod affinity or anti-affinity, preferred ones included, names namespaces, be it its own.

    The API server's quota scope CrossNamespacePodAffinity.
    """
    if value is None:
        return False
    for kind in ("podAffinity", "podAntiAffinity"):
        terms = mapping(mapping(value, field).get(kind), f"{field}.{kind}")
        required = objects(terms.get(REQUIRED), f"{field}.{kind}.{REQUIRED}")
        preferred = objects(terms.get(PREFERRED), f"{field}.{kind}.{PREFERRED}")
        at = f"{field}.{kind}.{PREFERRED}[].podAffinityTerm"
        for term in (*required, *(mapping(soft.get("podAffinityTerm"), at) for soft in preferred)):
            if term.get("namespaces") or term.get("namespaceSelector") is not None:
                return True
    return False


def resolve(scoped: ScopedTerm, namespaces: Mapping[str, Mapping[str, str] | None], *, unknown: bool) -> tuple[PodTerm, bool]:
    """The term with its namespaces, and whether all labels it needed were known.

    ``namespaces`` holds the labels of each namespace, None where there is no such object. ``unknown`` is whether one of unknown
    labels is taken in. The safe side is to keep away from more pods, and to be drawn to fewer: so for anti-affinity, not for affinity.
    """
    chosen = set(scoped.term.namespaces or ())
    complete = True
    by_name_alone = {r.key for r in scoped.namespaces.expressions} | {key for key, _ in scoped.namespaces.labels} <= {_NAME_LABEL}
    for name, labels in namespaces.items():
        if name in chosen:
            continue
        if labels is None and not by_name_alone:
            complete = False
            if unknown:
                chosen.add(name)
        elif scoped.namespaces.matches({**(labels or {}), _NAME_LABEL: name}):
            chosen.add(name)
    term = PodTerm(scoped.term.topology_key, scoped.term.selector, frozenset(chosen), takes_unlabelled=scoped.namespaces.matches({}))
    return term, complete


def spread(value: object, field: str, labels: Mapping[str, str]) -> tuple[SpreadConstraint, ...]:
    """The hard spread constraints of a pod with ``labels``; ``ScheduleAnyway`` never blocks and is dropped.

    kube-scheduler adds the ``matchLabelKeys`` of the labels as they are, to what the API server may have merged already.
    """
    found = []
    for item in objects(value, field):
        if item.get("whenUnsatisfiable") == "ScheduleAnyway":
            continue
        key = text(item.get("topologyKey"), f"{field}[].topologyKey")
        skew = whole(item.get("maxSkew"), f"{field}[].maxSkew")
        if not key or skew is None or skew < 1:
            raise odd(f"{field}[]", item, "a topologyKey and a maxSkew of at least 1")
        domains = whole(item.get("minDomains"), f"{field}[].minDomains")
        selector = label_selector(item.get("labelSelector"), f"{field}[].labelSelector")
        selector = merged(selector, item.get("matchLabelKeys"), f"{field}[].matchLabelKeys", labels, "In")
        affinity = text(item.get("nodeAffinityPolicy"), f"{field}[].nodeAffinityPolicy") != "Ignore"
        taints = text(item.get("nodeTaintsPolicy"), f"{field}[].nodeTaintsPolicy") == "Honor"
        found.append(SpreadConstraint(key, skew, selector, 1 if domains is None else domains, affinity, taints))
    return tuple(found)


def gates(value: object, field: str) -> tuple[str, ...]:
    """The names of the scheduling gates."""
    return tuple(text(mapping(item, f"{field}[]").get("name"), f"{field}[].name") for item in listing(value, field))
