"""Write the realistic example fleet as a snapshot directory: ``python examples/generate.py --seed N OUTDIR``.

Three clusters of an online shop with pods that wait although the fleet has room. Standard library only; the same seed
gives the same bytes on every machine. ``catalogue.py`` says what runs, ``little_scheduler.py`` where it lands.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

from catalogue import APPS, DAEMONS, GPU, App
from little_scheduler import Machine, choose, refusals, why_unschedulable
from machines import CORDONED, FILL, NOT_READY, POOLS, ZONES, Pool
from objects import Body, Printer, ago, number
from workloads import attached, budget, claim, cluster_wide, controllers

FILES = {
    "Node": "nodes",
    "Pod": "pods",
    "Deployment": "deployments",
    "ReplicaSet": "replicasets",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
    "Job": "jobs",
    "CronJob": "cronjobs",
    "PodDisruptionBudget": "poddisruptionbudgets",
    "Namespace": "namespaces",
    "PersistentVolumeClaim": "persistentvolumeclaims",
    "PersistentVolume": "persistentvolumes",
    "PriorityClass": "priorityclasses",
    "StorageClass": "storageclasses",
    "CSINode": "csinodes",
    "CSIDriver": "csidrivers",
    "VolumeAttachment": "volumeattachments",
}
GROWS = 80
"""At most so many replicas are added to reach the wanted fill."""


def machines_of(cluster: str) -> list[tuple[Machine, Pool]]:
    """The cluster's nodes, empty."""
    out = []
    for pool in POOLS[cluster]:
        for i in range(1, pool.count + 1):
            name = f"{cluster}-{pool.name}-{i:02d}"
            labels = {"pool": pool.name} | ({GPU + ".present": "true"} if pool.gpu else {})
            room = {"cpu": pool.cpu, "memory": pool.memory, "pods": pool.pods, "gpu": pool.gpu}
            out.append(
                (
                    Machine(
                        name=name,
                        zone=ZONES[cluster][i % len(ZONES[cluster])],
                        labels=labels,
                        room=room,
                        taints=[pool.taint] if pool.taint else [],
                    ),
                    pool,
                )
            )
    return out


