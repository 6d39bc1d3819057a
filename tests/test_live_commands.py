"""``plan``, ``run``, ``explain`` and ``snapshot`` on live fleets: over real HTTP, from the command line to the exit code."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from descheduler.cli import main
from tests.federation.local_api import Asked, LocalApi, kubeconfig
from tests.raw import Json, node_json, pod_json

ROOT = Path(__file__).parents[1]
PODS = "/api/v1/pods"
PLANNING = """
apiVersion: fleet.descheduler.io/v1alpha1
kind: DeschedulePolicy
spec: {mode: %s, objectives: [%s]}
"""

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalApi]:
    """A cluster with room for the one pod that waits; it is the current context."""
    with LocalApi(node_json("n1"), pod_json("web", on="n1", cpu="1"), pod_json("big", cpu="2")) as running:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "k", {"east": running.url})))
        yield running


def policy(folder: Path, mode: str = "Plan", *objectives: str) -> str:
    path = folder / "policy.yaml"
    path.write_text(PLANNING % (mode, ", ".join(objectives or ("PendingPods", "Disruption"))))
    return str(path)


def nothing_waits(api: LocalApi) -> None:
    api.objects["Pod"] = [raw for raw in api.objects["Pod"] if "nodeName" in raw["spec"]]


def full_reads(api: LocalApi) -> list[Asked]:
    return [asked for asked in api.lists_of(PODS) if "resourceVersion" not in asked.query]


def test_plan_reads_the_current_context(api: LocalApi, capsys: Capture) -> None:
    assert main(["plan", "--format", "json", "--workers", "1"]) == 0

    plan = json.loads(capsys.readouterr().out)
    assert plan["metadata"]["clusters"] == [{"name": "east", "uid": "uid-namespace-kube-system"}]
    assert (plan["summary"]["pendingBefore"], plan["summary"]["placed"]) == (1, 1)


def test_plan_reads_a_fleet_file(api: LocalApi, tmp_path: Path, capsys: Capture) -> None:
    listed = [{"name": "home", "kubeconfig": {"path": "k", "context": "east"}}]
    (tmp_path / "f.yaml").write_text(yaml.safe_dump({"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "Fleet", "clusters": listed}))

    assert main(["plan", "--fleet", str(tmp_path / "f.yaml"), "--workers", "1"]) == 0

    assert "home" in capsys.readouterr().out


def test_a_pod_of_a_live_fleet_is_explained(api: LocalApi, capsys: Capture) -> None:
    assert main(["explain", "big", "--workers", "1"]) == 0
    assert "would bind it to n1 as things are" in capsys.readouterr().out

    assert main(["explain", "shop/web", "--format", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["node"] == "n1"


def test_plan_always_reads_fully(api: LocalApi, capsys: Capture) -> None:
    nothing_waits(api)

    assert main(["plan", "--workers", "1"]) == 0

    assert len(full_reads(api)) == 1
    assert "no pod is pending for lack of room" in capsys.readouterr().out


def test_nothing_is_ever_written_to_a_cluster(api: LocalApi) -> None:
    main(["plan", "--workers", "1"])
    main(["run", "--workers", "1"])
    main(["explain", "big", "--workers", "1"])

    wrote = {asked.path for asked in api.asked if asked.method != "GET"}
    assert all("/selfsubject" in path for path in wrote)


# run.


def test_run_plans_when_a_pod_waits(api: LocalApi, tmp_path: Path, capsys: Capture) -> None:
    assert main(["run", "--policy", policy(tmp_path), "--workers", "1"]) == 0

    assert "1 of 1 pending pod" in capsys.readouterr().out
    assert len(full_reads(api)) == 1


def test_run_stops_early_when_nothing_waits(api: LocalApi, tmp_path: Path, capsys: Capture) -> None:
    nothing_waits(api)

    assert main(["run", "--policy", policy(tmp_path), "--detailed-exitcode"]) == 0

    assert capsys.readouterr().out == "nothing to do: no pod waits for a node in east\n"
    assert full_reads(api) == []


@pytest.mark.parametrize("why", ["objective", "file", "format"])
def test_run_reads_fully_where_stopping_early_would_miss_something(why: str, api: LocalApi, tmp_path: Path) -> None:
    nothing_waits(api)
    objectives = ("PendingPods", "EmptyNodes", "Disruption") if why == "objective" else ()
    more = {"objective": [], "file": ["-o", str(tmp_path / "plan.json")], "format": ["--format", "json"]}[why]

    assert main(["run", "--policy", policy(tmp_path, "Plan", *objectives), "--workers", "1", *more]) == 0

    assert len(full_reads(api)) == 1


def test_an_objective_that_only_breaks_ties_does_not_cost_a_full_read(api: LocalApi) -> None:
    nothing_waits(api)

    assert main(["run"]) == 0  # the shipped default: Headroom comes after Disruption

    assert full_reads(api) == []


# Faults.


def test_a_cluster_that_cannot_be_read_ends_with_2(api: LocalApi, capsys: Capture) -> None:
    api.forbidden = {"pods"}

    assert main(["plan"]) == 2

    assert capsys.readouterr().err == "no cluster can be read\neast: reader may not list pods\n"


def test_a_policy_can_make_an_unreadable_cluster_fatal(api: LocalApi, tmp_path: Path, capsys: Capture) -> None:
    kubeconfig(tmp_path / "k", {"east": api.url, "gone": "http://127.0.0.1:1"})
    listed: list[Json] = [{"name": name, "kubeconfig": {"path": "k", "context": name}} for name in ("east", "gone")]
    fleet = tmp_path / "f.yaml"
    fleet.write_text(yaml.safe_dump({"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "Fleet", "clusters": listed}))
    strict = tmp_path / "strict.yaml"
    strict.write_text("apiVersion: fleet.descheduler.io/v1alpha1\nkind: DeschedulePolicy\nspec: {unreadableCluster: Fail}\n")

    assert main(["plan", "--fleet", str(fleet), "--workers", "1"]) == 0
    assert "gone" in capsys.readouterr().out

    assert main(["plan", "--fleet", str(fleet), "--policy", str(strict)]) == 5
    assert "gone: cannot connect" in capsys.readouterr().err


# snapshot.


def test_snapshot_writes_what_plan_reads(api: LocalApi, tmp_path: Path, capsys: Capture) -> None:
    assert main(["snapshot", "-o", str(tmp_path / "out"), "--gzip"]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'out'}: east (4 objects)\n"

    plans = []
    for source in (["--snapshot", str(tmp_path / "out")], []):
        assert main(["plan", *source, "--format", "json", "--workers", "1"]) == 0
        plan = json.loads(capsys.readouterr().out)
        plan["metadata"].update(runID="", createdAt="")
        plans.append(plan)
    assert plans[0] == plans[1]


def test_snapshot_says_what_it_left_out(api: LocalApi, tmp_path: Path, capsys: Capture) -> None:
    kubeconfig(tmp_path / "k", {"east": api.url, "gone": "http://127.0.0.1:1"})
    listed: list[Json] = [{"name": name, "kubeconfig": {"path": "k", "context": name}} for name in ("east", "gone")]
    fleet = tmp_path / "f.yaml"
    fleet.write_text(yaml.safe_dump({"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "Fleet", "clusters": listed}))
    api.forbidden = {"events"}

    assert main(["snapshot", "--fleet", str(fleet), "-o", str(tmp_path / "out")]) == 3

    told = capsys.readouterr().err
    assert "gone is left out: cannot connect" in told
    assert "east: rights may not list events" in told


def test_snapshot_overwrites_nothing(api: LocalApi, tmp_path: Path, capsys: Capture) -> None:
    assert main(["snapshot", "-o", str(tmp_path)]) == 2

    assert "exists already" in capsys.readouterr().err
    assert api.asked == []
