"""A snapshot of a live fleet: it reads back to the same fleet and the same plan, and holds nothing private."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from descheduler import pipeline
from descheduler.domain.snapshot import Snapshot, digest
from descheduler.errors import NothingReadable, UsageError
from descheduler.federation.capture import capture
from descheduler.federation.kinds import KINDS
from descheduler.federation.recorded import RecordedFleet
from descheduler.federation.standalone import LiveFleet, fleet_of
from descheduler.output.json_plan import render_json
from descheduler.policy import load_policy
from tests.builders import NOW
from tests.fakes import FakeClock
from tests.federation.local_api import Fault, LocalApi, kubeconfig
from tests.federation.telling import SECRET, private_objects
from tests.raw import Json, pod_json

ROOT = Path(__file__).parents[2]
PATH = "/api/v1/pods"


def objects_in(folder: Path) -> list[Json]:
    """The objects of one recorded cluster."""
    found = []
    for path in sorted(folder.iterdir()):
        documents: list[Json] = list(yaml.safe_load_all(path.read_text())) if path.suffix == ".yaml" else [json.loads(path.read_text())]
        found += [item for document in documents for item in document.get("items", [document])]
    return [raw for raw in found if raw["kind"] in KINDS]


class Fleet:
    """A recorded example, served live."""

    def __init__(self, example: str, tmp_path: Path) -> None:
        self.apis: dict[str, LocalApi] = {}
        for folder in sorted(path for path in (ROOT / "examples" / example).iterdir() if path.is_dir()):
            api = LocalApi(page=100)
            api.objects.clear()
            api.hold(*objects_in(folder))
            if not any(raw["metadata"]["name"] == "kube-system" for raw in api.objects["Namespace"]):
                api.objects["Namespace"].append({"metadata": {"name": "kube-system", "uid": f"uid-of-{folder.name}"}})
            self.apis[folder.name] = api.__enter__()
        kubeconfig(tmp_path / "k", {name: api.url for name, api in self.apis.items()})
        listed = [{"name": name, "kubeconfig": {"path": "k", "context": name}} for name in self.apis]
        self.file = tmp_path / "live.yaml"
        self.file.write_text(yaml.safe_dump({"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "Fleet", "clusters": listed}))
        self.folder = tmp_path

    def live(self) -> LiveFleet:
        return LiveFleet(fleet_of(self.file, self.folder), FakeClock())

    def stop(self) -> None:
        for api in self.apis.values():
            api.__exit__(None, None, None)


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Fleet]:
    fleet = Fleet("story", tmp_path)
    yield fleet
    fleet.stop()


def planned(snapshot: Snapshot, policy: str) -> str:
    options = pipeline.Options(run_id="test", created_at=NOW, time_limit=timedelta(minutes=5))
    return render_json(pipeline.plan(snapshot, load_policy([ROOT / "policies" / policy]), options).plan)


@pytest.mark.parametrize("compress", [False, True])
def test_a_snapshot_reads_back_to_the_same_fleet_and_plan(compress: bool, story: Fleet, tmp_path: Path) -> None:
    live = story.live().snapshot()

    captured = capture(story.live(), tmp_path / "out", compress=compress)

    recorded = RecordedFleet(tmp_path / "out").snapshot()
    assert digest(recorded) == digest(live)
    assert (recorded.clusters, recorded.taken_at, recorded.remarks) == (live.clusters, live.taken_at, live.remarks)
    assert planned(recorded, "balanced.yaml") == planned(live, "balanced.yaml")
    assert json.loads(planned(live, "balanced.yaml"))["moves"]
    assert captured.unreadable == ()
    assert {path.name.partition(".")[2] for path in (tmp_path / "out" / "east").iterdir()} == {"json.gz" if compress else "json"}


def test_the_realistic_fleet_loses_nothing_planning_looks_at(tmp_path: Path) -> None:
    fleet = Fleet("realistic", tmp_path)
    try:
        live = fleet.live().snapshot()
        capture(fleet.live(), tmp_path / "out")
    finally:
        fleet.stop()

    recorded = RecordedFleet(tmp_path / "out").snapshot()

    assert len(live.clusters) == 3
    assert sum(1 for _ in live.pods()) > 600
    assert recorded.clusters == live.clusters
    assert digest(recorded) == digest(live)


def test_what_is_known_of_the_clusters_is_written_down(story: Fleet, tmp_path: Path) -> None:
    capture(story.live(), tmp_path / "out")

    fleet = yaml.safe_load((tmp_path / "out" / "fleet.yaml").read_text())

    assert fleet["takenAt"] == NOW.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [cluster["name"] for cluster in fleet["clusters"]] == ["east", "west"]
    assert all(cluster["uid"] and cluster["serverVersion"] == "v1.36.2" for cluster in fleet["clusters"])
    assert fleet["clusters"][0]["movers"] == ["Surge", "Evict", "Recreate"]


def test_what_the_fleet_file_says_of_a_scheduler_is_written_down(story: Fleet, tmp_path: Path) -> None:
    body = yaml.safe_load(story.file.read_text())
    body["clusters"][0]["scheduler"] = {"profiles": ["default-scheduler", "batch"], "ignoredResources": ["example.com/dongle"]}
    story.file.write_text(yaml.safe_dump(body))
    live = story.live().snapshot()

    capture(story.live(), tmp_path / "out")

    recorded = RecordedFleet(tmp_path / "out").snapshot()
    assert [cluster.schedulers for cluster in recorded.clusters] == [("default-scheduler", "batch"), ("default-scheduler",)]
    assert digest(recorded) == digest(live)
    assert "scheduler" not in yaml.safe_load((tmp_path / "out" / "fleet.yaml").read_text())["clusters"][1]


# Nothing private.


def test_nothing_private_is_written_down(tmp_path: Path) -> None:
    with LocalApi(*private_objects()) as api:
        kubeconfig(tmp_path / "k", {"east": api.url})
        live = LiveFleet(fleet_of(_only_east(tmp_path), tmp_path), FakeClock())
        before = live.snapshot()
        capture(live, tmp_path / "out")

    written = {path.name: path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert [name for name, text in written.items() if SECRET in text] == []
    for name in ("kube-api", "managedFields", "last-applied", "secretName", '"env"', '"args"', '"command"', "Probe", "lifecycle", "token"):
        assert [file for file, text in written.items() if name in text] == [], name
    assert {"pods.json", "deployments.json", "cronjobs.json", "events.json"} <= written.keys()
    assert not {"secrets.json", "configmaps.json"} & written.keys()
    assert '"registry.example/main:1"' in written["pods.json"]
    assert '"controller.kubernetes.io/pod-deletion-cost":"5"' in written["pods.json"]
    assert digest(RecordedFleet(tmp_path / "out").snapshot()) == digest(before)
    assert not {asked.path for asked in api.asked} & {"/api/v1/secrets", "/api/v1/configmaps"}


def _only_east(folder: Path) -> Path:
    path = folder / "live.yaml"
    cluster = {"name": "east", "kubeconfig": {"path": "k", "context": "east"}}
    path.write_text(yaml.safe_dump({"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "Fleet", "clusters": [cluster]}))
    return path


# Whole or not at all.


def test_a_cluster_that_cannot_be_read_leaves_no_folder(story: Fleet, tmp_path: Path) -> None:
    story.apis["west"].fail(PATH, Fault(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": "1"}}), Fault(403))

    captured = capture(story.live(), tmp_path / "out")

    assert [cluster.cluster for cluster in captured.unreadable] == ["west"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["east", "fleet.yaml"]
    assert "# west could not be read\n" in (tmp_path / "out" / "fleet.yaml").read_text()
    assert [cluster.name for cluster in RecordedFleet(tmp_path / "out").snapshot().clusters] == ["east"]


def test_a_list_that_expires_on_the_way_is_written_once(story: Fleet, tmp_path: Path) -> None:
    live = story.live().snapshot()
    stale = {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": "1"}, "items": [pod_json("stale")]}
    story.apis["west"].fail(PATH, Fault(200, stale), Fault(410))

    capture(story.live(), tmp_path / "out")

    assert digest(RecordedFleet(tmp_path / "out").snapshot()) == digest(live)


def test_kinds_that_could_not_be_listed_are_written_down_and_stay_unknown(story: Fleet, tmp_path: Path) -> None:
    story.apis["west"].forbidden = {"csinodes", "volumeattachments"}
    live = story.live().snapshot()

    capture(story.live(), tmp_path / "out")

    recorded = RecordedFleet(tmp_path / "out").snapshot()
    told = yaml.safe_load((tmp_path / "out" / "fleet.yaml").read_text(encoding="utf-8"))["clusters"]
    assert {cluster["name"]: cluster.get("unread") for cluster in told} == {"east": None, "west": ["CSINode", "VolumeAttachment"]}
    assert recorded.clusters == live.clusters


def test_a_kind_that_may_not_be_listed_leaves_no_file(story: Fleet, tmp_path: Path) -> None:
    story.apis["west"].forbidden = {"events"}

    captured = capture(story.live(), tmp_path / "out")

    assert [(remark.cluster, remark.subject) for remark in captured.remarks] == [("west", "rights")]
    assert not (tmp_path / "out" / "west" / "events.json").exists()
    assert (tmp_path / "out" / "east" / "events.json").exists()


def test_a_kind_that_is_refused_half_way_leaves_no_half_file(story: Fleet, tmp_path: Path) -> None:
    page = {
        "kind": "RuntimeClassList",
        "apiVersion": "node.k8s.io/v1",
        "metadata": {"continue": "1"},
        "items": [{"metadata": {"name": "x"}}],
    }
    story.apis["west"].fail("/apis/node.k8s.io/v1/runtimeclasses", Fault(200, page), Fault(403))

    capture(story.live(), tmp_path / "out")

    assert not (tmp_path / "out" / "west" / "runtimeclasses.json").exists()
    assert (tmp_path / "out" / "east" / "runtimeclasses.json").exists()


def test_when_nothing_can_be_read_nothing_is_written(story: Fleet, tmp_path: Path) -> None:
    for api in story.apis.values():
        api.forbidden = {"pods"}
    before = sorted(tmp_path.iterdir())

    with pytest.raises(NothingReadable):
        capture(story.live(), tmp_path / "out")

    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize("what", ["file", "full", "orphan"])
def test_nothing_is_overwritten(what: str, story: Fleet, tmp_path: Path) -> None:
    output = tmp_path / "out" / "deeper" if what == "orphan" else tmp_path / "out"
    if what == "file":
        output.write_text("mine")
    if what == "full":
        output.mkdir()
        (output / "mine").write_text("mine")

    with pytest.raises(UsageError, match=f"^--output {output}: "):
        capture(story.live(), output)

    assert story.apis["east"].asked == []


def test_an_empty_directory_is_filled(story: Fleet, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()

    capture(story.live(), tmp_path / "out")

    assert (tmp_path / "out" / "fleet.yaml").is_file()
