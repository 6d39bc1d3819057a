"""Plans spoilt by what pods mount: where a volume can be had, how many a node takes, who may share one; and lawful likenesses."""

from __future__ import annotations

from copy import deepcopy

from tests.judge.quantities import Body
from tests.judge.tiny import SINCE, Case, Change, also_waiting, both, deployment, node, placement, pod

ZONE = "topology.kubernetes.io/zone"
DRIVER = "csi.example.com"
CLAIM = {"persistentVolumeClaim": {"claimName": "data"}}


def mounts(name: str, volume: Body = CLAIM) -> Change:
    return lambda case: case.get(name)["spec"].update(volumes=[{"name": "data", **volume}])


def claim(name: str = "data", volume: str | None = None, modes: tuple[str, ...] = ("ReadWriteOnce",), **spec: object) -> Body:
    """Bound to ``volume``, or unbound."""
    bound: Body = {"pv.kubernetes.io/bind-completed": "yes"} if volume else {}
    more = {"volumeName": volume} if volume else {}
    return {
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name, "namespace": "shop", "uid": f"u-pvc-{name}", "annotations": bound},
        "spec": {"accessModes": list(modes), "resources": {"requests": {"storage": "10Gi"}}, **more, **spec},
        "status": {"phase": "Bound" if volume else "Pending"},
    }


def volume(name: str = "v", labels: dict[str, str] | None = None, zone: str | None = None) -> Body:
    terms = [{"matchExpressions": [{"key": "zone", "operator": "In", "values": [zone]}]}]
    reach = {"nodeAffinity": {"required": {"nodeSelectorTerms": terms}}} if zone else {}
    return {
        "kind": "PersistentVolume",
        "metadata": {"name": name, "uid": f"u-pv-{name}", "labels": labels or {}},
        "spec": {"csi": {"driver": DRIVER, "volumeHandle": f"h-{name}"}, "claimRef": {"name": "data"}, **reach},
    }


def storage(mode: str = "WaitForFirstConsumer", provisioner: str = DRIVER, zone: str | None = None) -> Body:
    allowed = [{"matchLabelExpressions": [{"key": "zone", "values": [zone]}]}] if zone else None
    body = {"kind": "StorageClass", "metadata": {"name": "fast", "uid": "u-sc"}, "provisioner": provisioner, "volumeBindingMode": mode}
    return body | ({"allowedTopologies": allowed} if allowed else {})


def limit(on: str, count: int | None) -> Body:
    driver = {"name": DRIVER, **({"allocatable": {"count": count}} if count is not None else {})}
    return {"kind": "CSINode", "metadata": {"name": on, "uid": f"u-csi-{on}"}, "spec": {"drivers": [driver]}}


def attached(name: str, on: str) -> Body:
    spec = {"attacher": DRIVER, "nodeName": on, "source": {"persistentVolumeName": name}}
    return {"kind": "VolumeAttachment", "metadata": {"name": f"va-{name}", "uid": f"u-va-{name}"}, "spec": spec}


def big_mounts(*objects: Body, **edit: object) -> Change:
    """big mounts the claim ``data``; the objects exist, ``edit`` changes the claim."""

    def change(case: Case) -> None:
        case.objects += deepcopy(objects)
        mounts("big")(case)
        for key, value in edit.items():
            case.get("data", "PersistentVolumeClaim")[key].update(value)

    return change


def web_mounts(*objects: Body, moved_by: str = "Surge") -> Change:
    def change(case: Case) -> None:
        case.objects += deepcopy(objects)
        mounts("web-1")(case)
        case.policy["protections"] = {"persistentVolumes": False}
        case.plan["moves"][0]["mover"] = moved_by
        case.count()

    return change


def neighbour(name: str = "other", on: str = "n1", volume: Body = CLAIM) -> Change:
    """One more pod, of 1 cpu, with a volume."""

    def change(case: Case) -> None:
        case.objects += [*deployment(name, 1), pod(f"{name}-1", name, "1", on)]
        mounts(f"{name}-1", volume)(case)

    return change


