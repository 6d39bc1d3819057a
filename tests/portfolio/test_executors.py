"""Where blocks are solved changes no plan: in this process, in spawned ones, on a dask cluster."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from random import Random

import pytest

from descheduler.domain.snapshot import Snapshot
from descheduler.errors import UsageError
from descheduler.output.json_plan import render_json
from descheduler.pipeline import Options, plan
from descheduler.policy import Policy
from descheduler.portfolio.executors import Inline, answers, check_address, executor
from descheduler.solver.solution import never
from tests.builders import NOW, Thing, a_cluster, a_node, a_pod, a_snapshot
from tests.dask_cluster import a_dask_cluster

PATIENCE = 60


def doubled(number: int, more: int = 0) -> int:
    return 2 * number + more


def interrupted(number: int) -> int:
    """Lives on after an interrupt."""
    os.kill(os.getpid(), signal.SIGINT)
    return number


def dies_elsewhere(number: int) -> int:
    """Ends any process but the one that started all others."""
    if multiprocessing.parent_process() is not None:
        os._exit(1)
    return number


def failing(number: int) -> int:
    raise ValueError(f"no {number}")


@pytest.mark.parametrize("workers", [1, 2])
def test_answers_come_in_the_order_of_the_tasks(workers: int) -> None:
    with executor(workers) as pool:
        assert answers(pool, doubled, range(5), never, (1,)) == [1, 3, 5, 7, 9]


@pytest.mark.parametrize("workers", [1, 2])
def test_what_a_task_raises_is_raised(workers: int) -> None:
    with executor(workers) as pool, pytest.raises(ValueError, match="no 0"):
        answers(pool, failing, [0], never)


def test_what_is_not_done_when_the_search_is_to_stop_has_no_answer() -> None:
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 2

    assert answers(Inline(), doubled, range(4), stop) == [0, 2, None, None]


def test_a_worker_that_is_busy_is_not_waited_for() -> None:
    asked: list[int] = []

    def stop() -> bool:
        asked.append(1)
        return len(asked) > 3

    before = set(multiprocessing.active_children())
    with executor(2) as pool:
        assert answers(pool, signal.sigwait, [{signal.SIGUSR1}] * 2, stop) == [None, None]
        workers = set(multiprocessing.active_children()) - before
    for worker in workers:
        worker.join(PATIENCE)

    assert {worker.exitcode for worker in workers} == {-signal.SIGTERM}


def test_workers_do_not_mind_an_interrupt() -> None:
    with executor(2) as pool:
        assert answers(pool, interrupted, range(3), never) == [0, 1, 2]


def test_what_a_dying_worker_leaves_undone_is_done_here() -> None:
    with executor(2) as pool:
        assert answers(pool, dies_elsewhere, range(3), never) == [0, 1, 2]


ORPHANS = """
import multiprocessing, os, signal, sys
from descheduler.portfolio.executors import executor
if __name__ == "__main__":
    with executor(2) as pool:
        waiting = [pool.submit(signal.sigwait, {signal.SIGUSR1}) for _ in range(2)]
        pool.submit(int).cancel()
        while len(multiprocessing.active_children()) < 2: pass
        os.kill(os.getpid(), signal.SIGKILL)
"""


def test_no_worker_outlives_its_parent(tmp_path: object) -> None:
    """The workers hold the pipe that we read: it ends when the last of them has."""
    script = os.path.join(str(tmp_path), "orphans.py")  # noqa: PTH118
    with open(script, "w", encoding="utf-8") as file:  # noqa: PTH123
        file.write(ORPHANS)

    ended = subprocess.run([sys.executable, script], stdout=subprocess.PIPE, timeout=PATIENCE, check=False)

    assert ended.returncode == -signal.SIGKILL


HOMELESS = """
from descheduler.portfolio.executors import answers, executor
from descheduler.solver.solution import never
with executor(2) as pool:
    print(answers(pool, len, ["ab", "abc"], never))
