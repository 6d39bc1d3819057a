"""The effective requests and limits of a pod, exactly as kube-scheduler and quota sum them (kubernetes.md 3.2)."""

from __future__ import annotations

import marshal
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, NamedTuple

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
    return name in _NATIVE or name.startswith(("hugepages-", "attachable-volumes-")) or "kubernetes.io/" in name or extended(name)


def extended(name: str) -> bool:
    """Whether it is an extended resource (``IsExtendedResourceName``): one with somebody's own prefix."""
    return "/" in name and "kubernetes.io/" not in name and not name.startswith("requests.")


def allocatable(value: object, field: str) -> Amounts:
    """What a node gives, in base units, ``pods`` included (0 when absent). Raises Odd for an amount that cannot be read."""
    thousandths = _amounts(value, field, nodes=True)
    return {PODS: 0} | _in_base_units(thousandths, field)


class Size(NamedTuple):
    """What a pod asks for, in base units."""

    requests: Amounts
    limits: Amounts
    best_effort: bool


NO_SIZE = Size({}, {}, best_effort=False)


class Sizes:
    """Reads the sizes of pods; those that say the same ask for the same, and there are few of them."""

    def __init__(self) -> None:
        self._known: dict[bytes, Size] = {}

    def __call__(self, pod: Mapping[str, Any], *, scheduled: bool) -> Size:
        """Raises Odd naming the field that cannot be read; the answer is shared, and not to be changed."""
        said = _said(pod, scheduled)
        found = self._known.get(said) if said is not None else None
        if found is None:
            found = Size(effective_requests(pod, scheduled=scheduled), effective_limits(pod), best_effort(pod))
            if said is not None:
                self._known[said] = found
        return found


def _said(pod: Mapping[str, Any], scheduled: bool) -> bytes | None:
    """All that a size is read from; None when it has an unexpected shape."""
    try:
        spec, status = pod["spec"], pod["status"]
        said: list[Any] = [scheduled, spec.get("resources"), spec.get("overhead"), status.get("resources")]
        said.append([[c.get("name"), c.get("resources")] for c in spec["containers"]])
        said.append([[c.get("name"), c.get("resources"), c.get("restartPolicy")] for c in spec.get("initContainers") or ()])
        for field in ("containerStatuses", "initContainerStatuses"):
            given = [s for s in status.get(field) or () if s.get("resources") is not None]
            said.append([[s.get("name"), s["resources"], s.get("allocatedResources")] for s in given])
        said.append([c.get("reason") for c in status.get("conditions") or () if c.get("type") == "PodResizePending"])
        said += [status.get("allocatedResources"), status.get("qosClass")]
        return marshal.dumps(said, 2)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def effective_requests(pod: Mapping[str, Any], *, scheduled: bool) -> Amounts:
    """What the pod asks for, in base units; ``scheduled`` pods count with what in-place resize has given them.

    Source: component-helpers/resource ``PodRequests``. Raises Odd naming the field that cannot be read.
    """
    spec = mapping(pod.get("spec"), "spec")
    if not objects(spec.get("containers"), "spec.containers"):
        raise Odd("spec.containers: missing")
    total = _summed(spec, "requests", _Given(pod) if scheduled else None)
    if spec.get("overhead"):
        _add(total, _amounts(spec["overhead"], "spec.overhead"))
    return _in_base_units(total, "spec")


def effective_limits(pod: Mapping[str, Any]) -> Amounts:
    """The limits of cpu, memory and ephemeral-storage, in base units, with what in-place resize has given where that is more.

    Source: component-helpers/resource ``PodLimits``; overhead is added to what is limited at all. Raises Odd.
    """
    spec = mapping(pod.get("spec"), "spec")
    total = _summed(spec, "limits", _Given(pod))
    overhead = _amounts(spec.get("overhead"), "spec.overhead")
    _add(total, {name: amount for name, amount in overhead.items() if total.get(name)})
    return _in_base_units({name: amount for name, amount in total.items() if name in _NATIVE}, "spec")


