"""Reads ``fleet.yaml``: which clusters a fleet has, recorded or live. Strict: every mistake is told with file, line and field."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import yaml

from descheduler.errors import UsageError
from descheduler.federation.fields import Odd, moment
from descheduler.federation.fleet_scheduler import read_scheduler
from descheduler.federation.fleet_yaml import Node, Reading
from descheduler.federation.scheduler import AS_SHIPPED, Scheduler

API_VERSION = "fleet.descheduler.io/v1alpha1"
FEDERATIONS = ("Standalone", "TensileKube")
MOVERS = ("Surge", "Hold", "Evict", "Recreate")
ROLES = ("Upper", "Lower")
FIELDS = ("name", "uid", "serverVersion", "movers", "unread", "scheduler", "kubeconfig", "role", "virtualNode")
"""Of a cluster."""
_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubeconfig:
    """Where a live cluster's credentials are; both empty: the current context."""

    path: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCluster:
    """One cluster as the file lists it."""

    name: str
    uid: str = ""
    """UID of kube-system; empty: not checked."""
    server_version: str = ""
    movers: tuple[str, ...] | None = None
    unread: tuple[str, ...] = ()
    """Kinds that whoever recorded the cluster was not allowed to list: unknown, not empty."""
    kubeconfig: Kubeconfig | None = None
    role: str = ""
    """TensileKube: Upper or Lower."""
    virtual_node: str = ""
    scheduler: Scheduler = AS_SHIPPED
    line: int = 0
    """Where in the file it begins, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetFile:
    """A whole ``fleet.yaml``."""

    path: str
    taken_at: datetime | None = None
    federation: str = "Standalone"
    clusters: tuple[FleetCluster, ...] | None = None
    """None when the file lists none: then every folder is a cluster."""


def dns_label(name: str) -> bool:
    """Whether the name may name a cluster."""
    return _DNS_LABEL.fullmatch(name) is not None


def slug(name: str) -> str:
    """A DNS label that resembles the name; empty when nothing of it can stand in one."""
    return name if dns_label(name) else re.sub(r"[^a-z0-9]+", "-", name.lower())[:63].strip("-")


def read_fleet_file(path: Path) -> FleetFile:
    """Raises UsageError with one line per mistake, each ``file:line: field: what, allowed values``."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        documents = list(yaml.compose_all(path.read_text(encoding="utf-8-sig"), Loader=loader))
    except yaml.MarkedYAMLError as error:
        line = f":{error.problem_mark.line + 1}" if error.problem_mark else ""
        raise UsageError(f"{path}{line}: is not YAML: {error.problem}") from error
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: is not YAML: {' '.join(str(error).split())}") from error
    if len(documents) != 1:
        raise UsageError(f"{path}: holds {len(documents)} documents, expected one of kind Fleet")
    reading = _FleetReading(str(path))
    found = reading.fleet(documents[0])
    if reading.mistakes:
        raise UsageError("\n".join(f"{path}:{line}: {message}" for line, message in sorted(reading.mistakes)))
    return found


class _FleetReading(Reading):
    """One pass over a ``Fleet``."""

    def fleet(self, node: Node) -> FleetFile:
        fields = self.fields(node, "", ("apiVersion", "kind", "takenAt", "federation", "clusters"))
        for name, expected in (("apiVersion", API_VERSION), ("kind", "Fleet")):
            told = self.text(fields.get(name), name)
            if told != expected:
                self.wrong(fields.get(name, node), name, f"{told!a}, expected {expected}" if told else f"missing, expected {expected}")
        federation = "Standalone"
        if "federation" in fields:
            inner = self.fields(fields["federation"], "federation", ("kind",))
            federation = self.one_of(inner.get("kind"), "federation.kind", FEDERATIONS) or "Standalone"
        clusters = self.clusters(fields["clusters"], federation) if "clusters" in fields else None
        taken_at = None
        if "takenAt" in fields:
            try:
                taken_at = moment(self.text(fields["takenAt"], "takenAt"), "takenAt")
            except Odd as odd:
                self.wrong(fields["takenAt"], "takenAt", str(odd).removeprefix("takenAt: "))
        return FleetFile(path=self.path, taken_at=taken_at, federation=federation, clusters=clusters)

    def clusters(self, node: Node, federation: str) -> tuple[FleetCluster, ...]:
        found = [self.cluster(item, f"clusters[{i}]", federation) for i, item in enumerate(self.items(node, "clusters"))]
        for what in ("name", "uid"):
            first: dict[str, int] = {}
            for i, cluster in enumerate(found):
                told = getattr(cluster, what)
                if told and told in first:
                    self.mistakes.append((cluster.line, f"clusters[{i}].{what}: {told!a} is also that of clusters[{first[told]}]"))
                first.setdefault(told, i)
        return tuple(found)

    def cluster(self, node: Node, field: str, federation: str) -> FleetCluster:
        fields = self.fields(node, field, FIELDS)
        name = self.text(fields.get("name"), f"{field}.name")
        if not dns_label(name):
            said = f"{name!a} is not a DNS label" if name else "missing, expected a DNS label"
            self.wrong(fields.get("name", node), f"{field}.name", f"{said} (lower-case letters, digits and -, at most 63)")
        for only in ("role", "virtualNode"):
            if only in fields and federation != "TensileKube":
                self.wrong(fields[only], f"{field}.{only}", "only with federation TensileKube")
        movers = None
        if "movers" in fields:
            listed = self.items(fields["movers"], f"{field}.movers")
            movers = tuple(self.one_of(item, f"{field}.movers[{i}]", MOVERS) for i, item in enumerate(listed))
        unread: tuple[str, ...] = ()
        if "unread" in fields:
            kinds = self.items(fields["unread"], f"{field}.unread")
            unread = tuple(self.text(item, f"{field}.unread[{i}]") for i, item in enumerate(kinds))
        kubeconfig = None
        if "kubeconfig" in fields:
            inner = self.fields(fields["kubeconfig"], f"{field}.kubeconfig", ("path", "context"))
            told = {key: self.text(inner.get(key), f"{field}.kubeconfig.{key}") for key in ("path", "context")}
            kubeconfig = Kubeconfig(path=told["path"], context=told["context"])
        return FleetCluster(
            name=name,
            uid=self.text(fields.get("uid"), f"{field}.uid"),
            server_version=self.text(fields.get("serverVersion"), f"{field}.serverVersion"),
            movers=movers,
            unread=unread,
            kubeconfig=kubeconfig,
            role=self.one_of(fields["role"], f"{field}.role", ROLES) if "role" in fields else "",
            virtual_node=self.text(fields.get("virtualNode"), f"{field}.virtualNode"),
            scheduler=read_scheduler(self, fields["scheduler"], f"{field}.scheduler") if "scheduler" in fields else AS_SHIPPED,
            line=node.start_mark.line + 1,
        )
