"""Compiled kernels: the same results, compiled once ever, and nothing about a machine makes them fail (issue 6)."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SOLVER = ("__init__", "compiled", "jit", "kernel_cache", "bake")
PROBE = ("-m", "tests.solver.kernel_probe")
NOBODY = 65534
READ_ONLY = "awk '{print $2}' /proc/self/mounts | sort -u | while read -r at; do mount -o remount,bind,ro \"$at\" 2>/dev/null; done"
"""In a mount namespace of its own, every mount read-only; those of the kernel that refuse are no place for a cache."""
MEMORY = "mount -t tmpfs -o mode=1777 tmpfs /dev/shm"
"""What a container has whatever its root file system is."""
AS_NOBODY = (
    f"exec setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups --no-new-privs"
    " --bounding-set -all,+dac_read_search --inh-caps +dac_read_search --ambient-caps +dac_read_search"
)
"""One right is left, to read: the Python that runs the tests may lie in somebody's home."""


@pytest.fixture(scope="module")
def pristine() -> Iterator[Path]:
    """What runs kernels, installed where any user can read it, with tiny kernels in place of the real ones."""
    with tempfile.TemporaryDirectory() as place:
        there = Path(place) / "pristine"
        Path(place).chmod(0o755)
        (there / "descheduler" / "solver").mkdir(parents=True)
        (there / "tests" / "solver").mkdir(parents=True)
        shutil.copy(ROOT / "descheduler" / "__init__.py", there / "descheduler")
        for name in SOLVER:
            shutil.copy(ROOT / "descheduler" / "solver" / f"{name}.py", there / "descheduler" / "solver")
        for name in ("kernel_probe", "tiny_kernels", "tiny_more", "tiny_numbers"):
            shutil.copy(ROOT / "tests" / "solver" / f"{name}.py", there / "tests" / "solver")
        (there / "descheduler" / "solver" / "kernels").mkdir()
        (there / "descheduler" / "solver" / "kernels" / "__init__.py").write_text("")
        (there / "descheduler" / "solver" / "kernels" / "rounds.py").write_text("from tests.solver import tiny_kernels\n")
        yield there


@pytest.fixture
def installed(pristine: Path) -> Iterator[Path]:
    """The same for one test to change."""
    with tempfile.TemporaryDirectory() as place:
        Path(place).chmod(0o755)
        yield Path(shutil.copytree(pristine, place, dirs_exist_ok=True))


