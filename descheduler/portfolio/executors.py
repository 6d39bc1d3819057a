"""Where blocks are solved: in this process, in spawned ones, or on the workers of a dask cluster (DESIGN.md section 6).

Everything goes through ``concurrent.futures.Executor``. Which one it is changes the time a plan takes, never the plan.
"""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from multiprocessing.connection import wait as wait_for_any
from typing import Any, TypeVar

from descheduler import __version__
from descheduler.errors import UsageError

Answer = TypeVar("Answer")
MOST = 4
"""Processes at most; more only cost memory on the fleets measured."""
POLL = 0.1
"""Seconds between two questions whether to stop."""
ADDRESS = re.compile(r"dask://(?P<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\]):(?P<port>[0-9]{1,5})")
CONNECT = "5s"
"""How long a dask scheduler may take to answer."""


class Inline(Executor):
    """Does every task at once, in the caller's process."""

    def submit(self, fn: Callable[..., Answer], /, *args: Any, **kwargs: Any) -> Future[Answer]:
        future: Future[Answer] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # the future's way to tell
            future.set_exception(error)
        return future


class OnDask(Executor):
    """The workers of a dask cluster, through its client."""

    def __init__(self, client: Any) -> None:
        self._client, self._pool = client, client.get_executor(pure=False)

    def submit(self, fn: Callable[..., Answer], /, *args: Any, **kwargs: Any) -> Future[Answer]:
        future: Future[Answer] = self._pool.submit(fn, *args, **kwargs)
        return future

    def share(self, value: bytes) -> object:
        """The value on every worker, to be handed to tasks in its place."""
        return self._client.scatter(value, broadcast=True)


def shared(pool: Executor, value: bytes) -> Any:
    """What to hand to many tasks instead of a large value: it is sent to a dask cluster once."""
    return pool.share(value) if isinstance(pool, OnDask) else value


def check_address(address: str) -> str:
    """``dask://host:port`` as dask spells it.

    Raises UsageError when it is none, or when ``dask.distributed`` is not installed.
    """
    import importlib.util

    parts = ADDRESS.fullmatch(address)
    if parts is None or not 0 < int(parts["port"]) < 2**16:
        raise UsageError(f"--executor: must be dask://HOST:PORT, not {address!r}")
    if importlib.util.find_spec("distributed") is None:
        raise UsageError("--executor dask://…: dask.distributed is not installed; install descheduler[dask]")
    return f"tcp://{parts['host']}:{parts['port']}"


def begin_work() -> None:
    """For a worker's start: what an interrupt means is the parent's to say, and nobody works on for a parent that is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    wait_for_any([sentinel])
    os._exit(1)


@contextmanager
def executor(workers: int, address: str | None = None) -> Iterator[Executor]:
    """An executor for so many tasks side by side; one is this process. With an ``address`` a dask cluster decides how many.

    At the end whoever still works is ended, not waited for.

    Raises:
        UsageError: the dask cluster cannot be used.
    """
    if address is not None:
        with _dask(address) as client:
            yield OnDask(client)
        return
    pool = _processes(min(workers, MOST))
    if pool is None:
        yield Inline()
        return
    others = set(multiprocessing.active_children())
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in set(multiprocessing.active_children()) - others:
            worker.terminate()


def _processes(count: int) -> ProcessPoolExecutor | None:
    """``None`` where one is enough, or where the system has no semaphores to offer: the plan is the same."""
    if count <= 1:
        return None
    try:
        return ProcessPoolExecutor(count, mp_context=multiprocessing.get_context("spawn"), initializer=begin_work)
    except (OSError, ImportError, NotImplementedError):
        return None


@contextmanager
def _dask(address: str) -> Iterator[Any]:
    target = check_address(address)
    from distributed import Client

    try:
        client = Client(target, timeout=CONNECT, set_as_default=False)  # type: ignore[no-untyped-call]  # dask types only some of it
    except (OSError, TimeoutError) as error:
        raise UsageError(f"--executor {address}: no dask scheduler answers there ({type(error).__name__})") from None
    try:
        versions = set(client.run(version).values())
        if not versions:
            raise UsageError(f"--executor {address}: the dask cluster has no workers")
        if versions != {__version__}:
            raise UsageError(f"--executor {address}: workers have descheduler {', '.join(sorted(versions))}, this is {__version__}")
        yield client
    except ModuleNotFoundError as error:
        raise UsageError(f"--executor {address}: a worker lacks a module: {error}") from None
    finally:
        client.close()  # type: ignore[no-untyped-call]


def version() -> str:
    """The version that a worker has."""
    return __version__


def answers(
    pool: Executor, do: Callable[..., Answer], tasks: Sequence[object], stop: Callable[[], bool], common: Sequence[object] = ()
) -> list[Answer | None]:
    """``do(task, *common)`` for every task, in their order; ``None`` for those not done when ``stop`` says so.

    What a worker that died leaves undone is done here.
    """
    futures: list[Future[Answer]] = []
    for task in tasks:
        if stop():
            break
        try:
            futures.append(pool.submit(do, task, *common))
        except BrokenExecutor:
            futures.append(Inline().submit(do, task, *common))
    left: set[Future[Answer]] = set(futures)
    while (left := wait(left, POLL).not_done) and not stop():
        pass
    for future in left:
        future.cancel()
    told: list[Answer | None] = []
    for task, future in zip(tasks, futures, strict=False):
        try:
            told.append(None if future in left else future.result())
        except BrokenExecutor:
            told.append(do(task, *common))
    return told + [None] * (len(tasks) - len(told))
