"""Where compiled kernels are kept between runs: files in directories that nobody else can write to.

What is kept gets unpickled, and executed, by whoever reads it. So a directory counts only when it, and every directory above
it, belongs to us or to root and cannot be written by others (a sticky directory above it, such as ``/tmp``, is fine). Each file
begins with a checksum: one that was cut off or garbled is as good as none.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

VARIABLE = "DESCHEDULER_CACHE"
"""Environment variable that names the directory to use."""
BAKED = Path(__file__).with_name("__pycache__") / "kernels"
"""What ``python -m descheduler.solver.bake`` fills, once, next to the installed package; at run time it is only read."""
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # likewise
"""A container with a read-only root file system can still write here: its workers find what their parent compiled."""
SUFFIX = ".kernel"
KEPT = 8
"""Files of one kernel that stay; the oldest go first, as versions come and go."""
OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelCache:
    """Directories to read compiled kernels from, in this order, and at most one to write them to."""

    readable: tuple[Path, ...] = ()
    writable: Path | None = None
    remarks: tuple[str, ...] = ()
    """Why a directory that was asked for is not used, or that there is none."""

    def load(self, name: str, key: bytes) -> bytes | None:
        """What was kept under ``key``; ``None`` if nothing was, or nothing whole that we may trust."""
        for directory in self.readable:
            with suppress(OSError):
                whole = _read(directory / _file(name, key))
                checksum, content = whole[:32], whole[32:]
                if checksum == _checksum(key, content):
                    return content
        return None

    def save(self, name: str, key: bytes, content: bytes) -> None:
        """Keep ``content`` under ``key``. Where that cannot be, a full disk for example, it is not kept."""
        if self.writable is None:
            return
        with suppress(OSError):
            _write(self.writable / _file(name, key), _checksum(key, content) + content)
            _prune(self.writable, name)


def open_cache(environ: Mapping[str, str], baked: Path = BAKED) -> KernelCache:
    """The baked directory for reading, and the first usable one of those that ``environ`` leads to for both."""
    remarks: list[str] = []
    readable = [] if distrust(baked) else [baked]
    asked = environ.get(VARIABLE, "")
    if asked and not Path(asked).is_absolute():
        remarks.append(f"{VARIABLE}: must be an absolute path, not {asked!r}")
    for directory in _candidates(environ):
        why = _prepare(directory)
        if not why:
            return KernelCache(readable=(*readable, directory), writable=directory, remarks=tuple(remarks))
        if str(directory) == asked:
            remarks.append(f"{VARIABLE}: {why}")
    return KernelCache(readable=tuple(readable), remarks=tuple(remarks))


def distrust(directory: Path) -> str:
    """Why what lies in ``directory`` might be somebody else's work; empty when it cannot be."""
    try:
        real = directory.resolve(strict=True)
        for place in (real, *real.parents):
            found = place.stat()
            if not stat.S_ISDIR(found.st_mode):
                return f"{place} is no directory"
            if found.st_uid not in (0, os.geteuid()):
                return f"{place} belongs to user {found.st_uid}"
            if found.st_mode & OTHERS_WRITE and not (place != real and found.st_mode & stat.S_ISVTX):
                return f"{place} can be written by others"
    except OSError as error:
        return f"{directory}: {error.strerror}"
    return ""


def _candidates(environ: Mapping[str, str]) -> Iterator[Path]:
    """Absolute paths only: a cache does not depend on where a run was started."""
    asked, xdg, home = environ.get(VARIABLE, ""), environ.get("XDG_CACHE_HOME", ""), environ.get("HOME", "")
    ours = f"descheduler-{os.geteuid()}"
    told = (
        Path(asked),
        Path(xdg) / "descheduler",
        Path(home) / ".cache" / "descheduler",
        Path(environ.get("TMPDIR", "/tmp")) / ours,  # noqa: S108  # ours alone, or not used
        SHARED_MEMORY / ours,
    )
    return (path for path in told if path.is_absolute())


def _prepare(directory: Path) -> str:
    """Make the directory, closed to others, if it is not there; why it cannot be written to and trusted, or nothing."""
    try:
        for place in reversed((directory, *directory.parents)):
            if not place.is_dir():
                place.mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        return f"{directory}: {error.strerror}"
    return distrust(directory) or ("" if os.access(directory, os.W_OK | os.X_OK) else f"{directory} cannot be written to")


def _file(name: str, key: bytes) -> str:
    return f"{name}-{hashlib.sha256(key).hexdigest()[:32]}{SUFFIX}"


def _checksum(key: bytes, content: bytes) -> bytes:
    return hashlib.sha256(hashlib.sha256(key).digest() + content).digest()


def _read(path: Path) -> bytes:
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC), "rb") as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, os.geteuid()) or found.st_mode & OTHERS_WRITE:
            return b""
        return file.read()


def _write(path: Path, content: bytes) -> None:
    """All of it or nothing: others may read at the same time. Readable for all, as a baked one must be."""
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            os.fchmod(file.fileno(), 0o644)
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _prune(directory: Path, name: str) -> None:
    kept = sorted(directory.glob(f"{name}-*{SUFFIX}"), key=lambda path: path.stat().st_mtime_ns)
    for path in kept[:-KEPT]:
        path.unlink(missing_ok=True)
