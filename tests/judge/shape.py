"""The shape of plan.json: every listed key, of the right type, empty as [] and unknown as null."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

NUMBER, TEXT, COUNT, FLAG = (int, float), (str,), (int,), (bool,)
NULL = type(None)
POD: dict[str, Any] = {"cluster": TEXT, "namespace": TEXT, "name": TEXT, "uid": TEXT, "workload": ({"kind": TEXT, "name": TEXT}, None)}
SPOT: dict[str, Any] = {"cluster": TEXT, "node": (str, NULL)}
FRAGMENTS = "fragments"
PLAN: dict[str, Any] = {
    "apiVersion": TEXT,
    "kind": TEXT,
    "metadata": {
        "runID": TEXT,
        "createdAt": TEXT,
        "snapshotDigest": TEXT,
        "policyDigest": TEXT,
        "version": TEXT,
        "seed": COUNT,
        "effort": NUMBER,
        "reproducible": FLAG,
        "clusters": [{"name": TEXT, "uid": (str, NULL)}],
    },
    "summary": {
        "pendingBefore": COUNT,
        "placed": COUNT,
        "unplaced": COUNT,
        "moves": COUNT,
        "evictions": COUNT,
        "waves": COUNT,
        "objectives": [{"name": TEXT, "value": (*NUMBER, NULL), "bound": (*NUMBER, NULL), "status": TEXT}],
        "byPriority": [{"priority": COUNT, "pendingBefore": COUNT, "placed": COUNT, "bound": (int, NULL)}],
    },
    "moves": [
        {
            "id": TEXT,
            "wave": COUNT,
            "arrivalWave": COUNT,
            "cycleBreak": FLAG,
            "mover": TEXT,
            "pod": POD,
            "from": SPOT,
            "to": SPOT,
            "because": TEXT,
            "makesRoomFor": [TEXT],
        }
    ],
    "placements": [{"wave": COUNT, "mover": TEXT, "contested": FLAG, "pod": POD, "to": SPOT}],
    "unplaced": [{"pod": POD, "category": TEXT, "reason": TEXT}],
    "fragmentation": {"before": FRAGMENTS, "after": FRAGMENTS},
}
PROTECTED = [{"pod": POD, "reason": TEXT}]
CLUSTER_FRAGMENTS: dict[str, Any] = {"slots": {}, "largestPod": {"cpu": TEXT, "memory": TEXT}, "stranded": {}}
WORDS = {
    ("moves", "mover"): {"Surge", "Hold", "Evict", "Recreate"},
    ("placements", "mover"): {"Schedule", "Surge", "Hold", "Evict", "Recreate"},
    ("unplaced", "category"): {"Limits", "Never", "NotOurs", "Room"},
}
STATUSES = {"Optimal", "Feasible", "NoBound", "Skipped"}


def shape_violations(plan: Any) -> Iterator[str]:
    """What is missing, surplus or of the wrong type."""
    if not isinstance(plan, dict):
        yield "plan.json is no object"
        return
    expected = PLAN | ({"protected": PROTECTED} if "protected" in plan else {})
    yield from _compare(plan, expected, "plan")


def word_violations(plan: dict[str, Any]) -> Iterator[str]:
    """Values outside the listed words, once the shape is right."""
    if (plan["apiVersion"], plan["kind"]) != ("fleet.descheduler.io/v1alpha1", "Plan"):
        yield f"plan: is {plan['apiVersion']} {plan['kind']}"
    for (part, key), words in WORDS.items():
        for item in plan[part]:
            if item[key] not in words:
                yield f"plan.{part}: {key} {item[key]} is none of {sorted(words)}"
    for level in plan["summary"]["objectives"]:
        if level["status"] not in STATUSES:
            yield f"plan.summary.objectives: status {level['status']} is none of {sorted(STATUSES)}"
    ids = [move["id"] for move in plan["moves"]]
    yield from (f"plan.moves: id {each} is used twice" for each in sorted({each for each in ids if ids.count(each) > 1}))
    yield from (f"plan.moves: {move['id']} has an empty because" for move in plan["moves"] if not move["because"])
    yield from (f"plan.unplaced: {each['pod']['name']} has an empty reason" for each in plan["unplaced"] if not each["reason"])


def _compare(value: Any, expected: Any, path: str) -> Iterator[str]:
    if expected == FRAGMENTS:
        yield from _fragments(value, path)
    elif isinstance(expected, dict):
        yield from _compare_object(value, expected, path)
    elif isinstance(expected, list):
        if not isinstance(value, list):
            yield f"{path}: {value!r} is no list"
            return
        for i, item in enumerate(value):
            yield from _compare(item, expected[0], f"{path}[{i}]")
    elif isinstance(expected[0], dict):
        if value is not None:
            yield from _compare(value, expected[0], path)
    elif not isinstance(value, expected) or (isinstance(value, bool) and bool not in expected):
        yield f"{path}: {value!r} is no {' or '.join(kind.__name__ for kind in expected)}"


def _compare_object(value: Any, expected: dict[str, Any], path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no object"
        return
    for key in expected.keys() - value.keys():
        yield f"{path}.{key} is missing"
    if expected:
        yield from (f"{path}.{key} is not in the contract" for key in sorted(value.keys() - expected.keys()))
    for key, inner in expected.items():
        if key in value:
            yield from _compare(value[key], inner, f"{path}.{key}")


def _fragments(value: Any, path: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{path}: {value!r} is no object"
        return
    for cluster, inner in value.items():
        yield from _compare(inner, CLUSTER_FRAGMENTS, f"{path}.{cluster}")
