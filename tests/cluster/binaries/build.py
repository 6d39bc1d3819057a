"""Builds the programs of a control plane from their pinned Go modules into the cache, once per set of versions.

`python -m tests.cluster.binaries.build` builds what is missing; interrupted, it goes on where it was. With `--if-needed` it
builds nothing where the programs are found elsewhere or Go is missing: the tests then skip and say so themselves.
"""

from __future__ import annotations

import argparse
import fcntl
import os
import subprocess
import sys
from pathlib import Path

from tests.cluster.controlplane.binaries import MODULES, PROGRAMS, BinariesMissing, Program, cache_directory, find_binaries, pinned_versions


def main(arguments: list[str] | None = None) -> int:
    """Build; 0 if every program is there afterwards (or need not be), 2 if this machine cannot build, 1 if the build failed."""
    parser = argparse.ArgumentParser(prog="build", description=__doc__)
    parser.add_argument("--if-needed", action="store_true", help="do nothing where the programs are found elsewhere or Go is missing")
    needed_only: bool = parser.parse_args(arguments).if_needed
    if needed_only and _found_somewhere():
        return 0
    obstacle = _why_go_cannot_build()
    if obstacle is not None:
        if needed_only:
            return 0
        print(f"the control plane cannot be built: {obstacle}", file=sys.stderr)  # noqa: T201 - a script speaks to its user
        return 2
    return _build_all(cache_directory())


def _found_somewhere() -> bool:
    try:
        find_binaries()
    except BinariesMissing:
        return False
    return True


def _why_go_cannot_build() -> str | None:
    """Go refuses a module that asks for a newer Go than it is and cannot fetch: asking for its version is the test."""
    try:
        asked = subprocess.run(
            ["go", "env", "GOVERSION"], cwd=MODULES / "kubernetes", env=_go_environment(), capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return "go not found: install Go 1.26 or newer"
    return None if asked.returncode == 0 else asked.stderr.strip()


def _build_all(target: Path) -> int:
    target.mkdir(parents=True, exist_ok=True)
    with (target / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # a second build at the same time waits, and then finds everything done
        for number, program in enumerate(PROGRAMS, start=1):
            if (target / program.name).exists():
                continue
            version = pinned_versions()[program.module]
            print(f"building {program.name} {version} ({number} of {len(PROGRAMS)}, once)", file=sys.stderr, flush=True)  # noqa: T201
            if not _build(program, version, target):
                return 1
    return 0


def _build(program: Program, version: str, target: Path) -> bool:
    """The program appears under its name only when it is whole."""
    unfinished = target / f".{program.name}.unfinished"
    command = ["go", "build", "-trimpath", "-buildvcs=false", "-mod=readonly", "-ldflags", _linker_flags(program, version)]
    built = subprocess.run([*command, "-o", unfinished, program.package], cwd=MODULES / program.module, env=_go_environment(), check=False)
    if built.returncode == 0:
        unfinished.rename(target / program.name)
    return built.returncode == 0


def _linker_flags(program: Program, version: str) -> str:
    """Without its version stamped in, an API server calls itself v0.0.0-master+$Format, which clients choke on."""
    flags = ["-s", "-w"]
    if program.module == "kubernetes":
        major, minor, _ = version.removeprefix("v").split(".")
        stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
        for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
            flags += [f"-X {package}.{name}={value}" for name, value in stamps.items()]
    if program.module == "kwok":
        flags.append(f"-X sigs.k8s.io/kwok/pkg/consts.Version={version.removeprefix('v')}")
    return " ".join(flags)


def _go_environment() -> dict[str, str]:
    # A workspace file or a vendor setting of the developer's must not decide what is built.
    return {**os.environ, "CGO_ENABLED": "0", "GOWORK": "off", "GO111MODULE": "on"}


if __name__ == "__main__":
    sys.exit(main())
