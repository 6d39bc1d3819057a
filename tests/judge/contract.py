"""The accounts of plan.json: summary numbers, every waiting pod once, and what each move says of itself."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tests.judge.fleet import Fleet, Pod
from tests.judge.policy import Policy
from tests.judge.quantities import Body

LESS_IS_BETTER = ("Disruption",)
HAIR = 1e-6


def contract_violations(plan: Body, fleet: Fleet, policy: Policy) -> Iterator[str]:
    """Everything that can be said without replaying the plan."""
    yield from _clusters(plan, fleet)
    yield from _accounting(plan, fleet)
    yield from _summary(plan, fleet)
    yield from _levels(plan, policy)
    for part in ("moves", "placements", "unplaced"):
        for item in plan[part]:
            yield from _pod(item["pod"], fleet)
    for part in ("moves", "placements"):
        for item in plan[part]:
            yield from _destination(item, fleet, part)
    for move in plan["moves"]:
        yield from _move(move, plan, fleet)


def _clusters(plan: Body, fleet: Fleet) -> Iterator[str]:
    told = {each["name"]: each["uid"] for each in plan["metadata"]["clusters"]}
    for cluster in fleet.readable:
        if cluster.name not in told:
            yield f"metadata.clusters: {cluster.name} is missing"
            continue
        real = cluster.declared.get("uid") or (cluster.namespaces.get("kube-system") or {}).get("uid")
        if told[cluster.name] != (real or None):
            yield f"metadata.clusters: {cluster.name}: uid {told[cluster.name]} is not {real}"
    yield from (f"metadata.clusters: {name} is no cluster of the fleet" for name in sorted(told.keys() - fleet.clusters.keys()))


def ref(pod: Body) -> str:
    """A pod object's place, ``cluster/namespace/name``."""
    return f"{pod['cluster']}/{pod['namespace']}/{pod['name']}"


def _accounting(plan: Body, fleet: Fleet) -> Iterator[str]:
    waiting = {key for cluster in fleet.readable for key in (pod.key for pod in cluster.pods if pod.waiting)}
    told = Counter(ref(item["pod"]) for part in ("placements", "unplaced") for item in plan[part])
    yield from (f"{key} waits and is in neither placements nor unplaced" for key in sorted(waiting - told.keys()))
    yield from (f"{key} is in placements or unplaced and does not wait" for key in sorted(told.keys() - waiting))
    yield from (f"{key} is {count} times in placements and unplaced" for key, count in sorted(told.items()) if count > 1)
    moved = Counter(ref(move["pod"]) for move in plan["moves"])
    yield from (f"{key} moves {count} times" for key, count in sorted(moved.items()) if count > 1)


def _summary(plan: Body, fleet: Fleet) -> Iterator[str]:
    told, moves, placements, unplaced = plan["summary"], plan["moves"], plan["placements"], plan["unplaced"]
    ours = [item["pod"] for item in placements] + [item["pod"] for item in unplaced if item["category"] != "NotOurs"]
    waves = max([m["arrivalWave"] for m in moves] + [m["wave"] for m in moves] + [p["wave"] for p in placements], default=0)
    real = {
        "pendingBefore": len(ours),
        "placed": len(placements),
        "unplaced": len(unplaced),
        "moves": len(moves),
        "evictions": sum(move["mover"] != "Surge" for move in moves),
        "waves": waves,
    }
    yield from (f"summary.{name} is {told[name]}, the lists say {number}" for name, number in real.items() if told[name] != number)
    before = Counter(_priority(pod, fleet) for pod in ours)
    placed = Counter(_priority(item["pod"], fleet) for item in placements)
    rows = told["byPriority"]
    listed = [row["priority"] for row in rows]
    if listed != sorted(before, reverse=True):
        yield f"summary.byPriority: rows {listed}, the waiting pods have {sorted(before, reverse=True)}"
    for row in rows:
        name = f"summary.byPriority {row['priority']}"
        if (row["pendingBefore"], row["placed"]) != (before[row["priority"]], placed[row["priority"]]):
            yield f"{name}: {row['placed']} of {row['pendingBefore']}, the lists say {placed[row['priority']]} of {before[row['priority']]}"
        if row["bound"] is not None and not row["placed"] <= row["bound"] <= row["pendingBefore"]:
            yield f"{name}: bound {row['bound']} is not between placed {row['placed']} and pendingBefore {row['pendingBefore']}"


