"""Host ports (kubernetes.md 3.6)."""

from __future__ import annotations

from tests.judge.fleet import Pod
from tests.judge.state import Guest, State, Token

ANY = "0.0.0.0"  # noqa: S104


def host_ports(pod: Pod) -> set[tuple[str, int, str]]:
    """(protocol, port, IP) of every host port of containers and sidecars."""
    sidecars = [c for c in pod.spec.get("initContainers") or [] if c.get("restartPolicy") == "Always"]
    out = set()
    for container in [*(pod.spec.get("containers") or []), *sidecars]:
        for port in container.get("ports") or []:
            number = port.get("hostPort") or (port.get("containerPort") if pod.spec.get("hostNetwork") else None)
            if number:
                out.add((port.get("protocol") or "TCP", number, port.get("hostIP") or ANY))
    return out


def port_refusal(guest: Guest, state: State, *, ignoring: frozenset[Token] = frozenset()) -> str | None:
    """NodePorts: a port of the node that somebody there has already."""
    wanted = host_ports(guest.pod)
    for token in state.at[guest.node] - ignoring - {guest.token} if wanted else set():
        for protocol, port, address in host_ports(state.guests[token].pod):
            if any((protocol, port) == (p, q) and (address == a or ANY in (address, a)) for p, q, a in wanted):
                return f"port {port} is taken by {state.guests[token].pod.key}"
    return None
