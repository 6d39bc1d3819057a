"""A pod that waits: what its scheduler says, and what would give it a node."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from descheduler.diagnose.classes import Sorted
from descheduler.domain.explanation import Occupants, Shortfall, Waiting
from descheduler.domain.objects import Cluster, Pod
from descheduler.domain.plan import Plan
from descheduler.domain.resources import PODS, Resources
from descheduler.explain.between import neighbours
from descheduler.explain.nodes import exclusions, shut
from descheduler.rules.scene import Scene

MOST_OCCUPIED = 3
"""Nodes of which it is told who holds their room."""


def waiting(sorted_: Sorted, index: int, cluster: Cluster, plan: Plan | None) -> tuple[Waiting, Scene, Pod]:
    """The story, and the scene and the pod by which nodes are to be judged."""
    pod = sorted_.pods[index]
    scene = Scene(cluster.nodes, cluster.pods)
    short = shortfalls(scene, pod)
    placed = next((p for p in plan.placements if p.pod.uid == pod.uid and p.pod.cluster == pod.ref.cluster), None) if plan else None
    unplaced = next((u for u in plan.unplaced if u.pod.uid == pod.uid and u.pod.cluster == pod.ref.cluster), None) if plan else None
    story = Waiting(
        sentence=scene.sentence(pod),
        not_ours=sorted_.not_ours.get(index),
        placed=placed,
        moves=tuple(move for move in plan.moves if str(pod.ref) in move.makes_room_for) if plan else (),
        unplaced=unplaced,
        shortfalls=short,
        exclusions=exclusions(scene, pod),
        neighbours=neighbours(scene, pod, cluster),
        occupants=() if placed else _occupants(sorted_, cluster, short),
    )
    return story, scene, pod


def shortfalls(scene: Scene, pod: Pod) -> tuple[Shortfall, ...]:
    """Nodes that would take the pod if only they had more room, by what they lack; the least share of what it asks for first."""
    modest = replace(pod, spec=replace(pod.spec, requests=Resources()), waits_for_claim=None)
    whole = pod.spec.requests + Resources({PODS: 1})
    found: dict[tuple[Resources, bool], list[str]] = {}
    for name, node in scene.nodes.items():
        if shut(pod, node):
            continue
        lacking = scene.shortfall(pod, name)
        objection = scene.verdict(modest, name)
        if lacking and (objection is None or (objection.plugin == "NodeResourcesFit" and PODS in lacking)):
            found.setdefault((lacking, not whole.fits(node.allocatable)), []).append(name)

    def size(item: tuple[tuple[Resources, bool], list[str]]) -> tuple[bool, float, list[str]]:
        (lacking, even_empty), names = item
        return even_empty, max(amount / whole[resource] for resource, amount in lacking.items()), names

    return tuple(
        Shortfall(lacking=lacking, even_empty=even_empty, nodes=tuple(sorted(names)))
        for (lacking, even_empty), names in sorted(found.items(), key=size)
    )


def _occupants(sorted_: Sorted, cluster: Cluster, short: tuple[Shortfall, ...]) -> tuple[Occupants, ...]:
    """Who is on the nodes that lack least, and may leave or not."""
    nodes = [name for shortfall in short if not shortfall.even_empty for name in shortfall.nodes][:MOST_OCCUPIED]
    told = []
    for name in nodes:
        movable: list[str] = []
        protected: Counter[str] = Counter()
        for index, pod in enumerate(sorted_.pods):
            if pod.ref.cluster != cluster.name or pod.node != name:
                continue
            if index in sorted_.protected:
                protected[sorted_.protected[index]] += 1
            else:
                movable.append(str(pod.ref))
        ranked = sorted(protected.items(), key=lambda item: (-item[1], item[0]))
        told.append(Occupants(node=name, movable=tuple(sorted(movable)), protected=tuple(ranked)))
    return tuple(told)