"""


def test_processes_need_neither_a_home_nor_a_place_for_temporary_files() -> None:
    environment = {k: v for k, v in os.environ.items() if k != "HOME"} | {"TMPDIR": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}

    told = subprocess.run([sys.executable, "-c", HOMELESS], env=environment, capture_output=True, text=True, timeout=PATIENCE, check=True)

    assert told.stdout == "[2, 3]\n"


# One plan, whoever searches.


@pytest.fixture(scope="module")
def fleet() -> Snapshot:
    """Two clusters, together too large for one model; in each some moves make room for pods that wait."""
    dice = Random(11)
    clusters = []
    for name in ("east", "west"):
        things: list[Thing] = [a_node(f"n{n}", cluster=name, cpu=60, memory=60) for n in range(64)]
        sizes = [(dice.randint(4, 18), dice.randint(4, 18)) for _ in range(250)]
        things += [a_pod(f"r{i}", cluster=name, on=f"n{i % 64}", of=f"r{i}", cpu=c, memory=m) for i, (c, m) in enumerate(sizes)]
        things += [a_pod(f"w{i}", cluster=name, of=f"w{i}", cpu=dice.randint(12, 40), memory=dice.randint(12, 40)) for i in range(20)]
        clusters.append(a_cluster(name, *things))
    return a_snapshot(*clusters)


ORDERS = (["PendingPods", "Disruption"], ["PendingPods", "EmptyNodes", "Disruption"])


def planned(fleet: Snapshot, objectives: list[str], workers: int, address: str | None = None) -> str:
    policy = Policy.model_validate({"spec": {"objectives": objectives, "limits": {"perRun": 8}}})
    options = Options(run_id="r", created_at=NOW, effort=0.02, workers=workers, executor=address)
    return render_json(plan(fleet, policy, options).plan)


@pytest.fixture(scope="module")
def alone(fleet: Snapshot) -> dict[str, str]:
    """The plans found in one process."""
    return {str(objectives): planned(fleet, objectives, 1) for objectives in ORDERS}


@pytest.mark.parametrize("objectives", ORDERS[1:])
def test_processes_find_the_same_plan(objectives: list[str], fleet: Snapshot, alone: dict[str, str]) -> None:
    assert '"reproducible": true' in alone[str(objectives)]
    assert planned(fleet, objectives, 2) == alone[str(objectives)]


@pytest.fixture(scope="module")
def dask() -> Iterator[str]:
    """A local dask cluster of two workers."""
    with a_dask_cluster(2) as address:
        yield address


@pytest.mark.parametrize("objectives", ORDERS)
def test_a_dask_cluster_of_two_workers_finds_the_same_plan(
    objectives: list[str], dask: str, fleet: Snapshot, alone: dict[str, str]
) -> None:
    assert planned(fleet, objectives, 1, dask) == alone[str(objectives)]


def ran_on(number: int) -> tuple[int, int]:
    return number, os.getpid()


def test_tasks_are_done_by_the_workers_of_the_dask_cluster(dask: str) -> None:
    with executor(1, dask) as pool:
        told = answers(pool, ran_on, range(8), never)

    assert [answer[0] for answer in told if answer] == list(range(8))
    assert os.getpid() not in {answer[1] for answer in told if answer}


def pretend(version: str) -> str:
    """In a worker: have another version from now on; the one before."""
    module = importlib.import_module("descheduler.portfolio.executors")
    before: str = vars(module)["__version__"]
    vars(module)["__version__"] = version
    return before


def test_workers_of_another_version_are_refused(dask: str) -> None:
    import distributed

    with distributed.Client(dask.replace("dask://", "tcp://"), set_as_default=False) as client:  # type: ignore[no-untyped-call]
        (before, *_) = client.run(pretend, "0.0.0").values()
        try:
            with pytest.raises(UsageError, match=r"workers have descheduler 0\.0\.0, this is "), executor(1, dask):
                pass
        finally:
            client.run(pretend, before)


def test_a_cluster_without_workers_is_refused() -> None:
    with a_dask_cluster(0) as address, pytest.raises(UsageError, match="the dask cluster has no workers"), executor(1, address):
        pass


def test_a_scheduler_that_is_not_there_is_told() -> None:
    pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install descheduler[dask]")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        address = f"dask://127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(UsageError, match=f"--executor {address}: no dask scheduler answers there"), executor(1, address):
            pass


@pytest.mark.parametrize("address", ["dask://", "dask://host", "dask://host:0", "dask://host:99999", "tcp://host:8786", "dask://a b:1", ""])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(UsageError, match="--executor: must be dask://HOST:PORT, not"):
        check_address(address)


@pytest.mark.parametrize("host", ["scheduler", "10.0.0.1", "[::1]", "dask-scheduler.search.svc"])
def test_an_address_is_told_as_dask_spells_it(host: str) -> None:
    pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install descheduler[dask]")

    assert check_address(f"dask://{host}:8786") == f"tcp://{host}:8786"


def test_dask_that_is_missing_is_told_before_anything_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)

    with pytest.raises(UsageError, match=r"dask\.distributed is not installed; install descheduler\[dask\]"):
        check_address("dask://host:8786")
