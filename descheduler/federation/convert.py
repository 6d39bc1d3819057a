"""Raw Kubernetes objects of one cluster as one domain ``Cluster``, whatever order they come in.

Objects are projected one at a time, so that a reader can hand over a page and forget it; ``build`` then does what needs
all of them. Nothing here fails on odd input: it is remarked upon, and the object made opaque, closed or left out,
whichever is safe.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from descheduler.domain.objects import Budget, Cluster, Node, Pod, Quota, ScaleUp, Workload
from descheduler.domain.snapshot import Remark
from descheduler.federation.attach_limits import with_attach_limits
from descheduler.federation.claims import Attached, Claims
from descheduler.federation.complete import Surroundings, complete_pod, pointed_to, with_closed_nodes
from descheduler.federation.convert_pod import PodDraft
from descheduler.federation.fields import Odd
from descheduler.federation.interning import Interner
from descheduler.federation.kinds import KINDS, PASSED_OVER, Item, NamespaceFound, Present, Reading, Source, read_other
from descheduler.federation.latest import Latest
from descheduler.federation.metadata import newest_time, place
from descheduler.federation.scheduler import AS_SHIPPED, Scheduler
from descheduler.federation.storage import Capacity, Storage, Unread, by_name

V = TypeVar("V")

OUR_GROUP = "fleet.descheduler.io"
_TIMED = frozenset({"Node", "Pod"})


class ClusterBuilder:
    """Collects the objects of one cluster: ``add`` in any order, then ``build``."""

    def __init__(
        self,
        name: str,
        *,
        uid: str = "",
        server_version: str = "",
        movers: tuple[str, ...] | None = None,
        scheduler: Scheduler = AS_SHIPPED,
        interner: Interner | None = None,
        timed: bool = True,
    ) -> None:
        self.name = name
        self.uid = uid
        """The UID of kube-system; empty: taken from that Namespace, if it is added."""
        self.server_version = server_version
        self.movers = movers
        self.scheduler = scheduler
        self.newest: datetime | None = None
        """The newest creation, start or condition time of any node or pod added, if ``timed``: a live fleet needs none."""
        self._timed_kinds = _TIMED if timed else frozenset()
        self.kinds: set[str] = set()
        """The kinds of which there was an object or an empty list."""
        self.unread: frozenset[str] = frozenset()
        """Kinds that are there and could not be listed: unknown, not empty."""
        self._source = Source(name, interner or Interner())
        self._remarks: set[tuple[str, str]] = set()
        self._stores: dict[tuple[bool, str], Latest[Reading]] = {}
        """By whether the kind is a known one, and the kind."""
        self._nameless_on: set[str] = set()

    def add(self, raw: object, *, kind: str = "", api_version: str = "") -> None:
        """Take in one object; ``kind`` and ``api_version`` are those of its list, for items that do not say their own."""
        if not isinstance(raw, dict):
            self.remark("an item", "is not an object")
            return
        kind = raw["kind"] if isinstance(raw.get("kind"), str) else kind
        version = raw["apiVersion"] if isinstance(raw.get("apiVersion"), str) else api_version
        if not kind or not kind.isascii() or not kind.isprintable():
            self.remark("an item", "has no kind")
            return
        group = version.rpartition("/")[0]
        if not version.isascii() or not version.isprintable():
            self.remark(f"a {kind}", "has an unreadable apiVersion")
            version = ""
        known = KINDS.get(kind)
        if known is not None and version and group not in known.groups:
            known = None
        if known is not None or kind in PASSED_OVER:
            self.saw(kind)
        if kind not in PASSED_OVER and group != OUR_GROUP:
            self._store(kind, version, raw, known is not None)

    def _store(self, kind: str, version: str, raw: dict[str, Any], known: bool) -> None:
        if known and kind in self._timed_kinds:
            time = newest_time(raw)
            self.newest = time if self.newest is None or (time is not None and time > self.newest) else self.newest
        try:
            where = place(raw, namespaced=not known or KINDS[kind].namespaced)
        except Odd as odd:
            if known:
                self.remark(f"a {kind} without a name", str(odd))
                self._note_nameless(kind, raw)
            return
        reading = (KINDS[kind].read if known else read_other)(Item(kind, version, raw, where, self._source))
        if kind == "Event" and reading == (None, ()):
            return
        self._stores.setdefault((known, kind), Latest()).offer(where, reading)

    def _note_nameless(self, kind: str, raw: dict[str, Any]) -> None:
        """A pod that cannot be named takes room all the same."""
        spec = raw.get("spec")
        if kind == "Pod" and isinstance(spec, dict) and isinstance(spec.get("nodeName"), str):
            self._nameless_on.add(spec["nodeName"])

    def saw(self, kind: str) -> None:
        """The source was asked for this kind, even if it holds none."""
        self.kinds.add(kind)

    def forget(self, kind: str) -> None:
        """What was added of a known kind may be gone: its list begins again."""
        self._stores.pop((True, kind), None)
        if kind == "Pod":
            self._nameless_on.clear()

    def remark(self, subject: str, message: str) -> None:
        """Report something odd about this cluster; equal remarks are reported once."""
        self._remarks.add((subject, message))

    def build(self) -> tuple[Cluster, tuple[Remark, ...]]:
        """The cluster, sorted, and what was odd about its objects. Objects may be added after, and it be built again."""
        spaces = self._values("Namespace", NamespaceFound)
        pods, nodes = self._pods_and_nodes(spaces)
        workloads = [workload for (known, kind) in self._stores if known for workload in self._values(kind, Workload)]
        others = [workload for (known, kind) in self._stores if not known for workload in self._values(kind, Workload, known=False)]
        workloads += pointed_to(others, workloads, pods)
        workloads = self.scheduler.templates(workloads)
        waiting = {(pod.ref.namespace, pod.ref.name) for pod in pods if pod.waiting}
        scale_ups = {found for found in self._values("Event", ScaleUp) if (found.namespace, found.pod) in waiting}
        cluster = Cluster(
            name=self.name,
            uid=self.uid or self.kube_system_uid(),
            server_version=self.server_version,
            movers=self.movers,
            nodes=with_closed_nodes(nodes, pods, self._nameless_on),
            pods=pods,
            workloads=tuple(sorted(workloads, key=lambda w: (w.kind, w.namespace, w.name, w.api_version))),
            budgets=tuple(self._values("PodDisruptionBudget", Budget)),
            quotas=tuple(self.scheduler.quotas(self._values("ResourceQuota", Quota))),
            schedulers=self.scheduler.profiles,
            namespaces=tuple(found.namespace for found in spaces),
            scale_ups=tuple(sorted(scale_ups, key=lambda s: (s.namespace, s.pod, s.at, s.reason))),
            absent=tuple(kind for kind in KINDS if kind not in self.kinds and kind not in self.unread and KINDS[kind].missed),
        )
        return cluster, self._all_remarks()

    def kube_system_uid(self) -> str:
        """The UID of the namespace kube-system as read; empty when it was not."""
        store = self._stores.get((True, "Namespace"))
        return next((uid for (_, name, uid), _ in store.items() if name == "kube-system"), "") if store else ""

    def _pods_and_nodes(self, spaces: list[NamespaceFound]) -> tuple[tuple[Pod, ...], tuple[Node, ...]]:
        drafts = self._values("Pod", PodDraft)
        labels: dict[str, Any] = dict.fromkeys(sorted({draft.pod.ref.namespace for draft in drafts}))
        labels |= {found.namespace.name: found.labels for found in spaces}
        seen = Surroundings(
            namespaces=labels,
            runtime_classes=frozenset(found.name for found in self._values("RuntimeClass", Present)),
            claims=Claims(self._storage()),
        )
        pods: list[Pod] = []
        held: dict[str, set[Attached]] = {}
        drivers: set[str] = set()
        for draft in drafts:
            pod, attached = complete_pod(draft, seen, self._source.interner)
            if not self.scheduler.plain:
                spec = self.scheduler.seen(pod.spec, own_constraints=draft.own_constraints)
                pod = replace(pod, spec=self._source.interner(spec))
            pods.append(pod)
            if attached:
                drivers |= {driver for driver, _ in attached}
                held.setdefault(pod.node or "", set()).update(attached)
        return tuple(pods), with_attach_limits(self._values("Node", Node), held, drivers, seen.claims)

    def _storage(self) -> Storage:
        """What was read of it. What pods name must be there; of what limits them, a kind that is absent is empty."""

        def listed(kind: str) -> dict[str, Any] | None:
            return by_name(self._all(kind)) if kind in self.kinds else None

        def limiting(kind: str) -> dict[str, Any] | None:
            return None if kind in self.unread else by_name(self._all(kind))

        claims = self._all("PersistentVolumeClaim") if "PersistentVolumeClaim" in self.kinds else None
        attachments: list[Any] = [Unread("", "")] if "VolumeAttachment" in self.unread else self._all("VolumeAttachment")
        return Storage(
            claims=None if claims is None else {(c.namespace, c.name): None if isinstance(c, Unread) else c for c in claims},
            volumes=listed("PersistentVolume"),
            classes=listed("StorageClass"),
            nodes=limiting("CSINode"),
            drivers=limiting("CSIDriver"),
            capacities=tuple(self._values("CSIStorageCapacity", Capacity)) if "CSIStorageCapacity" in self.kinds else None,
            attachments=None if any(isinstance(a, Unread) for a in attachments) else tuple(attachments),
        )

    def _all(self, kind: str) -> list[Any]:
        """What was kept of a kind, unreadable ones included, by namespace and name."""
        store = self._stores.get((True, kind))
        return [value for _, (value, _) in store.items() if value is not None] if store else []

    def _values(self, kind: str, of: type[V], *, known: bool = True) -> list[V]:
        """What was kept of a kind, by namespace and name."""
        store = self._stores.get((known, kind))
        return [value for _, (value, _) in store.items() if isinstance(value, of)] if store else []

    def _all_remarks(self) -> tuple[Remark, ...]:
        told = set(self._remarks)
        for (_, kind), store in self._stores.items():
            for (namespace, name, _), (_, oddities) in store.items():
                told |= {(f"{kind} {namespace}/{name}" if namespace else f"{kind} {name}", message) for message in oddities}
        return tuple(Remark(cluster=self.name, subject=subject, message=message) for subject, message in sorted(told))


def cluster_from_objects(
    name: str,
    objects: Iterable[object],
    *,
    uid: str = "",
    server_version: str = "",
    movers: tuple[str, ...] | None = None,
    unread: Iterable[str] = (),
) -> tuple[Cluster, tuple[Remark, ...]]:
    """All objects of one cluster at once; ``unread`` are kinds that could not be listed."""
    builder = ClusterBuilder(name, uid=uid, server_version=server_version, movers=movers)
    builder.unread = frozenset(unread)
    for raw in objects:
        builder.add(raw)
    return builder.build()
