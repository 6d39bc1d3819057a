"""Raw ResourceQuotas as what they leave for pods (pkg/quota/v1/evaluator/core/pods.go and the ResourceQuota admission plugin)."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from fractions import Fraction
from typing import Any

from descheduler.domain.objects import Quota
from descheduler.domain.quantity import parse_quantity
from descheduler.domain.resources import CPU, EPHEMERAL_STORAGE, MEMORY, PODS
from descheduler.domain.selectors import Requirement
from descheduler.federation.fields import Odd, mapping, objects, text, texts
from descheduler.federation.metadata import Place
from descheduler.federation.requests import extended

PRIORITY_CLASS = "PriorityClass"
SCOPES = frozenset({"BestEffort", "NotBestEffort", "Terminating", "NotTerminating", "CrossNamespacePodAffinity"})
"""Those a pod has or has not."""
_NOT_OF_PODS = "VolumeAttributesClass"
_COMPUTE = frozenset({CPU, MEMORY, EPHEMERAL_STORAGE})
_DEVICE_CLASS = "deviceclass.resource.kubernetes.io/"
_OPERATORS = {"In": True, "NotIn": True, "Exists": False, "DoesNotExist": False}


def of_pods(resource: str) -> bool:
    """Whether pods count towards a quota's resource; claims, services and other objects have their own."""
    if resource in _COMPUTE or resource in (PODS, f"count/{PODS}") or resource.startswith("hugepages-"):
        return True
    kind, _, rest = resource.partition(".")
    if kind == "limits":
        return rest in _COMPUTE
    return kind == "requests" and (rest in _COMPUTE or rest.startswith(("hugepages-", _DEVICE_CLASS)) or extended(rest))


def read_quota(raw: Mapping[str, Any], place: Place) -> Quota | None:
    """The quota, None when pods do not count towards it. Raises Odd when it cannot be read.

    Admission goes by the status; a limit just lowered in the spec counts too. A status that says nothing yet lets nobody in.
    """
    spec, status = mapping(raw.get("spec"), "spec"), mapping(raw.get("status"), "status")
    hard = _lower(_amounts(spec.get("hard"), "spec.hard"), _amounts(status.get("hard"), "status.hard"))
    used = _amounts(status.get("used"), "status.used")
    scopes: set[str] = set(texts(spec.get("scopes"), "spec.scopes"))
    classes, unknown = _selected(spec.get("scopeSelector"), scopes)
    if not hard or _NOT_OF_PODS in scopes:
        return None
    odd_scope = min(scopes - SCOPES - {PRIORITY_CLASS}, default=None)
    unknown = unknown or (f"spec.scopes: {odd_scope}" if odd_scope is not None else None)
    uncounted = min(set(hard) - set(used), default=None)
    if PRIORITY_CLASS in scopes:
        classes.add(Requirement(PRIORITY_CLASS, "Exists"))
    return Quota(
        namespace=place.namespace,
        name=place.name,
        left=tuple(sorted((resource, _units(resource, hard[resource] - used[resource])) for resource in hard if resource in used)),
        scopes=tuple(sorted(scopes & SCOPES)),
        priority_classes=tuple(sorted(classes, key=lambda r: (r.operator, r.values))),
        unknown=unknown or (f"status.used.{uncounted}: missing" if uncounted is not None else None),
    )


def quota_in_doubt(place: Place, why: str) -> Quota:
    """In place of a quota that cannot be read: it may be about any pod of its namespace, and lets no second copy in."""
    return Quota(namespace=place.namespace, name=place.name, unknown=why)


def _selected(value: object, scopes: set[str]) -> tuple[set[Requirement], str | None]:
    """What the scopeSelector asks of a pod's PriorityClass, and what of it is not known; plain scopes go to ``scopes``."""
    classes: set[Requirement] = set()
    at = "spec.scopeSelector.matchExpressions"
    for item in objects(mapping(value, "spec.scopeSelector").get("matchExpressions"), at):
        scope, operator = text(item.get("scopeName"), f"{at}[].scopeName"), text(item.get("operator"), f"{at}[].operator")
        values = texts(item.get("values"), f"{at}[].values")
        if scope == PRIORITY_CLASS and _OPERATORS.get(operator) is bool(values):
            classes.add(Requirement(PRIORITY_CLASS, operator, tuple(sorted(set(values)))))
        elif scope != PRIORITY_CLASS and operator == "Exists" and not values:
            scopes.add(scope)
        else:
            return classes, f"{at}[]: {scope} {operator}"
    return classes, None


def _lower(one: Mapping[str, Fraction], other: Mapping[str, Fraction]) -> dict[str, Fraction]:
    return {name: min(amounts[name] for amounts in (one, other) if name in amounts) for name in one.keys() | other.keys()}


def _amounts(value: object, field: str) -> dict[str, Fraction]:
    return dict(_each_amount(mapping(value, field), field))


def _each_amount(told: Mapping[str, Any], field: str) -> Iterator[tuple[str, Fraction]]:
    for name, quantity in told.items():
        resource = text(name, field)
        if of_pods(resource):
            try:
                yield resource, parse_quantity(quantity)
            except ValueError as error:
                raise Odd(f"{field}[{resource!a}]: {error}") from None


def _units(resource: str, amount: Fraction) -> int:
    """Millicores or whole units, rounded down."""
    return math.floor(amount * 1000 if resource in (CPU, f"requests.{CPU}", f"limits.{CPU}") else amount)
