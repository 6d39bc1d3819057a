"""What commands have in common when they talk to a person: results, files, and a sign of life."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from descheduler.errors import UsageError

if TYPE_CHECKING:
    from descheduler.portfolio.progress import Progress


def colourful() -> bool:
    """Whether stdout is a terminal that wants colour (https://no-color.org)."""
    return sys.stdout.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def say(text: str) -> None:
    """Print a result on stdout. A reader that went away is no error: what was decided or done stays so."""
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # an arrow a terminal cannot show must not end a run
    try:
        sys.stdout.write(text if text.endswith("\n") else f"{text}\n")
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def answer(text: str, code: int = 0) -> int:
    """Say the text, and pass on the exit code that goes with it."""
    if text:
        say(text)
    return code


def check_writable(path: Path | None) -> None:
    """Raises UsageError when a result could not be written to ``path``: better now than after an hour's work."""
    if path is None:
        return
    if path.is_dir():
        raise UsageError(f"--output {path}: is a directory")
    if not path.parent.is_dir():
        raise UsageError(f"--output {path}: the directory {path.parent} does not exist")
    if not os.access(path.parent, os.W_OK):
        raise UsageError(f"--output {path}: the directory {path.parent} is not writable")


def write(path: Path, text: str) -> None:
    """Write a whole file or nothing: a reader never meets half a plan. Links are followed, pipes and devices written to.

    Raises UsageError when it cannot be written.
    """
    path = path.resolve()
    temporary: Path | None = None
    try:
        if path.exists() and not path.is_file():
            path.write_text(text, encoding="utf-8")
            return
        with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=f".{path.name}.", delete=False) as file:
            temporary = Path(file.name)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(path.stat().st_mode & 0o777 if path.exists() else 0o644)
        temporary.replace(path)
    except OSError as error:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()
        raise UsageError(f"--output {path}: {error.strerror}") from None


@contextmanager
def progress(what: str, quiet: bool) -> Iterator[Callable[[Progress], None] | None]:
    """A moving line on stderr while something takes long, and how to tell it how far a search is.

    ``None`` where nobody would see it: with ``quiet``, or when stderr is no terminal.
    """
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.markup import escape

    with Console(stderr=True).status(f"{what} …") as status:
        yield lambda so_far: status.update(escape(f"{what} … {told(so_far)}"))


def told(so_far: Progress) -> str:
    """The incumbent, the bound, the gap between them, and what is searched right now."""
    parts = [f"{so_far.placed} of {so_far.pending} pending pods placed, {so_far.moves} moves"]
    if so_far.bound is not None:
        parts.append(f"bound {so_far.bound}, gap {so_far.gap}")
    if so_far.level is not None:
        level = so_far.level
        key = f" {level.key}" if isinstance(level.key, int) else ""
        bound = "" if level.bound is None else f", bound {level.bound:g}"
        parts.append(f"searching {level.name}{key}: {level.value:g} found{bound}")
    return "; ".join(parts)
