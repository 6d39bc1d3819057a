"""Problems told in a few words, and routes told back in words: pods and nodes go by their names."""

from __future__ import annotations

from typing import Any

from descheduler.diagnose import diagnose
from descheduler.domain.objects import Cluster
from descheduler.domain.placement import Bind, Placement, Route, Shift
from descheduler.domain.plan import Mover
from descheduler.domain.problem import PodClass, Problem
from descheduler.policy.policy import Policy
from tests.builders import Thing, a_cluster, a_snapshot

HOLD = ("Surge", "Hold", "Evict")
"""The movers of a cluster in which Hold is installed."""


def a_policy(**spec: Any) -> Policy:
    """A policy whose ``spec`` says only this, in YAML spelling."""
    return Policy.model_validate({"spec": spec})


def a_problem(*things: Thing | Cluster, movers: tuple[str, ...] | None = None, **spec: Any) -> Problem:
    """The problem of a fleet under ``a_policy(**spec)``; loose things are the cluster ``east`` with these ``movers``."""
    clusters = [thing for thing in things if isinstance(thing, Cluster)]
    loose = [thing for thing in things if not isinstance(thing, Cluster)]
    if loose:
        clusters.append(a_cluster("east", *loose, movers=movers))
    return diagnose(a_snapshot(*clusters), a_policy(**spec))


def node(problem: Problem, name: str) -> int:
    """A node's index by its name."""
    return next(index for index, found in enumerate(problem.nodes) if found.ref.name == name)


def pod_class(problem: Problem, pod: str) -> PodClass:
    """The class of a pod by the pod's name."""
    return problem.classes[problem.class_of[_pod(problem, pod)]]


def _pod(problem: Problem, name: str) -> int:
    return next(index for index, found in enumerate(problem.pods) if found.ref.name == name)


def placement(problem: Problem, **targets: str) -> Placement:
    """Pod name (``_`` for ``-``) to the node it shall be on."""
    departures: dict[tuple[int, int], int] = {}
    arrivals: dict[tuple[int, int], int] = {}
    for name, target in targets.items():
        pod = problem.pods[_pod(problem, name.replace("_", "-"))]
        c = pod_class(problem, pod.ref.name).index
        if pod.node is not None:
            departures[c, node(problem, pod.node)] = departures.get((c, node(problem, pod.node)), 0) + 1
        arrivals[c, node(problem, target)] = arrivals.get((c, node(problem, target)), 0) + 1
    return Placement(departures=departures, arrivals=arrivals)


def shift(problem: Problem, pod: str, to: str, mover: Mover = Mover.SURGE, *, wave: int = 1, arrival: int | None = None) -> Shift:
    """The move of a running pod."""
    source = problem.pods[_pod(problem, pod)].node
    assert source is not None
    return Shift(
        wave=wave,
        arrival_wave=wave if arrival is None else arrival,
        pod_class=pod_class(problem, pod).index,
        source=node(problem, source),
        target=node(problem, to),
        mover=mover,
    )


def bind(problem: Problem, pod: str, to: str, *, wave: int = 1, mover: Mover = Mover.SCHEDULE, contested: bool = False) -> Bind:
    """The placement of a waiting pod."""
    return Bind(wave=wave, pod_class=pod_class(problem, pod).index, target=node(problem, to), mover=mover, contested=contested)


def a_route(*steps: Shift | Bind) -> Route:
    shifts = tuple(sorted(step for step in steps if isinstance(step, Shift)))
    return Route(shifts=shifts, binds=tuple(sorted(step for step in steps if isinstance(step, Bind))))


def told(problem: Problem, route: Route) -> list[str]:
    """``1 cart big→small Surge`` for moves (``1-3 …`` for a cycle break), ``2 train →big`` for placements, sorted; a class goes by
    its workload, or by its first pod."""
    lines = []
    for s in route.shifts:
        waves = f"{s.wave}-{s.arrival_wave}" if s.cycle_break else f"{s.wave}"
        lines.append(f"{waves} {_name(problem, s.pod_class)} {_node(problem, s.source)}→{_node(problem, s.target)} {s.mover}")
    lines += [f"{b.wave} {_name(problem, b.pod_class)} →{_node(problem, b.target)}" for b in route.binds]
    return sorted(lines)


def _name(problem: Problem, index: int) -> str:
    c = problem.classes[index]
    return c.workload[1] if c.workload else problem.pods[c.pods[0]].ref.name


def _node(problem: Problem, index: int) -> str:
    return problem.nodes[index].ref.name
