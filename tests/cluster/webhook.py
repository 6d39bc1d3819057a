"""An admission webhook of somebody else's: a real HTTPS server that an API server asks about every pod nobody owns."""

from __future__ import annotations

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.cluster.controlplane.api import Object
from tests.cluster.controlplane.cluster import Cluster

GROUP = "/apis/admissionregistration.k8s.io/v1"


def denial(message: str) -> Object:
    """What the webhook answers to refuse a pod."""
    return {"allowed": False, "status": {"code": 403, "message": message}}


def change(*patch: Object) -> Object:
    """What the webhook answers to have a pod patched (RFC 6902)."""
    return {"allowed": True, "patchType": "JSONPatch", "patch": base64.b64encode(json.dumps(patch).encode()).decode()}


@contextmanager
def webhook(cluster: Cluster, answer: Object) -> Iterator[None]:
    """Served with the API server's own certificate, which is for the same address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"answer": answer}))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cluster.certificate_authority, cluster.certificate_authority.with_suffix(".key"))
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    kind = "Mutating" if "patch" in answer else "Validating"
    cluster.api.create(_configuration(cluster, kind, server.server_address[1]))
    try:
        yield
    finally:
        cluster.api.delete(f"{GROUP}/{kind.lower()}webhookconfigurations/theirs")
        server.shutdown()
        server.server_close()


def _configuration(cluster: Cluster, kind: str, port: int) -> Object:
    authority = base64.b64encode(cluster.certificate_authority.read_bytes()).decode()
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
    hook = {
        "name": "pods.theirs.example.com",
        "clientConfig": {"url": f"https://127.0.0.1:{port}/", "caBundle": authority},
        "rules": [rule],
        "matchConditions": [{"name": "nobody-s", "expression": "!has(object.metadata.ownerReferences)"}],
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
        "failurePolicy": "Fail",
    }
    version = GROUP.removeprefix("/apis/")
    return {"apiVersion": version, "kind": f"{kind}WebhookConfiguration", "metadata": {"name": "theirs"}, "webhooks": [hook]}


class _Handler(BaseHTTPRequestHandler):
    answer: Object

    def do_POST(self) -> None:
        review = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        body = json.dumps({**review, "response": {"uid": review["request"]["uid"], **self.answer}}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Tests stay silent."""
