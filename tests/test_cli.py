"""The front door: commands, flags, variables, the settings file, messages and exit codes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from descheduler import __version__, commandline
from descheduler.cli import COMMANDS, Command, main
from descheduler.errors import ClusterUnreadable, ExecutionError, InternalError, LockHeld, NothingReadable, PolicyError, UsageError
from descheduler.output.json_plan import render_json
from descheduler.settings import PlanSettings, PolicySchemaSettings, PolicyValidateSettings
from tests.output.reports import a_rich_plan

Capture = pytest.CaptureFixture[str]


def settings(*arguments: str) -> PlanSettings:
    return commandline.read(PlanSettings, "descheduler plan", "descheduler plan", arguments)


def a_command(deed: Callable[[], int]) -> tuple[Command, ...]:
    return (Command("act", "does it", "descheduler act", lambda: (PolicySchemaSettings, lambda settings: deed())),)


def raising(error: BaseException) -> tuple[Command, ...]:
    def deed() -> int:
        raise error

    return a_command(deed)


def complaint(capsys: Capture) -> str:
    """What went to stderr; stdout must have stayed silent."""
    out, err = capsys.readouterr()
    assert out == ""
    assert "Traceback" not in err
    return err


@pytest.fixture
def plan_file(tmp_path: Path) -> Path:
    path = tmp_path / "plan.json"
    path.write_text(render_json(a_rich_plan()), encoding="utf-8")
    return path


# Exit codes.


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (UsageError("no such thing"), 2, "descheduler: no such thing\n"),
        (PolicyError(["a.yaml:1: x: wrong", "a.yaml:2: y: wrong"]), 2, "a.yaml:1: x: wrong\na.yaml:2: y: wrong\n"),
        (NothingReadable("no cluster could be read"), 2, "descheduler: no cluster could be read\n"),
        (ClusterUnreadable("east: refused"), 5, "descheduler: east: refused\n"),
        (LockHeld("held by x"), 4, "descheduler: held by x\n"),
        (ExecutionError("budget", "429"), 3, "descheduler: 429\n"),
        (KeyboardInterrupt(), 3, "descheduler: interrupted: stopped before the end\n"),
    ],
)
def test_an_error_ends_with_its_code_and_its_words(error: BaseException, code: int, message: str, capsys: Capture) -> None:
    assert main(["act"], raising(error)) == code

    assert complaint(capsys) == message


@pytest.mark.parametrize("error", [InternalError("wave 2 breaks NodeResourcesFit"), ZeroDivisionError("division by zero")])
def test_a_bug_of_ours_is_one_line_that_says_how_to_report_it(error: Exception, capsys: Capture) -> None:
    assert main(["act"], raising(error)) == 1

    told = complaint(capsys)
    assert told.startswith("descheduler: internal error: ")
    assert str(error) in told
    assert "please report it" in told
    assert told.count("\n") == 1


@pytest.mark.parametrize("how", ["flag", "variable"])
def test_debug_shows_the_traceback_of_a_bug(how: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    if how == "variable":
        monkeypatch.setenv("DESCHEDULER_DEBUG", "1")

    main(["act", "--debug"] if how == "flag" else ["act"], raising(ZeroDivisionError("division by zero")))

    assert "ZeroDivisionError: division by zero" in capsys.readouterr().err
    assert "Traceback" not in complaint(capsys)


def test_a_command_s_own_code_is_passed_on() -> None:
    assert main(["act"], a_command(lambda: 10)) == 10


# Commands and help.


def test_without_a_command_the_overview_goes_to_stderr(capsys: Capture) -> None:
    assert main([]) == 2

    assert "usage: descheduler COMMAND" in complaint(capsys)


def test_the_overview_names_every_command(capsys: Capture) -> None:
    assert main(["--help"]) == 0

    told = capsys.readouterr().out
    assert all(f"  {command.name} " in told for command in COMMANDS)


def test_the_version_is_told(capsys: Capture) -> None:
    assert main(["--version"]) == 0

    assert capsys.readouterr().out == f"descheduler {__version__}\n"


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_every_command_explains_itself_with_an_example(command: Command, capsys: Capture) -> None:
    assert main([*command.name.split(), "--help"]) == 0

    told = capsys.readouterr().out
    assert told.startswith(f"usage: descheduler {command.name} ")
    assert command.example in told


def test_help_on_plan_lists_every_flag_with_its_meaning() -> None:
    parser, _ = commandline._parser(PlanSettings, "descheduler plan", "descheduler plan")

    told = parser.format_help()

    for name, field in PlanSettings.model_fields.items():
        assert f"--{name.replace('_', '-')}" in told
        assert field.description
    assert "-o FILE, --output FILE" in told


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["paln"], "unknown command paln, did you mean plan?"),
        (
            ["frobnicate"],
            "unknown command frobnicate, known are plan, run, apply, recover, snapshot, explain, report, policy validate, policy schema",
        ),
        (["policy"], "policy: say which: policy validate, policy schema"),
        (["policy", "validat"], "unknown command policy validat, did you mean policy validate?"),
        (["--seed", "1", "plan"], "flags come after the command: descheduler COMMAND --seed … (see descheduler --help)"),
        (["plan", "--polcy", "x"], "unknown flag --polcy, did you mean --policy? (see descheduler plan --help)"),
        (["plan", "--polcy=x"], "unknown flag --polcy, did you mean --policy? (see descheduler plan --help)"),
        (["plan", "--pol", "x"], "unknown flag --pol, did you mean --policy? (see descheduler plan --help)"),
        (["plan", "here"], "unknown argument here (see descheduler plan --help)"),
        (["plan", "--seed"], "--seed: expected one argument (see descheduler plan --help)"),
        (["plan", "--snapshot", ""], "--snapshot: needs a value, got an empty one (see descheduler plan --help)"),
        (["plan", "--policy", "a", "--policy", ""], "--policy: needs a value, got an empty one (see descheduler plan --help)"),
        (["plan", "--seed", "x"], "--seed: must be a whole number, not 'x'"),
        (["plan", "--seed", "-1"], "--seed: must be greater than or equal to 0, not '-1'"),
        (["plan", "--effort", "0"], "--effort: must be greater than 0, not '0'"),
        (["plan", "--effort", "inf"], "--effort: must be a finite number, not 'inf'"),
        (["plan", "--workers", "0"], "--workers: must be greater than or equal to 1, not '0'"),
        (["plan", "--format", "xml"], "--format: must be 'text', 'json' or 'markdown', not 'xml'"),
        (["plan", "--time-limit", "soon"], '--time-limit: must be a duration such as "90s", "10m" or "1h30m", not "soon"'),
        (
            ["plan"],
            "say which fleet: --fleet FILE or --snapshot DIR; there is no kubeconfig with a current context here, and this is not a pod",
        ),
        (["run", "--fleet", "nowhere.yaml"], "nowhere.yaml: No such file or directory"),
        (["plan", "--fleet", "f.yaml", "--snapshot", "d"], "--snapshot and --fleet: say one of them"),
        (["snapshot"], "the following arguments are required: -o/--output (see descheduler snapshot --help)"),
        (["report", "nowhere.json"], "nowhere.json: No such file or directory"),
        (["report"], "the following arguments are required: PLAN (see descheduler report --help)"),
        (["plan", "--config", "nowhere.yaml"], "--config nowhere.yaml: No such file or directory"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(arguments: list[str], message: str, capsys: Capture) -> None:
    assert main(arguments) == 2

    assert complaint(capsys) == f"descheduler: {message}\n"


def test_every_wrong_flag_is_told_at_once(capsys: Capture) -> None:
    assert main(["plan", "--seed", "x", "--workers", "y"]) == 2

    assert complaint(capsys).splitlines() == ["--seed: must be a whole number, not 'x'", "--workers: must be a whole number, not 'y'"]


def test_an_output_that_cannot_be_written_is_refused_before_any_work(tmp_path: Path, capsys: Capture) -> None:
    output = tmp_path / "gone" / "plan.json"

    assert main(["plan", "--snapshot", str(tmp_path), "-o", str(output)]) == 2

    assert complaint(capsys) == f"descheduler: --output {output}: the directory {output.parent} does not exist\n"


def test_complaints_are_json_when_asked_for(capsys: Capture) -> None:
    assert main(["plan", "--log-format", "json"]) == 2

    assert json.loads(complaint(capsys))["message"].startswith("say which fleet")


# Flags, variables, file.


def test_defaults_leave_the_search_to_the_policy() -> None:
    told = settings()

    assert (told.effort, told.time_limit, told.workers, told.policy) == (None, None, None, [])
    assert (told.seed, told.format, told.verbose, told.detailed_exitcode) == (0, "text", False, False)


def test_flags_are_read() -> None:
    line = "--snapshot d --policy a,b.yaml --policy c:d -o p.json --time-limit 1m30s --effort 0.5 --verbose"

    told = settings(*line.split())

    assert told.policy == [Path("a,b.yaml"), Path("c:d")]
    assert (told.snapshot, told.output) == (Path("d"), Path("p.json"))
    assert (told.time_limit, told.effort, told.verbose) == (timedelta(seconds=90), 0.5, True)


def test_arguments_are_paths_as_they_are() -> None:
    told = commandline.read(PolicyValidateSettings, "p", "p", ["a,b", "c:d", "[e]"])

    assert told.files == [Path("a,b"), Path("c:d"), Path("[e]")]


def test_variables_stand_in_for_flags(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCHEDULER_TIME_LIMIT", "2m")
    monkeypatch.setenv("DESCHEDULER_POLICY", os.pathsep.join(["a.yaml", "b.yaml"]))
    monkeypatch.setenv("DESCHEDULER_VERBOSE", "true")

    told = settings()

    assert (told.time_limit, told.policy, told.verbose) == (timedelta(minutes=2), [Path("a.yaml"), Path("b.yaml")], True)


def test_flags_win_over_variables_and_variables_over_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("seed: 1\neffort: 2\nworkers: 3\ntime-limit: 5m\nverbose: true\npolicy: [a.yaml]\n")
    monkeypatch.setenv("DESCHEDULER_CONFIG", str(file))
    monkeypatch.setenv("DESCHEDULER_SEED", "10")
    monkeypatch.setenv("DESCHEDULER_EFFORT", "20")

    told = settings("--seed", "100", "--no-verbose")

    assert (told.seed, told.effort, told.workers, told.time_limit) == (100, 20, 3, timedelta(minutes=5))
    assert (told.verbose, told.policy) == (False, [Path("a.yaml")])


def test_the_file_of_the_flag_wins_over_the_file_of_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.yaml").write_text("seed: 1\n")
    (tmp_path / "b.yaml").write_text("seed: 2\n")
    monkeypatch.setenv("DESCHEDULER_CONFIG", str(tmp_path / "a.yaml"))

    assert settings("--config", str(tmp_path / "b.yaml")).seed == 2


def test_an_empty_variable_is_as_good_as_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCHEDULER_SEED", "")

    assert settings().seed == 0


def test_variables_kubernetes_sets_for_a_service_do_no_harm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCHEDULER_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("DESCHEDULER_PORT", "tcp://10.0.0.1:80")

    assert settings().seed == 0


def test_a_file_may_hold_settings_of_other_commands(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text("seed: 1\n")

    assert commandline.read(PolicySchemaSettings, "p", "p", ["--config", str(file)]).debug is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("seed: -1\n", "{file}: seed: must be greater than or equal to 0, not '-1'"),
        ("time-limit: [2]\n", "{file}: time-limit: must be a duration such as"),
        ("# mine\nsed: 1\n", "{file}:2: unknown setting sed, did you mean seed?"),
        ("- seed\n", "{file}: settings must be a mapping"),
        ("seed: {\n", "{file}:2: not YAML"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_its_place(text: str, message: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(text)

    with pytest.raises(UsageError) as refusal:
        settings("--config", str(file))

    assert str(refusal.value).startswith(message.format(file=file))


def test_a_mistake_in_a_variable_names_the_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESCHEDULER_SEED", "x")

    with pytest.raises(UsageError, match=r"^DESCHEDULER_SEED: must be a whole number, not 'x'$"):
        settings()


# report.


def test_report_renders_a_plan_again(plan_file: Path, capsys: Capture) -> None:
    assert main(["report", str(plan_file)]) == 0

    assert capsys.readouterr().out.startswith("plan 7f3a1c2e of 2026-11-23 12:00:04 UTC: 3 moves")


def test_report_repeats_plan_json_byte_for_byte(plan_file: Path, capsys: Capture) -> None:
    assert main(["report", str(plan_file), "--format", "json"]) == 0

    assert capsys.readouterr().out == plan_file.read_text(encoding="utf-8")


def test_report_refuses_what_is_no_plan(plan_file: Path, capsys: Capture) -> None:
    plan_file.write_text('{"kind": "Plan"}')

    assert main(["report", str(plan_file)]) == 2

    assert f"{plan_file}: moves: is missing\n" in complaint(capsys)


def test_a_reader_that_leaves_early_is_no_error(plan_file: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)

    ended = subprocess.run(
        [sys.executable, "-m", "descheduler", "report", str(plan_file)], stdout=writer, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(writer)

    assert (ended.returncode, ended.stderr) == (0, "")
