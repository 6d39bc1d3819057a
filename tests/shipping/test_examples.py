"""The examples we ship are what their script writes, and hold what their story needs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
COMMITTED_SEED = "1"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_script_writes_the_committed_realistic_fleet_again_byte_by_byte(tmp_path: Path) -> None:
    subprocess.run([sys.executable, EXAMPLES / "generate.py", "--seed", COMMITTED_SEED, tmp_path], check=True, capture_output=True)

    assert contents(tmp_path) == contents(EXAMPLES / "realistic")


def test_another_seed_makes_another_fleet(tmp_path: Path) -> None:
    subprocess.run([sys.executable, EXAMPLES / "generate.py", "--seed", "2", tmp_path], check=True, capture_output=True)

    assert contents(tmp_path) != contents(EXAMPLES / "realistic")


def test_the_realistic_fleet_has_three_clusters_and_pods_that_wait() -> None:
    pods = [pod for path in EXAMPLES.glob("realistic/*/pods.json") for pod in json.loads(path.read_text())["items"]]

    waiting = [pod for pod in pods if "nodeName" not in pod["spec"]]

    assert len(list(EXAMPLES.glob("realistic/*/nodes.json"))) == 3
    assert len(pods) > 600
    assert len(waiting) > 12
