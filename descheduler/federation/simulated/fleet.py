"""``SimulatedFleet``: one in-memory fleet behind all three ports, with a log of every verb and ways to rehearse failure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from descheduler.clock import Clock
from descheduler.domain.marks import HOLD_KIND
from descheduler.domain.objects import Budget, Cluster, NodeRef, Pod, PodRef
from descheduler.domain.snapshot import Snapshot
from descheduler.federation.simulated.api import Api, refused
from descheduler.federation.simulated.bodies import budget_body, node_body, pod_body, workload_body
from descheduler.federation.simulated.controllers import reconcile
from descheduler.federation.simulated.scheduler import Choice, Scheduler
from descheduler.federation.simulated.state import BudgetKey, OwnerKey, Record, State
from descheduler.ports import Answer, Body, Object

VERBS = ("create", "patch", "evict", "delete")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One verb that was asked for, and the code of its answer."""

    verb: str
    cluster: str
    kind: str
    namespace: str
    name: str
    dry_run: bool
    code: int


class SimulatedFleet:
    """A fleet that starts as ``snapshot`` and lives on by itself: implements ``Reader``, ``Actuator`` and ``Store``.

    After every verb its controllers and its scheduler run until nothing is left to do; what takes time (``start_delay`` until a
    bound pod is Ready, ``grace`` until a deleted one is gone) happens as ``clock`` passes. Pods terminating in the snapshot stay so.
    """

    def __init__(
        self,
        snapshot: Snapshot,
        clock: Clock,
        seed: int = 0,
        choice: str = Choice.RANDOM,
        *,
        contested: Iterable[NodeRef] = (),
        start_delay: timedelta = timedelta(),
        grace: timedelta = timedelta(),
    ) -> None:
        self._origin = snapshot
        self._clock = clock
        self._state = State(snapshot)
        self._api = Api(self._state, snapshot, grace)
        self._scheduler = Scheduler(Choice(choice), seed, contested, start_delay)
        self._refusals: dict[str, list[Answer]] = {verb: [] for verb in VERBS}
        self._unknown = dict.fromkeys(VERBS, 0)
        self._before: dict[str, list[Callable[[], object]]] = {verb: [] for verb in VERBS}
        self._saved: dict[str, Body] = {}
        self.leases: dict[str, str] = {}
        """Cluster to the holder of its Lease."""
        self.unclean: set[str] = set()
        """Clusters whose last run said that something may be left."""
        self.halts: dict[str, str] = {}
        """Cluster to why nothing may be begun in it."""
        self.log: list[Call] = []
        """Every verb asked for, in order."""
        self.after_every_change: list[Callable[[], object]] = []
        """Called whenever the fleet has come to rest after a change: a test's eye on every moment."""

    # Reader

    def snapshot(self) -> Snapshot:
        clusters = tuple(self._cluster(cluster) for cluster in self._state.clusters.values())
        return replace(self._origin, taken_at=self._clock.now(), clusters=clusters)

    def _cluster(self, cluster: Cluster) -> Cluster:
        state = self._state
        nodes = state.scenes[cluster.name].nodes
        return replace(
            cluster,
            nodes=tuple(nodes[name] for name in sorted(nodes)),
            pods=tuple(sorted((r.as_read for ref, r in state.records.items() if ref.cluster == cluster.name), key=_by_name)),
            budgets=tuple(replace(b, allowed=self._api.allowed(key), healthy=self._api.healthy(key)) for key, b in _keyed(cluster)),
            workloads=tuple(
                replace(w, replicas=state.desired.get(OwnerKey(cluster.name, w.namespace, w.kind, w.name), w.replicas))
                for w in cluster.workloads
            ),
        )

    def cluster(self, name: str) -> Cluster | None:
        self._pass_time()
        return self._cluster(self._state.clusters[name]) if name in self._state.clusters else None

    def journals(self, cluster: str) -> Sequence[Body]:
        return [body for key, body in self._state.journals.items() if key[0] == cluster]

    def until_change(self, places: Iterable[tuple[str, str]], at_most: timedelta) -> None:
        """Time passes, a second at a time: changes fall due."""
        self._clock.sleep(min(at_most, timedelta(seconds=1)))

    def read(self, what: Object) -> Body | None:
        state = self._state
        if what.kind == "PodTemplate":
            return state.journals.get((what.cluster, what.namespace, what.name))
        if what.kind == HOLD_KIND:
            return state.holds.get((what.cluster, what.namespace, what.name))
        self._pass_time()
        if what.kind == "Pod":
            record = state.records.get(PodRef(what.cluster, what.namespace, what.name))
            return pod_body(record) if record else None
        if what.kind == "Node":
            node = state.scenes[what.cluster].nodes.get(what.name)
            return node_body(node) if node else None
        if what.kind == "PodDisruptionBudget":
            found = ((key, b) for key, b in _keyed(state.clusters[what.cluster]) if key[1:] == (what.namespace, what.name))
            return next((budget_body(b, self._api.allowed(key), self._api.healthy(key)) for key, b in found), None)
        return self._workload(OwnerKey(what.cluster, what.namespace, what.kind, what.name))

    def _workload(self, key: OwnerKey) -> Body | None:
        state = self._state
        workload = state.workloads.get(key)
        if workload is None:
            return None
        below = [
            OwnerKey(key.cluster, key.namespace, w.kind, w.name)
            for k, w in state.workloads.items()
            if k[:2] == key[:2] and w.owner is not None and (w.owner.kind, w.owner.name) == key[2:]
        ]
        pods = [pod for owner in (key, *below) for pod in state.pods_of(owner)]
        told = replace(workload, replicas=state.desired.get(key, workload.replicas))
        return workload_body(told, state.templates.get(key), len(pods), sum(pod.ready for pod in pods))

    def pods(self, cluster: str, namespace: str) -> Sequence[Body]:
        self._pass_time()
        return [pod_body(self._state.records[ref]) for ref in self._state.places.get((cluster, namespace), ())]

    # Actuator

    def create(self, cluster: str, body: Body, *, dry_run: bool = False) -> Answer:
        meta = body["metadata"]
        what = Object(cluster=cluster, kind=body["kind"], namespace=meta.get("namespace", "default"), name=meta.get("name", ""))
        return self._do("create", what, dry_run, lambda: self._api.create(cluster, body, self._clock.now(), dry_run))

    def patch(self, what: Object, patch: Body, *, dry_run: bool = False) -> Answer:
        return self._do("patch", what, dry_run, lambda: self._api.patch(what, patch, dry_run))

    def evict(self, what: Object, *, dry_run: bool = False) -> Answer:
        return self._do("evict", what, dry_run, lambda: self._api.evict(what, self._clock.now(), dry_run))

    def delete(self, what: Object, *, dry_run: bool = False) -> Answer:
        return self._do("delete", what, dry_run, lambda: self._api.delete(what, self._clock.now(), dry_run))

    def _do(self, verb: str, what: Object, dry_run: bool, deed: Callable[[], Answer]) -> Answer:
        self._pass_time()
        if self._before[verb]:
            self._before[verb].pop(0)()
        answer = self._refusals[verb].pop(0) if self._refusals[verb] else deed()
        self._settle()
        if self._unknown[verb]:
            self._unknown[verb] -= 1
            answer = Answer(code=0, message="connection reset by peer", unknown=True)
        place = {"cluster": what.cluster, "namespace": what.namespace, "name": what.name}
        self.log.append(Call(verb=verb, kind=what.kind, dry_run=dry_run, code=answer.code, **place))
        return answer

    # Store

    def acquire(self, cluster: str, holder: str) -> str | None:
        other = self.leases.setdefault(cluster, holder)
        return None if other == holder else f"the Lease of {cluster} is held elsewhere, by {other}"

    def halted(self, cluster: str) -> str | None:
        return self.halts.get(cluster)

    def release(self, cluster: str, holder: str, *, clean: bool | None = None) -> None:
        if self.leases.get(cluster) == holder:
            del self.leases[cluster]
            if clean:
                self.unclean.discard(cluster)
            elif clean is False:
                self.unclean.add(cluster)

    def at_rest(self, cluster: str) -> bool:
        return cluster not in self.leases and cluster not in self.unclean

    def load(self, cluster: str) -> Body | None:
        return self._saved.get(cluster, {})

    def save(self, cluster: str, state: Body) -> str | None:
        if cluster not in self.leases:
            return f"the Lease of {cluster} is not held"
        self._saved[cluster] = dict(state)
        return None

    # The life of the fleet

    def _pass_time(self) -> None:
        """Let happen what has fallen due."""
        now, state = self._clock.now(), self._state
        for ref in list(state.timed):
            record = state.records[ref]
            if record.gone_at is not None and record.gone_at <= now:
                state.drop(ref)
            elif record.ready_at is not None and record.ready_at <= now:
                record.ready_at = None
                state.change(ref, phase="Running", ready=not record.pod.terminating)
                if record.gone_at is None:
                    state.timed.pop(ref)
        self._settle()

    def _settle(self) -> None:
        now, state = self._clock.now(), self._state
        if not (state.restless or state.orphans or state.fresh or state.stirred):
            return
        while state.restless or state.orphans or state.fresh or state.stirred:
            reconcile(state, now, self._api.admit, lambda ref: self._api.terminate(ref, now))
            self._scheduler.bind_all(state, now)
        for look in self.after_every_change:
            look()

    # Rehearsal of failure

    def refuse_next(self, verb: str, *, code: int, message: str = "refused", retry_after: int | None = None, times: int = 1) -> None:
        """The next ``times`` calls of a verb are refused and do nothing."""
        self._refusals[verb] += [refused(code, message, retry_after)] * times

    def unknown_next(self, verb: str) -> None:
        """The next call of a verb is carried out, but its answer is lost."""
        self._unknown[verb] += 1

    def before_next(self, verb: str, deed: Callable[[], object]) -> None:
        """Something happens right before the next call of a verb; called twice, before the next two."""
        self._before[verb].append(deed)

    def lose_node(self, cluster: str, name: str) -> None:
        """The node stops answering: neither it nor its pods are Ready any more."""
        node = self._state.scenes[cluster].nodes[name]
        self._state.set_node(replace(node, ready=False))
        for pod in list(self._state.scenes[cluster].on(name)):
            self._state.change(pod.ref, ready=False)
        self._settle()

    def add(self, pod: Pod) -> None:
        """A pod appears, bound or waiting, as if someone else had made it."""
        self._state.put(Record.of(pod))
        self._settle()

    def bind(self, ref: PodRef, node: str) -> None:
        """Someone else binds a waiting pod, whether it fits or not."""
        self._state.change(ref, node=node, phase="Running", ready=True, waiting_since=None, nominated_node=None)
        self._settle()

    def remove(self, ref: PodRef) -> None:
        """A pod vanishes, as if its kubelet had lost it."""
        self._state.drop(ref)
        self._settle()

    def scale(self, cluster: str, namespace: str, kind: str, name: str, replicas: int) -> None:
        """Someone scales a controller of pods."""
        key = OwnerKey(cluster, namespace, kind, name)
        self._state.desired[key] = replicas
        self._state.restless[key] = None
        self._settle()


def _keyed(cluster: Cluster) -> Iterator[tuple[BudgetKey, Budget]]:
    return ((BudgetKey(cluster.name, budget.namespace, budget.name), budget) for budget in cluster.budgets)


def _by_name(pod: Pod) -> tuple[str, str]:
    return pod.ref.namespace, pod.ref.name