class Filling:
    """Runs the workloads of one cluster on its nodes, as a scheduler that prefers empty nodes would have."""

    def __init__(self, seed: int, cluster: str) -> None:
        self.seed, self.cluster = seed, cluster
        self.pools = machines_of(cluster)
        self.machines = [machine for machine, _ in self.pools]
        self.apps = [replace(app) for app in DAEMONS + APPS[cluster]]
        self.homes: dict[int, list[Machine]] = {id(app): [] for app in self.apps}

    def run(self) -> None:
        """Every replica gets a node; then replicas are added until the cluster is as full as it should be."""
        self._daemons()
        singles = [(app, i) for app in self.apps if app.kind not in ("DaemonSet", "Static") for i in range(app.replicas)]
        singles.sort(key=lambda single: self._turn(*single))
        for app, _ in singles:
            self._start(app)
        growing = [
            app
            for app in self.apps
            if app.kind == "Deployment"
            and app.replicas > 3
            and not (app.gpu or app.broken or app.recreate)
            and app.namespace != "kube-system"
        ]
        self._cordon()
        for i in range(GROWS):
            if self._share() >= FILL[self.cluster]:
                break
            grown = growing[number(self.seed, self.cluster, "grow", i) % len(growing)]
            if choose(grown, self.machines):
                self._start(grown)
        self._shut_the_gaps([app for app in growing if not (app.anti or app.spread)])
        for machine in self.machines:
            machine.ready = machine.name != NOT_READY.get(self.cluster)

    def _turn(self, app: App, ordinal: int) -> tuple[bool, int, bool, int]:
        """What is hard to fit starts first, the rest in a random order."""
        return app.kind != "StatefulSet", -app.gpu, not app.spread, number(self.seed, self.cluster, app.namespace, app.name, ordinal)

    def _cordon(self) -> None:
        """Cordoned after it was filled and before the last replicas came: it is emptier than its neighbours."""
        for machine in self.machines:
            machine.cordoned = machine.name == CORDONED.get(self.cluster)

    def _daemons(self) -> None:
        for app in self.apps:
            if app.kind == "DaemonSet":
                for machine in self.machines:
                    self._put(app, machine)
            elif app.kind == "Static":
                self._put(app, next(machine for machine in self.machines if machine.name == f"{self.cluster}-gateway-01"))

    def _start(self, app: App) -> None:
        machine = choose(app, self.machines)
        if machine is None:
            raise SystemExit(f"{self.cluster}/{app.namespace}/{app.name} fits nowhere: this seed makes no fleet")
        self._put(app, machine)

    def _put(self, app: App, machine: Machine) -> None:
        machine.take(app)
        self.homes[id(app)].append(machine)

    def _share(self) -> float:
        usual = [machine for machine in self.machines if not machine.taints]
        return sum(machine.used["cpu"] for machine in usual) / sum(machine.room["cpu"] for machine in usual)

    def _shut_the_gaps(self, fillers: list[App]) -> None:
        """Where a waiting pod would fit, a small replica stands in its way: kube-scheduler would have used that room."""
        for app in self.apps:
            if not app.waiting or app.gate:
                continue
            for machine in self.machines:
                for filler in sorted(fillers, key=lambda one: number(self.seed, machine.name, one.name)):
                    if not refusals(app, machine, self.machines) and not refusals(filler, machine, self.machines):
                        self._put(filler, machine)

    def objects(self) -> list[Body]:
        printer = Printer(self.seed, self.cluster)
        out = [printer.node(machine, pool.machine, self.cluster) for machine, pool in self.pools]
        out += cluster_wide(printer, sorted({app.namespace for app in self.apps} | {"default", "kube-public"}))
        for app in self.apps:
            out += self._workload(printer, app)
        running = [pod for pod in out if pod["kind"] == "Pod" and "nodeName" in pod["spec"]]
        return out + attached(printer, self.machines, [item for item in out if item["kind"] == "PersistentVolume"], running)

    def _workload(self, printer: Printer, app: App) -> list[Body]:
        homes = self.homes[id(app)]
        owned = controllers(printer, app, len(homes))
        out, owner = list(owned), owned[-1] if owned else None
        if app.budget:
            out.append(budget(printer, app, len(homes)))
        pods = []
        for i, machine in enumerate(homes):
            pods.append((printer.pod(app, owner, i, machine.name, ready=machine.ready and i >= app.broken), machine.zone))
        message = why_unschedulable(app, self.machines) if app.waiting and not app.gate else ""
        pods += [(printer.pod(app, owner, len(homes) + i, None, message), "") for i in range(app.waiting)]
        for pod, zone in pods:
            out.append(pod)
            if app.volume in ("claim", "unbound"):
                out += claim(printer, app, pod, zone)
        return out


def write(seed: int, outdir: Path) -> Counter[str]:
    """Write the snapshot directory; answers how many objects of each kind it holds."""
    told: Counter[str] = Counter()
    for cluster in POOLS:
        filling = Filling(seed, cluster)
        filling.run()
        kinds: dict[str, list[Body]] = defaultdict(list)
        for item in filling.objects():
            kinds[item["kind"]].append(item)
        folder = outdir / cluster
        folder.mkdir(parents=True, exist_ok=True)
        for kind, stem in FILES.items():
            lines = ",\n".join(json.dumps(item, separators=(",", ":"), sort_keys=False) for item in kinds[kind])
            text = f'{{"apiVersion":"v1","kind":"List","metadata":{{"resourceVersion":""}},"items":[\n{lines}\n]}}\n'
            (folder / f"{stem}.json").write_bytes(text.encode())
            told[kind] += len(kinds[kind])
        told["waiting"] += sum("nodeName" not in pod["spec"] for pod in kinds["Pod"])
    listed = "".join(f"- {{name: {cluster}, serverVersion: v1.36.2, movers: [Surge]}}\n" for cluster in POOLS)
    head = f'apiVersion: fleet.descheduler.io/v1alpha1\nkind: Fleet\ntakenAt: "{ago(0)}"\nfederation: {{kind: Standalone}}\n'
    fleet = f"{head}clusters:\n{listed}"
    (outdir / "fleet.yaml").write_bytes(fleet.encode())
    return told


def main() -> None:
    """Read the command line, write, and say what was written."""
    cli = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    cli.add_argument("--seed", type=int, default=1)
    cli.add_argument("outdir", type=Path)
    wanted = cli.parse_args()
    print(", ".join(f"{count} {kind}" for kind, count in write(wanted.seed, wanted.outdir).items()))


if __name__ == "__main__":
    main()
