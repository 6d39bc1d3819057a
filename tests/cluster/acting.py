"""The tool at work on real clusters: plans made by hand, the mover's own account, and an eye on everything that happens meanwhile."""

from __future__ import annotations

import secrets
import subprocess
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import urllib3

from descheduler.clock import SystemClock
from descheduler.domain.plan import Metadata, Move, Mover, Placed, Plan, PlanPod, Spot
from descheduler.domain.report import Outcome
from descheduler.execute import Hands, execute
from descheduler.federation.kube_config import Context
from descheduler.federation.kube_hands import LiveHands
from descheduler.federation.kube_store import ClusterStore
from descheduler.federation.standalone import LiveFleet, Member
from tests.cluster.controlplane.api import ApiRefused, Object
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.objects import a_node, a_pod

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
CRON_JOBS = "/apis/batch/v1/namespaces/descheduler/cronjobs"
CRON_JOB = f"{CRON_JOBS}/descheduler-recover"
PATIENCE = timedelta(seconds=60)


def install(cluster: Cluster, binaries: Binaries, folder: Path, what: str = "mover", *, good_for: timedelta = timedelta(hours=1)) -> Path:
    """Apply the shipped manifests and answer a kubeconfig of the account they make; its token is ``good_for`` so long.

    The CronJobs are suspended: nothing would run in their pods here, and every ten minutes one would take room that a plan counts on.
    """
    command: list[str | Path] = [binaries.kubectl, "--kubeconfig", cluster.kubeconfig, "apply", "-k", DEPLOY / what]
    ended = subprocess.run(command, check=False, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    for job in cluster.api.items(CRON_JOBS):
        cluster.api.patch(f"{CRON_JOBS}/{job['metadata']['name']}", {"spec": {"suspend": True}})
    cluster.wait_for_account("descheduler")
    return cluster.kubeconfig_of(folder / f"{cluster.name}.mover", cluster.token_of("descheduler", "descheduler", good_for))


def recover_job_succeeded(cluster: Cluster) -> None:
    """As if the recover job had just ended well; nobody runs Jobs here."""
    now = SystemClock().now().strftime("%Y-%m-%dT%H:%M:%SZ")
    cluster.api.patch(f"{CRON_JOB}/status", {"status": {"lastSuccessfulTime": now, "lastScheduleTime": now}})


class Acting:
    """One cluster, the tool's hands on it, and plans for it."""

    def __init__(self, cluster: Cluster, kubeconfig: Path, space: str = "shop") -> None:
        self.cluster = cluster
        self.kubeconfig = kubeconfig
        self.space = space

    def fleet(self) -> LiveFleet:
        member = Member(name=self.cluster.name, access=Context(str(self.kubeconfig), self.cluster.name))
        return LiveFleet([member], SystemClock())

    def act(
        self,
        *steps: Move | Placed,
        patience: timedelta = PATIENCE,
        lease: timedelta = timedelta(seconds=3),
        stop: Callable[[], str | None] = lambda: None,
    ) -> Outcome:
        """Execute a plan of these steps; a ``lease`` of no length is renewed before every write."""
        fleet = self.fleet()
        store = ClusterStore(fleet, SystemClock(), lease)
        hands = Hands(actuator=LiveHands(fleet), store=store, patience=patience, stop=stop)
        return execute(plan_of(self.cluster, "sha256:0", *steps), fleet, hands, SystemClock())

    def pods(self, app: str = "") -> list[Object]:
        """Pods that are not on their way out, the oldest first."""
        found = self.cluster.api.items(f"/api/v1/namespaces/{self.space}/pods", **({"labelSelector": f"app={app}"} if app else {}))
        alive = [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]
        return sorted(alive, key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]))

    def running(self, app: str, count: int = 1) -> list[Object]:
        """Wait until so many pods of an app are Ready."""
        path = f"/api/v1/namespaces/{self.space}/pods"
        self.cluster.api.wait(path, lambda pods: sum(is_ready(pod) for pod in pods) == count, labelSelector=f"app={app}")
        return self.pods(app)

    def waiting(self, app: str) -> list[Object]:
        """Wait until the scheduler has refused a pod of an app; those that wait."""
        path = f"/api/v1/namespaces/{self.space}/pods"
        self.cluster.api.wait(path, lambda pods: any(is_refused(pod) for pod in pods), labelSelector=f"app={app}")
        return [pod for pod in self.pods(app) if "nodeName" not in pod["spec"]]

    def until_admission_works(self) -> None:
        """A policy is heeded about a second after it is created: ask with dry runs until it is."""
        api, clock = self.cluster.api, SystemClock()
        body = a_pod("probe", self.space, labels={"app": "probe"})
        until = clock.monotonic() + 20
        while clock.monotonic() < until:
            try:
                told = api.request("POST", f"/api/v1/namespaces/{self.space}/pods", body, parameters={"dryRun": "All"})
            except ApiRefused:
                return
            if any(toleration.get("key") == "theirs" for toleration in told["spec"]["tolerations"]):
                return
            clock.sleep(timedelta(milliseconds=200))
        raise AssertionError("the admission policy is not heeded")

    def nodes_of(self, app: str) -> list[str]:
        return sorted(pod["spec"].get("nodeName", "-") for pod in self.pods(app))

    def held(self) -> list[str]:
        """The controllers whose new pods are held."""
        found = self.cluster.api.items("/apis/fleet.descheduler.io/v1alpha1/namespaces/descheduler/placementholds")
        return [uid for each in found for uid in each["spec"].get("ownerUIDs", ())]

    def leftovers(self) -> list[str]:
        """Whatever no finished run may leave behind."""
        found = []
        for pod in self.pods():
            notes, name = pod["metadata"].get("annotations", {}), pod["metadata"]["name"]
            found += [f"{name}: {note}" for note in notes if note in LEFT]
            found += [f"{name}: gate {gate['name']}" for gate in pod["spec"].get("schedulingGates", ())]
            if not pod["metadata"].get("ownerReferences") and "fleet.descheduler.io/run" in notes and "bare" not in name:
                found.append(f"{name}: nobody's")
        templates = self.cluster.api.items("/api/v1/podtemplates")
        found += [f"journal {template['metadata']['name']}" for template in templates]
        lease = self.cluster.api.items("/apis/coordination.k8s.io/v1/namespaces/descheduler/leases")
        return found + [f"lease of {each['spec']['holderIdentity']}" for each in lease if each["spec"].get("holderIdentity")]


