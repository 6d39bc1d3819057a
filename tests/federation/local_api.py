"""A small API server on loopback: real HTTP, pages, field selectors, rights, and faults a test asks for.

It knows just enough to be read from. ``Fault`` answers are given once each, before the proper answer.
"""

from __future__ import annotations

import gzip
import json
import threading
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

import yaml

from descheduler.clock import Clock
from descheduler.federation.kube import Connection, Timeouts
from descheduler.federation.kube_config import Context, client_for
from descheduler.federation.kube_lists import LISTS
from tests.raw import Json, namespace_json

TOKEN = "a-good-token"  # noqa: S105  # of this server only
UID = "uid-namespace-kube-system"
REVIEWS = {
    "/apis/authentication.k8s.io/v1/selfsubjectreviews": "SelfSubjectReview",
    "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews": "SelfSubjectAccessReview",
}


@dataclass(frozen=True)
class Fault:
    """One answer that is not the proper one."""

    status: int = 200
    body: str | Json = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    cut: int | None = None
    """Close the connection after so many bytes of the promised body."""
    hang: bool = False
    """Say nothing until the server is closed."""
    trickle: bool = False
    """Send the body a byte at a time, without end."""


@dataclass(frozen=True)
class Asked:
    """One request that was made."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Json


def status_json(code: int, message: str, reason: str = "") -> Json:
    return {"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message, "reason": reason, "code": code}


class LocalApi:
    """Start with ``with``. What it holds and how it behaves may be changed at any time."""

    def __init__(self, *objects: Json, page: int = 500) -> None:
        self.objects: dict[str, list[Json]] = defaultdict(list)
        self.page = page
        """It gives at most so many at a time, whatever is asked for."""
        self.version = "v1.36.2"
        self.user = "reader"
        self.believes_anyone = False
        """Whether requests without the token are let in as ``system:anonymous``."""
        self.forbidden: set[str] = set()
        """Resources that may not be listed, such as ``poddisruptionbudgets``."""
        self.missing: set[str] = set()
        """Paths that are not served."""
        self.faults: dict[str, list[Fault]] = defaultdict(list)
        self.asked: list[Asked] = []
        self.closing = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"api": self}))
        self._server.daemon_threads = True
        self.hold(namespace_json("kube-system"), *objects)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def hold(self, *objects: Json) -> None:
        """Add objects; as in a real list, they do not say their kind."""
        for raw in objects:
            self.objects[raw["kind"]].append({key: value for key, value in raw.items() if key not in ("kind", "apiVersion")})

    def fail(self, path: str, *faults: Fault) -> None:
        """Answer the next requests for ``path`` with these."""
        self.faults[path] += faults

    def lists_of(self, path: str) -> list[Asked]:
        return [asked for asked in self.asked if asked.path == path]

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    # What it answers ---------------------------------------------------------------------------------------------------

    def answer(self, asked: Asked) -> tuple[int, Json]:
        known = asked.headers.get("authorization") == f"Bearer {TOKEN}"
        if not known and not self.believes_anyone:
            return 401, status_json(401, "Unauthorized")
        if asked.path in self.missing:
            return 404, status_json(404, "the server could not find the requested resource")
        if asked.path in REVIEWS:
            return 201, self._review(asked, self.user if known else "system:anonymous")
        if asked.path == "/version":
            return 200, {"major": "1", "minor": "36", "gitVersion": self.version}
        if asked.path == "/api/v1/namespaces/kube-system":
            space = next(raw for raw in self.objects["Namespace"] if raw["metadata"]["name"] == "kube-system")
            return 200, {"kind": "Namespace", "apiVersion": "v1", **space}
        return self._list(asked)

    def _review(self, asked: Asked, user: str) -> Json:
        if REVIEWS[asked.path] == "SelfSubjectReview":
            return asked.body | {"status": {"userInfo": {"username": user}}}
        wanted = asked.body["spec"]["resourceAttributes"]
        return asked.body | {"status": {"allowed": wanted["verb"] == "list" and wanted["resource"] not in self.forbidden}}

    def _list(self, asked: Asked) -> tuple[int, Json]:
        listing = next((listing for listing in LISTS if listing.path == asked.path), None)
        if listing is None:
            return 404, status_json(404, "the server could not find the requested resource")
        if listing.resource in self.forbidden:
            return 403, status_json(403, f'{listing.resource} is forbidden: User "{self.user}" cannot list resource', "Forbidden")
        chosen = [raw for raw in self.objects[listing.kind] if selected(raw, asked.query.get("fieldSelector", ""))]
        start = int(asked.query.get("continue", "0"))
        end = start + min(self.page, int(asked.query.get("limit", "1000000")))
        meta = {"resourceVersion": "2000"} | ({"continue": str(end)} if end < len(chosen) else {})
        return 200, {"kind": f"{listing.kind}List", "apiVersion": listing.api_version, "metadata": meta, "items": chosen[start:end]}


class _Handler(BaseHTTPRequestHandler):
    api: LocalApi
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self._serve({})

    def do_POST(self) -> None:
        self._serve(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _serve(self, body: Json) -> None:
        address = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        asked = Asked(self.command, address.path, dict(parse_qsl(address.query, keep_blank_values=True)), headers, body)
        self.api.asked.append(asked)
        faults = self.api.faults[asked.path]
        if faults:
            self._spoil(faults.pop(0))
            return
        status, told = self.api.answer(asked)
        self._send(status, json.dumps(told).encode(), {"Content-Type": "application/json"})

    def _send(self, status: int, raw: bytes, headers: Mapping[str, str], cut: int | None = None) -> None:
        if "gzip" in self.headers.get("Accept-Encoding", "") and len(raw) > 1000:
            raw, headers = gzip.compress(raw, 1), {**headers, "Content-Encoding": "gzip"}
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(raw)))
        self.end_headers()
        self.wfile.write(raw[:cut])
        self.close_connection = cut is not None

    def _spoil(self, fault: Fault) -> None:
        if fault.hang:
            self.api.closing.wait()
            self.close_connection = True
            return
        headers = {"Content-Type": "application/json", **fault.headers}
        raw = (fault.body if isinstance(fault.body, str) else json.dumps(fault.body)).encode()
        if not fault.trickle:
            self._send(fault.status, raw, headers, fault.cut)
            return
        self.send_response(fault.status)
        self.end_headers()
        self.close_connection = True
        while not self.api.closing.wait(0.01):
            self.wfile.write(b" ")
            self.wfile.flush()

    def log_message(self, format: str, *args: Any) -> None:
        """Tests stay silent."""


def selected(raw: Json, selector: str) -> bool:
    """Field selectors, as far as we use them: a missing field is empty."""
    for part in filter(None, selector.split(",")):
        differs = "!=" in part
        path, value = part.split("!=" if differs else "=", 1)
        found: Any = raw
        for step in path.split("."):
            found = (found or {}).get(step)
        if ((found or "") == value) == differs:
            return False
    return True


def kubeconfig(path: Path, servers: Mapping[str, str], *, current: str = "", user: Json | None = None) -> Path:
    """A kubeconfig with a context for every name and URL; all share one user, who has the good token unless told otherwise."""
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": url}} for name, url in servers.items()],
        "contexts": [{"name": name, "context": {"cluster": name, "user": "me"}} for name in servers],
        "users": [{"name": "me", "user": {"token": TOKEN} if user is None else user}],
        "current-context": current or next(iter(servers)),
    }
    path.write_text(yaml.safe_dump(body))
    return path


def connect(api: LocalApi, folder: Path, clock: Clock, *, user: Json | None = None, timeouts: Timeouts | None = None) -> Connection:
    """A connection through a kubeconfig of its own."""
    path = kubeconfig(folder / "kubeconfig", {"east": api.url}, user=user)
    return Connection(client_for(Context(str(path), "east")), clock, timeouts)


class Kept:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.names: list[tuple[str, str]] = []
        self.seen: list[str] = []
        self.remarks: list[tuple[str, str]] = []

    def add(self, raw: object, *, kind: str = "", api_version: str = "") -> None:
        assert isinstance(raw, dict)
        self.names.append((kind, raw["metadata"]["name"]))

    def saw(self, kind: str) -> None:
        self.seen.append(kind)

    def forget(self, kind: str) -> None:
        self.names = [(known, name) for known, name in self.names if known != kind]

    def remark(self, subject: str, message: str) -> None:
        self.remarks.append((subject, message))

    def of(self, kind: str) -> list[str]:
        return [name for known, name in self.names if known == kind]
