"""Objectives: which lawful placement is better. The policy orders them by name; the order is strict.

To add one: its module with ``NAME`` and what it counts, its line in ``OBJECTIVES``, its level in ``solver.levels``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Objective:
    """One objective a policy can name."""

    name: str
    greater_is_better: bool
    counts: str


OBJECTIVES: Mapping[str, Objective] = {
    "PendingPods": Objective("PendingPods", True, "waiting pods placed, the highest priority first"),
    "Disruption": Objective("Disruption", False, "running pods moved; among equals the cheapest movers"),
    "Headroom": Objective("Headroom", True, "weighted slots of the policy's shapes, less the floor for every extra move"),
    "EmptyNodes": Objective("EmptyNodes", True, "priced nodes freed, net of nodes filled, less the floor for every extra move"),
}
GAINS = ("Headroom", "EmptyNodes")
"""Objectives that are worth moves by themselves where they come before Disruption."""
