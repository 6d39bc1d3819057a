"""One API server through the Kubernetes client: raw JSON in, every call with timeouts, every refusal with its reason.

The client does authentication, TLS and pooling; models are never built (kubernetes.md 4.2). Only what changes nothing is
ever tried again: GET, and the reviews in which one asks about oneself. Whatever changes something is sent once.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import urllib3.exceptions as broken
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from kubernetes.config.config_exception import ConfigException

from descheduler.clock import Clock
from descheduler.federation.kube_config import printable
from descheduler.ports import Body

TRIES = 4
"""How often a call is made at most."""
LONGEST_PAUSE_SECONDS = 10.0
SILENT_SECONDS = 15.0
"""How long a server that gave no answer at all, however often it was asked, is not asked again: the next one would wait as long in vain."""
_PASSING = frozenset({429, 500, 502, 503, 504})
_CHUNK_BYTES = 1 << 18
_BEFORE_SENDING = (broken.NewConnectionError, broken.ConnectTimeoutError, broken.LocationParseError)
_MEANING = {401: "the credentials are not accepted (401 Unauthorized)", 403: "not allowed (403 Forbidden)", 404: "not found (404)"}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long one call may take; all in seconds."""

    connect: float = 5.0
    read: float = 30.0
    """Between two pieces of an answer."""
    whole: float = 120.0
    """For one answer from its first byte to its last."""


