"""Random policies for the random fleets of ``tests.properties.wild``: small limits, lifted protections, every order of objectives."""

from __future__ import annotations

from random import Random

from tests.raw import Json


def a_wild_policy(dice: Random) -> Json:
    """A policy with small limits of some kinds, some protections lifted, any order of objectives."""
    spec: Json = {
        "mode": "Apply",
        "objectives": dice.choice(
            [["PendingPods", "Disruption", "Headroom"]] * 2 + [["PendingPods", "Disruption"], ["PendingPods", "Headroom", "Disruption"]]
        ),
        "shapes": [{"name": "medium", "weight": dice.choice([1, 2.5]), "requests": {"cpu": "3", "memory": "3Gi"}}],
        "limits": {
            "perRun": dice.choice([20, 20, 4, 2, "20%"]),
            "perCluster": dice.choice([10, 3, "30%", None]),
            "perNamespace": dice.choice([5, 2, None]),
            "perNode": dice.choice([5, 2, 1, "50%"]),
            "perWorkload": dice.choice([1, 2, None]),
            "movesPerPlacedPod": dice.choice([5, 2, 1, None]),
            "waves": dice.choice([8, 8, 8, 4, 2, 1]),
            "cycleBreaks": dice.choice([0, 0, 1, 2]),
        },
        "protections": {"barePods": dice.choice([True, False]), "jobs": dice.choice([True, False]), "minPodAge": dice.choice(["5m", "0s"])},
        "movers": dice.choice([["Surge", "Hold", "Evict"]] * 3 + [["Surge"], ["Hold", "Surge"], ["Surge", "Hold", "Evict", "Recreate"]]),
        "reserve": dice.choice(["Contested", "Contested", "Never", "Always"]),
    }
    if dice.random() < 0.3:
        override: Json = {"match": {"namespaces": ["ml"]}, "limits": {"perWorkload": 3, "perRun": 2}, "movers": ["Surge", "Evict"]}
        spec["overrides"] = [override]
    if dice.random() < 0.1:
        spec["trigger"] = {"minPriority": 100}
    return {"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "DeschedulePolicy", "metadata": {"name": "wild"}, "spec": spec}


def more_of_a_policy(policy: Json, dice: Random) -> None:
    """Often lets pods with claims move, and sometimes only by one technique."""
    protections = policy["spec"]["protections"]
    protections["persistentVolumes"] = dice.random() < 0.3
    protections["localStorage"] = dice.random() < 0.5
    if dice.random() < 0.2:
        policy["spec"]["movers"] = [dice.choice(["Surge", "Hold", "Evict"])]


def emptying(policy: Json, dice: Random) -> None:
    """Sometimes moves pods for emptier nodes, the dearer ones first."""
    if dice.random() < 0.15:
        first = [["PendingPods", "EmptyNodes", "Disruption"], ["PendingPods", "EmptyNodes", "Headroom", "Disruption"]]
        policy["spec"]["objectives"] = dice.choice([*first, *first, ["PendingPods", "Disruption", "EmptyNodes"]])
        policy["spec"]["emptyNodes"] = {"prices": [{"nodeSelector": {"disk": "ssd"}, "price": 3}, {"price": dice.choice([1, 2])}]}
