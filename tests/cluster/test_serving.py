"""What users feel while every mover is at work in two real clusters at once, under the shipped mover account.

One plan moves a pod of each workload; Ready replicas and the endpoints of each Service are looked at all the while. The figures are
printed (`pytest -s`); docs/moving.md tells those of one run.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import pytest

from descheduler.clock import SystemClock
from descheduler.diagnose import diagnose
from descheduler.domain.marks import PIN
from descheduler.domain.plan import Move, Mover, Placed
from descheduler.domain.report import Outcome
from descheduler.execute import Hands, execute
from descheduler.federation.kube_config import Context
from descheduler.federation.kube_hands import LiveHands
from descheduler.federation.kube_store import ClusterStore
from descheduler.federation.standalone import LiveFleet, Member
from descheduler.policy import policy_from_text
from tests.cluster.acting import PATIENCE, Acting, a_move, a_placement, install, plan_of, recover_job_succeeded
from tests.cluster.conftest import emptied
from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.control_planes import ControlPlanes
from tests.cluster.controlplane.objects import a_node, a_pod, a_workload
from tests.cluster.serving import Eyes, a_service, endpoints, eyes_on

CPU = {"cpu": "1", "memory": "1Gi"}


@dataclass(frozen=True)
class Workload:
    """What one mover is tried on."""

    app: str
    mover: Mover
    kind: str
    replicas: int
    least_available: int | None
    """Of its PodDisruptionBudget; ``None``: it has none."""
    pool: str = "many"
    """The nodes it may use."""

    @property
    def least_replicas(self) -> int:
        """What the mover promises: never below desired, never below the budget, nothing for a single pod that leaves first."""
        if self.mover is Mover.SURGE:
            return self.replicas
        return self.least_available or 0


WORKLOADS = (
    Workload("web", Mover.SURGE, "Deployment", 3, 3),  # a budget that allows nothing: Surge spends none
    Workload("one", Mover.SURGE, "Deployment", 1, None),
    Workload("db", Mover.HOLD, "StatefulSet", 3, 2),
    Workload("solo", Mover.HOLD, "StatefulSet", 1, None),
    Workload("api", Mover.EVICT, "Deployment", 3, 2, pool="few"),
    Workload("lone", Mover.EVICT, "Deployment", 1, None, pool="few"),
    Workload("bare", Mover.RECREATE, "Pod", 1, None),
)
SINGLE = tuple(workload for workload in WORKLOADS if workload.replicas == 1 and workload.mover is not Mover.SURGE)
SEVERAL = tuple(workload for workload in WORKLOADS if workload not in SINGLE)


@dataclass
class Act:
    """One plan carried out in both clusters, and what was seen meanwhile."""

    clusters: tuple[Cluster, ...]
    fleet: LiveFleet
    steps: tuple[Move | Placed, ...]
    outcome: Outcome
    seen: dict[str, Eyes]


@pytest.fixture(scope="module")
def act(planes: ControlPlanes, binaries: Binaries, tmp_path_factory: pytest.TempPathFactory) -> Act:
    clusters, folder = emptied(planes, "east", "west"), tmp_path_factory.mktemp("serving")
    members, steps = [], []
    for cluster in clusters:
        members.append(Member(name=cluster.name, access=Context(str(install(cluster, binaries, folder, "hold")), cluster.name)))
        recover_job_succeeded(cluster)
        steps += settled(Acting(cluster, cluster.kubeconfig))
    fleet = LiveFleet(members, SystemClock())
    with eyes_on(clusters) as seen:
        plan = plan_of(clusters[0], "sha256:0", *steps)
        hands = Hands(actuator=LiveHands(fleet), store=ClusterStore(fleet, SystemClock()), patience=PATIENCE)
        outcome = execute(plan, fleet, hands, SystemClock())
        for cluster in clusters:
            for workload in WORKLOADS:
                served(cluster, workload.app, workload.replicas)
    told = Act(clusters, fleet, tuple(steps), outcome, seen)
    sys.stdout.write(figures(told))
    return told


def settled(acting: Acting) -> list[Move | Placed]:
    """All workloads running in a cluster, and the steps that move one pod of each."""
    cluster = acting.cluster
    cluster.namespace("shop")
    room = {"cpu": "16", "memory": "64Gi"}
    cluster.add_nodes(*(a_node(f"{pool}-{i}", room, labels={"pool": pool}) for pool in ("many", "few") for i in (1, 2)))
    for workload in WORKLOADS:
        cluster.api.create(a_service(workload.app))
        cluster.api.create(manifest(workload))
        if workload.least_available is not None:
            cluster.api.create(a_budget(workload))
    for workload in WORKLOADS:
        acting.running(workload.app, workload.replicas)
        served(cluster, workload.app, workload.replicas)
    steps: list[Move | Placed] = [a_step(acting, workload) for workload in WORKLOADS]
    cluster.api.patch("/api/v1/nodes/few-1", {"spec": {"unschedulable": True}})  # who is evicted there finds only the other node
    return steps + a_hole_in_the_wrong_place(acting)


def manifest(workload: Workload) -> Object:
    selector = {"nodeSelector": {"pool": workload.pool}}
    if workload.kind == "Pod":
        return a_pod(workload.app, "shop", CPU, labels={"app": workload.app}, **selector)
    preference = {"affinity": prefers("few-1")} if workload.pool == "few" else {}
    body = a_workload(workload.app, "shop", workload.replicas, CPU, kind=workload.kind, **selector, **preference)
    if workload.kind == "StatefulSet":
        body["spec"]["podManagementPolicy"] = "Parallel"
    return body


def a_budget(workload: Workload) -> Object:
    spec = {"minAvailable": workload.least_available, "selector": {"matchLabels": {"app": workload.app}}}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": workload.app, "namespace": "shop"}, "spec": spec}


def served(cluster: Cluster, app: str, count: int) -> None:
    """Wait until the Service has so many endpoints that get traffic."""

    path = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices"
    cluster.api.wait(path, lambda slices: endpoints(slices).get(app) == count)


def a_step(acting: Acting, workload: Workload) -> Move:
    """Move the first pod to the other node of its pool."""
    pod = acting.pods(workload.app)[0]
    there = f"{workload.pool}-{2 if pod['spec']['nodeName'].endswith('1') else 1}"
    return a_move(pod, there, cluster=acting.cluster.name, mover=workload.mover)


def a_hole_in_the_wrong_place(acting: Acting) -> list[Move | Placed]:
    """``big`` has one pod that runs and one that waits for a whole node; ``small`` is in its way."""
    api, name = acting.cluster.api, acting.cluster.name
    room = {"cpu": "2", "memory": "8Gi"}
    acting.cluster.add_nodes(*(a_node(f"hole-{i}", room, labels={"pool": "hole"}) for i in (1, 2, 3)))
    for app, node in (("small", "hole-1"), ("rest", "hole-2")):
        api.create(a_service(app))
        api.create(a_workload(app, "shop", 1, CPU, nodeSelector={"pool": "hole"}, affinity=prefers(node)))
        acting.running(app)
    api.create(a_service("big"))
    api.create(a_workload("big", "shop", 2, {"cpu": "2", "memory": "1Gi"}, nodeSelector={"pool": "hole"}))
    (waiting,) = acting.waiting("big")
    acting.running("big")
    for app in ("small", "big"):
        served(acting.cluster, app, 1)
    (small,) = acting.pods("small")
    moved = a_move(small, "hole-2", cluster=name, room_for=[waiting])
    return [moved, a_placement(waiting, "hole-1", cluster=name, mover=Mover.SURGE, wave=2)]


def prefers(node: str) -> Object:
    term = {"matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": [node]}]}
    return {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": [{"weight": 100, "preference": term}]}}


def figures(act: Act) -> str:
    """What was seen, as a table."""
    rows = ["\n  cluster  app    mover     desired  budget  least Ready  least endpoints  gap"]
    for name, eyes in sorted(act.seen.items()):
        for w in WORKLOADS:
            gap = f"{eyes.gap_seconds(w.app) * 1000:.0f} ms" if not eyes.least_endpoints(w.app) else "none"
            budget = "-" if w.least_available is None else w.least_available
            least = f"{eyes.least_replicas(w.app):>11}  {eyes.least_endpoints(w.app):>15}"
            rows.append(f"  {name:7}  {w.app:5}  {w.mover:8}  {w.replicas:>7}  {budget:>6}  {least}  {gap}")
        for app in ("small", "big"):
            least = f"{eyes.least_replicas(app):>11}  {eyes.least_endpoints(app):>15}"
            rows.append(f"  {name:7}  {app:5}  {'reserved':8}  {1 if app == 'small' else 2:>7}  {'-':>6}  {least}  none")
        asked = eyes.asked_replicas
        rows.append(f"  {name}: {len(asked.told)} looks, at most {asked.longest_pause * 1000:.0f} ms apart, and a watch")
    return "\n".join(rows) + "\n"


def test_every_pod_is_where_it_was_planned(act: Act) -> None:
    assert act.outcome.complete, act.outcome
    planned = {each.id if isinstance(each, Move) else str(each.pod): each.target.node for each in act.steps}
    told = {result.subject: result.node for result in act.outcome.results}
    assert {subject: told[subject] for subject, node in planned.items() if node} == {s: n for s, n in planned.items() if n}
    for cluster in act.clusters:
        acting = Acting(cluster, cluster.kubeconfig)
        assert acting.nodes_of("small") == ["hole-2"]
        assert acting.nodes_of("big") == ["hole-1", "hole-3"]
        assert acting.leftovers() == []
        assert acting.held() == []


POLICY = """
apiVersion: fleet.descheduler.io/v1alpha1
kind: DeschedulePolicy
spec:
  protections: {minPodAge: 0s, barePods: false, closedBudgets: false}
  movers: [Surge, Hold, Evict, Recreate]
