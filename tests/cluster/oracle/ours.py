"""Our two verdicts on a waiting pod: the scene's, and the planner's filters and constraints on a single arrival."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from descheduler.diagnose import diagnose
from descheduler.domain.moment import Arrival, Moment, snapshot_spots
from descheduler.domain.objects import Cluster, Pod, PodRef
from descheduler.domain.problem import Problem
from descheduler.domain.snapshot import Snapshot
from descheduler.policy.policy import Policy
from descheduler.rules.constraints import CONSTRAINTS
from descheduler.rules.filters import Verdicts
from descheduler.rules.scene import Scene

POLICY = Policy.model_validate({"spec": {"trigger": {"pendingFor": timedelta(0)}}})


@dataclass(frozen=True)
class Ours:
    """What we say of one pod in one state of its cluster."""

    scene: Mapping[str, str | None]
    """Node to the scene's objection; ``None`` means that it fits."""
    sentence: str
    """The scene's, in kube-scheduler's words."""
    planned: Mapping[str, str | None]
    """Node to the planner's objection."""
    opaque: str | None
    """Why we do not judge the pod at all, neither way; ``None`` when we do."""

    @property
    def fits(self) -> frozenset[str]:
        """Where either view would have it."""
        return self.scene_fits | self.planned_fits if self.opaque is None else self.planned_fits

    @property
    def scene_fits(self) -> frozenset[str]:
        return frozenset(node for node, reason in self.scene.items() if reason is None)

    @property
    def planned_fits(self) -> frozenset[str]:
        return frozenset(node for node, reason in self.planned.items() if reason is None)


class Judge:
    """One read of the cluster. The pods to be judged are in it behind a gate; they are judged as if it were open."""

    def __init__(self, snapshot: Snapshot, tests: frozenset[tuple[str, str]]) -> None:
        """``tests`` are (namespace, name)."""
        cluster = snapshot.clusters[0]
        pods = tuple(_ungated(pod) if (pod.ref.namespace, pod.ref.name) in tests else pod for pod in cluster.pods)
        self.cluster: Cluster = replace(cluster, pods=pods)
        self.pods: dict[tuple[str, str], Pod] = {(pod.ref.namespace, pod.ref.name): pod for pod in pods}
        self._scene = Scene(cluster.nodes, (pod for pod in pods if (pod.ref.namespace, pod.ref.name) not in tests))
        self._problem: Problem = diagnose(replace(snapshot, clusters=(self.cluster,)), POLICY, lifted=True)
        self._index: dict[PodRef, int] = {pod.ref: i for i, pod in enumerate(self._problem.pods)}
        self._spots = snapshot_spots(self._problem)
        self._verdicts = Verdicts()

    def __call__(self, namespace: str, name: str) -> Ours:
        pod = self.pods[namespace, name]
        nodes = [node.ref.name for node in self.cluster.nodes]
        return Ours(
            scene={node: self._scene.objection(pod, node) for node in nodes},
            sentence=sentence(self._scene, pod),
            planned=self._planned(pod),
            opaque=pod.spec.opaque,
        )

    def _planned(self, pod: Pod) -> dict[str, str | None]:
        problem = self._problem
        index = self._index[pod.ref]
        told = problem.not_ours.get(index)
        if told is not None:
            return {node.ref.name: f"not ours: {told}" for node in problem.nodes}
        return {node.ref.name: self._objection(index, place) for place, node in enumerate(problem.nodes)}

    def _objection(self, pod: int, place: int) -> str | None:
        problem = self._problem
        pod_class = problem.classes[problem.class_of[pod]]
        reason = self._verdicts.reason(pod_class.spec, problem.nodes[place])
        if reason is not None:
            return reason
        if place not in pod_class.reach:
            return "out of reach: no room even if every movable pod left"
        moment = Moment(wave=1, residents=self._spots, arrivals=(Arrival(pod_class.index, place),), leaving=())
        return next((v.rule for constraint in CONSTRAINTS for v in constraint.violations(problem, moment)), None)


def _ungated(pod: Pod) -> Pod:
    return replace(pod, gates=())


def sentence(scene: Scene, pod: Pod) -> str:
    """The scene's sentence about a pod that fits nowhere."""
    return str(scene.sentence(pod)) if hasattr(scene, "sentence") else _sentence(scene, pod)


def _sentence(scene: Scene, pod: Pod) -> str:
    found: dict[str, int] = {}
    for node in scene.nodes:
        reason = scene.objection(pod, node)
        if reason is not None:
            found[reason] = found.get(reason, 0) + 1
    told = ", ".join(sorted(f"{count} {reason}" for reason, count in found.items()))
    return f"0/{len(scene.nodes)} nodes are available: {told}."
