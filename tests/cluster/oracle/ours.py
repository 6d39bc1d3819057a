"""Our verdicts on a waiting pod: the scene's, and the judge's on a plan that does nothing but place it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import timedelta

from descheduler.diagnose import diagnose
from descheduler.domain.objects import Cluster, Pod, PodRef
from descheduler.domain.placement import Bind, Route
from descheduler.domain.problem import Problem
from descheduler.domain.snapshot import Snapshot
from descheduler.policy.policy import Policy
from descheduler.rules.scene import Scene
from descheduler.verify import violations

POLICY = Policy.model_validate({"spec": {"trigger": {"pendingFor": timedelta(0)}}})


@dataclass(frozen=True)
class Ours:
    """What we say of one pod in one state of its cluster."""

    scene: Mapping[str, str | None]
    """Node to the scene's objection; ``None`` means that it fits."""
    sentence: str
    """The scene's, in kube-scheduler's words."""
    planned: Mapping[str, str | None]
    """Node to the objection of `descheduler.verify`, which looks at filters and constraints."""
    reach: frozenset[str]
    """Nodes that the search would look at."""
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

    def __call__(self, namespace: str, name: str) -> Ours:
        pod = self.pods[namespace, name]
        nodes = [node.ref.name for node in self.cluster.nodes]
        return Ours(
            scene={node: self._scene.objection(pod, node) for node in nodes},
            sentence=self._scene.sentence(pod),
            planned=self._planned(pod),
            reach=self._reach(pod),
            opaque=pod.spec.opaque,
        )

    def _reach(self, pod: Pod) -> frozenset[str]:
        problem = self._problem
        return frozenset(problem.nodes[n].ref.name for n in problem.classes[problem.class_of[self._index[pod.ref]]].reach)

    def _planned(self, pod: Pod) -> dict[str, str | None]:
        problem = self._problem
        index = self._index[pod.ref]
        told = problem.not_ours.get(index)
        if told is not None:
            return {node.ref.name: f"not ours: {told}" for node in problem.nodes}
        return {node.ref.name: self._objection(index, place) for place, node in enumerate(problem.nodes)}

    def _objection(self, pod: int, place: int) -> str | None:
        problem = self._problem
        route = Route(binds=(Bind(wave=1, pod_class=problem.class_of[pod], target=place),))
        found = next(violations(problem, route), None)
        if found is None:
            return None
        return found.fact.rpartition(" (")[0] if found.rule == "Filters" else found.rule


def _ungated(pod: Pod) -> Pod:
    return replace(pod, gates=())
