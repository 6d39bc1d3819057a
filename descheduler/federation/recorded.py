"""A fleet recorded in a snapshot directory: one folder per cluster, Kubernetes objects as kubectl prints them (DESIGN.md 4)."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from descheduler.domain.objects import Cluster
from descheduler.domain.snapshot import Remark, Snapshot, Unreadable
from descheduler.errors import NothingReadable, UsageError
from descheduler.federation.convert import OUR_GROUP, ClusterBuilder
from descheduler.federation.documents import FileUnreadable, holds_data, read_file
from descheduler.federation.fleet_file import FleetCluster, FleetFile, read_fleet_file, slug
from descheduler.federation.interning import Interner
from descheduler.federation.whole import absent_everywhere, refuse_twins

FLEET_FILE = "fleet.yaml"
EXPECTED = "expected one folder per cluster, with its nodes and pods as `kubectl get nodes,pods,… -A -o json` (or yaml) prints them"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(slots=True)
class _Found:
    """What the folders held so far."""

    clusters: list[Cluster] = field(default_factory=list)
    unreadable: list[Unreadable] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)
    newest: datetime | None = None


class RecordedFleet:
    """Reads a snapshot directory. It knows no clock: "now" is when the fleet was recorded."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def snapshot(self) -> Snapshot:
        """The whole fleet. A cluster with an unreadable file is in ``unreadable``.

        Raises UsageError when the directory is not laid out as a snapshot, NothingReadable when no cluster can be read.
        """
        fleet = self._fleet_file()
        folders = self._folders()
        listed = self._listed(fleet, folders)
        self._refuse_objects_at_the_root()
        found, interner = _Found(), Interner()
        for cluster, folder in listed:
            _read_cluster(cluster, folder, fleet, found, interner)
        if not found.clusters:
            reasons = "\n".join(f"{cluster.cluster}: {cluster.reason}" for cluster in found.unreadable)
            raise NothingReadable(f"{self._directory}: no cluster can be read\n{reasons}")
        refuse_twins(found.clusters)
        if fleet is None:
            found.remarks += [_renamed(folder.name, cluster.name) for cluster, folder in listed if folder.name != cluster.name]
        found.remarks += absent_everywhere(found.clusters)
        taken_at = fleet.taken_at if fleet is not None and fleet.taken_at is not None else found.newest
        if taken_at is None:
            found.remarks.append(
                Remark(cluster="", subject="fleet", message="no time is known, so no pod has an age: set takenAt in fleet.yaml")
            )
        return Snapshot(
            taken_at=taken_at or _EPOCH,
            federation=fleet.federation if fleet is not None else "Standalone",
            clusters=tuple(sorted(found.clusters, key=lambda cluster: cluster.name)),
            unreadable=tuple(sorted(found.unreadable, key=lambda cluster: cluster.cluster)),
            remarks=tuple(sorted(found.remarks, key=lambda remark: (remark.cluster, remark.subject, remark.message))),
        )

    def _fleet_file(self) -> FleetFile | None:
        path = self._directory / FLEET_FILE
        if not self._directory.is_dir():
            what = "is not a directory" if self._directory.exists() else "does not exist"
            raise UsageError(f"{self._directory}: {what}; {EXPECTED}")
        if not path.is_file():
            return None
        fleet = read_fleet_file(path)
        if fleet.federation != "Standalone":
            raise UsageError(f"{path}: federation.kind: {fleet.federation} is not supported yet, allowed: Standalone")
        return fleet

    def _folders(self) -> dict[str, Path]:
        try:
            entries = sorted(self._directory.iterdir())
        except OSError as error:
            raise UsageError(f"{self._directory}: {error.strerror}") from error
        return {entry.name: entry for entry in entries if not entry.name.startswith(".") and _is_folder(entry)}

    def _listed(self, fleet: FleetFile | None, folders: dict[str, Path]) -> list[tuple[FleetCluster, Path]]:
        """Each cluster with its folder."""
        if fleet is None or fleet.clusters is None:
            if not folders:
                self._refuse_objects_at_the_root()
                raise UsageError(f"{self._directory}: holds no folder; {EXPECTED}")
            return _named_after(folders)
        for i, cluster in enumerate(fleet.clusters):
            if cluster.name not in folders:
                raise UsageError(f"{fleet.path}:{cluster.line}: clusters[{i}].name: there is no folder {self._directory / cluster.name}")
        unlisted = sorted(set(folders) - {cluster.name for cluster in fleet.clusters})
        if unlisted:
            raise UsageError(f"{self._directory / unlisted[0]}: this folder is not listed under clusters in {fleet.path}")
        if not fleet.clusters:
            raise UsageError(f"{fleet.path}: clusters: empty; {EXPECTED}")
        return [(cluster, folders[cluster.name]) for cluster in fleet.clusters]

    def _refuse_objects_at_the_root(self) -> None:
        for path in sorted(self._directory.iterdir()):
            if holds_data(path) and path.name != FLEET_FILE and path.is_file() and _holds_objects(path):
                raise UsageError(f"{path}: Kubernetes objects at the root of the snapshot belong to no cluster; {EXPECTED}")


