"""The few questions and deeds through which the core meets the world."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from descheduler.domain.objects import PodRef
from descheduler.domain.snapshot import Snapshot

Body = Mapping[str, Any]
"""A Kubernetes object as JSON."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Object:
    """Which object a step is about; ``uid`` guards it: the same name with another UID is another object."""

    cluster: str
    kind: str
    namespace: str
    name: str
    uid: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API server said. 2xx is done; anything else did nothing unless ``unknown``."""

    code: int
    reason: str = ""
    message: str = ""
    body: Body = field(default_factory=dict)
    retry_after_seconds: int | None = None
    unknown: bool = False
    """The connection broke after the request was sent: look before doing anything else."""

    @property
    def done(self) -> bool:
        return 200 <= self.code < 300


class Reader(Protocol):
    """Looks at a fleet; never writes."""

    def snapshot(self) -> Snapshot:
        """The whole fleet at one instant."""
        ...

    def read(self, what: Object) -> Body | None:
        """One object as it is now; ``None`` when it is gone."""
        ...

    def pods(self, cluster: str, namespace: str) -> Sequence[Body]:
        """All pods of a namespace as they are now."""
        ...


class Actuator(Protocol):
    """Five guarded verbs. A dry run of the tool is a run without one; ``dry_run`` here is the server's own."""

    def create(self, cluster: str, body: Body, *, dry_run: bool = False) -> Answer: ...

    def patch(self, what: Object, patch: Body, *, dry_run: bool = False) -> Answer:
        """A merge patch, refused (409) when ``what.uid`` is not the object's."""
        ...

    def evict(self, what: Object, *, dry_run: bool = False) -> Answer:
        """The Eviction subresource with a UID precondition."""
        ...

    def delete(self, what: Object, *, dry_run: bool = False) -> Answer:
        """Delete with a UID precondition and the object's own grace period."""
        ...


class Store(Protocol):
    """Lease and state, kept in every cluster acted on."""

    def acquire(self, cluster: str, holder: str) -> bool:
        """Whether the cluster's Lease is ours now."""
        ...

    def release(self, cluster: str, holder: str) -> None: ...

    def load(self, cluster: str) -> Body:
        """The state left by earlier runs; empty when there is none."""
        ...

    def save(self, cluster: str, state: Body) -> None: ...


__all__ = ["Actuator", "Answer", "Body", "Object", "PodRef", "Reader", "Store"]
