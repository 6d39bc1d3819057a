"""The digest is over what a policy says, and leaving a line out says the default."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from descheduler.policy import Policy, policy_digest, policy_from_text

SHIPPED: dict[str, Any] = json.loads(Policy().model_dump_json(by_alias=True))
IDENTITY = {"apiVersion": SHIPPED["apiVersion"], "kind": SHIPPED["kind"]}

HEAD = "apiVersion: fleet.descheduler.io/v1alpha1\nkind: DeschedulePolicy\n"


def mappings(value: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """The same mapping with some of its keys, in any order; lists stay whole."""
    parts = {key: mappings(inner) if isinstance(inner, dict) else st.just(inner) for key, inner in value.items()}
    if not parts:
        return st.just({})
    return st.lists(st.sampled_from(sorted(parts)), unique=True).flatmap(
        lambda keys: st.fixed_dictionaries({key: parts[key] for key in keys})
    )


@given(mappings({"metadata": SHIPPED["metadata"], "spec": SHIPPED["spec"]}))
def test_any_part_of_the_default_means_the_whole_default(part: dict[str, Any]) -> None:
    policy = policy_from_text(yaml.safe_dump({**part, **IDENTITY}, sort_keys=False))

    assert policy == Policy()
    assert policy_digest(policy) == policy_digest(Policy())


@given(st.booleans(), st.booleans(), st.integers(min_value=20, max_value=200))
def test_formatting_does_not_change_the_digest(flow: bool, explicit: bool, width: int) -> None:
    text = yaml.safe_dump(SHIPPED, default_flow_style=flow, explicit_start=explicit, width=width)

    assert policy_digest(policy_from_text(f"# a comment\n{text}")) == policy_digest(Policy())


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ("trigger: {pendingFor: 90s}", "trigger: {pendingFor: 1m30s}"),
        ("shapes: [{name: a, requests: {cpu: 16}}]", "shapes:\n  - requests: {cpu: 16000m} # sixteen\n    name: a"),
        ("limits: {perRun: 10%}", "limits: {perRun: '10.00%'}"),
        ("floor: {slotsPerMove: 1}", "floor: {slotsPerMove: 1.0}"),
        ("mode: Plan", "limits: {perRun: 20}"),
    ],
)
def test_how_an_amount_is_spelt_does_not_change_the_digest(one: str, same: str) -> None:
    first, second = policy_from_text(f"{HEAD}spec:\n  {one}\n"), policy_from_text(f"{HEAD}spec:\n  {same}\n")

    assert policy_digest(first) == policy_digest(second)


@pytest.mark.parametrize(
    "spec",
    [
        "mode: Apply",
        "limits: {perRun: 19}",
        "limits: {perRun: null}",
        "movers: [Hold, Surge, Evict]",
        "overrides: [{match: {}, limits: {perNode: 5}}]",
        "overrides: [{match: {}, limits: {perNamespace: 5}}]",
    ],
)
def test_what_a_policy_says_changes_the_digest(spec: str) -> None:
    others = [policy_digest(Policy()), policy_digest(policy_from_text(f"{HEAD}spec:\n  overrides: [{{match: {{}}, movers: []}}]\n"))]

    digest = policy_digest(policy_from_text(f"{HEAD}spec:\n  {spec}\n"))

    assert digest.startswith("sha256:")
    assert digest not in others


def test_two_overrides_that_write_different_defaults_differ() -> None:
    node, space = (
        policy_from_text(f"{HEAD}spec: {{overrides: [{{match: {{}}, limits: {{{f}: 5}}}}]}}") for f in ("perNode", "perNamespace")
    )

    assert policy_digest(node) != policy_digest(space)
