"""Which node admits which pod, alone and beside others (kubernetes.md 3.3 to 3.9)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from tests.judge.affinity import clash, company_refusal
from tests.judge.fleet import Cluster, Node, Pod
from tests.judge.labels import node_selected, untolerated
from tests.judge.ports import port_refusal
from tests.judge.spread import spread_refusal
from tests.judge.state import Guest, State, Token
from tests.judge.volumes import attach_refusal, sharing_refusal, volume_refusal

CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
LIFECYCLE = ("node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable", CORDON["key"])
LEAVING = ("ToBeDeletedByClusterAutoscaler", "DeletionCandidateOfClusterAutoscaler", "karpenter.sh/disrupted")
NOMINATED = "nominated"


def refusal(pod: Pod, node: Node, *, cordons: bool = True, lifecycle: bool = True) -> str | None:
    """Why this node never takes the pod, looking at no other pod and no volume; ``lifecycle`` off: as if Ready and not marked."""
    taints, tolerations = node.taints, pod.spec.get("tolerations") or []
    if not cordons:
        taints = [taint for taint in taints if taint.get("key") != CORDON["key"]]
    elif node.cordoned and untolerated(tolerations, [CORDON]):
        return "it is cordoned"
    if not lifecycle:
        taints = [taint for taint in taints if taint.get("key") not in (*LIFECYCLE, *LEAVING)]
    elif not node.ready:
        return "it is not Ready"
    if node.raw["metadata"].get("deletionTimestamp"):
        return "it is being deleted"
    if node.allocatable is None:
        return "its allocatable cannot be read"
    leaving = next((t["key"] for t in taints if t.get("key") in LEAVING), None)
    if leaving:
        return f"it is marked {leaving}"
    taint = untolerated(tolerations, taints)
    if taint:
        return f"untolerated taint {{{taint.get('key')}: {taint.get('value', '')}}}"
    if not node_selected(pod.spec, node.name, node.labels):
        return "node affinity or selector does not match"
    return None


def node_refusal(
    pod: Pod, node: Node, cluster: Cluster, *, fresh: bool = False, cordons: bool = True, lifecycle: bool = True
) -> str | None:
    """``refusal``, or why the pod's volumes or what the scheduler adds to every pod keep it from the node."""
    added = cluster.configuration.get("addedAffinity") or {}
    added_to_all = {"affinity": {"nodeAffinity": added}}
    return (
        refusal(pod, node, cordons=cordons, lifecycle=lifecycle)
        or (None if node_selected(added_to_all, node.name, node.labels) else "the scheduler's addedAffinity does not match")
        or volume_refusal(pod, node, cluster, fresh=fresh)
    )


def nominees(guest: Guest, state: State, *, stricter: bool = False) -> list[Guest]:
    """Waiting pods that kube-scheduler has nominated to the guest's node and that hold their place against it.

    Until they have come somewhere; ``stricter``: also those whose plan is another node, for kube-scheduler tries the nominated one first.
    """
    out = []
    for pod in state.cluster.pods:
        here = pod.waiting and pod.status.get("nominatedNodeName") == guest.node and pod.priority >= guest.pod.priority
        if here and pod.key != guest.pod.key and (stricter or state.cluster.serves(pod)):
            come = state.guests.get((pod.key, "new"))
            if come is None or (stricter and come.node != guest.node):
                out.append(Guest(pod, guest.node, NOMINATED))
    return out


def company_of(
    guest: Guest, most: State, least: State, held: list[Guest], *, ignoring: frozenset[Token] = frozenset(), stricter: bool = False
) -> str | None:
    """Everything that looks at other pods, amounts left out; once with the nominated pods ``held`` and once without."""
    for with_them in (False, True) if held else (False,):
        many = most.with_guests(held) if with_them else most
        few = many if least is most else least.with_guests(held) if with_them else least
        reason = (
            port_refusal(guest, many, ignoring=ignoring)
            or clash(guest, many, ignoring=ignoring)
            or company_refusal(guest, many, few, ignoring=ignoring, stricter=stricter)
            or attach_refusal(guest, many, ignoring=ignoring, stricter=stricter)
            or sharing_refusal(guest, many, ignoring=ignoring)
            or spread_refusal(guest, many, few, ignoring)
        )
        if reason:
            return f"{reason} (nominated pods counted)" if with_them else reason
    return None


def room_of(guests: list[Guest]) -> Counter[str]:
    """What they ask for together."""
    told: Counter[str] = Counter()
    for each in guests:
        told.update(each.requests)
    return told


def joint_refusal(guest: Guest, state: State, *, reserved: Iterable[Guest] = (), stricter: bool = False) -> str | None:
    """Why the guest does not fit into the state right now; ``stricter``: or why a careful tool may say so.

    ``reserved`` are copies that keep a place on the guest's node against it, as nominated pods do.
    """
    node = state.cluster.nodes.get(guest.node)
    if node is None:
        return "there is no such node"
    held = [*nominees(guest, state, stricter=stricter), *reserved]
    return (
        node_refusal(guest.pod, node, state.cluster, fresh=guest.fresh)
        or ("a pod of unknown size is there" if state.closed(guest.node) else None)
        or state.lacks(guest, reserved=room_of(held))
        or company_of(guest, state, state, held, stricter=stricter)
    )
