"""What the Fleet file says of a cluster's kube-scheduler: read strictly, honoured in every pod, and written down again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from descheduler.domain.objects import Cluster, Pod
from descheduler.domain.selectors import NodeDemand, NodeSelectorTerm, Requirement
from descheduler.errors import UsageError
from descheduler.federation.fleet_file import read_fleet_file
from descheduler.federation.recorded import RecordedFleet
from descheduler.federation.scheduler import HARD_DEFAULTS, Scheduler
from tests.raw import Json, container_json, node_json, pod_json, workload_json, write_cluster

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
SSD = {"matchExpressions": [{"key": "disk", "operator": "In", "values": ["ssd"]}]}
HARD = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule"}
SOFT = HARD | {"whenUnsatisfiable": "ScheduleAnyway"}


def fleet_yaml(folder: Path, scheduler: Any) -> Path:
    path = folder / "fleet.yaml"
    cluster = {"name": "east", "scheduler": scheduler}
    path.write_text(
        yaml.safe_dump({"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "Fleet", "clusters": [cluster]}, sort_keys=False)
    )
    return path


def said(folder: Path, scheduler: Any) -> Scheduler:
    clusters = read_fleet_file(fleet_yaml(folder, scheduler)).clusters
    assert clusters is not None
    return clusters[0].scheduler


def recorded(folder: Path, scheduler: Json, *objects: Json) -> Cluster:
    fleet_yaml(folder, scheduler)
    write_cluster(folder / "east", node_json("n1"), *objects)
    return RecordedFleet(folder).snapshot().clusters[0]


def the_pod(folder: Path, scheduler: Json, **pod: Any) -> Pod:
    return recorded(folder, scheduler, pod_json("cart", **pod)).pods[0]


def test_everything_it_may_say(tmp_path: Path) -> None:
    told = {
        "profiles": ["default-scheduler", "batch"],
        "ignoredResources": ["example.com/dongle"],
        "ignoredResourceGroups": ["example.org"],
        "defaultConstraints": [SOFT, HARD | {"minDomains": 2, "nodeTaintsPolicy": "Honor"}],
        "addedAffinity": {
            REQUIRED: {"nodeSelectorTerms": [SSD, {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n"]}]}]}
        },
    }

    assert said(tmp_path, told) == Scheduler(
        profiles=("default-scheduler", "batch"),
        ignored=frozenset({"example.com/dongle"}),
        ignored_groups=frozenset({"example.org"}),
        hard_defaults=True,
        added_affinity=(
            NodeSelectorTerm((Requirement("disk", "In", ("ssd",)),)),
            NodeSelectorTerm((), (Requirement("metadata.name", "In", ("n",)),)),
        ),
        told=told,
    )


def test_what_is_not_said_is_as_shipped(tmp_path: Path) -> None:
    assert said(tmp_path, {}) == Scheduler()
    assert Scheduler().plain
    assert said(tmp_path, {"defaultConstraints": [SOFT], "addedAffinity": {}}).plain
    assert recorded(tmp_path, {}, pod_json("cart")).schedulers == ("default-scheduler",)


@pytest.mark.parametrize(
    ("scheduler", "mistakes"),
    [
        ("default", ["scheduler: expected an object with profiles, ignoredResources"]),
        ({"profile": []}, ["scheduler.profile: unknown field, allowed: profiles, ignoredResources"]),
        ({"profiles": "default-scheduler"}, ["scheduler.profiles: expected a list", "scheduler.profiles: names none"]),
        ({"profiles": []}, ["scheduler.profiles: names none; leave it out for default-scheduler"]),
        ({"profiles": [""]}, ["scheduler.profiles[0]: '', expected a scheduler's name"]),
        ({"ignoredResources": ["cpu"]}, ["scheduler.ignoredResources[0]: 'cpu', expected an extended resource"]),
        ({"ignoredResources": ["x.kubernetes.io/y"]}, ["scheduler.ignoredResources[0]: 'x.kubernetes.io/y', expected an extended"]),
        ({"ignoredResourceGroups": ["a", "a/b"]}, ["scheduler.ignoredResourceGroups[1]: 'a/b', expected a group"]),
        ({"defaultConstraints": [{}]}, [f"scheduler.defaultConstraints[0].{n}: missing" for n in HARD]),
        ({"defaultConstraints": [HARD | {"maxSkew": 0}]}, ["scheduler.defaultConstraints[0].maxSkew: '0', expected a whole number of at"]),
        ({"defaultConstraints": [HARD | {"maxSkew": "x"}]}, ["scheduler.defaultConstraints[0].maxSkew: 'x', expected a whole number"]),
        (
            {"defaultConstraints": [HARD | {"whenUnsatisfiable": "Cry"}]},
            ["scheduler.defaultConstraints[0].whenUnsatisfiable: 'Cry', allowed:"],
        ),
        ({"defaultConstraints": [HARD | {"labelSelector": {}}]}, ["scheduler.defaultConstraints[0].labelSelector: unknown field"]),
        ({"defaultConstraints": [HARD, HARD]}, ["scheduler.defaultConstraints[1]: zone DoNotSchedule appears twice"]),
        ({"addedAffinity": {"required": {}}}, ["scheduler.addedAffinity.required: unknown field"]),
        ({"addedAffinity": {REQUIRED: {}}}, [f"scheduler.addedAffinity.{REQUIRED}.nodeSelectorTerms: missing"]),
        (
            {"addedAffinity": {REQUIRED: {"nodeSelectorTerms": [{"matchLabels": {}}]}}},
            [f"scheduler.addedAffinity.{REQUIRED}.nodeSelectorTerms[0].matchLabels: unknown field"],
        ),
        (
            {
                "addedAffinity": {
                    REQUIRED: {"nodeSelectorTerms": [{"matchExpressions": [{"key": "a", "operator": "Like", "values": ["b"]}]}]}
                }
            },
            [f"scheduler.addedAffinity.{REQUIRED}.nodeSelectorTerms[0]: matchExpressions[].operator: 'Like', expected In, NotIn"],
        ),
    ],
)
def test_every_mistake_is_told_with_its_line_and_field(tmp_path: Path, scheduler: Any, mistakes: list[str]) -> None:
    with pytest.raises(UsageError) as raised:
        said(tmp_path, scheduler)

    told = str(raised.value).splitlines()
    assert len(told) == len(mistakes)
    for line, mistake in zip(told, mistakes, strict=True):
        where, _, rest = line.partition(": ")
        assert rest.startswith(f"clusters[0].{mistake}")
        assert where.startswith(f"{tmp_path / 'fleet.yaml'}:")
        assert where.rpartition(":")[2].isdecimal()


def test_its_profiles_are_those_whose_pods_are_ours(tmp_path: Path) -> None:
    assert recorded(tmp_path, {"profiles": ["batch"]}, pod_json("cart")).schedulers == ("batch",)


def test_ignored_resources_are_not_asked_for(tmp_path: Path) -> None:
    ignoring = {"ignoredResources": ["example.com/dongle"], "ignoredResourceGroups": ["example.org", "node.kubernetes.io"]}
    asked = {"cpu": "1", "example.com/dongle": "1", "example.com/other": "2", "example.org/any": "3", "node.kubernetes.io/x": "4"}
    template = {"spec": {"containers": [container_json(requests=asked)]}}
    replica_set = workload_json("ReplicaSet", "cart", template=template)
    hard = {"requests.example.com/dongle": "5"}
    quota: Json = {"kind": "ResourceQuota", "apiVersion": "v1", "metadata": {"name": "q", "namespace": "shop"}}
    quota |= {"spec": {"hard": hard}, "status": {"hard": hard, "used": {"requests.example.com/dongle": "1"}}}

    cluster = recorded(tmp_path, ignoring, pod_json("cart", on="n1", requests=asked, schedulerName="other"), replica_set, quota)

    assert dict(cluster.pods[0].spec.requests) == {"cpu": 1000, "example.com/other": 2, "node.kubernetes.io/x": 4}
    assert dict(cluster.workloads[0].template) == {"cpu": 1000, "example.com/other": 2, "node.kubernetes.io/x": 4}
    assert cluster.quotas[0].unknown == "requests.example.com/dongle: the scheduler ignores it"


def test_added_affinity_is_asked_of_every_node(tmp_path: Path) -> None:
    added = {"addedAffinity": {REQUIRED: {"nodeSelectorTerms": [SSD]}}}
    words = "node(s) didn't match scheduler-enforced node affinity"
    demand = NodeDemand("NodeAffinity", words, (NodeSelectorTerm((Requirement("disk", "In", ("ssd",)),)),))

    assert the_pod(tmp_path, added).spec.node_demands == (demand,)
    assert the_pod(tmp_path, added, on="n1").spec.node_demands == (demand,)
    assert the_pod(tmp_path, added, schedulerName="other").spec.node_demands == ()


@pytest.mark.parametrize(
    ("constraints", "pod", "opaque"),
    [
        ([HARD], {}, True),
        ([SOFT, HARD], {"on": "n1"}, True),
        ([SOFT], {}, False),
        ([HARD], {"topologySpreadConstraints": [HARD | {"labelSelector": {}}]}, False),
        ([HARD], {"topologySpreadConstraints": [SOFT | {"labelSelector": {}}]}, False),
        ([HARD], {"schedulerName": "other"}, False),
    ],
)
def test_hard_default_constraints_are_not_modelled(tmp_path: Path, constraints: list[Json], pod: Json, opaque: bool) -> None:
    assert the_pod(tmp_path, {"defaultConstraints": constraints}, **pod).spec.opaque == (HARD_DEFAULTS if opaque else None)
