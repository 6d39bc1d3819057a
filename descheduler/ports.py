"""The few questions and deeds through which the core meets the world."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from descheduler.domain.objects import Cluster, PodRef
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
    version: str = ""
    """resourceVersion; when given, ``evict`` and ``delete`` are refused (409) once the object has changed in any way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API server said. 2xx is done; anything else did nothing unless ``unknown``."""

    code: int
    reason: str = ""
    message: str = ""
    body: Body = field(default_factory=dict)
    causes: tuple[str, ...] = ()
    """``details.causes[].reason`` of the server's Status, such as ``DisruptionBudget``."""
    retry_after_seconds: int | None = None
    unknown: bool = False
    """It may or may not have been done (the connection broke, the server gave up waiting): look before doing anything else."""

    @property
    def done(self) -> bool:
        return 200 <= self.code < 300


class Reader(Protocol):
    """Looks at a fleet; never writes."""

    def snapshot(self) -> Snapshot:
        """The whole fleet at one instant."""
        ...

    def cluster(self, name: str) -> Cluster | None:
        """One cluster as it is now; ``None`` when it cannot be read."""
        ...

    def read(self, what: Object) -> Body | None:
        """One object as it is now; ``None`` when it is gone."""
        ...

    def pods(self, cluster: str, namespace: str) -> Sequence[Body]:
        """All pods of a namespace as they are now."""
        ...

    def journals(self, cluster: str) -> Sequence[Body]:
        """The journals of bare pods that are being moved: PodTemplates with our label, in all namespaces."""
        ...

    def until_change(self, places: Iterable[tuple[str, str]], at_most: timedelta) -> None:
        """Return when a pod of one of these (cluster, namespace) has changed since the last call, or when ``at_most`` has passed."""
        ...


class Actuator(Protocol):
    """Five guarded verbs. A dry run of the tool is a run without one; ``dry_run`` here is the server's own."""

    def create(self, cluster: str, body: Body, *, dry_run: bool = False) -> Answer: ...

    def patch(self, what: Object, patch: Body, *, dry_run: bool = False) -> Answer:
        """A merge patch, refused (409) when ``what.uid`` is not the object's."""
        ...

    def evict(self, what: Object, *, dry_run: bool = False) -> Answer:
        """The Eviction subresource with a UID precondition and, if ``what`` has a version, one on that."""
        ...

    def delete(self, what: Object, *, dry_run: bool = False) -> Answer:
        """Delete with the same preconditions and the object's own grace period."""
        ...


class Store(Protocol):
    """Lease and state, kept in every cluster acted on."""

    def acquire(self, cluster: str, holder: str) -> str | None:
        """Make sure that the cluster's Lease is ours and goes on being so for a while; why it is not, or ``None``."""
        ...

    def halted(self, cluster: str) -> str | None:
        """Why nothing may be begun in the cluster, or ``None``. It fails closed: what cannot be asked is a reason."""
        ...

    def release(self, cluster: str, holder: str, *, clean: bool | None = None) -> None:
        """Give the Lease back. ``clean``: whether recovery has looked and left nothing; ``False``: it has yet to; ``None``: as it was."""
        ...

    def at_rest(self, cluster: str) -> bool:
        """Whether the last run in the cluster surely came to a clean end."""
        ...

    def load(self, cluster: str) -> Body | None:
        """The state left by earlier runs; empty when there is none, ``None`` when that cannot be said."""
        ...

    def save(self, cluster: str, state: Body) -> str | None:
        """Keep the state for later runs, under the Lease only; why that did not work, or ``None``."""
        ...


__all__ = ["Actuator", "Answer", "Body", "Object", "PodRef", "Reader", "Store"]
