"""Counts of long tests: printed past pytest's capturing, and kept in a file of their own."""

from __future__ import annotations

import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[2] / ".summaries"


def tell(name: str, summary: str) -> None:
    """Print the summary and write it to ``.summaries/<name>.txt``."""
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{name}.txt").write_text(f"{summary}\n", encoding="utf-8")
    sys.stdout.write(f"\n{summary}\n")
    sys.stdout.flush()
