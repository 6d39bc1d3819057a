"""The stages for large fleets, on fleets small enough to try everything: lawful plans, valid bounds, the same answer every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from descheduler import pipeline
from descheduler.diagnose import diagnose
from descheduler.domain.placement import Route
from descheduler.domain.plan import Category
from descheduler.domain.problem import Problem
from descheduler.domain.rows import AtMost
from descheduler.federation.recorded import RecordedFleet
from descheduler.output.json_plan import plan_to_json
from descheduler.policy.policy import Policy
from descheduler.portfolio import Found
from descheduler.portfolio import units as portfolio_units
from descheduler.portfolio.executors import Inline
from descheduler.portfolio.fleet import FleetSearch
from descheduler.portfolio.publish import publish
from descheduler.solver.arrays import Budget, Instance, Joint, Rows, applied, indexed, local_of, to_steps
from descheduler.solver.compiled import compiled
from descheduler.solver.compiled import remarks as compiled_remarks
from descheduler.solver.kernels import rounds, slots
from descheduler.solver.kernels.memory import Memory
from descheduler.solver.kernels.rounds import greedy
from descheduler.solver.kernels.steps import back
from descheduler.solver.tasks import Quest, seek
from descheduler.verify import violations
from tests.builders import NOW
from tests.judge import judge
from tests.properties.brute import best
from tests.properties.tiny import a_loose_policy, a_tiny_fleet
from tests.properties.wild import a_wild_fleet

SEEDS = range(100)
OPTIONS = pipeline.Options(run_id="run-1", created_at=NOW)


def a_tiny_problem(seed: int) -> Problem:
    problem = diagnose(a_tiny_fleet(seed), a_loose_policy(seed))
    return replace(problem, terms=replace(problem.terms, objectives=("PendingPods", "Disruption")))


def searched(problem: Problem, effort: float = 0.1) -> FleetSearch:
    stages = FleetSearch(problem, Inline(), effort=effort)
    stages.run(brief=False)
    return stages


def vector(problem: Problem, stages: FleetSearch) -> tuple[int, ...]:
    reached = dict(stages.best_score.placed)
    return tuple(reached.get(p, 0) for p in problem.priorities)


def test_what_is_found_is_lawful_and_never_better_than_trying_everything() -> None:
    hits = 0
    for seed in SEEDS:
        problem = a_tiny_problem(seed)

        stages = searched(problem)

        assert stages.rejected == [], f"seed {seed}"
        assert [str(v) for v in violations(problem, stages.best)] == [], f"seed {seed}"
        assert vector(problem, stages) <= best(problem)[0], f"seed {seed}"
        hits += vector(problem, stages) == best(problem)[0]
    assert hits > len(SEEDS) * 0.7  # rows they cannot interpret freeze pods; and everything is tiny here


def test_no_bound_is_below_what_trying_everything_finds() -> None:
    for seed in SEEDS:
        problem = a_tiny_problem(seed)
        stages = searched(problem)
        there_is, found = best(problem)[0], vector(problem, stages)

        bounds = [level.bound for level in stages.levels()]

        for at, bound in enumerate(bounds):
            if found[:at] == there_is[:at]:
                assert bound is None or bound >= there_is[at], f"seed {seed}, level {at}"


@pytest.mark.parametrize("seed", range(60))
def test_the_judge_finds_nothing(seed: int, tmp_path: Path) -> None:
    wild = a_wild_fleet(seed)
    snapshot, policy = RecordedFleet(wild.write(tmp_path)).snapshot(), Policy.model_validate(wild.policy)
    problem = diagnose(snapshot, policy)

    stages = searched(problem)

    usual = pipeline.plan(snapshot, policy, OPTIONS).plan
    possible = {str(told.pod): "" for told in usual.unplaced if told.category is Category.LIMITS}
    plan = publish(problem, Found(route=stages.best, levels=stages.levels()), usual.metadata, possible, False)
    assert judge(tmp_path, plan_to_json(plan), wild.policy) == []
    assert stages.rejected == []


def instances(seed: int) -> Iterator[Instance]:
    problem = a_tiny_problem(seed)
    rows = Rows(problem)
    for cluster in sorted({c.cluster for c in problem.placeable}):
        yield rows.instance(cluster)


def a_crowded_instance(seed: int) -> Instance:
    """Ten nodes, nearly full of small pods, and large ones that wait; classes of which one node takes one pod, and a budget."""
    rng = np.random.default_rng(seed)
    classes, nodes, waiting = 24, 10, 6
    asks = np.column_stack([rng.integers(1, 5, classes), rng.integers(1, 5, classes)])
    asks[:waiting] = rng.integers(4, 9, (waiting, 2))
    there = np.zeros((classes, nodes), dtype=np.int32)
    there[waiting:] = rng.random((classes - waiting, nodes)) < 0.25
    held = there.T @ asks
    ones = np.ones(1, dtype=np.int64)
    alone = [
        Joint(
            kind=AtMost,
            one=c * ones,
            other=ones[:0],
            domain=np.arange(nodes),
            limit=1,
            guard=-1,
            few=False,
            base_one=there[c] * 1,
            base_other=ones[:0],
        )
        for c in range(waiting, classes, 3)
    ]
    return indexed(
        Instance(
            cluster="east",
            nodes=np.arange(nodes),
            classes=np.arange(classes),
            resources=("cpu", "memory"),
            room=(held.max(axis=0) - held + rng.integers(0, 3, (nodes, 2))).astype(np.int64),
            asks=asks.astype(np.int64),
            waiting=np.arange(classes) < waiting,
            priority=np.array([10 * (c % 3) for c in range(classes)]),
            pods=np.where(np.arange(classes) < waiting, 2, there.sum(axis=1)).astype(np.int64),
            there=there,
            reach=rng.random((classes, nodes)) < 0.8,
            joints=tuple(alone),
            budgets=(Budget(members=np.arange(waiting, classes, 2), nodes=None, limit=6, row=0),),
        )
    )


def quest(instance: Instance, **told: Any) -> Quest:
    return Quest(**{"instance": instance, "most": int(instance.there.sum()), "waves": 4, **told})


def test_rounds_lose_nothing_of_the_greedy_and_keep_to_the_moves_they_may_make() -> None:
    better = 0
    for seed in range(20):
        for instance in (*instances(seed), a_crowded_instance(seed)):
            first, then = (seek(quest(instance, most=9, rounds=count)).points[0] for count in (0, 60))

            assert (then.placed, -then.moves) >= (first.placed, -first.moves), f"seed {seed}"
            assert then.moves <= 9
            better += then != first
    assert better


def test_cheap_pods_never_keep_an_important_one_out_of_a_frontier() -> None:
    for seed in SEEDS:
        for instance in (*instances(seed), a_crowded_instance(seed)):
            first = seek(quest(instance, most=9)).points[0]

            points = seek(quest(instance, most=9, frontier=True)).points

            assert any(p.placed >= first.placed and p.moves <= first.moves for p in points), f"seed {seed}"


def test_a_frontier_gives_fewer_moves_for_fewer_pods() -> None:
    for seed in SEEDS:
        for instance in instances(seed):
            points = seek(quest(instance, rounds=30, frontier=True)).points

            moves = [p.moves for p in points]
            assert moves == sorted(moves, reverse=True)
            assert moves[-1] == 0


def test_steps_taken_back_leave_no_trace() -> None:
    taken = 0
    for seed in range(20):
        for instance in (*instances(seed), a_crowded_instance(seed)):
            memory = Memory(instance, most=9, waves=4)
            m, untouched = memory.vector, memory.vector.copy()
            greedy(m, memory.longest, 9)
            taken += m[slots.LENGTH]

            back(m, 0)

            counts = (slots.FREE, slots.CALM, slots.LEFT, slots.KEPT, slots.COUNT_ONE, slots.COUNT_OTHER, slots.SPENT)
            for slot in (*counts, slots.LAST, slots.BOUND):
                place = int(m[slot])
                assert (memory.part(slot) == untouched[place : place + memory.part(slot).size]).all(), f"seed {seed}, slot {slot}"
    assert taken > 20


def test_compiled_rounds_do_what_plain_ones_do() -> None:
    seen = 0
    for seed in range(12):
        for instance in (*instances(seed), a_crowded_instance(seed)):
            books = [Memory(instance, most=9, waves=4) for _ in range(2)]
            for memory, greedily, search in zip(books, (greedy, compiled(greedy)), (rounds.search, compiled(rounds.search)), strict=True):
                memory.vector[slots.ROUNDS], memory.vector[slots.HEAT] = 50, 2000
                greedily(memory.vector, memory.longest, 9)
                search(memory.vector, memory.longest, 50)

            assert (books[0].vector == books[1].vector).all(), f"seed {seed}"
            seen += books[0].vector[slots.LENGTH] > 0
    assert compiled_remarks() == ()
    assert [len(vars(compiled(one))["overloads"]) for one in (greedy, rounds.search)] == [1, 1]  # no call asks for another form
    assert seen > 5


@pytest.mark.parametrize("block", [1, 2, 3])
def test_blocks_keep_the_books_of_the_whole(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Free room, moves and placed pods of all blocks add up; what crosses them is a unit of its own."""
    monkeypatch.setattr(portfolio_units, "BLOCK", block)
    monkeypatch.setattr(portfolio_units, "WHOLE", block)
    crossed = 0
    for seed in SEEDS:
        for instance in instances(seed):
            moves = seek(quest(instance)).points[0].sequence

            found = portfolio_units.units(instance, moves, (0, seed))

            assert sorted(step for u in found for step in to_steps(u.instance, u.hint)) == sorted(to_steps(instance, moves))
            blocks = [u for u in found if not u.settled]
            assert sorted(int(n) for u in blocks for n in u.instance.nodes) == instance.nodes.tolist()
            after = applied(instance, local_of(moves))
            for u in blocks:
                where = [instance.nodes.tolist().index(n) for n in u.instance.nodes]
                rest = applied(u.instance, local_of(u.hint))
                assert (rest.room == after.room[where]).all(), f"seed {seed}"
            crossed += any(u.settled for u in found)
    assert crossed or block == 3


def test_equal_searches_end_alike() -> None:
    for seed in range(20):
        problem = a_tiny_problem(seed)

        routes: set[Route] = {searched(problem).best, searched(problem).best}

        assert len(routes) == 1
