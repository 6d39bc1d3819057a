"""An eye on what users of a workload feel while its pods are moved: Ready replicas, and endpoints of its Service.

Both are asked for every 50 ms, as kube-proxy of another node might, and every change the API server tells of is written down as well:
what falls between two questions is in the watch.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import pairwise

import urllib3

from descheduler.clock import SystemClock
from tests.cluster.acting import is_ready
from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.cluster import Cluster

EVERY_SECONDS = 0.05
Count = Callable[[list[Object]], dict[str, int]]


@dataclass
class Seen:
    """How many there were of something, by app, and when that was seen."""

    told: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    """(monotonic seconds, app → number), in order."""

    def note(self, counts: dict[str, int]) -> None:
        self.told.append((SystemClock().monotonic(), counts))

    def of(self, app: str) -> list[int]:
        return [counts.get(app, 0) for _, counts in self.told]

    def least(self, app: str) -> int:
        return min(self.of(app))

    @property
    def longest_pause(self) -> float:
        """Seconds between two looks, at most."""
        return max((after - before for (before, _), (after, _) in pairwise(self.told)), default=0.0)


@dataclass
class Eyes:
    """What was seen in one cluster: asked for every 50 ms, and told by a watch."""

    asked_replicas: Seen = field(default_factory=Seen)
    asked_endpoints: Seen = field(default_factory=Seen)
    told_replicas: Seen = field(default_factory=Seen)
    told_endpoints: Seen = field(default_factory=Seen)

    def least_replicas(self, app: str) -> int:
        return min(self.asked_replicas.least(app), self.told_replicas.least(app))

    def least_endpoints(self, app: str) -> int:
        return min(self.asked_endpoints.least(app), self.told_endpoints.least(app))

    def gap_seconds(self, app: str) -> float:
        """The longest time without any endpoint, from the first look that showed none to the next that showed one."""
        longest, begun = 0.0, None
        for at, counts in sorted((*self.told_endpoints.told, *self.asked_endpoints.told), key=lambda seen: seen[0]):
            if counts.get(app, 0):
                longest, begun = max(longest, at - begun if begun is not None else 0.0), None
            elif begun is None:
                begun = at
        return longest


def replicas(pods: list[Object]) -> dict[str, int]:
    """Ready pods by app; whoever is on the way out is not Ready."""
    found: dict[str, int] = {}
    for pod in pods:
        app = pod["metadata"].get("labels", {}).get("app", "")
        found[app] = found.get(app, 0) + is_ready(pod)
    return found


def endpoints(slices: list[Object]) -> dict[str, int]:
    """Endpoints that get traffic, by Service."""
    found: dict[str, int] = {}
    for each in slices:
        service = each["metadata"]["labels"]["kubernetes.io/service-name"]
        ready = sum(point["conditions"].get("ready", True) for point in each["endpoints"] or ())
        found[service] = found.get(service, 0) + ready
    return found


def a_service(app: str, namespace: str = "shop") -> Object:
    """A Service over the pods of an app."""
    spec = {"selector": {"app": app}, "ports": [{"port": 80}]}
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": app, "namespace": namespace}, "spec": spec}


@contextmanager
def eyes_on(clusters: Sequence[Cluster], namespace: str = "shop") -> Iterator[dict[str, Eyes]]:
    """Look at the clusters, by name, as long as the block lasts."""
    seen = {cluster.name: Eyes() for cluster in clusters}
    ended = threading.Event()
    askers, followers = [], []
    for cluster in clusters:
        eyes, base = seen[cluster.name], f"/namespaces/{namespace}"
        pods, slices = f"/api/v1{base}/pods", f"/apis/discovery.k8s.io/v1{base}/endpointslices"
        sample = [(pods, replicas, eyes.asked_replicas), (slices, endpoints, eyes.asked_endpoints)]
        askers.append(threading.Thread(target=_ask, args=(cluster, sample, ended), daemon=True))
        for path, count, into in ((pods, replicas, eyes.told_replicas), (slices, endpoints, eyes.told_endpoints)):
            listed = cluster.api.get(path)
            into.note(count(listed["items"]))
            followers.append(threading.Thread(target=_follow, args=(cluster, path, listed, count, into, ended), daemon=True))
    for thread in (*askers, *followers):
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in askers:
            thread.join()


def _ask(cluster: Cluster, sample: list[tuple[str, Count, Seen]], ended: threading.Event) -> None:
    last = False
    while not last:
        last = ended.wait(EVERY_SECONDS)
        for path, count, into in sample:
            into.note(count(cluster.api.items(path)))


def _follow(cluster: Cluster, path: str, listed: Object, count: Count, into: Seen, ended: threading.Event) -> None:
    there = {item["metadata"]["uid"]: item for item in listed["items"]}
    query: dict[str, str | int] = {"resourceVersion": listed["metadata"]["resourceVersion"], "timeoutSeconds": 120}
    with suppress(urllib3.exceptions.HTTPError):  # the control plane ends before the watch does
        for event in cluster.api.watch(path, query):
            if ended.is_set():
                return
            there.pop(event["object"]["metadata"]["uid"], None)
            if event["type"] != "DELETED":
                there[event["object"]["metadata"]["uid"]] = event["object"]
            into.note(count(list(there.values())))
