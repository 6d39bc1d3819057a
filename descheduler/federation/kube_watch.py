"""Waiting for a change by watching, not by asking again and again: one thread for each namespace that is looked at."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from datetime import timedelta

from descheduler.clock import Clock
from descheduler.federation.kube import Connection, Refused
from descheduler.federation.kube_config import NoCredentials
from descheduler.federation.kube_objects import list_path

WATCH_SECONDS = 240
"""After so long the server ends a watch, and it begins anew."""
READ_SECONDS = WATCH_SECONDS + 30.0
SHORTEST_WATCH_SECONDS = 1.0
PAUSE_AFTER_FAULT = timedelta(seconds=2)
Place = tuple[str, str]


class Watches:
    """Tells when a pod of a watched namespace has changed. What has changed is for the reader to look up.

    The threads are daemons and live as long as the process: a run has few namespaces to look at.
    """

    def __init__(self, connect: Callable[[str], Connection], clock: Clock) -> None:
        self._connect = connect
        self._clock = clock
        self._changed = threading.Event()
        self._watched: set[Place] = set()

    def wait(self, places: Iterable[Place], at_most: timedelta) -> None:
        """Return when something has changed in any place watched so far since the last call, or after ``at_most``.

        A place asked for the first time counts as changed: nobody knows what went before.
        """
        for place in set(places) - self._watched:
            self._watched.add(place)
            threading.Thread(target=self._watch, args=place, daemon=True).start()
        self._changed.wait(at_most.total_seconds())
        self._changed.clear()

    def _watch(self, cluster: str, namespace: str) -> None:
        path, version = list_path("Pod", namespace), ""
        while True:
            try:
                connection = self._connect(cluster)
                if not version:
                    meta = connection.get(path, {"limit": "1"}, kind="PodList").get("metadata") or {}
                    version = str(meta.get("resourceVersion") or "0")
                    self._changed.set()
                begun = self._clock.monotonic()
                version = self._follow(connection, path, version)
                if self._clock.monotonic() - begun < SHORTEST_WATCH_SECONDS:  # a server, or a proxy, that lets nobody watch for long
                    self._changed.set()
                    self._clock.sleep(PAUSE_AFTER_FAULT)
            except (Refused, NoCredentials):
                version = ""
                self._changed.set()  # whoever waits looks for himself
                self._clock.sleep(PAUSE_AFTER_FAULT)

    def _follow(self, connection: Connection, path: str, version: str) -> str:
        """The version to go on from; empty when it is too old."""
        query = {"resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS), "allowWatchBookmarks": "true"}
        for event in connection.watch(path, query):
            if event.get("type") == "ERROR":
                return ""
            meta = (event.get("object") or {}).get("metadata") or {}
            version = str(meta.get("resourceVersion") or version)
            if event.get("type") != "BOOKMARK":
                self._changed.set()
        return version
