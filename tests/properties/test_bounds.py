"""Bounds of fleets of two clusters that share limits, against everything that can be done there."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any

import pytest

from descheduler.diagnose import diagnose
from descheduler.domain.objects import Cluster
from descheduler.domain.problem import Problem
from descheduler.policy.policy import Policy
from descheduler.portfolio.proof import Question, proofs
from descheduler.solver.arrays import Rows
from descheduler.solver.bounds import Cut, Proof, bounds, exchanged, together
from tests.builders import a_cluster, a_node, a_pod, a_snapshot, apart_from
from tests.properties.brute import outcomes

PRIORITIES = (9, 5, 0)
Outcome = tuple[tuple[int, ...], int]
"""Pods placed per priority, and moves."""


def a_small_cluster(name: str, dice: Random) -> Cluster:
    """Two or three nodes, some pods that may move, some that wait."""
    nodes = [a_node(f"n{i}", cpu=dice.randint(3, 7), memory=dice.randint(3, 7)) for i in range(dice.randint(2, 3))]
    room = {node.ref.name: [node.allocatable["cpu"], node.allocatable["memory"]] for node in nodes}
    pods = []
    for i in range(dice.randint(1, 2)):
        on, cpu, memory = dice.choice(list(room)), dice.randint(1, 3), dice.randint(0, 3)
        if room[on][0] >= cpu and room[on][1] >= memory:
            room[on][0] -= cpu
            room[on][1] -= memory
            pods.append(a_pod(f"r{i}", of=f"r{i}", on=on, cpu=cpu, memory=memory))
    for i in range(dice.randint(2, 3)):
        app = dice.choice("xy")
        apart = [apart_from(app=app)] if dice.random() < 0.3 else []
        cpu, memory = dice.randint(2, 5), dice.randint(0, 4)
        pods.append(
            a_pod(
                f"w{i}", of=f"new-{i}", cpu=cpu, memory=memory, priority=dice.choice(PRIORITIES), labels={"app": app}, anti_affinity=apart
            )
        )
    return a_cluster(name, *nodes, *pods)


@dataclass(frozen=True)
class Fleet:
    """Two clusters, what each can do by itself, and what they share."""

    seed: int
    problem: Problem
    each: list[list[Outcome]]
    run: int
    """Moves of both together."""
    ratio: int | None
    """Moves per placed pod of both together."""

    def possible(self) -> list[tuple[Outcome, Outcome]]:
        """What both can do together."""
        return [
            (one, other)
            for one, other in product(*self.each)
            if one[1] + other[1] <= self.run and (self.ratio is None or one[1] + other[1] <= self.ratio * (sum(one[0]) + sum(other[0])))
        ]


def fleets(seeds: Iterable[int], *, scarce: bool = True) -> Iterator[Fleet]:
    """Random ones; ``scarce``: what clusters share may be little."""
    for seed in seeds:
        dice = Random(seed)
        clusters = [a_small_cluster(name, dice) for name in ("east", "west")]
        run = dice.choice([0, 1, 2, 20]) if scarce else 20
        ratio = dice.choice([None, None, 1, 2]) if scarce else None
        limits = {"perRun": run, "perCluster": dice.choice([1, 20]), "perNode": None, "perNamespace": None, "perWorkload": None}
        spec = {"shapes": [], "objectives": ["PendingPods", "Disruption"]}
        alone, both = (Policy.model_validate({"spec": {**spec, "limits": {**limits, "movesPerPlacedPod": told}}}) for told in (None, ratio))
        each = [sorted(outcomes(diagnose(a_snapshot(c), alone), PRIORITIES)) for c in clusters]
        yield Fleet(seed, diagnose(a_snapshot(*clusters), both), each, run, ratio)


def in_all(pair: Sequence[Outcome]) -> tuple[int, ...]:
    return tuple(map(sum, zip(*(vector for vector, _ in pair), strict=True)))


def question(problem: Problem, pair: Sequence[Outcome], deadline: float | None = None) -> Question:
    relaxed = Rows(problem, relaxed=True)
    placed = dict(zip(("east", "west"), (dict(zip(PRIORITIES, vector, strict=True)) for vector, _ in pair), strict=True))
    clusters = sorted({c.cluster for c in problem.placeable})
    return Question(
        priorities=tuple(p for p in PRIORITIES if p in problem.priorities),
        instances=tuple(relaxed.instance(c) for c in clusters),
        placed=tuple(tuple(placed[c].items()) for c in clusters),
        ratio=relaxed.ratio,
        workers=1,
        deadline=deadline,
    )


def at_once(task: Any, asked: Sequence[object]) -> list[Proof | None]:
    return [task(one) for one in asked]


def all_but(*tasks: str) -> Any:
    """Leaves some tasks undone."""
    return lambda task, asked: [None for _ in asked] if task.__name__ in tasks else at_once(task, asked)


def test_no_plan_places_more_of_a_priority_than_its_bound_while_it_keeps_all_higher_ones() -> None:
    """Asked of the best plan, of the one that does nothing and of some between; tight for the best one nearly always."""
    tight = levels = 0
    for fleet in fleets(range(40)):
        possible = fleet.possible()
        vectors = {in_all(pair) for pair in possible}
        best = max(possible, key=in_all)
        for plan in [best, min(possible, key=in_all), *Random(fleet.seed).choices(possible, k=2)]:
            reached = in_all(plan)

            found, late = proofs(question(fleet.problem, plan), at_once)

            assert not late
            for told in found:
                at = PRIORITIES.index(int(told.key))
                most = max(vector[at] for vector in vectors if all(v >= r for v, r in zip(vector[:at], reached[:at], strict=True)))
                assert told.bound is not None, f"seed {fleet.seed}, level {at}"
                assert told.bound >= most, f"seed {fleet.seed}, level {at}"
                if plan is best:
                    tight, levels = tight + (told.bound == most), levels + 1
    assert tight > 0.9 * levels


def test_what_clusters_exchange_is_known_without_a_programme_of_all() -> None:
    """The cuts alone bound what one cluster gains by another's giving way above."""
    sharper = 0
    for fleet in fleets(range(25), scarce=False):
        possible = fleet.possible()
        for plan in Random(fleet.seed).choices(possible, k=3):
            reached = in_all(plan)

            found, _ = proofs(question(fleet.problem, plan), all_but("all_together"))
            first_only, _ = proofs(question(fleet.problem, plan), all_but("all_together", "exchangeable"))

            for told in found:
                at = PRIORITIES.index(int(told.key))
                most = max(o[at] for o in map(in_all, possible) if all(v >= r for v, r in zip(o[:at], reached[:at], strict=True)))
                assert told.bound is not None
                assert told.bound >= most, f"seed {fleet.seed}, level {at}"
            sharper += any(told.bound is None for told in first_only)
    assert sharper > 8


