from __future__ import annotations

from collections import Counter
from dataclasses import replace
from itertools import product
from random import Random

import pytest

from benchmarks.priority_matters.instance import Counts, Instance, ReplicaSet
from benchmarks.priority_matters.search import ORDERS, Incumbent, packed, renamed, search, worth
from benchmarks.stopwatch import Stopwatch


def an_instance(*sets: tuple[int, int, int], nodes: int = 2, cpu: int = 4, start: Counts | None = None) -> Instance:
    """Sets are (priority, cpu, replicas); memory is never short."""
    replica_sets = tuple(ReplicaSet(priority, cpu, 1, replicas) for priority, cpu, replicas in sets)
    return Instance("1", nodes, cpu, 1000, replica_sets, start or Counter(), Counter())


def every_placement(instance: Instance) -> list[Counts]:
    places = [(c, n) for c in range(len(instance.sets)) for n in range(instance.nodes)]
    ranges = [range(instance.sets[c].replicas + 1) for c, _ in places]
    found = [Counter({place: k for place, k in zip(places, ks, strict=True) if k}) for ks in product(*ranges)]
    return [counts for counts in found if instance.wrong(counts) is None]


TIGHT = an_instance((2, 2, 2), (2, 3, 1), (1, 1, 2), start=Counter({(0, 0): 1, (0, 1): 1, (2, 0): 2}))
"""The big pod of the set that waits fits only if both pods of two cpus share a node."""


@pytest.mark.parametrize("order", ORDERS)
def test_the_search_finds_what_trying_every_placement_finds(order: str) -> None:
    found = search(TIGHT, order, Stopwatch(20.0, "cpu"), 1)

    best = max(worth(TIGHT, counts, order) for counts in every_placement(TIGHT))
    assert TIGHT.wrong(found.counts) is None
    assert found.values == best
    assert found.placement_proven


def a_random_instance(seed: int) -> Instance:
    """Two nodes, three sets, some of their pods running."""
    dice = Random(seed)
    sets = [(dice.randint(1, 2), dice.randint(1, 4), dice.randint(1, 2)) for _ in range(3)]
    instance = an_instance(*sets, cpu=dice.randint(4, 7))
    return replace(instance, start=dice.choice(every_placement(instance)), default=Counter())


@pytest.mark.parametrize("order", ORDERS)
def test_random_small_instances_are_solved_as_by_trying_every_placement(order: str) -> None:
    for instance in map(a_random_instance, range(25)):
        found = search(instance, order, Stopwatch(20.0, "cpu"), 1)

        assert instance.wrong(found.counts) is None
        assert found.values == max(worth(instance, counts, order) for counts in every_placement(instance)), instance
        assert found.placement_proven


def test_what_is_worse_is_not_taken() -> None:
    best = Incumbent(TIGHT, "place-first", Counter({(0, 0): 2, (1, 1): 1}))

    best.offer(Counter({(0, 0): 2}))
    assert TIGHT.score(best.counts) == (3, 0)
    best.offer(Counter({(0, 1): 2, (1, 0): 1, (2, 0): 1}), any_place=True)
    assert TIGHT.score(best.counts) == (3, 1)


def test_a_level_that_ran_out_of_time_is_not_called_proven() -> None:
    """No time at all: what was packed is kept, nothing is claimed."""
    crowded = an_instance((1, 3, 3), (1, 2, 5), nodes=3, cpu=5)

    found = search(crowded, "place-first", Stopwatch(0.0, "cpu"), 1)

    assert crowded.wrong(found.counts) is None
    assert not found.placement_proven


def test_the_orders_disagree_on_what_a_moved_pod_is_worth() -> None:
    """Another important pod costs a move; place-first looks at every score before any move."""
    stay, go = Counter({(0, 0): 1, (0, 1): 1, (2, 0): 2}), Counter({(0, 0): 2, (1, 1): 1, (2, 1): 1})

    assert worth(TIGHT, stay, "place-first") == (2, 2, 4)
    assert worth(TIGHT, go, "place-first") == (3, 1, 1)
    assert worth(TIGHT, go, "disruption-first") == (3, 1, 1, 0)


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        (Counter({(0, 0): 2, (2, 0): 1}), "node 0: cpu 5 of 4"),
        (Counter({(1, 0): 1, (1, 1): 1}), "2 > 1 pods of ReplicaSet 1"),
        (Counter({(0, 2): 1}), "on node 2"),
    ],
)
def test_an_unlawful_placement_is_told_why(counts: Counts, words: str) -> None:
    assert words in str(TIGHT.wrong(counts))


def test_nodes_are_renamed_so_that_most_pods_keep_their_place() -> None:
    """Node 0 of the placement holds what node 1 held at the start."""
    swapped = Counter({(0, 1): 1, (0, 0): 1, (2, 1): 2})

    assert TIGHT.moves(swapped) == 2
    assert TIGHT.moves(renamed(TIGHT, swapped)) == 0


def test_packing_the_smallest_first_runs_more_pods_where_room_is_short() -> None:
    short = an_instance((1, 4, 1), (1, 2, 2), nodes=1)

    assert short.score(packed(short, small_first=False)) == (1,)
    assert short.score(packed(short, small_first=True)) == (2,)


def test_a_level_below_counts_only_while_those_above_keep_theirs() -> None:
    """One important pod is worth more than four others."""
    short = an_instance((9, 4, 1), (0, 1, 4), nodes=1, start=Counter({(1, 0): 4}))

    found = search(short, "place-first", Stopwatch(20.0, "cpu"), 1)

    assert short.score(found.counts) == (1, 0)
    assert short.moves(found.counts) == 4


def test_neighbourhoods_of_a_large_instance_keep_to_the_rules() -> None:
    """Large enough that nodes are searched a few at a time; the time is short, so only lawfulness and no loss are asked."""
    sets = [(1 + i % 3, 3 + i % 5, 3) for i in range(25)]
    large = an_instance(*sets, nodes=16, cpu=22)

    found = search(large, "place-first", Stopwatch(0.8, "cpu"), 1)

    assert large.wrong(found.counts) is None
    assert large.score(found.counts) >= large.score(packed(large, small_first=False))
