"""The hands on live clusters: five guarded verbs, each sent once, each with the server's own dry run."""

from __future__ import annotations

from collections.abc import Callable

from descheduler.federation import kube_objects
from descheduler.federation.kube import Connection
from descheduler.federation.kube_config import NoCredentials
from descheduler.federation.standalone import LiveFleet
from descheduler.ports import Answer, Body, Object


class LiveHands:
    """Writes to the clusters of a fleet. Implements ``Actuator``; a run without it changes nothing."""

    def __init__(self, fleet: LiveFleet) -> None:
        self._fleet = fleet

    def create(self, cluster: str, body: Body, *, dry_run: bool = False) -> Answer:
        return self._do(cluster, lambda connection: kube_objects.create(connection, body, dry_run=dry_run))

    def patch(self, what: Object, patch: Body, *, dry_run: bool = False) -> Answer:
        return self._do(what.cluster, lambda connection: kube_objects.patch(connection, what, patch, dry_run=dry_run))

    def evict(self, what: Object, *, dry_run: bool = False) -> Answer:
        return self._do(what.cluster, lambda connection: kube_objects.evict(connection, what, dry_run=dry_run))

    def delete(self, what: Object, *, dry_run: bool = False) -> Answer:
        return self._do(what.cluster, lambda connection: kube_objects.delete(connection, what, dry_run=dry_run))

    def _do(self, cluster: str, deed: Callable[[Connection], Answer]) -> Answer:
        try:
            return deed(self._fleet.connection(cluster))
        except NoCredentials as missing:
            return Answer(code=0, message=str(missing))
