"""What ``policy validate`` says and how it ends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from descheduler.commands.policy import validate
from descheduler.errors import UsageError
from descheduler.policy import Policy, notes, policy_from_text
from descheduler.policy.findings import Finding
from descheduler.policy.validation import validate as findings_of

HEAD = "apiVersion: fleet.descheduler.io/v1alpha1\nkind: DeschedulePolicy\n"
LATER = "parsed and checked; takes effect in a later version"


def test_a_field_without_effect_yet_is_noted_when_it_is_set() -> None:
    assert notes(policy_from_text(f"{HEAD}spec:\n  routes: [{{from: east, to: west}}]\n")) == (f"spec.routes: {LATER}",)


def test_the_default_has_no_notes() -> None:
    assert notes(Policy()) == ()


@pytest.mark.parametrize(
    "spec",
    [
        "{mode: Apply, trigger: {scaleUpGrace: 1h}, limits: {perRun: 1}, movers: [Surge]}",
        "{trigger: {seenInRuns: 3}, limits: {perWindow: []}, cooldown: {perWorkload: 2h, backoffMax: 2h}}",
        "{schedule: {timeZone: Asia/Tokyo, blackouts: [{start: 22:00, end: 06:00}]}, secondLook: {minGainShare: 1, planMaxAge: 1h}}",
        "{overrides: [{match: {}, trigger: {seenInRuns: 2}}]}",
    ],
)
def test_fields_that_have_an_effect_are_not_noted(spec: str) -> None:
    assert notes(policy_from_text(f"{HEAD}spec: {spec}\n")) == ()


def test_mistakes_and_notes_come_with_their_places(tmp_path: Path) -> None:
    good, bad = tmp_path / "a-good.yaml", tmp_path / "bad.yaml"
    good.write_text(f"{HEAD}spec:\n  mode: Plan\n  routes:\n  - {{from: east, to: west}}\n")
    bad.write_text(f"{HEAD}spec:\n  mode: Go\n")

    assert findings_of([tmp_path]) == [
        Finding(str(bad), 4, "spec.mode", 'must be Plan or Apply, not "Go"'),
        Finding(str(good), 5, "spec.routes", LATER, "note"),
    ]


def test_text_ends_with_a_verdict_and_the_exit_code_follows_it(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f"{HEAD}spec:\n  routes: [{{from: a, to: b}}]\n")

    assert validate([file]) == (f"{file}:4: note: spec.routes: {LATER}\nvalid: 0 mistakes, 1 note\n", 0)

    file.write_text(f"{HEAD}spec:\n  mode: Go\n")

    assert validate([file]) == (f'{file}:4: spec.mode: must be Plan or Apply, not "Go"\ninvalid: 1 mistake\n', 2)


def test_several_policies_in_a_directory_are_judged_one_by_one(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(HEAD)
    (tmp_path / "b.yaml").write_text(HEAD)

    assert validate([tmp_path]) == ("valid: 0 mistakes\n", 0)


def test_json_holds_the_same_findings(tmp_path: Path) -> None:
    file = tmp_path / "policy.yaml"
    file.write_text(f"{HEAD}spec:\n  mode: Go\n")

    text, code = validate([file], "json")

    finding = {"file": str(file), "line": 4, "field": "spec.mode", "message": 'must be Plan or Apply, not "Go"', "severity": "error"}
    assert (json.loads(text), code) == ({"valid": False, "findings": [finding]}, 2)


def test_an_unknown_format_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="--format: must be text or json, not 'xml'"):
        validate([], "xml")
