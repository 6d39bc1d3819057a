"""The verdict on policy files: mistakes and notes as findings, rendered for people or machines.

To add a format: its function and its line in ``FORMATS``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path

from descheduler.policy.findings import Finding
from descheduler.policy.loading import read_policies
from descheduler.policy.notes import without_effect
from descheduler.policy.wording import field_path


def validate(paths: Sequence[Path]) -> list[Finding]:
    """Every mistake in the files and directories and, for each policy without one, what has no effect yet.

    Each policy is judged alone, so that a directory of several can be checked at once.
    """
    loaded, mistakes = read_policies(paths)
    remarks = [
        Finding(one.document.file, one.document.line_of(location), field_path(location), message, "note")
        for one in loaded
        for location, message in without_effect(one.policy)
    ]
    return mistakes + remarks


def _number(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def text(findings: Sequence[Finding]) -> str:
    """A line for every finding, and a last one that counts them."""
    errors = sum(f.severity == "error" for f in findings)
    found = ", ".join(_number(n, noun) for n, noun in ((errors, "mistake"), (len(findings) - errors, "note")) if n or noun == "mistake")
    return "\n".join([*map(str, findings), f"{'invalid' if errors else 'valid'}: {found}"]) + "\n"


def as_json(findings: Sequence[Finding]) -> str:
    """``{"valid": …, "findings": [{file, line, field, message, severity}]}``."""
    valid = not any(f.severity == "error" for f in findings)
    return json.dumps({"valid": valid, "findings": [asdict(f) for f in findings]}, indent=2, ensure_ascii=False) + "\n"


FORMATS: dict[str, Callable[[Sequence[Finding]], str]] = {
    "text": text,
    "json": as_json,
}
