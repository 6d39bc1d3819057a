"""Writes a live fleet down as a snapshot directory (DESIGN.md 4), redacted object by object before it reaches the disk."""

from __future__ import annotations

import gzip
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any, Self

import yaml

from descheduler.domain.objects import Cluster
from descheduler.domain.snapshot import Remark, Unreadable
from descheduler.errors import UsageError
from descheduler.federation.fleet_file import API_VERSION
from descheduler.federation.kube import Connection
from descheduler.federation.kube_lists import LISTS
from descheduler.federation.kube_read import read_cluster
from descheduler.federation.recorded import FLEET_FILE
from descheduler.federation.redact import redacted
from descheduler.federation.standalone import LiveFleet, Member, movers_of
from descheduler.federation.whole import refuse_twins

RESOURCES = {listing.kind: listing for listing in LISTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Captured:
    """What has been written."""

    counts: Mapping[str, int]
    """Objects per cluster."""
    unreadable: tuple[Unreadable, ...]
    remarks: tuple[Remark, ...]


def capture(fleet: LiveFleet, directory: Path, *, compress: bool = False) -> Captured:
    """Read every cluster and write the directory, whole or not at all; clusters that cannot be read are left out.

    Raises UsageError when the directory is in the way or cannot be written, or one cluster goes by two names;
    NothingReadable when no cluster can be read.
    """
    directory = directory.resolve()  # "." and links are fine
    refuse_directory(directory)
    taken_at = fleet.clock.now().astimezone(UTC).replace(microsecond=0)
    try:
        work = Path(tempfile.mkdtemp(dir=directory.parent, prefix=f".{directory.name}."))
    except OSError as error:
        raise UsageError(f"--output {directory}: {error.strerror}") from None
    try:
        found, unreadable = fleet.each(lambda member, connection: _capture(member, connection, work / member.name, compress))
        refuse_twins([folder.cluster for folder in found.values()])
        for cluster in unreadable:
            shutil.rmtree(work / cluster.cluster, ignore_errors=True)
        told = _fleet_file(fleet, taken_at, list(found.values()), unreadable)
        (work / FLEET_FILE).write_text(told, encoding="utf-8")
        work.chmod(0o755)
        work.replace(directory)
    except OSError as error:
        raise UsageError(f"--output {directory}: {error.strerror}") from None
    finally:
        shutil.rmtree(work, ignore_errors=True)
    remarks = [*fleet.renamed(), *(remark for folder in found.values() for remark in folder.remarks)]
    return Captured(counts={name: folder.count for name, folder in found.items()}, unreadable=unreadable, remarks=tuple(remarks))


def refuse_directory(directory: Path) -> None:
    """Raises UsageError when the directory holds something or has no parent: nothing is ever overwritten."""
    if directory.exists() and (not directory.is_dir() or any(directory.iterdir())):
        raise UsageError(f"--output {directory}: exists already; name a directory that is empty or not there yet")
    if not directory.absolute().parent.is_dir():
        raise UsageError(f"--output {directory}: the directory {directory.parent} does not exist")


@dataclass(frozen=True, slots=True)
class _Folder:
    """One cluster on disk."""

    cluster: Cluster
    """Only who it is."""
    count: int
    remarks: tuple[Remark, ...]
    unread: tuple[str, ...] = ()
    """Kinds that could not be listed."""


def _capture(member: Member, connection: Connection, folder: Path, compress: bool) -> _Folder:
    with _Files(folder, compress) as files:
        discovered = read_cluster(connection, files, member.uid)
    cluster = Cluster(
        name=member.name, uid=discovered.uid, server_version=discovered.server_version, movers=movers_of(member, discovered.movers)
    )
    remarks = tuple(Remark(cluster=member.name, subject=subject, message=message) for subject, message in files.remarks)
    return _Folder(cluster, files.count, remarks, tuple(listing.kind for listing in discovered.lacking))


class _Files:
    """A sink with one file per kind: a List with an object per line. Kinds that were not read to the end leave none."""

    def __init__(self, folder: Path, compress: bool) -> None:
        folder.mkdir()
        self._folder = folder
        self._compress = compress
        self._open: dict[str, IO[bytes]] = {}
        self._counts: dict[str, int] = {}
        self.remarks: list[tuple[str, str]] = []

    @property
    def count(self) -> int:
        return sum(self._counts.values())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for kind in list(self._open):
            self.forget(kind)

    def add(self, raw: object, *, kind: str = "", api_version: str = "") -> None:
        if not isinstance(raw, dict):
            self.remark("an item", "is not an object")
            return
        line = json.dumps(redacted(raw, kind, api_version), separators=(",", ":"))
        self._file(kind).write(f"{',' if self._counts[kind] else ''}\n{line}".encode())
        self._counts[kind] += 1

    def saw(self, kind: str) -> None:
        self._file(kind).write(b"\n]}\n")
        self._open.pop(kind).close()

    def forget(self, kind: str) -> None:
        file = self._open.pop(kind, None)
        if file is not None:
            file.close()
            self._path(kind).unlink()
            del self._counts[kind]

    def remark(self, subject: str, message: str) -> None:
        self.remarks.append((subject, message))

    def _file(self, kind: str) -> IO[bytes]:
        if kind not in self._open:
            file: Any = self._path(kind).open("wb")
            if self._compress:
                file = _Gzip(file)
            self._open[kind] = file
            self._counts[kind] = 0
            file.write(f'{{"apiVersion":"{RESOURCES[kind].api_version}","kind":"{kind}List","items":['.encode())
        return self._open[kind]

    def _path(self, kind: str) -> Path:
        return self._folder / f"{RESOURCES[kind].resource}.json{'.gz' if self._compress else ''}"


class _Gzip(gzip.GzipFile):
    """Without a time in its header, and closing what it writes to."""

    def __init__(self, file: IO[bytes]) -> None:
        super().__init__(filename="", mode="wb", fileobj=file, mtime=0)
        self._under = file

    def close(self) -> None:
        super().close()
        self._under.close()


def _fleet_file(fleet: LiveFleet, taken_at: datetime, folders: list[_Folder], unreadable: tuple[Unreadable, ...]) -> str:
    """``fleet.yaml``; what could not be read stands in it as a comment, without the reason: that may hold anything."""
    schedulers = {member.name: {"scheduler": dict(member.scheduler.told)} if member.scheduler.told else {} for member in fleet.members}
    listed: list[dict[str, object]] = []
    for folder in sorted(folders, key=lambda folder: folder.cluster.name):
        c = folder.cluster
        unread = {"unread": list(folder.unread)} if folder.unread else {}
        movers = list(c.movers or ())
        listed.append({"name": c.name, "uid": c.uid, "serverVersion": c.server_version, "movers": movers, **unread, **schedulers[c.name]})
    body = {
        "apiVersion": API_VERSION,
        "kind": "Fleet",
        "takenAt": taken_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "federation": {"kind": "Standalone"},
        "clusters": listed,
    }
    comments = "".join(f"# {cluster.cluster} could not be read\n" for cluster in unreadable)
    return comments + yaml.safe_dump(body, sort_keys=False, width=140)
