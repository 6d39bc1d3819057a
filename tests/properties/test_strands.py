"""Parts of a route that do not touch each other: what a move is good for can be asked in its own part alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from random import Random

from descheduler.diagnose import diagnose
from descheduler.domain.placement import Bind, Placement, Route, Shift
from descheduler.domain.problem import Problem
from descheduler.federation.recorded import RecordedFleet
from descheduler.planner import helped, order, trim
from descheduler.planner.trim import replay, strands
from descheduler.policy.policy import Policy
from tests.properties.tiny import a_loose_policy, a_tiny_fleet
from tests.properties.wild import a_wild_fleet


def a_random_route(problem: Problem, seed: int) -> Route:
    """Some pods sent anywhere they may be, as far as that can be ordered."""
    dice = Random(seed)
    departures: dict[tuple[int, int], int] = {}
    arrivals: dict[tuple[int, int], int] = {}
    for c in problem.movable:
        source = dice.choice(sorted(c.at))
        targets = [n for n in c.reach if n not in c.at]
        if targets and dice.random() < 0.5:
            departures[c.index, source] = 1
            arrivals[c.index, dice.choice(targets)] = 1
    left = {node for _, node in departures}
    for c in problem.placeable:
        arrivals[c.index, dice.choice([n for n in c.reach if n in left] or c.reach)] = 1
    return order(problem, Placement(departures=departures, arrivals=arrivals)).route


def without(route: Route, index: int) -> Route:
    return replace(route, shifts=route.shifts[:index] + route.shifts[index + 1 :])


def helped_at_length(problem: Problem, route: Route) -> dict[Shift, list[tuple[Bind, ...]]]:
    """The same, each time with the whole route played again."""
    found: dict[Shift, list[tuple[Bind, ...]]] = {}
    for index, shift in enumerate(route.shifts):
        left, fallen = list(replay(problem, without(route, index)).binds), []
        for bind in route.binds:
            if bind in left:
                left.remove(bind)
            else:
                fallen.append(bind)
        found.setdefault(shift, []).append(tuple(fallen))
    return found


def trimmed_at_length(problem: Problem, route: Route) -> Route:
    index = len(route.shifts) - 1
    while index >= 0:
        shorter = replay(problem, without(route, index))
        if len(shorter.binds) == len(route.binds):
            route = shorter
        index = min(index, len(route.shifts)) - 1
    return route


def problems(folder: Path) -> list[Problem]:
    wild = [a_wild_fleet(seed) for seed in range(40)]
    read = [RecordedFleet(fleet.write(folder / str(number))).snapshot() for number, fleet in enumerate(wild)]
    wilds = [diagnose(snapshot, Policy.model_validate(fleet.policy)) for snapshot, fleet in zip(read, wild, strict=True)]
    return wilds + [diagnose(a_tiny_fleet(seed), a_loose_policy(seed)) for seed in range(250)]


def test_what_a_move_is_good_for_is_a_matter_of_its_own_part(tmp_path: Path) -> None:
    parts = moves = fallen = 0
    for seed, problem in enumerate(problems(tmp_path)):
        route = a_random_route(problem, seed)

        assert helped(problem, route) == helped_at_length(problem, route), f"problem {seed}"
        assert trim(problem, route) == trimmed_at_length(problem, route), f"problem {seed}"
        parts += len(strands(problem, route))
        moves += len(route.shifts)
        fallen += sum(bool(binds) for falls in helped(problem, route).values() for binds in falls)
    assert moves > 100
    assert fallen > 20
    assert parts > 200
