"""Pods sorted into classes: pods of one workload that no rule, protection or mover tells apart."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from descheduler.diagnose.surroundings import Surroundings
from descheduler.diagnose.waiting import held_back, not_ours
from descheduler.domain.history import NO_HISTORY, History
from descheduler.domain.objects import Budget, Cluster, Node, Pod, PodSpec, Quota
from descheduler.domain.plan import Mover, PlanPod
from descheduler.domain.problem import PodClass
from descheduler.domain.resources import PODS, Resources
from descheduler.domain.selectors import Pairs
from descheduler.domain.snapshot import Snapshot
from descheduler.policy.overrides import Effective
from descheduler.policy.policy import Policy
from descheduler.rules.filters import KUBE_SCHEDULER, Verdicts
from descheduler.rules.movers import TECHNIQUES, movers_for, reserved
from descheduler.rules.node_sets import NodeSets
from descheduler.rules.nominated import barred
from descheduler.rules.protections import protection
from descheduler.rules.subject import ProtectionSettings, Subject

ONE_POD = Resources({PODS: 1})
FOREVER = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class _Key:
    """What all pods of a class share."""

    cluster: str
    namespace: str
    workload: tuple[str, str] | None
    spec: PodSpec
    labels: Pairs
    priority: int
    waiting: bool
    terminating: bool
    placeable: bool
    movers: tuple[Mover, ...]
    budgets: tuple[int, ...]
    overrides: tuple[int, ...]
    alone: str = ""
    """The name of a movable pod without a controller (limits per workload count each by itself), or of a nominated one."""
    nominated: str | None = None


@dataclass(frozen=True, slots=True)
class _Kin:
    """What is true of all pods that are alike."""

    key: _Key
    effective: Effective
    protected: str | None
    declined: str | None


class Sorted:
    """A snapshot's nodes and pods as flat lists, with every pod's class and verdicts."""

    def __init__(self, snapshot: Snapshot, policy: Policy, lifted: bool, history: History = NO_HISTORY) -> None:
        self.history = history
        self.policy, self.lifted, self.now = policy, lifted, snapshot.taken_at
        self.nodes: list[Node] = [node for cluster in snapshot.clusters for node in cluster.nodes]
        self.pods: list[Pod] = []
        self.names: list[PlanPod] = []
        self.budgets: list[tuple[str, Budget]] = []
        self.quotas: list[tuple[str, Quota]] = [(cluster.name, quota) for cluster in snapshot.clusters for quota in cluster.quotas]
        self.protected: dict[int, str] = {}
        self.not_ours: dict[int, str] = {}
        self.held_back: dict[int, str] = {}
        self.loose: dict[int, tuple[int, ...]] = {}
        self._declined: dict[int, str] = {}
        """Pods that only movers without steering apply to: why the others do not."""
        self._settings: dict[tuple[int, ...], ProtectionSettings] = {}
        self._youth: dict[tuple[str, int], timedelta] = {}
        """Namespace and labels, by identity, to the age below which a pod stays."""
        self._around: dict[str, tuple[Cluster, Surroundings]] = {}
        self._members: dict[_Key, list[int]] = {}
        self._effective: dict[_Key, Effective] = {}
        for cluster in snapshot.clusters:
            self._sort(cluster)
        self.class_of: list[int] = [0] * len(self.pods)
        self.classes: list[PodClass] = []
        self.effective: dict[int, Effective] = {}
        self._found()
        self._reach()

    def subject(self, index: int) -> Subject:
        """A pod with what protections and movers ask about it."""
        pod = self.pods[index]
        cluster, around = self._around[pod.ref.cluster]
        return self._subject(pod, cluster, around, self.policy.for_pod(pod.ref.namespace, dict(pod.labels)))

    def _sort(self, cluster: Cluster) -> None:
        around = Surroundings(cluster)
        self._around[cluster.name] = cluster, around
        first_budget = len(self.budgets)
        self.budgets += [(cluster.name, budget) for budget in cluster.budgets]
        known: dict[Hashable, _Kin] = {}
        for pod in cluster.pods:
            index, top = len(self.pods), around.top(pod)
            self.pods.append(pod)
            self.names.append(PlanPod(cluster=cluster.name, namespace=pod.ref.namespace, name=pod.ref.name, uid=pod.uid, workload=top))
            alike = None if pod.waiting else self._alike(pod, around)
            kin = known.get(alike)
            if kin is None:
                kin = self._kin(index, cluster, around, top, first_budget)
                if alike is not None:
                    known[alike] = kin
            if kin.protected is not None:
                self.protected[index] = kin.protected
            if kin.declined is not None:
                self._declined[index] = kin.declined
            key = replace(kin.key, alone=pod.ref.name) if kin.key.alone else kin.key
            self._members.setdefault(key, []).append(index)
            self._effective[key] = kin.effective

    def _alike(self, pod: Pod, around: Surroundings) -> Hashable:
        """What tells bound pods apart to protections, movers and classes; values are told by identity, for reading shares equal ones.

        A node matters where it could be the reason, and age as far as it is too low.
        """
        node = around.nodes.get(pod.node or "")
        where = node is not None and (node.ref.name if node.annotations or not node.ready else True)
        profile = (pod.ref.namespace, id(pod.labels))
        if profile not in self._youth:
            self._youth[profile] = self._protections(self.policy.for_pod(pod.ref.namespace, dict(pod.labels))).min_pod_age
        young = pod.created is not None and self.now - pod.created < self._youth[profile]
        same = (id(pod.spec), id(pod.labels), id(pod.annotations), id(pod.volumes), pod.ref.namespace, pod.owner, pod.priority)
        return *same, pod.terminating, pod.static, pod.phase, where, young, pod.created is None

    def _kin(self, index: int, cluster: Cluster, around: Surroundings, top: tuple[str, str] | None, first_budget: int) -> _Kin:
        """What is true of the pod and of all that are alike."""
        pod = self.pods[index]
        effective = self.policy.for_pod(pod.ref.namespace, dict(pod.labels))
        subject = self._subject(pod, cluster, around, effective)
        protected = declined = None
        if pod.waiting:
            placeable, movers = self._waits(index, subject, cluster, effective)
        else:
            placeable = False
            movers, protected, declined = self._stays(subject, top)
        nominated = pod.nominated_node if pod.waiting else None
        key = _Key(
            cluster=cluster.name,
            namespace=pod.ref.namespace,
            workload=top,
            spec=pod.spec,
            labels=pod.labels,
            priority=pod.priority,
            waiting=pod.waiting,
            terminating=pod.terminating,
            placeable=placeable,
            movers=movers,
            budgets=tuple(first_budget + i for i in around.covering(pod)) if movers and not pod.waiting else (),
            overrides=effective.overrides,
            alone=pod.ref.name if (movers and top is None) or nominated else "",
            nominated=nominated,
        )
        return _Kin(key, effective, protected, declined)

    def _subject(self, pod: Pod, cluster: Cluster, around: Surroundings, effective: Effective) -> Subject:
        return Subject(
            pod=pod,
            now=self.now,
            settings=self._protections(effective),
            in_scope=self.lifted or self.policy.spec.scope.covers(cluster.name, pod.ref.namespace, dict(pod.labels)),
            node=around.nodes.get(pod.node) if pod.node else None,
            chain=around.chain(pod),
            budgets=tuple(cluster.budgets[i] for i in around.covering(pod)),
            namespace_annotations=around.namespace_annotations(pod),
            replicas=around.replicas(pod),
            policy_movers=tuple(effective.movers),
            cluster_movers=cluster.movers,
            schedulers=cluster.schedulers,
        )

    def _protections(self, effective: Effective) -> ProtectionSettings:
        if effective.overrides not in self._settings:
            told = effective.protections
            self._settings[effective.overrides] = ProtectionSettings(
                min_pod_age=told.min_pod_age,
                local_storage=told.local_storage,
                volumes_allowed=frozenset(told.volumes_allowed),
                persistent_volumes=told.persistent_volumes,
                bare_pods=told.bare_pods,
                jobs=told.jobs,
                singletons=told.singletons,
                stateful_sets=told.stateful_sets,
                closed_budgets=told.closed_budgets,
                controllers=frozenset(told.controllers),
            )
        return self._settings[effective.overrides]

    def _waits(self, index: int, subject: Subject, cluster: Cluster, effective: Effective) -> tuple[bool, tuple[Mover, ...]]:
        """Whether a waiting pod may be placed, and whether its place can be reserved by a surge."""
        reason = not_ours(subject.pod, cluster.schedulers)
        if reason is not None:
            self.not_ours[index] = reason
            return False, ()
        seen = None if self.history.seen is None else self.history.seen.get(subject.pod.uid, 0)
        reason = None if self.lifted else held_back(subject.pod, subject.in_scope, effective, cluster, self.now, seen)
        if reason is not None:
            self.held_back[index] = reason
            return False, ()
        surge = Mover.SURGE in effective.movers and (cluster.movers is None or Mover.SURGE in cluster.movers)
        return True, (Mover.SURGE,) if surge and reserved(subject) is None else ()

    def _stays(self, subject: Subject, top: tuple[str, str] | None) -> tuple[tuple[Mover, ...], str | None, str | None]:
        """Which movers a bound pod has, or why it is protected; and why only movers without steering apply, where that is so."""
        reason = protection(subject) or self._rests(subject.pod, top)
        if reason is not None:
            return (), reason, None
        movers, reason = movers_for(subject)
        if not movers:
            return (), reason, None
        return movers, None, None if any(TECHNIQUES[mover].steers for mover in movers) else reason

    def _rests(self, pod: Pod, top: tuple[str, str] | None) -> str | None:
        """Why a pod's workload is left alone for a while; ``None`` when it is not."""
        if top is None or not self.history.moves:
            return None
        cooldown = self.policy.spec.cooldown
        until = self.history.resting_until((pod.ref.cluster, pod.ref.namespace, *top), cooldown.per_workload, cooldown.backoff_max)
        if until is None or until <= self.now:
            return None
        return f"a pod of {top[0]} {top[1]} was moved a short time ago: cooldown until {until:%Y-%m-%d %H:%M:%S} UTC"

    def _benched(self, c: PodClass) -> int:
        """Nodes, as a set of bits, to which a pod of a running class shall not go back for a while."""
        if c.waiting or c.workload is None or not self.history.moves:
            return 0
        since = self.now - self.policy.spec.cooldown.backoff_max
        names = self.history.benched((c.cluster, c.namespace, *c.workload), since)
        return sum(1 << i for i, node in enumerate(self.nodes) if node.ref.cluster == c.cluster and node.ref.name in names)

    def _found(self) -> None:
        places = {(node.ref.cluster, node.ref.name): index for index, node in enumerate(self.nodes)}
        for key, members in self._members.items():
            if key.waiting:
                members.sort(key=lambda i: (self.pods[i].waiting_since or FOREVER, self.pods[i].ref))
            at: dict[int, list[int]] = {}
            for pod in members:
                node = places.get((key.cluster, self.pods[pod].node or ""))
                if node is not None:
                    at.setdefault(node, []).append(pod)
                self.class_of[pod] = len(self.classes)
            self.effective[len(self.classes)] = self._effective[key]
            self.classes.append(
                PodClass(
                    index=len(self.classes),
                    cluster=key.cluster,
                    namespace=key.namespace,
                    spec=key.spec,
                    requests=key.spec.requests + ONE_POD,
                    labels=key.labels,
                    priority=key.priority,
                    workload=key.workload,
                    waiting=key.waiting,
                    terminating=key.terminating,
                    movers=key.movers,
                    budgets=key.budgets,
                    pods=tuple(members),
                    at={node: tuple(pods) for node, pods in sorted(at.items())},
                    reach=(),
                    nominated=places.get((key.cluster, key.nominated)) if key.nominated else None,
                )
            )
        self._placeable = [key.placeable for key in self._members]

    def _reach(self) -> None:
        """Nodes that filters admit and that could hold the pod if every movable pod left."""
        fixed: list[dict[str, int]] = [{} for _ in self.nodes]
        for c in self.classes:
            if not c.movers:
                for node, pods in c.at.items():
                    c.requests.add_to(fixed[node], len(pods))
        everyone = NodeSets(self.nodes)
        emptied = NodeSets(self.nodes, room=[node.allocatable - Resources(used) for node, used in zip(self.nodes, fixed, strict=True)])
        home: dict[str, int] = {}
        avoided = 0
        for index, here in enumerate(self.nodes):
            home[here.ref.cluster] = home.get(here.ref.cluster, 0) | 1 << index
            if here.closed or not here.ready or any(taint.effect == "NoExecute" for taint in here.taints):
                avoided |= 1 << index
        ours, theirs = Verdicts(), Verdicts(KUBE_SCHEDULER)
        nominated = [c for c in self.classes if c.nominated is not None]
        for c in self.classes:
            if (c.waiting and self._placeable[c.index]) or (not c.waiting and c.movers):
                roomy = home.get(c.cluster, 0)
                for resource, amount in c.requests.items():
                    roomy &= emptied.with_room(resource, amount)
                benched = self._benched(c)
                reach = roomy & ours.admitted(c.spec, everyone) & ~barred(c, self.nodes, nominated) & ~benched
                self.classes[c.index] = replace(c, reach=everyone.indices(reach))
                if not c.waiting and not all(TECHNIQUES[mover].steers for mover in c.movers):
                    stray = (avoided | benched) & roomy & ~reach
                    self._steer(self.classes[c.index], bool(stray & theirs.admitted(c.spec, everyone)))

    def _steer(self, c: PodClass, strays: bool) -> None:
        """Keep the movers by which its pods end where we want them.

        A successor that nobody steers may go wherever kube-scheduler likes; it ``strays`` where we would send nobody.
        Beside a mover that steers, one that does not stays as long as reach is all there is: planner and judge look on there.
        """
        steering = tuple(mover for mover in c.movers if TECHNIQUES[mover].steers)
        if steering:
            self.classes[c.index] = replace(c, movers=steering) if strays else c
            return
        if strays:
            reason = "its successor could go to a node that is no destination"
        elif len(c.reach) > 1:
            reason = "its successor could go to more than one node"
            if not set(c.reach) & set(c.at):
                self.loose[c.index] = c.reach
        elif not c.reach or c.reach[0] in c.at:
            reason = "its successor has nowhere else to go"
        else:
            return
        self.classes[c.index] = replace(c, reach=(), movers=())
        for pod in c.pods:
            self.protected[pod] = "; ".join(filter(None, (self._declined[pod], f"{c.movers[0]}: {reason}")))
