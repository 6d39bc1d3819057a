"""What is shipped is what was meant: versions, layers, image, start-up."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from importlib import resources
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
LOCKS = ("requirements.lock", "requirements-dev.lock")


def locked(name: str) -> dict[str, str]:
    """Package name → exact version."""
    pins = re.findall(r"^([A-Za-z0-9._-]+)==([^ ;]+)", (ROOT / name).read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {_normal(package): version for package, version in pins}


def _normal(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def modules_after(*arguments: str) -> set[str]:
    """Top-level modules loaded once a command line has run in a fresh interpreter."""
    script = "import json, sys; from descheduler.cli import main; code = main(sys.argv[1:]); print(json.dumps([code, *sys.modules]))"
    told = subprocess.run([sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True).stdout
    code, *modules = json.loads(told.splitlines()[-1])
    assert code == 0, told
    return {module.partition(".")[0] for module in modules}


# Start-up.


LIGHT = ("--help", "--version", "plan --help", "run --help", "snapshot --help", "policy schema", "policy validate policies")


@pytest.mark.parametrize("line", LIGHT)
def test_starting_up_loads_no_heavy_library(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)

    assert not modules_after(*line.split()) & {"ortools", "kubernetes", "numba", "numpy", "pandas", "rich"}


def test_the_overview_needs_nothing_but_the_standard_library() -> None:
    assert not modules_after("--help") & {"pydantic", "yaml", "loguru"}


def test_a_plan_of_a_small_fleet_compiles_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    line = "plan --snapshot examples/realistic --policy policies/balanced.yaml --quiet"

    assert not modules_after(*line.split()) & {"numba", "llvmlite"}


# Layers.


def test_the_layers_hold() -> None:
    linter = Path(sys.executable).with_name("lint-imports")

    told = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)

    assert told.returncode == 0, told.stdout


def test_the_domain_needs_nothing_but_the_standard_library() -> None:
    for path in sorted((ROOT / "descheduler" / "domain").glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            for name in names:
                assert name.startswith("descheduler.domain") or name.partition(".")[0] in sys.stdlib_module_names, f"{path.name}: {name}"


# Locks.


@pytest.mark.parametrize(("lock", "extra"), [("requirements.lock", False), ("requirements-dev.lock", True)])
def test_every_dependency_is_locked_inside_its_range(lock: str, extra: bool) -> None:
    project = PYPROJECT["project"]
    wanted = [*project["dependencies"], *(project["optional-dependencies"]["dev"] if extra else [])]
    pins = locked(lock)

    for text in wanted:
        requirement = Requirement(text)
        assert requirement.specifier.contains(pins[_normal(requirement.name)]), f"{text}: run `make lock`"


def test_both_locks_name_the_same_versions() -> None:
    assert locked("requirements.lock").items() <= locked("requirements-dev.lock").items()


@pytest.mark.parametrize("lock", LOCKS)
def test_locks_have_hashes_and_name_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text(encoding="utf-8")

    pinned = re.findall(r"^\S+==", text, flags=re.MULTILINE)
    hashed = re.findall(r"^\S+==.*\\\n    --hash=sha256:[0-9a-f]{64}", text, flags=re.MULTILINE)
    assert len(pinned) == len(hashed) > 0
    assert not re.search(r"https?:|--index-url|--find-links|--trusted-host| @ ", text)


def test_the_image_is_not_burdened_with_development_tools() -> None:
    assert not locked("requirements.lock").keys() & {"pytest", "mypy", "ruff", "hypothesis", "import-linter", "uv", "setuptools"}


# Package.


def test_data_files_are_part_of_the_package() -> None:
    package = resources.files("descheduler")

    assert package.joinpath("py.typed").is_file()
    assert package.joinpath("output", "plan.schema.json").is_file()
    assert PYPROJECT["tool"]["setuptools"]["package-data"]["descheduler"] == ["py.typed", "output/plan.schema.json"]


def test_every_room_is_a_package() -> None:
    rooms = {path.parent for path in (ROOT / "descheduler").rglob("*.py")}

    assert [str(room) for room in sorted(rooms) if not (room / "__init__.py").is_file()] == []


# CI and image.


def test_ci_runs_what_developers_run() -> None:
    script = ROOT / ".ci" / "run"

    assert os.access(script, os.X_OK)
    assert script.read_text(encoding="utf-8").rstrip().endswith("make test")


def instructions() -> list[tuple[int, str, str]]:
    """(stage, instruction, argument) of the Dockerfile."""
    text = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    stage, told = 0, []
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, _, argument = line.partition(" ")
        stage += name == "FROM"
        told.append((stage, name, argument.strip()))
    return told


def test_the_image_runs_as_nobody() -> None:
    last = max(stage for stage, _, _ in instructions())
    final = {name: argument for stage, name, argument in instructions() if stage == last}

    assert last == 2
    assert final["USER"] == "65534:65534"
    assert json.loads(final["ENTRYPOINT"]) == ["descheduler"]
    assert "PYTHONDONTWRITEBYTECODE=1" in final["ENV"]
    assert "RUN" not in final


def test_the_image_holds_its_kernels_compiled() -> None:
    """By the Python that will run them, once the package is where it stays."""
    built = "".join(argument for stage, name, argument in instructions() if (stage, name) == (1, "RUN"))

    assert built.index("pip install --no-compile --no-deps .") < built.index("/opt/descheduler/bin/python -m descheduler.solver.bake")
    assert (2, "COPY", "--from=build /opt/descheduler /opt/descheduler") in instructions()


def test_the_image_copies_only_what_exists_and_is_let_through() -> None:
    allowed = {line[1:] for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines() if line.startswith("!")}
    copies = [argument.split() for _, kind, argument in instructions() if kind == "COPY" and "--from" not in argument]
    sources = [name for copy in copies for name in copy[:-1]]

    assert sources
    assert all((ROOT / source).exists() for source in sources)
    assert set(sources) <= allowed
