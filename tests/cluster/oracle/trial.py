"""One random fleet on a real cluster: every test pod is put before the scheduler in every state of the cordons.

Each test pod lies in the cluster as a gated template, so that our reader reads it with everything else and with what admission
made of it. What the scheduler is asked about are ungated copies: those that we say fit nowhere all at once, for they cannot
influence each other; the others one at a time, each gone before the next.
"""

from __future__ import annotations

import copy
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count

from descheduler.clock import SystemClock
from descheduler.federation.kube_config import Context
from descheduler.federation.standalone import LiveFleet, Member
from tests.cluster.controlplane.api import STRATEGIC_PATCH, ApiRefused, NeverHappened, Object
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.emptying import empty
from tests.cluster.oracle.fleet import CORDON, NAMESPACES, ROLE, Fleet, ready
from tests.cluster.oracle.growing import GATE
from tests.cluster.oracle.message import STRICTER, main_sentence, reasons, stricter_words
from tests.cluster.oracle.ours import Judge, Ours
from tests.cluster.oracle.said import Said
from tests.cluster.oracle.tally import Disagreement, Tally
from tests.cluster.oracle.volumes import a_volume, made_for, own_claims

SELECTED = "volume.kubernetes.io/selected-node"
PATIENCE = timedelta(seconds=60)
ATTEMPTS = 3
"""So often a pod is created before a disagreement counts: the scheduler may not have seen the last change of a node yet."""


@dataclass(frozen=True)
class Answer:
    """What the scheduler made of one pod: its node, or why none."""

    node: str | None
    message: str

    def __str__(self) -> str:
        return f"bound to {self.node}" if self.node else self.message


