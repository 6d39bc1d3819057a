"""The API server of the simulated fleet: the verbs, their preconditions and what admission, Eviction and validation answer.

Sources: kubernetes.md 1.5 (holds, what a gated pod allows) and section 2 (Eviction).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from descheduler.domain.marks import HOLD_GATE, HOLD_KIND, HOSTNAME, PIN
from descheduler.domain.objects import Pod, PodRef
from descheduler.domain.selectors import Pairs, pairs
from descheduler.domain.snapshot import Snapshot
from descheduler.federation.convert_pod import read_pod
from descheduler.federation.interning import Interner
from descheduler.federation.metadata import place
from descheduler.federation.simulated.bodies import CLASS_PREFIX, pod_body
from descheduler.federation.simulated.state import BudgetKey, Record, State
from descheduler.ports import Answer, Body, Object

STATUS = {403: "Forbidden", 404: "NotFound", 409: "Conflict", 422: "Invalid", 429: "TooManyRequests", 500: "InternalError"}


def refused(code: int, message: str, retry_after: int | None = None) -> Answer:
    return Answer(code=code, reason=STATUS.get(code, ""), message=message, retry_after_seconds=retry_after)


class Api:
    """Writes to a ``State`` as an API server would; nobody is scheduled here."""

    def __init__(self, state: State, snapshot: Snapshot, grace: timedelta) -> None:
        self._state = state
        self._grace = grace
        self._interner = Interner()
        self._budgets = {BudgetKey(c.name, b.namespace, b.name): b for c in snapshot.clusters for b in c.budgets}
        self._healthy_at_first = {key: self.healthy(key) for key in self._budgets}

    def create(self, cluster: str, body: Body, now: datetime, dry_run: bool) -> Answer:
        if body["kind"] == HOLD_KIND:
            return self._create_hold(cluster, body, dry_run)
        if body["kind"] == "PodTemplate":
            return self._create_journal(cluster, body, dry_run)
        if body["kind"] != "Pod":
            return refused(403, f"the simulated fleet creates no {body['kind']}")
        record = self._admitted(cluster, body, now)
        if record.pod.node is not None:
            return refused(422, "spec.nodeName: the simulated fleet leaves binding to its scheduler")
        if record.pod.ref in self._state.records:
            return refused(409, f'pods "{record.pod.ref.name}" already exists')
        if not dry_run:
            self._state.put(record)
        return Answer(code=201, body=pod_body(record))

    def _admitted(self, cluster: str, body: Body, now: datetime) -> Record:
        """The pod that a create would make: named, with a UID, a priority and the gates that admission adds."""
        number = self._state.serial()
        told: Mapping[str, Any] = body["metadata"]
        meta = {**told, "name": told.get("name") or f"{told.get('generateName', 'pod-')}{number:05x}", "uid": f"simulated-{number}"}
        meta |= {"resourceVersion": "1", "creationTimestamp": now.strftime("%Y-%m-%dT%H:%M:%SZ")}
        spec = dict(body["spec"])
        named = str(spec.get("priorityClassName", ""))
        if named.startswith(CLASS_PREFIX):
            value, _, spec["priorityClassName"] = named.removeprefix(CLASS_PREFIX).partition(".")
            spec["priority"] = int(value)
        raw = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Pending"}}
        draft, _ = read_pod(raw, place(raw), cluster, self._interner)
        return Record.of(self.admit(draft.pod))

    def admit(self, pod: Pod) -> Pod:
        """The hold policy: a pod whose controller is held gets our gate."""
        held = any(
            cluster == pod.ref.cluster and pod.owner is not None and pod.owner.uid in (hold.get("spec") or {}).get("ownerUIDs", ())
            for (cluster, _, _), hold in self._state.holds.items()
        )
        return replace(pod, gates=(*pod.gates, HOLD_GATE)) if held and HOLD_GATE not in pod.gates else pod

    def patch(self, what: Object, patch: Body, dry_run: bool) -> Answer:
        if what.kind == HOLD_KIND:
            return self._patch_hold(what, patch, dry_run)
        record = self._found(what)
        if isinstance(record, Answer):
            return record
        meta: Mapping[str, Any] = patch.get("metadata") or {}
        if meta.get("resourceVersion") not in (None, str(record.version)) or meta.get("uid") not in (None, record.pod.uid):
            return refused(409, "the object has been modified")
        wrong = _unlawful(record.pod, patch)
        if wrong is not None:
            return refused(422, wrong)
        if not dry_run:
            self._apply(record, patch, meta)
        return Answer(code=200, body=pod_body(record))

    def _apply(self, record: Record, patch: Body, meta: Mapping[str, Any]) -> None:
        pod, spec, status = record.pod, patch.get("spec") or {}, patch.get("status") or {}
        annotations = _merged(pod.annotations, meta.get("annotations"))
        selector = _merged(pod.spec.node_selector, spec.get("nodeSelector"))
        pin = dict(annotations).get(PIN)
        if pin is not None and (HOSTNAME, pin) in selector and (HOSTNAME, pin) not in pod.spec.node_selector:
            record.pin, selector = pin, tuple(pair for pair in selector if pair != (HOSTNAME, pin))
        gates = tuple(g["name"] for g in spec["schedulingGates"] or ()) if "schedulingGates" in spec else pod.gates
        nominated = status.get("nominatedNodeName") if "nominatedNodeName" in status else pod.nominated_node
        self._state.change(
            pod.ref,
            labels=_merged(pod.labels, meta.get("labels")),
            annotations=annotations,
            spec=replace(pod.spec, node_selector=selector),
            gates=gates,
            nominated_node=nominated,
        )

    def evict(self, what: Object, now: datetime, dry_run: bool) -> Answer:
        record = self._found(what)
        if isinstance(record, Answer):
            return record
        pod = record.pod
        if not pod.terminating and pod.phase == "Running":
            budgets = self._state.budgets_over(pod)
            if len(budgets) > 1:
                return refused(500, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.")
            if budgets and not self._lets_go(pod, budgets[0]):
                return refused(429, f"Cannot evict pod as it would violate the pod's disruption budget {budgets[0].name}.")
        if not dry_run:
            self.terminate(pod.ref, now)
        return Answer(code=201)

    def _lets_go(self, pod: Pod, key: BudgetKey) -> bool:
        budget = self._budgets[key]
        if not pod.ready and (budget.always_allow_unhealthy or self.healthy(key) >= budget.desired > 0):
            return True
        return self.allowed(key) > 0

    def healthy(self, key: BudgetKey) -> int:
        """How many Ready pods a budget covers now."""
        return self._state.healthy[key]

    def allowed(self, key: BudgetKey) -> int:
        """``disruptionsAllowed`` now: what the snapshot said, less what has been lost since, plus what has come."""
        budget = self._budgets[key]
        return 0 if budget.never else max(0, budget.allowed + self.healthy(key) - self._healthy_at_first[key])

    def delete(self, what: Object, now: datetime, dry_run: bool) -> Answer:
        if what.kind == HOLD_KIND:
            found = self._state.holds.pop((what.cluster, what.namespace, what.name), None)
            return Answer(code=200) if found is not None else refused(404, f"{what.kind} {what.name} not found")
        if what.kind == "PodTemplate":
            found = self._state.journals.pop((what.cluster, what.namespace, what.name), None)
            return Answer(code=200) if found is not None else refused(404, f"{what.kind} {what.name} not found")
        record = self._found(what)
        if isinstance(record, Answer):
            return record
        if not dry_run:
            self.terminate(record.pod.ref, now)
        return Answer(code=200)

    def terminate(self, ref: PodRef, now: datetime) -> None:
        """Deletion: at once for a pod without a node, else after the grace period. Again while terminating: no effect."""
        record = self._state.records[ref]
        if record.pod.terminating:
            return
        if record.pod.node is None or not self._grace:
            self._state.drop(ref)
            return
        record.gone_at = now + self._grace
        self._state.timed[ref] = None
        self._state.change(ref, terminating=True)

    def _found(self, what: Object) -> Record | Answer:
        record = self._state.records.get(PodRef(what.cluster, what.namespace, what.name)) if what.kind == "Pod" else None
        if record is None:
            return refused(404, f'{what.kind} "{what.name}" not found')
        if what.uid and what.uid != record.pod.uid:
            return refused(409, f"Precondition failed: UID in precondition: {what.uid}, UID in object meta: {record.pod.uid}")
        if what.version not in ("", str(record.version)):
            return refused(409, f"Precondition failed: version in precondition: {what.version}, in object meta: {record.version}")
        return record

    def _create_hold(self, cluster: str, body: Body, dry_run: bool) -> Answer:
        key = (cluster, body["metadata"]["namespace"], body["metadata"]["name"])
        if key in self._state.holds:
            return refused(409, f"{HOLD_KIND} {key[2]} already exists")
        if not dry_run:
            self._state.holds[key] = dict(body)
        return Answer(code=201, body=dict(body))

    def _create_journal(self, cluster: str, body: Body, dry_run: bool) -> Answer:
        key = (cluster, body["metadata"]["namespace"], body["metadata"]["name"])
        if key in self._state.journals:
            return refused(409, f"podtemplates {key[2]} already exists")
        made = {**body, "metadata": {**body["metadata"], "uid": f"simulated-{self._state.serial()}"}}
        if not dry_run:
            self._state.journals[key] = made
        return Answer(code=201, body=made)

    def _patch_hold(self, what: Object, patch: Body, dry_run: bool) -> Answer:
        hold = self._state.holds.get((what.cluster, what.namespace, what.name))
        if hold is None:
            return refused(404, f"{HOLD_KIND} {what.name} not found")
        if not dry_run:
            hold["spec"] = {**(hold.get("spec") or {}), **(patch.get("spec") or {})}
        return Answer(code=200, body=hold)


def _merged(told: Pairs, patch: Mapping[str, str | None] | None) -> Pairs:
    merged = {**dict(told), **(patch or {})}
    return pairs({key: value for key, value in merged.items() if value is not None})


def _unlawful(pod: Pod, patch: Body) -> str | None:
    """What ``ValidatePodUpdate`` objects to."""
    spec, status = patch.get("spec") or {}, patch.get("status") or {}
    if status and (spec or set(patch.get("metadata") or {}) - {"uid", "resourceVersion"}):
        return "status is a subresource: patch it alone"
    if set(status) - {"nominatedNodeName"} or set(spec) - {"nodeSelector", "schedulingGates"}:
        return "a field that the simulated fleet does not let change"
    gates = tuple(g["name"] for g in spec["schedulingGates"] or ()) if "schedulingGates" in spec else pod.gates
    if set(gates) - set(pod.gates):
        return "spec.schedulingGates: gates can only be removed"
    now = dict(pod.spec.node_selector)
    for key, value in (spec.get("nodeSelector") or {}).items():
        if not pod.gates or value is None or now.get(key, value) != value:
            return "spec.nodeSelector: only additions, and only while the pod is gated"
    return None
