"""The second look at a whole plan, right before its first step: what still holds against the fleet as it is now, and is it worth it?

Nothing is planned anew here. A step that no longer holds is dropped, and with it whatever depends on it; the rest is judged
again by the same judge as the plan was. Karpenter does the same with its commands, and says what changed by the same three causes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from descheduler.diagnose import diagnose
from descheduler.domain.history import NO_HISTORY, History
from descheduler.domain.placement import Bind, Route, Shift
from descheduler.domain.plan import Move, Placed, Plan
from descheduler.domain.problem import Problem
from descheduler.domain.report import StepResult
from descheduler.domain.snapshot import Snapshot
from descheduler.errors import ExecutionError
from descheduler.policy.policy import Policy
from descheduler.verify import violations

BUDGET, SCHEDULING, CHURN = "budget", "scheduling", "churn"


@dataclass(frozen=True, slots=True)
class Drop:
    """Why a step is not done."""

    cause: str
    reason: str
    node: str | None = None
    """Of a placement: the node that somebody else has bound the pod to."""
    final: bool = False
    """Whatever else happens: the pod is gone or has a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What is left of a plan, and what became of the rest."""

    plan: Plan
    dropped: tuple[StepResult, ...]


def second_look(
    plan: Plan, snapshot: Snapshot, policy: Policy, left_out: Mapping[str, str] | None = None, history: History = NO_HISTORY
) -> Looked:
    """The part of the plan that holds in the snapshot; ``left_out`` are clusters in which nothing may be done, and why.

    Raises ExecutionError, with the cause that most drops have in common, when less than ``secondLook.minGainShare`` of the gain is left.
    """
    problem = diagnose(snapshot, policy, history=replace(history, seen=None))
    drops = _Drops(plan, problem, left_out or {})
    _judge(plan, problem, drops)
    kept = replace(
        plan,
        moves=tuple(move for move in plan.moves if move.id not in drops.moves),
        placements=tuple(placed for placed in plan.placements if str(placed.pod) not in drops.placements),
    )
    _worth_it(plan, kept, drops, policy.spec.second_look.min_gain_share)
    return Looked(plan=kept, dropped=drops.results())


class _Drops:
    """The steps that do not hold, and why; what hangs on a dropped step is dropped with it."""

    def __init__(self, plan: Plan, problem: Problem, left_out: Mapping[str, str]) -> None:
        self.plan = plan
        self.moves: dict[str, Drop] = {}
        self.placements: dict[str, Drop] = {}
        self.shifts: dict[str, Shift] = {}
        self.binds: dict[str, Bind] = {}
        now = _Now(problem, left_out)
        for move in plan.moves:
            found = now.shift(move)
            if isinstance(found, Drop):
                self.moves[move.id] = found
            else:
                self.shifts[move.id] = found
        for placed in plan.placements:
            bind = now.bind(placed)
            if isinstance(bind, Drop):
                self.placements[str(placed.pod)] = bind if bind.final else self._because(placed) or bind
            else:
                self.binds[str(placed.pod)] = bind
        self.spread()

    def _because(self, placed: Placed) -> Drop | None:
        """The move whose falling takes a placement with it."""
        for move in self.plan.moves:
            if move.id in self.moves and str(placed.pod) in move.makes_room_for:
                fallen = self.moves[move.id]
                return Drop(fallen.cause, f"{move.pod} does not make room for it: {fallen.reason}")
        return None

    def spread(self) -> None:
        """A placement needs every move made for it; a move made for waiting pods needs one that is left."""
        planned = {str(placed.pod) for placed in self.plan.placements}
        while True:
            before = len(self.moves) + len(self.placements)
            for placed in self.plan.placements:
                fallen = None if str(placed.pod) in self.placements else self._because(placed)
                if fallen is not None:
                    self.placements[str(placed.pod)] = fallen
            for move in self.plan.moves:
                needed = planned.intersection(move.makes_room_for)
                if move.id not in self.moves and needed and needed <= self.placements.keys():
                    cause = self.placements[min(needed)]
                    self.moves[move.id] = Drop(cause.cause, f"nobody needs its room any more: {cause.reason}")
            if len(self.moves) + len(self.placements) == before:
                return

    def results(self) -> tuple[StepResult, ...]:
        moves = {move.id: move for move in self.plan.moves}
        told = [
            StepResult(subject=name, outcome="Skipped", node=moves[name].source.node, message=drop.reason)
            for name, drop in self.moves.items()
        ]
        for pod, drop in self.placements.items():
            outcome = "Done" if drop.node is not None else "Skipped"
            told.append(StepResult(subject=pod, outcome=outcome, node=drop.node, message=drop.reason))
        return tuple(told)


class _Now:
    """The fleet as it is, asked step by step."""

    def __init__(self, problem: Problem, left_out: Mapping[str, str]) -> None:
        self._problem = problem
        self._left_out = left_out
        self._pods = {pod.uid: index for index, pod in enumerate(problem.pods)}
        self._nodes = {(node.ref.cluster, node.ref.name): index for index, node in enumerate(problem.nodes)}

    def shift(self, move: Move) -> Shift | Drop:
        reason = self._left_out.get(move.source.cluster) or self._left_out.get(move.target.cluster)
        if reason is not None:
            return Drop(CHURN, reason)
        index = self._pods.get(move.pod.uid)
        if index is None:
            return Drop(CHURN, "the pod is gone")
        pod, pod_class = self._problem.pods[index], self._problem.classes[self._problem.class_of[index]]
        if pod.node != move.source.node:
            return Drop(CHURN, f"the pod runs on {pod.node}, not on {move.source.node}")
        if move.mover not in pod_class.movers:
            reason = self._problem.protected.get(index) or f"{move.mover} does not apply any more"
            return Drop(BUDGET if "PodDisruptionBudget" in reason else CHURN, reason)
        target = self._target(move.target.cluster, move.target.node, pod_class.reach)
        if isinstance(target, Drop):
            return target
        source = self._nodes[move.source.cluster, str(move.source.node)]
        arrival = move.arrival_wave
        return Shift(wave=move.wave, arrival_wave=arrival, pod_class=pod_class.index, source=source, target=target, mover=move.mover)

    def bind(self, placed: Placed) -> Bind | Drop:
        reason = self._left_out.get(placed.target.cluster) or self._left_out.get(placed.pod.cluster)
        if reason is not None:
            return Drop(CHURN, reason)
        index = self._pods.get(placed.pod.uid)
        if index is None:
            return Drop(CHURN, "the pod is gone", final=True)
        pod, pod_class = self._problem.pods[index], self._problem.classes[self._problem.class_of[index]]
        if pod.node is not None:
            return Drop(CHURN, f"kube-scheduler bound it to {pod.node} first", pod.node, final=True)
        if not pod.waiting or not pod_class.reach:
            why = self._problem.not_ours.get(index) or self._problem.held_back.get(index)
            return Drop(CHURN, why or "nothing may be done for it any more")
        target = self._target(placed.target.cluster, placed.target.node, pod_class.reach)
        if isinstance(target, Drop):
            return target
        return Bind(wave=placed.wave, pod_class=pod_class.index, target=target, mover=placed.mover, contested=placed.contested)

    def _target(self, cluster: str, name: str | None, reach: tuple[int, ...]) -> int | Drop:
        """Where the step ends; for a node left open, the only one there is."""
        if name is None:
            return reach[0] if len(reach) == 1 else Drop(SCHEDULING, "its successor could go to more than one node")
        index = self._nodes.get((cluster, name))
        if index is None:
            return Drop(CHURN, f"the node {name} is gone")
        return index if index in reach else Drop(SCHEDULING, f"{name} does not admit it any more")


def _judge(plan: Plan, problem: Problem, drops: _Drops) -> None:
    """Keep whole what the judge lets pass; else build it up again, those that belong together at once, and leave out what spoils it."""
    if next(violations(problem, _route(drops, drops.shifts, drops.binds)), None) is None:
        return
    moves: set[str] = set()
    pods: set[str] = set()
    for some_moves, some_pods in _bundles(plan, drops):
        spoilt = next(violations(problem, _route(drops, moves | some_moves, pods | some_pods)), None)
        if spoilt is None:
            moves |= some_moves
            pods |= some_pods
            continue
        drop = Drop(BUDGET if spoilt.rule == "PodDisruptionBudget" else SCHEDULING, str(spoilt))
        drops.moves |= dict.fromkeys(some_moves, drop)
        drops.placements |= dict.fromkeys(some_pods, drop)


def _route(drops: _Drops, moves: Iterable[str], pods: Iterable[str]) -> Route:
    return Route(shifts=tuple(sorted(drops.shifts[name] for name in moves)), binds=tuple(sorted(drops.binds[pod] for pod in pods)))


def _bundles(plan: Plan, drops: _Drops) -> list[tuple[set[str], set[str]]]:
    """Moves and placements that need one another, in the order in which the plan begins them."""
    pods = [str(placed.pod) for placed in plan.placements if str(placed.pod) not in drops.placements]
    moves = [move for move in plan.moves if move.id not in drops.moves]
    bundles: list[tuple[set[str], set[str]]] = []
    first: dict[int, int] = {}
    for move in moves:
        ids, names = {move.id}, set(move.makes_room_for).intersection(pods)
        for known in [bundle for bundle in bundles if bundle[1] & names]:
            ids, names = ids | known[0], names | known[1]
            bundles.remove(known)
        bundles.append((ids, names))
    with_moves = {pod for _, names in bundles for pod in names}
    bundles += [(set(), {pod}) for pod in pods if pod not in with_moves]
    waves = {move.id: move.wave for move in moves} | {str(placed.pod): placed.wave for placed in plan.placements}
    first = {id(bundle): min(waves[name] for name in bundle[0] | bundle[1]) for bundle in bundles}
    return sorted(bundles, key=lambda bundle: (first[id(bundle)], sorted(bundle[0] | bundle[1])))


def _worth_it(plan: Plan, kept: Plan, drops: _Drops, least: float) -> None:
    """The gain is the waiting pods that get a node; where there are none, the moves."""
    bound = sum(drop.node is not None for drop in drops.placements.values())
    whole, left = (len(plan.placements), len(kept.placements) + bound) if plan.placements else (len(plan.moves), len(kept.moves))
    if whole == 0 or left >= least * whole:
        return
    reasons = [*drops.placements.values(), *drops.moves.values()]
    cause = Counter(drop.cause for drop in reasons).most_common(1)[0][0]
    what = "placements" if plan.placements else "moves"
    first = next(drop.reason for drop in reasons if drop.cause == cause)
    raise ExecutionError(cause, f"{left} of {whole} {what} still hold, less than secondLook.minGainShare {least:g}: {cause}: {first}")
