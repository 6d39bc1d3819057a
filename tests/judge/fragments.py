"""Slots, the largest pod that fits and stranded room, counted again before and after the plan."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from tests.judge.fleet import Cluster, Fleet, Node
from tests.judge.labels import untolerated
from tests.judge.moves import Step, after
from tests.judge.policy import Policy
from tests.judge.quantities import Amounts, Body, Unreadable, amounts, exact, whole
from tests.judge.state import State

ROUNDED = 0.001


def fragment_violations(plan: Body, fleet: Fleet, steps: list[Step], policy: Policy) -> Iterator[str]:
    """Numbers of ``fragmentation`` that are wrong."""
    unknown = {step.pod.cluster for step in steps if step.node is None}
    for when, told in plan["fragmentation"].items():
        for cluster in fleet.readable:
            if cluster.name not in told:
                yield f"fragmentation.{when}: {cluster.name} is missing"
            elif when == "before" or cluster.name not in unknown:
                state = after(cluster, steps if when == "after" else [])
                for text in _one(told[cluster.name], cluster, state, policy.spec["shapes"]):
                    yield f"fragmentation.{when}.{cluster.name}.{text}"


def open_nodes(cluster: Cluster) -> list[Node]:
    """Ready and uncordoned."""
    return [node for node in cluster.nodes.values() if node.ready and not node.cordoned and node.allocatable is not None]


def free(state: State, node: Node) -> Amounts:
    """What is left, never below nothing."""
    return {name: max(0, amount - state.used[node.name][name]) for name, amount in (node.allocatable or {}).items()}


def admits(shape: Body, node: Node) -> bool:
    """Whether the shape's selector and tolerations let it go there."""
    selected = all(node.labels.get(key) == value for key, value in (shape.get("nodeSelector") or {}).items())
    return selected and untolerated(shape.get("tolerations") or [], node.taints) is None


def slots_on(shape: Body, state: State, node: Node) -> int:
    """Whole pods of the shape that still fit on the node."""
    if not admits(shape, node):
        return 0
    room, asked = free(state, node), {**amounts(shape["requests"]), "pods": 1}
    return min(room.get(name, 0) // amount for name, amount in asked.items() if amount > 0)


def slots(cluster: Cluster, state: State, shape: Body) -> int:
    """Over all open nodes of the cluster."""
    return sum(slots_on(shape, state, node) for node in open_nodes(cluster))


def _one(told: Body, cluster: Cluster, state: State, shapes: list[Body]) -> Iterator[str]:
    real = {shape["name"]: slots(cluster, state, shape) for shape in shapes}
    if told["slots"] != real:
        yield f"slots: {told['slots']}, counted {real}"
    nodes = open_nodes(cluster)
    yield from _largest(told["largestPod"], [nodes, [node for node in nodes if any(admits(s, node) for s in shapes)]], state)
    for name, share in told["stranded"].items():
        lawful = [_stranded(name, among, state, shapes) for among in (nodes, [n for n in nodes if any(admits(s, n) for s in shapes)])]
        if not isinstance(share, int | float) or not any(abs(share - float(each)) <= ROUNDED for each in lawful):
            yield f"stranded.{name}: {share}, counted {float(lawful[0]):.4f}"


def _largest(told: Body, choices: list[list[Node]], state: State) -> Iterator[str]:
    """The contract does not say whether nodes that no shape tolerates count: both answers are taken."""
    lawful: set[tuple[int, int]] = set()
    for nodes in choices:
        shares = {node.name: _least_share(free(state, node), node.allocatable or {}) for node in nodes}
        best = max([*shares.values(), Fraction(0)])
        rooms = [free(state, node) for node in nodes if shares[node.name] == best]
        lawful |= {(room.get("cpu", 0), room.get("memory", 0)) for room in rooms} or {(0, 0)}
    try:
        said = (whole("cpu", exact(told["cpu"])), whole("memory", exact(told["memory"])))
    except Unreadable as error:
        yield f"largestPod: {error}"
        return
    if said not in lawful:
        yield f"largestPod: {said}, counted {sorted(lawful)}"


def _least_share(room: Amounts, whole_node: Amounts) -> Fraction:
    return min(Fraction(room.get(name, 0), whole_node[name]) if whole_node.get(name) else Fraction(0) for name in ("cpu", "memory"))


def _stranded(name: str, nodes: list[Node], state: State, shapes: list[Body]) -> Fraction:
    total = sum(free(state, node).get(name, 0) for node in nodes)
    lost = sum(free(state, node).get(name, 0) for node in nodes if not any(slots_on(shape, state, node) for shape in shapes))
    return Fraction(lost, total) if total else Fraction(0)