@dataclass
class Trial:
    """One fleet and what came of it so far."""

    cluster: Cluster
    fleet: Fleet
    tally: Tally
    names: Iterator[int] = field(default_factory=count)
    taints: dict[str, tuple[bool, list[Object]]] = field(default_factory=dict)
    """Node to its own cordon and taints, from before we steer."""

    def run(self) -> None:
        """Build the fleet, ask about every pod in every state, and leave the cluster empty."""
        self._build()
        try:
            self._ask_everything("as it is")
            for node in self.fleet.node_names:
                self._leave_open(node)
                self._ask_everything(f"only {node} open")
        finally:
            empty(self.cluster.api)
        self.tally.fleets += 1

    def _build(self) -> None:
        api, fleet = self.cluster.api, self.fleet
        for name, labels in NAMESPACES.items():
            self.cluster.namespace(name, labels)
        api.create_all([node for node in fleet.nodes if not ready(node)])
        self.cluster.add_nodes(*(node for node in fleet.nodes if ready(node)))
        api.create_all([*fleet.around, *fleet.late.values()])
        api.create_all([*fleet.residents, *(pod for pod, _ in fleet.nominated)])
        api.create_all([_gated(pod) for pod in fleet.tests])
        for namespace, name in fleet.leaving:
            api.delete(f"/api/v1/namespaces/{namespace}/pods/{name}")
        claims = "/api/v1/persistentvolumeclaims"
        api.wait(claims, lambda found: fleet.bound <= {_key(claim) for claim in found if claim["status"]["phase"] == "Bound"}, PATIENCE)
        self._claims_there([claim for pod in fleet.tests for claim in made_for(pod)])
        api.wait(
            "/api/v1/pods", lambda found: fleet.resized.keys() <= {_key(p) for p in found if p["status"]["phase"] == "Running"}, PATIENCE
        )
        for (namespace, name), status in fleet.resized.items():
            api.patch(f"/api/v1/namespaces/{namespace}/pods/{name}/status", {"status": status}, STRATEGIC_PATCH)
        for pod, node in fleet.nominated:
            api.patch(f"{_path(pod)}/status", {"status": {"nominatedNodeName": node}})
        self.taints = {
            node["metadata"]["name"]: (node["spec"].get("unschedulable", False), node["spec"].get("taints", []))
            for node in api.items("/api/v1/nodes")
        }

    def _leave_open(self, name: str) -> None:
        """Cordon every node but one, which gets back what was its own; the taint is set as the node controller would."""
        for node, (cordoned, taints) in self.taints.items():
            others = [taint for taint in taints if taint["key"] != CORDON["key"]]
            shut = cordoned or node != name
            body = {"spec": {"unschedulable": shut or None, "taints": [*others, CORDON] if shut else others}}
            self.cluster.api.patch(f"/api/v1/nodes/{node}", body)

    def _ask_everything(self, state: str) -> None:
        tests = {_key(pod): pod for pod in self.fleet.tests}
        judge = Judge(self._live().snapshot(), frozenset(tests))
        ours = {key: judge(*key) for key in tests}
        late = {key for key, pod in tests.items() if made_for(pod) or any(own_claims(self.fleet, copy.deepcopy(pod), ""))}
        hopeless = [key for key, told in ours.items() if told.opaque is None and not told.fits and key not in late]
        again: list[tuple[str, str]] = []
        for key, answer in zip(hopeless, self._ask_at_once([tests[key] for key in hopeless]), strict=True):
            if self._agrees(ours[key], answer):
                self._count(state, key, ours[key], answer)
            else:
                again.append(key)
        self.tally.asked_again += len(again)
        for key in [*again, *(key for key in tests if key not in set(hopeless))]:
            if state == "as it is" and ours[key].fits:
                continue  # with several nodes open nobody says which one the scheduler takes
            self._count(state, key, ours[key], self._ask_alone(tests[key], ours[key]))

    def _live(self) -> LiveFleet:
        member = Member(name=self.cluster.name, access=Context(str(self.cluster.kubeconfig), self.cluster.name))
        return LiveFleet([member], SystemClock())

    def _ask_at_once(self, pods: Sequence[Object]) -> list[Answer]:
        """The scheduler's answers to copies of all these pods."""
        copies = [self._copy(pod) for pod in pods]
        self.cluster.api.create_all(copies)
        wanted = {_key(pod) for pod in copies}

        def decided(found: list[Object]) -> bool:
            return sum(_key(pod) in wanted and _answer(pod) is not None for pod in found) == len(wanted)

        try:
            told = self.cluster.api.wait("/api/v1/pods", decided, PATIENCE, labelSelector=f"{ROLE}=copy")
            answers = {_key(pod): _answer(pod) for pod in told}
        finally:
            self._remove_copies()
        return [_told(answers[_key(pod)]) for pod in copies]

    def _remove_copies(self) -> None:
        options = {"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0}
        for namespace in NAMESPACES:
            path = f"/api/v1/namespaces/{namespace}/pods"
            self.cluster.api.request("DELETE", path, options, parameters={"labelSelector": f"{ROLE}=copy"})

    def _ask_alone(self, pod: Object, ours: Ours) -> Answer:
        """The scheduler's answer to a copy; asked again while it differs from ours, for it may not have seen everything yet."""
        for attempt in range(ATTEMPTS):
            answer = self._ask_once(pod)
            if self._agrees(ours, answer):
                break
            self.tally.asked_again += attempt < ATTEMPTS - 1
        return answer

    def _ask_once(self, pod: Object) -> Answer:
        api, body = self.cluster.api, self._copy(pod)
        claims = api.create_all(list(own_claims(self.fleet, body, f"-{next(self.names)}")))
        made_for_it = made_for(body)
        api.create(_gated(body) if made_for_it else body)
        if made_for_it:  # the scheduler must not see the pod before its claims
            claims += self._claims_there(made_for_it)
            api.patch(_path(body), {"spec": {"schedulingGates": None}})
        path, _, name = _path(body).rpartition("/")
        volumes: list[Object] = []
        known = [claim["metadata"]["name"] for claim in claims]
        try:
            for claim in claims:
                volumes += self._provision(body, claim, known)
            (told,) = api.wait(
                path, lambda found: any(_answer(p, known) is not None for p in found), PATIENCE, fieldSelector=f"metadata.name={name}"
            )
        finally:
            api.delete(_path(body), grace_seconds=0)
            for made in (*claims, *volumes):
                self._forget(made)
        return _told(_answer(told))

    def _claims_there(self, wanted: list[tuple[str, str]]) -> list[Object]:
        """These claims, once the controller has made them."""
        path = "/api/v1/persistentvolumeclaims"
        found = self.cluster.api.wait(path, lambda items: {_key(item) for item in items} >= set(wanted), PATIENCE)
        return [{"apiVersion": "v1", "kind": "PersistentVolumeClaim", **item} for item in found if _key(item) in wanted]

    def _provision(self, pod: Object, claim: Object, known: Collection[str]) -> list[Object]:
        """Be the driver: make the volume as soon as the scheduler has chosen a node for the claim; nothing if it refuses the pod."""
        api, clock = self.cluster.api, SystemClock()
        deadline = clock.monotonic() + PATIENCE.total_seconds()
        while clock.monotonic() < deadline:
            if SELECTED in api.get(_path(claim))["metadata"].get("annotations", {}):
                return [api.create(a_volume(f"made-{next(self.names)}", claim, f"made-{claim['metadata']['uid']}"))]
            if _answer(api.get(_path(pod)), known) is not None:
                return []
            clock.sleep(timedelta(milliseconds=20))
        raise NeverHappened(f"the scheduler says nothing about {_path(pod)}")

    def _forget(self, made: Object) -> None:
        """Delete a claim or a volume, whoever still protects it."""
        try:
            self.cluster.api.delete(_path(made))
            self.cluster.api.patch(_path(made), {"metadata": {"finalizers": None}})
        except ApiRefused as refused:
            if refused.code != 404:
                raise

    def _copy(self, pod: Object) -> Object:
        body = copy.deepcopy(pod)
        body["metadata"]["name"] += f"-{next(self.names)}"
        body["metadata"]["labels"][ROLE] = "copy"
        return body

    def _agrees(self, ours: Ours, answer: Answer) -> bool:
        if ours.opaque is not None:
            return answer.node is not None or not ours.fits
        if answer.node is not None:
            return answer.node in ours.scene_fits and answer.node in ours.planned_fits
        return not ours.fits and (answer.message == ours.sentence or bool(stricter_words(answer.message, ours.sentence)))

    def _count(self, state: str, key: tuple[str, str], ours: Ours, answer: Answer) -> None:
        """One verdict of the scheduler beside ours."""
        tally, where = self.tally, f"seed {self.fleet.seed}, {state}, {key[0]}/{key[1]}"
        if answer.node is not None:
            if ours.opaque is not None:
                tally.opaque[ours.opaque] += 1
            else:
                tally.bound_alike += 1
                searched = None if answer.node in ours.reach else "not looked at"
                for view, reason in (
                    ("scene", ours.scene[answer.node]),
                    ("judge", ours.planned[answer.node]),
                    ("search", ours.planned[answer.node] or searched),
                ):
                    if reason is not None:
                        tally.stricter[view, reason] += 1
                        tally.examples.setdefault((view, reason), f"{where} on {answer.node}")
        elif ours.fits:
            fits = f"scene: {sorted(ours.scene_fits)}, judge: {sorted(ours.planned_fits)}"
            tally.disagreements.append(Disagreement(where, "wrong fit", answer.message, fits))
        elif ours.opaque is not None:
            tally.opaque[ours.opaque] += 1
        elif answer.message != ours.sentence and stricter_words(answer.message, ours.sentence):
            tally.refused_stricter += 1
            tally.stricter.update(("words", reason) for reason in stricter_words(answer.message, ours.sentence))
            tally.examples |= {("words", reason): where for reason in STRICTER if ("words", reason) not in tally.examples}
        elif answer.message != ours.sentence:
            tally.disagreements.append(Disagreement(where, "other words", answer.message, ours.sentence))
        else:
            tally.refused_alike += 1
            tally.reasons.update(reasons(answer.message))


def _gated(pod: Object) -> Object:
    return pod | {"spec": pod["spec"] | {"schedulingGates": [GATE]}}


def _key(pod: Object) -> tuple[str, str]:
    return pod["metadata"]["namespace"], pod["metadata"]["name"]


def _path(made: Object) -> str:
    """Of a pod, claim or volume."""
    plural, name = f"{made['kind'].lower()}s", made["metadata"]["name"]
    return (
        f"/api/v1/namespaces/{made['metadata']['namespace']}/{plural}/{name}"
        if "namespace" in made["metadata"]
        else f"/api/v1/{plural}/{name}"
    )


def _answer(pod: Object, claims: Collection[str] = ()) -> Answer | None:
    """The scheduler's verdict on a pod; ``None`` while there is none, or one from before it had seen these claims of the pod."""
    if pod["spec"].get("nodeName"):
        return Answer(pod["spec"]["nodeName"], "")
    told = _scheduled(pod.get("status", {}).get("conditions", ()))
    if told is None or told["status"] != "False" or told.get("reason") == "SchedulingGated":
        return None
    message = main_sentence(told.get("message", ""))
    return None if any(f'"{claim}"' in message for claim in claims) else Answer(None, message)


def _scheduled(conditions: Iterable[Mapping[str, str]]) -> Mapping[str, str] | None:
    return next((condition for condition in conditions if condition["type"] == "PodScheduled"), None)


def _told(answer: Answer | None) -> Answer:
    assert answer is not None
    return answer


def ask_recorded(cluster: Cluster, said: Said) -> Answer:
    """What this cluster's scheduler says today of a pod in a recorded fleet."""
    api = cluster.api
    for name, labels in said.namespaces.items():
        cluster.namespace(name, labels)
    cluster.add_nodes(*said.nodes)
    api.create_all([*said.around, *said.residents])
    bound = {_key(one) for one in said.around if one["kind"] == "PersistentVolumeClaim" and "volumeName" in one["spec"]}
    claims = "/api/v1/persistentvolumeclaims"
    # A claim that was seen before its volume is told to be lost, for a while.
    api.wait(claims, lambda found: bound <= {_key(claim) for claim in found if claim["status"]["phase"] == "Bound"}, PATIENCE)
    # Behind a gate until everything else is there: the scheduler learns of a pod and of its claims by different ways.
    path = _path(api.create(_gated(said.asked)))
    api.wait("/api/v1/pods", lambda pods: sum(pod["status"]["phase"] == "Running" for pod in pods) == len(said.residents), PATIENCE)
    api.patch(path, {"spec": {"schedulingGates": None}})
    (told,) = api.wait(
        path.rpartition("/")[0],
        lambda found: any(_answer(pod) is not None for pod in found),
        PATIENCE,
        fieldSelector=f"metadata.name={said.asked['metadata']['name']}",
    )
    return _told(_answer(told))
