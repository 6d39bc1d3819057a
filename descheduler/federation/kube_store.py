"""Lease, state and halt switch in the clusters themselves, so that it does not matter from where a run acts (kubernetes.md section 6).

The Lease has one fixed name. It is taken by optimistic writes; another holder's is taken over only after *we* have seen it
unchanged for as long as it is good, so clocks need not agree. ``kubectl create configmap descheduler-halt`` stops everything.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from descheduler.clock import Clock
from descheduler.domain.marks import HALT_NAME, LEASE_NAME, OUR_NAMESPACE, STATE_NAME, UNFINISHED
from descheduler.federation import kube_objects
from descheduler.federation.kube import Refused
from descheduler.federation.kube_config import NoCredentials
from descheduler.federation.standalone import LiveFleet
from descheduler.ports import Answer, Body, Object

LEASE_DURATION = timedelta(seconds=60)
LOOK_AGAIN = timedelta(seconds=1)
MOST_STATE_BYTES = 900_000
"""An object must stay under etcd's 1.5 MiB, a ConfigMap under 1 MiB."""
STATE_KEY = "state.json"


@dataclass(slots=True)
class _Held:
    """A Lease as we wrote it last."""

    body: Body
    renewed: float
    """Monotonic seconds, taken before the request was sent."""


