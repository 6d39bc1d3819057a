"""A live fleet of ordinary clusters: those of a ``Fleet`` file, the current context, or the cluster this runs in.

Reading is here; ``kube_hands`` writes, ``kube_store`` keeps Lease and state.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

from descheduler.clock import Clock
from descheduler.domain.marks import JOURNAL
from descheduler.domain.objects import Cluster
from descheduler.domain.snapshot import Remark, Snapshot, Unreadable
from descheduler.errors import NothingReadable, Unanswered, UsageError
from descheduler.federation import kube_objects
from descheduler.federation.concurrently import concurrently, without_collecting
from descheduler.federation.convert import ClusterBuilder
from descheduler.federation.fleet_file import FleetCluster, read_fleet_file, slug
from descheduler.federation.kube import Connection, Refused, Timeouts
from descheduler.federation.kube_config import (
    Access,
    Context,
    NoCredentials,
    client_for,
    default_access,
    default_kubeconfig,
    home_expanded,
)
from descheduler.federation.kube_discovery import identity
from descheduler.federation.kube_lists import PODS, items_of
from descheduler.federation.kube_read import nothing_waits, read_cluster, read_lists
from descheduler.federation.kube_watch import READ_SECONDS as WATCH_READ_SECONDS
from descheduler.federation.kube_watch import Watches
from descheduler.federation.scheduler import AS_SHIPPED, Scheduler
from descheduler.federation.whole import absent_everywhere, refuse_twins
from descheduler.ports import Body, Object

AT_ONCE = 4
"""Clusters read side by side: their answers are parsed by one processor anyway."""
PATIENCE_SECONDS = 300.0
"""For the whole fleet."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """One cluster and how to get at it."""

    name: str
    access: Access
    uid: str = ""
    """The kube-system UID it must have; empty: any."""
    movers: tuple[str, ...] | None = None
    """Of the movers found, only these; None: all."""
    scheduler: Scheduler = AS_SHIPPED
    """What the Fleet file says of its kube-scheduler."""
    context: str = ""
    """The context it was called after, if that is not its name."""


def fleet_of(path: Path, service_account: Path) -> tuple[Member, ...]:
    """The clusters of a ``Fleet`` file; paths in it are relative to the file. Raises UsageError."""
    fleet = read_fleet_file(path)
    if fleet.federation != "Standalone":
        raise UsageError(f"{path}: federation.kind: {fleet.federation} is not supported yet, allowed: Standalone")
    if not fleet.clusters:
        raise UsageError(f"{path}: clusters: missing or empty; a live fleet lists each with name and kubeconfig")
    mistakes = [
        f"{path}:{cluster.line}: clusters[{i}].kubeconfig: missing; expected {{path, context}}, {{}} for the current context"
        for i, cluster in enumerate(fleet.clusters)
        if cluster.kubeconfig is None
    ]
    if mistakes:
        raise UsageError("\n".join(mistakes))
    return tuple(_member(cluster, path.parent, service_account) for cluster in fleet.clusters)


def _member(cluster: FleetCluster, folder: Path, service_account: Path) -> Member:
    told = cluster.kubeconfig
    access: Access
    if told is None or not (told.path or told.context):
        _, access = default_access(service_account)
    else:
        access = Context(str(folder / home_expanded(told.path)) if told.path else default_kubeconfig(), told.context)
    return Member(name=cluster.name, access=access, uid=cluster.uid, movers=cluster.movers, scheduler=cluster.scheduler)


def fleet_of_one(service_account: Path) -> tuple[Member, ...]:
    """The current context or, where there is no kubeconfig, the cluster this runs in. Raises UsageError when there is neither."""
    context, access = default_access(service_account)
    name = slug(context) or "current"
    return (Member(name=name, access=access, context=context if context != name else ""),)


class LiveFleet:
    """Reads clusters through their API servers, several at once; never writes to them. Implements ``Reader``."""

    def __init__(
        self, members: Sequence[Member], clock: Clock, *, timeouts: Timeouts | None = None, patience_seconds: float = PATIENCE_SECONDS
    ) -> None:
        self.members = tuple(members)
        self._members = {member.name: member for member in self.members}
        self.clock = clock
        self._timeouts = timeouts
        self._patience_seconds = patience_seconds
        self._connections: dict[str, Connection] = {}
        self._watches = Watches(self._watching, clock)

    def snapshot(self) -> Snapshot:
        """The whole fleet. A cluster that cannot be read is in ``unreadable`` with the reason.

        Raises NothingReadable when none can be read, UsageError when one cluster goes by two names.
        """
        taken_at = self.clock.now().replace(microsecond=0)
        found, unreadable = self.each(_read)
        clusters = [cluster for cluster, _ in found.values()]
        refuse_twins(clusters)
        remarks = [remark for _, told in found.values() for remark in told] + [*self.renamed(), *absent_everywhere(clusters)]
        return Snapshot(
            taken_at=taken_at,
            clusters=tuple(sorted(clusters, key=lambda cluster: cluster.name)),
            unreadable=unreadable,
            remarks=tuple(sorted(remarks, key=lambda remark: (remark.cluster, remark.subject, remark.message))),
        )

    def cluster(self, name: str) -> Cluster | None:
        """One cluster as it is now, by its lists alone; ``None`` when it cannot be read."""
        member = self._members[name]
        builder = ClusterBuilder(name, scheduler=member.scheduler, timed=False)
        try:
            _, lacking = read_lists(self.connection(name), builder)
        except (Refused, NoCredentials):
            return None
        builder.uid, builder.movers = member.uid, member.movers
        builder.unread = frozenset(listing.kind for listing in lacking)
        return builder.build()[0]

    def read(self, what: Object) -> Body | None:
        """One object as it is now; ``None`` when it is gone. Raises Unanswered."""
        return self._asked(what.cluster, lambda connection: kube_objects.read(connection, what))

    def pods(self, cluster: str, namespace: str) -> Sequence[Body]:
        """All pods of a namespace as they are now. Raises Unanswered."""
        path = kube_objects.list_path("Pod", namespace)
        items = self._asked(cluster, lambda connection: items_of(connection.get(path, {}, kind="PodList"), PODS))
        return [item for item in items if isinstance(item, dict)]

    def journals(self, cluster: str) -> Sequence[Body]:
        """Our PodTemplates, in all namespaces. Raises Unanswered."""
        query = {"labelSelector": JOURNAL}
        body = self._asked(cluster, lambda connection: connection.get("/api/v1/podtemplates", query, kind="PodTemplateList"))
        return [item for item in body.get("items") or () if isinstance(item, dict)]

    def until_change(self, places: Iterable[tuple[str, str]], at_most: timedelta) -> None:
        """Watch the places and return when something has changed in one of them, or when ``at_most`` has passed."""
        self._watches.wait(places, at_most)

    def _asked(self, cluster: str, deed: Callable[[Connection], T]) -> T:
        try:
            return deed(self.connection(cluster))
        except (Refused, NoCredentials) as refusal:
            raise Unanswered(f"{cluster}: {refusal}") from refusal

    def _watching(self, cluster: str) -> Connection:
        """A connection for a thread of its own, over the same client."""
        return self.connection(cluster).twin(Timeouts(read=WATCH_READ_SECONDS))

    def nothing_waits(self) -> bool:
        """Whether surely no pod of the fleet is without a node; cheap, for stopping early. A cluster that cannot say so may hold one."""
        try:
            found, unreadable = self.each(lambda member, connection: (identity(connection, member.uid), nothing_waits(connection)))
        except NothingReadable:
            return False
        twins = len({uid for uid, _ in found.values()}) < len(found)  # a full read says so
        return not unreadable and not twins and all(idle for _, idle in found.values())

    def renamed(self) -> list[Remark]:
        """Contexts that cannot be cluster names as they are."""
        message = "is called {} here: a cluster's name is a DNS label"
        return [
            Remark(cluster=m.name, subject=f"context {ascii(m.context)[1:-1]}", message=message.format(m.name))
            for m in self.members
            if m.context
        ]

    def each(self, deed: Callable[[Member, Connection], T]) -> tuple[dict[str, T], tuple[Unreadable, ...]]:
        """What the deed answers for every cluster, and those that could not be asked.

        Raises NothingReadable when that is all of them.
        """
        deeds = {member.name: lambda member=member: deed(member, self.connection(member.name)) for member in self.members}
        with without_collecting():
            ended = concurrently(deeds, self.clock, at_once=AT_ONCE, patience_seconds=self._patience_seconds)
        found: dict[str, T] = {}
        unreadable = []
        for member in self.members:
            answer, error = ended.get(member.name, (None, Refused(f"was not read within {self._patience_seconds:g} s")))
            if isinstance(error, Refused | NoCredentials):
                unreadable.append(Unreadable(cluster=member.name, reason=str(error)))
            elif error is not None:
                raise error
            else:
                found[member.name] = answer  # type: ignore[assignment]  # no error: this is what the deed answered
        if not found:
            reasons = "\n".join(f"{cluster.cluster}: {cluster.reason}" for cluster in unreadable)
            raise NothingReadable(f"no cluster can be read\n{reasons}")
        return found, tuple(sorted(unreadable, key=lambda cluster: cluster.cluster))

    def connection(self, cluster: str) -> Connection:
        """Kept: a credential plugin runs once. Raises NoCredentials."""
        if cluster not in self._connections:
            self._connections[cluster] = Connection(client_for(self._members[cluster].access), self.clock, self._timeouts)
        return self._connections[cluster]


def movers_of(member: Member, found: tuple[str, ...]) -> tuple[str, ...]:
    """The movers that were found, and are wanted."""
    return found if member.movers is None else tuple(mover for mover in member.movers if mover in found)


def _read(member: Member, connection: Connection) -> tuple[Cluster, tuple[Remark, ...]]:
    builder = ClusterBuilder(member.name, scheduler=member.scheduler, timed=False)
    discovered = read_cluster(connection, builder, member.uid)
    builder.uid, builder.server_version = discovered.uid, discovered.server_version
    builder.movers = movers_of(member, discovered.movers)
    builder.unread = frozenset(listing.kind for listing in discovered.lacking)
    return builder.build()
