"""Plans spoilt by what they say or how much they move: accounts, limits, purpose, rivals, categories and room."""

from __future__ import annotations

from tests.judge.tiny import (
    Case,
    Change,
    also_waiting,
    both,
    deployment,
    move,
    mover,
    pod,
    told,
    unplaced,
)


def two_web_pods_leave_n1(case: Case) -> None:
    case.objects.append(pod("web-3", "web", "1", "n1"))
    case.get("web", "Deployment")["spec"]["replicas"] = case.get("web-rs", "ReplicaSet")["spec"]["replicas"] = 3
    case.get("web", "Deployment")["status"].update(replicas=3, updatedReplicas=3)
    case.plan["moves"].append(move("web-3", "web", "n1", "n2"))
    case.count()


def a_needless_move(case: Case) -> None:
    case.objects += [*deployment("other", 2), pod("other-1", "other", "1", "n3"), pod("other-2", "other", "1", "n3")]
    case.plan["moves"].append(move("other-1", "other", "n3", "n2"))
    case.count()


def a_move_that_empties_nothing(case: Case) -> None:
    """other-2 stays on n3, so that a move for EmptyNodes was in vain."""
    a_needless_move(case)
    case.plan["moves"][-1]["makesRoomFor"] = []
    case.policy["objectives"] = ["PendingPods", "EmptyNodes", "Disruption"]


def an_equal_rival(case: Case) -> None:
    """It fits as soon as web-1 has left n1, and then big does not."""
    also_waiting(case, "Room", "7")


def older_twin(case: Case) -> None:
    case.objects.append(pod("big-older", "big", "7", created="2026-11-23T10:00:00Z"))
    case.get("big-older")["status"]["conditions"][0]["lastTransitionTime"] = "2026-11-23T10:00:00Z"
    case.plan["unplaced"].append({**unplaced("big-older", "big", "Room"), "pod": told("big-older", "big")})
    case.count()


