"""Random fleets: time, placed per priority, bounds, memory; peers beside (`python -m benchmarks.fleets --instances DIR`).

An instance is a snapshot directory with ``NAME.truth.json`` beside it, whose budgets become the policy's limits.
The clock runs from the parsed snapshot in memory to the published plan, imports excluded.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

from benchmarks.figures import Figures, markdown
from benchmarks.fleets.ours import How, measured
from benchmarks.fleets.peers.table import PEERS, asked
from benchmarks.fleets.policies import equal_split, policy_of
from descheduler.diagnose import diagnose
from descheduler.domain.snapshot import Snapshot
from descheduler.federation.recorded import RecordedFleet
from descheduler.policy.policy import Policy
from descheduler.solver import compiled
from descheduler.solver.kernels import rounds

KEYS = ("instance", "policy", "moves allowed", "who", "effort", "workers", "limit")
COLUMNS = ("instance", "moves allowed", "who", "seconds", "placed", "bound", "total", "total gap", "moves", "waves", "cycle breaks")
TIMES = ("first plan", "last improvement", "bounds known", "gap at", "peak MB", "beyond reading MB", "reproducible", "note", "load")


@dataclass(frozen=True, slots=True)
class Case:
    """An instance under one policy."""

    directory: Path
    default_policy: bool
    moves: int | None

    @property
    def key(self) -> dict[str, Any]:
        return {
            "instance": self.directory.name,
            "policy": "default" if self.default_policy else "truth",
            "moves allowed": "truth" if self.moves is None and not self.default_policy else self.moves,
        }

    def policy(self) -> Policy:
        beside = self.directory.with_name(f"{self.directory.name}.truth.json")
        return policy_of(None if self.default_policy else json.loads(beside.read_text()), self.moves)


def cases(told: argparse.Namespace) -> Iterator[tuple[Snapshot, list[Case]]]:
    """Each instance, read once, and what is to be measured on it."""
    for directory in sorted(p for p in told.instances.glob(told.only) if p.is_dir()):
        yield RecordedFleet(directory).snapshot(), [Case(directory, told.default_policy, moves) for moves in told.moves]


def ours(figures: Figures, told: argparse.Namespace) -> None:
    """The tool's plans, and those of an equal split of the same moves."""
    how = How(effort=told.effort, workers=told.workers, limit=timedelta(seconds=told.time_limit), executor=told.executor)
    setting = {"effort": told.effort, "workers": told.executor or told.workers, "limit": told.time_limit}
    for snapshot, some in cases(told):
        for case in some:
            figures.measure({**case.key, "who": "ours", **setting}, measured, snapshot, case.policy(), how)
            if told.equal_split and case.moves is not None and len(snapshot.clusters) > 1:
                policy = equal_split(case.policy(), snapshot, case.moves)
                figures.measure({**case.key, "who": "equal split", **setting}, measured, snapshot, policy, how)


def peers(figures: Figures, told: argparse.Namespace) -> None:
    """What others make of the same problems; their clock starts after diagnosis."""
    for snapshot, some in cases(told):
        for case in some:
            problem = diagnose(snapshot, case.policy())
            for name in told.peers:
                figures.measure({**case.key, "who": name, "limit": told.peer_seconds}, asked, name, problem, told.peer_seconds)


def warm() -> None:
    """Load what the first plan of a process would."""
    for module in ("descheduler.portfolio.fleet", "descheduler.solver.exact"):
        import_module(module)
    compiled.prepare((rounds.resume, rounds.greedy, rounds.search))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fleets", description=__doc__)
    parser.add_argument("--instances", type=Path, required=True, help="snapshot directories with NAME.truth.json beside them")
    parser.add_argument("--only", default="*", help="a pattern of instance names")
    parser.add_argument("--default-policy", action="store_true", help="measure the shipped default instead of the truth file's limits")
    parser.add_argument("--moves", type=_moves, nargs="+", default=[None], help="moves of the whole run; `truth`: as the truth file says")
    parser.add_argument("--equal-split", action="store_true", help="the same --moves split evenly over the clusters, beside")
    parser.add_argument("--peers", nargs="*", choices=PEERS, help="measure these beside; all, if none is named")
    parser.add_argument("--peer-seconds", type=float, default=120.0, help="time of each peer, building its model included")
    parser.add_argument("--only-peers", action="store_true", help="the peers alone")
    parser.add_argument("--effort", type=float, default=1.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--executor", help="dask://HOST:PORT instead of own processes")
    parser.add_argument("--time-limit", type=float, default=600.0, help="seconds; the emergency stop")
    parser.add_argument("--json", type=Path, help="write the figures here, each as soon as it is there")
    parser.add_argument("--resume", action="store_true", help="what --json holds already is not measured again")
    parser.add_argument("--markdown", action="store_true", help="print tables at the end")
    told = parser.parse_args()
    if told.peers is not None:
        told.peers = told.peers or list(PEERS)
    figures = Figures(KEYS, told.json, told.resume)
    warm()
    if not told.only_peers:
        ours(figures, told)
    if told.peers:
        peers(figures, told)
    if told.markdown:
        lines = sorted(figures.lines, key=lambda line: (line["instance"], str(line["moves allowed"])))
        print(markdown(lines, COLUMNS), markdown(lines, (*COLUMNS[:3], *TIMES)), sep="\n\n")


def _moves(told: str) -> int | None:
    return None if told == "truth" else int(told)


if __name__ == "__main__":
    main()
