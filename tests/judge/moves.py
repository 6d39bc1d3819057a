"""The raw plan as the simulation needs it: who leaves when, who arrives when, and where."""

from __future__ import annotations

from dataclasses import dataclass

from tests.judge.fleet import Cluster, Fleet, Pod
from tests.judge.quantities import Amounts, Body, Unreadable, pod_requests
from tests.judge.state import Guest, State


@dataclass(frozen=True)
class Step:
    """A move (``leaves`` set) or a placement."""

    pod: Pod
    mover: str
    arrives: int
    node: str | None
    name: str
    """How sentences call it."""
    leaves: int = 0
    contested: bool = False
    cycle_break: bool = False
    makes_room_for: tuple[str, ...] = ()

    @property
    def is_move(self) -> bool:
        return self.leaves > 0

    @property
    def keeps_old(self) -> bool:
        """Whether the old self counts when the new one arrives."""
        return self.mover == "Surge"

    @property
    def steers(self) -> bool:
        """Whether the new pod is pinned to its node: all but the pods that kube-scheduler finds a node for."""
        return self.mover in ("Surge", "Hold", "Recreate")

    def guest(self, cluster: Cluster, node: str | None = None) -> Guest:
        """The pod at its destination; a controller's copy asks for the larger of the pod and its template."""
        asked = dict(self.pod.requests or {})
        anew = self.is_move or self.mover == "Surge"
        if anew:
            for name, amount in template_requests(cluster, self.pod).items():
                asked[name] = max(asked.get(name, 0), amount)
        return Guest(self.pod, node or self.node or "", "new", tuple(sorted(asked.items())), anew)


def template_of(cluster: Cluster, pod: Pod) -> Body | None:
    """The pod spec in its direct controller's template."""
    owner = next(cluster.owners(pod), None)
    return ((owner.get("spec") or {}).get("template") or {}).get("spec") if owner else None


def template_requests(cluster: Cluster, pod: Pod) -> Amounts:
    """What the direct controller's template asks for."""
    spec = template_of(cluster, pod)
    try:
        return pod_requests(spec) if spec else {}
    except Unreadable:
        return {}


def steps_of(plan: Body, fleet: Fleet) -> list[Step]:
    """Every move and placement whose pod the snapshot knows, in the plan's order."""
    out = []
    for move in plan["moves"]:
        pod = _find(move["pod"], fleet)
        if pod is not None:
            out.append(
                Step(
                    pod,
                    move["mover"],
                    move["arrivalWave"],
                    move["to"]["node"],
                    f"move {move['id']} of {pod.key}",
                    leaves=move["wave"],
                    cycle_break=move["cycleBreak"],
                    makes_room_for=tuple(move["makesRoomFor"]),
                )
            )
    for placed in plan["placements"]:
        pod = _find(placed["pod"], fleet)
        if pod is not None:
            out.append(
                Step(pod, placed["mover"], placed["wave"], placed["to"]["node"], f"placement of {pod.key}", contested=placed["contested"])
            )
    return out


def _find(told: Body, fleet: Fleet) -> Pod | None:
    return fleet.pods.get(f"{told['cluster']}/{told['namespace']}/{told['name']}")


def residents(cluster: Cluster) -> State:
    """Every bound pod on a node that exists."""
    return State(cluster, [Guest(pod, pod.node) for pod in cluster.pods if pod.node in cluster.nodes and pod.node])


def after(cluster: Cluster, steps: list[Step]) -> State:
    """The cluster when the whole plan is done."""
    state = residents(cluster)
    for step in steps:
        if step.pod.cluster == cluster.name:
            if step.is_move and (step.pod.key, "old") in state.guests:
                state.remove((step.pod.key, "old"))
            if step.node in cluster.nodes:
                state.add(step.guest(cluster))
    return state
