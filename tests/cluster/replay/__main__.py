"""``python -m tests.cluster.replay --seeds 0-199``: carry out the plans of that many random fleets on a real kube-scheduler.

Ends with 1 when something is not as planned.
"""

from __future__ import annotations

import argparse
import sys

from tests.cluster.controlplane.binaries import find_binaries
from tests.cluster.controlplane.control_planes import control_planes
from tests.cluster.replay.alive import quiet_cluster
from tests.cluster.replay.replay import Count, Replay
from tests.cluster.summaries import keep, tell


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.replay", description=__doc__)
    parser.add_argument("--seeds", default="0-19", help="a range such as 0-199")
    parser.add_argument("--tell", action="store_true", help="print every plan")
    parsed = parser.parse_args(arguments)
    first, _, last = parsed.seeds.partition("-")
    count = Count()
    with control_planes(find_binaries()) as planes:
        cluster = quiet_cluster(planes, "replay")
        for seed in range(int(first), int(last or first) + 1):
            known = len(count.findings)
            Replay(cluster, seed, count).run()
            keep("replay", count.summary())
            if parsed.tell:
                sys.stdout.writelines(f"{line}\n" for line in count.told)
            sys.stdout.writelines(f"{finding}\n" for finding in count.findings[known:])
            sys.stdout.write(f"seed {seed}: {sum(count.moves.values())} moves, {len(count.findings)} findings so far\n")
            sys.stdout.flush()
    tell("replay", count.summary())
    return 1 if count.findings else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
