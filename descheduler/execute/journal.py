"""The journal of a bare pod: its manifest as a PodTemplate beside it, written before the pod goes and removed when it is back.

A core/v1 PodTemplate is validated as it is written, and no controller acts on it (kubernetes.md 1.7). It is owned by nobody: the
garbage collector must not take it away with the pod or with the run.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from dataclasses import replace
from typing import Any

from descheduler.domain.marks import HOSTNAME, JOURNAL, JOURNAL_NAME, JOURNAL_UID, PIN, RUN, TOUCHED
from descheduler.execute.asking import TRIES, ask
from descheduler.execute.world import Pause, Surprise, World, notes, pin, stamp, terminating
from descheduler.ports import Body, Object

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
GIVEN_BY_SERVER = (
    "nodeName",
    "schedulingGates",
    "ephemeralContainers",
    "priority",
    "preemptionPolicy",
    "overhead",
    "serviceAccount",
)
TOKENS = ("kube-api-access-", "default-token-")
KEPT_META = ("labels", "annotations", "finalizers", "ownerReferences")


def manifest(world: World, cluster: str, pod: Body, node: str) -> dict[str, Any]:
    """What to create again: the pod without what the server gave it, sent to ``node``. Raises Surprise when it cannot be pinned."""
    spec: dict[str, Any] = copy.deepcopy({key: value for key, value in pod["spec"].items() if key not in GIVEN_BY_SERVER})
    _without_tokens(spec)
    _without_merged(spec)
    own = dict(notes(pod))
    selector = dict(spec.get("nodeSelector") or {})
    if PIN in own and selector.get(HOSTNAME) == own.pop(PIN):
        selector.pop(HOSTNAME)
    added, marks = pin(world, cluster, node, selector)
    spec["nodeSelector"] = {**selector, **added}
    meta = {key: copy.deepcopy(value) for key, value in pod["metadata"].items() if key in KEPT_META}
    uid = pod["metadata"]["uid"]
    meta |= {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]}
    meta["annotations"] = {**own, **marks, RUN: world.run_id, JOURNAL_UID: uid}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


def _without_tokens(spec: dict[str, Any]) -> None:
    """The volume of the ServiceAccount's token, which admission adds again."""
    volumes = [volume for volume in spec.get("volumes") or () if volume["name"].startswith(TOKENS)]
    names = {volume["name"] for volume in volumes}
    spec["volumes"] = [volume for volume in spec.get("volumes") or () if volume["name"] not in names]
    for container in (*(spec.get("initContainers") or ()), *spec["containers"]):
        container["volumeMounts"] = [mount for mount in container.get("volumeMounts") or () if mount["name"] not in names]


def _without_merged(spec: dict[str, Any]) -> None:
    """The requirements that the server wrote into selectors for ``matchLabelKeys`` and ``mismatchLabelKeys``: it refuses them as input."""
    affinity = spec.get("affinity") or {}
    for kind in ("podAffinity", "podAntiAffinity"):
        of_kind = affinity.get(kind) or {}
        terms = [*(of_kind.get(REQUIRED) or ()), *(each["podAffinityTerm"] for each in of_kind.get(PREFERRED) or ())]
        for term in terms:
            merged = dict.fromkeys(term.get("matchLabelKeys") or (), "In")
            _drop(term, merged | dict.fromkeys(term.get("mismatchLabelKeys") or (), "NotIn"))
    for constraint in spec.get("topologySpreadConstraints") or ():
        _drop(constraint, dict.fromkeys(constraint.get("matchLabelKeys") or (), "In"))


def _drop(term: dict[str, Any], merged: dict[str, str]) -> None:
    selector = term.get("labelSelector")
    if not merged or not selector or not selector.get("matchExpressions"):
        return
    expressions = selector["matchExpressions"]
    kept = [e for e in expressions if merged.get(e["key"]) != e["operator"] or len(e.get("values") or ()) != 1]
    selector["matchExpressions"] = kept
    if not kept:
        selector.pop("matchExpressions")


