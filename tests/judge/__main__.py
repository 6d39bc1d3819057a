"""``python -m tests.judge SNAPSHOT PLAN [POLICY]``: prints every violation; ends with 1 if there is one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import yaml

from tests.judge.judging import judge


def main(arguments: list[str]) -> int:
    """Judge one plan; answers the exit code."""
    if len(arguments) not in (2, 3):
        sys.stdout.write(f"{__doc__}\n")
        return 2
    policy = yaml.safe_load(Path(arguments[2]).read_text(encoding="utf-8")) if len(arguments) == 3 else None
    found = judge(Path(arguments[0]), json.loads(Path(arguments[1]).read_text(encoding="utf-8")), policy)
    sys.stdout.writelines(f"{sentence}\n" for sentence in [*found, f"{len(found)} violations" if found else "lawful"])
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
