"""PersistentVolumeClaims: where their volumes can be had, how many a node takes, and who may share one (kubernetes.md 3.8)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.judge.fleet import Cluster, Node, Pod
from tests.judge.labels import selects, term_matches
from tests.judge.quantities import Body, Unreadable, exact
from tests.judge.state import Guest, State, Token

ZONES = {
    "topology.kubernetes.io/zone": "failure-domain.beta.kubernetes.io/zone",
    "topology.kubernetes.io/region": "failure-domain.beta.kubernetes.io/region",
}
ZONES |= {beta: stable for stable, beta in ZONES.items()}
SELECTED = "volume.kubernetes.io/selected-node"
BOUND = "pv.kubernetes.io/bind-completed"
STATIC = "kubernetes.io/no-provisioner"
Handle = tuple[str, str]
"""A CSI driver and a volume of it."""


@dataclass(frozen=True)
class Claim:
    """One claim of a pod; ``body`` is the object, or what the template of an ephemeral volume will make of a fresh pod."""

    key: str
    body: Body | None
    owned: bool = True
    """An ephemeral volume's claim must belong to its pod."""
    ephemeral: bool = False
    """VolumeZone does not look at it."""

    @property
    def spec(self) -> Body:
        return (self.body or {}).get("spec") or {}

    @property
    def modes(self) -> set[str]:
        return set(self.spec.get("accessModes") or [])

    @property
    def notes(self) -> Body:
        return ((self.body or {}).get("metadata") or {}).get("annotations") or {}

    @property
    def bound(self) -> bool:
        phase = ((self.body or {}).get("status") or {}).get("phase")
        return bool(self.spec.get("volumeName")) and (BOUND in self.notes or phase == "Bound")


def claims(pod: Pod, cluster: Cluster, *, fresh: bool = False) -> Iterator[Claim]:
    """Every claim of a pod, ephemeral volumes included."""
    for volume in pod.spec.get("volumes") or []:
        if "persistentVolumeClaim" in volume:
            name = f"{pod.namespace}/{(volume['persistentVolumeClaim'] or {}).get('claimName')}"
            yield Claim(name, _claim(name, cluster))
        elif "ephemeral" in volume:
            name = f"{pod.namespace}/{pod.name}-{volume.get('name')}"
            if fresh:
                template = ((volume["ephemeral"] or {}).get("volumeClaimTemplate") or {}).get("spec") or {}
                yield Claim(f"{name} (new)", {"metadata": {}, "spec": template}, ephemeral=True)
            else:
                body = _claim(name, cluster)
                refs = ((body or {}).get("metadata") or {}).get("ownerReferences") or []
                owned = any(ref.get("uid") == pod.uid and ref.get("controller") for ref in refs)
                yield Claim(name, body, owned, ephemeral=True)


def _claim(key: str, cluster: Cluster) -> Body | None:
    namespace, name = key.split("/")
    return cluster.named("PersistentVolumeClaim", name, namespace)


def claim_trouble(pod: Pod, cluster: Cluster, *, fresh: bool = False) -> str | None:
    """Why a claim keeps the pod from every node, or cannot be judged."""
    for claim in claims(pod, cluster, fresh=fresh):
        reason = _trouble(claim, cluster)
        if reason:
            return f"claim {claim.key} {reason}"
    return None


def _trouble(claim: Claim, cluster: Cluster) -> str | None:
    if claim.body is None:
        return "is not in the snapshot"
    if claim.body["metadata"].get("deletionTimestamp"):
        return "is being deleted"
    if (claim.body.get("status") or {}).get("phase") == "Lost":
        return "is lost"
    if not claim.owned:
        return "was not made for the pod"
    if claim.bound:
        return None if cluster.named("PersistentVolume", claim.spec["volumeName"]) else "has a volume that is not in the snapshot"
    if claim.spec.get("volumeName"):
        return "is not bound yet"
    kind = _class(claim, cluster)
    if kind is None:
        return "is unbound, of no class that the snapshot has"
    if kind.get("volumeBindingMode") != "WaitForFirstConsumer":
        return "is unbound"
    return "may be bound to an existing volume" if kind.get("provisioner") == STATIC else None


