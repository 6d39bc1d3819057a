"""Copies of ReplicaSet pods: made of the template, pinned to a node, ownerless until they are adopted (kubernetes.md 1.4 and 1.6)."""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from typing import Any

from descheduler.domain.marks import EXPIRES, MOVE_OF, RESERVED_GATE, RUN, TEMPLATE_HASH
from descheduler.execute.asking import TRIES, ask, patched, refusal
from descheduler.execute.replicas import withheld_label
from descheduler.execute.world import Surprise, World, notes, object_of, pin, stamp, terminating
from descheduler.ports import Body, Object

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
GIVEN_BY_SERVER = ("nodeName", "priority", "preemptionPolicy", "overhead", "ephemeralContainers")


def copy_body(world: World, cluster: str, replica_set: Body, original: Body, node: str, *, gated: bool = False) -> dict[str, Any]:
    """The pod to create: the template's labels without the withheld one, our marks, the pin and, when ``gated``, our gate."""
    template = replica_set["spec"]["template"]
    meta = template.get("metadata") or {}
    spec: dict[str, Any] = copy.deepcopy({key: value for key, value in template["spec"].items() if key not in GIVEN_BY_SERVER})
    selector, marks = pin(world, cluster, node, spec.get("nodeSelector") or {})
    spec["nodeSelector"] = {**(spec.get("nodeSelector") or {}), **selector}
    if gated:
        spec["schedulingGates"] = [{"name": RESERVED_GATE}]
    _write_out_hash(spec, withheld_label(replica_set))
    marks |= {MOVE_OF: original["metadata"]["uid"], RUN: world.run_id, EXPIRES: stamp(world.expires)}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{replica_set['metadata']['name']}-",
            "namespace": original["metadata"]["namespace"],
            "labels": {key: value for key, value in (meta.get("labels") or {}).items() if key != TEMPLATE_HASH},
            "annotations": {**(meta.get("annotations") or {}), **marks},
        },
        "spec": spec,
    }


def _write_out_hash(spec: dict[str, Any], value: str) -> None:
    """``matchLabelKeys: [pod-template-hash]`` would be skipped while the copy lacks the label: say the requirement itself."""
    affinity = spec.get("affinity") or {}
    terms = [term for kind in ("podAffinity", "podAntiAffinity") for term in (affinity.get(kind) or {}).get(REQUIRED) or ()]
    for item in (*terms, *(spec.get("topologySpreadConstraints") or ())):
        if TEMPLATE_HASH in (item.get("matchLabelKeys") or ()):
            item["matchLabelKeys"] = [key for key in item["matchLabelKeys"] if key != TEMPLATE_HASH]
            selector = item.setdefault("labelSelector", {})
            selector.setdefault("matchExpressions", []).append({"key": TEMPLATE_HASH, "operator": "In", "values": [value]})


def rehearse(world: World, cluster: str, body: Body, original: Body) -> None:
    """The server's dry run. Raises Surprise when it refuses, or when admission makes of the copy something else than of the original."""
    answer = ask(world, lambda: world.actuator.create(cluster, body, dry_run=True), f"dry run of a copy of {original['metadata']['name']}")
    if answer.unknown:
        raise Surprise("scheduling", "the dry run of the copy was not answered")
    before, after = _essence(original), _essence(answer.body)
    gates = [gate["name"] for gate in answer.body["spec"].get("schedulingGates") or ()]
    if gates:  # nobody knows when somebody would let it go
        raise Surprise("scheduling", f"a copy of {original['metadata']['name']} would be gated ({', '.join(gates)})")
    differs = [field for field in before if before[field] != after[field]]
    if differs:
        raise Surprise("scheduling", f"a copy of {original['metadata']['name']} would differ in {', '.join(differs)}")


def _essence(pod: Body) -> Mapping[str, str]:
    """What must be equal in original and copy, in canonical text; requirements that admission writes into selectors are left out."""
    spec, affinity = pod["spec"], pod["spec"].get("affinity") or {}
    containers = [("init", c) for c in spec.get("initContainers") or ()] + [("main", c) for c in spec["containers"]]
    apart = (affinity.get("podAntiAffinity") or {}).get(REQUIRED) or ()
    together = (affinity.get("podAffinity") or {}).get(REQUIRED) or ()
    spread = spec.get("topologySpreadConstraints") or ()
    parts: dict[str, Any] = {
        "containers": [(kind, c["name"], c.get("restartPolicy")) for kind, c in containers],
        "requests": [(c.get("resources") or {}).get("requests") or {} for _, c in containers],
        "pod-level requests": (spec.get("resources") or {}).get("requests") or {},
        "overhead": spec.get("overhead") or {},
        "ports": [c.get("ports") or [] for _, c in containers],
        "tolerations": sorted(json.dumps(t, sort_keys=True) for t in spec.get("tolerations") or ()),
        "priority": spec.get("priority", 0),
        "spread constraints": [(c["topologyKey"], c["maxSkew"], c.get("whenUnsatisfiable"), c.get("minDomains")) for c in spread],
        "pod affinity": [term["topologyKey"] for term in (*apart, *together)],
    }
    return {field: json.dumps(value, sort_keys=True) for field, value in parts.items()}


def create(world: World, cluster: str, body: Body) -> Object:
    """Create the copy; when the answer is lost, look whether it is there. A generated name may be taken already: then another is."""
    subject = f"copy on {body['spec'].get('nodeSelector')}"
    answer = ask(world, lambda: world.actuator.create(cluster, body), subject, fine=(409,))
    for _ in range(TRIES - 1):
        if answer.reason != "AlreadyExists":
            break
        answer = ask(world, lambda: world.actuator.create(cluster, body), subject, fine=(409,))
    if answer.code == 409:
        raise refusal(answer, subject)
    if not answer.unknown:
        return object_of(cluster, answer.body)
    told = body["metadata"]
    wanted = (told["annotations"][MOVE_OF], world.run_id)
    for pod in world.reader.pods(cluster, told["namespace"]):
        if (notes(pod).get(MOVE_OF), notes(pod).get(RUN)) == wanted and not terminating(pod):
            return object_of(cluster, pod)
    raise Surprise("scheduling", "the creation of the copy was not answered, and it is not there")


def nominate(world: World, pod: Object, node: str) -> None:
    """Let a gated pod of ours claim room on a node against everyone of equal or lower priority."""
    patched(world, pod, {"status": {"nominatedNodeName": node}}, f"{pod.name}: nomination")
    world.reserved[pod] = node
