"""The clusters that other tests stand on are real ones, and go without a trace."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest
from urllib3.exceptions import ReadTimeoutError

from descheduler.clock import SystemClock
from tests.cluster.controlplane.api import ApiRefused, Object
from tests.cluster.controlplane.binaries import Binaries, pinned_versions
from tests.cluster.controlplane.cluster import API_SERVER, Cluster
from tests.cluster.controlplane.control_planes import control_planes
from tests.cluster.controlplane.objects import a_node, a_pod, a_workload
from tests.cluster.controlplane.processes import processes_naming, still_running, sweep

ROOT = Path(__file__).resolve().parents[2]
PODS = "/api/v1/namespaces/shop/pods"


def all_ready(pods: list[Object], count: int) -> bool:
    """Whether there are so many pods and each one is Ready."""
    ready = [pod for pod in pods if {"type": "Ready", "status": "True"} in conditions(pod)]
    return len(ready) == count == len(pods)


def conditions(pod: Object) -> list[dict[str, str]]:
    """The pod's conditions, only their type and status."""
    return [{"type": condition["type"], "status": condition["status"]} for condition in pod["status"].get("conditions", [])]


def unschedulable(pods: list[Object]) -> bool:
    """Whether kube-scheduler has said of a pod that it finds no node."""
    return any({"type": "PodScheduled", "status": "False"} in conditions(pod) for pod in pods)


def test_a_deployments_pods_run_on_the_nodes_of_each_of_three_clusters(three_clusters: tuple[Cluster, ...]) -> None:
    for cluster in three_clusters:
        cluster.add_nodes(a_node("a"), a_node("b"))
        cluster.namespace("shop")

        cluster.api.create(a_workload("web", "shop", 4))

    for cluster in three_clusters:
        pods = cluster.api.wait(PODS, lambda pods: all_ready(pods, 4))
        assert {pod["spec"]["nodeName"] for pod in pods} == {"a", "b"}
        assert cluster.api.get("/version")["gitVersion"] == pinned_versions()["kubernetes"]
    assert len({cluster.uid for cluster in three_clusters}) == 3


def test_a_pod_too_large_for_every_node_waits_and_the_scheduler_says_why(east: Cluster) -> None:
    east.add_nodes(a_node("a", {"cpu": "4", "memory": "16Gi"}), a_node("b", {"cpu": "2", "memory": "64Gi"}))
    east.namespace("shop")

    east.api.create(a_pod("large", "shop", {"cpu": "8", "memory": "1Gi"}))

    (large,) = east.api.wait(PODS, unschedulable)
    (event,) = east.api.wait("/api/v1/namespaces/shop/events", bool, fieldSelector="reason=FailedScheduling")
    assert large["status"]["phase"] == "Pending"
    assert event["message"].startswith("0/2 nodes are available: 2 Insufficient cpu.")


def test_an_evicted_pod_goes_after_its_grace_and_is_replaced(east: Cluster) -> None:
    east.add_nodes(a_node("a"))
    east.namespace("shop")
    east.api.create(a_workload("web", "shop", 1))
    (old,) = east.api.wait(PODS, lambda pods: all_ready(pods, 1))
    name = old["metadata"]["name"]

    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name, "namespace": "shop"}}
    east.api.request("POST", f"{PODS}/{name}/eviction", eviction)

    (new,) = east.api.wait(PODS, lambda pods: all_ready(pods, 1) and pods[0]["metadata"]["uid"] != old["metadata"]["uid"])
    assert new["spec"]["nodeName"] == "a"


def test_an_account_without_rights_is_refused(east: Cluster) -> None:
    east.namespace("shop")
    nobody = east.api.as_user(east.token_of("shop", "default"))

    with pytest.raises(ApiRefused, match='User "system:serviceaccount:shop:default" cannot list resource "pods"') as refusal:
        nobody.items("/api/v1/pods")

    assert refusal.value.code == 403


def test_a_server_that_hangs_answers_again_afterwards(east: Cluster) -> None:
    with east.processes[API_SERVER].hanging(), pytest.raises(ReadTimeoutError):
        east.api.request("GET", "/version", timeout=timedelta(milliseconds=500))

    assert east.api.get("/version")["gitVersion"] == pinned_versions()["kubernetes"]


def test_a_stopped_cluster_comes_back_with_what_it_stored(east: Cluster) -> None:
    east.namespace("shop")
    uid = east.uid

    east.stop()
    east.start()

    assert east.uid == uid
    assert east.api.get("/api/v1/namespaces/shop")["status"]["phase"] == "Active"


def test_stopping_leaves_no_process_and_no_file(binaries: Binaries, tmp_path: Path) -> None:
    with control_planes(binaries, tmp_path) as planes:
        (cluster,) = planes.start("short")
        assert cluster.processes[API_SERVER].pid in (running := processes_naming(planes.directory))
        assert len(running) == 5

    assert processes_naming(planes.directory) == []
    assert list(tmp_path.iterdir()) == []


CRASH = """
import json, os, signal, sys
from pathlib import Path
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.control_planes import ControlPlanes
from tests.cluster.controlplane.processes import hold

run, what_happens, binaries = sys.argv[1:]
lock = hold(Path(run))
planes = ControlPlanes(Binaries(**json.loads(binaries)), Path(run), outlives_us=what_happens == "outlives")
planes.etcd.wait_until_ready()
os.kill(os.getpid(), signal.SIGKILL)
"""


def crash(run: Path, what_happens: str, binaries: Binaries) -> None:
    """Start etcd for ``run`` in another process, which then dies without a word."""
    paths = json.dumps({name: str(path) for name, path in asdict(binaries).items()})
    crashed = subprocess.run([sys.executable, "-c", CRASH, run, what_happens, paths], cwd=ROOT, check=False)
    assert crashed.returncode == -signal.SIGKILL


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ends a child with its parent; elsewhere the next run does")
def test_a_crash_takes_the_processes_with_it(binaries: Binaries, tmp_path: Path) -> None:
    crash(tmp_path, "ends", binaries)

    assert gone(tmp_path)


def test_the_next_run_ends_what_a_crash_left_and_spares_what_somebody_holds(binaries: Binaries, tmp_path: Path) -> None:
    left, held = tmp_path / "left", tmp_path / "held"
    left.mkdir()
    crash(left, "outlives", binaries)
    assert len(still_running(left)) == 1

    with control_planes(binaries, held) as planes:
        planes.etcd.wait_until_ready()
        sweep(tmp_path)
        sweep(held)

        assert planes.etcd.pid is not None
        assert not left.exists()
        assert gone(left)


def gone(run: Path) -> bool:
    """Whether no process of ``run`` lives any more; killed ones may take a moment."""
    clock = SystemClock()
    for _ in range(200):
        if not processes_naming(run):
            return True
        clock.sleep(timedelta(milliseconds=25))
    return False
