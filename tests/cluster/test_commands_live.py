"""``run``, ``apply`` and ``recover`` from the command line on real clusters: what is done, what is refused, and how it ends."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.cluster.acting import Acting, install
from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.objects import a_node, a_workload
from tests.cluster.example import bring_to_life
from tests.cluster.killing import Command, start
from tests.cluster.proxy import Proxy, proxy

ROOT = Path(__file__).resolve().parents[2]
POLICY: Object = {
    "apiVersion": "fleet.descheduler.io/v1alpha1",
    "kind": "DeschedulePolicy",
    "spec": {"mode": "Apply", "trigger": {"pendingFor": "0s"}, "protections": {"minPodAge": "0s"}, "solver": {"effort": 0.25}},
}


class Fleet:
    """Clusters behind proxies, and the command line that is told of them."""

    def __init__(self, folder: Path, binaries: Binaries, fronts: dict[str, Proxy]) -> None:
        self.folder = folder
        self.fronts = fronts
        listed = []
        for name, front in fronts.items():
            install(front.cluster, binaries, folder)
            front.kubeconfig(folder / name, front.cluster.token_of("descheduler", "descheduler"))
            listed.append({"name": name, "kubeconfig": {"path": name, "context": front.cluster.name}, "uid": front.cluster.uid})
        self.path = folder / "fleet.yaml"
        self.path.write_text(yaml.safe_dump({"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "Fleet", "clusters": listed}))

    def policy(self, **spec: Any) -> str:
        path = self.folder / "policy.yaml"
        path.write_text(yaml.safe_dump(POLICY | {"spec": POLICY["spec"] | spec}))
        return str(path)

    def start(self, *arguments: str) -> Command:
        return start(self.folder, *arguments, "--fleet", str(self.path))

    def call(self, *arguments: str) -> tuple[int, str]:
        command = self.start(*arguments)
        return command.end(180), command.told

    @property
    def written(self) -> list[str]:
        return [f"{name}: {call}" for name, front in self.fronts.items() for call in front.changes]

    def plan(self, policy: str) -> Path:
        path = self.folder / "plan.json"
        assert self.call("plan", "--policy", policy, "-o", str(path), "--workers", "1")[0] == 0
        return path


@pytest.fixture
def fleet(east: Cluster, west: Cluster, binaries: Binaries, tmp_path: Path) -> Iterator[Fleet]:
    with proxy(east) as front_of_east, proxy(west) as front_of_west:
        told = Fleet(tmp_path, binaries, {"east": front_of_east, "west": front_of_west})
        for cluster in (east, west):
            a_hole_in_the_wrong_place(cluster)
        yield told


def a_hole_in_the_wrong_place(cluster: Cluster) -> None:
    """``small`` sits where ``big`` could be, and there is room for it elsewhere."""
    cluster.namespace("shop")
    cluster.add_nodes(a_node("a", {"cpu": "2", "memory": "8Gi"}), a_node("b", {"cpu": "2", "memory": "8Gi"}))
    acting = Acting(cluster, cluster.kubeconfig)
    rest = a_workload("rest", "shop", 1, {"cpu": "1", "memory": "1Gi"}, nodeSelector={"kubernetes.io/hostname": "b"})
    small = a_workload("small", "shop", 1, {"cpu": "1", "memory": "1Gi"}, nodeSelector={"kubernetes.io/os": "linux"})
    cluster.api.patch("/api/v1/nodes/b", {"spec": {"unschedulable": True}})
    cluster.api.create(small)
    acting.running("small")
    cluster.api.patch("/api/v1/nodes/b", {"spec": {"unschedulable": None}})
    cluster.api.create(rest)
    acting.running("rest")
    cluster.api.create(a_workload("big", "shop", 1, {"cpu": "2", "memory": "1Gi"}))
    acting.waiting("big")


def where(cluster: Cluster) -> dict[str, str]:
    return {p["metadata"]["labels"]["app"]: p["spec"].get("nodeName", "-") for p in Acting(cluster, cluster.kubeconfig).pods()}


def test_a_run_acts_on_every_cluster_and_the_next_finds_nothing_to_do(fleet: Fleet, east: Cluster, west: Cluster) -> None:
    code, told = fleet.call("run", "--policy", fleet.policy(), "--workers", "1")

    assert code == 0, told
    assert "done: 4 of 4 steps done; pending pods: 2 before, 0 after" in told, told
    assert where(east) == where(west) == {"small": "b", "rest": "b", "big": "a"}
    assert [Acting(cluster, cluster.kubeconfig).leftovers() for cluster in (east, west)] == [[], []]

    kept = east.api.get("/api/v1/namespaces/descheduler/configmaps/descheduler-state")
    assert [move["outcome"] for move in json.loads(kept["data"]["state.json"])["moves"]] == ["Done"]

    before = len(fleet.written)
    code, told = fleet.call("run", "--policy", fleet.policy())
    assert (code, told) == (0, "nothing to do: no pod waits for a node in east, west\n")
    assert fleet.written[before:] == []


def test_a_dry_run_writes_nothing_at_all(fleet: Fleet) -> None:
    policy = fleet.policy(mode="Plan")

    for command in (["run"], ["plan"], ["run", "--format", "json"]):
        code, told = fleet.call(*command, "--policy", policy, "--workers", "1")
        assert code == 0, told

    assert fleet.written == []
    assert not [call for front in fleet.fronts.values() for call in front.calls if call.query.get("dryRun")]


def test_a_plan_is_applied_as_it_was_written_whatever_the_mode(fleet: Fleet, east: Cluster) -> None:
    policy = fleet.policy(mode="Plan")
    plan = fleet.plan(policy)
    assert fleet.written == []

    results = fleet.folder / "results.json"
    code, told = fleet.call("apply", str(plan), "--policy", policy, "-o", str(results), "--format", "json")

    assert code == 0, told
    assert where(east) == {"small": "b", "rest": "b", "big": "a"}
    assert told == results.read_text()
    steps = json.loads(told)["results"]["steps"]
    assert Counter((step["outcome"], step["node"]) for step in steps) == {("Done", "a"): 2, ("Done", "b"): 2}
    code, told = fleet.call("apply", str(plan), "--policy", policy)
    assert code == 3
    assert "the pod is gone" in told
    for step in json.loads(plan.read_text())["moves"]:
        assert f"changed: {step['pod']['cluster']}/pod shop/{step['pod']['name']}: is gone\n" in told


def test_a_plan_of_another_policy_another_cluster_or_another_time_is_refused(fleet: Fleet) -> None:
    policy = fleet.policy()
    plan = fleet.plan(policy)
    told = json.loads(plan.read_text())

    def refused(**changes: Any) -> tuple[int, str]:
        changed = fleet.folder / "changed.json"
        changed.write_text(json.dumps(told | {"metadata": told["metadata"] | changes}))
        return fleet.call("apply", str(changed), "--policy", policy)

    clusters = told["metadata"]["clusters"]
    other_policy = refused(policyDigest="sha256:0")
    other_cluster = refused(clusters=[clusters[0] | {"uid": "another"}, clusters[1]])
    no_cluster = refused(clusters=[*clusters, {"name": "north", "uid": None}])
    too_old = refused(createdAt="2026-01-01T00:00:00Z")
    too_new = refused(createdAt="2126-01-01T00:00:00Z")

    assert [code for code, _ in (other_policy, other_cluster, no_cluster, too_old, too_new)] == [2, 2, 2, 3, 3]
    assert "the plan was made under another policy" in other_policy[1]
    assert "cluster east is another one: kube-system has the UID" in other_cluster[1]
    assert "the plan is for cluster north, which is not in this fleet: east, west" in no_cluster[1]
    assert "the plan is older than secondLook.planMaxAge 15m: plan again" in too_old[1]
    assert "the plan was made in the future, by our clock: 2126-01-01 00:00:00 UTC" in too_new[1]
    assert [change for change in fleet.written if "/leases" not in change] == []


HALT: Object = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "descheduler-halt", "namespace": "descheduler"}}


def test_a_halted_cluster_is_left_alone_and_the_other_is_not(fleet: Fleet, east: Cluster, west: Cluster) -> None:
    west.api.create(HALT)

    code, told = fleet.call("run", "--policy", fleet.policy(secondLook={"minGainShare": 0.5}), "--workers", "1")

    assert code == 3
    assert "west is halted: ConfigMap descheduler/descheduler-halt exists" in told
    assert (where(east)["big"], where(west)["big"]) == ("a", "-")
    assert not [change for change in fleet.written if change.startswith("west") and "/shop/" in change]


def test_a_lease_that_is_held_elsewhere_ends_the_run_with_4_if_that_is_asked_for(fleet: Fleet, east: Cluster) -> None:
    lease = {"holderIdentity": "another", "leaseDurationSeconds": 2, "renewTime": "2026-01-01T00:00:00.000000Z"}
    meta = {"name": "descheduler", "namespace": "descheduler"}
    plan = fleet.plan(fleet.policy())
    east.api.create({"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": lease})
    path = "/apis/coordination.k8s.io/v1/namespaces/descheduler/leases/descheduler"

    def alive(call: Any) -> None:
        east.api.patch(path, {"metadata": {"annotations": {"seen": str(len(fleet.fronts["east"].calls))}}})

    fleet.fronts["east"].spoil(lambda call: call.method == "GET" and call.path == path, after=alive, times=99)

    code, told = fleet.call("apply", str(plan), "--policy", fleet.policy(), "--require-lock")

    assert (code, "the Lease of east is held elsewhere, by another" in told) == (4, True), told
    assert [change for change in fleet.written if "/leases" not in change] == []


def test_two_runs_at_once_come_to_what_one_would_have_done(fleet: Fleet, east: Cluster, west: Cluster) -> None:
    policy = fleet.policy()
    plan = fleet.plan(policy)

    runs = [fleet.start("apply", str(plan), "--policy", policy), fleet.start("run", "--policy", policy, "--workers", "1")]
    codes = [run.end(180) for run in runs]

    told = [run.told for run in runs]
    assert set(codes) <= {0, 3}, told
    assert where(east) == where(west) == {"small": "b", "rest": "b", "big": "a"}, told
    assert [Acting(cluster, cluster.kubeconfig).leftovers() for cluster in (east, west)] == [[], []]
    assert sum(change.endswith("/eviction") for change in fleet.written) == 0


def test_sigterm_ends_a_run_at_a_safe_point_with_a_report(fleet: Fleet, east: Cluster) -> None:
    copies = "/api/v1/namespaces/shop/pods"
    east.api.patch("/apis/apps/v1/namespaces/shop/deployments/small", {"spec": {"minReadySeconds": 60}})
    front = fleet.fronts["east"]
    command: list[Command] = []

    def stop(call: Any) -> None:
        pid = command[0].process.pid
        assert pid is not None
        os.kill(pid, signal.SIGTERM)

    plan = fleet.plan(fleet.policy())
    front.spoil(lambda call: call.changes and call.method == "POST" and call.path == copies, after=stop)

    command.append(fleet.start("apply", str(plan), "--policy", fleet.policy()))
    code = command[0].end()

    assert code == 3, command[0].told
    assert "stopped by SIGTERM" in command[0].told
    assert Acting(east, east.kubeconfig).leftovers() == []
    assert where(east)["small"] == "a"


def test_recover_says_what_it_found_and_what_it_did(fleet: Fleet, east: Cluster) -> None:
    assert fleet.call("recover") == (0, "nothing to recover in east, west\n")

    (small,) = Acting(east, east.kubeconfig).pods("small")
    marks = {"fleet.descheduler.io/run": "dead", "fleet.descheduler.io/previous-deletion-cost": "5"}
    marks["controller.kubernetes.io/pod-deletion-cost"] = "-2147483648"
    pod = f"/api/v1/namespaces/shop/pods/{small['metadata']['name']}"
    east.api.patch(pod, {"metadata": {"annotations": marks}})

    code, told = fleet.call("recover", "--lease-duration", "2s")

    assert (code, told) == (0, f"left by an interrupted run: east/shop/{small['metadata']['name']}: recovered\n")
    assert east.api.get(pod)["metadata"]["annotations"] == {"controller.kubernetes.io/pod-deletion-cost": "5"}


def test_a_realistic_cluster_gets_its_waiting_pods_placed_and_comes_to_rest(east: Cluster, binaries: Binaries, tmp_path: Path) -> None:
    bring_to_life(east, ROOT / "examples" / "realistic" / "edge", as_recorded=True)
    with proxy(east) as front:
        fleet = Fleet(tmp_path, binaries, {"east": front})
        policy = fleet.policy(limits={"perWindow": []}, cooldown={"perWorkload": "0s", "backoffMax": "24h"})

        before = waiting_pods(east)
        plan = json.loads(fleet.plan(policy).read_text())
        code, told = fleet.call("apply", str(tmp_path / "plan.json"), "--policy", policy)

        certain = [placed for placed in plan["placements"] if not placed["contested"]]
        assert plan["moves"]
        assert certain
        assert code == 0 or len(certain) < len(plan["placements"]), told  # only what the plan called contested may be lost
        promised = Counter(workload_of(placed["pod"]) for placed in certain)
        assert promised - (before - waiting_pods(east)) == Counter(), told

        for _ in range(4):
            code, told = fleet.call("run", "--policy", policy, "--workers", "1")
            assert code in (0, 3), told
            if "nothing to do" in told:
                break
        assert "nothing to do" in told
        assert Acting(east, east.kubeconfig).leftovers() == []


def waiting_pods(cluster: Cluster) -> Counter[str]:
    """How many pods of each workload wait."""
    return Counter(workload_of(pod["metadata"]) for pod in cluster.api.items("/api/v1/pods") if "nodeName" not in pod["spec"])


def workload_of(pod: Object) -> str:
    """Namespace and name of the workload, as the name of its pod tells."""
    return f"{pod['namespace']}/{pod['name'].rpartition('-')[0]}"
