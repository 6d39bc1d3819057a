"""A proxy between the tool and an API server: it counts every call that changes something, and spoils those a test picks.

The tool is not told: it is given a kubeconfig with the proxy's address. Watches and reads go through untouched unless picked.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import urllib3

from tests.cluster.controlplane.cluster import Cluster

HOP_BY_HOP = {"connection", "transfer-encoding", "content-length", "keep-alive", "host"}
REVIEWS = ("/selfsubjectreviews", "/selfsubjectaccessreviews")


@dataclass(frozen=True)
class Call:
    """One request."""

    method: str
    path: str
    query: dict[str, str]
    body: Any

    @property
    def changes(self) -> bool:
        """Whether the server may be different afterwards."""
        return self.method != "GET" and not self.path.endswith(REVIEWS) and "dryRun" not in self.query

    def __str__(self) -> str:
        dry = " (dry run)" if "dryRun" in self.query else ""
        return f"{self.method} {self.path}{dry}"


@dataclass
class Spoiler:
    """What to do instead of passing a call on. Return an answer (status, body, headers), or ``None`` to cut the connection."""

    picks: Callable[[Call], bool]
    instead: Callable[[Call], tuple[int, Any, dict[str, str]] | None] | None = None
    before: Callable[[Call], object] | None = None
    """Called before the call is passed on as it is."""
    after: Callable[[Call], object] | None = None
    """Called when the server has answered; with ``lose``, the answer is not passed on."""
    lose: bool = False
    times: int = 1


@dataclass
class Proxy:
    """Start with ``proxy(cluster)``."""

    cluster: Cluster
    calls: list[Call] = field(default_factory=list)
    spoilers: list[Spoiler] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.pool = urllib3.PoolManager(maxsize=16, ca_certs=str(self.cluster.certificate_authority), retries=False)
        self.lock = threading.Lock()

    @property
    def changes(self) -> list[Call]:
        return [call for call in self.calls if call.changes]

    def kubeconfig(self, path: Path, token: str) -> Path:
        """A kubeconfig that leads through the proxy."""
        name = self.cluster.name
        body = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": name, "cluster": {"server": self.url}}],
            "users": [{"name": name, "user": {"token": token}}],
            "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
            "current-context": name,
        }
        path.write_text(json.dumps(body))
        return path

    def spoil(self, picks: Callable[[Call], bool], **more: Any) -> None:
        self.spoilers.append(Spoiler(picks, **more))

    def picked(self, call: Call) -> Spoiler | None:
        """The spoiler for a call; each is used as often as it says."""
        with self.lock:
            self.calls.append(call)
            for spoiler in self.spoilers:
                if spoiler.times and spoiler.picks(call):
                    spoiler.times -= 1
                    return spoiler
        return None


@contextmanager
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    """A proxy in front of the cluster's API server."""
    told = Proxy(cluster)
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": told}))
    server.daemon_threads = True
    told.url = f"http://127.0.0.1:{server.server_address[1]}"
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield told
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _pass(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        call = Call(self.command, address.path, dict(parse_qsl(address.query)), json.loads(raw) if raw else None)
        spoiler = self.proxy.picked(call)
        if spoiler is not None and spoiler.instead is not None:
            answer = spoiler.instead(call)
            if answer is None:
                self._cut()
                return
            status, body, headers = answer
            self._send(status, json.dumps(body).encode(), {"Content-Type": "application/json", **headers})
            return
        if spoiler is not None and spoiler.before is not None:
            spoiler.before(call)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in HOP_BY_HOP}
        answered = self.proxy.pool.request(
            self.command, f"{self.proxy.cluster.server}{self.path}", body=raw or None, headers=headers, preload_content=False
        )
        if call.query.get("watch"):
            self._stream(answered)
            return
        data = answered.read(decode_content=False)
        answered.release_conn()
        if spoiler is not None:
            if spoiler.after is not None:
                spoiler.after(call)
            if spoiler.lose:
                self._cut()
                return
        self._send(answered.status, data, {k: v for k, v in answered.headers.items() if k.lower() not in HOP_BY_HOP})

    def do_GET(self) -> None:
        self._pass()

    def do_POST(self) -> None:
        self._pass()

    def do_PUT(self) -> None:
        self._pass()

    def do_PATCH(self) -> None:
        self._pass()

    def do_DELETE(self) -> None:
        self._pass()

    def _send(self, status: int, raw: bytes, headers: dict[str, str]) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)
        except OSError:  # the tool was killed meanwhile
            self.close_connection = True

    def _stream(self, answered: Any) -> None:
        self.close_connection = True
        try:
            self.send_response(answered.status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Connection", "close")
            self.end_headers()
            while piece := answered.read1(65536, decode_content=True):
                self.wfile.write(piece)
                self.wfile.flush()
        except (OSError, urllib3.exceptions.HTTPError):
            pass
        finally:
            answered.close()

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.close()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests stay silent."""
