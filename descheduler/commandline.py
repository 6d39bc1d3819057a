"""One command's settings out of its flags, the environment and the settings file, with errors a person can act on.

pydantic-settings is the source of truth for names, types and precedence; here are only its manners: grouped help,
one line per mistake that names the flag, variable or file it came from, and exit code 2 through ``UsageError``.
"""

from __future__ import annotations

import argparse
import difflib
import os
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn, TypeVar

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import CliApp, CliSettingsSource

from descheduler.errors import UsageError
from descheduler.settings import END_OF_PATH, ENV_PREFIX, MODELS, Settings

GROUPS = ("fleet", "policy", "search", "output", "general")
"""The order in which help lists the flags."""

Model = TypeVar("Model", bound=Settings)

SHORTCUTS = {"output": "o"}

PLAINLY = {
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "bool_parsing": "must be true or false",
    "path_type": "must be a path",
}
"""pydantic's kinds of mistakes that its own words explain too much."""

EPILOG = (
    f"Every flag is also a variable ({ENV_PREFIX}TIME_LIMIT=2m) and a line of the --config file (time-limit: 2m). "
    "Flags win over variables, variables over the file."
)


class Parser(argparse.ArgumentParser):
    """An argument parser that raises ``UsageError`` instead of ending the process, and guesses at misspelt flags."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message.removeprefix('argument ')} (see {self.prog} --help)")

    def read(self, arguments: Sequence[str]) -> argparse.Namespace:
        known, unknown = self.parse_known_args(arguments)
        if unknown:
            flag = unknown[0].partition("=")[0]
            close = difflib.get_close_matches(flag, self._option_string_actions, n=1) if flag.startswith("-") else []
            guess = f", did you mean {close[0]}?" if close else ""
            self.error(f"unknown {'flag' if flag.startswith('-') else 'argument'} {flag}{guess}")
        for name, value in vars(known).items():
            if value == "" or (isinstance(value, list) and "" in value):
                self.error(f"{_flag(name)}: needs a value, got an empty one")
        return known


def read(model: type[Model], prog: str, example: str, arguments: Sequence[str]) -> Model:
    """The settings ``model`` describes.

    Raises UsageError for an unknown flag, a value that does not fit, or a settings file that cannot be read; ends
    through SystemExit(0) after printing help.
    """
    parser, source = _parser(model, prog, example)
    given = parser.read(arguments)
    config = getattr(given, "config", None) or os.environ.get(f"{ENV_PREFIX}CONFIG")
    from_file = _read_file(Path(config)) if config else {}
    mine = {name: value for name, value in from_file.items() if name in model.model_fields}
    flags = {name: _joined(value) for name, value in vars(given).items()}
    try:
        return CliApp.run(model, argparse.Namespace(**flags), cli_settings_source=source, **mine)
    except ValidationError as invalid:
        mistakes = (_mistake(error, given=vars(given), config=config, from_file=mine) for error in invalid.errors())
        raise UsageError("\n".join(dict.fromkeys(mistakes))) from None


def _parser(model: type[Settings], prog: str, example: str) -> tuple[Parser, CliSettingsSource[Any]]:
    description = textwrap.fill(" ".join((model.__doc__ or "").split()), 100) + f"\n\nexample:\n  {example}"
    parser = Parser(
        prog=prog,
        usage=f"{prog}{''.join(f' {name.upper()}' + ('…' if name == 'files' else '') for name in _positional(model))} [options]",
        description=description,
        epilog=textwrap.fill(EPILOG, 100, break_on_hyphens=False) if model.model_fields.keys() - _positional(model) else None,
        formatter_class=lambda prog: argparse.RawDescriptionHelpFormatter(prog, max_help_position=32),
        allow_abbrev=False,
        add_help=False,
    )
    groups = {name: parser.add_argument_group(name) for name in GROUPS}
    groups["general"].add_argument("-h", "--help", action="help", help="Show this and exit.")

    def add(target: argparse.ArgumentParser, *names: str, **details: Any) -> None:
        """Put the flag into its group, with our wording instead of type names."""
        field_name = details.get("dest") or names[0]
        field = model.model_fields[field_name]
        extra = field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}
        if extra.get("metavar"):
            details["metavar"] = extra["metavar"]
        details["help"] = _help(field).replace("%", "%%")
        place = groups[str(extra["group"])] if "group" in extra else target
        place.add_argument(*sorted(names, key=len), **details)

    source: CliSettingsSource[Any] = CliSettingsSource(
        model, root_parser=parser, cli_shortcuts=SHORTCUTS, add_argument_method=add, add_argument_group_method=None
    )
    return parser, source


def _positional(model: type[Settings]) -> list[str]:
    """Fields that belong to no group of flags."""
    return [name for name, field in model.model_fields.items() if field.json_schema_extra is None]


def _help(field: FieldInfo) -> str:
    told = " ".join((field.description or "").split())
    default = field.get_default() if not field.is_required() else None
    return told if default is None or default is False or default == [] else f"{told} (default: {default})"


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _joined(value: Any) -> Any:
    return "".join(f"{path}{END_OF_PATH}" for path in value) if isinstance(value, list) else value


def _mistake(error: Any, *, given: Mapping[str, object], config: str | None, from_file: Mapping[str, object]) -> str:
    """Where the value came from, what is wrong with it, and the value."""
    name = str(error["loc"][0])
    variable = f"{ENV_PREFIX}{name.upper()}"
    if name in given:
        origin = _flag(name)
    elif name in from_file and not os.environ.get(variable):
        origin = f"{config}: {name.replace('_', '-')}"
    else:
        origin = variable
    what = PLAINLY.get(error["type"]) or str(error["msg"]).replace("Input should be", "must be")
    got = "" if ", not " in what else f", not {str(error['input']).replace(END_OF_PATH, ' ').strip()!r}"
    return f"{origin}: {what[0].lower()}{what[1:]}{got}"


def _read_file(path: Path) -> dict[str, Any]:
    """The settings file as field names and values.

    Raises UsageError when it cannot be read, is no mapping, or names something no command knows.
    """
    import yaml  # only when there is a file: starting up stays quick

    try:
        text = path.read_text(encoding="utf-8")
        root = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--config {path}: {getattr(error, 'strerror', None) or 'not UTF-8 text'}") from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"{path}:{mark.line + 1}" if mark else str(path)
        raise UsageError(f"{where}: not YAML: {getattr(error, 'problem', None) or error}") from None
    if root is None:
        return {}
    if not isinstance(root, yaml.MappingNode) or not isinstance(values, dict):
        raise UsageError(f"{path}: settings must be a mapping such as `time-limit: 5m`")
    known = {_flag(name)[2:] for model in MODELS for name in model.model_fields.keys() - _positional(model)} - {"config"}
    for key, _ in root.value:
        if key.value not in known:
            close = difflib.get_close_matches(str(key.value), known, n=1)
            guess = f", did you mean {close[0]}?" if close else f"; known are {', '.join(sorted(known))}"
            raise UsageError(f"{path}:{key.start_mark.line + 1}: unknown setting {key.value}{guess}")
    return {str(name).replace("-", "_"): value for name, value in values.items() if value is not None}
