"""plan.json: the contract of DESIGN.md section 4, key by key, and the way back."""

from __future__ import annotations

import json
from dataclasses import replace
from importlib import resources
from typing import Any

import jsonschema
import pytest

from descheduler.domain.plan import Fragmentation, Plan
from descheduler.domain.report import Outcome, Report, StepResult
from descheduler.domain.snapshot import Remark
from descheduler.output.json_plan import (
    NotAPlan,
    plan_from_json,
    plan_to_json,
    render_json,
    render_report_json,
    render_schema,
    report_from_json,
)
from tests.output.reports import a_protected_plan, a_rich_plan, a_rich_report, an_empty_plan

PLANS = (a_rich_plan(), a_protected_plan(), an_empty_plan())


def keys(value: dict[str, Any]) -> str:
    return " ".join(value)


def shipped_schema() -> str:
    return resources.files("descheduler.output").joinpath("plan.schema.json").read_text(encoding="utf-8")


def test_keys_are_those_of_the_contract_in_its_order() -> None:
    told = plan_to_json(a_protected_plan())

    assert keys(told) == "apiVersion kind metadata summary moves placements unplaced protected fragmentation"
    assert keys(told["metadata"]) == "runID createdAt snapshotDigest policyDigest version seed effort reproducible clusters"
    assert keys(told["metadata"]["clusters"][0]) == "name uid"
    assert keys(told["summary"]) == "pendingBefore placed unplaced moves evictions waves objectives byPriority"
    assert keys(told["summary"]["objectives"][0]) == "name value bound status"
    assert keys(told["summary"]["byPriority"][0]) == "priority pendingBefore placed bound"
    assert keys(told["moves"][0]) == "id wave arrivalWave cycleBreak mover pod from to because makesRoomFor"
    assert keys(told["moves"][0]["pod"]) == "cluster namespace name uid workload"
    assert keys(told["moves"][0]["pod"]["workload"]) == "kind name"
    assert keys(told["moves"][0]["from"]) == keys(told["moves"][0]["to"]) == "cluster node"
    assert keys(told["placements"][0]) == "wave mover contested pod to"
    assert keys(told["unplaced"][0]) == "pod category reason"
    assert keys(told["protected"][0]) == "pod reason"
    assert keys(told["fragmentation"]) == "before after"
    assert keys(told["fragmentation"]["before"]["east"]) == "slots largestPod stranded"
    assert keys(told["fragmentation"]["before"]["east"]["largestPod"]) == "cpu memory"


def test_what_is_unknown_is_null_and_what_is_empty_is_an_empty_list() -> None:
    told = plan_to_json(a_rich_plan())

    assert told["placements"][0]["pod"]["workload"] is None
    assert told["moves"][1]["to"]["node"] is None
    assert told["moves"][2]["makesRoomFor"] == []
    assert told["metadata"]["clusters"][1] == {"name": "west", "uid": None}
    assert plan_to_json(an_empty_plan())["moves"] == []


def test_protected_pods_are_left_out_unless_asked_for() -> None:
    assert "protected" not in plan_to_json(a_rich_plan())


def a_carried_out_report() -> Report:
    recovered = (StepResult(subject="east/shop/web-7c8d6b9f55-q9t6h", outcome="Done", message="recovered"),)
    report = a_rich_report(acted=True)
    assert report.outcome is not None
    gone = Remark(cluster="east", subject="pod ml/late-0", message="is gone")
    return Report(plan=report.plan, outcome=replace(report.outcome, drift=(gone,)), recovered=recovered)


def test_results_are_there_when_the_plan_was_carried_out_and_only_then() -> None:
    told = json.loads(render_report_json(a_carried_out_report()))

    assert "results" not in plan_to_json(a_rich_plan())
    assert keys(told).endswith("fragmentation results")
    assert keys(told["results"]) == "pendingAfter steps drift recovered"
    assert told["results"]["steps"][1] == {
        "step": "m2",
        "outcome": "Blocked",
        "node": None,
        "message": "429: the budget allows no disruption",
    }
    assert keys(told["results"]["drift"][0]) == "cluster subject message"
    assert keys(told["results"]["recovered"][0]) == "subject outcome message"
    jsonschema.Draft202012Validator(json.loads(shipped_schema())).validate(told)


