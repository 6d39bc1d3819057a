"""Plan and Report as text, JSON and Markdown: pure functions, nothing is read and nothing is printed here.

To add a format: its module, and its line in ``FORMATS`` and in ``settings``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from descheduler.domain.report import Report
from descheduler.output.json_plan import render_report_json
from descheduler.output.markdown import render_markdown
from descheduler.output.text import render_text


def render(report: Report, format: str, *, colour: bool = False) -> str:
    """The report in one of ``FORMATS``, ending in a newline; ``colour`` means ANSI colours, in text only."""
    return FORMATS[format](report, colour)


FORMATS: Mapping[str, Callable[[Report, bool], str]] = {
    "text": lambda report, colour: render_text(report, colour=colour),
    "json": lambda report, colour: render_report_json(report),
    "markdown": lambda report, colour: render_markdown(report),
}
