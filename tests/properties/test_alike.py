"""Pods that diagnosis takes for alike are alike: each of them, asked by itself, has the verdict it was given with the others."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

from descheduler.diagnose.classes import Sorted
from descheduler.domain.objects import Node, Pod
from descheduler.federation.recorded import RecordedFleet
from descheduler.policy.policy import Policy
from descheduler.rules.movers import movers_for
from descheduler.rules.protections import protection
from tests.builders import NOW, a_node, a_pod, a_snapshot
from tests.properties.wild import a_wild_fleet, a_wilder_fleet

OPT_OUT = "fleet.descheduler.io/do-not-disrupt"


def agreed(sorted_: Sorted) -> int:
    """How many bound pods were asked again, each alone, and said the same."""
    bound = [i for i, pod in enumerate(sorted_.pods) if not pod.waiting]
    for i in bound:
        subject, given = sorted_.subject(i), sorted_.protected.get(i)
        reason, movers = protection(subject), sorted_.classes[sorted_.class_of[i]].movers
        if reason is not None:
            assert (given, movers) == (reason, ()), str(sorted_.pods[i].ref)
        else:
            applying, why_not = movers_for(subject)
            assert set(movers) <= set(applying), str(sorted_.pods[i].ref)
            assert applying or given == why_not, str(sorted_.pods[i].ref)
            assert bool(movers) is (given is None), str(sorted_.pods[i].ref)
    return len(bound)


def test_pods_of_random_fleets_have_the_verdicts_they_would_have_alone(tmp_path: Path) -> None:
    asked = 0
    for seed in range(60):
        for wild in (a_wild_fleet(seed), a_wilder_fleet(seed)):
            snapshot = RecordedFleet(wild.write(tmp_path / f"{seed}-{asked}")).snapshot()
            asked += agreed(Sorted(snapshot, Policy.model_validate(wild.policy), lifted=False))
    assert asked > 1000


def siblings(dice: Random) -> list[Pod]:
    """Pods of one ReplicaSet that differ in whatever may differ between siblings; equal values are shared, as when a fleet is read."""
    labels = {"app": "web"}
    first = a_pod("w0", of="web", on="n0", labels=labels)
    shared: dict[str, Any] = {"spec": first.spec, "labels": first.labels, "annotations": first.annotations, "volumes": first.volumes}
    pods = [first]
    for i in range(1, 12):
        age = dice.choice([timedelta(seconds=30), timedelta(hours=1), None])
        changed: dict[str, Any] = {
            "created": None if age is None else NOW - age,
            "phase": dice.choice(["Running", "Running", "Unknown"]),
            "terminating": dice.random() < 0.2,
            "annotations": dice.choice([first.annotations, ((OPT_OUT, "true"),)]),
        }
        sibling = a_pod(f"w{i}", of="web", on=dice.choice(["n0", "n1", "n2", "gone"]), labels=labels)
        pods.append(replace(sibling, **{**shared, **changed}))
    return pods


def test_siblings_that_differ_in_node_age_phase_or_annotations_are_told_apart() -> None:
    nodes: list[Node] = [a_node("n0"), a_node("n1", annotations={OPT_OUT: "true"}), a_node("n2", ready=False)]
    reasons: set[str] = set()
    for seed in range(40):
        sorted_ = Sorted(a_snapshot(*nodes, *siblings(Random(seed))), Policy(), lifted=False)

        assert agreed(sorted_) == 12
        reasons |= set(sorted_.protected.values())
    assert len(reasons) > 6
