"""The fleet as it is at one instant, and its digest."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime

from descheduler.domain.objects import Cluster, Pod
from descheduler.domain.resources import Resources


@dataclass(frozen=True, slots=True, kw_only=True)
class Remark:
    """Something odd in the source: reported, never fatal."""

    cluster: str
    subject: str
    message: str

    @property
    def where(self) -> str:
        """Cluster and subject, as far as there are any."""
        return "/".join(filter(None, (self.cluster, self.subject)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A cluster that could not be read: neither source nor destination, and not empty."""

    cluster: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """All clusters of a fleet as projected values."""

    taken_at: datetime
    """The one "now" of a run, in UTC."""
    federation: str = "Standalone"
    clusters: tuple[Cluster, ...] = ()
    unreadable: tuple[Unreadable, ...] = ()
    remarks: tuple[Remark, ...] = ()

    def pods(self) -> Iterator[Pod]:
        for cluster in self.clusters:
            yield from cluster.pods


def digest(snapshot: Snapshot) -> str:
    """``sha256:…`` over the projected values of the readable clusters.

    Files, formats, reading order and the time of reading do not count, so the same fleet has the same digest
    whether it was read live, from JSON or from gzip.
    """
    told = hashlib.sha256()
    told.update(snapshot.federation.encode())
    seen: dict[int, bytes] = {}
    for cluster in snapshot.clusters:
        told.update(_canonical(cluster, seen))
    return f"sha256:{told.hexdigest()}"


NOT_DIGESTED = frozenset({"server_version", "absent", "movers"})
"""Facts about how the cluster was read, not about the fleet."""


SHARED = 2**16
"""Bytes up to which a value is remembered: no two clusters share their list of pods, nor two places a pod."""


def _canonical(value: object, seen: dict[int, bytes]) -> bytes:
    """An unambiguous encoding; ``seen`` remembers values by identity, which pods share
    by the thousand; all of them must live as long as ``seen``."""
    if value is None:
        return b"~"
    if isinstance(value, str):
        raw = value.encode()
        return b"s%d:%s" % (len(raw), raw)
    if isinstance(value, bool | int):
        return b"i%d;" % value
    if isinstance(value, datetime):
        return b"t%d;" % round(value.timestamp())
    known = seen.get(id(value))
    if known is not None:
        return known
    if isinstance(value, tuple):
        out = b"(" + b"".join(_canonical(item, seen) for item in value) + b")"
    elif isinstance(value, frozenset):
        out = b"{" + b"".join(sorted(_canonical(item, seen) for item in value)) + b"}"
    elif isinstance(value, Resources):
        out = b"r(" + b"".join(_canonical(item, seen) for pair in value.items() for item in pair) + b")"
    elif is_dataclass(value):
        parts = [_canonical(getattr(value, f.name), seen) for f in fields(value) if f.name not in NOT_DIGESTED]
        out = b"<" + b"".join(parts) + b">"
    else:
        raise TypeError(f"{type(value).__name__} has no canonical form")
    if len(out) < SHARED and not isinstance(value, Pod):
        seen[id(value)] = out
    return out
