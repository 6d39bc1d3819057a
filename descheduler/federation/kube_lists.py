"""What is listed from an API server, in which order, and how: in pages of 500, each projected at once (kubernetes.md 4.3).

To add a kind: its line in ``LISTS``, its reader in ``kinds.KINDS``, and its rule in ``deploy/base/clusterrole.yaml``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from descheduler.federation.kube import Connection, Refused

PAGE = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One kind and where it is served."""

    kind: str
    resource: str
    """Its plural, in lower case."""
    group: str = ""
    version: str = "v1"
    selectors: tuple[str, ...] = ("",)
    """Field selectors, one list for each: what they leave out never crosses the wire."""
    needed: bool = True
    """Without it the plan could be wrong, so the cluster is left out; the others make it only more cautious."""

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def path(self) -> str:
        return f"/apis/{self.api_version}/{self.resource}" if self.group else f"/api/{self.version}/{self.resource}"

    @property
    def shown(self) -> str:
        """As kubectl and RBAC spell it."""
        return f"{self.resource}.{self.group}" if self.group else self.resource


NOT_FINISHED = "status.phase!=Succeeded,status.phase!=Failed"
"""What kube-scheduler itself asks for."""
NODES = Listing(kind="Node", resource="nodes")
PODS = Listing(kind="Pod", resource="pods", selectors=(NOT_FINISHED,))
UNBOUND = f"spec.nodeName=,{NOT_FINISHED}"

LISTS: tuple[Listing, ...] = (
    NODES,  # before the pods: a pod on a node that came later is left out, never the other way round
    PODS,
    Listing(kind="Namespace", resource="namespaces"),
    Listing(kind="ReplicaSet", resource="replicasets", group="apps"),
    Listing(kind="Deployment", resource="deployments", group="apps"),
    Listing(kind="StatefulSet", resource="statefulsets", group="apps"),
    Listing(kind="DaemonSet", resource="daemonsets", group="apps"),
    Listing(kind="Job", resource="jobs", group="batch"),
    Listing(kind="CronJob", resource="cronjobs", group="batch", needed=False),
    Listing(kind="PodDisruptionBudget", resource="poddisruptionbudgets", group="policy"),
    Listing(kind="ResourceQuota", resource="resourcequotas", needed=False),
    Listing(kind="PersistentVolumeClaim", resource="persistentvolumeclaims", needed=False),
    Listing(kind="PersistentVolume", resource="persistentvolumes", needed=False),
    Listing(kind="StorageClass", resource="storageclasses", group="storage.k8s.io", needed=False),
    Listing(kind="CSINode", resource="csinodes", group="storage.k8s.io", needed=False),
    Listing(kind="CSIDriver", resource="csidrivers", group="storage.k8s.io", needed=False),
    Listing(kind="CSIStorageCapacity", resource="csistoragecapacities", group="storage.k8s.io", needed=False),
    Listing(kind="VolumeAttachment", resource="volumeattachments", group="storage.k8s.io", needed=False),
    Listing(kind="RuntimeClass", resource="runtimeclasses", group="node.k8s.io", needed=False),
    Listing(kind="Event", resource="events", selectors=("reason=TriggeredScaleUp", "reason=Nominated"), needed=False),
)


class Sink(Protocol):
    """Takes in what an API server holds, kind after kind."""

    def add(self, raw: object, *, kind: str = "", api_version: str = "") -> None:
        """One object, with the kind and version of its list."""
        ...

    def saw(self, kind: str) -> None:
        """The kind was listed, even if there is none of it."""
        ...

    def forget(self, kind: str) -> None:
        """The list begins again: what was added of this kind may be gone."""
        ...

    def remark(self, subject: str, message: str) -> None:
        """Something odd."""
        ...


Sieve = Callable[[], Callable[[Any], bool] | None]
"""Asked anew whenever a list begins: which of its objects are wanted."""


def read_list(connection: Connection, listing: Listing, sink: Sink, sieve: Sieve = lambda: None) -> int:
    """Hand all objects of a kind that the sieve lets pass to the sink, and answer how many came. Raises Refused.

    A list that expires on the way (410) is begun again once; its "inconsistent" continuation is never used.
    """
    try:
        count = _read(connection, listing, sink, sieve())
    except Refused as refusal:
        if refusal.code != 410:
            raise
        sink.forget(listing.kind)
        count = _read(connection, listing, sink, sieve())
    sink.saw(listing.kind)
    return count


def _read(connection: Connection, listing: Listing, sink: Sink, wanted: Callable[[Any], bool] | None) -> int:
    count = 0
    for selector in listing.selectors:
        going_on = ""
        while True:
            query = {"limit": str(PAGE), "fieldSelector": selector, "continue": going_on}
            body = connection.get(listing.path, {key: value for key, value in query.items() if value}, kind=f"{listing.kind}List")
            for item in items_of(body, listing):
                count += 1
                if wanted is None or wanted(item):
                    sink.add(item, kind=listing.kind, api_version=listing.api_version)
            meta = body.get("metadata")
            before, going_on = going_on, (meta.get("continue") or "") if isinstance(meta, dict) else ""
            if not going_on:
                break
            if going_on == before or not isinstance(going_on, str):
                raise Refused(f"the list of {listing.shown} does not go on: the same page comes again")
    return count


def items_of(body: Any, listing: Listing) -> list[Any]:
    """The items of a page. Raises Refused for a body that is not a list of this kind."""
    items = body.get("items")
    if body.get("apiVersion") != listing.api_version or not (items is None or isinstance(items, list)):
        raise Refused(f"the answer is not a list of {listing.shown}: is a proxy in between?")
    return items or []
