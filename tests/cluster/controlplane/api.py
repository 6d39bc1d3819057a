"""A small client for tests: plain objects in and out, and waiting by watching instead of by sleeping."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3

from descheduler.clock import SystemClock

Object = dict[str, Any]
"""A Kubernetes object or list as JSON has it."""

JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
STRATEGIC_PATCH = "application/strategic-merge-patch+json"


class ApiRefused(Exception):
    """The API server said no."""

    def __init__(self, method: str, path: str, code: int, text: str) -> None:
        self.code = code
        """The HTTP status."""
        try:
            self.body: Object = json.loads(text)
        except ValueError:
            self.body = {"message": text}
        super().__init__(f"{method} {path}: {code} {self.body.get('message', text)}")


class NeverHappened(Exception):
    """What a test waited for did not come about in time; the message shows what was there instead."""


class Api:
    """One API server, as one user."""

    def __init__(self, server: str, certificate_authority: Path, token: str) -> None:
        """``server`` is an ``https://`` address, ``token`` a bearer token."""
        self.server = server
        self._authority = certificate_authority
        self._pool = urllib3.PoolManager(
            maxsize=16, ca_certs=str(certificate_authority), retries=False, headers={"Authorization": f"Bearer {token}"}
        )
        self._resources: dict[tuple[str, str], tuple[str, bool]] = {}

    def as_user(self, token: str) -> Api:
        """The same server as the user ``token`` stands for."""
        return Api(self.server, self._authority, token)

    def get(self, path: str, **parameters: str | int) -> Object:
        """One object or list; ``path`` such as ``/api/v1/nodes/a``.

        Raises:
            ApiRefused: if the answer is not 2xx.
        """
        return self.request("GET", path, parameters=parameters)

    def items(self, path: str, **parameters: str | int) -> list[Object]:
        """The items of a list; ``path`` such as ``/api/v1/pods``."""
        items: list[Object] = self.get(path, **parameters)["items"]
        return items

    def create(self, manifest: Object) -> Object:
        """Create an object of any kind the server knows, in its namespace (``default`` if it names none)."""
        return self.request("POST", self.collection(manifest), manifest)

    def create_all(self, manifests: Sequence[Object], threads: int = 8) -> list[Object]:
        """Create many, several at a time; they come back in the order given."""
        for kind in {(manifest["apiVersion"], manifest["kind"]): manifest for manifest in manifests}.values():
            self.collection(kind)
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(self.create, manifests))

    def patch(self, path: str, body: object, kind: str = MERGE_PATCH) -> Object:
        """Change an object; ``kind`` is the content type."""
        return self.request("PATCH", path, body, content_type=kind)

    def delete(self, path: str, grace_seconds: int | None = None, propagation: str = "Background") -> Object:
        """Delete an object or, given the path of a list, all its items. Grace 0 is at once; ``None`` as the object says."""
        options: Object = {"apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": propagation}
        return self.request("DELETE", path, options | ({} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}))

    def collection(self, manifest: Object) -> str:
        """The path of the list that ``manifest`` belongs in, as the server's own discovery tells."""
        version, kind = manifest["apiVersion"], manifest["kind"]
        group = f"/apis/{version}" if "/" in version else f"/api/{version}"
        if (version, kind) not in self._resources:
            for resource in self.get(group)["resources"]:
                if "/" not in resource["name"]:
                    self._resources[version, resource["kind"]] = (resource["name"], resource["namespaced"])
        plural, namespaced = self._resources[version, kind]
        return f"{group}/namespaces/{manifest['metadata'].get('namespace', 'default')}/{plural}" if namespaced else f"{group}/{plural}"

    def wait(
        self, path: str, until: Callable[[list[Object]], bool], within: timedelta = timedelta(seconds=30), **selectors: str
    ) -> list[Object]:
        """List and watch ``path`` until the items are as wanted; they are returned.

        ``selectors`` are ``fieldSelector`` and ``labelSelector``.

        Raises:
            NeverHappened: if they are not ``within`` this time.
        """
        clock = SystemClock()
        deadline = clock.monotonic() + within.total_seconds()
        while True:
            listed = self.get(path, **selectors)
            items = {item["metadata"]["uid"]: item for item in listed["items"]}
            if until(list(items.values())):
                return list(items.values())
            left = int(deadline - clock.monotonic())
            if left <= 0:
                raise NeverHappened(f"{path} after {within.total_seconds():.0f} s: {_summary(items.values())}")
            for event in self.watch(path, {**selectors, "resourceVersion": listed["metadata"]["resourceVersion"], "timeoutSeconds": left}):
                if event["type"] == "ERROR":
                    break
                items.pop(event["object"]["metadata"]["uid"], None)
                if event["type"] != "DELETED":
                    items[event["object"]["metadata"]["uid"]] = event["object"]
                if until(list(items.values())):
                    return list(items.values())

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        parameters: dict[str, str | int] | None = None,
        content_type: str = "application/json",
        timeout: timedelta = timedelta(seconds=60),
    ) -> Object:
        """Any call; the decoded answer.

        Raises:
            ApiRefused: if the answer is not 2xx.
        """
        query = f"?{urlencode(parameters)}" if parameters else ""
        answer = self._pool.request(
            method,
            f"{self.server}{path}{query}",
            body=None if body is None else json.dumps(body).encode(),
            headers={**self._pool.headers, "Content-Type": content_type},
            timeout=timeout.total_seconds(),
        )
        text = answer.data.decode()
        if answer.status >= 300:
            raise ApiRefused(method, path, answer.status, text)
        decoded: Object = json.loads(text) if text.startswith("{") else {"text": text}
        return decoded

    def watch(self, path: str, parameters: dict[str, str | int]) -> Iterator[Object]:
        """The events of a watch; ``parameters`` say from which version and for how long."""
        answer = self._pool.request(
            "GET",
            f"{self.server}{path}?{urlencode({**parameters, 'watch': 'true'})}",
            preload_content=False,
            timeout=urllib3.Timeout(connect=5, read=int(parameters["timeoutSeconds"]) + 10),
        )
        unfinished = b""
        try:
            for chunk in answer.stream(65536, decode_content=True):
                *lines, unfinished = (unfinished + chunk).split(b"\n")
                yield from (json.loads(line) for line in lines)
        finally:
            answer.close()


def _summary(items: Iterable[Object]) -> str:
    described = [f"{item['metadata']['name']} {json.dumps(item.get('status', {}))[:300]}" for item in items]
    return "; ".join(described[:5]) + (f" and {len(described) - 5} more" if len(described) > 5 else "") or "nothing there"