class ClusterStore:
    """Implements ``Store`` for the clusters of a live fleet."""

    def __init__(
        self, fleet: LiveFleet, clock: Clock, duration: timedelta = LEASE_DURATION, stop: Callable[[], str | None] = lambda: None
    ) -> None:
        """``duration``: how long a Lease is good without being renewed; ``stop``: why nobody shall wait for one any more, or ``None``."""
        self._fleet = fleet
        self._clock = clock
        self._duration = duration
        self._stop = stop
        self._held: dict[str, _Held] = {}
        self._seen: dict[str, tuple[str, float]] = {}
        """Cluster to the version of another's Lease, and when that was seen first (monotonic seconds)."""
        self._lost: dict[tuple[str, str], str] = {}

    # Lease

    def acquire(self, cluster: str, holder: str) -> str | None:
        """Take or renew the Lease; waits as long as another's is good. Once lost, it stays lost for this holder."""
        if (cluster, holder) in self._lost:
            return self._lost[cluster, holder]
        held = self._held.get(cluster)
        if held is not None and self._clock.monotonic() - held.renewed < self._duration.total_seconds() / 3:
            return None
        try:
            reason = self._renew(cluster, holder, held) if held is not None else self._take(cluster, holder)
        except (Refused, NoCredentials) as refusal:
            reason = f"the Lease of {cluster} cannot be had: {refusal}"
        if reason is not None and held is not None and (cluster, holder) not in self._lost and self._well_held(held):
            return None  # nobody has it: the server did not answer as it should, and there is time to ask again
        return reason

    def _well_held(self, held: _Held) -> bool:
        """Whether a write that begins now ends while the Lease is still good."""
        return self._clock.monotonic() - held.renewed < self._duration.total_seconds() / 2

    def _renew(self, cluster: str, holder: str, held: _Held) -> str | None:
        reason = self._write(cluster, holder, held.body)
        if reason is None:
            return None
        now = self._read(cluster, LEASE_NAME, "Lease")
        if now is not None and _spec(now).get("holderIdentity") == holder:  # our own write, whose answer was lost
            return self._write(cluster, holder, now)
        lost = f"the Lease of {cluster} is gone" if now is None else f"the Lease of {cluster} was taken by another run"
        self._held.pop(cluster, None)
        self._lost[cluster, holder] = lost
        return lost

    def _take(self, cluster: str, holder: str) -> str | None:
        """Raises Refused."""
        while True:
            now = self._read(cluster, LEASE_NAME, "Lease")
            if now is None:
                reason = self._create(cluster, holder)
                if reason is None or "AlreadyExists" not in reason:
                    return reason
                continue
            other = _spec(now).get("holderIdentity") or ""
            version = now["metadata"]["resourceVersion"]
            before = self._seen.get(cluster)
            if other in ("", holder) or self._unchanged_seconds(cluster, version) >= _good_for(now):
                return self._write(cluster, holder, now)
            if before is not None and before[0] != version:
                return f"the Lease of {cluster} is held elsewhere, by {other}"
            why = self._stop()
            if why is not None:
                return f"the Lease of {cluster} is held elsewhere, by {other}, and not waited for: {why}"
            self._clock.sleep(min(LOOK_AGAIN, timedelta(seconds=_good_for(now) / 4)))

    def _unchanged_seconds(self, cluster: str, version: str) -> float:
        """For how long we have seen another's Lease unchanged; that is remembered, so that several lapse side by side."""
        seen, now = self._seen.get(cluster), self._clock.monotonic()
        if seen is None or seen[0] != version:
            self._seen[cluster] = (version, now)
            return 0.0
        return now - seen[1]

    def _create(self, cluster: str, holder: str) -> str | None:
        meta = {"name": LEASE_NAME, "namespace": OUR_NAMESPACE}
        body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": self._ours(holder, 1)}
        begun = self._clock.monotonic()
        connection = self._fleet.connection(cluster)
        return self._noted(cluster, kube_objects.create(connection, body, dry_run=False), begun)

    def _write(self, cluster: str, holder: str, before: Body) -> str | None:
        told = _spec(before)
        transitions = int(told.get("leaseTransitions") or 0) + (told.get("holderIdentity") != holder)
        body = {**before, "spec": {**told, **self._ours(holder, transitions)}}
        if told.get("holderIdentity") not in (None, "", holder):  # it died holding the Lease
            body["metadata"] = {**before["metadata"], "annotations": {**_notes(before), UNFINISHED: told["holderIdentity"]}}
        if told.get("holderIdentity") == holder:
            body["spec"]["acquireTime"] = told.get("acquireTime")
        begun = self._clock.monotonic()
        return self._noted(cluster, kube_objects.replace(self._fleet.connection(cluster), _lease(cluster), body), begun)

    def _noted(self, cluster: str, answer: Answer, begun: float) -> str | None:
        if answer.done:
            self._held[cluster] = _Held(answer.body, begun)
            return None
        return f"the Lease of {cluster} cannot be had: {answer.reason} {answer.message}".rstrip()

    def _ours(self, holder: str, transitions: int) -> dict[str, Any]:
        now = self._clock.now().strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        seconds = max(1, round(self._duration.total_seconds()))
        times = {"acquireTime": now, "renewTime": now}
        return {"holderIdentity": holder, "leaseDurationSeconds": seconds, "leaseTransitions": transitions, **times}

    def release(self, cluster: str, holder: str, *, clean: bool | None = None) -> None:
        """Give the Lease back, if it is still ours."""
        held = self._held.pop(cluster, None)
        if held is None or _spec(held.body).get("holderIdentity") != holder:
            return
        notes = {key: value for key, value in _notes(held.body).items() if not (clean and key == UNFINISHED)}
        meta = {**held.body["metadata"], "annotations": notes | ({UNFINISHED: holder} if clean is False else {})}
        body = {**held.body, "metadata": meta, "spec": {**_spec(held.body), "holderIdentity": "", "leaseDurationSeconds": 1}}
        kube_objects.replace(self._fleet.connection(cluster), _lease(cluster), body)

    def at_rest(self, cluster: str) -> bool:
        try:
            found = self._read(cluster, LEASE_NAME, "Lease")
        except (Refused, NoCredentials):
            return False
        if found is not None and _spec(found).get("holderIdentity"):
            self._unchanged_seconds(cluster, found["metadata"]["resourceVersion"])
        return found is None or not (_spec(found).get("holderIdentity") or UNFINISHED in _notes(found))

    # Halt switch

    def halted(self, cluster: str) -> str | None:
        try:
            found = self._read(cluster, HALT_NAME, "ConfigMap")
        except (Refused, NoCredentials) as refusal:
            return f"whether {cluster} is halted cannot be said: {refusal}"
        return None if found is None else f"{cluster} is halted: ConfigMap {OUR_NAMESPACE}/{HALT_NAME} exists"

    # State

    def load(self, cluster: str) -> Body | None:
        try:
            found = self._read(cluster, STATE_NAME, "ConfigMap")
        except (Refused, NoCredentials):
            return None
        if found is None:
            return {}
        try:
            state = json.loads((found.get("data") or {}).get(STATE_KEY) or "{}")
        except ValueError:
            return None
        return state if isinstance(state, dict) else None

    def save(self, cluster: str, state: Body) -> str | None:
        held = self._held.get(cluster)
        lost = f"the Lease of {cluster} is not ours" if held is None else self.acquire(cluster, str(_spec(held.body).get("holderIdentity")))
        if lost is not None:
            return lost
        text = json.dumps(state, sort_keys=True, separators=(",", ":"))
        if len(text) > MOST_STATE_BYTES:
            return f"the state of {cluster} is larger than {MOST_STATE_BYTES} bytes"
        meta = {"name": STATE_NAME, "namespace": OUR_NAMESPACE}
        what = Object(cluster=cluster, kind="ConfigMap", namespace=OUR_NAMESPACE, name=STATE_NAME)
        connection = self._fleet.connection(cluster)
        answer = kube_objects.patch(connection, what, {"data": {STATE_KEY: text}}, dry_run=False)
        if answer.code == 404:
            body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": {STATE_KEY: text}}
            answer = kube_objects.create(connection, body, dry_run=False)
        return None if answer.done else f"the state of {cluster} cannot be kept: {answer.message or answer.reason}"

    def _read(self, cluster: str, name: str, kind: str) -> Body | None:
        what = Object(cluster=cluster, kind=kind, namespace=OUR_NAMESPACE, name=name)
        return kube_objects.read(self._fleet.connection(cluster), what)


def _lease(cluster: str) -> Object:
    return Object(cluster=cluster, kind="Lease", namespace=OUR_NAMESPACE, name=LEASE_NAME)


def _spec(lease: Body) -> Body:
    spec = lease.get("spec")
    return spec if isinstance(spec, dict) else {}


def _notes(lease: Body) -> Body:
    notes = lease["metadata"].get("annotations")
    return notes if isinstance(notes, dict) else {}


def _good_for(lease: Body) -> float:
    told = _spec(lease).get("leaseDurationSeconds")
    return float(told) if isinstance(told, int) and told > 0 else LEASE_DURATION.total_seconds()