THEIRS: Body = {"persistentVolumeClaim": {"claimName": "theirs"}}
THEIR_VOLUME = (claim("theirs", "w"), volume("w"))
UNBOUND = claim(storageClassName="fast")
NEW_VOLUME: Body = {"ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "fast", "accessModes": ["ReadWriteOnce"]}}}}


def capacity(size: str, zone: str = "a") -> list[Body]:
    driver = {"kind": "CSIDriver", "metadata": {"name": DRIVER, "uid": "u-driver"}, "spec": {"storageCapacity": True}}
    said = {"storageClassName": "fast", "capacity": size, "nodeTopology": {"matchLabels": {"zone": zone}}}
    return [driver, {"kind": "CSIStorageCapacity", "metadata": {"name": "s", "namespace": "x", "uid": "u-cap"}, **said}]


def zoned(labels: dict[str, str]) -> Change:
    """n1 is in zone a by the standard label, big's volume says where it is by labels."""
    return both(
        big_mounts(claim(volume="v"), volume(labels=labels)), lambda case: case.get("n1", "Node")["metadata"]["labels"].update({ZONE: "a"})
    )


def two_share_an_unbound_claim(target: str, zone: str | None = None) -> Change:
    def change(case: Case) -> None:
        big_mounts(UNBOUND, storage(zone=zone))(case)
        case.objects += [*deployment("late", 1), pod("late", "late", "1", created=SINCE)]
        mounts("late")(case)
        case.plan["placements"].append(placement("late", "late", target))
        case.count()

    return change


def an_ephemeral_claim_of(owner: str) -> Change:
    def change(case: Case) -> None:
        refs = [{"kind": "Pod", "name": "big", "uid": owner, "controller": True}]
        case.objects += [claim("big-data", storageClassName="fast"), storage()]
        case.get("big-data", "PersistentVolumeClaim")["metadata"]["ownerReferences"] = refs
        mounts("big", NEW_VOLUME)(case)

    return change


def late_waits(category: str, *objects: Body) -> Change:
    """One more waiting pod, of 3 cpu, that mounts ``data`` and is told as ``category``."""

    def change(case: Case) -> None:
        also_waiting(case, category, "3")
        case.objects += deepcopy(objects)
        mounts("late")(case)
        case.plan["placements"][0]["mover"] = "Surge"  # a copy keeps big's room against late

    return change


SPOILT: dict[str, tuple[Change, str]] = {
    # claims that no pod can wait with
    "a claim that is not there": (big_mounts(), "it may not be placed: claim shop/data is not in the snapshot"),
    "a claim that is being deleted": (
        big_mounts(claim(volume="v"), volume(), metadata={"deletionTimestamp": SINCE}),
        "claim shop/data is being deleted",
    ),
    "a lost claim": (big_mounts(claim(volume="v"), volume(), status={"phase": "Lost"}), "claim shop/data is lost"),
    "a volume that is not there": (big_mounts(claim(volume="v")), "has a volume that is not in the snapshot"),
    "a claim that is bound at once": (big_mounts(UNBOUND, storage("Immediate")), "claim shop/data is unbound"),
    "a claim of an unknown class": (big_mounts(UNBOUND), "of no class that the snapshot has"),
    "a claim that is not bound yet": (
        big_mounts(claim(volumeName="v"), volume()),
        "claim shop/data is not bound yet",
    ),
    "a claim for a volume that somebody made": (
        big_mounts(UNBOUND, storage(provisioner="kubernetes.io/no-provisioner")),
        "may be bound to an existing volume",
    ),
    "an ephemeral volume with another pod's claim": (an_ephemeral_claim_of("u-other"), "claim shop/big-data was not made for the pod"),
    "an inline volume of old": (
        mounts("big", {"gcePersistentDisk": {"pdName": "d"}}),
        "volume data is a gcePersistentDisk",
    ),
    # where a volume can be had
    "a volume of another zone": (big_mounts(claim(volume="v"), volume(zone="b")), "c/n1: claim shop/data has a volume whose node affinity"),
    "a volume labelled with other zones": (zoned({ZONE: "b__c"}), "has a volume in another topology.kubernetes.io/zone"),
    "a volume labelled in the old way": (zoned({"failure-domain.beta.kubernetes.io/zone": "b"}), "has a volume in another failure-domain"),
    "a volume on its way elsewhere": (
        big_mounts(UNBOUND, storage(), metadata={"annotations": {"volume.kubernetes.io/selected-node": "n2"}}),
        "c/n1: claim shop/data is being provisioned for n2",
    ),
    "a class of another zone": (
        big_mounts(UNBOUND, storage(zone="b")),
        "c/n1: claim shop/data may not be provisioned in the node's topology",
    ),
    "storage that is full": (big_mounts(UNBOUND, storage(), *capacity("9Gi")), "c/n1: claim shop/data finds not enough storage capacity"),
    "storage of another zone": (big_mounts(UNBOUND, storage(), *capacity("99Gi", "b")), "finds not enough storage capacity"),
    "a moved pod's volume stays behind": (
        web_mounts(claim(volume="v"), volume(zone="a"), moved_by="Hold"),
        "c/n2: claim shop/data has a volume whose node affinity",
    ),
    # how many a node takes
    "one volume too many": (
        both(big_mounts(claim(volume="v"), volume(), *THEIR_VOLUME, limit("n1", 1)), neighbour(volume=THEIRS)),
        "c/n1: csi.example.com attaches 2 volumes > 1",
    ),
    "a volume that is attached for nobody": (
        big_mounts(claim(volume="v"), volume(), *THEIR_VOLUME, limit("n1", 1), attached("w", "n1")),
        "c/n1: csi.example.com attaches 2 volumes > 1",
    ),
    "a volume yet to be made": (
        both(big_mounts(UNBOUND, storage(), *THEIR_VOLUME, limit("n1", 1)), neighbour(volume=THEIRS)),
        "c/n1: csi.example.com attaches 2 volumes > 1",
    ),
    # who may share one
    "a claim of one pod": (
        both(big_mounts(claim(volume="v", modes=("ReadWriteOncePod",)), volume()), neighbour(on="n3")),
        "claim shop/data is ReadWriteOncePod and c/shop/other-1 has it",
    ),
    "a claim of one node and two copies": (web_mounts(claim(volume="v"), volume()), "claim shop/data cannot be mounted on two nodes"),
    # pods without a place
    "a pod with an unbound claim is Room": (late_waits("Room", UNBOUND, storage("Immediate")), "but NotOurs: claim shop/data is unbound"),
    "a claim alone is no reason": (
        late_waits("NotOurs", claim(volume="v"), volume(zone="z"), limit("n1", 1), attached("v", "n1")),
        "c/shop/late is NotOurs without any reason",
    ),
    "a pod whose volume nobody reaches is Room": (late_waits("Room", claim(volume="v"), volume(zone="z")), "no node ever admits it: Never"),
    "a pod whose volume is at hand is Never": (late_waits("Never", claim(volume="v"), volume(zone="b")), "is Never, but n2 admits it"),
    "a place near the volume is overlooked": (
        both(late_waits("Room", claim(volume="v"), volume(zone="d")), lambda c: c.objects.append(node("n4", 4, "d"))),
        "c/shop/late is unplaced, but fits on c/n4 when the plan is done",
    ),
    "an unbound claim of two": (two_share_an_unbound_claim("n3"), "claim shop/data is bound by c/shop/late, nobody knows where"),
}

LAWFUL: dict[str, Change] = {
    "a pod with an unbound claim is NotOurs": late_waits("NotOurs", UNBOUND, storage("Immediate")),
    "a pod whose volume nobody reaches is Never": late_waits("Never", claim(volume="v"), volume(zone="z")),
    "a pod whose volume is where no room is": late_waits("Room", claim(volume="v"), volume(zone="b")),
    "a volume of the zone": big_mounts(claim(volume="v"), volume(zone="a")),
    "a volume of several zones": zoned({ZONE: "a__b"}),
    "a volume labelled where the node is not": big_mounts(claim(volume="v"), volume(labels={ZONE: "b"})),
    "a volume on its way here": big_mounts(UNBOUND, storage(), metadata={"annotations": {"volume.kubernetes.io/selected-node": "n1"}}),
    "a class of the zone": big_mounts(UNBOUND, storage(zone="a")),
    "storage enough": big_mounts(UNBOUND, storage(), *capacity("10Gi")),
    "its own ephemeral volume": an_ephemeral_claim_of("u-big"),
    "room for two volumes": both(big_mounts(claim(volume="v"), volume(), *THEIR_VOLUME, limit("n1", 2)), neighbour(volume=THEIRS)),
    "volumes without a limit": both(big_mounts(claim(volume="v"), volume(), *THEIR_VOLUME, limit("n1", None)), neighbour(volume=THEIRS)),
    "one volume for two": both(
        big_mounts(claim(volume="v", modes=("ReadWriteMany",)), volume(), limit("n1", 1), attached("v", "n1")), neighbour()
    ),
    "a volume of who has left": both(
        big_mounts(claim(volume="v"), volume(), *THEIR_VOLUME, limit("n1", 1), attached("w", "n1")),
        mounts("web-1", THEIRS),
        lambda c: c.policy.update(protections={"persistentVolumes": False}),
        lambda c: c.plan["moves"][0].update(mover="Hold"),
        Case.count,
    ),
    "a claim of one pod that is held": web_mounts(claim(volume="v", modes=("ReadWriteOncePod",)), volume(), moved_by="Hold"),
    "a claim of many nodes and two copies": web_mounts(claim(volume="v", modes=("ReadWriteMany",)), volume()),
    "an ephemeral volume that is made anew": both(web_mounts(storage(zone="b")), mounts("web-1", NEW_VOLUME)),
    "an unbound claim of two on one node": two_share_an_unbound_claim("n1", zone="a"),
}
