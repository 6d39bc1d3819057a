"""One API server over real HTTP: what is asked for again, what is refused, and in which words."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from descheduler.clock import SystemClock
from descheduler.federation.kube import SILENT_SECONDS, TRIES, Connection, Refused, Timeouts
from descheduler.federation.kube_config import Context, client_for
from tests.fakes import FakeClock
from tests.federation.local_api import REVIEWS, TOKEN, Fault, LocalApi, connect, kubeconfig, status_json
from tests.raw import namespace_json

PODS = "/api/v1/pods"
SHORT = Timeouts(connect=0.5, read=0.2, whole=0.3)
OVERLOADED = Fault(429, status_json(429, "too many requests"))


@pytest.fixture
def api() -> Iterator[LocalApi]:
    with LocalApi() as running:
        yield running


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def connection(api: LocalApi, tmp_path: Path, clock: FakeClock) -> Connection:
    return connect(api, tmp_path, clock, timeouts=SHORT)


def refusal(connection: Connection, path: str = PODS, kind: str = "PodList") -> Refused:
    """How the answer is refused; no refusal may tell the token."""
    with pytest.raises(Refused) as refused:
        connection.get(path, kind=kind)
    assert TOKEN not in str(refused.value)
    assert "\n" not in str(refused.value)
    return refused.value


def test_answers_come_as_gzip_over_one_named_client(api: LocalApi, connection: Connection) -> None:
    api.hold(*(namespace_json(f"space-{i}") for i in range(50)))

    body = connection.get("/api/v1/namespaces", kind="NamespaceList")

    assert len(body["items"]) == 51
    assert api.asked[0].headers["accept-encoding"] == "gzip"
    assert api.asked[0].headers["user-agent"].startswith("descheduler/")


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_passing_trouble_is_asked_again(status: int, api: LocalApi, connection: Connection, clock: FakeClock) -> None:
    api.fail(PODS, *[Fault(status, "try again")] * (TRIES - 1))

    assert connection.get(PODS, kind="PodList")["items"] == []
    assert 2 <= clock.slept.total_seconds() <= 5


def test_a_trouble_that_stays_is_told_in_the_server_s_words(api: LocalApi, connection: Connection) -> None:
    api.fail(PODS, *[OVERLOADED] * TRIES)

    told = refusal(connection)

    assert (told.code, str(told)) == (429, "answers with 429: too many requests")
    assert len(api.asked) == TRIES


def test_the_pause_the_server_asks_for_is_kept(api: LocalApi, connection: Connection, clock: FakeClock) -> None:
    api.fail(PODS, Fault(429, "", {"Retry-After": "7"}))

    connection.get(PODS)

    assert clock.slept.total_seconds() == 7


def test_no_server_makes_us_wait_for_long(api: LocalApi, connection: Connection, clock: FakeClock) -> None:
    api.fail(PODS, Fault(503, "", {"Retry-After": "86400"}))

    connection.get(PODS)

    assert clock.slept.total_seconds() == 10


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (401, "the credentials are not accepted (401 Unauthorized): no"),
        (403, "not allowed (403 Forbidden): no"),
        (404, "not found (404): no"),
        (410, "answers with 410: no"),
    ],
)
def test_a_firm_no_is_not_asked_again(status: int, told: str, api: LocalApi, connection: Connection) -> None:
    api.fail(PODS, Fault(status, status_json(status, "no")))

    refused = refusal(connection)

    assert (refused.code, str(refused)) == (status, told)
    assert len(api.asked) == 1


def test_a_redirect_is_not_followed_with_the_token(api: LocalApi, connection: Connection) -> None:
    api.fail(PODS, Fault(302, "", {"Location": f"{api.url}/api/v1/nodes"}))

    assert str(refusal(connection)) == "answers with a redirect (302)"
    assert [asked.path for asked in api.asked] == [PODS]


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(200, "<html>sign in</html>", {"Content-Type": "text/html"}), "the answer is text/html, not JSON"),
        (Fault(200, {"kind": "NodeList", "items": []}), "the answer is a NodeList, not a PodList"),
        (Fault(200, status_json(200, "fine")), "the answer is a Status, not a PodList"),
        (Fault(200, "[]"), "the answer is not a JSON object"),
    ],
)
def test_a_200_of_something_else_is_not_believed(fault: Fault, told: str, api: LocalApi, connection: Connection) -> None:
    api.fail(PODS, fault)

    assert str(refusal(connection)).startswith(told)
    assert len(api.asked) == 1


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(200, '{"kind": "PodList", "ite'), "the answer is not whole JSON"),
        (Fault(200, "[" * 100_000), "the answer is not whole JSON"),
        (Fault(200, '{"kind": "PodList", "items": []}', cut=10), "the connection was lost"),
        (Fault(200, "x" * 50, {"Content-Encoding": "gzip"}), "the answer is not whole gzip"),
        (Fault(hang=True), "no answer within 0.2 s"),
    ],
)
def test_a_broken_answer_is_asked_for_again(fault: Fault, told: str, api: LocalApi, connection: Connection) -> None:
    api.fail(PODS, fault)

    assert connection.get(PODS, kind="PodList")["items"] == []

    api.fail(PODS, *[fault] * TRIES)
    assert str(refusal(connection)).startswith(told)


def test_a_server_that_gave_no_answer_at_all_is_left_alone_for_a_moment(api: LocalApi, connection: Connection, clock: FakeClock) -> None:
    """Else each of twenty moves would wait for it in vain, one after the other."""
    api.fail(PODS, *[Fault(hang=True)] * TRIES)
    refusal(connection)

    assert str(refusal(connection)) == f"no answer in {TRIES} attempts a moment ago"
    assert len(api.asked) == TRIES

    clock.sleep(timedelta(seconds=SILENT_SECONDS))
    assert connection.get(PODS, kind="PodList")["items"] == []


def test_a_server_that_never_ends_its_answer_is_cut_off(api: LocalApi, tmp_path: Path) -> None:
    api.fail(PODS, Fault(trickle=True))

    told = refusal(connect(api, tmp_path, SystemClock(), timeouts=SHORT))

    assert str(told) == "the answer did not end within 0.3 s"


def test_a_server_that_is_down_is_told_so(tmp_path: Path, clock: FakeClock) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        path = kubeconfig(tmp_path / "k", {"east": f"http://127.0.0.1:{unused.getsockname()[1]}"})

        told = refusal(Connection(client_for(Context(str(path))), clock, SHORT))

    assert str(told).startswith("cannot connect: ")
    assert "refused" in str(told)


def test_a_server_without_tls_is_not_spoken_to_in_the_clear(api: LocalApi, tmp_path: Path, clock: FakeClock) -> None:
    path = kubeconfig(tmp_path / "k", {"east": api.url.replace("http:", "https:")})

    told = refusal(Connection(client_for(Context(str(path))), clock, SHORT))

    assert str(told).startswith("TLS: ")
    assert api.asked == []


def test_a_name_that_means_nothing_is_told_so(tmp_path: Path, clock: FakeClock) -> None:
    path = kubeconfig(tmp_path / "k", {"east": "http://no-such-host.invalid:1"})

    told = refusal(Connection(client_for(Context(str(path))), clock, SHORT))

    assert "no-such-host.invalid" in str(told)


def test_a_token_that_cannot_be_a_header_is_not_told(api: LocalApi, tmp_path: Path, clock: FakeClock) -> None:
    connection = connect(api, tmp_path, clock, user={"token": f"{TOKEN}\nX: y"})

    assert str(refusal(connection)) == "the request cannot be formed: broken token or server address"


def test_what_a_server_says_cannot_play_with_the_terminal(api: LocalApi, connection: Connection) -> None:
    api.fail(PODS, Fault(403, status_json(403, "\x1b[2Jgone\n" + "x" * 1000)))

    told = str(refusal(connection))

    assert told.isprintable()
    assert len(told) < 400


def test_a_review_of_ourselves_is_asked_again_like_a_get(api: LocalApi, connection: Connection) -> None:
    path = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    api.fail(path, OVERLOADED)

    status = connection.review(path, REVIEWS[path], {})

    assert status == {"userInfo": {"username": "reader"}}
    assert api.asked[1].body == {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
