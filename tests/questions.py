"""Problems and routes in a few words: a fleet and a policy in, answers by the names of pods and nodes out."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from descheduler.diagnose import diagnose
from descheduler.domain.moment import moments
from descheduler.domain.placement import Bind, Route, Shift
from descheduler.domain.plan import Mover
from descheduler.domain.problem import PodClass, Problem
from descheduler.domain.snapshot import Snapshot
from descheduler.policy import Policy
from descheduler.portfolio import Budgeted, search
from descheduler.portfolio.publish import moved_pods, placed_pods
from descheduler.rules.constraints import Constraint
from descheduler.rules.movers import BY_MOVER
from tests.builders import Thing, a_snapshot

GENEROUS: dict[str, Any] = {
    **dict.fromkeys(("perRun", "perCluster", "perNamespace", "perNode", "perWorkload", "movesPerPlacedPod")),
    "perWindow": [],
}


def a_policy(**spec: Any) -> Policy:
    """The shipped default, other in the named parts of ``spec``."""
    return Policy.model_validate({"spec": spec})


def a_problem(*fleet: Snapshot | Thing, lifted: bool = False, **spec: Any) -> Problem:
    """The question that a policy asks of a fleet: a snapshot, or loose things in ``east``; no limit binds unless ``limits`` says so."""
    limits = {**GENEROUS, **spec.pop("limits", {})}
    snapshot = fleet[0] if isinstance(fleet[0], Snapshot) else a_snapshot(*(t for t in fleet if not isinstance(t, Snapshot)))
    return diagnose(snapshot, a_policy(limits=limits, **spec), lifted=lifted)


def index_of(problem: Problem, pod: str) -> int:
    """The index of the pod of that name."""
    return next(i for i, each in enumerate(problem.pods) if each.ref.name == pod)


def class_of(problem: Problem, pod: str) -> PodClass:
    """The class of the pod of that name."""
    return problem.classes[problem.class_of[index_of(problem, pod)]]


def node_of(problem: Problem, node: str) -> int:
    """The index of the node of that name."""
    return next(i for i, each in enumerate(problem.nodes) if each.ref.name == node)


def reach_of(problem: Problem, pod: str) -> list[str]:
    """The names of the nodes that a pod may be sent to."""
    return [problem.nodes[n].ref.name for n in class_of(problem, pod).reach]


def names(problem: Problem, group: Iterable[int]) -> list[str]:
    """The pods of some classes, by name."""
    return sorted(problem.pods[i].ref.name for c in group for i in problem.classes[c].pods)


def shift(problem: Problem, pod: str, to: str, *, wave: int = 1, arrives: int | None = None, by: Mover | None = None) -> Shift:
    """A running pod goes to another node."""
    here = problem.pods[index_of(problem, pod)].node
    assert here is not None
    return Shift(
        wave=wave,
        arrival_wave=arrives or wave,
        pod_class=class_of(problem, pod).index,
        source=node_of(problem, here),
        target=node_of(problem, to),
        mover=by or Mover.SURGE,
    )


def bind(problem: Problem, pod: str, to: str, *, wave: int = 1) -> Bind:
    """A waiting pod gets a node."""
    return Bind(wave=wave, pod_class=class_of(problem, pod).index, target=node_of(problem, to))


def broken(problem: Problem, rule: Constraint, *steps: Shift | Bind) -> list[str]:
    """What a rule objects to in a route of these steps, in words."""
    route = Route(shifts=tuple(s for s in steps if isinstance(s, Shift)), binds=tuple(b for b in steps if isinstance(b, Bind)))
    return [str(found) for moment in moments(problem, route, BY_MOVER) for found in rule.violations(problem, moment)]


def planned(problem: Problem) -> dict[str, str]:
    """Where the search sends pods: name of the pod to name of the node, those that neither move nor start left out."""
    found = search(problem, Budgeted())
    assert found.rejected == ()
    going = {**moved_pods(problem, found.route), **placed_pods(problem, found.route)}
    return {problem.pods[i].ref.name: problem.nodes[n].ref.name for i, n in sorted(going.items())}
