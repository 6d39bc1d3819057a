"""The effective requests of a pod, exactly as kube-scheduler sums them (kubernetes.md 3.2)."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from descheduler.domain.quantity import base_units, stored_thousandths
from descheduler.domain.resources import CPU, EPHEMERAL_STORAGE, MEMORY, PODS
from descheduler.federation.fields import Odd, mapping, objects, text

Amounts = dict[str, int]
"""Thousandths of a unit: every quantity the API stores is a whole number of them, so sums stay exact."""

_NATIVE = frozenset({CPU, MEMORY, EPHEMERAL_STORAGE})


def counted(name: str) -> bool:
    """Whether kube-scheduler counts the resource: native, hugepages, attachable volumes, or a name with a prefix.

    Follows ``IsScalarResourceName`` (pkg/apis/core/v1/helper): any other unprefixed name is ignored.
    """
    if name in _NATIVE or name.startswith(("hugepages-", "attachable-volumes-")):
        return True
    return "kubernetes.io/" in name or ("/" in name and not name.startswith("requests."))


def allocatable(value: object, field: str) -> Amounts:
    """What a node gives, in base units, ``pods`` included (0 when absent). Raises Odd for an amount that cannot be read."""
    thousandths = _amounts(value, field, nodes=True)
    return {PODS: 0} | _in_base_units(thousandths, field)


def effective_requests(pod: Mapping[str, Any], *, scheduled: bool) -> Amounts:
    """What the pod asks for, in base units; ``scheduled`` pods count with what in-place resize has given them.

    Source: component-helpers/resource ``PodRequests``. Raises Odd naming the field that cannot be read.
    """
    spec = mapping(pod.get("spec"), "spec")
    given = _Given(pod) if scheduled else None
    total: Amounts = {}
    containers = objects(spec.get("containers"), "spec.containers")
    if not containers:
        raise Odd("spec.containers: missing")
    for container in containers:
        _add(total, _container(container, "spec.containers[]", given))
    if spec.get("initContainers"):
        total = _with_init_containers(total, spec, given)
    if spec.get("resources"):
        total |= _pod_level(spec, given)
    if spec.get("overhead"):
        _add(total, _amounts(spec["overhead"], "spec.overhead"))
    return _in_base_units(total, "spec")


def resize_infeasible(pod: Mapping[str, Any]) -> bool:
    """Whether the kubelet refused a resize for good: then what runs, not the spec, is what counts."""
    status = mapping(pod.get("status"), "status")
    for condition in objects(status.get("conditions"), "status.conditions"):
        if condition.get("type") == "PodResizePending":
            return bool(condition.get("reason") == "Infeasible")
    return False


class _Given:
    """What the kubelet says it has given to the containers of a scheduled pod."""

    def __init__(self, pod: Mapping[str, Any]) -> None:
        self.status = mapping(pod.get("status"), "status")
        self.infeasible = resize_infeasible(pod)
        self.containers: dict[str, Mapping[str, Any]] = {}
        for field in ("containerStatuses", "initContainerStatuses"):
            for status in objects(self.status.get(field), f"status.{field}"):
                if status.get("resources") is not None:
                    self.containers[text(status.get("name"), f"status.{field}[].name")] = status

    def larger(self, asked: Amounts, status: Mapping[str, Any], field: str) -> Amounts:
        """The larger of spec, actual and allocated; without the spec when the resize can never be given."""
        resources = mapping(status.get("resources"), f"{field}.resources")
        result = {} if self.infeasible else dict(asked)
        _raise_to(result, _amounts(resources.get("requests"), f"{field}.resources.requests"))
        _raise_to(result, _amounts(status.get("allocatedResources"), f"{field}.allocatedResources"))
        return result


def _container(container: Mapping[str, Any], field: str, given: _Given | None) -> Amounts:
    resources = mapping(container.get("resources"), f"{field}.resources")
    asked = _amounts(resources.get("requests"), f"{field}.resources.requests")
    if given is not None and given.containers:
        status = given.containers.get(text(container.get("name"), f"{field}.name"))
        if status is not None:
            return given.larger(asked, status, "status.containerStatuses[]")
    return asked


def _with_init_containers(main: Amounts, spec: Mapping[str, Any], given: _Given | None) -> Amounts:
    """Sidecars run beside everything after them; an ordinary init container runs alone with the sidecars before it."""
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in objects(spec["initContainers"], "spec.initContainers"):
        field = "spec.initContainers[]"
        if container.get("restartPolicy") == "Always":
            asked = _container(container, field, given)
            _add(main, asked)
            _add(sidecars, asked)
            _raise_to(peak, sidecars)
        else:
            alone = _container(container, field, None)
            _add(alone, sidecars)
            _raise_to(peak, alone)
    _raise_to(main, peak)
    return main


def _pod_level(spec: Mapping[str, Any], given: _Given | None) -> Amounts:
    """Pod-level requests replace the sum for cpu, memory and hugepages, even when smaller."""
    resources = mapping(spec["resources"], "spec.resources")
    asked = _amounts(resources.get("requests"), "spec.resources.requests")
    asked = {name: amount for name, amount in asked.items() if name in (CPU, MEMORY) or name.startswith("hugepages-")}
    if asked and given is not None and given.status.get("resources") is not None:
        found = given.larger(asked, given.status, "status")
        return {name: found.get(name, amount) for name, amount in asked.items()}
    return asked


def _amounts(value: object, field: str, *, nodes: bool = False) -> Amounts:
    found: Amounts = {}
    for name, quantity in mapping(value, field).items():
        resource = text(name, field)
        if not counted(resource) and not (nodes and resource == PODS):
            continue
        try:
            amount = stored_thousandths(quantity)
        except ValueError as error:
            raise Odd(f"{field}.{_shown(resource)}: {error}") from None
        if amount < 0:
            raise Odd(f"{field}.{_shown(resource)}: {quantity!a} is negative")
        found[resource] = amount
    return found


def _in_base_units(thousandths: Amounts, field: str) -> Amounts:
    """Rounded up once, after summing, as the scheduler does."""
    result: Amounts = {}
    for name, amount in thousandths.items():
        if amount < 2**53:
            result[name] = amount if name == CPU else -(-amount // 1000)
            continue
        try:
            result[name] = base_units(name, Fraction(amount, 1000))
        except ValueError as error:
            raise Odd(f"{field}.{_shown(name)}: {str(error).removeprefix(name)[2:]}") from None
    return result


def _shown(resource: str) -> str:
    return resource if resource.isascii() and resource.isprintable() else ascii(resource)


def _add(total: Amounts, more: Amounts) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise_to(result: Amounts, other: Amounts) -> None:
    for name, amount in other.items():
        if amount > result.get(name, 0):
            result[name] = amount
