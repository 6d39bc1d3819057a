"""Real API servers are read, captured and planned for; every fault is named and none is an empty cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import timedelta
from itertools import count
from pathlib import Path

import pytest
import yaml

from descheduler.clock import SystemClock
from descheduler.domain.snapshot import Snapshot, digest
from descheduler.errors import NothingReadable, UsageError
from descheduler.federation.capture import capture
from descheduler.federation.kube import Timeouts
from descheduler.federation.recorded import RecordedFleet
from descheduler.federation.standalone import LiveFleet, fleet_of
from tests.cluster.controlplane.api import NeverHappened, Object
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import API_SERVER, Cluster
from tests.cluster.controlplane.objects import a_node, a_pod, a_workload
from tests.cluster.example import bring_to_life

ROOT = Path(__file__).resolve().parents[2]
BASE = ROOT / "deploy" / "base"
QUICK = Timeouts(connect=1, read=1, whole=5)


def fleet_file(folder: Path, *clusters: Object) -> Path:
    path = folder / "live.yaml"
    path.write_text(yaml.safe_dump({"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "Fleet", "clusters": list(clusters)}))
    return path


def listed(cluster: Cluster, name: str = "", kubeconfig: Path | None = None, **more: object) -> Object:
    return {"name": name or cluster.name, "kubeconfig": {"path": str(kubeconfig or cluster.kubeconfig), "context": cluster.name}, **more}


def live(folder: Path, *clusters: Object) -> LiveFleet:
    return LiveFleet(fleet_of(fleet_file(folder, *clusters), folder), SystemClock(), timeouts=QUICK)


def read_and_captured(fleet: LiveFleet, folder: Path, within: timedelta = timedelta(minutes=1)) -> tuple[Snapshot, Snapshot]:
    """The fleet as it was read, and as it was captured while nothing changed: a read before and a read after are the same.

    Raises:
        NeverHappened: if the fleet does not come to rest.
    """
    clock = SystemClock()
    until = clock.monotonic() + within.total_seconds()
    before = fleet.snapshot()
    for attempt in count():
        out = folder / f"out-{attempt}"
        capture(fleet, out, compress=True)
        after = fleet.snapshot()
        if after.clusters == before.clusters:
            return before, RecordedFleet(out).snapshot()
        if clock.monotonic() > until:
            break
        before = after
    raise NeverHappened("the fleet changes from read to read")


def unreadable(fleet: LiveFleet) -> dict[str, str]:
    return {cluster.cluster: cluster.reason for cluster in fleet.snapshot().unreadable}


def a_pod_waits(cluster: Cluster) -> None:
    """One node, one Deployment on it, one pod that is too large for what is left."""
    cluster.add_nodes(a_node("a", {"cpu": "4", "memory": "16Gi"}))
    cluster.namespace("shop")
    cluster.api.create(a_workload("web", "shop", 2, {"cpu": "1", "memory": "1Gi"}))
    cluster.api.wait("/api/v1/namespaces/shop/pods", lambda pods: sum("nodeName" in pod["spec"] for pod in pods) == 2)
    cluster.api.create(a_pod("big", "shop", {"cpu": "3", "memory": "1Gi"}))
    cluster.api.wait("/api/v1/namespaces/shop/pods", _big_was_refused)


def _big_was_refused(pods: list[Object]) -> bool:
    told = [condition for pod in pods for condition in pod["status"].get("conditions", ()) if pod["metadata"]["name"] == "big"]
    return any((condition["type"], condition["status"]) == ("PodScheduled", "False") for condition in told)


def test_a_whole_cluster_is_read_and_its_snapshot_is_the_same_fleet(east: Cluster, tmp_path: Path) -> None:
    bring_to_life(east, ROOT / "examples" / "realistic" / "edge")
    fleet = live(tmp_path, listed(east, uid=east.uid))

    snapshot, recorded = read_and_captured(fleet, tmp_path)

    assert digest(recorded) == digest(snapshot)
    assert recorded.clusters == snapshot.clusters
    assert (snapshot.unreadable, snapshot.remarks) == ((), ())
    cluster = snapshot.clusters[0]
    assert (cluster.uid, cluster.server_version, cluster.absent) == (east.uid, "v1.36.2", ())
    assert len(cluster.nodes) == 14
    assert len([pod for pod in cluster.pods if pod.node]) > 90


def test_the_plan_for_a_snapshot_is_the_plan_for_the_fleet(east: Cluster, tmp_path: Path) -> None:
    a_pod_waits(east)
    east.add_nodes(a_node("b", {"cpu": "2", "memory": "16Gi"}, taints=[{"key": "keep", "effect": "NoSchedule"}]))
    policy = tmp_path / "policy.yaml"
    policy.write_text("apiVersion: fleet.descheduler.io/v1alpha1\nkind: DeschedulePolicy\nspec: {trigger: {pendingFor: 0s}}\n")
    described = ["--fleet", str(fleet_file(tmp_path, listed(east)))]

    descheduler("snapshot", *described, "-o", str(tmp_path / "out"))

    plans = []
    for source in (described, ["--snapshot", str(tmp_path / "out")]):
        told = descheduler("plan", *source, "--policy", str(policy), "--format", "json", "--workers", "1").stdout
        plan = json.loads(told)
        plan["metadata"].update(runID="", createdAt="")
        plans.append(plan)
    assert plans[0] == plans[1]
    assert plans[0]["summary"]["pendingBefore"] == 1


def descheduler(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command, as a process of its own, with nothing of our environment but the path."""
    clean = {"PATH": os.environ["PATH"], "HOME": "/nowhere", **environment}
    command = [sys.executable, "-m", "descheduler", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=clean, check=False)
    assert ended.returncode == 0, ended.stderr
    return ended


