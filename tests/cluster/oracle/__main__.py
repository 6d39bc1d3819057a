"""``python -m tests.cluster.oracle --seeds 1-40``: ask a real kube-scheduler about that many random fleets and print the counts.

Ends with 1 when there is a disagreement.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable

from tests.cluster.controlplane.binaries import find_binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.control_planes import control_planes
from tests.cluster.oracle.growing import grow
from tests.cluster.oracle.tally import Tally
from tests.cluster.oracle.trial import Trial
from tests.cluster.summaries import keep, tell


def ask(cluster: Cluster, seeds: Iterable[int], only: frozenset[str] | None = None, aloud: bool = False) -> Tally:
    """The counts over all these fleets, one after the other on the same cluster."""
    tally = Tally()
    for seed in seeds:
        known = len(tally.disagreements)
        Trial(cluster, grow(seed, only), tally).run()
        keep("oracle", tally.summary())
        if aloud:
            sys.stdout.writelines(f"{disagreement}\n" for disagreement in tally.disagreements[known:])
            sys.stdout.write(f"seed {seed}: {tally.verdicts} verdicts, {len(tally.disagreements)} disagreements so far\n")
            sys.stdout.flush()
    return tally


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.oracle", description=__doc__)
    parser.add_argument("--seeds", default="0-9", help="a range such as 0-39")
    parser.add_argument("--only", default="", help="fragments of pods to use, with commas; all of them if left out")
    told = parser.parse_args(arguments)
    first, _, last = told.seeds.partition("-")
    only = frozenset(told.only.split(",")) if told.only else None
    with control_planes(find_binaries()) as planes:
        (cluster,) = planes.start("oracle")
        tally = ask(cluster, range(int(first), int(last or first) + 1), only, aloud=True)
    tell("oracle", tally.summary())
    return 1 if tally.disagreements else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
