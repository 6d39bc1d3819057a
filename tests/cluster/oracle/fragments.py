"""The table of fragments, and pods made of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.objects import a_pod
from tests.cluster.oracle import pods, volumes
from tests.cluster.oracle.fleet import APPS, NAMESPACES, ROLE, TIERS, Fleet
from tests.cluster.oracle.pods import Pod


@dataclass(frozen=True)
class Fragment:
    """How often a test pod and a resident get it."""

    add: Callable[[Pod], None]
    tests: float
    residents: float


FRAGMENTS: dict[str, Fragment] = {
    "requests": Fragment(pods.requests, 0.9, 0.9),
    "more-containers": Fragment(pods.more_containers, 0.15, 0.1),
    "extended": Fragment(pods.extended_resources, 0.12, 0.15),
    "init": Fragment(pods.init_containers, 0.12, 0.1),
    "pod-level": Fragment(pods.pod_level, 0.08, 0.08),
    "overhead": Fragment(pods.overhead, 0.08, 0.05),
    "tolerations": Fragment(pods.tolerations, 0.35, 0.3),
    "node-selector": Fragment(pods.node_selector, 0.12, 0.0),
    "node-affinity": Fragment(pods.node_affinity, 0.2, 0.0),
    "host-ports": Fragment(pods.host_ports, 0.12, 0.25),
    "pod-affinity": Fragment(pods.pod_affinity, 0.2, 0.1),
    "pod-anti-affinity": Fragment(pods.pod_anti_affinity, 0.15, 0.06),
    "volumes": Fragment(volumes.claims, 0.2, 0.2),
    "ephemeral": Fragment(volumes.ephemeral, 0.05, 0.0),
    "topology-spread": Fragment(pods.topology_spread, 0.25, 0.1),
    "priority": Fragment(pods.priority, 0.25, 0.2),
    "other-scheduler": Fragment(pods.other_scheduler, 0.0, 0.05),
}
"""In this order: later ones build on what earlier ones left."""


FLAVOURS: dict[str, dict[str, float]] = {
    "mixed": {},
    "pods beside pods": {
        **dict.fromkeys(("requests", "more-containers", "extended", "init", "pod-level", "overhead", "volumes"), 0.15),
        **dict.fromkeys(("pod-affinity", "pod-anti-affinity"), 1.5),
        "topology-spread": 2.5,
        "node-affinity": 0.5,
    },
    "volumes": {**dict.fromkeys(("requests", "extended", "init", "pod-level", "host-ports"), 0.2), "volumes": 3.0, "ephemeral": 2.0},
    "requests": {
        "requests": 1.1,
        "extended": 2.0,
        "init": 3.0,
        "pod-level": 2.0,
        "overhead": 2.0,
        "pod-affinity": 0.3,
        "topology-spread": 0.3,
    },
}
"""How much more, or less, often than in the table the fragments of test pods are met in a fleet: rare rules must get their turn."""


def a_random_pod(fleet: Fleet, name: str, *, resident: bool) -> Object:
    """A pod of any namespace, app and tier with some of the fragments."""
    dice = fleet.dice
    labels = {ROLE: "resident" if resident else "template", "app": dice.choice(APPS)}
    if dice.random() < 0.7:
        labels["tier"] = dice.choice(TIERS)
    body = a_pod(name, dice.choice(list(NAMESPACES)), {"cpu": "100m"}, labels=labels)
    pod = Pod(fleet, dice, body, resident)
    for title, fragment in FRAGMENTS.items():
        share = fragment.residents if resident else fragment.tests * FLAVOURS[fleet.flavour].get(title, 1.0)
        if fleet.chance(share) and fleet.uses(title):
            fragment.add(pod)
    return body