class _Glance:
    """A sink that only learns whether there is a Kubernetes object of someone else's."""

    def __init__(self) -> None:
        self.objects = False

    def add(self, raw: object, *, kind: str = "", api_version: str = "") -> None:
        fields = raw if isinstance(raw, dict) else {}
        told, version = fields.get("kind", kind), fields.get("apiVersion", api_version)
        named = isinstance(told, str) and isinstance(version, str) and bool(told and version)
        self.objects = self.objects or (named and not version.startswith(f"{OUR_GROUP}/"))

    def saw(self, kind: str) -> None:
        self.objects = bool(kind)

    def remark(self, subject: str, message: str) -> None:
        """Other documents may lie at the root."""


def _holds_objects(path: Path) -> bool:
    glance = _Glance()
    try:
        read_file(path, path.name, glance)
    except FileUnreadable:
        return glance.objects
    return glance.objects


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:
        return False


def _named_after(folders: dict[str, Path]) -> list[tuple[FleetCluster, Path]]:
    """A cluster per folder; a name that is no DNS label is slugged."""
    slugs: dict[str, Path] = {}
    for name, folder in folders.items():
        told = slug(name)
        if not told or told in slugs:
            other = f" ({slugs[told].name} would be called the same)" if told else ""
            raise UsageError(f"{folder}: the folder's name makes no cluster name{other}: lower-case letters, digits and -, at most 63")
        slugs[told] = folder
    return [(FleetCluster(name=told), folder) for told, folder in slugs.items()]


def _renamed(folder: str, name: str) -> Remark:
    return Remark(cluster=name, subject=f"folder {ascii(folder)[1:-1]}", message=f"is called {name} here: a cluster's name is a DNS label")


def _read_cluster(cluster: FleetCluster, folder: Path, fleet: FleetFile | None, found: _Found, interner: Interner) -> None:
    builder = ClusterBuilder(
        cluster.name, server_version=cluster.server_version, movers=cluster.movers, scheduler=cluster.scheduler, interner=interner
    )
    builder.unread = frozenset(cluster.unread)
    files = _files(folder)
    for path in files:
        name = path.relative_to(folder).as_posix()
        try:
            read_file(path, name, builder)
        except FileUnreadable as error:
            found.unreadable.append(Unreadable(cluster=cluster.name, reason=f"{folder.name}/{name}: {error}"))
            return
    lacking = _lacking(builder, files)
    if lacking:
        found.unreadable.append(Unreadable(cluster=cluster.name, reason=lacking))
        return
    uid = builder.kube_system_uid()
    if cluster.uid and uid and cluster.uid != uid:
        where = f"{fleet.path}:{cluster.line}: " if fleet is not None else ""
        raise UsageError(f"{where}uid: {cluster.uid} is not that of kube-system in {folder}, {uid}: the folder holds another cluster")
    builder.uid = cluster.uid or uid
    built, remarks = builder.build()
    found.clusters.append(built)
    found.remarks += remarks
    if builder.newest is not None and (found.newest is None or builder.newest > found.newest):
        found.newest = builder.newest


def _files(folder: Path) -> list[Path]:
    """All data files below the folder, hidden ones left out, links to folders not followed."""
    found: list[Path] = []
    for parent, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [path for path in (Path(parent, name) for name in sorted(names)) if holds_data(path)]
    return found


def _lacking(builder: ClusterBuilder, files: list[Path]) -> str | None:
    """Nodes and pods are needed; an empty List that does not say of what may have been theirs."""
    if not files:
        return f"the folder holds no .json or .yaml file; {EXPECTED}"
    missing = [kind for kind in ("Node", "Pod") if kind not in builder.kinds and "List" not in builder.kinds]
    if not missing:
        return None
    return f"holds no {' and no '.join(missing)}; {EXPECTED}"
