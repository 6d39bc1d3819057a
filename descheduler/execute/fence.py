"""A fence around the hands: nothing is written to a cluster whose Lease is not ours at that moment (kubernetes.md section 6)."""

from __future__ import annotations

from collections.abc import Callable

from descheduler.execute.asking import NOT_OURS
from descheduler.ports import Actuator, Answer, Body, Object, Store


class Fenced:
    """Another actuator that is asked only while the cluster's Lease is ours. Implements ``Actuator``."""

    def __init__(self, actuator: Actuator, store: Store, holder: str) -> None:
        self._actuator = actuator
        self._store = store
        self._holder = holder

    def create(self, cluster: str, body: Body, *, dry_run: bool = False) -> Answer:
        return self._do(cluster, dry_run, lambda: self._actuator.create(cluster, body, dry_run=dry_run))

    def patch(self, what: Object, patch: Body, *, dry_run: bool = False) -> Answer:
        return self._do(what.cluster, dry_run, lambda: self._actuator.patch(what, patch, dry_run=dry_run))

    def evict(self, what: Object, *, dry_run: bool = False) -> Answer:
        return self._do(what.cluster, dry_run, lambda: self._actuator.evict(what, dry_run=dry_run))

    def delete(self, what: Object, *, dry_run: bool = False) -> Answer:
        return self._do(what.cluster, dry_run, lambda: self._actuator.delete(what, dry_run=dry_run))

    def _do(self, cluster: str, dry_run: bool, deed: Callable[[], Answer]) -> Answer:
        reason = None if dry_run else self._store.acquire(cluster, self._holder)
        return Answer(code=409, reason=NOT_OURS, message=reason) if reason is not None else deed()
