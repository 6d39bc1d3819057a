"""Tiny random fleets in tiny units, so that every off-by-one is caught, and a policy that lets most things happen."""

from __future__ import annotations

from random import Random
from typing import Any

from descheduler.domain.objects import Budget, Node, Pod
from descheduler.domain.selectors import HostPort, PodTerm, SpreadConstraint
from descheduler.domain.snapshot import Snapshot
from descheduler.policy.policy import Policy
from tests.builders import HOSTNAME, ZONE, a_budget, a_node, a_pod, a_quota, a_snapshot, apart_from, near, spread_over


def a_tiny_fleet(seed: int) -> Snapshot:
    """Two or three nodes, up to six pods, every joint rule somewhere."""
    dice = Random(seed)
    nodes: list[Node] = [
        a_node(f"n{i}", cpu=dice.randint(2, 6), memory=dice.randint(3, 8), pods=dice.choice([2, 3, 9]), zone=dice.choice("ab"))
        for i in range(dice.randint(2, 3))
    ]
    more = Random(f"{seed}-more")  # apart, so that what came later leaves the older fleets as they were
    apps = {app: _habits(dice, app) for app in "xyz"}
    tastes = {app: _tastes(more, app) for app in "xyz"}
    pods: list[Pod] = []
    for i in range(dice.randint(3, 6)):
        app, running = dice.choice("xyz"), dice.random() < 0.6
        anti_affinity, spread = apps[app]
        pods.append(
            a_pod(
                f"p{i}",
                on=dice.choice(nodes).ref.name if running else None,
                cpu=dice.randint(0, 3) if running else dice.randint(2, 5),
                memory=dice.randint(0, 3),
                of=app if running else f"new-{app}",  # a waiting sibling would keep the running ones from surging
                labels={"app": app},
                priority=dice.choice([0, 0, 7]),
                anti_affinity=anti_affinity,
                spread=spread,
                **tastes[app],
                nominated=more.choice(nodes).ref.name if not running and more.random() < 0.15 else None,
                terminating=running and more.random() < 0.1,
            )
        )
    quotas = [a_quota(pods=more.randint(0, 1))] if more.random() < 0.2 else []
    budgets: list[Budget] = [a_budget(app, allowed=dice.randint(0, 2)) for app in "xyz" if dice.random() < 0.3]
    return a_snapshot(*nodes, *pods, *budgets, *quotas)


def _habits(dice: Random, app: str) -> tuple[tuple[PodTerm, ...], tuple[SpreadConstraint, ...]]:
    """What all pods of an app shun, and how they spread."""
    anti_affinity: tuple[PodTerm, ...] = ()
    spread: tuple[SpreadConstraint, ...] = ()
    if dice.random() < 0.4:
        anti_affinity = (apart_from(dice.choice([HOSTNAME, HOSTNAME, ZONE]), app=dice.choice([app, app, "x"])),)
    if dice.random() < 0.4:
        spread = (spread_over(dice.choice([HOSTNAME, ZONE]), max_skew=dice.randint(1, 2), min_domains=dice.choice([1, 1, 2]), app=app),)
    return anti_affinity, spread


def _tastes(more: Random, app: str) -> dict[str, Any]:
    """Whom all pods of an app want near, which port of the node they take, which claim only one of them can have."""
    taste: dict[str, Any] = {}
    if more.random() < 0.25:
        wanted = [near(more.choice([HOSTNAME, ZONE]), app=more.choice([app, app, "x"]))]
        taste["affinity"] = wanted + ([near(ZONE, app=app)] if more.random() < 0.2 else [])
    if more.random() < 0.25:
        taste["host_ports"] = [HostPort(ip=more.choice(["", "", "10.0.0.1", "10.0.0.2"]), port=80)]
    if more.random() < 0.1:
        taste["exclusive_claims"] = ["default/one"]
    return taste


def a_loose_policy(seed: int) -> Policy:
    """Small limits of every kind, anything movable, room kept for nobody."""
    dice = Random(seed)
    return Policy.model_validate(
        {
            "spec": {
                "limits": {
                    "perRun": dice.choice([1, 2, 20]),
                    "perNode": dice.choice([1, 2, 5]),
                    "perWorkload": dice.choice([1, 2]),
                    "perNamespace": dice.choice([1, 2, 5]),
                    "movesPerPlacedPod": dice.choice([1, 2]),
                },
                "shapes": [{"name": "s", "requests": {"cpu": "2m"}}],
                "movers": ["Surge"] if Random(f"{seed}-movers").random() < 0.4 else ["Surge", "Hold", "Evict"],
            }
        }
    )
