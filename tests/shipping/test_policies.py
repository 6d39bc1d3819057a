"""The policies we ship are valid, say what they claim, and match their schema."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from descheduler.commands.policy import schema as schema_text
from descheduler.domain.plan import Mover
from descheduler.domain.resources import Resources
from descheduler.policy import Policy, load_policy
from descheduler.policy.amounts import Amount
from descheduler.policy.documents import read_documents
from descheduler.policy.limits import Limits
from descheduler.policy.schema import schema

POLICIES = Path(__file__).parents[2] / "policies"
SHIPPED = sorted(POLICIES.glob("*.yaml"))
IDENTITY = {"apiVersion": "fleet.descheduler.io/v1alpha1", "kind": "DeschedulePolicy"}


def written(path: Path) -> Any:
    """The values in the file."""
    return read_documents(path.read_text(), path.name).documents[0].value


def leaves(value: object, at: str = "") -> dict[str, object]:
    """Every value that a policy document writes, by path."""
    if not isinstance(value, dict) or not value:
        return {at: value}
    return {path: leaf for key, inner in value.items() for path, leaf in leaves(inner, f"{at}.{key}").items()}


def test_default_yaml_is_the_built_in_default_and_writes_every_field() -> None:
    policy = load_policy([POLICIES / "default.yaml"])

    for field in type(policy.spec).model_fields:
        assert getattr(policy.spec, field) == getattr(Policy().spec, field), field
    assert policy == Policy()
    fields = leaves(Policy().model_dump(mode="json", by_alias=True))
    fields = {path.replace(".podSelector.matchLabels", ".podSelector"): None for path in fields if not path.endswith(".matchExpressions")}
    assert leaves(written(POLICIES / "default.yaml")).keys() == fields.keys()


def test_the_default_is_that_of_the_design() -> None:
    spec = Policy().spec

    assert Policy().metadata.name == "default"
    assert (spec.mode, spec.reserve, spec.unreadable_cluster) == ("Plan", "Contested", "Exclude")
    assert (spec.scope.clusters.include, spec.scope.clusters.exclude) == (("*",), ())
    assert (spec.scope.namespaces.include, spec.scope.namespaces.exclude) == (("*",), ("kube-system", "kube-public", "kube-node-lease"))
    assert spec.trigger.pending_for == timedelta(minutes=2)
    assert (spec.trigger.min_priority, spec.trigger.seen_in_runs, spec.trigger.scale_up_grace) == (None, 1, timedelta(minutes=10))
    assert spec.objectives == ("PendingPods", "Disruption", "Headroom")
    assert isinstance(spec.shapes, tuple)
    assert [(s.name, s.weight, s.node_selector, s.tolerations) for s in spec.shapes] == [("large", 1, (), ())]
    assert spec.shapes[0].requests == Resources({"cpu": 16_000, "memory": 64 * 2**30})
    assert spec.movers == (Mover.SURGE, Mover.HOLD, Mover.EVICT)
    assert spec.empty_nodes.prices == ()
    assert spec.floor.slots_per_move == 0.5
    assert (spec.schedule.time_zone, spec.schedule.windows, spec.schedule.blackouts) == ("UTC", (), ())
    assert (spec.cooldown.per_workload, spec.cooldown.backoff_max) == (timedelta(hours=1), timedelta(hours=24))
    assert (spec.second_look.min_gain_share, spec.second_look.plan_max_age) == (0.8, timedelta(minutes=15))
    assert (spec.solver.effort, spec.solver.time_limit) == (1.0, timedelta(minutes=2))
    assert (spec.routes, spec.overrides) == ((), ())


def test_the_default_limits_and_protections_are_those_of_the_design() -> None:
    limits, protections = Policy().spec.limits, Policy().spec.protections

    counts = (limits.per_run, limits.per_cluster, limits.per_namespace, limits.per_node, limits.per_workload)
    assert counts == (Amount(20), Amount(10), Amount(5), Amount(5), Amount(1))
    assert (limits.moves_per_placed_pod, limits.waves, limits.cycle_breaks) == (5, 8, 0)
    assert [(w.window, w.per_fleet, w.per_workload) for w in limits.per_window] == [(timedelta(hours=24), Amount(100), Amount(2))]
    assert protections.min_pod_age == timedelta(minutes=5)
    on = (protections.local_storage, protections.persistent_volumes, protections.bare_pods, protections.jobs, protections.closed_budgets)
    assert on == (True,) * 5
    assert (protections.singletons, protections.stateful_sets, protections.controllers) == (False, False, ())
    mesh = ("istio-envoy", "istio-data", "istio-token", "workload-socket", "credential-socket", "workload-certs")
    assert protections.volumes_allowed == mesh


def test_balanced_is_the_default_that_acts() -> None:
    balanced = load_policy([POLICIES / "balanced.yaml"])

    assert balanced.metadata.name == "balanced"
    assert balanced.spec == Policy().spec.model_copy(update={"mode": "Apply"})


def test_consolidate_puts_headroom_second_with_at_most_half_of_every_limit() -> None:
    spec = load_policy([POLICIES / "consolidate.yaml"]).spec
    half, whole = spec.limits, Limits()

    assert spec.objectives == ("PendingPods", "Headroom", "Disruption")
    assert len(spec.shapes) >= 2
    assert spec.floor.slots_per_move > 0
    assert all(one.price > spec.floor.slots_per_move for one in spec.empty_nodes.prices)  # else EmptyNodes would move nothing
    for name in ("per_run", "per_cluster", "per_namespace", "per_node"):
        assert getattr(half, name).count * 2 <= getattr(whole, name).count, name
    assert half.per_workload == Amount(1)  # half of one would forbid every move
    assert (half.moves_per_placed_pod, half.waves, half.cycle_breaks) == (2, 4, 0)
    assert [(w.per_fleet, w.per_workload) for w in half.per_window] == [(Amount(50), Amount(1))]


@pytest.mark.parametrize("path", SHIPPED, ids=[path.name for path in SHIPPED])
def test_every_shipped_policy_names_its_schema_and_matches_it(path: Path) -> None:
    jsonschema.Draft202012Validator(schema()).validate(written(path))

    assert path.read_text().startswith("# yaml-language-server: $schema=schema.json\n")


def test_the_shipped_schema_is_current() -> None:
    """Renew it with ``descheduler policy schema > policies/schema.json``."""
    jsonschema.Draft202012Validator.check_schema(schema())

    assert (POLICIES / "schema.json").read_text() == schema_text()


def test_every_field_is_described() -> None:
    models = {"Policy": schema(), **schema()["$defs"]}

    for name, model in models.items():
        assert model["description"], name
        for field, described in model["properties"].items():
            assert described.get("description") or "$ref" in described, f"{name}.{field}"


@pytest.mark.parametrize(
    "spec",
    [
        {"mode": "apply"},
        {"limits": {"perRun": -1}},
        {"limits": {"perRun": "101%"}},
        {"limits": {"per_run": 1}},
        {"limits": {"waves": 0}},
        {"trigger": {"pendingFor": "5"}},
        {"trigger": {"pendingFor": 5}},
        {"objectives": ["Headroom", "PendingPods", "Disruption"]},
        {"objectives": ["PendingPods"]},
        {"objectives": ["PendingPods", "Disruption", "Speed"]},
        {"movers": ["Surge", "Surge"]},
        {"movers": ["Schedule"]},
        {"shapes": [{"name": "a"}]},
        {"shapes": "automatic"},
        {"shapes": {"name": "a"}},
        {"emptyNodes": {"prices": [{"price": -1}]}},
        {"emptyNodes": {"prices": [{"nodeSelector": {"a": 1}}]}},
        {"shapes": [{"name": "a", "requests": {"cpu": "16 cores"}}]},
        {"shapes": [{"name": "a", "requests": {"gpu": 1}}]},
        {"protections": {"controllers": ["DaemonSet"]}},
        {"scope": {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Gt"}]}}},
        {"schedule": {"windows": [{"start": "25:00", "end": "26:00"}]}},
        {"overrides": [{"movers": ["Surge"]}]},
        {"limits": None},
    ],
)
def test_the_schema_refuses_what_the_tool_refuses(spec: dict[str, Any]) -> None:
    document = {**IDENTITY, "spec": spec}

    assert not jsonschema.Draft202012Validator(schema()).is_valid(document)
    with pytest.raises(ValueError, match="error"):
        Policy.model_validate(document)


def test_checking_a_policy_loads_neither_solver_nor_client() -> None:
    heavy = ("ortools", "kubernetes", "numpy", "rich", "loguru")
    code = f"import sys, descheduler.commands.policy as p; p.validate([]); print([m for m in {heavy} if m in sys.modules])"

    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert told.stdout == "[]\n"