@pytest.fixture(scope="module")
def first_run(pristine: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """A home in which there was nothing before, and what the first run in it told."""
    home = tmp_path_factory.mktemp("home")
    return home, probe(pristine, HOME=str(home))


@pytest.fixture
def home(first_run: tuple[Path, dict[str, Any]], tmp_path: Path) -> Path:
    """A home in which one run was made before."""
    return Path(shutil.copytree(first_run[0], tmp_path / "home"))


def python(there: Path, *arguments: str, wrap: tuple[str, ...] = (), **environ: str) -> subprocess.CompletedProcess[str]:
    """A fresh process with no more of an environment than ``environ``."""
    command = [*wrap, sys.executable, *arguments]
    environment = {"PYTHONDONTWRITEBYTECODE": "1", "PATH": os.environ["PATH"], **environ}
    return subprocess.run(command, cwd=there, env=environment, capture_output=True, text=True, check=False)


def probe(there: Path, *how: str, wrap: tuple[str, ...] = (), **environ: str) -> dict[str, Any]:
    """What ``kernel_probe`` tells; whatever the case, compiled and plain kernels agree."""
    ran = python(there, *PROBE, *how, wrap=wrap, **environ)
    assert ran.returncode == 0, ran.stderr
    told: dict[str, Any] = json.loads(ran.stdout)
    assert told.get("compiled", told["plain"]) == told["plain"]
    assert told["environment kept"]
    return told


def bake(there: Path) -> None:
    ran = python(there, "-m", "descheduler.solver.bake")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith("4 kernels compiled")


def kept(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.kernel"))


def as_nobody(*steps: str) -> tuple[str, ...]:
    """A command that runs another as user 65534, after these steps in its own mount namespace; skips where that is not allowed."""
    wrap = ("unshare", "--mount", "sh", "-c", f'{"; ".join((*steps, AS_NOBODY))} "$@"', "sh")
    try:
        subprocess.run([*wrap, sys.executable, "-c", "import numpy"], env={"PATH": os.environ["PATH"]}, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        pytest.skip(f"needs root, unshare, setpriv, and a Python that user {NOBODY} may run: {error}")
    return wrap


# Where a run may find itself.


def test_baked_kernels_are_not_compiled_again_by_nobody_on_a_read_only_file_system(installed: Path) -> None:
    wrap = as_nobody(READ_ONLY)
    bake(installed)
    assert len(kept(installed)) == 4  # one form each, though one is called with a constant too
    assert {path.stat().st_mode & 0o777 for path in kept(installed)} == {0o644}

    told = probe(installed, wrap=wrap)

    assert (told["user"], told["writable"]) == (NOBODY, [])
    assert (told["machine code"], told["compilations"], told["remarks"]) == (True, 0, [])


def test_without_a_cache_and_any_place_for_one_kernels_are_compiled_each_time(installed: Path) -> None:
    told = probe(installed, wrap=as_nobody(READ_ONLY))

    assert (told["user"], told["writable"]) == (NOBODY, [])
    assert (told["machine code"], told["compilations"]) == (True, 4)
    assert told["remarks"] == ["kernels are compiled anew in every run: no directory to keep them in; DESCHEDULER_CACHE can name one"]


def test_in_a_container_workers_find_in_shared_memory_what_their_parent_compiled(installed: Path) -> None:
    told = probe(installed, "in-a-worker", wrap=as_nobody(READ_ONLY, MEMORY))

    assert (told["user"], told["writable"], told["remarks"]) == (NOBODY, [], [])
    assert (told["machine code"], told["compilations"]) == (True, 0)


def test_nobody_without_a_home_keeps_them_in_the_temporary_directory(installed: Path) -> None:
    wrap = as_nobody()
    (installed / "tmp").mkdir()
    (installed / "tmp").chmod(0o1777)

    counts = [probe(installed, wrap=wrap, TMPDIR=str(installed / "tmp"))["compilations"] for _ in range(2)]

    assert counts == [4, 0]
    assert [path.parent.name for path in kept(installed)] == [f"descheduler-{NOBODY}"] * 4


def test_a_second_run_never_compiles(first_run: tuple[Path, dict[str, Any]], installed: Path, home: Path) -> None:
    first, second = first_run[1], probe(installed, HOME=str(home))

    assert (first["compilations"], second["compilations"]) == (4, 0)
    assert (first["machine code"], second["machine code"], second["remarks"]) == (True, True, [])
    assert len(kept(home / ".cache" / "descheduler")) == 4


def test_code_is_made_for_the_plain_processor(first_run: tuple[Path, dict[str, Any]]) -> None:
    assert first_run[1]["processor"] == ["generic", ""]


def test_workers_load_what_their_parent_compiled(installed: Path, tmp_path: Path) -> None:
    told = probe(installed, "in-a-worker", HOME=str(tmp_path))

    assert (told["machine code"], told["compilations"]) == (True, 0)


def test_nothing_is_imported_or_written_before_the_first_compiled_call(installed: Path, tmp_path: Path) -> None:
    assert not probe(installed, "plain", HOME=str(tmp_path))["numba"]
    assert list(tmp_path.iterdir()) == []


# What may be wrong.


def test_spoilt_files_are_compiled_again_and_replaced(installed: Path, home: Path) -> None:
    emptied, zeroed, cut, garbled = kept(home)
    emptied.write_bytes(b"")
    zeroed.write_bytes(bytes(len(zeroed.read_bytes())))
    cut.write_bytes(cut.read_bytes()[:-100])
    garbled.write_bytes(garbled.read_bytes().replace(b"total", b"totem").replace(b"fill", b"full").replace(b"scaled", b"scared"))

    counts = [probe(installed, HOME=str(home))["compilations"] for _ in range(2)]

    assert counts == [4, 0]


FORGE = """
import sys, descheduler.solver.kernel_cache as c
load, save = c.KernelCache.load, c.KernelCache.save
c.KernelCache.load = lambda self, name, key: load(self, name, key) and save(self, name, key, sys.argv[1].encode())
c.KernelCache.save = lambda *_: None
from tests.solver.kernel_probe import main
main("")
"""


def forge(there: Path, cache: Path, content: str) -> None:
    """Put other content in every file that a run reads, under a checksum that fits: what whoever may write there could do."""
    before = {path: path.read_bytes() for path in kept(cache)}
    ran = python(there, "-c", FORGE, content, DESCHEDULER_CACHE=str(cache))
    assert ran.returncode == 0, ran.stderr
    assert sum(path.read_bytes() != before[path] for path in kept(cache)) >= 2


def test_a_file_that_cannot_be_made_code_again_is_compiled_again(installed: Path, home: Path) -> None:
    forge(installed, home / ".cache" / "descheduler", "no pickle")

    assert probe(installed, HOME=str(home))["compilations"] == 4


@pytest.mark.parametrize("mode", [0o700, 0o777])
def test_planted_code_does_not_run_from_a_directory_others_can_write_to(mode: int, installed: Path, home: Path) -> None:
    """With 0700, where nobody could have planted it, the same file does run: this test would notice."""
    cache, mark = home / ".cache" / "descheduler", home / "mark"
    forge(installed, cache, f"cbuiltins\nopen\n(V{mark}\nVw\ntR.")
    cache.chmod(mode)

    told = probe(installed, DESCHEDULER_CACHE=str(cache), HOME=str(home / "other"))

    assert mark.exists() == (mode == 0o700)
    assert told["remarks"] == ([] if mode == 0o700 else [f"DESCHEDULER_CACHE: {cache} can be written by others"])
    assert told["machine code"]


def test_without_numba_kernels_run_as_they_are(installed: Path, tmp_path: Path) -> None:
    told = probe(installed, "without-numba", HOME=str(tmp_path))

    assert told["machine code"] is False
    (remark,) = told["remarks"]
    assert remark.startswith("kernels run uncompiled, which takes longer: ModuleNotFoundError")


def test_a_kernel_that_cannot_be_compiled_runs_as_it_is_and_cannot_be_baked(installed: Path, tmp_path: Path) -> None:
    source = installed / "tests" / "solver" / "tiny_more.py"
    source.write_text(source.read_text().replace("value * factor", "int(str(value)) * factor * len({}.keys() | {1})"))

    told = probe(installed, HOME=str(tmp_path))
    ran = python(installed, "-m", "descheduler.solver.bake")

    (remark,) = told["remarks"]
    assert remark.startswith("kernels run uncompiled, which takes longer: ")
    assert (ran.returncode, "uncompiled" in ran.stderr) == (1, True)


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("tiny_more", "FACTOR = 5", "FACTOR = 6"),
        ("tiny_more", "value * factor", "value - factor"),
        ("tiny_numbers", "ADDED = 0", "ADDED = 1"),
    ],
)
def test_what_changed_in_another_module_is_seen(
    module: str, old: str, new: str, first_run: tuple[Path, dict[str, Any]], installed: Path, home: Path
) -> None:
    source = installed / "tests" / "solver" / f"{module}.py"
    source.write_text(source.read_text().replace(old, new))

    told = probe(installed, HOME=str(home))

    assert told["compiled"] != first_run[1]["compiled"]
    assert told["compilations"] > 0