def _class(claim: Claim, cluster: Cluster) -> Body | None:
    name = claim.spec.get("storageClassName")
    return cluster.named("StorageClass", name) if name else None


def may_find_a_volume(pod: Pod, cluster: Cluster) -> bool:
    """Whether an unbound claim of the pod might be given a volume that exists already, or is shared with another pod."""
    open_claims = {claim.key: claim for claim in claims(pod, cluster) if not claim.bound}
    classes = {claim.spec.get("storageClassName") for claim in open_claims.values()}
    volumes = [volume.get("spec") or {} for volume in cluster.of("PersistentVolume")]
    spare = any(spec.get("storageClassName") in classes and not spec.get("claimRef") for spec in volumes)
    others = {claim.key for other in cluster.pods if other is not pod for claim in claims(other, cluster)}
    return spare or bool(others & open_claims.keys())


def attachments_are_unknown(pod: Pod, cluster: Cluster) -> bool:
    """Whether the Fleet file says that a kind could not be read, or nobody recorded any volume that a claim might be bound to."""
    told = cluster.of("PersistentVolume") and not cluster.declared.get("unread")
    return not told and any(True for _ in claims(pod, cluster))


def volume_refusal(pod: Pod, node: Node, cluster: Cluster, *, fresh: bool = False) -> str | None:
    """VolumeBinding and VolumeZone: why the pod's volumes cannot be had on the node, whoever else is there."""
    for claim in claims(pod, cluster, fresh=fresh):
        reason = _trouble(claim, cluster) or (_bound_elsewhere if claim.bound else _unprovisioned)(claim, node, cluster)
        if reason:
            return f"claim {claim.key} {reason}"
    return None


def _bound_elsewhere(claim: Claim, node: Node, cluster: Cluster) -> str | None:
    volume = cluster.named("PersistentVolume", claim.spec["volumeName"]) or {}
    required = ((volume.get("spec") or {}).get("nodeAffinity") or {}).get("required")
    if required is not None and not any(term_matches(term, "", node.labels) for term in required.get("nodeSelectorTerms") or []):
        return "has a volume whose node affinity does not match"
    if claim.ephemeral or not ZONES.keys() & node.labels.keys():
        return None
    for key, values in (volume["metadata"].get("labels") or {}).items():
        if key in ZONES and node.labels.get(key, node.labels.get(ZONES[key])) not in values.split("__"):
            return f"has a volume in another {key}"
    return None


def _unprovisioned(claim: Claim, node: Node, cluster: Cluster) -> str | None:
    chosen = claim.notes.get(SELECTED)
    if chosen and chosen != node.name:
        return f"is being provisioned for {chosen}"
    kind = _class(claim, cluster) or {}
    allowed = kind.get("allowedTopologies") or []
    if allowed and not any(_topology(term, node.labels) for term in allowed):
        return "may not be provisioned in the node's topology"
    driver = cluster.named("CSIDriver", str(kind.get("provisioner")))
    if driver and (driver.get("spec") or {}).get("storageCapacity") and not _enough(claim, node, cluster):
        return "finds not enough storage capacity"
    return None


def _topology(term: Body, labels: dict[str, str]) -> bool:
    return all(labels.get(each.get("key", "")) in (each.get("values") or []) for each in term.get("matchLabelExpressions") or [])


def _enough(claim: Claim, node: Node, cluster: Cluster) -> bool:
    try:
        wanted = exact(((claim.spec.get("resources") or {}).get("requests") or {}).get("storage", "0"))
        for each in cluster.of("CSIStorageCapacity"):
            most = each.get("maximumVolumeSize") or each.get("capacity")
            here = each.get("storageClassName") == claim.spec.get("storageClassName") and selects(each.get("nodeTopology"), node.labels)
            if here and most is not None and exact(most) >= wanted:
                return True
    except Unreadable:
        return False
    return False


