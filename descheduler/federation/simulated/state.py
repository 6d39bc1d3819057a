"""What the simulated fleet consists of, indexed; every change of a pod goes through here and says what it stirs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

from descheduler.domain.marks import DELETION_COST, EXPIRES, HOLD_GATE, HOSTNAME, MOVE_OF, PIN, PREVIOUS_COST, RESERVED_GATE, RUN, TOUCHED
from descheduler.domain.objects import Cluster, Node, Pod, PodRef, Workload
from descheduler.domain.selectors import Pairs
from descheduler.domain.snapshot import Snapshot
from descheduler.rules.scene import Scene

OUR_MARKS = frozenset({MOVE_OF, RUN, EXPIRES, PIN, PREVIOUS_COST, TOUCHED, DELETION_COST})
OUR_GATES = frozenset({RESERVED_GATE, HOLD_GATE})


EVER = datetime.min.replace(tzinfo=UTC)
"""When a pod of unknown age was created."""


class OwnerKey(NamedTuple):
    """A controller of the fleet."""

    cluster: str
    namespace: str
    kind: str
    name: str


class BudgetKey(NamedTuple):
    """A PodDisruptionBudget of the fleet."""

    cluster: str
    namespace: str
    name: str


@dataclass(slots=True)
class Record:
    """A pod of the simulated fleet, with what the domain's pod leaves out."""

    pod: Pod
    """As reading would tell it once it is bound: without the requirement of its pin."""
    pin: str | None = None
    """The hostname label value that a pin added to its nodeSelector."""
    version: int = 1
    ready_at: datetime | None = None
    gone_at: datetime | None = None
    body: dict[str, Any] | None = None
    """The pod as JSON, once somebody asked; forgotten when it changes."""

    @classmethod
    def of(cls, pod: Pod) -> Record:
        """The record of a pod as read: of a waiting one the pin is told among its own requirements."""
        pin = dict(pod.annotations).get(PIN)
        if pin is None or (HOSTNAME, pin) not in pod.spec.node_selector or not pod.waiting:
            return cls(pod)
        own = tuple(pair for pair in pod.spec.node_selector if pair != (HOSTNAME, pin))
        return cls(replace(pod, spec=replace(pod.spec, node_selector=own)), pin=pin)

    @property
    def as_read(self) -> Pod:
        """The pod as reading tells it."""
        return self.as_scheduled if self.pod.waiting else self.pod

    @property
    def node_selector(self) -> Pairs:
        """With the pin's requirement."""
        told = self.pod.spec.node_selector
        return told if self.pin is None else tuple(sorted((*told, (HOSTNAME, self.pin))))

    @property
    def as_scheduled(self) -> Pod:
        """The pod as the scheduler judges it."""
        return self.pod if self.pin is None else replace(self.pod, spec=replace(self.pod.spec, node_selector=self.node_selector))


