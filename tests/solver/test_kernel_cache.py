"""Where compiled kernels are kept: only where nobody else can put anything, and only whole files count."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from descheduler.solver import kernel_cache
from descheduler.solver.kernel_cache import KEPT, KernelCache, distrust, open_cache

NAME, KEY, CONTENT = "solver.replay", b"key", b"machine code"


def one(directory: Path) -> KernelCache:
    return KernelCache(readable=(directory,), writable=directory)


def kept(directory: Path) -> Path:
    (path,) = directory.glob("*.kernel")
    return path


def test_what_was_saved_is_loaded_under_its_name_and_key_alone(tmp_path: Path) -> None:
    one(tmp_path).save(NAME, KEY, CONTENT)

    assert one(tmp_path).load(NAME, KEY) == CONTENT
    assert one(tmp_path).load(NAME, b"other") is None
    assert one(tmp_path).load("solver.other", KEY) is None


def cut_off(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def garbled(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[-1] ^= 1
    path.write_bytes(whole)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def opened_to_others(path: Path) -> None:
    path.chmod(0o666)


def under_another_key(path: Path) -> None:
    one(path.parent).save(NAME, b"other", b"other code")
    (other,) = set(path.parent.glob("*.kernel")) - {path}
    other.replace(path)


def behind_a_link(path: Path) -> None:
    path.rename(path.with_suffix(".real"))
    path.symlink_to(path.with_suffix(".real"))


def a_directory_instead(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.mark.parametrize(
    "spoil", [cut_off, garbled, emptied, opened_to_others, under_another_key, behind_a_link, a_directory_instead], ids=lambda f: f.__name__
)
def test_a_file_that_is_not_whole_or_not_ours_is_as_good_as_none(spoil: Callable[[Path], None], tmp_path: Path) -> None:
    one(tmp_path).save(NAME, KEY, CONTENT)
    spoil(kept(tmp_path))

    assert one(tmp_path).load(NAME, KEY) is None


def test_the_first_directory_that_has_it_whole_answers(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        directory.mkdir()
        one(directory).save(NAME, KEY, CONTENT)
    garbled(kept(first))

    assert KernelCache(readable=(first, second)).load(NAME, KEY) == CONTENT


def test_saving_where_nothing_can_be_written_is_no_error(tmp_path: Path) -> None:
    one(tmp_path / "gone").save(NAME, KEY, CONTENT)
    KernelCache(readable=(tmp_path,)).save(NAME, KEY, CONTENT)

    assert list(tmp_path.iterdir()) == []


def test_old_files_of_a_kernel_go_and_others_stay(tmp_path: Path) -> None:
    one(tmp_path).save("solver.other", KEY, CONTENT)
    for number in range(KEPT + 3):
        one(tmp_path).save(NAME, f"{number}".encode(), CONTENT)
        newest = max(tmp_path.glob(f"{NAME}-*"), key=lambda path: path.stat().st_mtime_ns)
        os.utime(newest, ns=(number, number))

    assert len(list(tmp_path.glob(f"{NAME}-*"))) == KEPT
    assert one(tmp_path).load(NAME, f"{KEPT + 2}".encode()) == CONTENT
    assert one(tmp_path).load("solver.other", KEY) == CONTENT


# Whom to trust.


@pytest.mark.parametrize("mode", [0o777, 0o775, 0o757, 0o1777])
def test_a_directory_others_can_write_to_is_not_trusted(mode: int, tmp_path: Path) -> None:
    tmp_path.chmod(mode)

    assert "can be written by others" in distrust(tmp_path)


def test_a_directory_others_can_replace_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "above" / "cache").mkdir(parents=True)
    (tmp_path / "above").chmod(0o777)

    assert distrust(tmp_path / "above" / "cache") == f"{tmp_path / 'above'} can be written by others"


def test_below_a_sticky_directory_as_tmp_is_one_is_fine(tmp_path: Path) -> None:
    (tmp_path / "above" / "cache").mkdir(parents=True)
    (tmp_path / "above").chmod(0o1777)

    assert distrust(tmp_path / "above" / "cache") == ""


def test_it_is_the_place_behind_a_link_that_counts(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "link").symlink_to(tmp_path / "open")

    assert "can be written by others" in distrust(tmp_path / "link")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_somebody_elses_directory_is_not_trusted(tmp_path: Path) -> None:
    os.chown(tmp_path, 4711, 4711)

    assert distrust(tmp_path) == f"{tmp_path} belongs to user 4711"


def test_what_is_missing_or_no_directory_is_not_trusted(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert "No such file" in distrust(tmp_path / "missing")
    assert "no directory" in distrust(tmp_path / "file")


# Which directory.


def chosen(environ: dict[str, Path], tmp_path: Path) -> Path | None:
    return open_cache({name: str(path) for name, path in environ.items()}, baked=tmp_path / "no").writable


def test_directories_are_taken_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environ = {name: tmp_path / name for name in ("DESCHEDULER_CACHE", "XDG_CACHE_HOME", "HOME", "TMPDIR")}

    assert chosen(environ, tmp_path) == tmp_path / "DESCHEDULER_CACHE"
    del environ["DESCHEDULER_CACHE"]
    assert chosen(environ, tmp_path) == tmp_path / "XDG_CACHE_HOME" / "descheduler"
    del environ["XDG_CACHE_HOME"]
    assert chosen(environ, tmp_path) == tmp_path / "HOME" / ".cache" / "descheduler"
    del environ["HOME"]
    assert chosen(environ, tmp_path) == tmp_path / "TMPDIR" / f"descheduler-{os.geteuid()}"
    environ["TMPDIR"] = tmp_path / "file" / "TMPDIR"
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(kernel_cache, "SHARED_MEMORY", tmp_path / "memory")
    assert chosen(environ, tmp_path) == tmp_path / "memory" / f"descheduler-{os.geteuid()}"


def test_a_new_directory_is_closed_to_others_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        found = chosen({"HOME": tmp_path / "home", "TMPDIR": tmp_path / "tmp"}, tmp_path)
    finally:
        os.umask(before)

    assert found == tmp_path / "home" / ".cache" / "descheduler"
    assert distrust(found) == ""
    assert found.stat().st_mode & 0o777 == 0o700


def test_one_that_was_asked_for_and_is_not_used_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)

    cache = open_cache({"DESCHEDULER_CACHE": str(tmp_path / "open"), "HOME": str(tmp_path)}, baked=tmp_path / "no")

    assert cache.remarks == (f"DESCHEDULER_CACHE: {tmp_path / 'open'} can be written by others",)
    assert cache.readable == (tmp_path / ".cache" / "descheduler",)


@pytest.mark.parametrize("asked", ["relative/path", "", "~/cache"])
def test_a_path_that_depends_on_where_we_are_is_not_used(asked: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    cache = open_cache({"DESCHEDULER_CACHE": asked, "HOME": "relative", "TMPDIR": str(tmp_path / "tmp")}, baked=tmp_path / "no")

    assert cache.remarks == ((f"DESCHEDULER_CACHE: must be an absolute path, not {asked!r}",) if asked else ())
    assert [path.name for path in tmp_path.iterdir()] == ["tmp"]


def test_a_baked_directory_is_read_first_and_never_written(tmp_path: Path) -> None:
    (tmp_path / "baked").mkdir()

    cache = open_cache({"DESCHEDULER_CACHE": str(tmp_path / "own")}, baked=tmp_path / "baked")

    assert (cache.readable, cache.writable) == ((tmp_path / "baked", tmp_path / "own"), tmp_path / "own")


def test_a_baked_directory_others_can_write_to_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "baked").mkdir()
    (tmp_path / "baked").chmod(0o777)

    assert open_cache({"DESCHEDULER_CACHE": str(tmp_path / "own")}, baked=tmp_path / "baked").readable == (tmp_path / "own",)
