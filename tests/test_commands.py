"""``plan`` from the command line on the small story of ``examples``: what is written, what is printed, how it ends."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import jsonschema
import pytest

from descheduler.cli import main
from descheduler.commands.plan import available_workers

ROOT = Path(__file__).parents[1]
STORY = str(ROOT / "examples" / "story")
BALANCED = str(ROOT / "policies" / "balanced.yaml")

Capture = pytest.CaptureFixture[str]


def test_a_plan_is_printed_and_written(tmp_path: Path, capsys: Capture) -> None:
    output = tmp_path / "plan.json"

    assert main(["plan", "--snapshot", STORY, "--policy", BALANCED, "-o", str(output), "--workers", "1"]) == 0

    written = json.loads(output.read_text(encoding="utf-8"))
    schema = json.loads(resources.files("descheduler.output").joinpath("plan.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator(schema).validate(written)
    assert written["summary"]["placed"] == 1
    assert "make room for 1 of 1 pending pod" in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [output]


def test_moves_proposed_end_with_10_when_asked_to_tell(capsys: Capture) -> None:
    assert main(["plan", "--snapshot", STORY, "--policy", BALANCED, "--detailed-exitcode", "--workers", "1"]) == 10


def test_an_older_plan_is_replaced_whole_through_a_link(tmp_path: Path) -> None:
    real, link = tmp_path / "real.json", tmp_path / "plan.json"
    real.write_text("old")
    link.symlink_to(real)

    assert main(["plan", "--snapshot", STORY, "-o", str(link), "--format", "json", "--workers", "1"]) == 0

    assert link.is_symlink()
    assert json.loads(real.read_text(encoding="utf-8"))["kind"] == "Plan"


def test_the_same_seed_gives_the_same_plan(tmp_path: Path, capsys: Capture) -> None:
    plans = []
    for workers in ("1", "2"):
        assert main(["plan", "--snapshot", STORY, "--policy", BALANCED, "--format", "json", "--workers", workers]) == 0
        plan = json.loads(capsys.readouterr().out)
        plan["metadata"].update(runID="", createdAt="")
        plans.append(plan)

    assert plans[0] == plans[1]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--snapshot", "{tmp}/gone"], "gone"),
        (["--snapshot", "{tmp}"], "{tmp}"),
        (["--snapshot", STORY, "--policy", "{tmp}/policy.yaml"], "{tmp}/policy.yaml:4: spec.lmits"),
        (["--snapshot", STORY, "--policy", "{tmp}/gone.yaml"], "gone.yaml"),
        (["--snapshot", STORY, "-o", "{tmp}"], "is a directory"),
    ],
)
def test_input_that_cannot_be_is_refused_with_code_2(arguments: list[str], told: str, tmp_path: Path, capsys: Capture) -> None:
    policy = "apiVersion: fleet.descheduler.io/v1alpha1\nkind: DeschedulePolicy\nspec:\n  lmits: {}\n"
    (tmp_path / "policy.yaml").write_text(policy)

    assert main(["plan", *(argument.format(tmp=tmp_path) for argument in arguments)]) == 2

    out, err = capsys.readouterr()
    assert out == ""
    assert told.format(tmp=tmp_path) in err
    assert "Traceback" not in err


@pytest.mark.parametrize(("quota", "workers"), [("50000 100000", 1), ("100000 100000", 1), ("nonsense", None), ("max 100000", None)])
def test_workers_stay_inside_the_container_s_quota(quota: str, workers: int | None, tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text(quota)

    found = available_workers(tmp_path / "cpu.max")

    assert 1 <= found <= 4
    assert workers in (None, found)