def _priority(pod: Body, fleet: Fleet) -> int:
    found = fleet.pods.get(ref(pod))
    return found.priority if found else 0


def _levels(plan: Body, policy: Policy) -> Iterator[str]:
    levels = plan["summary"]["objectives"]
    if [level["name"] for level in levels] != policy.spec["objectives"]:
        yield f"summary.objectives: {[level['name'] for level in levels]} are not the policy's {policy.spec['objectives']}"
    for level in levels:
        name, value, bound, status = level["name"], level["value"], level["bound"], level["status"]
        if name == "PendingPods" and value != len(plan["placements"]):
            yield f"objective PendingPods: value {value}, but {len(plan['placements'])} pods are placed"
        if value is None or bound is None:
            if status in ("Optimal", "Feasible"):
                yield f"objective {name}: {status} with value {value} and bound {bound}"
            continue
        distance = value - bound if name in LESS_IS_BETTER else bound - value
        if distance < -HAIR:
            yield f"objective {name}: value {value} is better than its bound {bound}"
        if (status == "Optimal") != (abs(distance) <= HAIR):
            yield f"objective {name}: {status} with value {value} and bound {bound}"


def _pod(told: Body, fleet: Fleet) -> Iterator[str]:
    pod = fleet.pods.get(ref(told))
    if pod is None:
        yield f"{ref(told)} does not exist in the snapshot"
        return
    if told["uid"] != pod.uid:
        yield f"{pod.key}: uid {told['uid']} is not {pod.uid}"
    cluster = fleet.clusters[pod.cluster]
    top, chain = cluster.workload(pod), list(cluster.owners(pod))
    # Where the topmost owner is only named by a reference, naming the last object that is there is as right.
    lawful = {top, (str(chain[-1]["kind"]), str(chain[-1]["metadata"]["name"])) if chain else None}
    said = (told["workload"]["kind"], told["workload"]["name"]) if told["workload"] else None
    if said not in lawful:
        yield f"{pod.key}: workload {said} is not {top}"


def _destination(item: Body, fleet: Fleet, part: str) -> Iterator[str]:
    name, to = ref(item["pod"]), item["to"]
    if to["cluster"] != item["pod"]["cluster"]:
        yield f"{name}: in a Standalone fleet no pod crosses from {item['pod']['cluster']} to {to['cluster']}"
    cluster = fleet.clusters.get(to["cluster"])
    if cluster is None or cluster.trouble:
        yield f"{name}: destination cluster {to['cluster']} is not readable"
    elif to["node"] is None and not (part == "moves" and item["mover"] == "Evict"):
        yield f"{name}: to.node is null without Evict"
    elif to["node"] is not None and to["node"] not in cluster.nodes:
        yield f"{name}: destination node {to['cluster']}/{to['node']} does not exist"
    first = item["wave"]
    if first < 1:
        yield f"{name}: wave {first}: waves count from 1"


def _move(move: Body, plan: Body, fleet: Fleet) -> Iterator[str]:
    pod: Pod | None = fleet.pods.get(ref(move["pod"]))
    name = f"move {move['id']} of {ref(move['pod'])}"
    if pod is not None and (move["from"]["cluster"], move["from"]["node"]) != (pod.cluster, pod.node):
        yield f"{name}: from {move['from']['cluster']}/{move['from']['node']}, but it runs on {pod.cluster}/{pod.node}"
    if move["from"] == move["to"]:
        yield f"{name}: goes to where it is"
    if move["cycleBreak"] and move["mover"] != "Hold":
        yield f"{name}: a cycle is broken by Hold, not {move['mover']}"
    if move["cycleBreak"] != (move["arrivalWave"] > move["wave"]) or move["arrivalWave"] < move["wave"]:
        yield f"{name}: leaves in {move['wave']}, arrives in {move['arrivalWave']}, cycleBreak {move['cycleBreak']}"
    placed = {ref(item["pod"]) for item in plan["placements"]}
    yield from (f"{name}: makes room for {each}, which is not placed" for each in move["makesRoomFor"] if each not in placed)