def handles(pod: Pod, cluster: Cluster, *, fresh: bool = False) -> list[Handle]:
    """The CSI volumes of a pod; an unbound claim counts as one volume of its provisioner."""
    out = []
    for claim in claims(pod, cluster, fresh=fresh):
        if claim.bound:
            handle = _handle(cluster.named("PersistentVolume", claim.spec["volumeName"]))
            out += [handle] if handle else []
        else:
            kind = _class(claim, cluster)
            out += [(str(kind.get("provisioner")), claim.key)] if kind else []
    return out


def _handle(volume: Body | None) -> Handle | None:
    csi = ((volume or {}).get("spec") or {}).get("csi")
    return (str(csi.get("driver")), str(csi.get("volumeHandle"))) if csi else None


def attach_limits(node: Node, cluster: Cluster) -> dict[str, int]:
    """CSI driver to the most volumes the node takes; absent is unlimited."""
    listed = ((cluster.named("CSINode", node.name) or {}).get("spec") or {}).get("drivers") or []
    limits = {str(each.get("name")): (each.get("allocatable") or {}).get("count") for each in listed}
    return {name: int(count) for name, count in limits.items() if count is not None}


def attach_refusal(guest: Guest, state: State, *, ignoring: frozenset[Token] = frozenset(), stricter: bool = False) -> str | None:
    """NodeVolumeLimits: distinct CSI volumes of a node, attached ones included.

    A VolumeAttachment goes away with the pods that used its volume. ``stricter`` keeps it, and counts every mention of a volume.
    """
    cluster, node = state.cluster, state.cluster.nodes[guest.node]
    limits = attach_limits(node, cluster)
    mine = handles(guest.pod, cluster, fresh=guest.fresh) if limits else []
    if not mine:
        return None
    others = [state.guests[token] for token in state.at[node.name] - ignoring - {guest.token}]
    told = [handle for other in others for handle in handles(other.pod, cluster, fresh=other.fresh)]
    there = [*told, *sorted(_attached(node, cluster) - set(told))]
    if not stricter:
        gone = {handle for pod in cluster.pods if pod.node == node.name for handle in handles(pod, cluster)} - set(told)
        there = sorted(set(there) - gone)
        mine = sorted(set(mine) - set(there))
    for driver, count in sorted(Counter(driver for driver, _ in mine).items()):
        total = count + sum(driver == each for each, _ in there)
        if driver in limits and total > limits[driver]:
            return f"{driver} attaches {total} volumes > {limits[driver]}"
    return None


def _attached(node: Node, cluster: Cluster) -> set[Handle]:
    found = set()
    for each in cluster.of("VolumeAttachment"):
        spec = each.get("spec") or {}
        name = (spec.get("source") or {}).get("persistentVolumeName")
        handle = _handle(cluster.named("PersistentVolume", name)) if name and spec.get("nodeName") == node.name else None
        if handle:
            found.add((str(spec.get("attacher")), handle[1]))
    return found


def sharing_refusal(guest: Guest, state: State, *, ignoring: frozenset[Token] = frozenset()) -> str | None:
    """VolumeRestrictions: a ReadWriteOncePod claim has one pod; and a claim that another arrival will bind is known on its node only."""
    cluster, skipped = state.cluster, ignoring | {guest.token}
    for claim in claims(guest.pod, cluster, fresh=guest.fresh):
        once, loose = "ReadWriteOncePod" in claim.modes, claim.body is not None and not claim.bound
        if not once and not loose:
            continue
        for token in state.by_namespace.get(guest.pod.namespace, set()) - skipped:
            other = state.guests[token]
            if not any(each.key == claim.key for each in claims(other.pod, cluster, fresh=other.fresh)):
                continue
            if once:
                return f"claim {claim.key} is ReadWriteOncePod and {other.pod.key} has it"
            if other.node != guest.node:
                return f"claim {claim.key} is bound by {other.pod.key}, nobody knows where"
    return None


def unshared(pod: Pod, cluster: Cluster) -> str | None:
    """A claim that old and new cannot have at once on two nodes."""
    for claim in claims(pod, cluster, fresh=True):
        if not claim.key.endswith("(new)") and not claim.modes & {"ReadWriteMany", "ReadOnlyMany"}:
            return f"claim {claim.key} cannot be mounted on two nodes at once"
    return None
