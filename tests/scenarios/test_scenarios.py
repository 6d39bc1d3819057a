"""Every folder here is a story: its fleet, its policy if it is not the default one, and the plan as a user reads it.

A story with ``explained.txt`` is explained too. ``pytest --update`` writes both texts anew; the reviewer reads the difference.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from descheduler.clock import SimulatedClock
from descheduler.domain.report import Report
from descheduler.execute import Hands
from descheduler.explain import explain
from descheduler.federation.recorded import RecordedFleet
from descheduler.federation.simulated import SimulatedFleet
from descheduler.output import render
from descheduler.output.explanation import render_explanation
from descheduler.output.json_plan import plan_to_json
from descheduler.pipeline import Options, plan, run
from descheduler.policy import load_policy
from tests.builders import NOW
from tests.judge import judge
from tests.scenarios.story import write_story

HERE = Path(__file__).parent
STORIES = sorted(path.parent.name for path in HERE.glob("*/clusters.yaml"))
OPTIONS = Options(run_id="story", created_at=NOW, verbose=True)


def face(report: Report) -> str:
    """The plan as a user sees it, without the run's id and time, and who may not move if there is anybody."""
    shown = report if report.plan.protected else replace(report, plan=replace(report.plan, protected=None))
    opening, rest = render(shown, "text").split("\n", 1)
    return f"{opening.split(' UTC: ', 1)[1]}\n{rest}"


@pytest.mark.parametrize("story", STORIES)
def test_the_story_ends_as_told(story: str, tmp_path: Path, update: bool) -> None:
    folder = HERE / story
    policy = folder / "policy.yaml"
    snapshot = RecordedFleet(write_story(folder / "clusters.yaml", tmp_path)).snapshot()

    report = plan(snapshot, load_policy([policy] if policy.exists() else []), OPTIONS)

    told = face(report)
    if update:
        (folder / "expected.txt").write_text(told, encoding="utf-8")
    assert told == (folder / "expected.txt").read_text(encoding="utf-8")
    document = yaml.safe_load(policy.read_text(encoding="utf-8")) if policy.exists() else None
    assert judge(tmp_path, plan_to_json(report.plan), document) == []


@pytest.mark.parametrize("story", STORIES)
def test_the_story_comes_true(story: str, tmp_path: Path) -> None:
    folder = HERE / story
    policy = folder / "policy.yaml"
    snapshot = RecordedFleet(write_story(folder / "clusters.yaml", tmp_path)).snapshot()
    clock = SimulatedClock(snapshot.taken_at)
    fleet = SimulatedFleet(snapshot, clock)

    report = run(fleet, Hands(actuator=fleet, store=fleet), load_policy([policy] if policy.exists() else []), OPTIONS, clock)

    results = report.outcome.results if report.outcome else ()
    assert [result for result in results if result.outcome != "Done"] == []
    before, after = (Counter(pod.ref.namespace for pod in s.pods() if pod.node) for s in (snapshot, fleet.snapshot()))
    assert after == before + Counter(placed.pod.namespace for placed in report.plan.placements)


@pytest.mark.parametrize("story", [story for story in STORIES if (HERE / story / "explained.txt").exists()])
def test_the_story_is_explained(story: str, tmp_path: Path, update: bool) -> None:
    """``explained.txt`` holds what ``descheduler explain`` says of every pod, those that wait first."""
    folder = HERE / story
    policy = load_policy([folder / "policy.yaml"] if (folder / "policy.yaml").exists() else [])
    snapshot = RecordedFleet(write_story(folder / "clusters.yaml", tmp_path)).snapshot()
    ordinary = plan(snapshot, policy, OPTIONS).plan
    pods = sorted(snapshot.pods(), key=lambda pod: (pod.node is not None, pod.ref))

    told = "\n".join(render_explanation(explain(snapshot, policy, pod, ordinary if pod.waiting else None), "text") for pod in pods)

    if update:
        (folder / "explained.txt").write_text(told, encoding="utf-8")
    assert told == (folder / "explained.txt").read_text(encoding="utf-8")


def test_every_story_opens_with_its_point() -> None:
    for story in STORIES:
        first = (HERE / story / "clusters.yaml").read_text(encoding="utf-8").splitlines()[0]

        assert first.startswith("# "), story
