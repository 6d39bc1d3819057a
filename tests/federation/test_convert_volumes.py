"""Whether a waiting pod waits for a claim rather than for room, in kube-scheduler's words."""

from __future__ import annotations

from typing import Any

import pytest

from tests.federation.reading import the_pod
from tests.raw import meta_json, pod_json

WAITING = pod_json("cart", volumes=[{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}])
EPHEMERAL = pod_json("cart", volumes=[{"name": "data", "ephemeral": {}}])


def claim(
    name: str = "data", *, phase: str = "Bound", storage_class: str = "fast", metadata: dict[str, Any] | None = None, **spec: Any
) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": meta_json(name, namespace="shop") | (metadata or {}),
        "spec": {"storageClassName": storage_class, **spec},
        "status": {"phase": phase},
    }


def storage_class(mode: str) -> dict[str, Any]:
    return {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": "fast"}, "volumeBindingMode": mode}


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ([claim("other")], 'persistentvolumeclaim "data" not found'),
        ([claim(metadata={"deletionTimestamp": "2026-11-23T11:00:00Z"})], 'persistentvolumeclaim "data" is being deleted'),
        ([claim(phase="Lost")], 'persistentvolumeclaim "data" bound to non-existent persistentvolume'),
        ([claim(phase="Pending"), storage_class("Immediate")], 'unbound immediate persistentvolumeclaim "data"'),
        ([claim(phase="Pending"), storage_class("WaitForFirstConsumer")], None),
        ([claim(phase="Pending", metadata={"annotations": {"volume.kubernetes.io/selected-node": "n1"}})], None),
        ([claim()], None),
    ],
)
def test_a_waiting_pod_says_what_is_wrong_with_its_claim(objects: list[dict[str, Any]], why: str | None) -> None:
    assert the_pod(WAITING, *objects).waits_for_claim == why


def test_an_ephemeral_claim_must_be_the_pods_own() -> None:
    mine = claim(
        "cart-data", metadata={"ownerReferences": [{"kind": "Pod", "name": "cart", "uid": "uid-pod-shop-cart", "controller": True}]}
    )

    assert the_pod(EPHEMERAL, mine).waits_for_claim is None
    assert the_pod(EPHEMERAL, claim("cart-data")).waits_for_claim == 'persistentvolumeclaim "cart-data" was not created for the pod'
    assert "waiting for ephemeral volume controller" in str(the_pod(EPHEMERAL, claim("other")).waits_for_claim)


def test_a_bound_pod_waits_for_no_claim() -> None:
    assert the_pod(pod_json("cart", on="n1", volumes=WAITING["spec"]["volumes"]), claim("other")).waits_for_claim is None


def test_nothing_is_said_about_claims_nobody_read() -> None:
    pod = the_pod(WAITING)

    assert pod.waits_for_claim is None
    assert pod.spec.opaque == "spec.volumes[].persistentVolumeClaim"
