"""The front door: which command, its settings, its exit code. Commands are imported only when they are called.

Exit codes are those of DESIGN.md section 4, carried by the errors. To add a command: its settings model, its module
in ``commands`` and its line in ``COMMANDS``.
"""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from descheduler import __version__
from descheduler.errors import DeschedulerError, InternalError, UsageError

if TYPE_CHECKING:
    from descheduler.settings import Settings

PROG = "descheduler"
REPORT_IT = "this is a bug of descheduler; please report it with the command line, the version and the output of --debug"

Loaded = tuple[type[Any], Callable[[Any], int]]
"""A command's settings model, and the function that takes such settings and answers the exit code."""


@dataclass(frozen=True, slots=True)
class Command:
    """One line of the table: what it is called, what it does, and how to get hold of it."""

    name: str
    summary: str
    example: str
    load: Callable[[], Loaded]


def _plan() -> Loaded:
    from descheduler.commands import plan
    from descheduler.settings import PlanSettings

    return PlanSettings, plan.execute


def _run() -> Loaded:
    from descheduler.commands import run
    from descheduler.settings import RunSettings

    return RunSettings, run.execute


def _apply() -> Loaded:
    from descheduler.commands import apply
    from descheduler.settings import ApplySettings

    return ApplySettings, apply.execute


def _recover() -> Loaded:
    from descheduler.commands import recover
    from descheduler.settings import RecoverSettings

    return RecoverSettings, recover.execute


def _snapshot() -> Loaded:
    from descheduler.commands import snapshot
    from descheduler.settings import SnapshotSettings

    return SnapshotSettings, snapshot.execute


def _explain() -> Loaded:
    from descheduler.commands import explain
    from descheduler.settings import ExplainSettings

    return ExplainSettings, explain.execute


def _report() -> Loaded:
    from descheduler.commands import report
    from descheduler.settings import ReportSettings

    return ReportSettings, report.execute


def _policy_validate() -> Loaded:
    from descheduler.commands import console, policy
    from descheduler.settings import PolicyValidateSettings

    return PolicyValidateSettings, lambda settings: console.answer(*policy.validate(settings.files, settings.format))


def _policy_schema() -> Loaded:
    from descheduler.commands import console, policy
    from descheduler.settings import PolicySchemaSettings

    return PolicySchemaSettings, lambda settings: console.answer(policy.schema())


COMMANDS = (
    Command(
        "plan",
        "find the moves that make room, print them, change nothing",
        "descheduler plan --snapshot examples/realistic --policy policies/balanced.yaml -o plan.json",
        _plan,
    ),
    Command(
        "run",
        "plan, and act if the policy says so; with --snapshot on a simulated fleet",
        "descheduler run --snapshot examples/realistic --policy policies/balanced.yaml",
        _run,
    ),
    Command(
        "apply",
        "carry out a plan.json on a live fleet, or what still holds of it",
        "descheduler apply plan.json --fleet fleet.yaml --policy policies/balanced.yaml",
        _apply,
    ),
    Command("recover", "finish or undo what an interrupted run left", "descheduler recover --fleet fleet.yaml", _recover),
    Command(
        "snapshot",
        "write a live fleet down, without its secrets",
        "descheduler snapshot --fleet fleet.yaml -o today",
        _snapshot,
    ),
    Command(
        "explain",
        "tell why a pod waits and what would help, or what keeps it in its place",
        "descheduler explain ranker-5d4f8c7b66-w8s4j --snapshot examples/story",
        _explain,
    ),
    Command("report", "render a plan.json again", "descheduler report plan.json --format markdown", _report),
    Command(
        "policy validate",
        "check policy files, one line per mistake",
        "descheduler policy validate policies/",
        _policy_validate,
    ),
    Command(
        "policy schema",
        "print the JSON Schema of the policy",
        "descheduler policy schema > policies/schema.json",
        _policy_schema,
    ),
)


def main(arguments: Sequence[str] | None = None, commands: Sequence[Command] = COMMANDS) -> int:
    """Run one command line and answer its exit code; nothing but help and results goes to stdout."""
    told = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in told or os.environ.get("DESCHEDULER_DEBUG", "").lower() in ("1", "true", "yes", "on")
    try:
        return _dispatch(told, commands)
    except SystemExit as ended:  # argparse, after printing help
        return ended.code if isinstance(ended.code, int) else 0
    except KeyboardInterrupt:
        _complain(told, "interrupted: stopped before the end")
        return 3
    except BrokenPipeError:  # the reader of our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except InternalError as error:
        if debug:
            _show_traceback()
        _complain(told, f"internal error: {error}; nothing was done; {REPORT_IT}")
        return error.exit_code
    except DeschedulerError as error:
        _complain(told, str(error))
        return error.exit_code
    except Exception as error:  # noqa: BLE001  # the last line of defence: a person gets a sentence, not a traceback
        if debug:
            _show_traceback()
        _complain(told, f"internal error: {type(error).__name__}: {' '.join(str(error).split())}; {REPORT_IT}")
        return 1


