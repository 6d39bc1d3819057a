"""One thing found in a policy file: where, in which field, what, and how grave."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A mistake or a note; printed ``file:line: field: message``."""

    file: str
    line: int
    """Counted from 1; 0 when it is about the file as a whole."""
    field: str
    """The YAML path such as ``spec.limits.perRun``; empty when it is about no field."""
    message: str
    severity: Literal["error", "note"] = "error"

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}" if self.line else self.file
        what = f"{self.field}: {self.message}" if self.field else self.message
        return f"{where}: {what}" if self.severity == "error" else f"{where}: {self.severity}: {what}"
