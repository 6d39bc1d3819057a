"""Whether every move is worth making."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction

from tests.judge.fleet import Fleet, Node
from tests.judge.fragments import open_nodes, slots
from tests.judge.moves import Step, after
from tests.judge.policy import Policy
from tests.judge.waves import wave_violations


def purpose_violations(fleet: Fleet, steps: list[Step], policy: Policy) -> Iterator[str]:
    """Moves without need where moves are to be few, and extra moves that do not bring what the floor asks."""
    objectives = policy.spec["objectives"]
    rank = {name: objectives.index(name) if name in objectives else len(objectives) for name in ("Disruption", "Headroom", "EmptyNodes")}
    moves = [step for step in steps if step.is_move]
    if rank["Disruption"] < min(rank["Headroom"], rank["EmptyNodes"]):
        yield from (f"{step.name} makes room for nobody" for step in moves if not step.makes_room_for)
        yield from (
            f"{step.name} is not needed: the rest of the plan is lawful without it" for step in moves if _unneeded(step, fleet, steps)
        )
        return
    extra = [step for step in moves if not step.makes_room_for]
    if extra:
        worth, unit = (_weighted, "weighted slots") if rank["Headroom"] < rank["EmptyNodes"] else (_emptied, "priced nodes")
        gain = worth(fleet, steps, policy) - worth(fleet, [step for step in steps if step not in extra], policy)
        wanted = Fraction(str(policy.spec["floor"]["slotsPerMove"])) * len(extra)
        if gain < wanted:
            yield f"floor.slotsPerMove: {len(extra)} extra moves bring {float(gain)} {unit} < {float(wanted)}"


def _unneeded(step: Step, fleet: Fleet, steps: list[Step]) -> bool:
    own = [each for each in steps if each.pod.cluster == step.pod.cluster]
    return next(wave_violations(fleet, [each for each in own if each is not step]), None) is None


def _weighted(fleet: Fleet, steps: list[Step], policy: Policy) -> Fraction:
    total = Fraction(0)
    for cluster in fleet.readable:
        state = after(cluster, steps)
        total += sum((Fraction(str(shape.get("weight", 1))) * slots(cluster, state, shape) for shape in policy.spec["shapes"]), Fraction(0))
    return total


def _emptied(fleet: Fleet, steps: list[Step], policy: Policy) -> Fraction:
    """The price of all nodes that hold no pod but DaemonSet and static ones."""
    total = Fraction(0)
    for cluster in fleet.readable:
        guests = after(cluster, steps).guests.values()
        taken = {guest.node for guest in guests if not (guest.pod.daemon or guest.pod.static)}
        total += sum((_price(node, policy) for node in open_nodes(cluster) if node.name not in taken), Fraction(0))
    return total


def _price(node: Node, policy: Policy) -> Fraction:
    for entry in policy.spec["emptyNodes"]["prices"]:
        if all(node.labels.get(key) == value for key, value in (entry.get("nodeSelector") or {}).items()):
            return Fraction(str(entry.get("price", 1)))
    return Fraction(1)
