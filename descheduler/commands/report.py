"""``descheduler report``: render a plan.json again, with its results if it was carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from descheduler.commands.console import colourful, say
from descheduler.errors import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from descheduler.domain.report import Report
    from descheduler.settings import ReportSettings


def execute(settings: ReportSettings) -> int:
    """Print the plan in the file; raises UsageError when it cannot be read or is no plan."""
    from descheduler.output import render

    say(render(report_in(settings.plan), settings.format, colour=colourful()))
    return 0


def report_in(path: Path) -> Report:
    """The plan in a file, and its results. Raises UsageError when it cannot be read or is no plan."""
    from descheduler.output.json_plan import NotAPlan, report_from_json

    try:
        return report_from_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UsageError(f"{path}: not UTF-8 text") from None
    except NotAPlan as error:
        raise UsageError("\n".join(f"{path}: {mistake}" for mistake in error.mistakes)) from None
