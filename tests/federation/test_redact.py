"""What is left of an object when it is written down: all that planning reads, and nothing else of note."""

from __future__ import annotations

import json
from typing import Any

import pytest

from descheduler.federation.convert import cluster_from_objects
from descheduler.federation.kinds import KINDS
from descheduler.federation.kube_lists import LISTS
from descheduler.federation.redact import KEPT, redacted
from tests.federation.telling import SECRET, everything_that_matters
from tests.raw import Json, owner_json, pod_json


def test_redaction_keeps_every_field_the_conversion_reads() -> None:
    """Of each object: what it becomes whole and redacted. Nothing here may be without effect, or it would prove nothing."""
    objects = everything_that_matters()
    versions = {listing.kind: listing.api_version for listing in LISTS}
    bare = [redacted(raw, raw["kind"], versions[raw["kind"]]) for raw in objects]

    before, _ = cluster_from_objects("east", objects)
    after, _ = cluster_from_objects("east", bare)

    assert [pod for pod, other in zip(after.pods, before.pods, strict=True) if pod != other] == []
    assert after == before
    assert (len(before.scale_ups), len(before.budgets)) == (4, 2)
    assert {pod.ref.name: pod.waits_for_claim is None for pod in before.pods if pod.ref.name.startswith("claims")} == {
        **dict.fromkeys(("claims-bound", "claims-late", "claims-chosen", "claims-own", "claims-static", "claims-old", "claims-beta"), True),
        **dict.fromkeys(("claims-memory", "claims-disk", "claims-host"), True),
        **dict.fromkeys(("claims-lost", "claims-leaving"), False),
    }
    assert {pod.spec.opaque is None for pod in before.pods if pod.ref.name.startswith("opaque")} == {False}
    asked = {pod.ref.name: pod.spec for pod in before.pods}
    assert {demand.plugin for demand in asked["claims-bound"].node_demands} == {"VolumeBinding", "VolumeZone"}
    assert (asked["claims-bound"].exclusive_claims, asked["claims-bound"].requests["volumes:p"]) == (("shop/bound",), 1)
    assert [len(asked[name].node_demands) for name in ("claims-late", "claims-beta")] == [2, 2]  # its class, its size
    assert {asked[f"claims-{name}"].opaque for name in ("static", "old")} == {
        "spec.volumes[].persistentVolumeClaim: a PersistentVolume of class static may be bound to it",
        "spec.volumes[].persistentVolumeClaim: its PersistentVolume is of the old kind awsElasticBlockStore",
    }
    assert before.nodes[0].allocatable["volumes:p"] == 7
    assert before.quotas[0].left == (("limits.cpu", 4000), ("pods", 3))
    limited = asked["limited"]
    assert (limited.terminating_scope, limited.best_effort, limited.limits["cpu"], limited.priority_class) == (True, True, 2000, "high")


def test_every_kind_that_is_read_has_its_table() -> None:
    assert KEPT.keys() == KINDS.keys()


def test_a_kind_without_a_table_is_only_named() -> None:
    raw: Json = {"metadata": {"name": "x", "annotations": {"a": SECRET}}, "spec": {"a": SECRET}, "data": SECRET}

    assert redacted(raw, "Rollout", "example/v1") == {"apiVersion": "example/v1", "kind": "Rollout", "metadata": {"name": "x"}}


@pytest.mark.parametrize("odd", [None, 7, SECRET, [SECRET], {"containers": SECRET}, {"containers": [SECRET, None]}])
def test_what_has_an_unexpected_shape_is_left_out(odd: Any) -> None:
    told = json.dumps(redacted({"metadata": odd, "spec": odd, "status": odd}, "Pod", "v1"))

    assert SECRET not in told


def test_the_controller_of_a_pod_and_its_mirror_mark_are_kept() -> None:
    notes = {"kubernetes.io/config.mirror": "hash"}
    raw = pod_json("x", on="n1", owner=owner_json("ReplicaSet", "rs"), annotations=notes)

    meta = redacted(raw, "Pod", "v1")["metadata"]

    assert meta["ownerReferences"] == [owner_json("ReplicaSet", "rs")]
    assert meta["annotations"] == notes
