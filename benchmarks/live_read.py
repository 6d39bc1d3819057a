"""Reading 10,000 pods of 8 KB and 500 nodes live: our read beside the client's own models (`python -m benchmarks.live_read`).

Each way runs in a process of its own, so that its CPU time and peak memory are its own; imports count. Against a real API
server: ``--kubeconfig FILE [--context NAME]``, after filling it once with ``--fill`` (an empty test cluster, never one in use:
nodes and pods are created in it). Without a kubeconfig a small server on loopback plays the pages from memory.
"""

from __future__ import annotations

import argparse
import functools
import gzip
import json
import multiprocessing
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

Json = dict[str, Any]

PAGE = 500
PODS, NODES = 10_000, 500
NAMESPACE = "benchmark"
CREATED = "2026-11-20T12:00:00Z"
WAYS = ("ours", "models", "models unpaged", "triage")


def node(number: int) -> Json:
    """An ordinary node of 5 KB."""
    name = f"node-{number:04d}"
    images = [{"names": [f"registry.example/image-{i}@sha256:{i:064d}"], "sizeBytes": i * 1000} for i in range(25)]
    room = {"cpu": "16", "memory": "64Gi", "pods": "110", "ephemeral-storage": "100Gi"}
    labels = {"kubernetes.io/hostname": name, "topology.kubernetes.io/zone": f"zone-{number % 3}", "pool": "general"}
    ready = {"type": "Ready", "status": "True", "reason": "KubeletReady", "lastHeartbeatTime": CREATED, "lastTransitionTime": CREATED}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"podCIDR": f"10.{number % 250}.0.0/24"},
        "status": {"capacity": room, "allocatable": room, "images": images, "conditions": [ready]},
    }


def pod(number: int) -> Json:
    """A pod as real ones are: two containers, probes, variables, annotations; about 8 KB once a server has added managed fields."""
    app = f"app-{number % 400}"
    labels = {"app": app, "pod-template-hash": f"{number % 400:010d}", "team": f"team-{number % 20}", "tier": "web"}
    notes = {f"example.com/note-{i}": f"{app} says something about itself that is of no interest here {i}" for i in range(8)}
    spec: Json = {
        "nodeName": f"node-{number % NODES:04d}",
        "containers": [_container(name, app) for name in ("main", "sidecar")],
        "tolerations": [
            {"key": f"node.kubernetes.io/{w}", "operator": "Exists", "effect": "NoExecute"} for w in ("not-ready", "unreachable")
        ],
        "topologySpreadConstraints": [
            {
                "maxSkew": 2,
                "topologyKey": "topology.kubernetes.io/zone",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app": app}},
            }
        ],
        "terminationGracePeriodSeconds": 30,
        "schedulerName": "default-scheduler",
    }
    conditions = [
        {"type": t, "status": "True", "lastTransitionTime": CREATED} for t in ("Initialized", "Ready", "ContainersReady", "PodScheduled")
    ]
    meta = {"name": f"{app}-{number:05d}", "namespace": NAMESPACE, "labels": labels, "annotations": notes}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": {"phase": "Running", "conditions": conditions}}


def _container(name: str, app: str) -> Json:
    probe = {"httpGet": {"path": "/healthz", "port": 8080}, "periodSeconds": 10, "timeoutSeconds": 1, "failureThreshold": 3}
    variables = [{"name": f"SETTING_{i}", "value": f"value of setting {i} of {app}"} for i in range(8)]
    return {
        "name": name,
        "image": f"registry.example/{app}/{name}:1.2.3",
        "env": variables,
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "256Mi"}},
        "livenessProbe": probe,
        "readinessProbe": probe,
    }


def managed_fields() -> list[Json]:
    """What a server writes down about who wrote what."""
    fields = {"f:metadata": {"f:labels": {f"f:key-{i}": {} for i in range(30)}}, "f:spec": {f"f:field-{i}": {} for i in range(60)}}
    common = {"operation": "Update", "apiVersion": "v1", "time": CREATED, "fieldsType": "FieldsV1", "fieldsV1": fields}
    return [{"manager": manager} | common for manager in ("kube-controller-manager", "kubelet")]


