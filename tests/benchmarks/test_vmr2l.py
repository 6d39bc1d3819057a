from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from benchmarks.stopwatch import Stopwatch
from benchmarks.vmr2l import DataCentre, fragment_rate, greedy, judged, read, search, slots
from descheduler.domain.placement import Placement

SMALL = DataCentre(
    "small",
    ((8, 100), (8, 100), (12, 100)),
    {(8, 8): Counter({0: 2, 2: 1}), (4, 4): Counter({1: 1})},
    0,
)
"""Free 8, 8 and 12 of 16: one move of eight makes a slot; a move of four to node 2 wins nothing, for 12 is 4 short."""


def test_one_move_makes_one_slot_and_it_is_proven() -> None:
    moved, bound = search(SMALL, 1, Stopwatch(20.0, "cpu"), 0)

    free = judged(SMALL, moved, 1)
    assert (slots(free), bound, moved.moves) == (1, 1, 1)
    assert fragment_rate(free) == (28 - 16) / 28


def test_no_more_vms_move_than_may() -> None:
    moved, bound = search(SMALL, 0, Stopwatch(20.0, "cpu"), 0)

    assert (moved.moves, bound) == (0, 0)


def test_slots_that_need_no_move_are_not_paid_for() -> None:
    moved, _ = search(SMALL, 3, Stopwatch(20.0, "cpu"), 0)

    assert slots(judged(SMALL, moved, 3)) == 1
    assert moved.moves == 1


def test_memory_is_capacity_too() -> None:
    """Node 0 could be given its slot if node 1 had the memory; nobody has."""
    tight = DataCentre("tight", ((8, 0), (12, 7)), {(8, 8): Counter({0: 1})}, 0)

    moved, bound = search(tight, 5, Stopwatch(20.0, "cpu"), 0)

    assert (moved.moves, bound) == (0, 0)
    assert slots(greedy(tight, 5)) == 0


def test_the_greedy_peer_opens_the_slot_as_well() -> None:
    assert slots(greedy(SMALL, 1)) == 1
    assert slots(greedy(SMALL, 0)) == 0


@pytest.mark.parametrize(
    ("placement", "words"),
    [
        (Placement(departures={(0, 1): 1}, arrivals={(0, 2): 2}), "appear"),
        (Placement(departures={(0, 0): 1}, arrivals={(0, 2): 1}), "leave node 0"),
        (Placement(departures={(1, 0): 2}, arrivals={(1, 1): 2}), "overfull"),
        (Placement(departures={(1, 0): 1, (0, 1): 1}, arrivals={(1, 1): 1, (0, 0): 1}), "2 > 1 moves"),
    ],
)
def test_an_unlawful_placement_is_refused(placement: Placement, words: str) -> None:
    with pytest.raises(AssertionError, match=words):
        judged(SMALL, placement, 1)


def test_a_vm_on_two_halves_is_read_as_fixed(tmp_path: Path) -> None:
    halves = [{"node": n, "total_cpu": 44, "free_cpu": 4.0, "memory_huge_free_mb": 9.0} for n in (0, 1)]
    wide = {"host_id": "a", "numa": [{"node": 0, "cpu": 16, "mem_mb": 1.0}, {"node": 1, "cpu": 16, "mem_mb": 1.0}]}
    narrow = {"host_id": "a", "numa": [{"node": 1, "cpu": 2, "mem_mb": 4096.0}]}
    file = tmp_path / "one.json"
    file.write_text(json.dumps({"cluster_list": [{"host_info": [{"node_id": "a", "numa": halves}], "vm_instance": [wide, narrow]}]}))

    data = read(file)

    assert data.free == ((4, 9), (4, 9))
    assert data.there == {(2, 4096): Counter({1: 1})}
    assert data.fixed == 1
