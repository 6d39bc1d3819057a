"""The same fleet, policy and seed give the same plan.json to the byte, for any number of workers and any ``PYTHONHASHSEED``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from descheduler.federation.recorded import RecordedFleet
from descheduler.output.json_plan import render_json
from descheduler.pipeline import Options, plan
from descheduler.policy.policy import Policy
from tests.builders import NOW
from tests.properties.wild import a_wild_fleet

STORY = Path(__file__).parents[2] / "examples" / "story"
SEEDS = (0, 45)
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


def by_command(folder: Path, policy: Path | None, hash_seed: str, output: Path) -> str:
    """plan.json as the command line writes it in a process of its own, without what tells two runs apart."""
    command = [sys.executable, "-m", "descheduler", "plan", "--snapshot", str(folder), "--seed", "7", "-o", str(output)]
    command += ["--policy", str(policy)] if policy else []
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    subprocess.run(command, env=environment, check=True, capture_output=True, timeout=120)
    told = json.loads(output.read_text(encoding="utf-8"))
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
