"""Counts of long tests: printed past pytest's capturing, and kept in a file of their own."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".summaries"


def keep(name: str, summary: str) -> None:
    """Write the summary to ``.summaries/<name>.txt``; after every fleet, so that an interrupted run leaves one too."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.txt").write_text(f"{summary}\n", encoding="utf-8")


def tell(name: str, summary: str) -> None:
    """Print the summary and keep it."""
    keep(name, summary)
    sys.stdout.write(f"\n{summary}\n")
    sys.stdout.flush()
