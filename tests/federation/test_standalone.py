"""A live fleet: several clusters at once, each either read whole or left out with its reason."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from descheduler.clock import SystemClock
from descheduler.domain.snapshot import Remark, digest
from descheduler.errors import NothingReadable, UsageError
from descheduler.federation.kube import TRIES, Timeouts
from descheduler.federation.standalone import LiveFleet, fleet_of, fleet_of_one
from tests.builders import NOW
from tests.fakes import FakeClock
from tests.federation.local_api import Fault, LocalApi, kubeconfig, status_json
from tests.raw import Json, node_json, pod_json, write_json
from tests.raw_storage import claim_json, volume_json

NODES, PODS = "/api/v1/nodes", "/api/v1/pods"
SHORT = Timeouts(connect=0.5, read=0.2)


def a_cluster(name: str) -> LocalApi:
    api = LocalApi(node_json(f"{name}-1"), pod_json(f"{name}-big", cpu="3"))
    api.objects["Namespace"][0]["metadata"]["uid"] = f"uid-of-{name}"
    return api


@pytest.fixture
def east() -> Iterator[LocalApi]:
    with a_cluster("east") as api:
        yield api


@pytest.fixture
def west() -> Iterator[LocalApi]:
    with a_cluster("west") as api:
        yield api


@pytest.fixture
def file(east: LocalApi, west: LocalApi, tmp_path: Path) -> Path:
    """A Fleet file for both."""
    kubeconfig(tmp_path / "k", {"east": east.url, "west": west.url})
    return fleet_file(tmp_path, {"name": "east"}, {"name": "west"})


def fleet_file(folder: Path, *clusters: Json, **more: object) -> Path:
    """Clusters are in contexts of their names unless they say otherwise."""
    listed = [{"kubeconfig": {"path": "k", "context": cluster["name"]}} | cluster for cluster in clusters]
    path = folder / "fleet.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "Fleet", "clusters": listed, **more}))
    return path


def live(path: Path, tmp_path: Path) -> LiveFleet:
    return LiveFleet(fleet_of(path, tmp_path), FakeClock(), timeouts=SHORT)


def why_unreadable(fleet: LiveFleet) -> dict[str, str]:
    return {cluster.cluster: cluster.reason for cluster in fleet.snapshot().unreadable}


def test_every_cluster_of_the_file_is_read(file: Path, tmp_path: Path) -> None:
    snapshot = live(file, tmp_path).snapshot()

    assert [cluster.name for cluster in snapshot.clusters] == ["east", "west"]
    assert [str(pod.ref) for pod in snapshot.pods()] == ["east/shop/east-big", "west/shop/west-big"]
    assert (snapshot.unreadable, snapshot.remarks, snapshot.taken_at) == ((), (), NOW)
    assert snapshot.clusters[0].server_version == "v1.36.2"


def test_reading_twice_gives_the_same_digest(file: Path, tmp_path: Path) -> None:
    fleet = live(file, tmp_path)

    assert digest(fleet.snapshot()) == digest(fleet.snapshot())


def test_nothing_of_a_list_that_expired_is_left(file: Path, east: LocalApi, tmp_path: Path) -> None:
    stale = {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": "1"}, "items": [pod_json("gone-since")]}
    east.fail(PODS, Fault(200, stale), Fault(410))

    snapshot = live(file, tmp_path).snapshot()

    assert [pod.ref.name for pod in snapshot.pods()] == ["east-big", "west-big"]


def test_movers_are_those_found_and_wanted(file: Path, tmp_path: Path) -> None:
    fleet_file(tmp_path, {"name": "east", "movers": ["Hold", "Surge"]}, {"name": "west"})

    snapshot = live(file, tmp_path).snapshot()

    assert [cluster.movers for cluster in snapshot.clusters] == [("Surge",), ("Surge", "Evict", "Recreate")]


# Faults: the cluster is named with its reason, and never taken as empty.


@pytest.mark.parametrize(
    ("path", "faults", "told"),
    [
        (NODES, [Fault(401, status_json(401, "Unauthorized"))], "list nodes: the credentials are not accepted (401 Unauthorized)"),
        (PODS, [Fault(403, status_json(403, "no"))], "list pods: not allowed (403 Forbidden): no"),
        (PODS, [Fault(429)] * TRIES, "list pods: answers with 429"),
        (PODS, [Fault(500)] * TRIES, "list pods: answers with 500"),
        (PODS, [Fault(200, '{"kind": "PodList"')] * TRIES, "list pods: the answer is not whole JSON"),
        (PODS, [Fault(200, "<html>", {"Content-Type": "text/html"})], "list pods: the answer is text/html, not JSON"),
        (PODS, [Fault(200, "x" * 99, cut=9)] * TRIES, "list pods: the connection was lost"),
        (PODS, [Fault(hang=True)] * TRIES, "list pods: no answer within 0.2 s"),
        (PODS, [Fault(410)] * 2, "list pods: answers with 410"),
    ],
)
def test_a_cluster_with_a_fault_is_left_out_and_named(
    path: str, faults: list[Fault], told: str, file: Path, east: LocalApi, tmp_path: Path
) -> None:
    east.fail(path, *faults)

    snapshot = live(file, tmp_path).snapshot()

    assert [cluster.name for cluster in snapshot.clusters] == ["west"]
    assert [cluster.cluster for cluster in snapshot.unreadable] == ["east"]
    assert snapshot.unreadable[0].reason.startswith(told)


def test_a_cluster_that_is_down_is_left_out(file: Path, west: LocalApi, tmp_path: Path) -> None:
    kubeconfig(tmp_path / "k", {"east": "http://127.0.0.1:1", "west": west.url})

    assert why_unreadable(live(file, tmp_path))["east"].startswith("cannot connect: ")


def test_a_cluster_without_credentials_is_left_out(file: Path, tmp_path: Path) -> None:
    fleet_file(tmp_path, {"name": "east", "kubeconfig": {"path": "gone", "context": "east"}}, {"name": "west"})

    assert why_unreadable(live(file, tmp_path)) == {"east": f"there is no kubeconfig at {tmp_path / 'gone'}"}


def test_swapped_kubeconfigs_are_found_by_the_recorded_uids(file: Path, east: LocalApi, west: LocalApi, tmp_path: Path) -> None:
    fleet_file(tmp_path, {"name": "east", "uid": "uid-of-east"}, {"name": "west", "uid": "uid-of-west"})
    assert why_unreadable(live(file, tmp_path)) == {}

    kubeconfig(tmp_path / "k", {"east": west.url, "west": east.url})

    with pytest.raises(NothingReadable) as refused:
        live(file, tmp_path).snapshot()
    assert str(refused.value).splitlines() == [
        "no cluster can be read",
        f"east: {west.url} is another cluster: kube-system has the UID uid-of-west, the fleet file says uid-of-east",
        f"west: {east.url} is another cluster: kube-system has the UID uid-of-east, the fleet file says uid-of-west",
    ]


def test_one_cluster_under_two_names_is_an_error(file: Path, east: LocalApi, tmp_path: Path) -> None:
    kubeconfig(tmp_path / "k", {"east": east.url, "west": east.url})

    with pytest.raises(UsageError, match=r"^east and west are the same cluster: kube-system has the UID uid-of-east in both$"):
        live(file, tmp_path).snapshot()


def test_a_plugin_that_never_returns_is_left_behind(file: Path, west: LocalApi, tmp_path: Path) -> None:
    forever = {"exec": {"apiVersion": "client.authentication.k8s.io/v1", "command": "sleep", "args": ["5"]}}
    kubeconfig(tmp_path / "stuck", {"east": "http://127.0.0.1:1"}, user=forever)
    fleet_file(tmp_path, {"name": "east", "kubeconfig": {"path": "stuck", "context": "east"}}, {"name": "west"})

    fleet = LiveFleet(fleet_of(file, tmp_path), SystemClock(), timeouts=SHORT, patience_seconds=1.5)

    assert why_unreadable(fleet) == {"east": "was not read within 1.5 s"}


def test_a_mistake_of_ours_is_not_a_fault_of_the_cluster(file: Path, tmp_path: Path) -> None:
    def deed(*_: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        live(file, tmp_path).each(deed)


# The file.


@pytest.mark.parametrize(
    ("clusters", "more", "told"),
    [
        ([], {}, "clusters: missing or empty"),
        ([{"name": "east", "kubeconfig": None}], {}, ":3: clusters[0].kubeconfig: missing; expected {path, context}"),
        ([{"name": "east"}], {"federation": {"kind": "TensileKube"}}, "federation.kind: TensileKube is not supported yet"),
        ([{"name": "East"}], {}, "clusters[0].name: 'East' is not a DNS label"),
    ],
)
def test_a_file_that_describes_no_live_fleet_is_refused(clusters: list[Json], more: Json, told: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        fleet_of(fleet_file(tmp_path, *clusters, **more), tmp_path)

    assert told in str(refused.value)


def test_paths_are_relative_to_the_file_that_names_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "from-the-environment")
    clusters = [
        {"name": "a", "kubeconfig": {"path": "k", "context": "x"}},
        {"name": "b", "kubeconfig": {"path": "/etc/k", "context": "x"}},
        {"name": "c", "kubeconfig": {"context": "x"}},
    ]

    members = fleet_of(fleet_file(tmp_path, *clusters), tmp_path)

    found = [getattr(member.access, "kubeconfig", "") for member in members]
    assert found == [str(tmp_path / "k"), "/etc/k", "from-the-environment"]


# A fleet of one.


def test_the_current_context_is_a_fleet_of_one_with_a_name_that_fits(
    east: LocalApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = "arn:aws:eks:eu-1:1:cluster/Prod"
    monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path / "k", {context: east.url})))

    snapshot = LiveFleet(fleet_of_one(tmp_path), FakeClock()).snapshot()

    name = "arn-aws-eks-eu-1-1-cluster-prod"
    assert [cluster.name for cluster in snapshot.clusters] == [name]
    renamed = Remark(cluster=name, subject=f"context {context}", message=f"is called {name} here: a cluster's name is a DNS label")
    assert snapshot.remarks == (renamed,)


def test_in_a_pod_the_fleet_is_called_in_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", str(tmp_path / "nowhere"))
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")

    assert [(member.name, member.context) for member in fleet_of_one(tmp_path)] == [("in-cluster", "")]


# Triage.


def test_nothing_waits_only_if_every_cluster_says_so(file: Path, east: LocalApi, west: LocalApi, tmp_path: Path) -> None:
    fleet = live(file, tmp_path)
    assert not fleet.nothing_waits()

    east.objects["Pod"].clear()
    assert not fleet.nothing_waits()

    west.objects["Pod"].clear()
    assert fleet.nothing_waits()

    west.forbidden = {"pods"}
    assert not fleet.nothing_waits()

    east.forbidden = {"pods"}
    assert not fleet.nothing_waits()


def test_a_file_as_snapshot_writes_it_is_no_live_fleet(tmp_path: Path) -> None:
    write_json(tmp_path / "fleet.yaml", {"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "Fleet", "clusters": [{"name": "a"}]})

    with pytest.raises(UsageError, match="kubeconfig: missing"):
        fleet_of(tmp_path / "fleet.yaml", tmp_path)


def test_clusters_are_read_side_by_side(file: Path, tmp_path: Path) -> None:
    """Each waits until the other has begun: one after the other, neither would ever end."""
    together = threading.Barrier(2, timeout=5)

    found, unreadable = live(file, tmp_path).each(lambda *_: together.wait())

    assert sorted(found.values()) == [0, 1]
    assert unreadable == ()


def test_an_idle_cluster_with_two_names_is_not_taken_as_idle(file: Path, east: LocalApi, tmp_path: Path) -> None:
    """A job that stays green until a pod waits, and fails just then, helps nobody."""
    kubeconfig(tmp_path / "k", {"east": east.url, "west": east.url})
    east.objects["Pod"].clear()

    assert not live(file, tmp_path).nothing_waits()


def test_the_home_of_nobody_is_a_mistake_in_the_fleet_file(file: Path, tmp_path: Path) -> None:
    fleet_file(tmp_path, {"name": "east", "kubeconfig": {"path": "~nobody-here/kc"}}, {"name": "west"})

    with pytest.raises(UsageError, match=r"^~nobody-here/kc: "):
        live(file, tmp_path)


@pytest.mark.parametrize(
    ("forbidden", "why"),
    [
        (set(), None),
        ({"persistentvolumes"}, "its PersistentVolume is missing"),
        ({"csinodes", "resourcequotas"}, "the CSINode objects are missing"),
        ({"persistentvolumeclaims", "storageclasses", "csidrivers", "volumeattachments"}, "its PersistentVolumeClaim is missing"),
    ],
)
def test_without_rights_to_storage_only_pods_that_need_it_are_opaque(forbidden: set[str], why: str | None, tmp_path: Path) -> None:
    mounting = pod_json("stored", volumes=[{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}])
    with LocalApi(node_json("n1"), pod_json("plain"), mounting, claim_json("data", volume="pv"), volume_json("pv")) as api:
        api.forbidden = forbidden
        kubeconfig(tmp_path / "k", {"only": api.url})
        snapshot = live(fleet_file(tmp_path, {"name": "only"}), tmp_path).snapshot()

    opaque = {pod.ref.name: pod.spec.opaque for pod in snapshot.pods()}
    assert opaque == {"plain": None, "stored": f"spec.volumes[].persistentVolumeClaim: {why}" if why else None}
    assert snapshot.unreadable == ()
    assert ([r.subject for r in snapshot.remarks] == ["rights"]) is bool(forbidden)