LEFT = {
    "fleet.descheduler.io/move-of",
    "fleet.descheduler.io/expires",
    "fleet.descheduler.io/previous-deletion-cost",
    "controller.kubernetes.io/pod-deletion-cost",
}


def plan_of(cluster: Cluster, digest: str, *steps: Move | Placed) -> Plan:
    """A plan of these steps, made now under the policy with this digest; its figures are empty."""
    metadata = Metadata(
        run_id=f"run-{secrets.token_hex(4)}",
        created_at=SystemClock().now().replace(microsecond=0),
        snapshot_digest="sha256:0",
        policy_digest=digest,
        version="0",
        seed=0,
        effort=1.0,
        reproducible=True,
        clusters=((cluster.name, cluster.uid),),
    )
    moves = tuple(step for step in steps if isinstance(step, Move))
    placed = tuple(step for step in steps if isinstance(step, Placed))
    return Plan(metadata=metadata, pending_before=len(placed), objectives=(), by_priority=(), moves=moves, placements=placed)


def is_ready(pod: Object) -> bool:
    told = {condition["type"]: condition["status"] for condition in pod.get("status", {}).get("conditions", ())}
    return told.get("Ready") == "True" and "deletionTimestamp" not in pod["metadata"]


def is_refused(pod: Object) -> bool:
    """Whether the scheduler has found no node for it."""
    conditions = pod.get("status", {}).get("conditions", ())
    return any((each["type"], each["status"], each.get("reason")) == ("PodScheduled", "False", "Unschedulable") for each in conditions)


def plan_pod(cluster: str, pod: Object) -> PlanPod:
    meta = pod["metadata"]
    owner = next(iter(meta.get("ownerReferences", ())), None)
    workload = None
    if owner is not None:
        under = owner["kind"] == "ReplicaSet"
        workload = ("Deployment", owner["name"].rpartition("-")[0]) if under else (owner["kind"], owner["name"])
    return PlanPod(cluster=cluster, namespace=meta["namespace"], name=meta["name"], uid=meta["uid"], workload=workload)


def a_move(
    pod: Object,
    to: str | None,
    *,
    cluster: str = "east",
    mover: Mover = Mover.SURGE,
    wave: int = 1,
    arrival_wave: int | None = None,
    room_for: Sequence[Object] = (),
) -> Move:
    told = plan_pod(cluster, pod)
    arrives = arrival_wave or wave
    return Move(
        id=f"move-{told.name}",
        wave=wave,
        arrival_wave=arrives,
        cycle_break=arrives > wave,
        mover=mover,
        pod=told,
        source=Spot(cluster=cluster, node=pod["spec"]["nodeName"]),
        target=Spot(cluster=cluster, node=to),
        because="a test says so",
        makes_room_for=tuple(str(plan_pod(cluster, waiting)) for waiting in room_for),
    )


def a_placement(pod: Object, to: str, *, cluster: str = "east", mover: Mover = Mover.SCHEDULE, wave: int = 1) -> Placed:
    return Placed(wave=wave, mover=mover, contested=False, pod=plan_pod(cluster, pod), target=Spot(cluster=cluster, node=to))


@contextmanager
def watching(cluster: Cluster, app: str, namespace: str = "shop") -> Iterator[list[int]]:
    """How many pods of an app were Ready: now, and after every change that the API server tells of."""
    path = f"/api/v1/namespaces/{namespace}/pods"
    listed = cluster.api.get(path, labelSelector=f"app={app}")
    there = {pod["metadata"]["uid"]: is_ready(pod) for pod in listed["items"]}
    seen, ended = [sum(there.values())], threading.Event()

    def follow() -> None:
        query: dict[str, str | int] = {
            "labelSelector": f"app={app}",
            "resourceVersion": listed["metadata"]["resourceVersion"],
            "timeoutSeconds": 120,
        }
        with suppress(urllib3.exceptions.HTTPError):  # the control plane ends before the watch does
            for event in cluster.api.watch(path, query):
                if ended.is_set():
                    return
                uid = event["object"]["metadata"]["uid"]
                there[uid] = event["type"] != "DELETED" and is_ready(event["object"])
                seen.append(sum(there.values()))

    thread = threading.Thread(target=follow, daemon=True)
    thread.start()
    try:
        yield seen
    finally:
        ended.set()


def two_nodes(cluster: Cluster, cpu: str = "2") -> None:
    cluster.add_nodes(a_node("a", {"cpu": cpu, "memory": "8Gi"}), a_node("b", {"cpu": cpu, "memory": "8Gi"}))