def best_effort(pod: Mapping[str, Any]) -> bool:
    """Whether its QoS class is BestEffort: as the status says or, without one, if it asks for no cpu and memory and limits none.

    Source: pkg/apis/core/v1/helper/qos ``GetPodQOS``. Raises Odd.
    """
    told = text(mapping(pod.get("status"), "status").get("qosClass"), "status.qosClass")
    if told:
        return told == "BestEffort"
    spec = mapping(pod.get("spec"), "spec")
    holders = [("spec", spec)] if spec.get("resources") is not None else []
    if not holders:
        holders = [(f"spec.{f}[]", c) for f in ("containers", "initContainers") for c in objects(spec.get(f), f"spec.{f}")]
    for field, holder in holders:
        resources = mapping(holder.get("resources"), f"{field}.resources")
        for which in ("requests", "limits"):
            amounts = _amounts(resources.get(which), f"{field}.resources.{which}")
            if amounts.get(CPU) or amounts.get(MEMORY):
                return False
    return True


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
        self.pod = pod
        self.status = mapping(pod.get("status"), "status")
        self.containers: dict[str, Mapping[str, Any]] = {}
        for field in ("containerStatuses", "initContainerStatuses"):
            for status in objects(self.status.get(field), f"status.{field}"):
                if status.get("resources") is not None:
                    self.containers[text(status.get("name"), f"status.{field}[].name")] = status

    def larger(self, which: str, asked: Mapping[str, int], status: Mapping[str, Any], field: str) -> Amounts:
        """The larger of spec, actual and allocated; requests that can never be given do not count.

        Limits are those of a second copy, which knows nothing of a refusal.
        """
        resources = mapping(status.get("resources"), f"{field}.resources")
        result = {} if which == "requests" and resize_infeasible(self.pod) else dict(asked)
        _raise_to(result, _amounts(resources.get(which), f"{field}.resources.{which}"))
        if which == "requests":
            _raise_to(result, _amounts(status.get("allocatedResources"), f"{field}.allocatedResources"))
        return result


def _summed(spec: Mapping[str, Any], which: str, given: _Given | None) -> Amounts:
    """Requests or limits of the whole pod without overhead; pod-level ones replace the sum, even when smaller."""
    total: Amounts = {}
    for container in objects(spec.get("containers"), "spec.containers"):
        _add(total, _of_container(container, "spec.containers[]", which, given))
    if spec.get("initContainers"):
        _with_init_containers(total, spec, which, given)
    if spec.get("resources"):
        total |= _pod_level(spec, which, given)
    return total


def _of_container(container: Mapping[str, Any], field: str, which: str, given: _Given | None) -> Mapping[str, int]:
    resources = mapping(container.get("resources"), f"{field}.resources")
    asked = _amounts(resources.get(which), f"{field}.resources.{which}")
    if given is not None and given.containers:
        status = given.containers.get(text(container.get("name"), f"{field}.name"))
        if status is not None:
            return given.larger(which, asked, status, "status.containerStatuses[]")
    return asked


def _with_init_containers(main: Amounts, spec: Mapping[str, Any], which: str, given: _Given | None) -> None:
    """Sidecars run beside everything after them; an ordinary init container runs alone with the sidecars before it."""
    sidecars: Amounts = {}
    peak: Amounts = {}
    for container in objects(spec["initContainers"], "spec.initContainers"):
        field = "spec.initContainers[]"
        if container.get("restartPolicy") == "Always":
            asked = _of_container(container, field, which, given)
            _add(main, asked)
            _add(sidecars, asked)
            _raise_to(peak, sidecars)
        else:
            alone = dict(_of_container(container, field, which, None))
            _add(alone, sidecars)
            _raise_to(peak, alone)
    _raise_to(main, peak)


def _pod_level(spec: Mapping[str, Any], which: str, given: _Given | None) -> Amounts:
    """What is told of cpu, memory and hugepages for the pod as a whole."""
    resources = mapping(spec["resources"], "spec.resources")
    told = _amounts(resources.get(which), f"spec.resources.{which}")
    asked = {name: amount for name, amount in told.items() if name in (CPU, MEMORY) or name.startswith("hugepages-")}
    if asked and given is not None and given.status.get("resources") is not None:
        found = given.larger(which, asked, given.status, "status")
        return {name: found.get(name, 0) for name in asked}
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


def _in_base_units(thousandths: Mapping[str, int], field: str) -> Amounts:
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


def _add(total: Amounts, more: Mapping[str, int]) -> None:
    for name, amount in more.items():
        total[name] = total.get(name, 0) + amount


def _raise_to(result: Amounts, other: Mapping[str, int]) -> None:
    for name, amount in other.items():
        if amount > result.get(name, 0):
            result[name] = amount
