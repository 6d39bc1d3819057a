"""Lists in pages: in whole, once, and begun again when they expire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from descheduler.federation.kinds import KINDS
from descheduler.federation.kube import Connection, Refused
from descheduler.federation.kube_lists import LISTS, PODS, Listing, read_list
from tests.fakes import FakeClock
from tests.federation.local_api import Fault, Kept, LocalApi, connect, status_json
from tests.raw import pod_json

EXPIRED = Fault(410, status_json(410, "The provided continue parameter is too old", "Expired"))
EVENTS = next(listing for listing in LISTS if listing.kind == "Event")


@pytest.fixture
def api() -> Iterator[LocalApi]:
    with LocalApi(*(pod_json(f"pod-{i}") for i in range(7)), page=3) as running:
        yield running


@pytest.fixture
def connection(api: LocalApi, tmp_path: Path) -> Connection:
    return connect(api, tmp_path, FakeClock())


def names(count: int = 7) -> list[str]:
    return [f"pod-{i}" for i in range(count)]


def test_every_kind_the_conversion_knows_is_listed_once() -> None:
    assert sorted(listing.kind for listing in LISTS) == sorted(KINDS)
    assert all(listing.group in KINDS[listing.kind].groups for listing in LISTS)


def test_all_pages_are_read_with_the_same_parameters_and_no_resource_version(api: LocalApi, connection: Connection) -> None:
    kept = Kept()

    assert read_list(connection, PODS, kept) == 7

    assert kept.of("Pod") == names()
    assert kept.seen == ["Pod"]
    queries = [dict(asked.query) for asked in api.asked]
    assert [query.pop("continue", "") for query in queries] == ["", "3", "6"]
    assert queries == [{"limit": "500", "fieldSelector": "status.phase!=Succeeded,status.phase!=Failed"}] * 3


def test_finished_pods_never_cross_the_wire(api: LocalApi, connection: Connection) -> None:
    api.hold(pod_json("done", on="n", phase="Succeeded"), pod_json("gone", on="n", phase="Failed"))
    kept = Kept()

    assert read_list(connection, PODS, kept) == 7


def test_only_events_that_announce_a_node_are_asked_for(api: LocalApi, connection: Connection) -> None:
    for i, reason in enumerate(("TriggeredScaleUp", "BackOff", "Nominated", "Killing")):
        api.objects["Event"].append({"metadata": {"name": f"event-{i}", "namespace": "shop"}, "reason": reason})
    kept = Kept()

    read_list(connection, EVENTS, kept)

    assert kept.of("Event") == ["event-0", "event-2"]


def test_only_what_is_wanted_is_handed_over(connection: Connection) -> None:
    kept = Kept()

    read_list(connection, PODS, kept, lambda: lambda pod: pod["metadata"]["name"] > "pod-4")

    assert kept.of("Pod") == ["pod-5", "pod-6"]


def test_a_list_that_expires_on_the_way_begins_again(api: LocalApi, connection: Connection) -> None:
    kept = Kept()
    api.page = 4
    connection.get(PODS.path)
    api.fail(PODS.path, Fault(200, page_json("pod-from-before", going_on="4")), EXPIRED)

    read_list(connection, PODS, kept)

    assert kept.of("Pod") == names()
    assert [asked.query.get("continue", "") for asked in api.asked[1:]] == ["", "4", "", "4"]


def test_a_list_that_expires_twice_is_given_up(api: LocalApi, connection: Connection) -> None:
    api.fail(PODS.path, EXPIRED, EXPIRED)
    kept = Kept()

    with pytest.raises(Refused, match="answers with 410: The provided continue parameter is too old"):
        read_list(connection, PODS, kept)

    assert kept.seen == []


def test_a_page_that_fails_in_passing_is_read_again_and_only_it(api: LocalApi, connection: Connection) -> None:
    kept = Kept()
    api.fail(PODS.path, Fault(200, page_json("pod-0", "pod-1", "pod-2", going_on="3")), Fault(503), Fault(200, "{}", cut=1))

    read_list(connection, PODS, kept)

    assert kept.of("Pod") == names()


def test_a_list_that_goes_in_circles_is_given_up(api: LocalApi, connection: Connection) -> None:
    api.fail(PODS.path, *[Fault(200, page_json("pod-0", going_on="3"))] * 2)

    with pytest.raises(Refused, match="the same page comes again"):
        read_list(connection, PODS, Kept())


def test_no_items_is_an_empty_list(api: LocalApi, connection: Connection) -> None:
    api.fail(PODS.path, Fault(200, {"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": None}))

    assert read_list(connection, PODS, Kept()) == 0


@pytest.mark.parametrize(
    "body",
    [
        {"kind": "PodList", "apiVersion": "v2", "items": []},
        {"kind": "PodList", "apiVersion": "v1", "items": {}},
        {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": 7}},
    ],
)
def test_a_list_of_something_else_is_refused(body: dict[str, object], api: LocalApi, connection: Connection) -> None:
    api.fail(PODS.path, Fault(200, body))

    with pytest.raises(Refused):
        read_list(connection, PODS, Kept())


def page_json(*pods: str, going_on: str) -> dict[str, object]:
    """One page of pods, with the token of the next."""
    items = [pod_json(name) for name in pods]
    return {"kind": "PodList", "apiVersion": "v1", "metadata": {"continue": going_on}, "items": items}


def test_groups_are_spelt_as_rbac_and_urls_spell_them() -> None:
    listing = Listing(kind="Job", resource="jobs", group="batch")

    assert (listing.path, listing.shown, listing.api_version) == ("/apis/batch/v1/jobs", "jobs.batch", "batch/v1")
    assert (PODS.path, PODS.shown, PODS.api_version) == ("/api/v1/pods", "pods", "v1")
