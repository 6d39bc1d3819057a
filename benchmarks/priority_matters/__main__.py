"""Better than kube-scheduler, and how often (`python -m benchmarks.priority_matters --instances DIR`).

For every cell, limit and order: instances in which more pods run than by `default`, compared from the most important priority down, and
failures: not returned in time, or neither better nor proven equal. Both as a share of all instances that were run, beside the published
shares. The clock runs from the parsed instance to the checked placement, model building included. One process, one working thread.
"""

from __future__ import annotations

import argparse
import csv
import gc
import json
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from benchmarks.figures import Figures
from benchmarks.priority_matters.instance import Instance, read
from benchmarks.priority_matters.peers import PEERS
from benchmarks.priority_matters.search import ORDERS, search
from benchmarks.stopwatch import KINDS, Stopwatch

KEYS = ("cell", "order", "seconds", "clock", "sample", "seed", "peers")
COUNTED = ("better", "failed", "late", "worse", "all run by default", "proven")
Published = dict[tuple[str, int], tuple[float, float]]
"""(cell, seconds) to the published shares of strictly better and of failures."""


def published(path: Path) -> Published:
    with path.open() as lines:
        return {
            (
                f"nodes{row['nodes']}_pods{row['pods']}_prio{row['priorities']}_util{float(row['util']):03.0f}",
                int(row["timeout_s"]),
            ): (float(row["solver_improve_rate"]), float(row["solver_failed_rate"]))
            for row in csv.DictReader(lines)
        }


def one(instance: Instance, order: str, seconds: float, clock: str, seed: int) -> dict[str, Any]:
    """One search and what became of it. A twentieth of the time is kept for what cannot be interrupted."""
    gc.collect()
    watch = Stopwatch(seconds, clock)
    watch.limit = seconds * 0.95
    found = search(instance, order, watch, seed)
    mistake = instance.wrong(found.counts)
    spent, wall, cpu = watch.spent, watch.wall, watch.cpu
    if mistake:
        raise AssertionError(f"seed {instance.seed}: {mistake}")
    score, default = instance.score(found.counts), instance.score(instance.default)
    settled = default == instance.pods or found.placement_proven
    late = spent > seconds
    return {
        "seed": instance.seed,
        "better": score > default and not late,
        "late": late,
        "worse": score < default,
        "failed": late or not (score > default or (score == default and settled)),
        "all run by default": default == instance.pods,
        "proven": found.placement_proven,
        "moves": instance.moves(found.counts),
        "wall": wall,
        "cpu": cpu,
    }


def cell(instances: list[Instance], order: str, seconds: float, clock: str, seed: int) -> dict[str, Any]:
    """A cell's figures: counts, and means of moves and seconds."""
    runs = [one(instance, order, seconds, clock, seed) for instance in instances]
    totals = {key: sum(run[key] for run in runs) for key in COUNTED}
    means = {key: round(sum(run[key] for run in runs) / len(runs), 2) for key in ("moves", "wall", "cpu")}
    return {"instances": len(runs), **totals, **means, "failed seeds": [run["seed"] for run in runs if run["failed"]]}


def peers(instances: list[Instance], seconds: float, clock: str) -> dict[str, int]:
    """How often each peer is strictly better."""
    better = Counter[str]()
    for instance in instances:
        for name, peer in PEERS.items():
            watch = Stopwatch(seconds, clock)
            watch.limit = seconds * 0.95
            counts = peer(instance, watch)
            in_time = watch.spent <= seconds and instance.wrong(counts) is None
            better[name] += in_time and instance.score(counts) > instance.score(instance.default)
    return {name: better[name] for name in PEERS}


def summary(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """All cells of one order and limit together, in per cent of all instances that were run."""
    groups: dict[tuple[str, float], list[dict[str, Any]]] = defaultdict(list)
    for line in lines:
        groups[line["order"], line["seconds"]].append(line)
    found = []
    for (order, seconds), members in groups.items():
        n = sum(line["instances"] for line in members)
        share = {key: round(100 * sum(line[key] for line in members) / n, 1) for key in COUNTED}
        known = [line for line in members if line["published better"] is not None]
        theirs = [(line["published better"], line["published failed"], line["instances"]) for line in known]
        weights = sum(k for *_, k in theirs)
        if weights:
            share["published better"] = round(100 * sum(b * k for b, _, k in theirs) / weights, 1)
            share["published failed"] = round(100 * sum(f * k for _, f, k in theirs) / weights, 1)
        for name in PEERS:
            if all(name in line for line in members):
                share[name] = round(100 * sum(line[name] for line in members) / n, 1)
        means = {key: round(sum(line[key] * line["instances"] for line in members) / n, 2) for key in ("moves", "wall", "cpu")}
        found.append({"order": order, "seconds": seconds, "cells": len(members), "instances": n, **share, **means})
    return found


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.priority_matters", description=__doc__)
    parser.add_argument("--instances", type=Path, required=True, help="a folder of CELL.jsonl.gz, published.csv beside")
    parser.add_argument("--cells", default="*", help="a pattern of cell names")
    parser.add_argument("--sample", type=int, help="only the first so many instances of each cell")
    parser.add_argument("--seconds", type=float, nargs="+", default=[1.0, 10.0, 20.0])
    parser.add_argument("--order", choices=ORDERS, nargs="+", default=list(ORDERS))
    parser.add_argument("--clock", choices=KINDS, default="wall", help="cpu: where the cores are shared with other work")
    parser.add_argument("--peers", action="store_true", help="measure naive CP-SAT and first-fit-decreasing beside, place-first")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", type=Path, help="write the figures here, each as soon as it is there")
    parser.add_argument("--resume", action="store_true", help="what --json holds already is not measured again")
    told = parser.parse_args()
    folder = told.instances / "instances" if (told.instances / "instances").is_dir() else told.instances
    table = next((p for p in (folder / "published.csv", folder.parent / "published.csv") if p.is_file()), None)
    theirs = published(table) if table else {}
    files = sorted(folder.glob(f"{told.cells}.jsonl.gz"))
    if not files:
        sys.exit(f"{folder}: no {told.cells}.jsonl.gz")
    one(next(read(files[0])), "place-first", 1.0, told.clock, told.seed)  # warms the interpreter
    kept = Figures(KEYS, told.json, told.resume)
    for path in files:
        instances, name = list(read(path))[: told.sample], path.name.removesuffix(".jsonl.gz")
        for seconds in told.seconds:
            for order in told.order:
                key = {"cell": name, "order": order, "seconds": seconds, "clock": told.clock, "sample": told.sample, "seed": told.seed}
                besides = told.peers and order == "place-first"
                kept.measure({**key, "peers": besides}, beside, instances, key, theirs.get((name, round(seconds)), (None, None)), besides)
    total = summary(kept.lines)
    for line in total:
        print(json.dumps(line))
    kept.end(summary=total)


def beside(instances: list[Instance], key: dict[str, Any], theirs: tuple[float | None, float | None], besides: bool) -> dict[str, Any]:
    """A cell's figures, the published ones and, if asked for, those of the peers."""
    line = cell(instances, key["order"], key["seconds"], key["clock"], key["seed"])
    line["published better"], line["published failed"] = theirs
    return line | (peers(instances, key["seconds"], key["clock"]) if besides else {})


if __name__ == "__main__":
    main()