SPOILT: dict[str, tuple[Change, str]] = {
    # shape and accounts
    "a key is missing": (lambda c: c.plan["moves"][0].pop("because"), "because is missing"),
    "a number is text": (lambda c: c.plan["summary"].update(moves="1"), "summary.moves: '1' is no int"),
    "a key is surplus": (lambda c: c.plan.update(extra=1), "extra is not in the contract"),
    "a list is null": (lambda c: c.plan.update(unplaced=None), "unplaced: None is no list"),
    "an unknown mover": (lambda c: mover(c, "Teleport"), "mover Teleport is none of"),
    "an id is used twice": (lambda c: c.plan["moves"].append(c.plan["moves"][0]), "is used twice"),
    "the summary counts wrong": (lambda c: c.plan["summary"].update(evictions=1), "summary.evictions is 1, the lists say 0"),
    "a priority row is missing": (lambda c: c.plan["summary"].update(byPriority=[]), "byPriority: rows []"),
    "a priority row counts wrong": (lambda c: c.plan["summary"]["byPriority"][0].update(placed=0), "0 of 1, the lists say 1 of 1"),
    "a bound below the value": (lambda c: c.plan["summary"]["objectives"][0].update(bound=0), "better than its bound"),
    "optimal with a gap": (lambda c: c.plan["summary"]["objectives"][1].update(bound=0), "Optimal with value 1 and bound 0"),
    "a wrong value": (lambda c: c.plan["summary"]["objectives"][0].update(value=3, bound=3), "value 3, but 1 pods are placed"),
    "an objective is left out": (lambda c: c.plan["summary"]["objectives"].pop(), "are not the policy's"),
    "a waiting pod is forgotten": (lambda c: c.objects.append(pod("lost", "big", "9")), "c/shop/lost waits and is in neither"),
    "a waiting pod is told twice": (lambda c: c.plan["unplaced"].append(unplaced("big", "big", "Room")), "is 2 times in"),
    "a running pod is unplaced": (lambda c: c.plan["unplaced"].append(unplaced("web-2", "web", "Room")), "does not wait"),
    "a wrong uid": (lambda c: c.plan["moves"][0]["pod"].update(uid="x"), "uid x is not u-web-1"),
    "a wrong workload": (lambda c: c.plan["moves"][0]["pod"].update(workload=None), "workload None is not"),
    "a wrong source": (lambda c: c.plan["moves"][0]["from"].update(node="n3"), "but it runs on c/n1"),
    "a pod that is not there": (lambda c: c.plan["moves"][0]["pod"].update(name="ghost"), "does not exist in the snapshot"),
    "a node that is not there": (lambda c: c.plan["moves"][0]["to"].update(node="n9"), "c/n9 does not exist"),
    "another cluster": (lambda c: c.plan["moves"][0]["to"].update(cluster="d"), "no pod crosses"),
    "a null node without Evict": (lambda c: c.plan["moves"][0]["to"].update(node=None), "to.node is null without Evict"),
    "a pod moves twice": (lambda c: c.plan["moves"].append({**c.plan["moves"][0], "id": "m2"}), "moves 2 times"),
    "a cycle break by Surge": (lambda c: c.plan["moves"][0].update(cycleBreak=True, arrivalWave=2), "broken by Hold, not Surge"),
    "an arrival before the departure": (lambda c: c.plan["moves"][0].update(wave=2), "leaves in 2, arrives in 1"),
    "room for a pod that is not placed": (lambda c: c.plan["moves"][0].update(makesRoomFor=["c/shop/x"]), "c/shop/x, which is not placed"),
    "a wrong cluster uid": (lambda c: c.plan["metadata"]["clusters"][0].update(uid="x"), "c: uid x is not None"),
    # limits
    "perRun": (lambda c: c.policy.update(limits={"perRun": 0}), "limits.perRun (base): the fleet: 1 moves > 0"),
    "perCluster": (lambda c: c.policy.update(limits={"perCluster": 0}), "limits.perCluster"),
    "perNamespace": (lambda c: c.policy.update(limits={"perNamespace": 0}), "limits.perNamespace (base): c/shop"),
    "perNode": (lambda c: c.policy.update(limits={"perNode": 0}), "limits.perNode (base): c/n1"),
    "perWorkload": (two_web_pods_leave_n1, "limits.perWorkload (base): c/shop/Deployment/web: 2 moves > 1"),
    "movesPerPlacedPod": (lambda c: c.policy.update(limits={"movesPerPlacedPod": 0}), "limits.movesPerPlacedPod"),
    "waves": (lambda c: c.policy.update(limits={"waves": 1}), "limits.waves: 2 > 1"),
    "a share": (lambda c: c.policy.update(limits={"perRun": "10%"}), "1 moves > 10% of 2 running pods"),
    "a limit from an override": (
        lambda c: c.policy.update(overrides=[{"match": {"namespaces": ["shop"]}, "limits": {"perNode": 0}}]),
        "limits.perNode (override 1): c/n1",
    ),
    "cycleBreaks": (
        both(lambda c: c.plan["moves"][0].update(cycleBreak=True, arrivalWave=2), lambda c: mover(c, "Hold")),
        "limits.cycleBreaks: 1 > 0",
    ),
    # purpose, trigger, rivals, unplaced, fragmentation
    "a needless move": (a_needless_move, "move m-other-1 of c/shop/other-1 is not needed"),
    "a move that empties nothing": (a_move_that_empties_nothing, "1 extra moves bring 0.0 priced nodes < 0.5"),
    "a move for nobody": (lambda c: c.plan["moves"][0].update(makesRoomFor=[]), "makes room for nobody"),
    "a pod that waits too briefly": (
        lambda c: c.get("big")["status"]["conditions"][0].update(lastTransitionTime="2026-11-23T11:59:00Z"),
        "it may not be placed: it waits only since",
    ),
    "a gated pod is placed": (lambda c: c.get("big")["spec"].update(schedulingGates=[{"name": "g"}]), "it may not be placed: it is gated"),
    "a rival takes the room": (an_equal_rival, "placement of c/shop/big no longer fits"),
    "NotOurs without reason": (lambda c: also_waiting(c, "NotOurs", "9"), "is NotOurs without any reason"),
    "another scheduler's pod is Room": (
        lambda c: also_waiting(c, "Room", "7", schedulerName="x"),
        "but NotOurs: scheduler x is responsible",
    ),
    "Never where a node admits": (lambda c: also_waiting(c, "Never", "8"), "is Never, but n1 admits it"),
    "Room where none admits": (lambda c: also_waiting(c, "Room", "9"), "but no node ever admits it: Never"),
    "a place is overlooked": (lambda c: also_waiting(c, "Room", "1"), "but fits on c/n1 when the plan is done"),
    "the longest waiting is passed over": (older_twin, "c/shop/big is placed before c/shop/big-older"),
    "wrong slots": (lambda c: c.plan["fragmentation"]["before"]["c"]["slots"].update(large=3), "fragmentation.before.c.slots"),
    "a wrong largest pod": (
        lambda c: c.plan["fragmentation"]["after"]["c"]["largestPod"].update(cpu="3"),
        "fragmentation.after.c.largestPod",
    ),
    "a wrong stranded share": (
        lambda c: c.plan["fragmentation"]["after"]["c"]["stranded"].update(cpu=0.5),
        "fragmentation.after.c.stranded.cpu",
    ),
}