class Refused(Exception):
    """The API server did not give what it was asked for; the message is one line without credentials."""

    def __init__(
        self, message: str, code: int = 0, *, passing: bool = False, unsent: bool = False, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        """The HTTP status; 0 when there was no whole answer."""
        self.unsent = unsent
        """Whether the server surely never saw the request."""
        self.passing = passing
        """Whether the same call may do better in a moment."""
        self.retry_after_seconds = retry_after_seconds


@dataclass(frozen=True, slots=True)
class Reply:
    """A whole answer to a call that may change something, whatever its status."""

    status: int
    body: Body
    """The JSON object it holds; empty when it holds none."""
    retry_after_seconds: float | None


class Connection:
    """Asks one API server. Safe to use from one thread at a time."""

    def __init__(self, client: ApiClient, clock: Clock, timeouts: Timeouts | None = None) -> None:
        self._client = client
        self._clock = clock
        self._timeouts = timeouts or Timeouts()
        self._silent_until = clock.monotonic()

    def now(self) -> datetime:
        """The time by our clock."""
        return self._clock.now()

    def twin(self, timeouts: Timeouts) -> Connection:
        """Another connection over the same client, for another thread."""
        return Connection(self._client, self._clock, timeouts)

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return str(self._client.configuration.host)

    def get(self, path: str, query: Mapping[str, str] | None = None, *, kind: str = "") -> Body:
        """The object at ``path``, which must be of that kind if one is given. Raises Refused."""
        return self._patiently("GET", path, query or {}, None, kind)

    def review(self, path: str, kind: str, spec: Body) -> Body:
        """The status of a review of ourselves; the server stores nothing, so it is asked again like a GET. Raises Refused."""
        group = path.removeprefix("/apis/").rpartition("/")[0]
        body = {"apiVersion": group, "kind": kind} | ({"spec": dict(spec)} if spec else {})
        status = self._patiently("POST", path, {}, body, kind).get("status")
        return status if isinstance(status, dict) else {}

    def write(self, method: str, path: str, query: Mapping[str, str], body: Body, content_type: str = "application/json") -> Reply:
        """One call that may change something. It is never made twice. Raises Refused when there is no whole answer."""
        response = self._sent(method, path, query, body, content_type)
        try:
            raw = self._received(response)
        except broken.HTTPError as error:
            response.close()
            raise Refused(*_broken(error, self._timeouts), response.status) from error
        except BaseException:
            response.close()
            raise
        response.release_conn()
        told: Any = None
        with suppress(ValueError, RecursionError):
            told = json.loads(raw)
        return Reply(response.status, told if isinstance(told, dict) else {}, _retry_after(response.headers))

    def watch(self, path: str, query: Mapping[str, str]) -> Iterator[Body]:
        """The events of a watch until the server ends it. Raises Refused when it breaks, or cannot begin."""
        response = self._sent("GET", path, {**query, "watch": "true"}, None)
        try:
            if response.status != 200:
                raise _status(response.status, self._received(response), response.headers)
            unfinished = b""
            while piece := response.read1(_CHUNK_BYTES, decode_content=True):
                *lines, unfinished = (unfinished + piece).split(b"\n")
                yield from (_json(line, "") for line in lines if line)
        except broken.HTTPError as error:
            raise Refused(*_broken(error, self._timeouts), passing=True) from error
        finally:
            response.close()

    def _patiently(self, method: str, path: str, query: Mapping[str, str], body: Body | None, kind: str) -> Body:
        if self._clock.monotonic() < self._silent_until:
            raise Refused(f"no answer in {TRIES} attempts a moment ago")
        attempt, silent = 1, True
        while True:
            try:
                return _object(self._ask(method, path, query, body), kind)
            except Refused as refusal:
                silent = silent and refusal.code == 0
                if refusal.passing and silent and attempt == TRIES:
                    self._silent_until = self._clock.monotonic() + SILENT_SECONDS
                if not refusal.passing or attempt == TRIES:
                    raise
                self._clock.sleep(timedelta(seconds=_pause_seconds(attempt, refusal.retry_after_seconds)))
            attempt += 1

    def _ask(self, method: str, path: str, query: Mapping[str, str], body: Body | None) -> Any:
        """One call. Raises Refused for anything but a JSON value with a status of success."""
        response = self._sent(method, path, query, body)
        try:
            raw = self._received(response)
        except broken.HTTPError as error:
            response.close()
            raise Refused(*_broken(error, self._timeouts), passing=True) from error
        except BaseException:
            response.close()
            raise
        response.release_conn()
        if not 200 <= response.status < 300:
            raise _status(response.status, raw, response.headers)
        return _json(raw, response.headers.get("Content-Type", ""))

    def _sent(self, method: str, path: str, query: Mapping[str, str], body: Body | None, content_type: str = "application/json") -> Any:
        headers = {"Accept": "application/json"} | ({} if body is None else {"Content-Type": content_type})
        try:
            request = self._client.param_serialize(
                method, path, query_params=list(query.items()), header_params=headers, body=body, auth_settings=["BearerToken"]
            )
            timeouts = (self._timeouts.connect, self._timeouts.read)
            return self._client.call_api(*request, _request_timeout=timeouts).response
        except ApiException as error:  # the client's own dress for a TLS error
            raise Refused(f"TLS: {printable(str(error.reason).removeprefix('SSLError'))}", unsent=True) from error
        except broken.HTTPError as error:
            passing, unsent = not isinstance(error, broken.LocationParseError), isinstance(error, _BEFORE_SENDING)
            raise Refused(*_broken(error, self._timeouts), passing=passing, unsent=unsent) from error
        except (ConfigException, OSError) as error:
            raise Refused(f"the credentials cannot be renewed: {printable(str(error))}", unsent=True) from error
        except ValueError as error:  # its message would hold the token
            raise Refused("the request cannot be formed: broken token or server address", unsent=True) from error

    def _received(self, response: Any) -> bytes:
        """The whole body. A server that keeps trickling is cut off."""
        until = self._clock.monotonic() + self._timeouts.whole
        pieces = []
        while piece := response.read1(_CHUNK_BYTES, decode_content=True):
            pieces.append(piece)
            if self._clock.monotonic() > until:
                raise Refused(f"the answer did not end within {self._timeouts.whole:g} s")
        return b"".join(pieces)


def _pause_seconds(attempt: int, asked_for: float | None) -> float:
    """Doubling, with jitter so that clients do not come back together; at least what the server asked for."""
    usual = 0.25 * float(1 << attempt) * random.uniform(0.75, 1.25)  # noqa: S311  # spreads load, guards nothing
    return min(LONGEST_PAUSE_SECONDS, max(usual, asked_for or 0.0))


def _object(value: Any, kind: str) -> Body:
    """Don't trust a 200: a proxy says it too."""
    if not isinstance(value, dict):
        raise Refused("the answer is not a JSON object: is a proxy in between?")
    if kind and value.get("kind") != kind:
        raise Refused(f"the answer is a {printable(str(value.get('kind')))[:60]}, not a {kind}: is a proxy in between?")
    return value


def _json(raw: bytes, content_type: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        if content_type and "json" not in content_type:
            told = f"the answer is {printable(content_type)[:60]}, not JSON: is a proxy or a login page in between?"
            raise Refused(told) from error
        raise Refused("the answer is not whole JSON", passing=True) from error


def _status(code: int, raw: bytes, headers: Mapping[str, str]) -> Refused:
    """The refusal an answer without success stands for, with the server's own words."""
    try:
        told = json.loads(raw)
    except (ValueError, RecursionError):
        told = None
    said = told.get("message") if isinstance(told, dict) and told.get("kind") == "Status" else None
    message = _MEANING.get(code) or (f"answers with a redirect ({code})" if 300 <= code < 400 else f"answers with {code}")
    if isinstance(said, str) and said:
        message += f": {printable(said)}"
    return Refused(message, code, passing=code in _PASSING, retry_after_seconds=_retry_after(headers))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    after = headers.get("Retry-After", "")
    return float(after) if after.isascii() and after.isdigit() and len(after) < 6 else None


def _broken(error: broken.HTTPError, timeouts: Timeouts) -> tuple[str]:
    """A transport error in words a person can act on."""
    match error:
        case broken.ConnectTimeoutError() if not isinstance(error, broken.NewConnectionError):
            return (f"no connection within {timeouts.connect:g} s",)
        case broken.ReadTimeoutError():
            return (f"no answer within {timeouts.read:g} s",)
        case broken.NameResolutionError():
            return (f"the server's name cannot be resolved: {printable(str(error))}",)
        case broken.NewConnectionError():
            return (f"cannot connect: {printable(str(error.__cause__ or error))}",)
        case broken.ProxyError():
            return (f"the proxy does not let us through: {printable(str(error))}",)
        case broken.SSLError():
            return (f"TLS: {printable(str(error))}",)
        case broken.DecodeError():
            return ("the answer is not whole gzip",)
        case broken.ProtocolError():
            return (f"the connection was lost: {printable(str(error))}",)
    return (f"the call failed: {printable(str(error))}",)