# The ways, each in its own process ------------------------------------------------------------------------------------


def ours(kubeconfig: str, context: str) -> int:
    """Everything `descheduler plan` does until it has its snapshot."""
    from descheduler.clock import SystemClock
    from descheduler.federation.kube_config import Context
    from descheduler.federation.standalone import LiveFleet, Member

    snapshot = LiveFleet([Member(name="it", access=Context(kubeconfig, context))], SystemClock()).snapshot()
    return sum(1 for _ in snapshot.pods())


def triage(kubeconfig: str, context: str) -> int:
    """What `descheduler run` does when nothing waits."""
    from descheduler.clock import SystemClock
    from descheduler.federation.kube_config import Context
    from descheduler.federation.standalone import LiveFleet, Member

    return int(LiveFleet([Member(name="it", access=Context(kubeconfig, context))], SystemClock()).nothing_waits())


def models(kubeconfig: str, context: str, page: int | None = PAGE) -> int:
    """The client's own way, nodes and pods only."""
    import importlib

    client: Any = importlib.import_module("kubernetes.client")  # its types are not what is measured
    config: Any = importlib.import_module("kubernetes.config")
    api = client.CoreV1Api(config.new_client_from_config(kubeconfig, context or None))
    kept: list[Any] = list(api.list_node().items)
    going_on = None
    while True:
        more: Json = {"_continue": going_on} if going_on else {}
        answer = api.list_pod_for_all_namespaces(**({"limit": page} if page else {}), **more)
        kept += answer.items
        going_on = answer.metadata._continue  # its name in the client's model
        if not going_on:
            return sum(item.spec.__class__.__name__ == "V1PodSpec" for item in kept)


def run_one(way: str, kubeconfig: str, context: str) -> None:
    """Measure this process and print one line of JSON."""
    started = time.perf_counter()
    deeds: dict[str, Callable[[str, str], int]] = {
        "ours": ours,
        "triage": triage,
        "models": models,
        "models unpaged": functools.partial(models, page=None),
    }
    count = deeds[way](kubeconfig, context)
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {
        "way": way,
        "answer": count,
        "wall seconds": round(time.perf_counter() - started, 2),
        "cpu seconds": round(used.ru_utime + used.ru_stime, 2),
        "peak MB": _peak_megabytes(used.ru_maxrss),
    }
    print(json.dumps(told), flush=True)


def _peak_megabytes(fallback_kilobytes: int) -> int:
    """Of this program alone: ru_maxrss remembers who started it."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    peak = next((int(line.split()[1]) for line in lines if line.startswith("VmHWM:")), fallback_kilobytes)
    return round(peak / 1024)


# A server of our own --------------------------------------------------------------------------------------------------


def serve(port: Any) -> None:
    """Play an API server from memory; it gzips as the real one does, once, before anyone measures."""
    lists = {"/api/v1/nodes": [node(i) for i in range(NODES)], "/api/v1/pods": [pod(i) for i in range(PODS)]}
    for path, items in lists.items():
        for number, raw in enumerate(items):
            raw.pop("kind"), raw.pop("apiVersion")
            raw["metadata"] |= {"uid": f"{path}-{number}", "resourceVersion": str(number + 1), "creationTimestamp": CREATED}
            raw["metadata"] |= {"managedFields": managed_fields()}
    pages: dict[tuple[str, str, str], bytes] = {}

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            address = urlsplit(self.path)
            query = {key: values[0] for key, values in parse_qs(address.query).items()}
            unbound = "spec.nodeName=," in query.get("fieldSelector", "")
            key = (address.path, "none" if unbound else query.get("limit", "all"), query.get("continue", "0"))
            if key not in pages:
                pages[key] = gzip.compress(json.dumps(page_of(lists, *key)).encode(), 1)
            self.send_back(200, pages[key])

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status = {"allowed": True, "userInfo": {"username": "benchmark"}}
            self.send_back(201, gzip.compress(json.dumps(body | {"status": status}).encode()))

        def send_back(self, code: int, zipped: bytes) -> None:
            accepted = "gzip" in self.headers.get("Accept-Encoding", "")
            raw = zipped if accepted else gzip.decompress(zipped)
            self.send_response(code)
            self.send_header("Content-Type", "application/json")
            if accepted:
                self.send_header("Content-Encoding", "gzip")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, format: str, *args: Any) -> None:
            """Silent."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    port.value = server.server_address[1]
    server.serve_forever()


