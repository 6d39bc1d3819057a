"""Plugins that look at the node alone: its cordon, its taints, its labels, and where the pod's volumes can be had.

Each answers with its reasons; none when it lets the pod pass. ``guests`` are nominated pods counted as if they were there.
"""

from __future__ import annotations

from collections.abc import Callable

from descheduler.domain.objects import Node, Pod
from descheduler.domain.selectors import Taint
from descheduler.rules.scene import words
from descheduler.rules.scene.cycle import Cycle

Reasons = tuple[str, ...]

CORDON = Taint("node.kubernetes.io/unschedulable", "", "NoSchedule")


def node_unschedulable(cycle: Cycle, node: Node, guests: tuple[Pod, ...]) -> Reasons:
    """A cordon blocks unless its taint is tolerated, whether the node carries the taint or not."""
    if node.unschedulable and not any(t.tolerates(CORDON) for t in cycle.spec.tolerations):
        return (words.UNSCHEDULABLE,)
    return ()


def taint_toleration(cycle: Cycle, node: Node, guests: tuple[Pod, ...]) -> Reasons:
    """This version names no taint, so that equal reasons of different nodes are counted together."""
    return () if cycle.tolerates(node) else (words.UNTOLERATED,)


def node_affinity(cycle: Cycle, node: Node, guests: tuple[Pod, ...]) -> Reasons:
    """What the scheduler's own configuration adds comes first, then the pod's selector and required affinity."""
    added = _unmet(cycle, node, lambda plugin: plugin not in ("VolumeBinding", "VolumeZone"))
    return added[:1] or (() if cycle.selected(node) else (words.AFFINITY,))


def volume_binding(cycle: Cycle, node: Node, guests: tuple[Pod, ...]) -> Reasons:
    """All reasons at once, in the plugin's own order; of claims without a volume only what stops the first of them (``FindPodVolumes``)."""
    unmet: list[str] = []
    for reason in _unmet(cycle, node, lambda plugin: plugin == "VolumeBinding"):
        if reason not in words.NO_NEW_VOLUME or words.NO_NEW_VOLUME.isdisjoint(unmet):
            unmet.append(reason)
    known = {reason: place for place, reason in enumerate(words.VOLUME_BINDING)}
    return tuple(sorted(dict.fromkeys(unmet), key=lambda reason: known.get(reason, len(known))))


def volume_zone(cycle: Cycle, node: Node, guests: tuple[Pod, ...]) -> Reasons:
    return _unmet(cycle, node, lambda plugin: plugin == "VolumeZone")[:1]


def _unmet(cycle: Cycle, node: Node, asks: Callable[[str], bool]) -> Reasons:
    if not cycle.spec.node_demands:
        return ()
    labels, name = cycle.books.labels[node.ref.name], node.ref.name
    return tuple(demand.reason for demand in cycle.spec.node_demands if asks(demand.plugin) and not demand.met(labels, name))