def test_results_come_back_as_they_were_written() -> None:
    report = a_carried_out_report()
    assert report.outcome is not None
    unknown = replace(report, outcome=replace(report.outcome, pending_after=None))
    only_recovered = replace(report, outcome=None)

    for told in (report, unknown, only_recovered):
        assert report_from_json(render_report_json(told)) == told
    assert report_from_json(render_report_json(Report(plan=report.plan, outcome=Outcome()))).outcome == Outcome()
    assert plan_from_json(render_report_json(report)) == report.plan


def test_whole_numbers_have_no_point() -> None:
    values = [level["value"] for level in plan_to_json(a_rich_plan())["summary"]["objectives"]]

    assert [str(value) for value in values] == ["2", "3", "2.5"]


def test_counts_follow_from_the_plan() -> None:
    summary = plan_to_json(a_rich_plan())["summary"]

    counts = {name: summary[name] for name in ("pendingBefore", "placed", "unplaced", "moves", "evictions", "waves")}
    assert counts == {"pendingBefore": 16, "placed": 2, "unplaced": 15, "moves": 3, "evictions": 2, "waves": 2}


def test_times_are_utc_to_the_second() -> None:
    assert plan_to_json(a_rich_plan())["metadata"]["createdAt"] == "2026-11-23T12:00:04Z"


def test_the_text_is_indented_and_ends_with_a_newline() -> None:
    text = render_json(a_rich_plan())

    assert text.startswith('{\n  "apiVersion": "fleet.descheduler.io/v1alpha1",\n  "kind": "Plan",\n')
    assert text.endswith("}\n")


def test_a_cluster_without_nodes_has_no_largest_pod() -> None:
    bare = replace(an_empty_plan(), before={"east": Fragmentation(slots={}, largest_pod={}, stranded={})})

    assert plan_to_json(bare)["fragmentation"]["before"]["east"]["largestPod"] == {"cpu": "0", "memory": "0"}


@pytest.mark.parametrize("plan", PLANS)
def test_a_plan_comes_back_as_it_was_written(plan: Plan) -> None:
    assert plan_from_json(render_json(plan)) == plan


@pytest.mark.parametrize("plan", PLANS)
def test_every_plan_fits_the_shipped_schema(plan: Plan) -> None:
    jsonschema.Draft202012Validator(json.loads(shipped_schema())).validate(plan_to_json(plan))


def test_the_shipped_schema_is_current() -> None:
    assert shipped_schema() == render_schema(), "run `make schemas`"


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(json.loads(shipped_schema()))


@pytest.mark.parametrize(
    ("change", "mistake"),
    [
        (lambda plan: plan.pop("moves"), "moves: is missing"),
        (lambda plan: plan.update(extra=1), "extra: unknown key"),
        (lambda plan: plan["moves"][1].update(mover="Teleport"), "moves[1].mover: must be 'Surge', 'Hold', 'Evict' or 'Recreate'"),
        (lambda plan: plan["moves"][0].update(mover="Schedule"), "moves[0].mover: must be 'Surge', 'Hold', 'Evict' or 'Recreate'"),
        (lambda plan: plan["moves"][0].update(wave="1"), "moves[0].wave: must be a valid integer"),
        (lambda plan: plan["moves"][0].update(wave=0), "moves[0].wave: must be greater than or equal to 1"),
        (lambda plan: plan["moves"][0]["from"].update(node=None), "moves[0].from.node: must be a valid string"),
        (lambda plan: plan.update(kind="Pod"), "kind: must be 'Plan'"),
        (lambda plan: plan["summary"].update(moves=7), "summary.moves: says 7, but the plan lists 3"),
    ],
)
def test_a_file_that_is_no_plan_is_refused_with_the_key(change: Any, mistake: str) -> None:
    told = plan_to_json(a_rich_plan())
    change(told)

    with pytest.raises(NotAPlan) as refusal:
        plan_from_json(json.dumps(told))

    assert refusal.value.mistakes == (mistake,)


def test_the_schema_refuses_what_the_reader_refuses() -> None:
    told = plan_to_json(a_rich_plan())
    told["moves"][0]["mover"] = "Schedule"

    with pytest.raises(jsonschema.ValidationError):
        jsonschema.Draft202012Validator(json.loads(shipped_schema())).validate(told)


def test_broken_json_is_refused_with_its_place() -> None:
    with pytest.raises(NotAPlan, match="line 1 column"):
        plan_from_json('{"kind": ')