def page_of(lists: dict[str, list[Json]], path: str, limit: str, start: str) -> Json:
    """One answer; kinds that are not played are empty."""
    if path == "/version":
        return {"gitVersion": "v1.36.2"}
    if path.endswith("/kube-system"):
        return {"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "kube-system", "uid": "benchmark"}}
    from descheduler.federation.kube_lists import LISTS

    listing = next(listing for listing in LISTS if listing.path == path)
    items = [] if limit == "none" else lists.get(path, [])
    end = len(items) if limit in ("all", "none") else int(start) + int(limit)
    meta = {"resourceVersion": "1"} | ({"continue": str(end)} if end < len(items) else {})
    return {"kind": f"{listing.kind}List", "apiVersion": listing.api_version, "metadata": meta, "items": items[int(start) : end]}


def fill(kubeconfig: str, context: str) -> None:
    """Create the nodes and pods, eight at a time; those that exist stay."""
    from descheduler.federation.kube_config import Context, client_for

    client = client_for(Context(kubeconfig, context))

    def create(path: str, body: Json) -> None:
        headers = {"Content-Type": "application/json", "Accept": "application/json"}
        request = client.param_serialize("POST", path, header_params=headers, body=body, auth_settings=["BearerToken"])
        response = client.call_api(*request, _request_timeout=(5, 60)).response
        said = response.data.decode()
        if response.status not in (201, 409):
            raise SystemExit(f"{path}: {response.status} {said[:300]}")

    create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}})
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
    create(f"/api/v1/namespaces/{NAMESPACE}/serviceaccounts", account)
    client.configuration.connection_pool_maxsize = 8
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda i: create("/api/v1/nodes", node(i)), range(NODES)))
        list(pool.map(lambda i: create(f"/api/v1/namespaces/{NAMESPACE}/pods", pod(i)), range(PODS)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kubeconfig", help="measure this cluster instead of a server on loopback")
    parser.add_argument("--context", default="")
    parser.add_argument("--fill", action="store_true", help="first create the nodes and pods in it")
    parser.add_argument("--ways", nargs="*", default=WAYS, choices=WAYS)
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    told = parser.parse_args()
    if told.one:
        run_one(told.one, told.kubeconfig, told.context)
        return
    with tempfile.TemporaryDirectory() as folder:
        kubeconfig = told.kubeconfig or played(Path(folder))
        if told.fill and told.kubeconfig:
            fill(kubeconfig, told.context)
        for way in told.ways:
            command = [sys.executable, "-m", "benchmarks.live_read", "--one", way, "--kubeconfig", kubeconfig, "--context", told.context]
            for _ in range(1 if told.kubeconfig else 2):  # a played server makes its pages at the first round
                answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout  # noqa: S603  # ourselves
            print(answer, end="", flush=True)


def played(folder: Path) -> str:
    """Start the server of our own; it ends with this process. Answers a kubeconfig for it."""
    port = multiprocessing.get_context("spawn").Value("i", 0)
    multiprocessing.get_context("spawn").Process(target=serve, args=(port,), daemon=True).start()
    until = time.monotonic() + 60
    while not port.value and time.monotonic() < until:
        with port.get_lock():
            pass
    config = {
        "clusters": [{"name": "it", "cluster": {"server": f"http://127.0.0.1:{port.value}"}}],
        "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
        "users": [{"name": "it", "user": {"token": "benchmark"}}],
        "current-context": "it",
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    return str(folder / "kubeconfig")


if __name__ == "__main__":
    main()
