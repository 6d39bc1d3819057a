"""A plan carried out with plain API calls: copies pinned as the movers pin them, waiting pods left to kube-scheduler.

Within a wave everything is done one after the other in random order, for a plan's waves promise to hold in any.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from random import Random

from descheduler.domain.marks import RESERVED_GATE, TEMPLATE_HASH
from descheduler.domain.plan import Move, Mover, Placed, Plan, PlanPod
from descheduler.execute.copies import copy_body
from descheduler.execute.world import World, pin
from tests.cluster.controlplane.api import Api, NeverHappened, Object
from tests.cluster.replay.alive import GATE

PATIENCE = timedelta(seconds=15)
GIVEN_BY_SERVER = ("nodeName", "schedulingGates", "ephemeralContainers")


@dataclass
class Carrying:
    """One plan on its way."""

    api: Api
    plan: Plan
    world: World
    """Of it only nodes and marks are used."""
    dice: Random
    names: dict[tuple[str, str], str] = field(default_factory=dict)
    """(namespace, name) of every copy to the uid of the pod it stands for."""
    copies: dict[str, Object] = field(default_factory=dict)
    """Uid of an original to its gated copy, while that one keeps room."""
    kept: set[str] = field(default_factory=set)
    """Uids of originals for which room was kept, ever."""
    left: dict[str, Object] = field(default_factory=dict)
    """Uid of a pod that has left and not yet arrived, to what it was."""
    findings: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """Placements that kube-scheduler bound to another node than the planned one."""

    def begin(self) -> None:
        """Let all waiting pods before the scheduler: those that are placed, and their rivals."""
        self._keep_room(0)
        for pod in self.api.items("/api/v1/pods"):
            if GATE in pod["spec"].get("schedulingGates", ()):
                self.api.patch(_path(pod), {"spec": {"schedulingGates": None}})

    def wave(self, number: int) -> None:
        """All steps of a wave."""
        self._keep_room(number)
        steps: list[Callable[[], None]] = [partial(self._move, m, number) for m in self.plan.moves if number in (m.wave, m.arrival_wave)]
        now = [placed for placed in self.plan.placements if placed.wave == number]
        steps += [partial(self._reserved, placed) for placed in now if placed.mover is not Mover.SCHEDULE]
        self.dice.shuffle(steps)
        for step in steps:
            step()
        for placed in now:
            if placed.mover is Mover.SCHEDULE:
                self._scheduled(placed)

    # Keeping room -------------------------------------------------------------------------------------------------------

    def _keep_room(self, number: int) -> None:
        """Gated, nominated copies of those that arrive later than their room begins to be made (`execute.waves`)."""
        for move in self.plan.moves:
            first = self.plan.room_kept_from(move)
            if move.mover is Mover.SURGE and first <= max(number, 1) < move.wave and move.pod.uid not in self.kept:
                self._reserve(move.pod, str(move.target.node))
        for placed in self.plan.placements:
            first = self.plan.room_kept_from(placed)
            if placed.mover is not Mover.SCHEDULE and first <= max(number, 1) and placed.pod.uid not in self.kept:
                self._reserve(placed.pod, str(placed.target.node))

    def _reserve(self, pod: PlanPod, node: str) -> None:
        made = self._make_copy(pod, node, gated=True)
        self.api.patch(f"{_path(made)}/status", {"status": {"nominatedNodeName": node}})
        self.copies[pod.uid] = made
        self.kept.add(pod.uid)

    def _touch(self) -> None:
        """The scheduler may have forgotten a nomination; an update brings it back (kubernetes.md 1.6)."""
        for made in self.copies.values():
            self.api.patch(_path(made), {"metadata": {"annotations": {"replay.test/touched": str(self.dice.random())}}})

    def _let_go(self, uid: str) -> Object:
        made = self.copies.pop(uid)
        self.api.patch(_path(made), {"spec": {"schedulingGates": None}})
        return made

    # Steps --------------------------------------------------------------------------------------------------------------

    def _move(self, move: Move, number: int) -> None:
        node = str(move.target.node)
        if move.mover is Mover.SURGE:
            made = self._let_go(move.pod.uid) if move.pod.uid in self.copies else self._make_copy(move.pod, node, gated=False)
            if self._bound(made, node, f"{move.id} (Surge)"):
                self._remove(move.pod.namespace, move.pod.name)
                self._adopt(made)
            return
        if number == move.wave:
            self.left[move.pod.uid] = self._read(move.pod)
            self._remove(move.pod.namespace, move.pod.name)
            if move.arrival_wave > number:
                self.copies[move.pod.uid] = self._replace(move, gated=True)
                return
        made = self._let_go(move.pod.uid) if move.pod.uid in self.copies else self._replace(move, gated=False)
        self._bound(made, node, f"{move.id} ({move.mover})")

    def _replace(self, move: Move, *, gated: bool) -> Object:
        """What the controller of an evicted pod makes: pinned by Hold and Recreate, left to the scheduler by Evict.

        It gets a new name also where a controller would use the old one again: kwok may still be busy with the old pod's end.
        """
        body = _fresh(self.left.pop(move.pod.uid))
        body["metadata"]["name"] += "-again"
        if move.mover is not Mover.EVICT:
            selector, marks = pin(self.world, move.target.cluster, str(move.target.node), body["spec"].get("nodeSelector") or {})
            body["spec"]["nodeSelector"] = {**body["spec"].get("nodeSelector", {}), **selector}
            body["metadata"]["annotations"] = {**body["metadata"].get("annotations", {}), **marks}
        if gated:
            body["spec"]["schedulingGates"] = [{"name": RESERVED_GATE}]
        made = self.api.create(body)
        self.names[_key(made)] = move.pod.uid
        if gated:
            self.api.patch(f"{_path(made)}/status", {"status": {"nominatedNodeName": move.target.node}})
        return made

    def _reserved(self, placed: Placed) -> None:
        node = str(placed.target.node)
        made = self._let_go(placed.pod.uid)
        original = self._read(placed.pod)
        if original["spec"].get("nodeName"):  # kube-scheduler was first: the copy is not needed
            self._remove(made["metadata"]["namespace"], made["metadata"]["name"])
            self._told_elsewhere(placed, original["spec"]["nodeName"])
        elif self._bound(made, node, f"{placed.pod} (reserved)"):
            self._remove(placed.pod.namespace, placed.pod.name)
            self._adopt(made)

    def _scheduled(self, placed: Placed) -> None:
        bound = self._wait_bound(placed.pod.namespace, placed.pod.name)
        if isinstance(bound, str):
            self._told_elsewhere(placed, bound)
        elif not placed.contested:
            self.findings.append(f"{placed.pod} was not bound in wave {placed.wave}: {_why(bound)}")

    def _told_elsewhere(self, placed: Placed, node: str) -> None:
        if node != placed.target.node:
            self.elsewhere.append(f"{placed.pod}: {node} instead of {placed.target.node}")

    # Pods ---------------------------------------------------------------------------------------------------------------

    def _make_copy(self, pod: PlanPod, node: str, *, gated: bool) -> Object:
        """As Surge makes it, of a template that is the pod itself."""
        original = self._read(pod)
        fresh = _fresh(original)
        labels = fresh["metadata"].get("labels", {})
        owner = original["metadata"]["ownerReferences"][0]["name"]
        template = {"metadata": {"labels": labels, "annotations": fresh["metadata"].get("annotations", {})}, "spec": fresh["spec"]}
        replica_set = {
            "metadata": {"name": owner},
            "spec": {"template": template, "selector": {"matchLabels": {TEMPLATE_HASH: labels.get(TEMPLATE_HASH, "none")}}},
        }
        body = copy_body(self.world, pod.cluster, replica_set, original, node, gated=gated)
        for given in ("priority", "preemptionPolicy", "overhead"):  # admission would fill them in; here nobody does
            if given in original["spec"]:
                body["spec"][given] = original["spec"][given]
        made = self.api.create(body)
        self.names[_key(made)] = pod.uid
        made["metadata"]["annotations"]["replay.test/hash"] = labels.get(TEMPLATE_HASH, "")
        return made

    def _adopt(self, made: Object) -> None:
        """Give the copy the label that was withheld, as Surge does last."""
        value = made["metadata"]["annotations"].get("replay.test/hash")
        if value:
            self.api.patch(_path(made), {"metadata": {"labels": {TEMPLATE_HASH: value}}})

    def _read(self, pod: PlanPod) -> Object:
        return self.api.get(f"/api/v1/namespaces/{pod.namespace}/pods/{pod.name}")

    def _remove(self, namespace: str, name: str) -> None:
        self._touch()
        self.api.delete(f"/api/v1/namespaces/{namespace}/pods/{name}", grace_seconds=0)

    def _bound(self, made: Object, node: str, what: str) -> bool:
        """Whether it was bound to the planned node; a finding otherwise."""
        bound = self._wait_bound(made["metadata"]["namespace"], made["metadata"]["name"])
        if bound != node:
            told = f"bound to {bound}" if isinstance(bound, str) else _why(bound)
            self.findings.append(f"{what} is not on {node}: {told}")
        return bound == node

    def _wait_bound(self, namespace: str, name: str) -> str | Object:
        """The node, or the pod that never got one."""
        path = f"/api/v1/namespaces/{namespace}/pods"
        try:
            (pod,) = self.api.wait(
                path, lambda found: any(p["spec"].get("nodeName") for p in found), PATIENCE, fieldSelector=f"metadata.name={name}"
            )
        except NeverHappened:
            return self.api.get(f"{path}/{name}")
        return str(pod["spec"]["nodeName"])


def _fresh(pod: Object) -> Object:
    """The pod as its owner would make it anew."""
    told = pod["metadata"]
    meta = {
        key: copy.deepcopy(value) for key, value in told.items() if key in ("name", "namespace", "labels", "annotations", "ownerReferences")
    }
    spec = {key: copy.deepcopy(value) for key, value in pod["spec"].items() if key not in GIVEN_BY_SERVER}
    for constraint in spec.get("topologySpreadConstraints", ()):
        _unmerge(constraint)
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _unmerge(constraint: Object) -> None:
    """Take out what the server wrote into the selector for ``matchLabelKeys``; a template does not have it (kubernetes.md 1.7)."""
    keys, selector = constraint.get("matchLabelKeys", ()), constraint.get("labelSelector", {})
    written = selector.get("matchExpressions", [])
    kept = [e for e in written if e["operator"] != "In" or e["key"] not in keys]
    if len(kept) < len(written):
        selector["matchExpressions"] = kept


def _key(pod: Object) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


def _path(pod: Object) -> str:
    return "/api/v1/namespaces/{}/pods/{}".format(*_key(pod))


def _why(pod: Object) -> str:
    told = pod.get("status", {}).get("conditions", ())
    return next((str(c.get("message")) for c in told if c["type"] == "PodScheduled"), "nothing was said of it")
