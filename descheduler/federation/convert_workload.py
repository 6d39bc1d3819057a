"""Raw controllers and disruption budgets as domain values (kubernetes.md 1.4 and 2)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from descheduler.domain.objects import Budget, Workload
from descheduler.domain.selectors import LabelSelector
from descheduler.federation.convert_selectors import label_selector
from descheduler.federation.fields import flag, mapping, objects, odd, text, whole
from descheduler.federation.interning import Interner
from descheduler.federation.metadata import Place, controlling_owner, known_annotations
from descheduler.federation.requests import effective_requests

COUNTED = frozenset({"Deployment", "ReplicaSet", "StatefulSet"})
"""Kinds whose ``spec.replicas`` is 1 when absent."""
_COUNTS = ("disruptionsAllowed", "expectedPods", "currentHealthy", "desiredHealthy")
_KILLED = {137, 143}
"""Exit codes of a container that was told to stop."""


def read_workload(kind: str, api_version: str, raw: Mapping[str, Any], place: Place, interner: Interner) -> Workload:
    """Raises Odd for a controller that cannot be read: its pods are then protected by having an unknown one."""
    meta, spec = mapping(raw.get("metadata"), "metadata"), mapping(raw.get("spec"), "spec")
    status = mapping(raw.get("status"), "status")
    replicas = _replicas(kind, spec)
    strategy, surge, rolling = "", 0, False
    if kind == "Deployment":
        strategy, surge = _strategy(spec, replicas or 0)
        rolling = deployment_rolling(meta, spec, status, replicas or 0)
    elif kind == "ReplicaSet":
        rolling = _unobserved(meta, status) or (whole(status.get("replicas"), "status.replicas") or 0) != replicas
    elif kind == "StatefulSet":
        revisions = {text(status.get(field), f"status.{field}") for field in ("currentRevision", "updateRevision")} - {""}
        rolling = _unobserved(meta, status) or len(revisions) > 1
    return Workload(
        kind=kind,
        namespace=place.namespace,
        name=place.name,
        uid=place.uid,
        api_version=interner(api_version),
        owner=interner(controlling_owner(meta.get("ownerReferences"), "metadata.ownerReferences")),
        annotations=interner(known_annotations(meta.get("annotations"), "metadata.annotations")),
        replicas=replicas,
        strategy=strategy,
        max_surge=surge,
        rolling=rolling,
        ignores_disruption=kind == "Job" and _ignores_disruption(spec),
        template=interner.resources(_template(spec)),
    )


def _template(spec: Mapping[str, Any]) -> dict[str, int]:
    template = mapping(spec.get("template"), "spec.template")
    told = mapping(template.get("spec"), "spec.template.spec").get("containers")
    return effective_requests(template, scheduled=False) if told else {}


def read_unknown_owner(kind: str, api_version: str, raw: Mapping[str, Any], place: Place, interner: Interner) -> Workload:
    """Any other kind, such as a Rollout: kept only if something points to it. Raises Odd when it cannot be read."""
    meta = mapping(raw.get("metadata"), "metadata")
    spec = raw.get("spec")
    replicas = spec.get("replicas") if isinstance(spec, dict) else None
    return Workload(
        kind=kind,
        namespace=place.namespace,
        name=place.name,
        uid=place.uid,
        api_version=interner(api_version),
        owner=interner(controlling_owner(meta.get("ownerReferences"), "metadata.ownerReferences")),
        annotations=interner(known_annotations(meta.get("annotations"), "metadata.annotations")),
        replicas=replicas if isinstance(replicas, int) and not isinstance(replicas, bool) and 0 <= replicas < 2**31 else None,
    )


def _replicas(kind: str, spec: Mapping[str, Any]) -> int | None:
    if kind not in COUNTED:
        return None
    told = whole(spec.get("replicas"), "spec.replicas")
    if told is not None and told < 0:
        raise odd("spec.replicas", told, "at least 0")
    return 1 if told is None else told


def _strategy(spec: Mapping[str, Any], replicas: int) -> tuple[str, int]:
    """The strategy and its maxSurge in pods: percentages are of ``replicas``, rounded up; the default is 25%."""
    strategy = mapping(spec.get("strategy"), "spec.strategy")
    kind = text(strategy.get("type"), "spec.strategy.type") or "RollingUpdate"
    if kind != "RollingUpdate":
        return kind, 0
    told = mapping(strategy.get("rollingUpdate"), "spec.strategy.rollingUpdate").get("maxSurge")
    return kind, count_or_share("25%" if told is None else told, replicas, "spec.strategy.rollingUpdate.maxSurge")


def count_or_share(value: object, total: int, field: str) -> int:
    """A count, or a percentage of ``total`` rounded up (apimachinery ``intstr``). Raises Odd for anything else."""
    if isinstance(value, str) and value.endswith("%") and value[:-1].isascii() and value[:-1].isdigit() and len(value) < 12:
        return -(-int(value[:-1]) * total // 100)
    count = whole(value, field) if not isinstance(value, str) else None
    if count is None or count < 0:
        raise odd(field, value, 'a count or a percentage such as "25%"')
    return count


def deployment_rolling(meta: Mapping[str, Any], spec: Mapping[str, Any], status: Mapping[str, Any], replicas: int) -> bool:
    """Whether a rollout or scaling is under way, or the controller has not seen the latest spec yet.

    A paused Deployment that has been observed does not roll, whatever its counts say.
    """
    if _unobserved(meta, status):
        return True
    if flag(spec.get("paused"), "spec.paused"):
        return False
    updated = whole(status.get("updatedReplicas"), "status.updatedReplicas") or 0
    existing = whole(status.get("replicas"), "status.replicas") or 0
    return updated != replicas or existing != replicas


def _unobserved(meta: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    generation = whole(meta.get("generation"), "metadata.generation") or 0
    return (whole(status.get("observedGeneration"), "status.observedGeneration") or 0) < generation


def _ignores_disruption(spec: Mapping[str, Any]) -> bool:
    """Whether an evicted pod of the Job does not count as a failure: rules apply in order, the first match decides."""
    policy = mapping(spec.get("podFailurePolicy"), "spec.podFailurePolicy")
    for rule in objects(policy.get("rules"), "spec.podFailurePolicy.rules"):
        conditions = objects(rule.get("onPodConditions"), "spec.podFailurePolicy.rules[].onPodConditions")
        disrupted = any(c.get("type") == "DisruptionTarget" and c.get("status") in (None, "True") for c in conditions)
        if disrupted:
            return bool(rule.get("action") == "Ignore")
        codes = mapping(rule.get("onExitCodes"), "spec.podFailurePolicy.rules[].onExitCodes")
        if rule.get("action") == "Ignore" or not codes:
            continue
        if codes.get("operator") != "In" or any(code in _KILLED for code in codes.get("values") or [] if isinstance(code, int)):
            return False
    return False


def read_budget(api_version: str, raw: Mapping[str, Any], place: Place) -> Budget:
    """A PodDisruptionBudget. Raises Odd when it cannot be read."""
    meta, spec = mapping(raw.get("metadata"), "metadata"), mapping(raw.get("spec"), "spec")
    status = mapping(raw.get("status"), "status")
    selector = label_selector(spec.get("selector"), "spec.selector")
    if api_version == "policy/v1beta1" and selector == LabelSelector():
        selector = None
    counts = {name: whole(status.get(name), f"status.{name}") or 0 for name in _COUNTS}
    return Budget(
        namespace=place.namespace,
        name=place.name,
        selector=selector,
        allowed=0 if _unobserved(meta, status) else max(0, counts["disruptionsAllowed"]),
        never=_never(spec, counts["expectedPods"]),
        healthy=counts["currentHealthy"],
        desired=counts["desiredHealthy"],
        always_allow_unhealthy=spec.get("unhealthyPodEvictionPolicy") == "AlwaysAllow",
    )


def closed_budget(place: Place) -> Budget:
    """In place of a budget that cannot be read: it may be about any pod of its namespace, and allows nothing."""
    return Budget(namespace=place.namespace, name=place.name, selector=LabelSelector(), allowed=0, never=True)


def _never(spec: Mapping[str, Any], expected: int) -> bool:
    """maxUnavailable of none, or minAvailable of all its pods; which a count is can only be said once it covers some."""
    most, least = spec.get("maxUnavailable"), spec.get("minAvailable")
    if most is not None:
        return count_or_share(most, 100, "spec.maxUnavailable") == 0
    if least is None:
        return False
    if isinstance(least, str) and count_or_share(least, 100, "spec.minAvailable") >= 100:
        return True
    return expected > 0 and count_or_share(least, expected, "spec.minAvailable") >= expected
