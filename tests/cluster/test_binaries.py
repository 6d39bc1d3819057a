"""Where the programs of a control plane are looked for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.controlplane.binaries import PROGRAMS, BinariesMissing, cache_directory, find_binaries, pinned_versions

EVERYTHING = [program.name for program in PROGRAMS]


def place(directory: Path, *names: str) -> str:
    """A directory that has programs of these names."""
    directory.mkdir(parents=True)
    for name in names:
        (directory / name).touch(mode=0o755)
    return str(directory)


def test_the_named_folder_comes_before_every_other(tmp_path: Path) -> None:
    named, assets, path = (place(tmp_path / name, *EVERYTHING) for name in ("named", "assets", "path"))

    found = find_binaries({"DESCHEDULER_TEST_BINARIES": named, "KUBEBUILDER_ASSETS": assets, "PATH": path, "XDG_CACHE_HOME": str(tmp_path)})

    assert found.kwok == tmp_path / "named" / "kwok"
    assert found.kube_apiserver == tmp_path / "named" / "kube-apiserver"


def test_releases_of_kubernetes_are_never_mixed(tmp_path: Path) -> None:
    assets = place(tmp_path / "assets", "etcd", "kube-apiserver", "kubectl")  # what setup-envtest installs
    environment = {"KUBEBUILDER_ASSETS": assets, "XDG_CACHE_HOME": str(tmp_path)}
    place(cache_directory(environment), *EVERYTHING)

    found = find_binaries(environment)

    assert found.etcd == tmp_path / "assets" / "etcd"
    assert found.kube_apiserver.parent == found.kube_scheduler.parent == cache_directory(environment)


def test_what_is_missing_is_named_with_the_way_to_get_it(tmp_path: Path) -> None:
    path = place(tmp_path / "path", "etcd", "kwok", "kubectl", "kube-apiserver", "kube-scheduler")

    with pytest.raises(BinariesMissing, match=r"kube-controller-manager.*make control-plane") as missing:
        find_binaries({"PATH": path, "XDG_CACHE_HOME": str(tmp_path)})

    assert "\n" not in str(missing.value)


def test_each_set_of_pinned_versions_has_its_own_cache(tmp_path: Path) -> None:
    assert pinned_versions() == {"kubernetes": "v1.36.2", "etcd": "v3.6.16", "kwok": "v0.8.0"}

    cache = cache_directory({"XDG_CACHE_HOME": str(tmp_path)})

    assert all(f"{name}-{version}" in cache.name for name, version in pinned_versions().items())
