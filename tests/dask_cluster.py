"""A dask cluster of this machine, for tests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def a_dask_cluster(workers: int) -> Iterator[str]:
    """Its address as ``--executor`` takes it; the test is skipped where dask.distributed is not installed."""
    distributed = pytest.importorskip("distributed", reason="dask.distributed is not installed: pip install descheduler[dask]")
    with distributed.LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=":0", host="127.0.0.1") as cluster:
        yield cluster.scheduler_address.replace("tcp://", "dask://")