class State:
    """All pods of all clusters and who owns them; ``stirred``, ``fresh``, ``restless`` and ``orphans`` are work to be done."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.clusters: dict[str, Cluster] = {cluster.name: cluster for cluster in snapshot.clusters}
        self.records: dict[PodRef, Record] = {}
        self.waiting: dict[PodRef, Record] = {}
        self.places: dict[tuple[str, str], dict[PodRef, None]] = {}
        """(cluster, namespace) to its pods."""
        self.owned: dict[OwnerKey, dict[PodRef, None]] = {}
        self.scenes = {cluster.name: Scene(cluster.nodes) for cluster in snapshot.clusters}
        self.holds: dict[tuple[str, str, str], dict[str, Any]] = {}
        self.journals: dict[tuple[str, str, str], dict[str, Any]] = {}
        """PodTemplates by cluster, namespace and name."""
        self.stirred: dict[str, dict[str, None]] = {}
        self.fresh: dict[PodRef, None] = {}
        self.restless: dict[OwnerKey, None] = {}
        self.orphans: dict[PodRef, None] = {}
        self.timed: dict[PodRef, None] = {}
        """Pods that become Ready, or go, at a certain time."""
        self.healthy: Counter[BudgetKey] = Counter()
        """Ready pods under each PodDisruptionBudget."""
        self._covering: dict[tuple[str, str, Pairs], tuple[BudgetKey, ...]] = {}
        self._serial = 0
        for pod in snapshot.pods():
            self.put(Record.of(pod))
        self.templates = {key: template for key in self.owned if (template := self._template(key)) is not None}
        self.workloads: dict[OwnerKey, Workload] = {
            OwnerKey(c.name, w.namespace, w.kind, w.name): w for c in snapshot.clusters for w in c.workloads
        }
        self.desired = {key: self._wanted(key) for key in self.owned}
        self.names = {key: tuple(ref.name for ref in self.owned[key]) for key in self.owned if key.kind == "StatefulSet"}
        self.restless, self.orphans = {}, {}

    def serial(self) -> int:
        """A number never given before."""
        self._serial += 1
        return self._serial

    def put(self, record: Record) -> None:
        """A pod comes into being."""
        pod = record.pod
        self.records[pod.ref] = record
        self.places.setdefault((pod.ref.cluster, pod.ref.namespace), {})[pod.ref] = None
        self.scenes[pod.ref.cluster].add(pod)
        self._count(pod, 1)
        if pod.waiting:
            self.waiting[pod.ref] = record
            self.fresh[pod.ref] = None
        self._own(pod)

    def drop(self, ref: PodRef) -> None:
        """A pod is gone."""
        record = self.records.pop(ref)
        self.scenes[ref.cluster].remove(record.pod)
        self._count(record.pod, -1)
        for index in (self.waiting, self.fresh, self.orphans, self.timed):
            index.pop(ref, None)
        self.places[ref.cluster, ref.namespace].pop(ref, None)
        key = owner_key(record.pod)
        if key is not None:
            self.owned[key].pop(ref, None)
            self.restless[key] = None
        self._stir(record.pod)

    def change(self, ref: PodRef, **changes: Any) -> Pod:
        """A pod changes; ``changes`` are fields of the domain's pod."""
        record = self.records[ref]
        before, after = record.pod, replace(record.pod, **changes)
        self.scenes[ref.cluster].remove(before)
        self.scenes[ref.cluster].add(after)
        self._count(before, -1)
        self._count(after, 1)
        record.pod, record.body = after, None
        record.version += 1
        self.waiting.pop(ref, None)
        if after.waiting:
            self.waiting[ref] = record
            self.fresh[ref] = None
        key = owner_key(before)
        if key is not None and key != owner_key(after):
            self.owned[key].pop(ref, None)
            self.restless[key] = None
        self._own(after)
        self._stir(before)
        return after

    def budgets_over(self, pod: Pod) -> tuple[BudgetKey, ...]:
        """The PodDisruptionBudgets that select the pod."""
        key = (pod.ref.cluster, pod.ref.namespace, pod.labels)
        if key not in self._covering:
            here = [b for b in self.clusters[pod.ref.cluster].budgets if b.namespace == pod.ref.namespace and b.selector is not None]
            labels = dict(pod.labels)
            found = [BudgetKey(pod.ref.cluster, b.namespace, b.name) for b in here if b.selector and b.selector.matches(labels)]
            self._covering[key] = tuple(found)
        return self._covering[key]

    def _count(self, pod: Pod, sign: int) -> None:
        if pod.ready and not pod.terminating:
            for key in self.budgets_over(pod):
                self.healthy[key] += sign

    def _own(self, pod: Pod) -> None:
        key = owner_key(pod)
        if key is None:
            self.orphans[pod.ref] = None
        else:
            self.owned.setdefault(key, {})[pod.ref] = None
            self.restless[key] = None

    def _stir(self, pod: Pod) -> None:
        """Whoever waits may fit now where ``pod`` was, or claimed to be."""
        nodes = self.stirred.setdefault(pod.ref.cluster, {})
        if pod.spec.anti_affinity:
            nodes.update(dict.fromkeys(self.scenes[pod.ref.cluster].nodes))
        place = pod.node or pod.nominated_node
        if place is not None:
            nodes[place] = None

    def set_node(self, node: Node) -> None:
        """A node changes in anything but its labels."""
        cluster = node.ref.cluster
        self.scenes[cluster].replace_node(node)
        self.stirred.setdefault(cluster, {})[node.ref.name] = None

    def pods_of(self, key: OwnerKey) -> Iterator[Pod]:
        """The controller's pods, terminating ones left out."""
        for ref in self.owned.get(key, ()):
            pod = self.records[ref].pod
            if not pod.terminating:
                yield pod

    def _template(self, key: OwnerKey) -> Pod | None:
        """What the controller makes its pods of: the oldest one there, without what was added to it later."""
        pods = [self.records[ref].pod for ref in self.owned[key]]
        oldest = min(pods, key=lambda p: (p.created or EVER, p.ref))
        notes = tuple((k, v) for k, v in oldest.annotations if k not in OUR_MARKS)
        return replace(oldest, annotations=notes, gates=tuple(g for g in oldest.gates if g not in OUR_GATES), nominated_node=None)

    def _wanted(self, key: OwnerKey) -> int:
        told = self.workloads[key].replicas if key in self.workloads else None
        return sum(1 for _ in self.pods_of(key)) if told is None else told


def owner_key(pod: Pod) -> OwnerKey | None:
    """Its controller, or ``None``."""
    return OwnerKey(pod.ref.cluster, pod.ref.namespace, pod.owner.kind, pod.owner.name) if pod.owner else None
