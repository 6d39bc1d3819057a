"""The ports of its node that a pod takes for itself (kubernetes.md 3.6)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from descheduler.domain.selectors import HostPort
from descheduler.federation.fields import flag, objects, text, whole

ANY_ADDRESS = "0.0.0.0"  # noqa: S104  # what the field says, nothing is bound to it


def host_ports(spec: Mapping[str, Any]) -> tuple[HostPort, ...]:
    """Those of containers and sidecars, sorted, each once; an ordinary init container's are not looked at by kube-scheduler.

    With ``hostNetwork`` every container port is one of the node, as the API server's defaulting writes it. Raises Odd for a port
    that cannot be read. Source: kube-scheduler's ``GetHostPorts`` and ``HostPortInfo``.
    """
    on_host = flag(spec.get("hostNetwork"), "spec.hostNetwork")
    found: set[HostPort] = set()
    for field in ("containers", "initContainers"):
        if not spec.get(field):
            continue
        for container in objects(spec[field], f"spec.{field}"):
            if container.get("ports") and (field == "containers" or container.get("restartPolicy") == "Always"):
                found |= _ports(container["ports"], f"spec.{field}[].ports", on_host)
    return tuple(sorted(found)) if found else ()


def _ports(value: object, field: str, on_host: bool) -> set[HostPort]:
    found = set()
    for port in objects(value, field):
        number = whole(port.get("hostPort"), f"{field}[].hostPort") or 0
        if on_host and not number:
            number = whole(port.get("containerPort"), f"{field}[].containerPort") or 0
        if number > 0:
            ip = text(port.get("hostIP"), f"{field}[].hostIP")
            found.add(HostPort(text(port.get("protocol"), f"{field}[].protocol") or "TCP", "" if ip == ANY_ADDRESS else ip, number))
    return found
