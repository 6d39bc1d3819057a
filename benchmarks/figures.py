"""Figures of a benchmark: one line for each thing measured, printed at once and kept in a file, so that a run may be made in pieces."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

Line = dict[str, Any]


class Figures:
    """Lines that some of their values, the ``keys``, tell apart. The file holds every line as soon as it is measured."""

    def __init__(self, keys: Sequence[str], path: Path | None = None, resume: bool = False) -> None:
        """``resume``: what the file holds already is kept and not measured again; otherwise the file begins anew."""
        self.keys, self.path = tuple(keys), path
        self.lines: list[Line] = []
        """Measured in this run or kept of an earlier one, in the order in which they were asked for."""
        self._known: dict[tuple[Any, ...], Line] = {}
        if resume and path is not None and path.is_file():
            self._known = {self._key(line): line for line in json.loads(path.read_text())["lines"]}

    def measure(self, key: Mapping[str, Any], measured: Callable[..., Line], *args: Any) -> Line:
        """The line of this key: the one that is known, or else what ``measured(*args)`` says, and the machine's load beside."""
        name = self._key(key)
        line = self._known.get(name)
        if line is None:
            before = load()
            line = self._known[name] = {**key, **measured(*args), "load": [before, load()]}
        self.lines.append(line)
        print(json.dumps(line), flush=True)
        self._write({})
        return line

    def end(self, **more: Any) -> None:
        """The last word: ``more`` is kept beside the lines."""
        self._write(more)

    def _key(self, line: Mapping[str, Any]) -> tuple[Any, ...]:
        return tuple(line.get(key) for key in self.keys)

    def _write(self, more: Mapping[str, Any]) -> None:
        """What an earlier run has measured and this one was not asked for stays in the file."""
        if self.path is None:
            return
        told = {**more, "lines": list(self._known.values())}
        draft = self.path.with_name(f"{self.path.name}.draft")
        draft.write_text(json.dumps(told, indent=2) + "\n")
        draft.replace(self.path)


def load() -> float:
    """Processes that ran or wanted to, on average over the last minute."""
    return round(os.getloadavg()[0], 1)


def markdown(lines: Sequence[Line], columns: Sequence[str]) -> str:
    """A table of these columns; lists are told with spaces, what is unknown with a dash."""
    rows = [columns, ["---"] * len(columns), *([_cell(line.get(column)) for column in columns] for line in lines)]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _cell(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_cell, value)) or "–"
    if isinstance(value, dict):
        return ", ".join(f"{_cell(one)} in {name}" for name, one in value.items()) or "–"
    return "–" if value is None else str(value)
