from __future__ import annotations

import pytest

from benchmarks.fleets.peers import cp_sat
from benchmarks.fleets.peers.cp_sat import Aggregated, Counted, Naive, Restricted, solved, weights
from benchmarks.fleets.peers.first_fit import packed
from benchmarks.fleets.peers.judged import placed, unspoken, wrong
from benchmarks.fleets.peers.table import PEERS, asked
from descheduler.diagnose import diagnose
from descheduler.domain.placement import Placement
from descheduler.domain.problem import Problem
from descheduler.domain.rows import Spread
from tests.builders import HOSTNAME, Thing, a_node, a_pod, apart_from, near, spread_over
from tests.problems import a_problem, node, placement, pod_class
from tests.properties.brute import best
from tests.properties.tiny import a_loose_policy, a_tiny_fleet

FREE = {"perRun": None, "perCluster": None, "perNamespace": None, "perNode": None, "perWorkload": None, "movesPerPlacedPod": None}
FORMULATIONS = (Aggregated, Restricted, Naive)


def a_crowded_problem(*more: Thing, **limits: int) -> Problem:
    """Four cpus are free on two nodes of four, two on each; a pod that wants four waits, more important than one that wants one."""
    return a_problem(
        a_node("n1", cpu=4, zone="a"),
        a_node("n2", cpu=4, zone="b"),
        a_pod("r1", on="n1", of="r1", cpu=1),
        a_pod("r2", on="n1", of="r2", cpu=1),
        a_pod("r3", on="n2", of="r3", cpu=2),
        a_pod("w1", of="w1", cpu=4, priority=10),
        a_pod("w2", of="w2", cpu=1),
        *more,
        limits={**FREE, **limits},
    )


def test_first_fit_takes_the_room_there_is_the_most_important_first() -> None:
    problem = a_crowded_problem()

    found = packed(problem, 60.0, evict=False)

    assert placed(problem, found) == [0, 1]
    assert found.arrivals == {(pod_class(problem, "w2").index, node(problem, "n1")): 1}
    assert not found.departures


def test_with_evictions_first_fit_makes_room() -> None:
    problem = a_crowded_problem()

    found = packed(problem, 60.0, evict=True)

    assert placed(problem, found) == [1, 0]
    assert wrong(problem, found) is None


@pytest.mark.parametrize("limits", [{"perRun": 0}, {"perNamespace": 0}, {"perCluster": 0}])
def test_first_fit_keeps_to_the_limits(limits: dict[str, int]) -> None:
    problem = a_crowded_problem(**limits)

    assert placed(problem, packed(problem, 60.0, evict=True)) == [0, 1]


def test_an_eviction_that_does_not_help_is_undone() -> None:
    """For the important pod two would have to leave, and one of them cannot; the other is free to leave for the less important one."""
    here = {HOSTNAME: "n1"}
    problem = a_problem(
        a_node("n1", cpu=4),
        a_node("n2", cpu=2),
        a_pod("r1", on="n1", of="r1", cpu=2),
        a_pod("r2", on="n1", of="r2", cpu=2, node_selector=here),
        a_pod("w1", of="w1", cpu=4, priority=10),
        a_pod("w2", of="w2", cpu=2, node_selector=here),
        limits=FREE,
    )

    found = packed(problem, 60.0, evict=True)

    assert (placed(problem, found), found.moves, wrong(problem, found)) == ([0, 1], 1, None)


@pytest.mark.parametrize("name", PEERS)
def test_no_peer_leaves_pods_more_uneven_than_they_may_be(name: str) -> None:
    """Room for the waiting pod would take both pods of one set to one zone."""
    problem = a_problem(
        a_node("n1", cpu=4, zone="a"),
        a_node("n2", cpu=4, zone="b"),
        *(a_pod(f"y{i}", on=f"n{i}", of="y", cpu=1, spread=[spread_over(app="y")]) for i in (1, 2)),
        a_pod("w1", of="w1", cpu=4),
        limits=FREE,
    )

    assert asked(name, problem, 60.0)["placed"] == [0]


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_whole_instance_cp_sat_places_the_important_pod_within_the_limits(formulation: type[Counted]) -> None:
    free, bound = a_crowded_problem(), a_crowded_problem(perRun=0)

    told = solved(formulation, free, 60.0).placement
    held = solved(formulation, bound, 60.0).placement

    assert told is not None
    assert held is not None
    assert (placed(free, told), wrong(free, told)) == ([1, 0], None)
    assert (placed(bound, held), wrong(bound, held)) == ([0, 1], None)


