"""What a person sees at a terminal. The whole page is in rich.txt; change it there first."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from descheduler.domain.plan import Category, Unplaced
from descheduler.domain.report import Outcome, Report
from descheduler.domain.snapshot import Remark
from descheduler.output import render
from tests.output.reports import a_metadata, a_protected_plan, a_rich_plan, a_rich_report, an_empty_plan, named


def shown(report: Report) -> str:
    return render(report, "text")


def test_the_whole_page() -> None:
    assert shown(a_rich_report(acted=True)) == Path(__file__).with_name("rich.txt").read_text(encoding="utf-8")


def test_colour_changes_no_word() -> None:
    coloured = render(a_rich_report(acted=True), "text", colour=True)

    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == shown(a_rich_report(acted=True))


def test_an_empty_plan_says_that_there_is_nothing_to_do() -> None:
    assert shown(Report(plan=an_empty_plan())) == (
        "plan 7f3a1c2e of 2026-11-23 12:00:04 UTC: nothing to do: no pod is pending for lack of room\n"
    )


def test_pods_that_fit_without_a_move_are_told_as_such() -> None:
    plan = replace(a_rich_plan(), moves=())

    assert "2 of 16 pending pods fit as things are, no move is needed" in shown(Report(plan=plan))


def test_moves_that_place_nobody_gather_room() -> None:
    plan = replace(a_rich_plan(), placements=(), unplaced=(), pending_before=0)

    assert "no pod is pending for lack of room; 3 moves (2 evictions) in 2 waves gather free room" in shown(Report(plan=plan))


def test_up_to_ten_pods_with_one_reason_are_named() -> None:
    left = tuple(Unplaced(pod=named(f"web-{n}"), category=Category.ROOM, reason="full") for n in range(10))

    page = shown(Report(plan=replace(an_empty_plan(), pending_before=10, unplaced=left)))

    assert all(f"      east/shop/web-{n}\n" in page for n in range(10))


def test_more_than_ten_pods_with_one_reason_are_counted() -> None:
    left = tuple(Unplaced(pod=named(f"web-{n}"), category=Category.ROOM, reason="full") for n in range(11))

    page = shown(Report(plan=replace(an_empty_plan(), pending_before=11, unplaced=left)))

    assert "    full  × 11\n" in page
    assert "      and 8 more like them\n" in page
    assert "web-3" not in page


def test_what_has_changed_since_the_plan_is_named_and_the_list_ends_somewhere() -> None:
    drift = tuple(Remark(cluster="east", subject=f"pod ml/late-{i}", message="is gone") for i in range(23))
    page = shown(Report(plan=an_empty_plan(), outcome=Outcome(drift=drift)))

    assert "changed: east/pod ml/late-0: is gone\n" in page
    assert page.count("is gone") == 20
    assert "changed: 3 more\n" in page


def test_protected_pods_are_listed_when_asked_for() -> None:
    page = shown(Report(plan=a_protected_plan()))

    assert "may not move (1)\n  StatefulSet\n    east/shop/db-1\n" in page


def test_a_plan_cut_short_says_that_it_may_not_repeat() -> None:
    plan = replace(an_empty_plan(), metadata=a_metadata(reproducible=False))

    assert "cut short by the time limit" in shown(Report(plan=plan))


def test_a_reason_cannot_break_the_page_or_command_the_terminal() -> None:
    left = Unplaced(pod=named("web-0"), category=Category.ROOM, reason="one\ntwo\x1b[2Jthree")

    page = shown(Report(plan=replace(an_empty_plan(), pending_before=1, unplaced=(left,))))

    assert "    one two [2Jthree\n" in page
