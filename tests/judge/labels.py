"""Selectors, node affinity, taints and tolerations over plain JSON."""

from __future__ import annotations

from typing import Any

Body = dict[str, Any]


def _integer(text: object) -> int | None:
    try:
        return int(str(text))
    except ValueError:
        return None


def holds(requirement: Body, labels: dict[str, str]) -> bool:
    """One match expression."""
    key, operator = requirement.get("key", ""), requirement.get("operator", "")
    values, value = requirement.get("values") or [], labels.get(key)
    if operator == "In":
        return value in values
    if operator == "NotIn":
        return value not in values
    if operator == "Exists":
        return key in labels
    if operator == "DoesNotExist":
        return key not in labels
    have, limit = _integer(value), _integer(values[0]) if len(values) == 1 else None
    if operator not in ("Gt", "Lt") or have is None or limit is None:
        return False
    return have > limit if operator == "Gt" else have < limit


def selects(selector: Body | None, labels: dict[str, str]) -> bool:
    """A label selector: absent selects nothing, empty everything."""
    if selector is None:
        return False
    exact = all(labels.get(key) == value for key, value in (selector.get("matchLabels") or {}).items())
    return exact and all(holds(each, labels) for each in selector.get("matchExpressions") or [])


def node_selected(spec: Body, name: str, labels: dict[str, str]) -> bool:
    """nodeSelector and required node affinity of a pod spec."""
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    affinity = (spec.get("affinity") or {}).get("nodeAffinity") or {}
    required = affinity.get("requiredDuringSchedulingIgnoredDuringExecution")
    if required is None:
        return True
    return any(term_matches(term, name, labels) for term in required.get("nodeSelectorTerms") or [])


def term_matches(term: Body, name: str, labels: dict[str, str]) -> bool:
    """One node selector term; an empty one matches nothing."""
    expressions, fields = term.get("matchExpressions") or [], term.get("matchFields") or []
    if not expressions and not fields:
        return False
    return all(holds(e, labels) for e in expressions) and all(holds(f, {"metadata.name": name}) for f in fields)


def tolerates(toleration: Body, taint: Body) -> bool:
    """kubernetes.md 3.4; a NoExecute taint tolerated only for some seconds is not tolerated."""
    if toleration.get("effect") and toleration["effect"] != taint.get("effect"):
        return False
    if toleration.get("key") and toleration["key"] != taint.get("key"):
        return False
    if taint.get("effect") == "NoExecute" and toleration.get("tolerationSeconds") is not None:
        return False
    if toleration.get("operator") == "Exists":
        return True
    return (
        toleration.get("operator", "Equal") in ("", "Equal")
        and bool(toleration.get("key"))
        and (toleration.get("value") or "") == (taint.get("value") or "")
    )


def untolerated(tolerations: list[Body], taints: list[Body], effects: tuple[str, ...] = ("NoSchedule", "NoExecute")) -> Body | None:
    """The first taint of one of these effects that nothing tolerates."""
    for taint in taints:
        if taint.get("effect") in effects and not any(tolerates(each, taint) for each in tolerations):
            return taint
    return None
