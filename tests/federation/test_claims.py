"""What a pod's claims ask of a node and when they can be had at all, in kube-scheduler's words: truth tables of kubernetes.md 3.8."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.domain.objects import Pod, Volume
from descheduler.domain.selectors import NodeDemand
from tests.federation.reading import read, read_oddly, the_pod
from tests.raw import Json, pod_json
from tests.raw_storage import capacity_json, claim_json, class_json, csi_driver_json, csi_node_json, volume_json

CLAIM = "spec.volumes[].persistentVolumeClaim"
EPHEMERAL = "spec.volumes[].ephemeral"
ZONE, REGION = "topology.kubernetes.io/zone", "topology.kubernetes.io/region"
BETA_ZONE = "failure-domain.beta.kubernetes.io/zone"
HOST = "kubernetes.io/hostname"

MOUNTED: list[Json] = [{"name": "data", "persistentVolumeClaim": {"claimName": "data"}}]
WAITING = pod_json("cart", volumes=MOUNTED)
RUNNING = pod_json("cart", on="n1", volumes=MOUNTED)
OWN = pod_json("cart", volumes=[{"name": "data", "ephemeral": {}}])
CSI: list[Json] = [csi_node_json("n1", csi_example=None), csi_driver_json()]
OWNED = {"ownerReferences": [{"kind": "Pod", "name": "cart", "uid": "uid-pod-shop-cart", "controller": True}]}


def label(key: str, *values: str, operator: str = "In") -> Json:
    return {"key": key, "operator": operator, "values": list(values)} if values else {"key": key, "operator": operator}


def in_zone(*zones: str) -> Json:
    return {"matchExpressions": [label(ZONE, *zones)]}


def demands(*objects: Json) -> tuple[NodeDemand, ...]:
    """Of a pod that is modelled exactly."""
    pod = the_pod(*objects)
    assert pod.waits_for_claim is None
    assert pod.spec.opaque is None
    return pod.spec.node_demands


def why_not(pod: Pod, **labels: str) -> list[str]:
    """The words of all plugins that refuse a node ``n1`` with these labels (``_`` for the characters a name cannot have)."""
    told = {{"zone": ZONE, "region": REGION, "beta_zone": BETA_ZONE}.get(key, key): value for key, value in labels.items()}
    return [f"{demand.plugin}: {demand.reason}" for demand in pod.spec.node_demands if not demand.met(told, "n1")]


# Whether a claim can be had at all.


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ([claim_json("other", volume="v")], 'persistentvolumeclaim "data" not found'),
        (
            [claim_json("data", volume="v", metadata={"deletionTimestamp": "2026-11-23T11:00:00Z"})],
            'persistentvolumeclaim "data" is being deleted',
        ),
        ([claim_json("data", volume="v", phase="Lost")], 'persistentvolumeclaim "data" bound to non-existent persistentvolume "v"'),
        ([claim_json("data"), class_json(late=False)], "pod has unbound immediate PersistentVolumeClaims"),
        ([claim_json("data"), class_json("other")], "pod has unbound immediate PersistentVolumeClaims"),
        ([claim_json("data", storage_class="")], "pod has unbound immediate PersistentVolumeClaims"),
        ([claim_json("data", selected="n1"), class_json(late=False)], "pod has unbound immediate PersistentVolumeClaims"),
        ([claim_json("data", volume="v", completed=False), class_json()], "pod has unbound immediate PersistentVolumeClaims"),
        ([claim_json("data", completed=True), class_json(late=False)], "pod has unbound immediate PersistentVolumeClaims"),
        ([claim_json("data", volume="v"), volume_json("w")], 'persistentvolume "v" not found'),
        (
            [claim_json("data"), class_json(provisioner="kubernetes.io/no-provisioner"), volume_json("w", claim="theirs")],
            "node(s) didn't find available persistent volumes to bind",
        ),
        ([claim_json("data", volume="v"), volume_json("v"), *CSI], None),
        ([claim_json("data", volume="v", phase="Pending"), volume_json("v"), *CSI], None),
        ([claim_json("data"), class_json(), volume_json("w", claim="theirs"), *CSI], None),
        ([claim_json("data"), class_json(), volume_json("w", metadata={"deletionTimestamp": "2026-11-23T11:00:00Z"}), *CSI], None),
    ],
)
def test_a_waiting_pod_says_what_is_wrong_with_its_claim(objects: list[Json], why: str | None) -> None:
    assert the_pod(WAITING, *objects).waits_for_claim == why
    assert the_pod(RUNNING, *objects).waits_for_claim is None
    assert the_pod(RUNNING, *objects).spec.opaque == (f"{CLAIM}: {why}" if why else None)


def test_the_first_plugin_that_objects_is_the_one_that_is_told() -> None:
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in ("leaving", "gone")]
    volumes.insert(0, {"name": "own", "ephemeral": {}})
    leaving = claim_json("leaving", volume="v", metadata={"deletionTimestamp": "2026-11-23T11:00:00Z"})

    def said(*objects: Json) -> str | None:
        return the_pod(pod_json("cart", volumes=volumes), leaving, *objects).waits_for_claim

    assert said() == 'persistentvolumeclaim "gone" not found'
    assert said(claim_json("gone")) == 'waiting for ephemeral volume controller to create the persistentvolumeclaim "cart-own"'
    assert said(claim_json("gone"), claim_json("cart-own", metadata=OWNED)) == 'persistentvolumeclaim "leaving" is being deleted'


def test_an_ephemeral_claim_must_be_the_pods_own() -> None:
    theirs = "PVC shop/cart-data was not created for pod shop/cart (pod is not owner)"

    assert the_pod(OWN, claim_json("cart-data", volume="v", metadata=OWNED), volume_json("v"), *CSI).waits_for_claim is None
    assert the_pod(OWN, claim_json("cart-data", volume="v"), volume_json("v"), *CSI).waits_for_claim == theirs


# A bound claim.


@pytest.mark.parametrize(
    ("terms", "here", "fits"),
    [
        (None, {}, True),
        ([in_zone("a")], {"zone": "a"}, True),
        ([in_zone("a")], {"zone": "b"}, False),
        ([in_zone("a")], {}, False),
        ([in_zone("a"), in_zone("b")], {"zone": "b"}, True),
        ([in_zone("a") | {"matchFields": [label("metadata.name", "n2")]}], {"zone": "a"}, True),
        ([{"matchFields": [label("metadata.name", "n2")]}], {}, True),
        ([{"matchExpressions": [label("cores", "many", operator="Gt")]}], {"cores": "9"}, False),
        ([{"matchExpressions": [label("cores", "8", operator="Gt")]}], {"cores": "9"}, True),
        ([{}], {"zone": "a"}, False),
        ([], {"zone": "a"}, False),
    ],
)
def test_a_bound_volume_wants_the_nodes_of_its_own_affinity(terms: list[Json] | None, here: dict[str, str], fits: bool) -> None:
    pod = the_pod(WAITING, claim_json("data", volume="v"), volume_json("v", terms=terms), *CSI)

    assert why_not(pod, **here) == ([] if fits else ["VolumeBinding: node(s) didn't match PersistentVolume's node affinity"])


@pytest.mark.parametrize(
    ("labels", "here", "fits"),
    [
        ({ZONE: "a"}, {}, True),
        ({ZONE: "a"}, {"pool": "x"}, True),
        ({ZONE: "a"}, {"zone": "a"}, True),
        ({ZONE: "a"}, {"zone": "b"}, False),
        ({ZONE: "a"}, {"region": "a"}, False),
        ({ZONE: "a"}, {"beta_zone": "a"}, False),
        ({BETA_ZONE: "a"}, {"zone": "a"}, True),
        ({BETA_ZONE: "a"}, {"beta_zone": "a"}, True),
        ({BETA_ZONE: "a"}, {"beta_zone": "b", "zone": "a"}, False),
        ({ZONE: "a__ b"}, {"zone": "b"}, True),
        ({ZONE: "a__b"}, {"zone": "c"}, False),
        ({ZONE: "a__"}, {"zone": "c"}, True),
        ({ZONE: "a", REGION: "r"}, {"zone": "a", "region": "s"}, False),
        ({ZONE: "a", REGION: "r"}, {"zone": "a", "region": "r"}, True),
    ],
)
def test_a_bound_volume_stays_in_the_zones_of_its_labels(labels: dict[str, str], here: dict[str, str], fits: bool) -> None:
    pod = the_pod(WAITING, claim_json("data", volume="v"), volume_json("v", labels=labels), *CSI)

    assert why_not(pod, **here) == ([] if fits else ["VolumeZone: node(s) had no available volume zone"])


def test_the_zone_labels_of_an_ephemeral_volume_are_not_looked_at() -> None:
    bound = claim_json("cart-data", volume="v", metadata=OWNED)

    assert demands(OWN, bound, volume_json("v", labels={ZONE: "a"}), *CSI) == ()


def test_every_bound_claim_asks_for_itself_and_equal_demands_are_one() -> None:
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": name}} for name in ("one", "two", "three")]
    claims = [claim_json(name, volume=f"v-{name}") for name in ("one", "two", "three")]
    found = [
        volume_json("v-one", terms=[in_zone("a")]),
        volume_json("v-two", terms=[in_zone("a")]),
        volume_json("v-three", terms=[in_zone("b")]),
    ]

    assert len(demands(pod_json("cart", volumes=volumes), *claims, *found, *CSI)) == 2


def test_a_volume_of_no_csi_driver_needs_no_csi_objects() -> None:
    pod = the_pod(WAITING, claim_json("data", volume="v"), volume_json("v", driver="", local={"path": "/x"}, terms=[in_zone("a")]))

    assert pod.spec.opaque is None
    assert why_not(pod, zone="b") == ["VolumeBinding: node(s) didn't match PersistentVolume's node affinity"]


# A claim that is bound where its pod goes.

NEW = [claim_json("data"), volume_json("w", claim="theirs"), *CSI]
TRACKING = [claim_json("data", size="10Gi"), volume_json("w", claim="theirs"), CSI[0], csi_driver_json(storageCapacity=True), class_json()]


def test_a_selected_node_is_the_only_one() -> None:
    pod = the_pod(WAITING, claim_json("data", selected="n2"), *NEW[1:], class_json())

    assert why_not(pod) == ["VolumeBinding: node(s) didn't find available persistent volumes to bind"]
    assert why_not(the_pod(WAITING, claim_json("data", selected="n1"), *NEW[1:], class_json())) == []


@pytest.mark.parametrize(
    ("topologies", "here", "fits"),
    [
        (None, {}, True),
        ([], {}, True),
        ([{"matchLabelExpressions": [{"key": ZONE, "values": ["a", "b"]}]}], {"zone": "b"}, True),
        ([{"matchLabelExpressions": [{"key": ZONE, "values": ["a", "b"]}]}], {"zone": "c"}, False),
        ([{"matchLabelExpressions": [{"key": ZONE, "values": ["a"]}, {"key": "pool", "values": ["x"]}]}], {"zone": "a"}, False),
        ([{"matchLabelExpressions": []}, {"matchLabelExpressions": [{"key": "pool", "values": ["x"]}]}], {"pool": "x"}, True),
        ([{"matchLabelExpressions": []}], {"pool": "x"}, False),
    ],
)
def test_a_volume_is_provisioned_where_its_class_allows(topologies: Any, here: dict[str, str], fits: bool) -> None:
    pod = the_pod(WAITING, *NEW, class_json(allowedTopologies=topologies))

    assert why_not(pod, **here) == ([] if fits else ["VolumeBinding: node(s) didn't find available persistent volumes to bind"])


@pytest.mark.parametrize(
    ("capacities", "here", "fits"),
    [
        ([capacity_json("c", topology={"matchLabels": {"zone": "a"}})], {"zone": "a"}, True),
        ([capacity_json("c", topology={"matchLabels": {"zone": "a"}})], {"zone": "b"}, False),
        ([capacity_json("c", topology={"matchLabels": {"zone": "a"}}, capacity="10Gi")], {"zone": "a"}, True),
        ([capacity_json("c", topology={"matchLabels": {"zone": "a"}}, capacity="9.99Gi")], {"zone": "a"}, False),
        ([capacity_json("c", topology={"matchLabels": {"zone": "a"}}, maximumVolumeSize="1Gi")], {"zone": "a"}, False),
        ([capacity_json("c", topology={"matchLabels": {"zone": "a"}}, capacity="1Gi", maximumVolumeSize="10Gi")], {"zone": "a"}, True),
        ([capacity_json("c", topology={"matchLabels": {"zone": "a"}}, capacity=None)], {"zone": "a"}, False),
        ([capacity_json("c", topology={"matchLabels": {"zone": "a"}}, storage_class="slow")], {"zone": "a"}, False),
        ([capacity_json("c", topology={"matchExpressions": [label("zone", "b", operator="NotIn")]})], {"zone": "a"}, True),
        ([capacity_json("c", topology={})], {"zone": "a"}, True),
        ([capacity_json("c", topology=None)], {"zone": "a"}, False),
        ([capacity_json("c", topology={"matchLabels": {"zone": z}}) for z in "ab"], {"zone": "b"}, True),
    ],
)
def test_a_volume_is_provisioned_where_enough_storage_is_left(capacities: list[Json], here: dict[str, str], fits: bool) -> None:
    pod = the_pod(WAITING, *TRACKING, *capacities)
    told = {demand.reason for demand in pod.spec.node_demands if not demand.met(here, "n1")}

    assert pod.spec.opaque is None
    assert told == (set() if fits else {"node(s) did not have enough free storage"})


def test_storage_is_only_counted_for_drivers_that_count_it() -> None:
    nowhere = capacity_json("c", topology=None)

    assert demands(WAITING, *NEW, class_json(), nowhere) == ()
    assert demands(WAITING, *NEW, class_json(provisioner="nfs.example"), nowhere) == ()
    assert demands(WAITING, claim_json("data", resources={}), *TRACKING[1:], nowhere) == ()


def test_a_running_pods_ephemeral_volume_is_provisioned_anew_for_its_replacement() -> None:
    running = pod_json("cart", on="n1", volumes=OWN["spec"]["volumes"])
    bound = claim_json("cart-data", volume="v", metadata=OWNED)
    here = [bound, volume_json("v", claim="cart-data", terms=[in_zone("a")]), *CSI]
    topologies = [{"matchLabelExpressions": [{"key": ZONE, "values": ["a", "b"]}]}]

    pod = the_pod(running, *here, class_json(allowedTopologies=topologies))

    assert pod.spec.opaque is None
    assert why_not(pod, zone="b") == []
    assert why_not(pod, zone="c") == ["VolumeBinding: node(s) didn't find available persistent volumes to bind"]
    assert (
        the_pod(running, *here, class_json(late=False)).spec.opaque
        == f"{EPHEMERAL}: its replacement gets a claim that is bound before the pod has a node"
    )


# Who else may have it.


@pytest.mark.parametrize(
    ("modes", "shared", "exclusive"),
    [
        (["ReadWriteOnce"], False, ()),
        (["ReadWriteMany"], True, ()),
        (["ReadOnlyMany", "ReadWriteMany"], True, ()),
        (["ReadWriteOnce", "ReadWriteMany"], False, ()),
        (["ReadWriteOncePod"], False, ("shop/data",)),
        ([], False, ()),
    ],
)
def test_access_modes_say_who_else_may_mount_it(modes: list[str], shared: bool, exclusive: tuple[str, ...]) -> None:
    for mounting in (WAITING, RUNNING):
        pod = the_pod(mounting, claim_json("data", volume="v", modes=modes), volume_json("v"), *CSI)

        assert pod.volumes == (Volume("data", "persistentVolumeClaim", "data", shared),)
        assert pod.spec.exclusive_claims == exclusive


def test_the_claim_of_an_ephemeral_volume_is_named_and_never_exclusive() -> None:
    bound = claim_json("cart-data", volume="v", modes=["ReadWriteOncePod"], metadata=OWNED)
    pod = the_pod(OWN, bound, volume_json("v"), *CSI)

    assert pod.volumes == (Volume("data", "ephemeral", "cart-data"),)
    assert pod.spec.exclusive_claims == ()


# What is not known or not modelled.


BOUND, VOLUME = claim_json("data", volume="v"), volume_json("v")


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ([], "its PersistentVolumeClaim is missing"),
        ([BOUND, *CSI], "its PersistentVolume is missing"),
        ([claim_json("data"), volume_json("w", claim="theirs"), *CSI], "its StorageClass is missing"),
        ([claim_json("data"), class_json(), *CSI], "the PersistentVolume objects are missing"),
        ([*TRACKING], "the CSIStorageCapacity objects of csi.example are missing"),
        ([claim_json("data"), class_json(), volume_json("w"), *CSI], "a PersistentVolume of class fast may be bound to it"),
        ([claim_json("data"), class_json(), volume_json("w", claim="data"), *CSI], "a PersistentVolume of class fast may be bound to it"),
        (
            [BOUND, volume_json("v", driver="", awsElasticBlockStore={}), *CSI],
            "its PersistentVolume is of the old kind awsElasticBlockStore",
        ),
        ([BOUND, volume_json("v", driver="", vsphereVolume={}), *CSI], "its PersistentVolume is of the old kind vsphereVolume"),
    ],
)
def test_what_is_missing_or_not_modelled_is_named(objects: list[Json], why: str) -> None:
    for mounting in (WAITING, RUNNING):
        pod = the_pod(mounting, *objects)

        assert pod.waits_for_claim is None
        assert pod.spec.opaque == f"{CLAIM}: {why}"


@pytest.mark.parametrize("kind", ["CSINode", "CSIDriver", "VolumeAttachment"])
def test_what_may_limit_volumes_is_empty_when_absent_and_unknown_when_it_could_not_be_listed(kind: str) -> None:
    objects = [BOUND, VOLUME, csi_node_json("n1", csi_example=3)]

    for mounting in (WAITING, RUNNING):
        assert the_pod(mounting, *objects).spec.opaque is None
        assert the_pod(mounting, *objects, unread=(kind,)).spec.opaque == f"{CLAIM}: the {kind} objects are missing"


@pytest.mark.parametrize(
    ("objects", "why"),
    [
        ([claim_json("data", volume="v", accessModes="all"), VOLUME, *CSI], "its PersistentVolumeClaim cannot be read"),
        ([claim_json("data", size="much", volume="v"), VOLUME, *CSI], "its PersistentVolumeClaim cannot be read"),
        ([BOUND, volume_json("v", nodeAffinity=[]), *CSI], "its PersistentVolume cannot be read"),
        ([claim_json("data"), class_json(volumeBindingMode="Never"), *NEW[1:]], "its StorageClass cannot be read"),
        ([*TRACKING[:3], csi_driver_json(storageCapacity="yes"), class_json()], "the CSIDriver csi.example cannot be read"),
    ],
)
def test_what_cannot_be_read_is_not_taken_as_missing(objects: list[Json], why: str) -> None:
    cluster, odd = read_oddly(WAITING, *objects)

    assert cluster.pods[0].spec.opaque == f"{CLAIM}: {why}"
    assert cluster.pods[0].waits_for_claim is None
    assert len(odd) == 1


def test_a_capacity_that_cannot_be_read_counts_for_nothing() -> None:
    cluster, odd = read_oddly(WAITING, *TRACKING, capacity_json("c", topology={}, capacity="much"))

    assert [demand.terms for demand in cluster.pods[0].spec.node_demands] == [()]
    assert len(odd) == 1


def test_the_beta_annotation_of_a_class_goes_first() -> None:
    old = claim_json("data", storage_class="slow", metadata={"annotations": {"volume.beta.kubernetes.io/storage-class": "fast"}})

    assert the_pod(WAITING, old, class_json(late=False)).waits_for_claim == "pod has unbound immediate PersistentVolumeClaims"
    assert the_pod(WAITING, old, class_json(), volume_json("w", claim="theirs"), *CSI).waits_for_claim is None


def test_inline_csi_volumes_are_nothing_to_the_scheduler_and_old_kinds_are_opaque() -> None:
    csi, old = ({"name": "v", kind: {"driver": "secrets.example"}} for kind in ("csi", "gcePersistentDisk"))

    assert the_pod(pod_json("cart", on="n1", volumes=[csi])).spec.opaque is None
    assert the_pod(pod_json("cart", on="n1", volumes=[old])).spec.opaque == "spec.volumes[].gcePersistentDisk"


def test_pods_of_one_claim_share_one_spec() -> None:
    one, other = read(
        *(pod_json(name, volumes=MOUNTED) for name in ("one", "other")), BOUND, volume_json("v", terms=[in_zone("a")]), *CSI
    ).pods

    assert one.spec is other.spec
