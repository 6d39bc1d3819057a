"""Nodes sorted by their answer, and what a node shuts to a pod whoever else is there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from descheduler.domain.explanation import Exclusion, NodeGroup
from descheduler.domain.objects import Node, Pod
from descheduler.domain.selectors import Taint, Toleration
from descheduler.rules.scene import Scene, refusal
from descheduler.rules.scene.node_plugins import CORDON

OURS = "Ours"
ANYTHING = (Toleration(operator="Exists"),)


def grouped(scene: Scene, pod: Pod, *, besides: str | None = None) -> tuple[NodeGroup, ...]:
    """All nodes but ``besides`` by plugin and reasons: those that take the pod, then the largest group first."""
    found: dict[tuple[str | None, tuple[str, ...]], list[str]] = {}
    for name, objection in scene.objections(pod).items():
        if name == besides:
            continue
        ours = refusal(pod, scene.nodes[name])
        key: tuple[str | None, tuple[str, ...]] = (None, ())
        if objection is not None:
            key = (objection.plugin, objection.reasons)
        elif ours is not None:
            key = (OURS, (ours,))
        found.setdefault(key, []).append(name)
    groups = [NodeGroup(plugin=plugin, reasons=reasons, nodes=tuple(sorted(names))) for (plugin, reasons), names in found.items()]
    return tuple(sorted(groups, key=lambda g: (g.plugin is not None, -len(g.nodes), g.reasons)))


def exclusions(scene: Scene, pod: Pod) -> tuple[Exclusion, ...]:
    """What shuts nodes to the pod, every cause of each node; the group that would gain most nodes first."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name, node in scene.nodes.items():
        causes = tuple(_causes(pod, node))
        if causes:
            found.setdefault(causes, []).append(name)
    welcome = _welcome(pod)
    told = []
    for causes, names in found.items():
        roomy = tuple(sorted(name for name in names if scene.verdict(welcome, name) is None))
        told.append(Exclusion(causes=causes, nodes=tuple(sorted(names)), roomy=roomy))
    return tuple(sorted(told, key=lambda e: (-len(e.roomy), -len(e.nodes), e.causes)))


def shut(pod: Pod, node: Node) -> bool:
    """Whether the node is shut to the pod whoever else is there."""
    return any(True for _ in _causes(pod, node))


def _welcome(pod: Pod) -> Pod:
    """The pod as it would be if every taint were tolerated and every node selected."""
    spec = replace(pod.spec, tolerations=ANYTHING, node_selector=(), node_affinity=None, node_demands=())
    return replace(pod, spec=spec, waits_for_claim=None)


def _causes(pod: Pod, node: Node) -> Iterator[str]:
    spec, labels = pod.spec, dict(node.labels)
    if node.unschedulable and not any(t.tolerates(CORDON) for t in spec.tolerations):
        yield "cordoned"
    for taint in node.taints:
        told = taint == CORDON and node.unschedulable
        if not told and taint.effect in ("NoSchedule", "NoExecute") and not any(t.tolerates(taint) for t in spec.tolerations):
            yield f"taint {_shown(taint)}"
    for key, value in spec.node_selector:
        if labels.get(key) != value:
            yield f"nodeSelector {key}={value}"
    if spec.node_affinity is not None and not any(term.matches(labels, node.ref.name) for term in spec.node_affinity):
        yield "required node affinity"
    yield from (demand.reason for demand in spec.node_demands if not demand.met(labels, node.ref.name))
    ours = refusal(pod, node)
    if ours is not None:
        yield ours


def _shown(taint: Taint) -> str:
    return f"{taint.key}{f'={taint.value}' if taint.value else ''}:{taint.effect}"