# The shipped manifests.


def test_the_shipped_job_plans_with_nothing_but_its_own_account(east: Cluster, binaries: Binaries, tmp_path: Path) -> None:
    subprocess.run([binaries.kubectl, "--kubeconfig", east.kubeconfig, "apply", "-k", BASE], check=True, capture_output=True)
    a_pod_waits(east)
    account = tmp_path / "account"
    account.mkdir()
    (account / "token").write_text(east.token_of("descheduler", "descheduler"))
    (account / "ca.crt").write_bytes(east.certificate_authority.read_bytes())
    (cron,) = east.api.items("/apis/batch/v1/namespaces/descheduler/cronjobs")
    container = cron["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    arguments = [argument.replace("/etc/descheduler", str(BASE)) for argument in container["args"]]
    host, port = east.server.removeprefix("https://").split(":")

    ended = descheduler(
        *arguments,
        DESCHEDULER_SERVICE_ACCOUNT=str(account),
        KUBERNETES_SERVICE_HOST=host,
        KUBERNETES_SERVICE_PORT=port,
        **{variable["name"]: variable["value"] for variable in container["env"]},
    )

    assert "1 cluster (in-cluster), 1 node" in ended.stdout
    assert "in-cluster/shop/big" in ended.stdout
    assert "rights" not in ended.stdout + ended.stderr


def test_the_account_of_the_job_may_change_nothing(east: Cluster, binaries: Binaries) -> None:
    subprocess.run([binaries.kubectl, "--kubeconfig", east.kubeconfig, "apply", "-k", BASE], check=True, capture_output=True)
    path = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
    api = east.api.as_user(east.token_of("descheduler", "descheduler"))

    def may(verb: str, resource: str, group: str = "") -> bool:
        asked = {"resourceAttributes": {"verb": verb, "resource": resource, "group": group}}
        review = {"apiVersion": "authorization.k8s.io/v1", "kind": "SelfSubjectAccessReview", "spec": asked}
        return bool(api.request("POST", path, review)["status"]["allowed"])

    assert may("list", "pods")
    assert not [verb for verb in ("create", "update", "patch", "delete") for what in ("pods", "nodes", "pods/eviction") if may(verb, what)]
    assert not [what for what in ("secrets", "configmaps", "pods/exec") if may("get", what) or may("list", what)]


# Faults.


def test_an_account_without_rights_is_told_verb_by_verb(east: Cluster, west: Cluster, tmp_path: Path) -> None:
    east.namespace("poor")
    kubeconfig = east.kubeconfig_of(tmp_path / "poor", east.token_of("poor", "default"))

    told = unreadable(live(tmp_path, listed(east, kubeconfig=kubeconfig), listed(west)))

    assert told == {
        "east": "system:serviceaccount:poor:default may not get namespaces, list nodes, list pods, list namespaces, "
        "list replicasets.apps, list deployments.apps, list statefulsets.apps, list daemonsets.apps, list jobs.batch, "
        "list poddisruptionbudgets.policy"
    }


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("expired", "the credentials are not accepted (401 Unauthorized)"),
        ("", "we may not even ask who we are: not allowed (403 Forbidden)"),
    ],
)
def test_credentials_that_are_none_are_told_so(token: str, reason: str, east: Cluster, west: Cluster, tmp_path: Path) -> None:
    kubeconfig = east.kubeconfig_of(tmp_path / "k", token)

    told = unreadable(live(tmp_path, listed(east, kubeconfig=kubeconfig), listed(west)))

    assert list(told) == ["east"]
    assert told["east"].startswith(reason)
    assert ("system:anonymous" in told["east"]) == (token == "")


def test_an_authority_that_is_not_the_cluster_s_is_not_trusted(east: Cluster, west: Cluster, tmp_path: Path) -> None:
    crossed = json.loads(east.kubeconfig.read_text())
    crossed["clusters"][0]["cluster"]["server"] = west.server
    (tmp_path / "crossed").write_text(json.dumps(crossed))

    told = unreadable(live(tmp_path, listed(east, kubeconfig=tmp_path / "crossed"), listed(west)))

    assert told["east"].startswith("TLS: ")
    assert "certificate verify failed" in told["east"]


def test_swapped_kubeconfigs_and_a_cluster_with_two_names_are_found(east: Cluster, west: Cluster, tmp_path: Path) -> None:
    with pytest.raises(NothingReadable, match="is another cluster"):
        live(
            tmp_path,
            {**listed(east), "name": "a", "uid": west.uid},
            {**listed(west), "name": "b", "uid": east.uid},
        ).snapshot()

    with pytest.raises(UsageError, match=r"^a and b are the same cluster"):
        live(tmp_path, listed(east, "a"), listed(east, "b")).snapshot()


def test_a_server_that_hangs_or_is_down_is_left_out(east: Cluster, west: Cluster, tmp_path: Path) -> None:
    fleet = live(tmp_path, listed(east), listed(west))

    with east.processes[API_SERVER].hanging():
        hanging = unreadable(fleet)
    east.stop()  # whole: its controllers would come back to a new server only when they next try
    down = unreadable(live(tmp_path, listed(east), listed(west)))
    east.start()

    assert hanging == {"east": "no answer within 1 s"}
    assert down["east"].startswith("cannot connect: ")
    assert unreadable(live(tmp_path, listed(east), listed(west))) == {}
