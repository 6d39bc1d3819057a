"""The stages for large fleets, on fleets small enough to try everything: lawful plans, valid bounds, the same answer every time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from descheduler import pipeline
from descheduler.diagnose import diagnose
from descheduler.domain.placement import Route
from descheduler.domain.plan import Category
from descheduler.domain.problem import Problem
from descheduler.federation.recorded import RecordedFleet
from descheduler.output.json_plan import plan_to_json
from descheduler.policy.policy import Policy
from descheduler.portfolio import Found
from descheduler.portfolio.executors import Inline
from descheduler.portfolio.fleet import FleetSearch
from descheduler.portfolio.publish import publish
from descheduler.solver.arrays import Instance, Local, Rows, cut, placed
from descheduler.solver.block import Work, solve_block
from descheduler.solver.greedy import Manner, greedy, stairs
from descheduler.solver.state import State
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
    if problem.terms.earning:
        pytest.skip("moves that no waiting pod needs are not for these stages")

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


def test_a_block_keeps_what_its_hint_places_and_never_exceeds_its_moves() -> None:
    for seed in SEEDS:
        for instance in instances(seed):
            hint = greedy(instance, Manner())

            points = solve_block(Work(instance=instance, hint=hint, most=hint.moves, points=4, effort=0.1))

            assert sorted(placed(instance, hint).items(), reverse=True) <= list(points[0].placed) or not hint.arrivals, f"seed {seed}"
            assert [p.moves for p in points] == sorted({p.moves for p in points}, reverse=True), f"seed {seed}"
            assert points[0].moves <= hint.moves, f"seed {seed}"


def test_every_step_of_the_stairs_costs_no_more_than_the_one_above() -> None:
    for seed in SEEDS:
        for instance in instances(seed):
            found = stairs(instance, Manner(most_moves=5))

            moves = [local.moves for local in found]
            assert moves == sorted(moves, reverse=True)
            assert found[-1] == Local()


def test_a_step_taken_back_leaves_no_trace() -> None:
    for seed in SEEDS:
        for instance in instances(seed):
            state, untouched = State(instance, greedy(instance, Manner())), State(instance)
            state.trail.clear()
            fresh = State(instance)
            for (c, n), _ in sorted(state.local().arrivals.items()):
                source = next((s for (d, s) in state.local().departures if d == c), -1)
                if instance.waiting[c] or source >= 0:
                    fresh.take((c, -1 if instance.waiting[c] else source, n))

            fresh.back(0)

            assert (fresh.free == untouched.free).all()
            assert (fresh.calm == untouched.calm).all()
            assert (fresh.kept == untouched.kept).all()
            assert all((a == b).all() for a, b in zip(fresh.one, untouched.one, strict=True))
            assert fresh.local() == Local()


def test_blocks_cut_from_an_instance_keep_its_books() -> None:
    """Free room, moves and placed pods of all blocks add up to the whole."""
    for seed in SEEDS:
        for instance in instances(seed):
            local = greedy(instance, Manner())
            nodes = range(len(instance.nodes))
            units = [cut(instance, State(instance).instance.nodes[[n]] * 0 + n, local) for n in nodes]

            assert sum(part.moves for _, part in units) == local.moves
            for block, part in units:
                gained = sum(part.arrivals.values()) - sum(k for (c, _), k in part.arrivals.items() if block.waiting[c]) - part.moves
                assert gained == int(block.owed.sum()), f"seed {seed}"


def test_equal_searches_end_alike() -> None:
    for seed in range(20):
        problem = a_tiny_problem(seed)

        routes: set[Route] = {searched(problem).best, searched(problem).best}

        assert len(routes) == 1
