"""The same fleet, policy and seed give the same plan.json to the byte, for any number of workers and any ``PYTHONHASHSEED``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from descheduler.diagnose import diagnose
from descheduler.federation.recorded import RecordedFleet
from descheduler.output.json_plan import render_json
from descheduler.pipeline import Options, plan
from descheduler.policy.policy import Policy
from descheduler.portfolio.blocks import large
from tests.builders import NOW
from tests.dask_cluster import a_dask_cluster
from tests.properties.broad import a_broad_fleet
from tests.properties.wild import a_wild_fleet

STORY = Path(__file__).parents[2] / "examples" / "story"
SEEDS = (0, 45)
PATIENCE = 300
"""Seconds within which a process certainly ends."""
OPTIONS = Options(run_id="run-1", created_at=NOW, seed=7)


def rendered(folder: Path, policy: Policy, workers: int) -> str:
    return render_json(plan(RecordedFleet(folder).snapshot(), policy, replace(OPTIONS, workers=workers)).plan)


def test_any_number_of_workers_writes_the_same_plan(tmp_path: Path) -> None:
    wild = a_wild_fleet(SEEDS[0])
    fleets = [(STORY, Policy()), (wild.write(tmp_path), Policy.model_validate(wild.policy))]

    for folder, policy in fleets:
        alone = rendered(folder, policy, 1)

        assert '"reproducible": true' in alone
        assert rendered(folder, policy, 2) == alone
        assert rendered(folder, policy, 4) == alone


def by_command(folder: Path, policy: Path | None, hash_seed: str, output: Path, *more: str) -> str:
    """plan.json as the command line writes it in a process of its own, without what tells two runs apart."""
    command = [sys.executable, "-m", "descheduler", "plan", "--snapshot", str(folder), "--seed", "7", "-o", str(output), *more]
    command += ["--policy", str(policy)] if policy else []
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=PATIENCE)
    return alike(output.read_text(encoding="utf-8"))


def alike(plan_json: str) -> str:
    """plan.json without what tells two equal runs apart."""
    told = json.loads(plan_json)
    for own in ("runID", "createdAt"):
        del told["metadata"][own]
    return json.dumps(told)  # keys stay in the order of the file


@pytest.mark.parametrize("seed", [None, *SEEDS])
def test_the_order_of_hashes_does_not_matter(seed: int | None, tmp_path: Path) -> None:
    folder, policy = STORY, None
    if seed is not None:
        wild = a_wild_fleet(seed)
        folder, policy = wild.write(tmp_path / "fleet"), tmp_path / "policy.yaml"
        policy.write_text(json.dumps(wild.policy), encoding="utf-8")

    first, second = (by_command(folder, policy, hash_seed, tmp_path / f"plan-{hash_seed}.json") for hash_seed in ("1", "2"))

    assert first == second


def test_equal_runs_differ_in_nothing(tmp_path: Path) -> None:
    for seed in range(20):
        wild = a_wild_fleet(seed)
        folder, policy = wild.write(tmp_path / str(seed)), Policy.model_validate(wild.policy)

        assert rendered(folder, policy, 1) == rendered(folder, policy, 1), f"seed {seed}"


BROAD = {"big": (200, 40), **{f"c{i}": (50, 10) for i in range(6)}}
"""Some 8,000 pods on 500 nodes in seven clusters, one of them cut into blocks."""
LIMITS = {
    "moves are scarce": {},
    "moves are plenty": {"perRun": None, "perCluster": None, "perNamespace": None, "perWorkload": None, "movesPerPlacedPod": None},
}


@pytest.fixture(scope="module")
def broad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return a_broad_fleet(tmp_path_factory.mktemp("broad"), 1, BROAD)


@pytest.mark.parametrize("limits", LIMITS)
def test_a_broad_fleet_has_one_plan_whoever_searches_and_however_hashes_fall(limits: str, broad: Path, tmp_path: Path) -> None:
    """One process here; two and four with other hash seeds in processes of their own; two workers of a dask cluster."""
    document = {"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "DeschedulePolicy", "spec": {"limits": LIMITS[limits]}}
    policy, file = Policy.model_validate(document), tmp_path / "policy.yaml"
    file.write_text(json.dumps(document), encoding="utf-8")
    snapshot = RecordedFleet(broad).snapshot()
    assert large(diagnose(snapshot, policy))

    def planned(**how: Any) -> str:
        return alike(render_json(plan(snapshot, policy, replace(OPTIONS, effort=0.05, **how)).plan))

    alone = planned(workers=1)

    assert '"reproducible": true' in alone
    assert len(json.loads(alone)["moves"]) > 10
    assert by_command(broad, file, "1", tmp_path / "two.json", "--effort", "0.05", "--workers", "2") == alone
    if not LIMITS[limits]:
        assert by_command(broad, file, "2", tmp_path / "four.json", "--effort", "0.05", "--workers", "4") == alone
        with a_dask_cluster(2) as address:
            assert planned(executor=address) == alone
