"""Why a waiting pod stays waiting, in kube-scheduler's words, and whether it could ever run here."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cached_property

from descheduler.domain.objects import Node, Pod
from descheduler.domain.placement import Spots
from descheduler.domain.problem import PodClass, Problem
from descheduler.rules.scene import Scene, refusal
from descheduler.rules.scene.node_plugins import CORDON
from descheduler.rules.scene.words import failed, histogram

UNUSED = "node(s) had room that the plan could not give it"


class Afterwards:
    """The fleet as its schedulers will see it with ``residents`` in place; each cluster's scene is built once, when it is asked for."""

    def __init__(self, problem: Problem, residents: Spots) -> None:
        self._problem, self._residents = problem, residents
        self._scenes: dict[str, Scene] = {}

    def sentence(self, c: PodClass) -> str:
        """``0/12 nodes are available: 3 Insufficient cpu, …``: what FailedScheduling would say of a pod of the class.

        A node that only we refuse, or that fits although the plan does not place the pod there, is counted with words of our own.
        """
        if c.cluster not in self._scenes:
            self._scenes[c.cluster] = self._scene(c.cluster)
        scene, pod = self._scenes[c.cluster], self._problem.pods[c.pods[-1]]
        told: list[str] = []
        for name, reasons in scene.reasons(pod).items():
            told += reasons or (refusal(pod, scene.nodes[name]) or UNUSED,)
        return failed(len(scene.nodes), told)

    def _scene(self, cluster: str) -> Scene:
        problem = self._problem
        return Scene((problem.nodes[n] for n in problem.nodes_of.get(cluster, ())), self._pods(cluster))

    @cached_property
    def _by_cluster(self) -> dict[str, list[tuple[int, int, int]]]:
        """Who is bound in the end: cluster to (class, node, count)."""
        found: dict[str, list[tuple[int, int, int]]] = {}
        for (index, node), count in self._residents.items():
            found.setdefault(self._problem.classes[index].cluster, []).append((index, node, count))
        return found

    def _pods(self, cluster: str) -> Iterator[Pod]:
        """Whoever is bound in the end; the last of each waiting class wait on, with the nodes they are nominated to."""
        problem = self._problem
        placed: dict[int, int] = {}
        for index, node, count in self._by_cluster.get(cluster, ()):
            c = problem.classes[index]
            placed[index] = placed.get(index, 0) + count
            here, name = c.at.get(node, ()), problem.nodes[node].ref.name
            yield from (problem.pods[pod] for pod in here[:count])
            for number in range(count - len(here)):
                like = problem.pods[c.pods[0]]
                yield replace(like, uid=f"{like.uid} {node} {number}", node=name, nominated_node=None)
        for c in problem.classes:
            if c.cluster == cluster and c.waiting:
                yield from (problem.pods[pod] for pod in c.pods[placed.get(c.index, 0) :])


class Ever:
    """Could a pod run on some node if only DaemonSet and static pods were left there? Cordons and joint rules do not count."""

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        self._scenes: dict[str, Scene] = {}

    def obstacle(self, c: PodClass) -> str | None:
        """Why no node could ever take it; ``None`` when one could."""
        if c.cluster not in self._scenes:
            self._scenes[c.cluster] = self._scene(c.cluster)
        scene, pod = self._scenes[c.cluster], _alone(self._problem.pods[c.pods[0]])
        told: list[str] = []
        for name, node in scene.nodes.items():
            found = scene.verdict(pod, name)
            ours = refusal(pod, replace(node, closed=None, ready=True)) if found is None else None
            if found is None and ours is None:
                return None
            told += found.reasons if found else filter(None, (ours,))
        return f"no node of {c.cluster} could take it even if all movable pods were gone: {histogram(told) or 'there are none'}"

    def _scene(self, cluster: str) -> Scene:
        problem = self._problem
        there = map(_alone, self._staying.get(cluster, ()))
        return Scene((_uncordoned(problem.nodes[n]) for n in problem.nodes_of.get(cluster, ())), there)

    @cached_property
    def _staying(self) -> dict[str, list[Pod]]:
        """Bound DaemonSet and static pods by cluster."""
        found: dict[str, list[Pod]] = {}
        for pod in self._problem.pods:
            if pod.node and (pod.daemon or pod.static):
                found.setdefault(pod.ref.cluster, []).append(pod)
        return found


def _uncordoned(node: Node) -> Node:
    if not node.unschedulable and all(t.key != CORDON.key for t in node.taints):
        return node
    return replace(node, unschedulable=False, taints=tuple(t for t in node.taints if t.key != CORDON.key))


def _alone(pod: Pod) -> Pod:
    """The pod without whatever only other pods can stand in the way of."""
    spec = pod.spec
    if spec.host_ports or spec.affinity or spec.anti_affinity or spec.exclusive_claims or spec.spread:
        spec = replace(spec, host_ports=(), affinity=(), anti_affinity=(), exclusive_claims=(), spread=())
    elif pod.nominated_node is None:
        return pod
    return replace(pod, spec=spec, nominated_node=None)
