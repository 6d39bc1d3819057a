"""``policy validate`` and ``policy schema``: text to print and the exit code; nothing is printed here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from descheduler.errors import UsageError
from descheduler.policy.schema import schema as policy_schema
from descheduler.policy.validation import FORMATS
from descheduler.policy.validation import validate as findings_of


def validate(paths: Sequence[Path], format: str = "text") -> tuple[str, int]:
    """What is to be said about policy files, and the exit code: 0, or 2 when there is a mistake.

    Without paths the shipped default is meant, which is valid. Raises ``UsageError`` for an unknown format.
    """
    render = FORMATS.get(format)
    if render is None:
        raise UsageError(f"--format: must be {' or '.join(FORMATS)}, not {format!r}")
    findings = findings_of(paths)
    return render(findings), 2 if any(f.severity == "error" for f in findings) else 0


def schema() -> str:
    """The JSON Schema of a policy, as ``policies/schema.json`` holds it."""
    return json.dumps(policy_schema(), indent=2, ensure_ascii=False) + "\n"