@pytest.mark.parametrize("formulation", FORMULATIONS)
def test_whole_instance_cp_sat_finds_what_trying_every_end_state_finds(formulation: type[Counted]) -> None:
    """Spread is told to the peers somewhat more loosely than to us."""
    known = 0
    for seed in range(150):
        problem = diagnose(a_tiny_fleet(seed), a_loose_policy(seed))
        if unspoken(problem) or not problem.placeable:
            continue
        known += 1

        found = solved(formulation, problem, 60.0)

        assert found.placement is not None, f"seed {seed}"
        assert wrong(problem, found.placement) is None, f"seed {seed}"
        spread = any(isinstance(row, Spread) for row in problem.rows)
        counts, wanted = tuple(placed(problem, found.placement)), best(problem)[0]
        assert counts >= wanted if spread else counts == wanted, f"seed {seed}"
    assert known > 30


def test_first_fit_is_lawful_and_never_better_than_trying_every_end_state() -> None:
    rooms = 0
    for seed in range(300):
        problem = diagnose(a_tiny_fleet(seed), a_loose_policy(seed))
        if not unspoken(problem):
            found = packed(problem, 60.0, evict=True)

            assert wrong(problem, found) is None, f"seed {seed}"
            assert tuple(placed(problem, found)) <= best(problem)[0], f"seed {seed}"
            rooms += found.moves > 0
    assert rooms


def test_a_pod_is_worth_more_than_all_less_important_ones() -> None:
    some = [a_pod(f"w{i}", of=f"w{i}", priority=i % 3) for i in range(9)]

    assert weights(a_problem(a_node("n1"), *some)) == {0: 1, 1: 4, 2: 16}


def test_a_model_beyond_all_measure_is_not_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cp_sat, "MOST", 5)

    told = asked("naive-cp-sat", a_crowded_problem(), 60.0)

    assert (told["placed"], told["note"]) == (None, "not built: 0.0 million variables")


def test_peers_are_not_asked_about_rules_they_do_not_know() -> None:
    problem = a_crowded_problem(a_pod("w3", of="w3", affinity=[near(app="r1")]))

    assert {asked(name, problem, 1.0)["note"] for name in PEERS} == {"not asked: knows no Needs"}


def test_first_fit_sees_who_shuns_whom_and_how_pods_spread() -> None:
    alone, even = [apart_from(app="x")], [spread_over(app="y")]
    problem = a_problem(
        a_node("n1", cpu=9, zone="a"),
        a_node("n2", cpu=9, zone="b"),
        a_pod("x1", on="n1", of="x", anti_affinity=alone),
        a_pod("x2", of="new-x", labels={"app": "x"}, cpu=1, anti_affinity=alone),
        a_pod("x3", of="new-x", labels={"app": "x"}, cpu=1, anti_affinity=alone),
        *(a_pod(f"y{i}", of="y", cpu=1, spread=even) for i in range(2)),
        limits=FREE,
    )

    found = packed(problem, 60.0, evict=False)

    assert wrong(problem, found) is None
    assert found.arrivals == {
        (pod_class(problem, "x2").index, 1): 1,
        (pod_class(problem, "y0").index, 0): 1,
        (pod_class(problem, "y0").index, 1): 1,
    }


def test_an_unlawful_end_state_is_refused() -> None:
    alone, even = [apart_from(app="x")], [spread_over(app="y")]
    problem = a_problem(
        a_node("n1", cpu=4, zone="a"),
        a_node("n2", cpu=4, zone="b"),
        a_node("n3", cpu=4, zone="b", unschedulable=True),
        a_pod("r1", on="n1", of="r1", cpu=2),
        a_pod("r2", on="n2", of="r2", cpu=3),
        a_pod("x1", on="n1", of="x", anti_affinity=alone),
        a_pod("x2", of="new-x", labels={"app": "x"}, cpu=1, anti_affinity=alone),
        *(a_pod(f"y{i}", of="y", spread=even) for i in range(2)),
        limits={**FREE, "perRun": 1, "movesPerPlacedPod": 1},
    )
    c = pod_class(problem, "r1").index

    assert wrong(problem, placement(problem, r1="n2")) == "east/n2: cpu 5 > 4"
    assert wrong(problem, placement(problem, x2="n1")) == "InterPodAffinity: 2 > 1 on east/n1"
    assert wrong(problem, placement(problem, y0="n1", y1="n1")) == "PodTopologySpread: skew 2 > 1"
    assert wrong(problem, placement(problem, y0="n3")) == f"1 pods of class {pod_class(problem, 'y0').index} come to node 2"
    assert wrong(problem, placement(problem, x1="n2", r1="n2", r2="n1", y0="n1", y1="n2")) == "perRun fleet: 3 > 1 moves"
    assert wrong(problem, placement(problem, x1="n2")) == "1 moves for 0 pods"
    assert wrong(problem, Placement(arrivals={(c, 1): 1})) == f"1 pods of class {c} appear"
    assert wrong(problem, Placement(departures={(c, 0): 2}, arrivals={(c, 1): 2})) == f"2 pods of class {c} leave node 0"
    assert wrong(problem, placement(problem, x1="n2", y0="n1", y1="n2")) is None
