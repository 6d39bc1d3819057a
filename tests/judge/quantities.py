"""Kubernetes quantities and what a pod asks for, in whole base units (millicores for cpu)."""

from __future__ import annotations

import re
from collections.abc import Callable
from fractions import Fraction
from math import ceil
from typing import Any

Body = dict[str, Any]
Amounts = dict[str, int]

FACTORS = {"n": Fraction(1, 10**9), "u": Fraction(1, 10**6), "m": Fraction(1, 1000), "": Fraction(1)}
FACTORS |= {suffix: Fraction(1000**power) for power, suffix in enumerate(("k", "M", "G", "T", "P", "E"), 1)}
FACTORS |= {suffix: Fraction(1024**power) for power, suffix in enumerate(("Ki", "Mi", "Gi", "Ti", "Pi", "Ei"), 1)}
SHAPE = re.compile(r"([+-]?(?:\d+\.?\d*|\.\d+))(?:[eE]([+-]?\d+)|([numkMGTPE]|[KMGTPE]i)?)$")


class Unreadable(ValueError):
    """A quantity that is none."""


def exact(text: object) -> Fraction:
    """The amount a quantity says; raises Unreadable."""
    found = SHAPE.match(str(text)) if isinstance(text, str | int | float) and not isinstance(text, bool) else None
    if not found:
        raise Unreadable(f"{text!r} is no quantity")
    number, exponent, suffix = found.groups()
    return Fraction(number) * (Fraction(10) ** int(exponent) if exponent else FACTORS[suffix or ""])


def whole(name: str, amount: Fraction) -> int:
    """Base units, rounded up."""
    return ceil(amount * 1000) if name == "cpu" else ceil(amount)


def counted(name: str) -> bool:
    """Whether the scheduler counts a resource of this name (kubernetes.md 3.2)."""
    if "/" in name:
        return not name.startswith("requests.")
    return name in ("cpu", "memory", "ephemeral-storage", "pods") or name.startswith(("hugepages-", "attachable-volumes-"))


def amounts(listed: Body | None) -> Amounts:
    """A list such as ``allocatable`` in base units; raises Unreadable."""
    return {name: whole(name, exact(text)) for name, text in (listed or {}).items() if counted(name)}


Sum = dict[str, Fraction]


def _add(one: Sum, other: Sum) -> Sum:
    return {name: one.get(name, Fraction(0)) + other.get(name, Fraction(0)) for name in one | other}


def _most(*sums: Sum) -> Sum:
    names = {name for each in sums for name in each}
    return {name: max(each.get(name, Fraction(0)) for each in sums) for name in names}


def _asked(listed: Body | None) -> Sum:
    return {name: Fraction(ceil(exact(text) * 1000), 1000) for name, text in (listed or {}).items() if counted(name)}


def _resized(spec: Sum, status: Body, infeasible: bool) -> Sum:
    """On a node, an in-place resize makes it the larger of wanted and granted."""
    if not status.get("resources"):
        return spec
    granted = [_asked((status["resources"] or {}).get("requests")), _asked(status.get("allocatedResources"))]
    return _most(*granted) if infeasible else _most(spec, *granted)


def pod_requests(spec: Body, status: Body | None = None) -> Amounts:
    """Effective requests of a pod (kubernetes.md 3.2) with ``pods`` = 1; ``status`` for pods bound to a node; raises Unreadable."""
    status = status or {}
    statuses = {s.get("name", ""): s for kind in ("containerStatuses", "initContainerStatuses") for s in status.get(kind) or []}
    infeasible = any(c.get("type") == "PodResizePending" and c.get("reason") == "Infeasible" for c in status.get("conditions") or [])

    def use(container: Body) -> Sum:
        asked = _asked((container.get("resources") or {}).get("requests"))
        lasts = container.get("restartPolicy") == "Always" or container in (spec.get("containers") or [])
        return _resized(asked, statuses.get(container.get("name", ""), {}), infeasible) if lasts else asked

    total = _together(spec, use)
    level = _asked((spec.get("resources") or {}).get("requests"))
    total |= _at_pod_level(_resized(level, status, infeasible) if level else {})
    total = _add(total, _asked(spec.get("overhead")))
    return {**{name: whole(name, amount) for name, amount in total.items() if amount > 0}, "pods": 1}


def pod_limits(spec: Body) -> Amounts:
    """Effective limits, summed as requests are, overhead added to what is limited; raises Unreadable."""
    total = _together(spec, lambda container: _asked((container.get("resources") or {}).get("limits")))
    total |= _at_pod_level(_asked((spec.get("resources") or {}).get("limits")))
    more = _asked(spec.get("overhead"))
    return {name: whole(name, amount + more.get(name, Fraction(0))) for name, amount in total.items() if amount > 0}


def _at_pod_level(level: Sum) -> Sum:
    return {name: amount for name, amount in level.items() if name in ("cpu", "memory") or name.startswith("hugepages-")}


def _together(spec: Body, use: Callable[[Body], Sum]) -> Sum:
    """Containers and sidecars together, or the largest step of the initialisation."""
    main: Sum = {}
    side: Sum = {}
    init: Sum = {}
    for container in spec.get("containers") or []:
        main = _add(main, use(container))
    for container in spec.get("initContainers") or []:
        mine = use(container)
        if container.get("restartPolicy") == "Always":
            main, side = _add(main, mine), _add(side, mine)
            mine = side
        else:
            mine = _add(mine, side)
        init = _most(init, mine)
    return _most(main, init)
