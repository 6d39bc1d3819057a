from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from benchmarks.figures import Figures, markdown
from benchmarks.fleets.memory import Watch, descendants, pss
from benchmarks.fleets.ours import How, Trace, fingerprint, gap, measured, total
from benchmarks.fleets.policies import equal_split, policy_of
from descheduler.diagnose import diagnose
from descheduler.policy.policy import Policy
from descheduler.portfolio import Progress
from tests.builders import NOW, a_cluster, a_node, a_pod, a_snapshot
from tests.plan_builders import a_placement, a_plan

TRUTH: dict[str, Any] = {"budgets": {"run": 400, "cluster": 60, "namespace": {"default": 50}}}


def test_the_gap_is_a_share_of_the_bound() -> None:
    assert gap(54, 57) == 5.3
    assert gap(0, 0) == 0.0
    assert gap(3, None) is None
    assert (total([3, 21]), total([3, None])) == (24, None)


def test_a_trace_knows_when_there_was_what() -> None:
    trace = Trace(started=-1e9)
    for placed, moves, bound in ((0, 0, None), (5, 2, None), (5, 2, None), (7, 3, 10)):
        trace.hear(Progress(placed=placed, pending=12, moves=moves, bound=bound))
    trace.plans = [(0.4, *trace.plans[0][1:]), (6.2, *trace.plans[1][1:])]
    trace.bounded = 8.0

    told = trace.figures(9.0, 10)

    assert (told["first plan"], told["last improvement"], told["bounds known"]) == (0.4, 6.2, 8.0)
    assert told["gap at"] == {"1 s": 50.0, "5 s": 50.0}
    assert told["trace"] == [[0.4, 5, 2], [6.2, 7, 3]]
    assert (trace.placed_at(0.3), trace.placed_at(6.3)) == (0, 7)


def test_the_fingerprint_of_a_plan_is_of_everything_but_the_run() -> None:
    plan = a_plan(a_placement(a_pod("w1", of="w1"), "n1"))
    again = replace(plan, metadata=replace(plan.metadata, run_id="run-2", created_at=NOW.replace(year=2031)))

    assert fingerprint(plan) == fingerprint(again)
    assert fingerprint(plan) != fingerprint(replace(plan, metadata=replace(plan.metadata, seed=1)))
    assert fingerprint(plan) != fingerprint(a_plan(a_placement(a_pod("w1", of="w1"), "n2")))


def test_a_plan_is_measured_with_everything_it_took() -> None:
    snapshot = a_snapshot(
        a_node("n1", cpu=4),
        a_node("n2", cpu=4),
        a_pod("r1", on="n1", of="r1", cpu=2),
        a_pod("r2", on="n2", of="r2", cpu=2),
        a_pod("w1", of="w1", cpu=4),
    )

    told = measured(snapshot, policy_of(TRUTH), How(workers=1))

    assert (told["placed"], told["bound"], told["gap"], told["total gap"]) == ([1], [1], [0.0], 0.0)
    assert (told["moves"], told["waves"], told["cycle breaks"], told["reproducible"]) == (1, 2, 0, True)
    assert 0 < told["first plan"] <= told["last improvement"] <= told["seconds"]
    assert told["trace"][-1][1:] == [1, 1]
    assert told["peak MB"] > told["beyond reading MB"] >= 0


def test_an_equal_split_gives_every_cluster_its_share_and_the_first_the_rest() -> None:
    clusters = [
        a_cluster(name, a_node("n1"), *(a_pod(f"r{i}", on="n1", of=f"r{i}", namespace=f"team-{name}") for i in range(9))) for name in "abc"
    ]
    snapshot = a_snapshot(*clusters)

    limits = diagnose(snapshot, equal_split(policy_of(TRUTH, 7), snapshot, 7)).terms.limits

    most = {c: min(k.count for k in limits if k.name == "perCluster" and k.subject.startswith(c)) for c in "abc"}
    assert most == {"a": 3, "b": 2, "c": 2}
    assert [k.count for k in limits if k.name == "perRun"] == [7]
    assert not [k for k in limits if k.name == "perWorkload"]


def test_an_uneven_split_of_clusters_that_share_a_namespace_cannot_be_told() -> None:
    clusters = [a_cluster(name, a_node("n1"), a_pod("r1", on="n1", of="r1")) for name in "ab"]
    snapshot = a_snapshot(*clusters)

    with pytest.raises(ValueError, match="7 moves do not divide by 2 clusters that share namespace default"):
        equal_split(Policy(), snapshot, 7)
    assert (
        equal_split(Policy(), snapshot, 8).spec.limits.per_cluster
        == Policy.model_validate({"spec": {"limits": {"perCluster": 4}}}).spec.limits.per_cluster
    )


CHILD = "import sys; held = bytearray(60_000_000); held[::4096] = b'x' * len(held[::4096]); print('held', flush=True); sys.stdin.read()"


@pytest.mark.skipif(pss() is None, reason="the kernel tells no PSS")
def test_memory_of_children_counts() -> None:
    with Watch() as watch, subprocess.Popen([sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == b"held\n"
        alone, together = pss(child.pid), pss()
        assert child.pid in descendants(os.getpid())
        watch._look()
        child.communicate()

    assert alone is not None
    assert together is not None
    assert 60_000 < alone < together
    assert (watch.figures()["beyond reading MB"] or 0) > 50


def test_a_run_in_pieces_measures_nothing_twice_and_loses_nothing(tmp_path: Path) -> None:
    file, asked = tmp_path / "figures.json", []

    def measure(value: int) -> dict[str, Any]:
        asked.append(value)
        return {"value": value}

    first = Figures(("who", "seconds"), file)
    first.measure({"who": "a", "seconds": 1}, measure, 1)
    first.measure({"who": "b", "seconds": 1}, measure, 2)
    second = Figures(("who", "seconds"), file, resume=True)
    second.measure({"who": "b", "seconds": 1}, measure, 3)
    second.measure({"who": "b", "seconds": 5}, measure, 4)
    second.end(summary="all")
    third = Figures(("who", "seconds"), file, resume=True)
    third.measure({"who": "a", "seconds": 1}, measure, 5)

    assert asked == [1, 2, 4]
    assert [line["value"] for line in second.lines] == [2, 4]
    assert [line["value"] for line in third.lines] == [1]
    Figures(("who", "seconds"), file).measure({"who": "b", "seconds": 1}, measure, 6)
    assert asked == [1, 2, 4, 6]
    assert '"value": 1' not in file.read_text()


def test_figures_become_a_table() -> None:
    lines = [{"who": "ours", "placed": [3, 21], "bound": [3, None], "note": None}]

    assert markdown(lines, ("who", "placed", "bound", "note", "seconds")).splitlines()[2] == "| ours | 3 21 | 3 – | – | – |"
