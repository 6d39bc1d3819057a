"""One random fleet: alive, planned, carried out, and compared after every wave with what the plan said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from random import Random

from descheduler.clock import SystemClock
from descheduler.diagnose import diagnose
from descheduler.domain.moment import Moment, moments
from descheduler.domain.placement import Bind, Route, Shift
from descheduler.domain.plan import Mover, Plan
from descheduler.domain.problem import Problem
from descheduler.domain.rows import Spread
from descheduler.domain.snapshot import Snapshot
from descheduler.execute.world import World
from descheduler.federation.kube_config import Context
from descheduler.federation.kube_hands import LiveHands
from descheduler.federation.standalone import LiveFleet, Member
from descheduler.pipeline import Options, plan
from descheduler.policy.policy import Policy
from descheduler.rules.constraints import CONSTRAINTS
from descheduler.rules.constraints.pod_topology_spread import skew
from descheduler.rules.movers import BY_MOVER
from descheduler.rules.scene import Scene
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.emptying import empty
from tests.cluster.replay.alive import GATE, Alive
from tests.cluster.replay.carrying import Carrying
from tests.cluster.replay.fleet import Crowded


@dataclass
class Count:
    """What came of all replays."""

    fleets: int = 0
    with_plan: int = 0
    waves: int = 0
    moves: Counter[str] = field(default_factory=Counter)
    """By mover."""
    placements: Counter[str] = field(default_factory=Counter)
    """By mover; contested ones apart."""
    elsewhere: list[str] = field(default_factory=list)
    """Placements that kube-scheduler bound to another node than the planned one."""
    unforeseen: int = 0
    """Pods without a place in the plan that the scheduler bound all the same."""
    refused: int = 0
    """Objects of the random fleets that the API server would not have."""
    findings: list[str] = field(default_factory=list)
    told: list[str] = field(default_factory=list)
    """The latest plan, in short."""

    def summary(self) -> str:
        moved = ", ".join(f"{count} {mover}" for mover, count in sorted(self.moves.items()))
        placed = ", ".join(f"{count} {mover}" for mover, count in sorted(self.placements.items()))
        lines = [
            f"{self.fleets} fleets, {self.with_plan} with a plan, {self.waves} waves",
            f"moves by mover: {moved or 'none'}; all bound where planned: {not any(' is not on ' in f for f in self.findings)}",
            f"placements: {placed or 'none'}; {len(self.elsewhere)} bound to another node than planned",
            f"unplaced pods that were bound all the same: {self.unforeseen}; objects the API server refused: {self.refused}",
            f"findings: {len(self.findings)}",
            *(f"  {finding}" for finding in self.findings),
        ]
        return "\n".join(lines)


@dataclass
class Replay:
    """One fleet and how far it has come."""

    cluster: Cluster
    seed: int
    count: Count

    def run(self) -> None:
        """Bring the fleet to life, plan, carry out, compare; the cluster is empty afterwards."""
        try:
            self._run()
        finally:
            empty(self.cluster.api)

    def _run(self) -> None:
        crowded = Crowded(self.seed).grow()
        alive = Alive(self.cluster.api)
        alive.bring(crowded.objects)
        live = LiveFleet([Member(name="east", access=Context(str(self.cluster.kubeconfig), self.cluster.name))], SystemClock())
        snapshot = self._nobody_fits(live)
        policy = Policy.model_validate({"spec": crowded.policy()})
        report = plan(snapshot, policy, Options(run_id=f"replay-{self.seed}", created_at=SystemClock().now(), effort=0.25))
        self.count.told = _steps(report.plan)
        self.count.fleets += 1
        self.count.refused += len(alive.refused)
        self.count.with_plan += bool(report.plan.moves or report.plan.placements)
        self.count.moves.update(str(move.mover) for move in report.plan.moves)
        self.count.placements.update(f"{placed.mover}{' contested' if placed.contested else ''}" for placed in report.plan.placements)
        self._carry_out(live, snapshot, diagnose(snapshot, policy), report.plan)

    def _nobody_fits(self, live: LiveFleet) -> Snapshot:
        """Let go, one after the other, whoever fits already: in a fleet that lives nobody waits who fits. The fleet afterwards."""
        while True:
            snapshot = _ungated(live.snapshot())
            cluster = snapshot.clusters[0]
            scene = Scene(cluster.nodes, cluster.pods)
            lucky = next((p for p in cluster.pods if p.waiting and not p.gates and p.spec.opaque is None and scene.feasible(p)), None)
            if lucky is None:
                return snapshot
            path = f"/api/v1/namespaces/{lucky.ref.namespace}/pods"
            self.cluster.api.patch(f"{path}/{lucky.ref.name}", {"spec": {"schedulingGates": None}})
            by_name = f"metadata.name={lucky.ref.name}"
            self.cluster.api.wait(path, lambda found: any(pod["spec"].get("nodeName") for pod in found), fieldSelector=by_name)

    def _carry_out(self, live: LiveFleet, snapshot: Snapshot, problem: Problem, made: Plan) -> None:
        nodes = {node.ref: node for cluster in snapshot.clusters for node in cluster.nodes}
        clock = SystemClock()
        world = World(
            reader=live,
            actuator=LiveHands(live),
            clock=clock,
            run_id=made.metadata.run_id,
            expires=clock.now() + timedelta(hours=1),
            nodes=nodes,
        )
        carrying = Carrying(self.cluster.api, made, world, Random(self.seed))
        carrying.begin()
        truth = Truth(problem, made, carrying.names)
        for number in range(1, made.waves + 1):
            carrying.wave(number)
            truth.compare(live.snapshot(), number)
        self.count.waves += made.waves
        self.count.unforeseen += len(truth.unforeseen)
        self.count.elsewhere += [f"seed {self.seed}: {told}" for told in carrying.elsewhere]
        self.count.findings += [f"seed {self.seed}: {told}" for told in (*carrying.findings, *truth.findings)]


def _ungated(snapshot: Snapshot) -> Snapshot:
    """The fleet without our gate, and as if every mover were installed."""
    gate, movers = GATE["name"], tuple(mover for mover in Mover if mover is not Mover.SCHEDULE)
    clusters = tuple(
        replace(c, movers=movers, pods=tuple(replace(p, gates=()) if p.gates == (gate,) else p for p in c.pods)) for c in snapshot.clusters
    )
    return replace(snapshot, clusters=clusters)


def _steps(made: Plan) -> list[str]:
    moves = [
        f"wave {m.wave}-{m.arrival_wave} {m.mover} {m.pod} {m.source.node} -> {m.target.node} for {list(m.makes_room_for)}"
        for m in made.moves
    ]
    places = [f"wave {p.wave} {p.mover}{' contested' if p.contested else ''} {p.pod} -> {p.target.node}" for p in made.placements]
    return [*moves, *places, *(f"unplaced {u.pod}: {u.reason}" for u in made.unplaced)]


class Truth:
    """What the plan says of every wave, beside what is."""

    def __init__(self, problem: Problem, made: Plan, names: Mapping[tuple[str, str], str]) -> None:
        self.problem, self.plan, self.names = problem, made, names
        self.findings: list[str] = []
        self.unforeseen: set[int] = set()
        self._index = {pod.uid: i for i, pod in enumerate(problem.pods)}
        self._node = {node.ref.name: i for i, node in enumerate(problem.nodes)}
        self._moments = {moment.wave: moment for moment in moments(problem, self._route(), BY_MOVER)}
        self._moved = {self._index[move.pod.uid] for move in made.moves}

    def _route(self) -> Route:
        shifts = [
            Shift(
                wave=move.wave,
                arrival_wave=move.arrival_wave,
                pod_class=self._class(move.pod.uid),
                source=self._node[str(move.source.node)],
                target=self._node[str(move.target.node)],
                mover=move.mover,
            )
            for move in self.plan.moves
        ]
        binds = [
            Bind(wave=p.wave, pod_class=self._class(p.pod.uid), target=self._node[str(p.target.node)], mover=p.mover, contested=p.contested)
            for p in self.plan.placements
        ]
        return Route(shifts=tuple(shifts), binds=tuple(binds))

    def _class(self, uid: str) -> int:
        return self.problem.class_of[self._index[uid]]

    def compare(self, snapshot: Snapshot, number: int) -> None:
        """The state after a wave: everybody where the plan says, spread no worse than it may be, and the next wave still lawful."""
        where = self._where(snapshot)
        self._positions(where, number)
        counts = Counter((self.problem.class_of[pod], node) for pod, node in where.items())
        for row in self.problem.rows:
            if isinstance(row, Spread) and row.guard is not None:
                worst = skew(counts, row.group, row.domains, row.min_domains)
                if worst > row.guard:
                    self.findings.append(f"wave {number}: skew {worst} > {row.guard} of {self._carriers(row)}")
        following = self._moments.get(number + 1)
        if following is not None:
            self._judge(self._as_it_is(following, where, counts), number + 1)
        self._arrivals_fit(snapshot, number)

    def _carriers(self, row: Spread) -> str:
        first = self.problem.classes[row.carriers[0]]
        return f"{first.namespace}/{first.workload[1] if first.workload else 'a pod'}"

    def _where(self, snapshot: Snapshot) -> dict[int, int]:
        """Pod to its node, copies standing for their originals."""
        found = {}
        for pod in snapshot.pods():
            uid = self.names.get((pod.ref.namespace, pod.ref.name), pod.uid)
            if pod.node in self._node and uid in self._index:
                found[self._index[uid]] = self._node[pod.node]
            elif pod.node in self._node:
                self.findings.append(f"{pod.ref} is nobody's")
        return found

    def _positions(self, where: Mapping[int, int], number: int) -> None:
        expected = {i: self._node[pod.node] for i, pod in enumerate(self.problem.pods) if pod.node in self._node}
        for move in self.plan.moves:
            if move.wave <= number:
                expected.pop(self._index[move.pod.uid])
            if move.arrival_wave <= number:
                expected[self._index[move.pod.uid]] = self._node[str(move.target.node)]
        placed = {self._index[p.pod.uid] for p in self.plan.placements}  # wherever the scheduler has them: `Carrying.elsewhere`
        for pod, node in sorted(where.items()):
            if pod not in expected and pod not in placed:
                self.unforeseen.add(pod)
            elif pod in expected and expected[pod] != node:
                self.findings.append(
                    f"wave {number}: {self.problem.pods[pod].ref} is on {self.problem.nodes[node].ref.name}, not where it was planned"
                )
        promised = {self._index[p.pod.uid] for p in self.plan.placements if p.wave <= number and not p.contested}
        missing = [self.problem.pods[pod].ref for pod in sorted({*expected, *promised}) if pod not in where]
        self.findings += [f"wave {number}: {ref} is nowhere" for ref in missing]

    def _as_it_is(self, moment: Moment, where: Mapping[int, int], counts: Mapping[tuple[int, int], int]) -> Moment:
        """The moment with the residents there really are.

        Who is bound already does not arrive any more, and for a contested place nobody promised that it would still be free.
        """
        arrivals = list(moment.arrivals)
        for placed in self.plan.placements:
            pod = self._index[placed.pod.uid]
            if placed.wave == moment.wave and (pod in where or placed.contested):
                here = (self.problem.class_of[pod], self._node[str(placed.target.node)])
                arrivals.remove(next(a for a in arrivals if (a.pod_class, a.node) == here and a.old is None and a.twin is None))
        return replace(moment, residents=counts, arrivals=tuple(arrivals))

    def _judge(self, moment: Moment, number: int) -> None:
        for constraint in CONSTRAINTS:
            self.findings += [f"before wave {number}, as it is: {violation}" for violation in constraint.violations(self.problem, moment)]

    def _arrivals_fit(self, snapshot: Snapshot, number: int) -> None:
        """Everyone who arrived still has room, ports and peace beside all who are there; spread and affinity are judged at arrival."""
        cluster = snapshot.clusters[0]
        scene = Scene(cluster.nodes, cluster.pods)
        arrived = {move.pod.uid for move in self.plan.moves if move.arrival_wave <= number}
        for pod in cluster.pods:
            if pod.node is None or self.names.get((pod.ref.namespace, pod.ref.name), pod.uid) not in arrived:
                continue
            scene.remove(pod)
            told = scene.objections(replace(pod, node=None))[pod.node]
            scene.add(pod)
            if told is not None and told.plugin not in ("PodTopologySpread", "InterPodAffinity"):
                self.findings.append(f"wave {number}: {pod.ref} on {pod.node}: {', '.join(told.reasons)}")