def _dispatch(told: list[str], commands: Sequence[Command]) -> int:
    if told and told[0] in ("-V", "--version"):
        print(f"{PROG} {__version__}")
        return 0
    if not told or told[0] in ("-h", "--help", "help"):
        print(_overview(commands), file=sys.stdout if told else sys.stderr)
        return 0 if told else 2
    command, rest = _find(told, commands)
    if command is None:
        print(_overview(tuple(known for known in commands if known.name.startswith(f"{told[0]} "))))
        return 0
    from descheduler import commandline

    model, execute = command.load()
    settings: Settings = commandline.read(model, f"{PROG} {command.name}", command.example, rest)
    _start_logging(settings)
    code = execute(settings)
    sys.stdout.flush()
    return code


def _find(told: list[str], commands: Sequence[Command]) -> tuple[Command | None, list[str]]:
    """The command asked for and what follows it; no command when only help on a family of commands is asked for.

    Raises UsageError for anything that is not a command.
    """
    for command in commands:
        words = command.name.split()
        if told[: len(words)] == words:
            return command, told[len(words) :]
    if told[0].startswith("-"):
        raise UsageError(f"flags come after the command: {PROG} COMMAND {told[0]} … (see {PROG} --help)")
    family = [command.name for command in commands if command.name.startswith(f"{told[0]} ")]
    if family and len(told) > 1 and told[1] in ("-h", "--help"):
        return None, []
    if family and len(told) == 1:
        raise UsageError(f"{told[0]}: say which: {', '.join(family)}")
    asked = " ".join(told[:2]) if family else told[0]
    names = [command.name for command in commands]
    close = difflib.get_close_matches(asked, names, n=1)
    raise UsageError(f"unknown command {asked}, " + (f"did you mean {close[0]}?" if close else f"known are {', '.join(names)}"))


def _overview(commands: Sequence[Command]) -> str:
    width = max(len(command.name) for command in commands) + 2
    return "\n".join(
        [
            f"usage: {PROG} COMMAND [options]",
            "",
            "Makes room for pending pods across Kubernetes clusters with few, proven moves.",
            "",
            "commands",
            *(f"  {command.name:{width}}{command.summary}" for command in commands),
            "",
            "example",
            f"  {commands[0].example}",
            "",
            f"{PROG} COMMAND --help   tells about one command",
            f"{PROG} --version        prints the version",
            "",
            "exit codes: 0 done, or nothing to do · 1 our bug · 2 wrong usage or policy, or no cluster readable ·",
            "3 partly done, blocked or interrupted · 4 locked by another run · 5 a cluster could not be read and the policy says Fail ·",
            "10 moves proposed (--detailed-exitcode)",
        ]
    )


def _start_logging(settings: Settings) -> None:
    """Messages go to stderr: plain lines, or one JSON object each."""
    from loguru import logger

    logger.remove()
    level = "DEBUG" if settings.debug else "WARNING" if settings.quiet else "INFO"
    if settings.log_format == "json":
        logger.add(lambda message: print(_as_json(message.record), file=sys.stderr), level=level, format="{message}")
    else:
        logger.add(sys.stderr, level=level, format="<level>{level.name}</level> {message}", diagnose=False)


def _as_json(record: Any) -> str:
    told = {"time": record["time"].isoformat(), "level": record["level"].name.lower(), "message": record["message"]}
    return json.dumps(told | record["extra"], default=str, ensure_ascii=False)


def _complain(told: Sequence[str], message: str) -> None:
    """The one thing a failed command says; settings may not exist yet, so the wish for JSON is looked up by hand."""
    wish = told[told.index("--log-format") + 1 :][:1] if "--log-format" in told else [os.environ.get("DESCHEDULER_LOG_FORMAT", "")]
    if wish == ["json"] or "--log-format=json" in told:
        print(json.dumps({"level": "error", "message": message}, ensure_ascii=False), file=sys.stderr)
    else:
        print(f"{PROG}: {message}" if "\n" not in message else message, file=sys.stderr)


def _show_traceback() -> None:
    import traceback

    traceback.print_exc()
