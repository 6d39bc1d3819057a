"""Which programs a control plane is made of, and where this machine has them.

The versions are written once, in the go.mod files of `tests/cluster/binaries/`. Programs are looked for in
`$DESCHEDULER_TEST_BINARIES`, `$KUBEBUILDER_ASSETS`, `$PATH` and the cache that `make control-plane` fills, in this order. The
three Kubernetes servers are only ever taken from one and the same place: releases are never mixed by accident.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).resolve().parent.parent / "binaries"
"""The folder with one Go module per family of programs."""

HOW_TO_GET_THEM = "run `make control-plane` (needs Go 1.26 or newer), or point DESCHEDULER_TEST_BINARIES at a folder that has them"


@dataclass(frozen=True, slots=True)
class Program:
    """One program of a control plane."""

    name: str
    package: str
    """The Go package it is built from."""
    module: str
    """The module in `tests/cluster/binaries/` that pins it."""


PROGRAMS = (
    Program("kube-scheduler", "k8s.io/kubernetes/cmd/kube-scheduler", "kubernetes"),
    Program("kube-apiserver", "k8s.io/kubernetes/cmd/kube-apiserver", "kubernetes"),
    Program("kube-controller-manager", "k8s.io/kubernetes/cmd/kube-controller-manager", "kubernetes"),
    Program("kubectl", "k8s.io/kubernetes/cmd/kubectl", "kubernetes"),
    Program("etcd", "go.etcd.io/etcd/server/v3", "etcd"),
    Program("kwok", "sigs.k8s.io/kwok/cmd/kwok", "kwok"),
)

TOGETHER = (("kube-apiserver", "kube-controller-manager", "kube-scheduler"), ("kubectl",), ("etcd",), ("kwok",))
"""Programs of one line come from one place."""


class BinariesMissing(Exception):
    """Some program of a control plane is nowhere on this machine; the message says which and how to get them."""


@dataclass(frozen=True, slots=True)
class Binaries:
    """Where each program is."""

    etcd: Path
    kube_apiserver: Path
    kube_controller_manager: Path
    kube_scheduler: Path
    kubectl: Path
    kwok: Path


def pinned_versions() -> dict[str, str]:
    """The version each module of `tests/cluster/binaries/` pins, such as ``{"kubernetes": "v1.36.2", …}``."""
    pinned = {}
    for program in PROGRAMS:
        path = "/".join(program.package.split("/")[:3]) if program.module == "etcd" else "/".join(program.package.split("/")[:2])
        text = (MODULES / program.module / "go.mod").read_text()
        found = re.search(rf"^(?:require|\t)\s*{re.escape(path)}(?:/v\d+)? (v[\d.]+)", text, re.MULTILINE)
        assert found is not None, f"{program.module}/go.mod does not require {path}"
        pinned[program.module] = found[1]
    return pinned


def cache_directory(environment: Mapping[str, str] = os.environ) -> Path:
    """Where `make control-plane` puts the programs: one folder per set of pinned versions and kind of machine."""
    root = Path(environment.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    versions = [f"{name}-{version}" for name, version in sorted(pinned_versions().items())]
    return root / "descheduler" / "control-plane" / "_".join([*versions, f"{platform.system()}-{platform.machine()}".lower()])


def find_binaries(environment: Mapping[str, str] = os.environ) -> Binaries:
    """Every program of a control plane.

    Raises:
        BinariesMissing: if one is nowhere.
    """
    found: dict[str, Path] = {}
    for names in TOGETHER:
        found |= _first_place_with(names, environment)
    missing = [program.name for program in PROGRAMS if program.name not in found]
    if missing:
        raise BinariesMissing(f"no control plane on this machine ({', '.join(missing)} not found): {HOW_TO_GET_THEM}")
    return Binaries(**{name.replace("-", "_"): path for name, path in found.items()})


def _first_place_with(names: tuple[str, ...], environment: Mapping[str, str]) -> dict[str, Path]:
    named = [environment[name] for name in ("DESCHEDULER_TEST_BINARIES", "KUBEBUILDER_ASSETS") if environment.get(name)]
    for place in [*named, environment.get("PATH", ""), str(cache_directory(environment))]:
        paths = {name: shutil.which(name, path=place) for name in names}
        if all(paths.values()):
            return {name: Path(path).resolve() for name, path in paths.items() if path}
    return {}
