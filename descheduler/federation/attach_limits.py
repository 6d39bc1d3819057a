"""How many volumes of each CSI driver a node can still attach, as one more resource (kube-scheduler's NodeVolumeLimits)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from descheduler.domain.objects import Node
from descheduler.domain.resources import UNLIMITED, VOLUMES, Resources
from descheduler.federation.claims import Attached, Claims


def asked(attached: Iterable[Attached], claims: Claims) -> dict[str, int]:
    """What a pod with these volumes requests; drivers that nobody limits are not counted.

    A volume that two pods of a node share counts twice here, and once for kube-scheduler: stricter.
    """
    return {f"{VOLUMES}{driver}": count for driver, count in Counter(driver for driver, _ in attached if driver in claims.limited).items()}


def with_attach_limits(
    nodes: Iterable[Node], held: Mapping[str, set[Attached]], drivers: Iterable[str], claims: Claims
) -> tuple[Node, ...]:
    """The nodes with what they give of each of ``drivers``; ``held`` are the volumes of the pods on a node, by its name.

    Volumes that are attached to a node without a pod there that uses them take their piece away.
    """
    counted = sorted(claims.limited & set(drivers))
    if not counted:
        return tuple(nodes)
    strays = _strays(held, claims)
    return tuple(_limited(node, counted, strays, claims) for node in nodes)


def _limited(node: Node, drivers: Iterable[str], strays: Counter[tuple[str, str]], claims: Claims) -> Node:
    name = node.ref.name
    room = {f"{VOLUMES}{driver}": max(0, _most(name, driver, claims) - strays[name, driver]) for driver in drivers}
    return replace(node, allocatable=Resources({**node.allocatable, **room}))


def _most(node: str, driver: str, claims: Claims) -> int:
    nodes, drivers = claims.storage.nodes or {}, claims.storage.drivers or {}
    if node in nodes and nodes[node] is None:
        return 0  # it cannot be read
    told = nodes.get(node)
    limits = dict(told.drivers) if told is not None else {}
    limit = limits.get(driver)
    if limit is not None:
        return limit
    kind = drivers.get(driver)
    return 0 if driver not in limits and kind is not None and kind.needed_on_node else UNLIMITED


def _strays(held: Mapping[str, set[Attached]], claims: Claims) -> Counter[tuple[str, str]]:
    """By node and driver; kube-scheduler passes over attachments whose PersistentVolume is gone or no CSI volume."""
    volumes = claims.storage.volumes or {}
    found: set[tuple[str, Attached]] = set()
    for attachment in claims.storage.attachments or ():
        if attachment.volume not in volumes:
            continue
        volume = volumes[attachment.volume]
        if volume is not None and volume.source != "csi":
            continue
        one = (attachment.driver, (volume.handle if volume is not None else "") or f"volume {attachment.volume}")
        if one not in held.get(attachment.node, ()):
            found.add((attachment.node, one))
    return Counter((node, driver) for node, (driver, _) in found)
