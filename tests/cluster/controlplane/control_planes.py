"""Any number of clusters over one etcd, started together and stopped together."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import urllib3

from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.cluster import Cluster
from tests.cluster.controlplane.processes import Process, free_port, hold, sweep


def default_root() -> Path:
    """Where the runs of this user lie, one folder each."""
    return Path(tempfile.gettempdir()) / f"descheduler-control-planes-{os.getuid()}"


@contextmanager
def control_planes(binaries: Binaries, root: Path | None = None) -> Iterator[ControlPlanes]:
    """Control planes in a directory of their own under ``root``, of which nothing is left afterwards.

    What crashed runs left under ``root`` is ended first.
    """
    root = root or default_root()
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    sweep(root)
    run = root / secrets.token_hex(6)
    run.mkdir(mode=0o700)
    with hold(run):
        planes = ControlPlanes(binaries, run)
        try:
            yield planes
        finally:
            planes.stop()


class ControlPlanes:
    """The clusters of one run.

    Each cluster has its own prefix in the shared etcd, its own certificate authority, tokens and ServiceAccount keys.
    """

    def __init__(self, binaries: Binaries, directory: Path, *, outlives_us: bool = False) -> None:
        """Start etcd, keeping everything under the existing, empty, absolute ``directory``.

        With ``outlives_us`` the processes live on when this one ends, until `end_recorded` of the same directory.
        """
        self.directory = directory
        """One folder per cluster, with its logs and kubeconfig."""
        self.clusters: dict[str, Cluster] = {}
        """Those started, by name."""
        self._binaries = binaries
        self._outlives_us = outlives_us
        self._etcd_address = f"http://127.0.0.1:{free_port()}"
        self.etcd = self._etcd()
        self.etcd.start()

    def start(self, *names: str, flags: Mapping[str, Sequence[str]] | None = None, without: Sequence[str] = ()) -> tuple[Cluster, ...]:
        """New clusters, started side by side and ready.

        ``flags`` are more flags by program, ``without`` names programs to leave out (`cluster.PROGRAMS`).

        Raises:
            NotReady: if a program does not come up.
        """
        self.etcd.wait_until_ready()
        new = [
            Cluster(
                name,
                self.directory,
                self._etcd_address,
                self._binaries,
                flags=flags or {},
                without=without,
                outlives_us=self._outlives_us,
            )
            for name in names
        ]
        self.clusters |= {cluster.name: cluster for cluster in new}
        for cluster in new:
            cluster.start_server()
        for cluster in new:
            cluster.start_others()
        for cluster in new:
            cluster.wait_until_ready()
        return tuple(new)

    def stop(self) -> None:
        """End every process and remove every file."""
        for cluster in self.clusters.values():
            cluster.stop()
        self.etcd.kill()
        shutil.rmtree(self.directory)

    def _etcd(self) -> Process:
        peer = f"http://127.0.0.1:{free_port()}"
        command: list[str | Path] = [
            self._binaries.etcd,
            "--name=tests",
            f"--data-dir={self.directory / 'etcd'}",
            f"--listen-client-urls={self._etcd_address}",
            f"--advertise-client-urls={self._etcd_address}",
            f"--listen-peer-urls={peer}",
            f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=tests={peer}",
            "--unsafe-no-fsync",  # nothing here is worth a disk's time
            "--log-level=warn",
        ]
        return Process("etcd", command, self.directory, self.directory / "etcd.log", self._etcd_answers, outlives_us=self._outlives_us)

    def _etcd_answers(self) -> bool:
        try:
            return urllib3.request("GET", f"{self._etcd_address}/health", retries=False, timeout=2).status == 200
        except (urllib3.exceptions.HTTPError, OSError):
            return False
