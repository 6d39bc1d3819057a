"""Whether what the plan says of pods it could not place is true, and whether it overlooked an easy place."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator

from tests.judge.contract import ref
from tests.judge.fit import joint_refusal, node_refusal
from tests.judge.fleet import Cluster, Fleet, Pod
from tests.judge.moves import Step, after
from tests.judge.opaque import may_be_opaque, not_ours
from tests.judge.policy import Policy
from tests.judge.quantities import Body
from tests.judge.state import Guest, State
from tests.judge.volumes import attach_refusal


def unplaced_violations(plan: Body, fleet: Fleet, steps: list[Step], policy: Policy) -> Iterator[str]:
    """Wrong categories, and pods for which the plan's own end leaves a place."""
    ends = {cluster.name: after(cluster, steps) for cluster in fleet.readable}
    for item in plan["unplaced"]:
        pod = fleet.pods.get(ref(item["pod"]))
        if pod is None or fleet.clusters[pod.cluster].trouble:
            continue
        cluster, category = fleet.clusters[pod.cluster], item["category"]
        must = not_ours(pod, cluster)
        if category == "NotOurs":
            if must is None and not may_be_opaque(pod, cluster):
                yield f"{pod.key} is NotOurs without any reason"
            continue
        if must is not None:
            yield f"{pod.key} is {category}, but NotOurs: {must}"
            continue
        yield from _category(pod, category, cluster)
        if category == "Room":
            yield from _barred(pod, ends[pod.cluster], plan, fleet, policy)
        if not (category == "Limits" and _others_moved(pod.cluster, steps)):
            yield from _overlooked(pod, ends[pod.cluster], plan, fleet, policy)
    yield from _older_first(plan, fleet, policy)


def admitting(pod: Pod, cluster: Cluster, *, lifecycle: bool) -> list[str]:
    """Nodes that would admit it with only DaemonSet and static pods left there, cordons and joint rules ignored."""
    out = []
    for node in cluster.nodes.values():
        if node_refusal(pod, node, cluster, cordons=False, lifecycle=lifecycle) is None:
            stay = [p for p in cluster.pods if p.node == node.name and (p.daemon or p.static)]
            alone, guest = State(cluster, [Guest(each, node.name) for each in stay]), Guest(pod, node.name, "new")
            full = lifecycle and attach_refusal(guest, alone, stricter=True)  # whether attach limits are joint rules is not said
            if alone.has_room(guest) and not full:
                out.append(node.name)
    return out


def _category(pod: Pod, category: str, cluster: Cluster) -> Iterator[str]:
    # Whether a node that is not Ready "admits" is not said: the judge accepts both readings.
    sure, possible = admitting(pod, cluster, lifecycle=True), admitting(pod, cluster, lifecycle=False)
    if category == "Never" and sure:
        yield f"{pod.key} is Never, but {sure[0]} admits it"
    if category in ("Room", "Limits") and not possible:
        yield f"{pod.key} is {category}, but no node ever admits it: Never"


def _barred(pod: Pod, end: State, plan: Body, fleet: Fleet, policy: Policy) -> Iterator[str]:
    """Room for a pod that fits when the plan is done, with nobody else whom the lifted pass may have put in its place."""
    barred = policy.outside(pod) or policy.untriggered(pod, fleet)
    others = any(item["category"] == "Limits" and item["pod"]["cluster"] == pod.cluster for item in plan["unplaced"])
    if barred and not others and any(joint_refusal(Guest(pod, name, "new"), end, stricter=True) is None for name in end.cluster.nodes):
        yield f"{pod.key} is Room, but it fits and only the policy stands in the way: {barred}"


def _others_moved(cluster: str, steps: list[Step]) -> bool:
    """Moves for no waiting pod may leave a hole that the policy's ratio of moves to placed pods does not let us count on."""
    return any(step.is_move and step.pod.cluster == cluster and not step.makes_room_for for step in steps)


def _overlooked(pod: Pod, end: State, plan: Body, fleet: Fleet, policy: Policy) -> Iterator[str]:
    waves = policy.spec["limits"].get("waves")
    if policy.outside(pod) or policy.untriggered(pod, fleet) or (waves is not None and plan["summary"]["waves"] >= waves):
        return
    for name in end.cluster.nodes:
        if joint_refusal(Guest(pod, name, "new"), end, stricter=True) is None:
            yield f"{pod.key} is unplaced, but fits on {pod.cluster}/{name} when the plan is done"
            return


def _older_first(plan: Body, fleet: Fleet, policy: Policy) -> Iterator[str]:
    """Of replicas that are alike, the longest waiting is placed first."""
    placed: dict[str, list[Pod]] = defaultdict(list)
    for item in plan["placements"]:
        pod = fleet.pods.get(ref(item["pod"]))
        if pod is not None:
            placed[_alike(pod)].append(pod)
    for item in plan["unplaced"]:
        pod = fleet.pods.get(ref(item["pod"]))
        if pod is None or pod.waits_since is None or policy.outside(pod) or policy.untriggered(pod, fleet):
            continue
        for other in placed.get(_alike(pod), []) if item["category"] != "NotOurs" else []:
            if other.waits_since is not None and other.waits_since > pod.waits_since:
                yield f"{other.key} is placed before {pod.key}, which is alike and has waited longer"


def _alike(pod: Pod) -> str:
    spec = {key: value for key, value in pod.spec.items() if key not in ("volumes", "hostname")}
    containers = [c.get("resources") for kind in ("containers", "initContainers") for c in pod.spec.get(kind) or []]
    owner = (pod.owner or {}).get("uid", pod.key)
    return json.dumps(
        [pod.cluster, pod.namespace, owner, pod.labels, containers, spec.get("nodeSelector"), spec.get("affinity"), pod.priority]
    )
