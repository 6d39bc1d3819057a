"""The verdicts of every pod on every node: time and memory of the whole matrix (`python -m benchmarks.verdicts --instances DIR`).

An instance is a snapshot directory, read before the clock starts. The clock runs over all filters, from nothing remembered; asked
one by one (``--pairs N``), the same filters answer a sample of N pairs, which must agree.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from random import Random
from typing import Any

from benchmarks.figures import Figures
from descheduler.diagnose import diagnose
from descheduler.federation.recorded import RecordedFleet
from descheduler.policy.policy import Policy
from descheduler.rules.filters import Verdicts
from descheduler.rules.node_sets import NodeSets


def measured(directory: Path, pairs: int) -> dict[str, Any]:
    """Seconds of the matrix, of a sample asked one by one, and of the whole diagnosis with its rows."""
    snapshot = RecordedFleet(directory).snapshot()
    nodes = [node for cluster in snapshot.clusters for node in cluster.nodes]
    pods = list(snapshot.pods())
    started = time.perf_counter()
    sets, verdicts = NodeSets(nodes), Verdicts()
    admitted = [verdicts.admitted(pod.spec, sets) for pod in pods]
    matrix = time.perf_counter() - started
    dice = Random(1)
    sample = [(dice.randrange(len(pods)), dice.randrange(len(nodes))) for _ in range(pairs)]
    started = time.perf_counter()
    told = [verdicts.admits(pods[p].spec, nodes[n]) for p, n in sample]
    singly = time.perf_counter() - started
    assert told == [bool(admitted[p] >> n & 1) for p, n in sample], "sets and single verdicts disagree"
    started = time.perf_counter()
    problem = diagnose(snapshot, Policy())
    whole = time.perf_counter() - started
    return {
        "pods": len(pods),
        "specs": len({pod.spec for pod in pods}),
        "nodes": len(nodes),
        "pairs": len(pods) * len(nodes),
        "fitting": sum(members.bit_count() for members in admitted),
        "matrix seconds": round(matrix, 2),
        "one pair microseconds": round(singly / max(1, pairs) * 1e6, 1),
        "diagnose seconds": round(whole, 2),
        "rows": len(problem.rows),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=Path, required=True, help="a folder of snapshot directories")
    parser.add_argument("--only", default="*", help="a pattern of instance names")
    parser.add_argument("--pairs", type=int, default=20_000, help="pairs to ask one by one beside")
    parser.add_argument("--json", type=Path, help="write the figures here")
    told = parser.parse_args()
    kept = Figures(("instance",), told.json)
    for directory in sorted(p for p in told.instances.glob(told.only) if p.is_dir()):
        kept.measure({"instance": directory.name}, measured, directory, told.pairs)


if __name__ == "__main__":
    main()
