"""Nodes: what they give, whether they are open, and why not."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.domain.resources import Resources
from descheduler.domain.selectors import Taint
from tests.federation.reading import read_oddly, the_node
from tests.raw import node_json, taint_json


def test_a_ready_node() -> None:
    node = the_node(
        node_json("n1", cpu="3920m", memory="8Gi", allocatable={"nvidia.com/gpu": "2"}, zone="a", taints=[taint_json("gpu", "yes")])
    )

    assert node.allocatable == Resources({"cpu": 3920, "memory": 8 * 2**30, "pods": 110, "nvidia.com/gpu": 2})
    assert dict(node.labels) == {"kubernetes.io/hostname": "n1", "topology.kubernetes.io/zone": "a"}
    assert node.taints == (Taint("gpu", "yes"),)
    assert (node.ready, node.unschedulable, node.closed) == (True, False, None)


def test_a_node_is_ready_only_if_it_says_so() -> None:
    silent = node_json("n1")
    silent["status"]["conditions"] = []

    assert not the_node(node_json("n1", ready=False)).ready
    assert not the_node(silent).ready


def test_a_cordoned_node_is_unschedulable() -> None:
    assert the_node(node_json("n1", unschedulable=True)).unschedulable


@pytest.mark.parametrize(
    ("key", "effect"),
    [
        ("ToBeDeletedByClusterAutoscaler", "NoSchedule"),
        ("DeletionCandidateOfClusterAutoscaler", "PreferNoSchedule"),
        ("karpenter.sh/disrupted", "NoSchedule"),
        ("karpenter.sh/disruption", "NoSchedule"),
    ],
)
def test_a_node_about_to_go_is_no_destination(key: str, effect: str) -> None:
    assert the_node(node_json("n1", taints=[taint_json(key, "1", effect)])).closed == f"marked for scale-down ({key})"


def test_a_node_being_deleted_is_no_destination() -> None:
    assert the_node(node_json("n1", metadata={"deletionTimestamp": "2026-11-23T11:00:00Z"})).closed == "being deleted"


@pytest.mark.parametrize(
    ("allocatable", "closed"),
    [
        (None, "status.allocatable: missing"),
        ({}, "status.allocatable: missing"),
        ("4", "status.allocatable: '4', expected an object"),
        ({"cpu": "four"}, "status.allocatable.cpu: 'four' is not a quantity"),
        ({"cpu": "-1"}, "status.allocatable.cpu: '-1' is negative"),
        ({"memory": "1e30"}, "status.allocatable.memory: beyond int64"),
    ],
)
def test_a_node_whose_allocatable_cannot_be_read_is_no_destination(allocatable: Any, closed: str) -> None:
    raw = node_json("n1")
    raw["status"]["allocatable"] = allocatable

    cluster, odd = read_oddly(raw)

    assert cluster.nodes[0].closed == closed
    assert odd == [("Node n1", closed)]


def test_a_node_that_cannot_be_read_is_still_there() -> None:
    cluster, odd = read_oddly({"kind": "Node", "metadata": {"name": "n1"}, "status": []})

    assert cluster.nodes[0].closed is not None
    assert not cluster.nodes[0].ready
    assert odd


def test_a_node_whose_annotations_cannot_be_read_is_left_alone() -> None:
    raw = node_json("n1")
    raw["metadata"]["annotations"] = ["fleet.descheduler.io/do-not-disrupt"]

    cluster, _ = read_oddly(raw)

    assert dict(cluster.nodes[0].annotations)["fleet.descheduler.io/do-not-disrupt"] == "true"
