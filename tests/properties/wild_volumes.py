"""Random claims, volumes, classes and attach limits for the random fleets of ``tests.properties.wild``."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

from tests.raw import Json

ZONE = "topology.kubernetes.io/zone"
DRIVERS = ["csi.disk.example", "csi.net.example"]
GROUP = {"StorageClass": "storage.k8s.io/v1", "CSINode": "storage.k8s.io/v1", "VolumeAttachment": "storage.k8s.io/v1"}
GROUP |= {"CSIDriver": "storage.k8s.io/v1", "CSIStorageCapacity": "storage.k8s.io/v1"}


class Storage:
    """Gives pods claims and, at the end, nodes their limits."""

    def __init__(self, objects: list[Json], nodes: list[Json], dice: Random) -> None:
        self.objects, self.dice = objects, dice
        self.zones = {node["metadata"]["name"]: node["metadata"]["labels"].get(ZONE) for node in nodes}
        self.on: Counter[tuple[str, str]] = Counter()
        """Node and driver to the volumes mounted there."""
        self.attached: list[tuple[str, str, str]] = []

    def chance(self, share: float) -> bool:
        return self.dice.random() < share

    def give(self, pods: list[Json]) -> None:
        """One kind of volume for all pods of an app: each its own claim, one for all, or an ephemeral one."""
        driver, kind = self.dice.choice(DRIVERS), self.dice.choice(["own", "own", "own", "shared", "ephemeral", "inline"])
        waiting = self.dice.choice(["bound", "bound", "unbound", "unbound", "odd"])
        if kind == "inline":
            volume = self.dice.choice(
                [{"csi": {"driver": driver}}, {"nfs": {"server": "s", "path": "/"}}, {"gcePersistentDisk": {"pdName": "d"}}]
            )
            for pod in pods:
                self._mount(pod, volume)
            return
        modes = [self.dice.choice(["ReadWriteOnce", "ReadWriteOnce", "ReadWriteMany", "ReadWriteOncePod"])]
        shared: str | None = None
        for pod in pods:
            if kind == "ephemeral":
                template = {"spec": self._wish(driver, ["ReadWriteOnce"])}
                self._mount(pod, {"ephemeral": {"volumeClaimTemplate": template}})
                name, owner = f"{pod['metadata']['name']}-data", [self._owner(pod)]
            else:
                name, owner = f"data-{pod['metadata']['labels']['app'] if kind == 'shared' else pod['metadata']['name']}", []
                self._mount(pod, {"persistentVolumeClaim": {"claimName": name}})
            if kind == "shared" and shared == name:
                continue
            shared = name
            self._claim(pod, name, driver, modes, owner, "bound" if "nodeName" in pod["spec"] else waiting)

    def _mount(self, pod: Json, volume: Json) -> None:
        pod["spec"]["volumes"] = [*pod["spec"].get("volumes", []), {"name": "data", **volume}]

    def _owner(self, pod: Json) -> Json:
        meta = pod["metadata"]
        uid = meta["uid"] if self.chance(0.9) else "somebody"
        return {"apiVersion": "v1", "kind": "Pod", "name": meta["name"], "uid": uid, "controller": True}

    def _wish(self, driver: str, modes: list[str]) -> Json:
        return {"accessModes": modes, "storageClassName": driver.split(".")[1], "resources": {"requests": {"storage": "10Gi"}}}

    def _claim(self, pod: Json, name: str, driver: str, modes: list[str], owners: list[Json], state: str) -> None:
        namespace, node = pod["metadata"]["namespace"], pod["spec"].get("nodeName")
        spec, status = self._wish(driver, modes), {"phase": "Pending"}
        meta: Json = {"name": name, "namespace": namespace, "uid": f"uid-pvc-{namespace}-{name}", "annotations": {}}
        if owners:
            meta["ownerReferences"] = owners
        odd = self.dice.choice(["missing", "deleting", "lost", "no volume", "immediate", "no class"]) if state == "odd" else ""
        if odd == "missing":
            return
        if state == "bound" or odd in ("deleting", "lost", "no volume"):
            spec["volumeName"], status = f"pv-{namespace}-{name}", {"phase": "Lost" if odd == "lost" else "Bound"}
            meta["annotations"]["pv.kubernetes.io/bind-completed"] = "yes"
            if odd == "deleting":
                meta["deletionTimestamp"] = "2026-11-23T11:00:00Z"
            if odd != "no volume":
                self._volume(spec["volumeName"], name, namespace, driver, node)
        elif odd:
            spec["storageClassName"] = {"immediate": "immediate", "no class": "absent"}[odd]
        elif self.chance(0.2):
            meta["annotations"]["volume.kubernetes.io/selected-node"] = self.dice.choice(list(self.zones))
        self.objects.append({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": meta, "spec": spec, "status": status})

    def _volume(self, name: str, claim: str, namespace: str, driver: str, node: str | None) -> None:
        zone = self.zones[node] if node else self.dice.choice("abc")
        spec: Json = {
            "csi": {"driver": driver, "volumeHandle": f"handle-{name}"},
            "claimRef": {"name": claim, "namespace": namespace},
            "storageClassName": driver.split(".")[1],
        }
        labels: dict[str, str] = {}
        if zone and self.chance(0.5):
            need = {"key": ZONE, "operator": "In", "values": [zone]}
            spec["nodeAffinity"] = {"required": {"nodeSelectorTerms": [{"matchExpressions": [need]}]}}
        elif zone and self.chance(0.3):
            labels[ZONE] = self.dice.choice([zone, f"{zone}__z"])
        self._add("PersistentVolume", name, spec=spec, labels=labels)
        if node:
            self.on[node, driver] += 1
            self.attached.append((name, driver, node))

    def _add(self, kind: str, name: str, **body: Any) -> None:
        meta = {"name": name, "uid": f"uid-{kind}-{name}", "labels": body.pop("labels", {})}
        self.objects.append({"apiVersion": GROUP.get(kind, "v1"), "kind": kind, "metadata": meta, **body})

    def close(self) -> None:
        """Classes, drivers, attachments and the limits of the nodes."""
        for driver in DRIVERS:
            name = driver.split(".")[1]
            zones = self.dice.choice([None, ["a"], ["a", "b"]])
            allowed = {"allowedTopologies": [{"matchLabelExpressions": [{"key": ZONE, "values": zones}]}]} if zones else {}
            self._add("StorageClass", name, provisioner=driver, volumeBindingMode="WaitForFirstConsumer", **allowed)
            counted = self.chance(0.3)
            self._add("CSIDriver", driver, spec={"storageCapacity": counted})
            for zone in "abc" if counted else "":
                size = {"capacity": self.dice.choice(["5Gi", "100Gi"])}
                self._add("CSIStorageCapacity", f"{name}-{zone}", storageClassName=name, nodeTopology={"matchLabels": {ZONE: zone}}, **size)
        self._add("StorageClass", "immediate", provisioner=DRIVERS[0], volumeBindingMode="Immediate")
        if self.chance(0.9):  # attached for nobody
            self._volume("pv-left", "left", "shop", DRIVERS[0], None)
            self.attached.append(("pv-left", DRIVERS[0], self.dice.choice(list(self.zones))))
        for name, driver, node in self.attached:
            if self.chance(0.8) or name == "pv-left":
                spec = {"attacher": driver, "nodeName": node, "source": {"persistentVolumeName": name}}
                self._add("VolumeAttachment", f"va-{name}", spec=spec)
        for node in self.zones:
            if self.chance(0.7):
                self._add("CSINode", node, spec={"drivers": [self._limit(node, driver) for driver in DRIVERS]})

    def _limit(self, node: str, driver: str) -> Json:
        if self.chance(0.3):
            return {"name": driver, "nodeID": node}
        return {"name": driver, "nodeID": node, "allocatable": {"count": self.on[node, driver] + self.dice.choice([0, 1, 1, 2])}}
