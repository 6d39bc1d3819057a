"""Starting programs that never outlive the tests, and finding those of a run that crashed.

Three nets hold them: the one that started them kills them; the kernel kills them when that one dies (Linux); the next run kills
what a dead run recorded, but only processes whose command line names that run's own directory, so a reused pid is safe.
"""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import IO

from descheduler.clock import SystemClock

RECORD = "processes"
"""The file of a run's directory with one process id a line."""

LOCK = "lock"
"""The file of a run's directory that whoever started the run keeps locked; the kernel unlocks it when that one dies."""

_PR_SET_PDEATHSIG = 1
_C_LIBRARY = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class NotReady(Exception):
    """A program stopped or did not become ready in time; the message ends with the last lines it wrote."""


class Process:
    """One program of a control plane, which can be killed, hung and started again at the same address."""

    def __init__(
        self, name: str, command: Sequence[str | Path], run: Path, log: Path, ready: Callable[[], bool], *, outlives_us: bool
    ) -> None:
        """Nothing is started yet. ``command`` must name ``run``, or no later run would recognise the process."""
        assert any(str(run) in str(word) for word in command), f"{name} would not be recognised as one of {run}"
        self.name = name
        self._command = [str(word) for word in command]
        self._run = run
        self._log = log
        self._ready = ready
        self._outlives_us = outlives_us
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id; ``None`` while it does not run."""
        return self._child.pid if self._child is not None and self._child.poll() is None else None

    def start(self) -> None:
        """Start it, without waiting; nothing happens if it runs already."""
        if self.pid is not None:
            return
        # The kernel's "when the parent dies" means the thread that forked.
        assert self._outlives_us or threading.current_thread() is threading.main_thread(), "start processes from the main thread"
        with self._log.open("ab") as log, (self._run / RECORD).open("a") as record:
            self._child = subprocess.Popen(
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C is for the tests, which then stop everything in order
                env={**os.environ, "KWOK_WORKDIR": str(self._run)},
                preexec_fn=None if self._outlives_us else _die_with(os.getpid()),  # noqa: PLW1509 - no other thread holds a lock here
            )
            record.write(f"{self._child.pid}\n")

    def wait_until_ready(self, within: timedelta = timedelta(seconds=90)) -> None:
        """Return when it answers.

        Raises:
            NotReady: if it stops or is still not ready ``within`` this time.
        """
        clock = SystemClock()
        deadline = clock.monotonic() + within.total_seconds()
        while not self._ready():
            stopped = self.pid is None
            if stopped or clock.monotonic() > deadline:
                state = "stopped" if stopped else f"not ready after {within.total_seconds():.0f} s"
                raise NotReady(f"{self.name}: {state}\n{self.last_words()}")
            clock.sleep(timedelta(milliseconds=50))

    def kill(self) -> None:
        """End it at once, as a crash would. (Asked politely, an API server that has lost its etcd never goes.)"""
        if self._child is not None:
            self._child.kill()
            self._child.wait()

    def restart(self) -> None:
        """Kill it, start it again at the same address and wait until it is ready."""
        self.kill()
        self.start()
        self.wait_until_ready()

    @contextlib.contextmanager
    def hanging(self) -> Iterator[None]:
        """Let it hang for a while: connections are accepted and never answered."""
        assert self.pid is not None, f"{self.name} does not run"
        os.kill(self.pid, signal.SIGSTOP)
        os.waitpid(self.pid, os.WUNTRACED)  # until all its threads have stopped: one of them could still answer
        try:
            yield
        finally:
            if self.pid is not None:
                os.kill(self.pid, signal.SIGCONT)

    def last_words(self, lines: int = 20) -> str:
        """The end of its log."""
        return "\n".join(self._log.read_text(errors="replace").splitlines()[-lines:]) if self._log.exists() else ""


def _die_with(parent: int) -> Callable[[], None] | None:
    if _C_LIBRARY is None:
        return None
    library = _C_LIBRARY

    def ask_the_kernel() -> None:
        library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the kernel was asked
            os._exit(1)

    return ask_the_kernel


def free_port() -> int:
    """A port nobody listens on, below the range from which the kernel serves outgoing connections."""
    while True:
        port = 20000 + secrets.randbelow(10000)
        with contextlib.closing(socket.socket()) as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def hold(run: Path) -> IO[str]:
    """Mark ``run`` as alive for as long as the returned file is open and this process lives."""
    lock = (run / LOCK).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    return lock


def sweep(root: Path) -> None:
    """End what the dead runs in ``root`` left and remove their directories; runs that somebody still holds are left alone."""
    for lock in sorted(root.glob(f"*/{LOCK}")):
        with lock.open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            end_recorded(lock.parent)
            shutil.rmtree(lock.parent, ignore_errors=True)


def end_recorded(run: Path) -> None:
    """Kill every process recorded in ``run`` that is still one of it."""
    for pid in still_running(run):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def still_running(run: Path) -> list[int]:
    """The recorded processes of ``run`` that live."""
    record = run / RECORD
    pids = {int(line) for line in record.read_text().split()} if record.exists() else set()
    return sorted(pids.intersection(processes_naming(run)))


def processes_naming(run: Path) -> list[int]:
    """Every process of this machine, dead ones that only wait to be collected aside, whose command line names ``run``."""
    if not Path("/proc/self/cmdline").exists():
        listed = subprocess.run(["ps", "-Aww", "-o", "pid=,command="], capture_output=True, text=True, check=True).stdout
        return [int(line.split()[0]) for line in listed.splitlines() if str(run) in line]
    found = []
    for command_line in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it ended while we looked
            if os.fsencode(run) in command_line.read_bytes():
                found.append(int(command_line.parent.name))
    return found
