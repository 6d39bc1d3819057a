"""The command line as a process that can be killed at any instant, started by forking a process that has imported everything."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import descheduler.commands.apply
import descheduler.commands.recover
import descheduler.execute
import descheduler.federation.kube_hands
import descheduler.federation.kube_store
import descheduler.output.text
import descheduler.settings
from descheduler.cli import main

PRELOADED = (descheduler.commands.apply, descheduler.commands.recover, descheduler.execute, descheduler.output.text)
"""Named, so that nobody takes the imports for leftovers."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload([__name__])


def _command(arguments: list[str], output: str) -> None:
    sys.stdout = sys.stderr = open(output, "w", encoding="utf-8")  # noqa: SIM115, PTH123  # as long as the process lives
    code = main(arguments)
    sys.stdout.flush()
    os._exit(code)


@dataclass
class Command:
    """One command line, running or ended."""

    process: BaseProcess
    output: Path

    def kill(self) -> None:
        """SIGKILL, as the kernel or the kubelet would."""
        assert self.process.pid is not None
        os.kill(self.process.pid, signal.SIGKILL)

    def end(self, within: float = 90) -> int:
        """Wait until it has ended; its exit code, negative for a signal."""
        self.process.join(within)
        if self.process.exitcode is None:
            self.kill()
            self.process.join()
            raise AssertionError(f"it did not end: {self.told}")
        return self.process.exitcode

    @property
    def told(self) -> str:
        return self.output.read_text(encoding="utf-8")


def start(folder: Path, *arguments: str) -> Command:
    """Start a command line."""
    output = folder / f"{arguments[0]}.out"
    process = _FORKS.Process(target=_command, args=(list(arguments), str(output)))
    process.start()
    return Command(process, output)
