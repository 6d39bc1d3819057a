"""Volumes of random fleets: classes, drivers, attach limits, bound claims, and claims that wait for their first consumer.

Nobody provisions anything in these clusters, so the trial does it itself when the scheduler has chosen a node.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.cluster.controlplane.api import Object
from tests.cluster.oracle.fleet import HOSTNAME, NAMESPACES, REGION, ZONE, ZONES, Fleet
from tests.cluster.oracle.pods import Pod

DRIVER, SIZED_DRIVER = "csi.example.com", "sized.csi.example.com"
BETA_ZONE = "failure-domain.beta.kubernetes.io/zone"
STORAGE = "storage.k8s.io/v1"


def surround(fleet: Fleet) -> None:
    """Classes, drivers, capacities, limits of nodes, and a few claims that several pods of a namespace mount."""
    dice = fleet.dice
    zoned = [{"matchLabelExpressions": [{"key": ZONE, "values": sorted(dice.sample(ZONES, 2))}]}]
    fleet.around += [
        _class("late", DRIVER),
        _class("late-zoned", DRIVER, allowedTopologies=zoned),
        _class("late-sized", SIZED_DRIVER),
        _class("at-once", DRIVER, volumeBindingMode="Immediate"),
        {"apiVersion": STORAGE, "kind": "CSIDriver", "metadata": {"name": DRIVER}, "spec": {"attachRequired": True}},
        {"apiVersion": STORAGE, "kind": "CSIDriver", "metadata": {"name": SIZED_DRIVER}, "spec": {"storageCapacity": True}},
    ]
    for zone in dice.sample(ZONES, 2):
        capacity = {"capacity": dice.choice(["5Gi", "50Gi"])} | ({"maximumVolumeSize": "8Gi"} if fleet.chance(0.3) else {})
        fleet.around.append(
            {
                "apiVersion": STORAGE,
                "kind": "CSIStorageCapacity",
                "metadata": {"name": f"room-{zone}", "namespace": "plain"},
                "storageClassName": "late-sized",
                "nodeTopology": {"matchLabels": {ZONE: zone}},
                **capacity,
            }
        )
    for node in fleet.node_names:
        if fleet.chance(0.6):
            fleet.around.append(_csi_node(fleet, node))
    if fleet.chance(0.15):
        loose = a_volume("loose", _claim("plain", "nobody", ["ReadWriteOnce"], storageClassName="late-zoned"), "loose")
        del loose["spec"]["claimRef"]
        fleet.around.append(loose)  # a claim might be bound to it: such pods are not judged
    for i in range(dice.randint(0, 4)):
        volume = f"pv-{dice.choice(list(NAMESPACES))}-shared-{dice.randrange(2)}"
        spec = {"attacher": DRIVER, "nodeName": dice.choice(fleet.node_names), "source": {"persistentVolumeName": volume}}
        fleet.around.append({"apiVersion": STORAGE, "kind": "VolumeAttachment", "metadata": {"name": f"attached-{i}"}, "spec": spec})
    for namespace in NAMESPACES:
        for i in range(2):
            _bound(fleet, namespace, f"shared-{i}", ["ReadWriteMany"])
        _bound(fleet, namespace, "exclusive", ["ReadWriteOncePod"], anywhere=True)


def _class(name: str, provisioner: str, **more: object) -> Object:
    mode = {"volumeBindingMode": "WaitForFirstConsumer"}
    return {"apiVersion": STORAGE, "kind": "StorageClass", "metadata": {"name": name}, "provisioner": provisioner, **mode, **more}


def _csi_node(fleet: Fleet, node: str) -> Object:
    drivers = []
    for driver in (DRIVER, SIZED_DRIVER):
        if fleet.chance(0.8):
            limit = {"allocatable": {"count": fleet.dice.randint(1, 3)}} if fleet.chance(0.8) else {}
            drivers.append({"name": driver, "nodeID": node, **limit})
    return {"apiVersion": STORAGE, "kind": "CSINode", "metadata": {"name": node}, "spec": {"drivers": drivers}}


def a_volume(name: str, claim: Object, handle: str, **more: object) -> Object:
    """A PersistentVolume for exactly this claim."""
    spec = {
        "capacity": claim["spec"]["resources"]["requests"],
        "accessModes": claim["spec"]["accessModes"],
        "persistentVolumeReclaimPolicy": "Retain",
        "storageClassName": claim["spec"].get("storageClassName", ""),
        "claimRef": {"apiVersion": "v1", "kind": "PersistentVolumeClaim", **_reference(claim)},
        "csi": {"driver": DRIVER, "volumeHandle": handle},
        **more,
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec}


def _reference(claim: Object) -> dict[str, str]:
    return {key: claim["metadata"][key] for key in ("namespace", "name", "uid") if key in claim["metadata"]}


def _claim(namespace: str, name: str, modes: list[str], size: str = "1Gi", **more: object) -> Object:
    spec = {"accessModes": modes, "resources": {"requests": {"storage": size}}, **more}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name, "namespace": namespace}, "spec": spec}


def _bound(fleet: Fleet, namespace: str, name: str, modes: list[str], *, anywhere: bool = False) -> None:
    """A claim and the volume bound to it, which can be had in some zones, on one node, or everywhere."""
    dice, volume = fleet.dice, f"pv-{namespace}-{name}"
    claim = _claim(namespace, name, modes, volumeName=volume, storageClassName="")
    made = a_volume(volume, claim, volume)
    roll = 1.0 if anywhere else dice.random()
    if roll < 0.35:
        made["spec"]["nodeAffinity"] = _affinity(ZONE, dice.sample(ZONES, dice.randint(1, 2)))
    elif roll < 0.45:
        made["spec"]["nodeAffinity"] = _affinity(HOSTNAME, [dice.choice(fleet.node_names)])
    elif roll < 0.75:
        key = BETA_ZONE if fleet.chance(0.3) else ZONE
        made["metadata"]["labels"] = {key: "__".join(dice.sample(ZONES, dice.randint(1, 2))), REGION: dice.choice(["r", "r", "other"])}
    fleet.around += [made, claim]
    fleet.bound.add((namespace, name))


def _affinity(key: str, values: list[str]) -> Object:
    return {"required": {"nodeSelectorTerms": [{"matchExpressions": [{"key": key, "operator": "In", "values": values}]}]}}


def ephemeral(pod: Pod) -> None:
    """A volume whose claim is made for the pod; it waits for its first consumer too."""
    spec = {
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": "1Gi"}},
        "storageClassName": pod.dice.choice(["late", "late-zoned"]),
    }
    pod.spec.setdefault("volumes", []).append({"name": "own", "ephemeral": {"volumeClaimTemplate": {"spec": spec}}})


def claims(pod: Pod) -> None:
    """One or two volumes; a resident mounts bound claims only."""
    kinds = (
        (bound, bound, shared, shared, exclusive) if pod.resident else (bound, bound, shared, shared, exclusive, late, late, late, never)
    )
    for i, kind in enumerate(pod.dice.choices(kinds, k=pod.dice.choice([1, 1, 2]))):
        claim = kind(pod, f"{pod.body['metadata']['name']}-{i}")
        pod.spec.setdefault("volumes", []).append({"name": f"v{i}", "persistentVolumeClaim": {"claimName": claim}})


def bound(pod: Pod, name: str) -> str:
    _bound(pod.fleet, pod.namespace, name, ["ReadWriteOnce"])
    return name


def shared(pod: Pod, name: str) -> str:
    return f"shared-{pod.dice.randrange(2)}"


def exclusive(pod: Pod, name: str) -> str:
    return "exclusive"


def late(pod: Pod, name: str) -> str:
    """Its volume is made once the scheduler has chosen a node: every copy of the pod needs a claim of its own."""
    kind = pod.dice.choice(["late", "late-zoned", "late-sized"])
    size = pod.dice.choice(["1Gi", "6Gi", "20Gi"]) if kind == "late-sized" else "1Gi"
    pod.fleet.late[pod.namespace, name] = _claim(pod.namespace, name, ["ReadWriteOnce"], size, storageClassName=kind)
    return name


def never(pod: Pod, name: str) -> str:
    """A claim that is missing, or that nobody will ever bind."""
    if pod.chance(0.5):
        return f"{name}-missing"
    pod.fleet.around.append(_claim(pod.namespace, name, ["ReadWriteOnce"], storageClassName="at-once"))
    return name


def made_for(body: Object) -> list[tuple[str, str]]:
    """(namespace, name) of the claims that the controller makes for the pod."""
    meta = body["metadata"]
    return [(meta["namespace"], f"{meta['name']}-{volume['name']}") for volume in body["spec"].get("volumes", ()) if "ephemeral" in volume]


def own_claims(fleet: Fleet, body: Object, suffix: str) -> Iterator[Object]:
    """Claims of its own for a copy of a test pod, in place of those that wait for their first consumer."""
    namespace = body["metadata"]["namespace"]
    for volume in body["spec"].get("volumes", ()):
        mounted = volume.get("persistentVolumeClaim", {"claimName": ""})
        claim = fleet.late.get((namespace, mounted["claimName"]))
        if claim is not None:
            mounted["claimName"] += suffix
            yield claim | {"metadata": {"namespace": namespace, "name": mounted["claimName"]}}
