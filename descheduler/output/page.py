"""A page of styled lines and aligned columns; without colour it is plain text."""

from __future__ import annotations

import io
from collections.abc import Sequence

from rich.console import Console
from rich.text import Text

Cell = str | tuple[str, str]
"""A text, or a text and its style."""
CONTROL = dict.fromkeys((*range(32), *range(127, 160)), " ")
"""Names and reasons come from clusters: none may break a line or command the terminal."""
Row = Sequence[Cell]


class Page:
    """Lines in the order they were added."""

    def __init__(self) -> None:
        self._lines: list[Text] = []

    def line(self, *cells: Cell) -> None:
        """One line of pieces set one after another."""
        line = Text()
        for cell in cells:
            text, style = (cell, "") if isinstance(cell, str) else cell
            line.append(text.translate(CONTROL), style)
        self._lines.append(line)

    def head(self, title: str, *rest: Cell) -> None:
        """The title of a section, with an empty line above it."""
        self.line()
        self.line((title, "bold"), *rest)

    def columns(self, rows: Sequence[Row], *, right: str = "", indent: str = "  ") -> None:
        """Rows whose cells stand below each other; ``right`` names, one ``>`` or ``<`` per column, how each is set."""
        for row in aligned(rows, right=right):
            self.line(indent, *row)

    def text(self, *, colour: bool) -> str:
        """The page, ending in a newline; trailing blanks are cut."""
        for line in self._lines:
            line.rstrip()
        page = Text("\n").join(self._lines)
        if not colour:
            return f"{page.plain}\n"
        paper = io.StringIO()
        console = Console(file=paper, force_terminal=True, color_system="standard", width=10_000, highlight=False, legacy_windows=False)
        console.print(page, soft_wrap=True)
        return paper.getvalue()


def aligned(rows: Sequence[Row], *, right: str = "") -> list[list[Cell]]:
    """The same rows, every cell but the last of a row padded to its column's width plus two blanks."""
    texts = [[cell if isinstance(cell, str) else cell[0] for cell in row] for row in rows]
    widths = [max((len(row[i]) for row in texts if i < len(row)), default=0) for i in range(max(map(len, texts), default=0))]
    return [[_padded(cell, widths[i], right[i : i + 1] == ">", last=i == len(row) - 1) for i, cell in enumerate(row)] for row in rows]


def _padded(cell: Cell, width: int, to_the_right: bool, *, last: bool) -> Cell:
    text, style = (cell, "") if isinstance(cell, str) else cell
    padded = text.rjust(width) if to_the_right else text if last else text.ljust(width)
    return (padded if last else f"{padded}  ", style)
