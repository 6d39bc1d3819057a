"""One cluster: an API server with its controllers, its scheduler and its kubelets (played by kwok)."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path

import urllib3

from tests.cluster.controlplane.api import Api, ApiRefused, Object
from tests.cluster.controlplane.binaries import Binaries
from tests.cluster.controlplane.kubeconfig import write_kubeconfig, write_signing_key
from tests.cluster.controlplane.processes import Process, free_port

STAGES = Path(__file__).resolve().parent / "stages.yaml"

API_SERVER, CONTROLLERS, SCHEDULER, KUBELETS = "kube-apiserver", "kube-controller-manager", "kube-scheduler", "kwok"
PROGRAMS = (API_SERVER, CONTROLLERS, SCHEDULER, KUBELETS)
"""What a cluster consists of, in the order of starting; stopped the other way round."""


class Cluster:
    """A real cluster on loopback, with everything a test asks of one."""

    def __init__(
        self,
        name: str,
        run: Path,
        etcd: str,
        binaries: Binaries,
        *,
        flags: Mapping[str, Sequence[str]],
        without: Sequence[str],
        outlives_us: bool,
    ) -> None:
        """Files are written, nothing is started; `ControlPlanes.start` does both."""
        self.name = name
        self.directory = run / name
        self.directory.mkdir(mode=0o700)
        self.server = f"https://127.0.0.1:{free_port()}"
        """Where the API server listens."""
        self.certificate_authority = self.directory / "apiserver.crt"
        """The API server's own authority; it exists from the moment that one has started."""
        self.admin_token = secrets.token_hex(16)
        (self.directory / "tokens.csv").write_text(f'{self.admin_token},admin,admin,"system:masters"\n')
        write_signing_key(self.directory / "accounts.key")
        self._run = run
        self._binaries = binaries
        self._flags = flags
        self._outlives_us = outlives_us
        commands = {
            API_SERVER: self._api_server(etcd),
            CONTROLLERS: self._controllers(),
            SCHEDULER: self._scheduler(),
            KUBELETS: self._kubelets(),
        }
        self.processes = {program: self._process(program, *commands[program]) for program in PROGRAMS if program not in without}
        """By program, such as ``processes[SCHEDULER].restart()``."""
        self._api: Api | None = None

    @property
    def kubeconfig(self) -> Path:
        """A kubeconfig of the administrator, with one context called as the cluster."""
        return self.directory / "kubeconfig"

    @property
    def api(self) -> Api:
        """A client with the administrator's rights."""
        if self._api is None:
            self._api = Api(self.server, self.certificate_authority, self.admin_token)
        return self._api

    @property
    def uid(self) -> str:
        """What tells this cluster from every other: the uid of its namespace kube-system."""
        uid: str = self.api.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
        return uid

    def start(self) -> None:
        """Start whatever does not run and return when all of it is ready."""
        self.start_server()
        self.start_others()
        self.wait_until_ready()

    def start_server(self) -> None:
        """Start the API server alone, without waiting."""
        self.processes[API_SERVER].start()

    def start_others(self) -> None:
        """Once the API server is ready, start the rest, without waiting."""
        self.processes[API_SERVER].wait_until_ready()
        write_kubeconfig(self.kubeconfig, self.name, self.server, self.certificate_authority, self.admin_token)
        for process in self.processes.values():
            process.start()

    def wait_until_ready(self) -> None:
        """Return when every program answers and pods can be created in the namespace ``default``."""
        for process in self.processes.values():
            process.wait_until_ready()
        if CONTROLLERS in self.processes:
            self.wait_for_account("default")

    def stop(self) -> None:
        """Kill every program of this cluster, as a power cut would; what it stored stays, and `start` brings it back."""
        for process in reversed(self.processes.values()):
            process.kill()

    def namespace(self, name: str, labels: Mapping[str, str] | None = None) -> str:
        """Create a namespace and wait until pods may be created in it; returns ``name``."""
        self.api.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": dict(labels or {})}})
        self.wait_for_account(name)
        return name

    def add_nodes(self, *manifests: Object) -> None:
        """Create nodes and wait until the controllers have taken the taint of every new node away."""
        self.api.create_all(manifests)
        names = {manifest["metadata"]["name"] for manifest in manifests}
        self.api.wait("/api/v1/nodes", lambda nodes: names <= {node["metadata"]["name"] for node in nodes if not _new(node)})

    def wait_for_account(self, namespace: str) -> None:
        """Admission refuses pods until the controller has made the namespace's default ServiceAccount."""
        self.api.wait(f"/api/v1/namespaces/{namespace}/serviceaccounts", bool, fieldSelector="metadata.name=default")

    def token_of(self, namespace: str, account: str, good_for: timedelta = timedelta(hours=1)) -> str:
        """A real token of a ServiceAccount."""
        spec = {"expirationSeconds": round(good_for.total_seconds())}
        request: Object = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", "spec": spec}
        answer = self.api.request("POST", f"/api/v1/namespaces/{namespace}/serviceaccounts/{account}/token", request)
        token: str = answer["status"]["token"]
        return token

    def kubeconfig_of(self, path: Path, token: str) -> Path:
        """Write a kubeconfig for somebody else than the administrator; returns ``path``."""
        return write_kubeconfig(path, self.name, self.server, self.certificate_authority, token)

    def _process(self, program: str, command: list[str | Path], ready_at: str) -> Process:
        flags = self._flags.get(program, ())
        log = self.directory / f"{program}.log"
        return Process(
            f"{self.name}/{program}", [*command, *flags], self._run, log, lambda: self._answers(ready_at), outlives_us=self._outlives_us
        )

    def _answers(self, address: str) -> bool:
        """Whether ``address`` says ok; no certificate yet, no connection and a refusal all mean: not yet."""
        if not self.certificate_authority.exists():
            return False
        server, _, path = address.rpartition("/")
        try:
            Api(server, self.certificate_authority, self.admin_token).request("GET", f"/{path}")
        except (ApiRefused, urllib3.exceptions.HTTPError, OSError):
            return False
        return True

    def _api_server(self, etcd: str) -> tuple[list[str | Path], str]:
        keys = self.directory / "accounts.key"
        return [
            self._binaries.kube_apiserver,
            f"--etcd-servers={etcd}",
            f"--etcd-prefix=/{self.name}",
            "--bind-address=127.0.0.1",
            "--advertise-address=127.0.0.1",
            f"--secure-port={self.server.rpartition(':')[2]}",
            f"--cert-dir={self.directory}",  # it writes its own certificate there
            "--service-cluster-ip-range=10.96.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={keys}",
            f"--service-account-signing-key-file={keys}",
            f"--token-auth-file={self.directory / 'tokens.csv'}",
            "--authorization-mode=RBAC",
            "--endpoint-reconciler-type=none",
            "--delete-collection-workers=8",
            "--runtime-config=admissionregistration.k8s.io/v1beta1=true",  # besides v1, as 1.34 has it
            # A pod on a node that a test holds back stays for as long as any test takes, not for five minutes.
            "--default-not-ready-toleration-seconds=86400",
            "--default-unreachable-toleration-seconds=86400",
        ], f"{self.server}/readyz"

    def _controllers(self) -> tuple[list[str | Path], str]:
        # Left out: what needs a cloud, and attaching volumes to nodes that kwok only plays. Nodes' readiness is judged as usual.
        controllers = "*,-node-route-controller,-service-lb-controller,-ttl,-persistentvolume-attach-detach-controller"
        port, common = self._component()
        return [
            self._binaries.kube_controller_manager,
            *common,
            f"--service-account-private-key-file={self.directory / 'accounts.key'}",
            f"--root-ca-file={self.certificate_authority}",
            f"--controllers={controllers}",
            "--node-monitor-grace-period=300s",  # on a busy machine heartbeats come late; a node that a test holds back says so itself
            "--horizontal-pod-autoscaler-sync-period=1s",  # usually 15s: nobody here waits for so long
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        ], f"https://127.0.0.1:{port}/healthz"

    def _scheduler(self) -> tuple[list[str | Path], str]:
        port, common = self._component()
        return [
            self._binaries.kube_scheduler,
            *common,
            "--kube-api-qps=200",
            "--kube-api-burst=400",
        ], f"https://127.0.0.1:{port}/readyz"

    def _component(self) -> tuple[int, list[str | Path]]:
        """They serve with the API server's certificate: it is for the same address, and making one takes time."""
        port = free_port()
        return port, [
            f"--kubeconfig={self.kubeconfig}",
            f"--authentication-kubeconfig={self.kubeconfig}",
            f"--authorization-kubeconfig={self.kubeconfig}",
            "--leader-elect=false",
            "--bind-address=127.0.0.1",
            f"--secure-port={port}",
            f"--tls-cert-file={self.certificate_authority}",
            f"--tls-private-key-file={self.directory / 'apiserver.key'}",
        ]

    def _kubelets(self) -> tuple[list[str | Path], str]:
        port = free_port()
        return [
            self._binaries.kwok,
            f"--kubeconfig={self.kubeconfig}",
            f"--config={STAGES}",
            "--manage-nodes-with-annotation-selector=kwok.x-k8s.io/node=fake",
            "--node-lease-duration-seconds=40",
            f"--server-address=127.0.0.1:{port}",
            f"--tls-cert-file={self.certificate_authority}",
            f"--tls-private-key-file={self.directory / 'apiserver.key'}",
        ], f"https://127.0.0.1:{port}/healthz"


def _new(node: Object) -> bool:
    """Whether it still has the taint that admission gives to every node until it is Ready."""
    return any(taint["key"] == "node.kubernetes.io/not-ready" for taint in node["spec"].get("taints", ()))