def test_integers_close_what_the_relaxation_leaves_open() -> None:
    """Seven and seven are room for three pods of four, and yet two nodes take one each."""
    fleet = a_cluster("east", a_node("a", cpu=7), a_node("b", cpu=7), *(a_pod(f"w{i}", of=f"new-{i}", cpu=4) for i in range(4)))
    problem = diagnose(a_snapshot(fleet), Policy())
    instance = Rows(problem, relaxed=True).instance("east")

    assert bounds(instance, {0: 1}).bounds == {0: 2}
    assert bounds(instance, {0: 2}).bounds == {0: 2}


def test_bounds_that_are_not_there_in_time_are_none() -> None:
    fleet = next(fleets([3]))

    found, late = proofs(question(fleet.problem, min(fleet.possible(), key=in_all), deadline=time.monotonic()), at_once)

    assert late
    assert {told.bound for told in found} == {None}


def test_cuts_of_one_cluster_alone_bound_nothing() -> None:
    known = [Cut(weights=((0, 1),), limit=3)]

    assert exchanged([known, []], (0,), {}) == {}
    assert exchanged([known, known], (0,), {}) == {0: 6}


CROWDED = a_cluster(
    "east",
    a_node("a", cpu=4),
    a_node("b", cpu=2),
    a_node("c", cpu=2),
    *(a_pod(f"r{i}", of=f"r{i}", on="a", cpu=2) for i in range(2)),
    a_pod("big", of="big", cpu=4),
)
"""Two moves make room for one pod."""


def best_of(problem: Problem, **placed: dict[int, int]) -> dict[int, float | None]:
    """Priority to bound for a plan that places this in each cluster."""
    vectors = [(tuple(placed[name].get(p, 0) for p in PRIORITIES), 0) for name in ("east", "west")]
    return {int(told.key): told.bound for told in proofs(question(problem, vectors), at_once)[0]}


@pytest.mark.parametrize(("ratio", "most"), [(None, 1), (1, 0), (2, 1)])
def test_moves_per_placed_pod_may_be_too_few_for_a_pod(ratio: int | None, most: int) -> None:
    problem = diagnose(a_snapshot(CROWDED), Policy.model_validate({"spec": {"limits": {"movesPerPlacedPod": ratio}}}))

    assert together([Rows(problem, relaxed=True).instance("east")], [()], {}, (0,), ratio).bounds == {0: most}


def test_a_pod_that_comes_for_nothing_earns_moves_for_one_elsewhere() -> None:
    easy = a_cluster("west", a_node("d", cpu=4), a_pod("small", of="small", cpu=1))
    problem = diagnose(a_snapshot(CROWDED, easy), Policy.model_validate({"spec": {"limits": {"movesPerPlacedPod": 1}}}))

    assert best_of(problem, east={}, west={0: 1}) == {0: 2}


def test_a_cluster_may_give_way_above_for_what_another_gains_there() -> None:
    """Whoever leaves the important pod of the west alone may place both of the others, and the east's important pod instead."""
    east = a_cluster("east", a_node("a", cpu=4), a_pod("e", of="e", cpu=4, priority=9))
    west = a_cluster(
        "west",
        a_node("b", cpu=4),
        a_pod("w", of="w", cpu=4, priority=9),
        *(a_pod(f"w{i}", of=f"w{i}", cpu=2, priority=5) for i in range(2)),
    )
    problem = diagnose(a_snapshot(east, west), Policy())

    assert best_of(problem, east={}, west={9: 1}) == {9: 2, 5: 2}
    assert best_of(problem, east={9: 1}, west={9: 1}) == {9: 2, 5: 0}


def test_pods_of_different_workloads_do_not_share_a_limit_of_one_a_node() -> None:
    apart = (a_pod(app, of=app, labels={"app": app}, anti_affinity=[apart_from(app=app)]) for app in "xy")
    problem = diagnose(a_snapshot(a_cluster("east", a_node("a"), *apart)), Policy())

    assert bounds(Rows(problem, relaxed=True).instance("east"), {}).bounds == {0: 2}
