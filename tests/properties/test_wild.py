"""The random fleets hold what they promise: every field that fit depends on occurs, and equal seeds are equal fleets."""

from __future__ import annotations

import json

import pytest

from tests.properties.wild import a_wild_fleet, a_wilder_fleet

PLAIN = (
    "podAntiAffinity",
    "topologySpreadConstraints",
    "taints",
    "unschedulable",
    "nvidia.com/gpu",
    "deletionTimestamp",
    "PodDisruptionBudget",
)
HARDER = (
    *("hostPort", "hostIP", "hostNetwork", "podAffinity", "namespaceSelector", "namespaces", "matchLabelKeys", "mismatchLabelKeys"),
    *(
        "minDomains",
        "nodeAffinityPolicy",
        "nodeTaintsPolicy",
        "matchFields",
        "Gt",
        "tolerationSeconds",
        "ephemeral-storage",
        "hugepages-2Mi",
    ),
    *("overhead", "runtimeClassName", "initContainers", "PodResizePending", "allocatedResources", "limits", "priorityClassName"),
    *("ignoredResources", "ignoredResourceGroups", "addedAffinity", "defaultConstraints"),
    *("profiles", "batch", "template", "fleet.descheduler.io/pin", "ToBeDeletedByClusterAutoscaler", "karpenter.sh/disrupted"),
    *("nominatedNodeName", "ResourceQuota", "scopes", "scopeSelector", "PersistentVolumeClaim", "PersistentVolume", "StorageClass"),
    *("allowedTopologies", "volume.kubernetes.io/selected-node", "CSIStorageCapacity", "CSINode", "VolumeAttachment", "ReadWriteOncePod"),
    *("volumeClaimTemplate", "gcePersistentDisk", "activeDeadlineSeconds", "PreferNoSchedule"),
)
PLAIN_FLEETS = json.dumps([a_wild_fleet(seed).clusters for seed in range(40)])
HARDER_FLEETS = json.dumps([[wild.clusters, wild.fleet] for wild in map(a_wilder_fleet, range(80))])


@pytest.mark.parametrize("word", PLAIN)
def test_a_plain_fleet_has(word: str) -> None:
    assert f'"{word}"' in PLAIN_FLEETS


@pytest.mark.parametrize("word", HARDER)
def test_only_a_harder_fleet_has(word: str) -> None:
    assert f'"{word}"' in HARDER_FLEETS
    assert f'"{word}"' not in PLAIN_FLEETS or word in ("minDomains", "nodeTaintsPolicy")


def test_equal_seeds_are_equal_fleets() -> None:
    assert json.dumps(a_wilder_fleet(3).clusters) == json.dumps(a_wilder_fleet(3).clusters)
    assert a_wilder_fleet(3).policy == a_wilder_fleet(3).policy


def test_the_harder_fleet_has_the_pods_and_nodes_of_the_plain_one() -> None:
    def names(clusters: dict[str, list[dict[str, object]]]) -> list[object]:
        return [each["metadata"] for objects in clusters.values() for each in objects if each["kind"] in ("Pod", "Node")]

    plain, harder = names(a_wild_fleet(3).clusters), names(a_wilder_fleet(3).clusters)

    assert [each["uid"] for each in plain if isinstance(each, dict)] == [each["uid"] for each in harder if isinstance(each, dict)]