"""


def test_no_moved_pod_is_frozen_by_its_own_pin(act: Act) -> None:
    problem = diagnose(act.fleet.snapshot(), policy_from_text(POLICY))
    pinned = {i: pod for i, pod in enumerate(problem.pods) if PIN in dict(pod.annotations)}

    assert Counter((pod.ref.cluster, dict(pod.labels)["app"]) for pod in pinned.values()) == Counter(
        (cluster.name, app) for cluster in act.clusters for app in ("web", "one", "db", "solo", "bare", "small", "big")
    )
    assert all(dict(pod.annotations)[PIN] == pod.node for pod in pinned.values())
    for i, pod in pinned.items():
        found = problem.classes[problem.class_of[i]]
        assert found.movers, (pod.ref, problem.protected.get(i))
        assert len(found.reach) > 1, pod.ref


def each(workloads: Sequence[Workload]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("workload", workloads, ids=[f"{workload.mover} of {workload.app}" for workload in workloads])


@each(WORKLOADS)
def test_ready_replicas_never_fall_below_what_the_mover_promises(workload: Workload, act: Act) -> None:
    assert {name: eyes.least_replicas(workload.app) >= workload.least_replicas for name, eyes in act.seen.items()} == both()


@each(SEVERAL)
def test_a_service_always_has_an_endpoint_where_another_replica_is_ready(workload: Workload, act: Act) -> None:
    assert {name: eyes.least_endpoints(workload.app) >= max(1, workload.least_replicas) for name, eyes in act.seen.items()} == both()


def test_room_is_made_for_a_waiting_pod_without_anybody_missing_a_replica(act: Act) -> None:
    for app in ("small", "big"):
        assert {name: min(eyes.least_replicas(app), eyes.least_endpoints(app)) for name, eyes in act.seen.items()} == {"east": 1, "west": 1}


@each(SINGLE)
def test_the_gap_of_a_single_pod_that_leaves_first_is_seen_and_ends(workload: Workload, act: Act) -> None:
    """It shows that the eyes see what they shall: here there is a gap, and it is measured."""
    for eyes in act.seen.values():
        assert eyes.least_endpoints(workload.app) == 0
        assert eyes.gap_seconds(workload.app) > 0
        assert eyes.asked_endpoints.of(workload.app)[-1] == 1


def both() -> dict[str, bool]:
    return {"east": True, "west": True}
