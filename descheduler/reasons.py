"""Why a waiting pod stays waiting, in kube-scheduler's words, and whether it could ever run here."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from descheduler.domain.objects import Node
from descheduler.domain.placement import Spots
from descheduler.domain.problem import PodClass, Problem
from descheduler.domain.resources import Resources
from descheduler.rules.filters import NODE_AFFINITY, TAINT_TOLERATION, UNSCHEDULABLE, Verdicts

EVER = Verdicts((TAINT_TOLERATION, NODE_AFFINITY))


def sentence(problem: Problem, c: PodClass, residents: Spots) -> str:
    """``0/12 nodes are available: 3 Insufficient cpu, …``: one node may count for several resources, as kube-scheduler does it."""
    free = _free(problem, c.cluster, residents)
    verdicts, reasons = Verdicts(), Counter[str]()
    for n in problem.nodes_of.get(c.cluster, ()):
        reason = verdicts.reason(c.spec, problem.nodes[n])
        short = [f"Insufficient {r}" if r != "pods" else "Too many pods" for r, amount in c.requests.items() if amount > free[n].get(r, 0)]
        if reason is not None and not reason.startswith(("Insufficient", "Too many")):
            reasons[reason] += 1
        elif short:
            reasons.update(short)
        else:
            reasons["node(s) were kept from it by anti-affinity, topology spread or the moves themselves"] += 1
    told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
    return f"0/{len(problem.nodes_of.get(c.cluster, ()))} nodes are available: {told or 'there are none'}"


def _free(problem: Problem, cluster: str, residents: Spots) -> dict[int, dict[str, int]]:
    free = {n: dict(problem.nodes[n].allocatable.items()) for n in problem.nodes_of.get(cluster, ())}
    for (c, node), count in residents.items():
        if node in free:
            problem.classes[c].requests.add_to(free[node], -count)
    return free


class Ever:
    """Could a pod run on some node if only DaemonSet and static pods were left there? Cordons and joint rules do not count."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        kept: list[dict[str, int]] = [{} for _ in problem.nodes]
        for c in problem.classes:
            for node, pods in c.at.items():
                for pod in pods:
                    if problem.pods[pod].daemon or problem.pods[pod].static:
                        c.requests.add_to(kept[node])
        self._room = [node.allocatable - Resources(used) for node, used in zip(problem.nodes, kept, strict=True)]

    def obstacle(self, c: PodClass) -> str | None:
        """Why no node could ever take it; ``None`` when one could."""
        reasons: Counter[str] = Counter()
        for n in self.problem.nodes_of.get(c.cluster, ()):
            node = self.problem.nodes[n]
            reason = self._reason(c, node, self._room[n])
            if reason is None:
                return None
            reasons[reason] += 1
        told = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        return f"no node of {c.cluster} could take it even if all movable pods were gone: {told or 'there are none'}"

    @staticmethod
    def _reason(c: PodClass, node: Node, room: Resources) -> str | None:
        uncordoned = replace(node, taints=tuple(t for t in node.taints if t.key != UNSCHEDULABLE.key))
        reason = EVER.reason(c.spec, uncordoned)
        if reason is not None:
            return reason
        short = next((r for r, amount in c.requests.items() if amount > room[r]), None)
        return None if short is None else f"Insufficient {short}" if short != "pods" else "Too many pods"
