"""Builders of domain values: each says only what a test is about, every other field has a default.

Amounts are plain integers, millicores and bytes; tiny ones are welcome. Pods run Ready since long ago, alone, unless told otherwise;
``of="web"`` puts a pod under a ReplicaSet under the Deployment ``web``. ``a_cluster`` and ``a_snapshot`` add the controllers that
their pods name, so that no test has to.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from descheduler.domain.objects import (
    Budget,
    Cluster,
    Namespace,
    Node,
    NodeRef,
    OwnerRef,
    Pod,
    PodRef,
    PodSpec,
    Quota,
    Volume,
    Workload,
)
from descheduler.domain.resources import Resources
from descheduler.domain.selectors import (
    HostPort,
    LabelSelector,
    NodeDemand,
    NodeSelectorTerm,
    PodTerm,
    Requirement,
    SpreadConstraint,
    Taint,
    Toleration,
    pairs,
)
from descheduler.domain.snapshot import Snapshot

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=30)
AN_HOUR_AGO = NOW - timedelta(hours=1)

HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"
HASH = "5d8"
"""The ``pod-template-hash`` of every ReplicaSet here; the ReplicaSet of ``web`` is ``web-5d8``."""

KINDS = {"StatefulSet": "apps/v1", "DaemonSet": "apps/v1", "ReplicaSet": "apps/v1", "Deployment": "apps/v1", "Job": "batch/v1"}

Thing = Node | Pod | Workload | Budget | Quota | Namespace


def a_uid(cluster: str, namespace: str, kind: str, name: str) -> str:
    """The UID every builder gives to an object of that place and name."""
    return f"{cluster}.{namespace}.{kind}.{name}"


def a_pod(
    name: str,
    *,
    on: str | None = None,
    cpu: int = 0,
    memory: int = 0,
    extended: Mapping[str, int] | None = None,
    of: str | None = None,
    kind: str = "Deployment",
    cluster: str = "east",
    namespace: str = "default",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    priority: int = 0,
    node_selector: Mapping[str, str] | None = None,
    node_affinity: tuple[NodeSelectorTerm, ...] | None = None,
    node_demands: Iterable[NodeDemand] = (),
    tolerations: Iterable[Toleration] = (),
    host_ports: Iterable[HostPort] = (),
    affinity: Iterable[PodTerm] = (),
    anti_affinity: Iterable[PodTerm] = (),
    exclusive_claims: Iterable[str] = (),
    spread: Iterable[SpreadConstraint] = (),
    scheduler: str = "default-scheduler",
    opaque: str | None = None,
    size_known: bool = True,
    volumes: Iterable[Volume] = (),
    ready: bool = True,
    terminating: bool = False,
    created: datetime | None = None,
    waiting_since: datetime | None = None,
    message: str = "",
    gates: Iterable[str] = (),
    nominated: str | None = None,
    static: bool = False,
    waits_for_claim: str | None = None,
    uid: str | None = None,
) -> Pod:
    """A pod running Ready on node ``on``, or waiting for an hour when ``on`` is absent.

    ``of`` names its topmost controller of ``kind`` (``Deployment``, ``ReplicaSet`` for a bare one, ``StatefulSet``, ``DaemonSet``,
    ``Job`` or any other); its labels then hold ``app: <of>``.
    """
    told = {**({"app": of} if of else {}), **({"pod-template-hash": HASH} if of and kind == "Deployment" else {}), **(labels or {})}
    born = created or (LONG_AGO if on else AN_HOUR_AGO)
    return Pod(
        ref=PodRef(cluster, namespace, name),
        uid=uid or a_uid(cluster, namespace, "Pod", name),
        spec=PodSpec(
            requests=Resources({"cpu": cpu, "memory": memory, **(extended or {})}),
            node_selector=pairs(node_selector or {}),
            node_affinity=node_affinity,
            node_demands=tuple(node_demands),
            tolerations=tuple(tolerations),
            host_ports=tuple(host_ports),
            affinity=tuple(affinity),
            anti_affinity=tuple(anti_affinity),
            exclusive_claims=tuple(exclusive_claims),
            spread=tuple(spread),
            scheduler=scheduler,
            opaque=opaque,
            size_known=size_known,
        ),
        labels=pairs(told),
        annotations=pairs(annotations or {}),
        volumes=tuple(volumes),
        node=on,
        phase="Running" if on else "Pending",
        ready=bool(on) and ready,
        terminating=terminating,
        created=born,
        waiting_since=None if on else waiting_since or born,
        scheduler_message=message,
        priority=priority,
        gates=tuple(gates),
        nominated_node=nominated,
        owner=_owner(cluster, namespace, kind, of),
        static=static,
        waits_for_claim=waits_for_claim,
    )


def _owner(cluster: str, namespace: str, kind: str, of: str | None) -> OwnerRef | None:
    if of is None:
        return None
    if kind == "Deployment":
        kind, of = "ReplicaSet", f"{of}-{HASH}"
    return OwnerRef(kind, of, a_uid(cluster, namespace, kind, of), KINDS.get(kind, "example.com/v1"))


def a_node(
    name: str,
    *,
    cpu: int = 64_000,
    memory: int = 64 * 2**30,
    pods: int = 110,
    extended: Mapping[str, int] | None = None,
    cluster: str = "east",
    zone: str | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    taints: Iterable[Taint] = (),
    unschedulable: bool = False,
    ready: bool = True,
    closed: str | None = None,
) -> Node:
    """A Ready node with plenty of whatever the test does not speak of; it always carries its hostname label."""
    return Node(
        ref=NodeRef(cluster, name),
        uid=a_uid(cluster, "", "Node", name),
        labels=pairs({HOSTNAME: name, **({ZONE: zone} if zone else {}), **(labels or {})}),
        annotations=pairs(annotations or {}),
        taints=tuple(taints),
        unschedulable=unschedulable,
        ready=ready,
        allocatable=Resources({"cpu": cpu, "memory": memory, "pods": pods, **(extended or {})}),
        closed=closed,
    )


def a_deployment(
    name: str,
    *,
    replicas: int = 1,
    max_surge: int = 1,
    strategy: str = "RollingUpdate",
    rolling: bool = False,
    namespace: str = "default",
    cluster: str = "east",
    annotations: Mapping[str, str] | None = None,
) -> Workload:
    """A Deployment; needed only where it differs from the one ``a_cluster`` adds by itself."""
    return Workload(
        kind="Deployment",
        namespace=namespace,
        name=name,
        uid=a_uid(cluster, namespace, "Deployment", name),
        api_version="apps/v1",
        annotations=pairs(annotations or {}),
        replicas=replicas,
        strategy=strategy,
        max_surge=max_surge,
        rolling=rolling,
    )


def a_workload(
    kind: str,
    name: str,
    *,
    replicas: int | None = None,
    owner: OwnerRef | None = None,
    ignores_disruption: bool = False,
    rolling: bool = False,
    namespace: str = "default",
    cluster: str = "east",
    annotations: Mapping[str, str] | None = None,
) -> Workload:
    """A controller of any kind other than Deployment."""
    return Workload(
        kind=kind,
        namespace=namespace,
        name=name,
        uid=a_uid(cluster, namespace, kind, name),
        api_version=KINDS.get(kind, "example.com/v1"),
        owner=owner,
        annotations=pairs(annotations or {}),
        replicas=replicas,
        ignores_disruption=ignores_disruption,
        rolling=rolling,
    )


def a_budget(
    of: str,
    *,
    allowed: int = 1,
    name: str | None = None,
    namespace: str = "default",
    selector: LabelSelector | None = None,
    never: bool = False,
    healthy: int = 0,
    desired: int = 0,
    always_allow_unhealthy: bool = False,
) -> Budget:
    """A PodDisruptionBudget over the pods labelled ``app: <of>`` unless ``selector`` says otherwise."""
    return Budget(
        namespace=namespace,
        name=name or of,
        selector=selector or selecting(app=of),
        allowed=allowed,
        never=never,
        healthy=healthy,
        desired=desired,
        always_allow_unhealthy=always_allow_unhealthy,
    )


def a_namespace(name: str, *, labels: Mapping[str, str] | None = None, annotations: Mapping[str, str] | None = None) -> Namespace:
    return Namespace(name=name, labels=pairs({"kubernetes.io/metadata.name": name, **(labels or {})}), annotations=pairs(annotations or {}))


def selecting(**labels: str) -> LabelSelector:
    """``matchLabels``."""
    return LabelSelector(pairs(labels))


def a_term(*expressions: tuple[str, str, tuple[str, ...]], names: tuple[str, ...] = ()) -> NodeSelectorTerm:
    """One term of required node affinity: ``a_term(("disk", "In", ("ssd",)))``; ``names`` restricts it to these nodes."""
    fields = (Requirement("metadata.name", "In", names),) if names else ()
    return NodeSelectorTerm(tuple(Requirement(*e) for e in expressions), fields)


def apart_from(topology_key: str = HOSTNAME, *, namespace: str = "default", **labels: str) -> PodTerm:
    """Required anti-affinity to the pods of a namespace that carry ``labels``."""
    return PodTerm(topology_key, selecting(**labels), frozenset({namespace}))


def near(topology_key: str = HOSTNAME, *, namespace: str = "default", **labels: str) -> PodTerm:
    """Required pod affinity to the pods of a namespace that carry ``labels``."""
    return apart_from(topology_key, namespace=namespace, **labels)


def spread_over(topology_key: str = ZONE, *, max_skew: int = 1, min_domains: int = 1, **labels: str) -> SpreadConstraint:
    """A hard topology spread constraint over the pods that carry ``labels``."""
    return SpreadConstraint(topology_key, max_skew, selecting(**labels), min_domains)


def a_cluster(name: str = "east", *things: Thing, movers: tuple[str, ...] | None = None) -> Cluster:
    """A cluster of the given things, in any order; pods and nodes built for another cluster are re-homed to this one."""
    here = [_rehomed(thing, name) for thing in things]
    pods = [thing for thing in here if isinstance(thing, Pod)]
    told = [thing for thing in here if isinstance(thing, Workload)]
    known = {(w.kind, w.namespace, w.name) for w in told}
    workloads = told + [w for w in _controllers(name, pods, told) if (w.kind, w.namespace, w.name) not in known]
    namespaces = {p.ref.namespace: a_namespace(p.ref.namespace) for p in pods}
    namespaces |= {thing.name: thing for thing in here if isinstance(thing, Namespace)}
    return Cluster(
        name=name,
        uid=a_uid(name, "", "Namespace", "kube-system"),
        movers=movers,
        nodes=tuple(sorted((t for t in here if isinstance(t, Node)), key=lambda n: n.ref)),
        pods=tuple(sorted(pods, key=lambda p: p.ref)),
        workloads=tuple(sorted(workloads, key=lambda w: (w.kind, w.namespace, w.name))),
        budgets=tuple(sorted((t for t in here if isinstance(t, Budget)), key=lambda b: (b.namespace, b.name))),
        namespaces=tuple(namespaces[key] for key in sorted(namespaces)),
        quotas=tuple(sorted((t for t in here if isinstance(t, Quota)), key=lambda q: (q.namespace, q.name))),
    )


def a_quota(name: str = "quota", *, namespace: str = "default", scopes: Iterable[str] = (), **left: int) -> Quota:
    """What a ResourceQuota has left; ``requests_cpu=2`` stands for ``requests.cpu``."""
    return Quota(namespace=namespace, name=name, left=pairs_of(left), scopes=tuple(scopes))


def pairs_of(amounts: Mapping[str, int]) -> tuple[tuple[str, int], ...]:
    """Amounts by keyword as sorted pairs, ``_`` read as a dot."""
    return tuple(sorted((name.replace("_", "."), amount) for name, amount in amounts.items()))


def a_snapshot(*things: Thing | Cluster, at: datetime = NOW) -> Snapshot:
    """A fleet: whole clusters, or loose things; loose pods and nodes go to the cluster they name, all else to ``east``."""
    clusters = {thing.name: thing for thing in things if isinstance(thing, Cluster)}
    loose: dict[str, list[Thing]] = {}
    for thing in things:
        if not isinstance(thing, Cluster):
            loose.setdefault(thing.ref.cluster if isinstance(thing, Pod | Node) else "east", []).append(thing)
    for name, here in loose.items():
        if name in clusters:
            raise ValueError(f"{name} is given as a cluster and by loose things")
        clusters[name] = a_cluster(name, *here)
    return Snapshot(taken_at=at, clusters=tuple(clusters[name] for name in sorted(clusters)))


def _rehomed(thing: Thing, cluster: str) -> Thing:
    def there(uid: str, was: str) -> str:
        return f"{cluster}{uid.removeprefix(was)}" if uid.startswith(f"{was}.") else uid

    match thing:
        case Pod(ref=ref, owner=owner):
            mine = replace(owner, uid=there(owner.uid, ref.cluster)) if owner else None
            return replace(thing, ref=replace(ref, cluster=cluster), uid=there(thing.uid, ref.cluster), owner=mine)
        case Node(ref=ref):
            return replace(thing, ref=replace(ref, cluster=cluster), uid=there(thing.uid, ref.cluster))
        case Workload(owner=owner):
            mine = replace(owner, uid=there(owner.uid, "east")) if owner else None
            return replace(thing, uid=there(thing.uid, "east"), owner=mine)
        case _:
            return thing


def _controllers(cluster: str, pods: list[Pod], told: list[Workload]) -> list[Workload]:
    """The controllers that the pods name, with as many replicas as there are pods, unless the test told their number."""
    count: dict[tuple[str, OwnerRef], int] = {}
    for pod in pods:
        if pod.owner:
            key = (pod.ref.namespace, pod.owner)
            count[key] = count.get(key, 0) + (not pod.terminating)
    made: list[Workload] = []
    for (namespace, owner), pods_there in count.items():
        above = None
        replicas = pods_there
        if owner.kind == "ReplicaSet" and owner.name.endswith(f"-{HASH}"):
            name = owner.name.removesuffix(f"-{HASH}")
            above = OwnerRef("Deployment", name, a_uid(cluster, namespace, "Deployment", name), "apps/v1")
            wanted = [w.replicas for w in told if (w.kind, w.namespace, w.name) == ("Deployment", namespace, name)]
            replicas = (wanted[0] if wanted else None) or replicas
            made.append(a_deployment(name, replicas=replicas, namespace=namespace, cluster=cluster))
        counted = owner.kind in ("ReplicaSet", "StatefulSet")
        made.append(
            Workload(
                kind=owner.kind,
                namespace=namespace,
                name=owner.name,
                uid=owner.uid,
                api_version=owner.api_version,
                owner=above,
                replicas=replicas if counted else None,
            )
        )
    return made
