"""Where the objects live that the tool reads and writes one by one, and the verbs it has for them.

To add a kind: its line in ``SERVED`` and its rules in ``deploy/mover/``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from descheduler.domain.marks import HOLD_API, HOLD_KIND
from descheduler.federation.kube import Connection, Refused, Reply
from descheduler.federation.kube_config import printable
from descheduler.ports import Answer, Body, Object

MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Served:
    """One namespaced kind."""

    api_version: str
    resource: str


SERVED: Mapping[str, Served] = {
    "Pod": Served("v1", "pods"),
    "ConfigMap": Served("v1", "configmaps"),
    "PodTemplate": Served("v1", "podtemplates"),
    "ReplicaSet": Served("apps/v1", "replicasets"),
    "Deployment": Served("apps/v1", "deployments"),
    "StatefulSet": Served("apps/v1", "statefulsets"),
    "Job": Served("batch/v1", "jobs"),
    "Lease": Served("coordination.k8s.io/v1", "leases"),
    HOLD_KIND: Served(HOLD_API, "placementholds"),
}


def list_path(kind: str, namespace: str) -> str:
    """The path of a kind's list in a namespace."""
    served = SERVED[kind]
    group = f"/apis/{served.api_version}" if "/" in served.api_version else f"/api/{served.api_version}"
    return f"{group}/namespaces/{namespace}/{served.resource}"


def path_of(what: Object) -> str:
    return f"{list_path(what.kind, what.namespace)}/{what.name}"


def read(connection: Connection, what: Object) -> Body | None:
    """The object as it is now; ``None`` when it is gone. Raises Refused."""
    try:
        return connection.get(path_of(what), kind=what.kind)
    except Refused as refusal:
        if refusal.code == 404:
            return None
        raise


def create(connection: Connection, body: Body, *, dry_run: bool) -> Answer:
    path = list_path(body["kind"], body["metadata"]["namespace"])
    return answered(lambda: connection.write("POST", path, _dry(dry_run), body))


def patch(connection: Connection, what: Object, told: Body, *, dry_run: bool) -> Answer:
    """A merge patch with the UID in it: the server refuses to change that. Status has a path of its own."""
    body = dict(told)
    if what.uid:
        body["metadata"] = {**(told.get("metadata") or {}), "uid": what.uid}
    path = path_of(what) + ("/status" if "status" in told else "")
    answer = answered(lambda: connection.write("PATCH", path, _dry(dry_run), body, MERGE_PATCH))
    fields = {cause.get("field") for cause in _causes(answer.body)}
    if answer.code == 422 and "metadata.uid" in fields:  # another object by now
        return Answer(code=409, reason="Conflict", message=answer.message, body=answer.body)
    return answer


def replace(connection: Connection, what: Object, body: Body) -> Answer:
    """PUT: ``metadata.resourceVersion`` in the body guards it."""
    return answered(lambda: connection.write("PUT", path_of(what), {}, body))


def evict(connection: Connection, what: Object, *, dry_run: bool) -> Answer:
    """The Eviction subresource (kubernetes.md section 2); the grace period is the pod's own."""
    options = _options(what)
    meta = {"name": what.name, "namespace": what.namespace}
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": meta, "deleteOptions": options}
    return answered(lambda: connection.write("POST", f"{path_of(what)}/eviction", _dry(dry_run), body))


def delete(connection: Connection, what: Object, *, dry_run: bool) -> Answer:
    return answered(lambda: connection.write("DELETE", path_of(what), _dry(dry_run), _options(what)))


def _options(what: Object) -> dict[str, Any]:
    """DeleteOptions: gone is this object only and, with a version, only as it was read."""
    told = {"uid": what.uid, "resourceVersion": what.version}
    return {"apiVersion": "v1", "kind": "DeleteOptions", "preconditions": {key: value for key, value in told.items() if value}}


def _dry(dry_run: bool) -> dict[str, str]:
    return {"dryRun": "All"} if dry_run else {}


def answered(deed: Any) -> Answer:
    """What the server said, or that nobody knows whether it did it."""
    try:
        reply: Reply = deed()
    except Refused as refusal:
        return Answer(code=refusal.code, message=str(refusal), unknown=not refusal.unsent)
    told = reply.body
    refused = not 200 <= reply.status < 300
    message = printable(str(told.get("message") or "")) if refused else ""
    return Answer(
        code=reply.status,
        reason=str(told.get("reason") or "") if refused else "",
        message=message,
        body=told,
        causes=tuple(str(cause.get("reason") or "") for cause in _causes(told)) if refused else (),
        retry_after_seconds=None if reply.retry_after_seconds is None else int(reply.retry_after_seconds),
        unknown=reply.status >= 500,
    )


def _causes(status: Body) -> list[Mapping[str, Any]]:
    details = status.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return [cause for cause in causes if isinstance(cause, dict)] if isinstance(causes, list) else []