def write(world: World, cluster: str, told: Body) -> Body:
    """Keep the manifest; the journal as the server has it. Raises Surprise."""
    meta = told["metadata"]
    uid = meta["annotations"][JOURNAL_UID]
    name = f"descheduler-{uid}"
    template = {"metadata": {key: value for key, value in meta.items() if key in KEPT_META}, "spec": told["spec"]}
    marks = {JOURNAL_NAME: meta["name"], JOURNAL_UID: uid, RUN: world.run_id}
    of_journal = {"name": name, "namespace": meta["namespace"], "labels": {JOURNAL: "pod"}, "annotations": marks}
    body = {"apiVersion": "v1", "kind": "PodTemplate", "metadata": of_journal, "template": template}
    answer = ask(world, lambda: world.actuator.create(cluster, body), f"journal of {meta['name']}")
    kept = answer.body if answer.done else next((e for e in world.reader.journals(cluster) if e["metadata"]["name"] == name), None)
    if kept is None:
        raise Surprise("churn", f"the journal of {meta['name']} was not answered, and it is not there")
    return kept


def replay(world: World, cluster: str, entry: Body) -> Generator[Pause, None, Object | None]:
    """Bring the journalled pod back if it is gone, and close the journal; the pod made, if one was. Raises Surprise.

    A pod that is still there is changed a little first: an eviction that its run had sent off before it hung, and that arrives only
    now, is refused then. Without its journal nobody would bring the pod back.
    """
    meta = entry["metadata"]
    name, uid = notes(entry).get(JOURNAL_NAME), notes(entry).get(JOURNAL_UID)
    if not (name and uid and (entry.get("template") or {}).get("spec")):
        raise Surprise("churn", f"PodTemplate {meta['name']} carries our label, but is no journal of ours: it is left alone")
    what = Object(cluster=cluster, kind="Pod", namespace=meta["namespace"], name=name)
    made: Object | None = None
    touched = False
    while (pod := world.reader.read(what)) is not None and pod["metadata"]["uid"] == uid and (terminating(pod) or not touched):
        if terminating(pod):
            yield Pause(f"{name} is not gone yet", up_to_us=True)
            continue
        touched = _touch(world, replace(what, uid=uid))
        if not touched:
            yield Pause(f"{name} may still be evicted by the run that was interrupted")
    if pod is None:
        made = _create(world, cluster, what, entry)
    close(world, cluster, entry)
    return made


def _touch(world: World, pod: Object) -> bool:
    """Change a pod, so that whatever is under way against its old version fails. Raises Surprise when we may not."""
    marks = {TOUCHED: f"{stamp(world.clock.now())} {world.run_id}"}
    return ask(world, lambda: world.actuator.patch(pod, {"metadata": {"annotations": marks}}), f"{pod.name}: mark", fine=(404, 409)).done


def _create(world: World, cluster: str, what: Object, entry: Body) -> Object:
    template = entry["template"]
    meta = {**(template.get("metadata") or {}), "name": what.name, "namespace": what.namespace}
    meta = {key: value for key, value in meta.items() if value is not None and key != "creationTimestamp"}
    body = {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": template["spec"]}
    for _ in range(2):
        answer = world.actuator.create(cluster, body)
        pod = answer.body if answer.done else world.reader.read(what)
        if pod is not None:  # or somebody has made it meanwhile
            return Object(cluster=cluster, kind="Pod", namespace=what.namespace, name=what.name, uid=pod["metadata"]["uid"])
        if not answer.unknown:
            break
    raise Surprise("scheduling", f"{what.name} could not be created again: {answer.code} {answer.message}; its journal is kept")


def close(world: World, cluster: str, entry: Body) -> None:
    """Remove the journal; that it is gone already is fine. Raises Surprise when it may still be there: it must not outlive its pod."""
    meta = entry["metadata"]
    what = Object(cluster=cluster, kind="PodTemplate", namespace=meta["namespace"], name=meta["name"], uid=meta["uid"])
    for _ in range(TRIES):
        if not ask(world, lambda: world.actuator.delete(what), f"{what.name}: deletion", fine=(404,)).unknown:
            return
    raise Surprise("churn", f"{what.name}: its deletion was not answered {TRIES} times")
