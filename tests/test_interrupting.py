"""A search that is asked to end: a real process on a real terminal, real signals, and the best plan so far."""

from __future__ import annotations

import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from random import Random

import pytest

from tests.judge import judge
from tests.scenarios.story import write_story

PATIENCE = 120
"""Seconds until a process that says or does nothing is given up."""
ENDLESS = ("--effort", "10000", "--time-limit", "1h")
"""More work than anybody would wait for."""
FOUND = re.compile(r"searching PendingPods \d+: ([1-9]\d*) found")
"""A progress line that tells of a placement that is worth something."""


@pytest.fixture(scope="module")
def hard(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fleet in which some pods can be placed at once, and nobody proves within minutes how many could be."""
    dice, folder = Random(7), tmp_path_factory.mktemp("hard")

    def size(most: int) -> str:
        return f"cpu: {dice.randrange(900, most)}m, memory: {dice.randrange(900, most)}Mi"

    lines = ["east:", "  nodes:", *(f"    n{n}: {{cpu: 16, memory: 16000Mi}}" for n in range(16)), "  pods:"]
    lines += [f"    shop/r{n}-{i}: {{on: n{n}, {size(5000)}}}" for n in range(16) for i in range(3)]
    lines += [f"    ml/w{i}: {{pending: 30m, {size(9000)}}}" for i in range(50)]
    (folder / "clusters.yaml").write_text("\n".join(lines), encoding="utf-8")
    return write_story(folder / "clusters.yaml", folder / "fleet")


class Terminal:
    """A command line whose stderr is a terminal."""

    def __init__(self, *arguments: str) -> None:
        self._here, there = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "300"}
        command = [sys.executable, "-m", "descheduler", *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=there, env=environment, text=True)
        os.close(there)
        self.said = ""

    def wait_for(self, line: re.Pattern[str]) -> str:
        """Read until a line is told; what its first group is."""
        while (found := line.search(self.said)) is None:
            assert self._read(), f"it never came: {self.said}"
        return found[1] if found.groups() else found[0]

    def _read(self) -> bool:
        ready, _, _ = select.select([self._here], [], [], PATIENCE)
        try:
            told = os.read(self._here, 65536) if ready else b""
        except OSError:  # the other side of the terminal is closed
            told = b""
        self.said += told.decode(errors="replace")
        return bool(told)

    def end(self) -> tuple[int, str]:
        """Exit code and stdout once it has ended."""
        output, _ = self.process.communicate(timeout=PATIENCE)
        while self._read():
            pass
        return self.process.returncode, output

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._here)


@contextmanager
def terminal(*arguments: str) -> Iterator[Terminal]:
    started = Terminal(*arguments)
    try:
        yield started
    finally:
        started.close()


@pytest.mark.parametrize(("verb", "number"), [("plan", signal.SIGINT), ("plan", signal.SIGTERM), ("run", signal.SIGTERM)])
def test_the_first_signal_ends_the_search_with_the_best_plan_so_far(
    verb: str, number: signal.Signals, hard: Path, tmp_path: Path
) -> None:
    output = tmp_path / "plan.json"
    with terminal(verb, "--snapshot", str(hard), "-o", str(output), *ENDLESS) as command:
        found = int(command.wait_for(FOUND))

        command.process.send_signal(number)

        code, told = command.end()
    plan = json.loads(output.read_text(encoding="utf-8"))
    assert code == 0, command.said
    assert plan["metadata"]["reproducible"] is False
    assert plan["summary"]["placed"] >= found
    assert f"of {plan['summary']['pendingBefore']} pending pods" in told
    assert judge(hard, plan, None) == []
    assert "Traceback" not in command.said


def test_an_interrupted_plan_ends_with_10_when_asked_to_tell(hard: Path) -> None:
    arguments = ("plan", "--snapshot", str(hard), "--detailed-exitcode", "--format", "json", *ENDLESS)
    with terminal(*arguments) as command:
        command.wait_for(FOUND)

        command.process.send_signal(signal.SIGINT)

        code, told = command.end()
    assert code == (10 if json.loads(told)["moves"] else 0)


def test_progress_tells_the_incumbent_the_bound_and_the_gap(hard: Path) -> None:
    with terminal("plan", "--snapshot", str(hard), "--effort", "0.02") as command:
        code, _ = command.end()

    assert code == 0
    assert "planning … 0 of 50 pending pods placed, 0 moves" in command.said
    told = re.findall(r"(\d+) of 50 pending pods placed, \d+ moves; bound (\d+), gap (\d+)", command.said)[-1]
    placed, bound, gap = map(int, told)
    assert placed > 0
    assert gap == bound - placed


def test_quiet_shows_no_progress(hard: Path) -> None:
    with terminal("plan", "--snapshot", str(hard), "--effort", "0.02", "--quiet") as command:
        code, told = command.end()

    assert (code, command.said) == (0, "")
    assert "of 50 pending pods" in told


def test_progress_is_for_terminals_only(hard: Path) -> None:
    arguments = [sys.executable, "-m", "descheduler", "plan", "--snapshot", str(hard), "--effort", "0.02"]

    ended = subprocess.run(arguments, capture_output=True, text=True, timeout=PATIENCE, check=True)

    assert ended.stderr == ""


TWICE = """
import sys
from descheduler.commands.signals import Signals
with Signals() as signals:
    for question in sys.stdin:
        print(signals.heard(), signals.stop(), flush=True)
print("given back", flush=True)
for question in sys.stdin: pass
"""


def asking() -> subprocess.Popen[str]:
    """A process that says what it has heard whenever it is asked."""
    process = subprocess.Popen([sys.executable, "-c", TWICE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert answer(process) == "None False"
    return process


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("?\n")
    process.stdin.flush()
    return process.stdout.readline().strip()


@pytest.mark.parametrize(("first", "second"), [("SIGINT", "SIGINT"), ("SIGTERM", "SIGTERM"), ("SIGTERM", "SIGINT")])
def test_the_second_signal_ends_at_once(first: str, second: str) -> None:
    process = asking()

    process.send_signal(signal.Signals[first])
    assert answer(process) == f"stopped by {first} True"
    process.send_signal(signal.Signals[second])

    assert process.wait(PATIENCE) == -signal.Signals[second]
