"""Reads one whole cluster from its API server into a sink: first what may be believed, then every kind in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from descheduler.federation.kube import Connection, Refused
from descheduler.federation.kube_discovery import Discovered, discover, identity, remark_on, whoami
from descheduler.federation.kube_lists import LISTS, NODES, PODS, UNBOUND, Listing, Sink, items_of, read_list


def read_cluster(connection: Connection, sink: Sink, uid: str = "") -> Discovered:
    """Everything a plan needs to know of a cluster, handed to ``sink``; ``uid`` is the kube-system UID it must have, if known.

    Raises Refused, with the reason in one line, when the cluster or a needed kind cannot be read to the end.
    """
    discovered = discover(connection, uid)
    counts, lacking = read_lists(connection, sink, discovered.lacking)
    if not discovered.user and not (counts[NODES] and counts[PODS]):
        raise Refused("holds no nodes or no pods, and the API server is too old to say whether it knows us: not taken as empty")
    if lacking:
        sink.remark("rights", remark_on(lacking))
    return replace(discovered, lacking=lacking)


def read_lists(connection: Connection, sink: Sink, lacking: Iterable[Listing] = ()) -> tuple[dict[Listing, int], tuple[Listing, ...]]:
    """Every kind in order, but those that are known to be lacking: how many of each, and what turned out to be lacking. Raises Refused."""
    without = list(lacking)
    nodes = _Nodes()
    counts: dict[Listing, int] = {}
    for listing in LISTS:
        if listing in without:
            continue
        try:
            counts[listing] = read_list(connection, listing, sink, partial(nodes.sieve, listing))
        except Refused as refusal:
            if listing.needed or refusal.code not in (403, 404):
                raise Refused(f"list {listing.shown}: {refusal}", refusal.code) from refusal
            without.append(listing)
    if nodes.strays:
        sink.remark("pods", f"{nodes.strays} left out: their nodes came or went while the cluster was read")
    return counts, tuple(without)


def nothing_waits(connection: Connection, uid: str = "") -> bool:
    """Whether no pod is without a node. Cheap, and perhaps some seconds old: enough to stop, never to plan.

    Raises Refused when that cannot be said.
    """
    if not whoami(connection):
        raise Refused("the API server is too old to say whether it knows us: an empty list is not believed")
    identity(connection, uid)
    body = connection.get(PODS.path, {"fieldSelector": UNBOUND, "resourceVersion": "0"}, kind="PodList")
    return not any(_waits(pod) for pod in items_of(body, PODS))


def _waits(pod: Any) -> bool:
    meta = pod.get("metadata") if isinstance(pod, dict) else None
    return not isinstance(meta, dict) or meta.get("deletionTimestamp") is None


class _Nodes:
    """Knows the nodes that were listed, and keeps pods on others out."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._strays: set[str] = set()

    @property
    def strays(self) -> int:
        return len(self._strays)

    def sieve(self, listing: Listing) -> Callable[[Any], bool] | None:
        """Which of a kind's objects to keep; it begins anew whenever a list does."""
        if listing is NODES:
            self._names.clear()
            return self._note
        if listing is PODS:
            self._strays.clear()
            return self._at_home
        return None

    def _note(self, node: Any) -> bool:
        name = _field(node, "metadata").get("name")
        if isinstance(name, str):
            self._names.add(name)
        return True

    def _at_home(self, pod: Any) -> bool:
        node = _field(pod, "spec").get("nodeName")
        if not node or node in self._names:
            return True
        self._strays.add(str(_field(pod, "metadata").get("uid")))
        return False


def _field(raw: Any, field: str) -> Mapping[str, Any]:
    found = raw.get(field) if isinstance(raw, dict) else None
    return found if isinstance(found, dict) else {}
