"""Where and how to run: one model per command, filled from flags, then DESCHEDULER_* variables, then a file.

What may be moved is never said here; that is the policy's business. Field docstrings are the help text.
To add a flag: a field with its docstring. To add a command: a model here and its line in ``cli.COMMANDS``.
"""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_settings import BaseSettings, CliPositionalArg, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from descheduler.policy.durations import PositiveDuration

ENV_PREFIX = "DESCHEDULER_"

END_OF_PATH = "\0"
"""Ends each path given by flags or arguments: the one character no path can hold, so none is ever cut in two."""


def _paths(told: object) -> object:
    """Several paths in one environment variable stand as in ``PATH``; a file may give one path or a list."""
    if not isinstance(told, str):
        return told
    return [path for path in told.split(END_OF_PATH if END_OF_PATH in told else os.pathsep) if path]


Paths = Annotated[list[Path], NoDecode, BeforeValidator(_paths)]


def shown(group: str, metavar: str = "") -> dict[str, Any]:
    """Where the help lists a field, and the name its value goes by there."""
    return {"group": group, "metavar": metavar}


class Settings(BaseSettings):
    """What every command understands."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        cli_kebab_case=True,
        cli_implicit_flags=True,
        cli_hide_none_type=True,
        cli_avoid_json=True,
        cli_enforce_required=True,
        env_ignore_empty=True,
        extra="forbid",
        use_attribute_docstrings=True,
        protected_namespaces=(),
    )

    config: Path | None = Field(default=None, json_schema_extra=shown("general", "FILE"))
    """YAML file with settings under the names of the flags, such as `time-limit: 5m`."""

    log_format: Literal["text", "json"] = Field(default="text", json_schema_extra=shown("general"))
    """How messages on stderr look."""

    quiet: bool = Field(default=False, json_schema_extra=shown("general"))
    """No sign of progress, and only messages that warn. Without it a terminal shows the best plan so far and how much is not ruled out."""

    debug: bool = Field(default=False, json_schema_extra=shown("general"))
    """Log more, and show the traceback of an internal error."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags come first by themselves; what ``cli`` read from the file arrives as init values and comes last."""
        return env_settings, init_settings


class _Live(Settings):
    """Where a live fleet is found."""

    fleet: Path | None = Field(default=None, json_schema_extra=shown("fleet", "FILE"))
    """Live fleet: a `Fleet` file that lists clusters with their kubeconfigs. Without it: the current context or, in a pod,
    the cluster it runs in."""

    service_account: Path = Field(default=Path("/var/run/secrets/kubernetes.io/serviceaccount"), json_schema_extra=shown("fleet", "DIR"))
    """Where a pod finds the token and the CA of its own cluster."""


class _Question(_Live):
    """Which fleet, which policy, and how hard to search: what every command that plans understands."""

    snapshot: Path | None = Field(default=None, json_schema_extra=shown("fleet", "DIR"))
    """Recorded fleet: one folder per cluster with the output of `kubectl get … -A -o json|yaml`, as `descheduler snapshot` writes it."""

    policy: Paths = Field(default=[], json_schema_extra=shown("policy", "FILE|DIR"))
    """File or directory that holds the policy; repeatable. Without it: the shipped default, which moves nothing (mode Plan)."""

    effort: float | None = Field(default=None, gt=0, allow_inf_nan=False, json_schema_extra=shown("search", "X"))
    """How much work to spend on a better plan, 1.0 being usual. Without it: what the policy says."""

    time_limit: PositiveDuration | None = Field(default=None, json_schema_extra=shown("search", "DURATION"))
    """Emergency stop, such as 2m; a plan it cut short is marked as not reproducible. Without it: what the policy says."""

    seed: int = Field(default=0, ge=0, lt=2**31, json_schema_extra=shown("search", "N"))
    """Same input and same seed give the same plan, for any number of workers."""

    workers: int | None = Field(default=None, ge=1, le=256, json_schema_extra=shown("search", "N"))
    """Processes to search with. Without it: the processors this process may use, at most 4."""

    executor: str | None = Field(default=None, json_schema_extra=shown("search", "dask://HOST:PORT"))
    """Search the blocks of a large fleet on a dask cluster whose workers have this version of descheduler installed. The plan is the
    same. Needs descheduler[dask]."""


