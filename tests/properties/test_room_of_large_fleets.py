"""Moves for Headroom and EmptyNodes in the stages for large fleets: what waits keeps its places, and room is counted as it is reported."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from random import Random
from typing import Any

import numpy as np
import pytest

from descheduler.diagnose import diagnose
from descheduler.domain.placement import Route
from descheduler.domain.problem import Price, Problem
from descheduler.portfolio import Budgeted, search
from descheduler.portfolio import units as portfolio_units
from descheduler.portfolio.executors import Inline
from descheduler.portfolio.fleet import FleetSearch
from descheduler.portfolio.score import residents_after, score, slots_after
from descheduler.rules.objectives.empty_nodes import freed
from descheduler.solver.arrays import Instance, Rows, every_step, to_moves
from descheduler.solver.compiled import compiled, remarks
from descheduler.solver.gains import SCALE, Gains, gains_of, worth
from descheduler.solver.kernels import openings, rounds, slots
from descheduler.solver.kernels.memory import Memory
from descheduler.solver.opening import Opening, begun, open_slots, valued
from descheduler.verify import violations
from tests.builders import Thing, a_node, a_pod
from tests.problems import a_problem
from tests.properties.brute import best_earned
from tests.properties.test_large_fleets import a_crowded_instance
from tests.properties.tiny import a_loose_policy, a_tiny_fleet

SEEDS = range(100)
ORDERS = (
    ("PendingPods", "Headroom", "Disruption"),
    ("PendingPods", "EmptyNodes", "Disruption"),
    ("PendingPods", "EmptyNodes", "Headroom", "Disruption"),
)


def a_tiny_problem(seed: int, objectives: tuple[str, ...] | None = None) -> Problem:
    problem = diagnose(a_tiny_fleet(seed), a_loose_policy(seed))
    prices = (Price(node_selector=(("topology.kubernetes.io/zone", "a"),), price=2.5),)
    terms = replace(problem.terms, objectives=objectives or ORDERS[seed % 3], prices=prices, floor=seed % 2 * 0.5)
    return replace(problem, terms=terms)


def searched(problem: Problem, effort: float = 0.1) -> FleetSearch:
    stages = FleetSearch(problem, Inline(), effort=effort)
    stages.run(brief=False)
    return stages


def a_scattered_fleet(nodes: int, seed: int = 0) -> list[Thing]:
    """Small pods all over nodes that are about half full; large ones wait, of which few fit."""
    dice = Random(seed)
    fleet: list[Thing] = [a_node(f"n{i}", cpu=16, memory=64) for i in range(nodes)]
    fleet += [
        a_pod(f"p{i}-{k}", on=f"n{i}", of=f"app-{dice.randrange(3 * nodes)}", cpu=dice.randint(1, 3), memory=dice.randint(1, 9))
        for i in range(nodes)
        for k in range(dice.randint(2, 5))
    ]
    fleet += [a_pod(f"w{i}", cpu=14, memory=20, of=f"large-{i}", priority=i % 2) for i in range(nodes // 8)]
    return fleet


def a_scattered_problem(nodes: int, seed: int = 0, **more: Any) -> Problem:
    limits: dict[str, Any] = dict.fromkeys(("perCluster", "perNode", "perWorkload", "perNamespace"))
    limits |= {"perRun": 3 * nodes // 4, "perWindow": []}
    shapes = [
        {"name": "half", "weight": 2, "requests": {"cpu": "8m", "memory": 32}},
        {"name": "whole", "weight": 5, "requests": {"cpu": "14m", "memory": 50}},
    ]
    told: dict[str, Any] = {"objectives": ORDERS[0], "shapes": shapes, "limits": limits, "floor": {"slotsPerMove": 0}, **more}
    return a_problem(*a_scattered_fleet(nodes, seed), **told)


def test_what_is_found_is_lawful_places_no_fewer_pods_and_is_no_worse() -> None:
    earned = 0
    for seed in SEEDS:
        problem = a_tiny_problem(seed)
        patient = searched(replace(problem, terms=replace(problem.terms, objectives=("PendingPods", "Disruption"))))

        stages = searched(problem)

        assert stages.rejected == [], f"seed {seed}"
        assert [str(v) for v in violations(problem, stages.best)] == [], f"seed {seed}"
        if problem.terms.moves_per_placed_pod is None or patient.best_score.placed == stages.best_score.placed:
            assert stages.best_score >= score(problem, patient.best), f"seed {seed}"
        assert stages.best_score.placed >= patient.best_score.placed, f"seed {seed}"
        assert stages.best_score == score(problem, stages.best)
        earned += stages.best_score > score(problem, patient.best)
    assert earned >= 4  # tiny fleets seldom have room to gather


def test_no_more_is_earned_than_trying_everything_earns() -> None:
    hits = 0
    for seed in SEEDS:
        problem = a_tiny_problem(seed, ORDERS[1])
        placed, most = best_earned(problem)

        stages = searched(problem)

        reached = tuple(dict(stages.best_score.placed).get(p, 0) for p in problem.priorities)
        if reached == placed:
            moves = len(stages.best.shifts)
            earned = freed(problem, residents_after(problem, stages.best))
            assert earned - problem.terms.floor * moves <= most + 1e-6, f"seed {seed}"
            hits += abs(earned - most) < 1e-6
    assert hits > len(SEEDS) * 0.5


def instances(seed: int) -> Iterator[tuple[Instance, Gains]]:
    problem = a_tiny_problem(seed)
    for cluster in sorted({c.cluster for c in (*problem.movable, *problem.placeable)}):
        instance = Rows(problem).instance(cluster)
        gains = gains_of(problem, instance)
        if len(gains.node):
            yield instance, gains


def a_crowd(seed: int) -> tuple[Instance, Gains]:
    """The crowded instance, with two shapes that any node may hold, of two objectives."""
    instance = a_crowded_instance(seed)
    nodes = len(instance.nodes)
    return instance, Gains(
        goals=2,
        floor=seed % 2 * 500,
        shapes=np.array([[4, 4], [6, 7]], dtype=np.int64),
        node=np.repeat(np.arange(nodes), 2),
        shape=np.tile([0, 1], nodes),
        goal=np.tile([0, 1], nodes),
        weight=np.tile([2000, 5000], nodes),
        most=np.tile([3, 2], nodes),
    )


def an_opening(instance: Instance, gains: Gains, **told: Any) -> Opening:
    return Opening(**{"instance": instance, "gains": gains, "hint": (), "most": 9, "waves": 4, "rounds": 60, "price": 300, **told})


def test_compiled_rounds_do_what_plain_ones_do() -> None:
    seen = 0
    for seed in range(12):
        for instance, gains in (*instances(seed), a_crowd(seed)):
            books: list[Memory] = []
            for run in (openings.open_slots, compiled(openings.open_slots)):
                memory = begun(an_opening(instance, gains))
                run(memory.vector, memory.longest, 60)
                books.append(memory)

            assert (books[0].vector == books[1].vector).all(), f"seed {seed}"
            seen += books[0].vector[slots.BEST] > 0
    assert remarks() == ()
    assert [len(vars(compiled(one))["overloads"]) for one in (openings.begin, openings.open_slots)] == [1, 1]
    assert seen > 5


def test_what_the_rounds_count_is_what_the_nodes_are_worth() -> None:
    gained = 0
    for seed in range(40):
        for instance, gains in (*instances(seed), a_crowd(seed)):
            memory = begun(an_opening(instance, gains, price=0))
            first = tuple(memory.part(slots.BEST_WORTH).tolist())
            openings.open_slots(memory.vector, memory.longest, 60)

            told = tuple(memory.part(slots.BEST_WORTH).tolist())
            assert told == worth(gains, instance, every_step(memory.best())), f"seed {seed}"
            assert told >= first
            gained += told > first
    assert gained > 10


def test_what_the_nodes_are_worth_is_what_reports_count() -> None:
    for seed in SEEDS:
        problem = a_tiny_problem(seed, ORDERS[2])
        stages = searched(problem)
        routes = (Route(), stages.best)

        parts = [
            [worth(gains_of(problem, i), i, every_step(to_moves(i, route))) for i in stages.instances.values()] for route in routes
        ]

        net = [problem.terms.floor * len(route.shifts) for route in routes]
        emptied = sum(b[0] - a[0] for a, b in zip(*parts, strict=True)) / SCALE
        roomier = sum(b[1] - a[1] for a, b in zip(*parts, strict=True)) / SCALE
        assert emptied == pytest.approx(freed(problem, residents_after(problem, stages.best)) - net[1]), f"seed {seed}"
        assert roomier == pytest.approx(slots_after(problem, routes[1]) - slots_after(problem, routes[0]) - net[1]), f"seed {seed}"


def test_a_block_loses_nobody_and_keeps_to_its_moves() -> None:
    for seed in range(30):
        instance, gains = a_crowd(seed)
        memory = Memory(instance, most=9, waves=4)
        rounds.greedy(memory.vector, memory.longest, 9)
        before = valued(gains, instance, memory.best())

        points = open_slots(an_opening(instance, gains, hint=memory.best()))

        assert all(p.moves <= 9 and p.placed >= before.placed for p in points), f"seed {seed}"
        assert max((p.placed, p.worth) for p in points) >= (before.placed, before.worth), f"seed {seed}"


@pytest.mark.parametrize("objectives", ORDERS)
def test_much_more_room_than_doing_nothing_in_a_fleet_of_forty_nodes(objectives: tuple[str, ...]) -> None:
    problem = a_scattered_problem(40, objectives=list(objectives))

    stages = searched(problem, effort=0.3)

    assert stages.rejected == []
    assert [str(v) for v in violations(problem, stages.best)] == []
    patient = searched(replace(problem, terms=replace(problem.terms, objectives=("PendingPods", "Disruption"))), effort=0.3)
    assert stages.best_score.placed == patient.best_score.placed
    if objectives[1] == "Headroom":
        assert slots_after(problem, stages.best) >= 1.5 * slots_after(problem, Route())
    else:
        assert freed(problem, residents_after(problem, stages.best)) >= 5


def test_a_cluster_cut_into_blocks_is_searched_as_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(portfolio_units, "BLOCK", 12)
    monkeypatch.setattr(portfolio_units, "WHOLE", 12)
    problem = a_scattered_problem(40)

    stages = searched(problem, effort=0.3)

    assert stages.rejected == []
    assert [str(v) for v in violations(problem, stages.best)] == []
    assert slots_after(problem, stages.best) >= 1.4 * slots_after(problem, Route())


def test_no_move_is_made_that_brings_less_than_the_floor() -> None:
    cheap, dear = (a_scattered_problem(40, floor={"slotsPerMove": floor}) for floor in (0, 3))

    many, few = (searched(problem, effort=0.3).best for problem in (cheap, dear))

    needed = searched(replace(dear, terms=replace(dear.terms, objectives=("PendingPods", "Disruption"))), effort=0.3).best
    assert len(few.shifts) < len(many.shifts)
    assert slots_after(dear, few) - slots_after(dear, needed) >= 3 * (len(few.shifts) - len(needed.shifts))


def test_a_large_fleet_goes_this_way_and_nothing_unproven_is_called_optimal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["descheduler.portfolio.blocks"], "WHOLE", 100)
    problem = a_scattered_problem(24)

    found = search(problem, Budgeted(effort=0.1))

    assert [(level.name, level.bound) for level in found.levels if level.name == "Headroom"] == [("Headroom", None)]
    assert slots_after(problem, found.route) > slots_after(problem, Route())


def test_equal_searches_end_alike() -> None:
    for seed in range(10):
        routes = {searched(a_tiny_problem(seed)).best, searched(a_tiny_problem(seed)).best}

        assert len(routes) == 1
