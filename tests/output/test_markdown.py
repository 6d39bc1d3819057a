"""What a reviewer sees below a pull request. The whole comment is in rich.md."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from descheduler.domain.plan import Category, Unplaced
from descheduler.domain.report import Report
from descheduler.output import render
from tests.output.reports import a_rich_report, an_empty_plan, named


def test_the_whole_comment() -> None:
    assert render(a_rich_report(acted=True), "markdown") == Path(__file__).with_name("rich.md").read_text(encoding="utf-8")


def test_names_and_reasons_cannot_become_markup() -> None:
    left = Unplaced(pod=named("web-0"), category=Category.ROOM, reason="<img src=x> | **all** @everyone [x](y)")

    comment = render(Report(plan=replace(an_empty_plan(), pending_before=1, unplaced=(left,))), "markdown")

    assert "&lt;img src=x&gt; \\| \\*\\*all\\*\\* @\u200beveryone \\[x\\](y)" in comment