class _Search(_Question):
    """What ``plan`` and ``run`` have in common."""

    output: Path | None = Field(default=None, json_schema_extra=shown("output", "FILE"))
    """Write the plan as plan.json to this file, besides what is printed; with the results of every step if it was carried out."""

    format: Literal["text", "json", "markdown"] = Field(default="text", json_schema_extra=shown("output"))
    """How the plan is printed on stdout."""

    verbose: bool = Field(default=False, json_schema_extra=shown("output"))
    """Also list every running pod that may not be moved, and why."""

    detailed_exitcode: bool = Field(default=False, json_schema_extra=shown("output"))
    """End with 10 instead of 0 when moves are proposed and none was carried out."""


class PlanSettings(_Search):
    """Read a fleet, find the few moves that make room for its pending pods, print them. Never writes to a cluster."""


class _Acting(Settings):
    """How a command that may act makes sure that it is the only one."""

    require_lock: bool = Field(default=False, json_schema_extra=shown("general"))
    """End with 4 when another run holds the Lease of a cluster. Without it: that cluster is left out."""

    lease_duration: PositiveDuration = Field(default=timedelta(minutes=1), json_schema_extra=shown("general", "DURATION"))
    """How long a Lease is good without being renewed, such as 1m; the Lease of a run that died is taken over after as long."""


class RunSettings(_Search, _Acting):
    """Finish or undo what an interrupted run left, plan, and act; for a live fleet only if the policy says `mode: Apply`. With
    --snapshot it acts on a simulated fleet."""


class ApplySettings(_Live, _Acting):
    """Carry out a plan.json, or what still holds of it, and never anything else. The policy must be the one the plan was made
    under; its mode does not matter: to apply a plan is to agree to it."""

    plan: CliPositionalArg[Path]
    """The plan.json that `descheduler plan -o` wrote."""

    policy: Paths = Field(default=[], json_schema_extra=shown("policy", "FILE|DIR"))
    """File or directory that holds the policy the plan was made under; repeatable. Without it: the shipped default."""

    output: Path | None = Field(default=None, json_schema_extra=shown("output", "FILE"))
    """Write the plan with the results of every step to this file, besides what is printed; `descheduler report` reads it."""

    format: Literal["text", "json", "markdown"] = Field(default="text", json_schema_extra=shown("output"))
    """How plan and results are printed on stdout."""


class RecoverSettings(_Live, _Acting):
    """Finish or undo whatever interrupted runs left behind: copies, deletion costs, gates, journals. Every `run` that acts begins
    with this."""


class ExplainSettings(_Question):
    """Tell why a pod waits, node by node in kube-scheduler's words, and what would help; or what keeps a running pod from being
    moved. Never writes to a cluster."""

    pod: CliPositionalArg[str]
    """The pod: name, namespace/name or cluster/namespace/name."""

    format: Literal["text", "json"] = Field(default="text", json_schema_extra=shown("output"))
    """How the explanation is printed on stdout."""


class SnapshotSettings(_Live):
    """Write a live fleet down as a directory that `plan --snapshot` reads: without Secrets, environments, arguments and commands."""

    output: Path = Field(json_schema_extra=shown("output", "DIR"))
    """Directory to make; it must be empty or not there yet."""

    gzip: bool = Field(default=False, json_schema_extra=shown("output"))
    """Write .json.gz instead of .json."""


class ReportSettings(Settings):
    """Render a plan.json again."""

    plan: CliPositionalArg[Path]
    """The plan.json that `descheduler plan -o` wrote."""

    format: Literal["text", "json", "markdown"] = Field(default="text", json_schema_extra=shown("output"))
    """How the plan is printed on stdout."""


class PolicyValidateSettings(Settings):
    """Check policies: one line per mistake with file, line and field. Ends with 2 when there is one."""

    files: CliPositionalArg[Paths]
    """Policy files, or directories of them."""

    format: Literal["text", "json"] = Field(default="text", json_schema_extra=shown("output"))
    """How the findings are printed on stdout."""


class PolicySchemaSettings(Settings):
    """Print the JSON Schema of the policy, for editors and linters."""


MODELS: tuple[type[Settings], ...] = (
    PlanSettings,
    RunSettings,
    ApplySettings,
    RecoverSettings,
    SnapshotSettings,
    ExplainSettings,
    ReportSettings,
    PolicyValidateSettings,
    PolicySchemaSettings,
)
"""Every command's settings: a file may hold those of all of them."""
