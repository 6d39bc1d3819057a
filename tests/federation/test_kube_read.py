"""One cluster, live: read in the right order, believed only from one who knows us, and equal to what a recording says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from descheduler.domain.objects import Cluster
from descheduler.federation.convert import ClusterBuilder, cluster_from_objects
from descheduler.federation.kube import Connection, Refused
from descheduler.federation.kube_discovery import movers_found
from descheduler.federation.kube_lists import LISTS, PODS
from descheduler.federation.kube_read import nothing_waits, read_cluster
from tests.fakes import FakeClock
from tests.federation.local_api import UID, Fault, Kept, LocalApi, connect, status_json
from tests.raw import budget_json, deployment_json, namespace_json, node_json, owner_json, pod_json, replicaset_json

WHO = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
RIGHTS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
OBJECTS = (
    namespace_json("shop"),
    node_json("n1"),
    node_json("n2", zone="a"),
    pod_json("cart", on="n1", cpu="1", labels={"app": "cart"}, owner=owner_json("ReplicaSet", "cart-1")),
    pod_json("big", cpu="3"),
    replicaset_json("cart-1", deployment="cart"),
    deployment_json("cart"),
    budget_json("cart", labels={"app": "cart"}),
)


@pytest.fixture
def api() -> Iterator[LocalApi]:
    with LocalApi(*OBJECTS, page=2) as running:
        yield running


@pytest.fixture
def connection(api: LocalApi, tmp_path: Path) -> Connection:
    return connect(api, tmp_path, FakeClock())


def read(connection: Connection) -> Cluster:
    builder = ClusterBuilder("east")
    discovered = read_cluster(connection, builder)
    builder.uid = discovered.uid
    return builder.build()[0]


def test_a_live_cluster_equals_its_recording(connection: Connection) -> None:
    recorded, _ = cluster_from_objects("east", (namespace_json("kube-system"), *OBJECTS), uid=UID)

    live = read(connection)

    assert (live.nodes, live.pods, live.workloads) == (recorded.nodes, recorded.pods, recorded.workloads)
    assert (live.budgets, live.namespaces, live.uid) == (recorded.budgets, recorded.namespaces, recorded.uid)
    assert live.absent == ()


def test_we_are_known_before_anything_is_listed_and_nodes_come_before_pods(api: LocalApi, connection: Connection) -> None:
    read(connection)

    paths = list(dict.fromkeys(asked.path for asked in api.asked))
    assert paths[:6] == [WHO, "/api/v1/namespaces/kube-system", RIGHTS, "/version", "/apis/fleet.descheduler.io/v1alpha1", "/api/v1/nodes"]
    assert paths[6] == PODS.path
    assert {asked.method for asked in api.asked if asked.path not in (WHO, RIGHTS)} == {"GET"}


def test_what_discovery_finds_is_told(api: LocalApi, connection: Connection) -> None:
    api.user = "system:serviceaccount:descheduler:descheduler"

    found = read_cluster(connection, Kept())

    assert (found.user, found.uid, found.server_version) == (api.user, UID, "v1.36.2")
    assert found.movers == ("Surge", "Evict", "Recreate")


@pytest.mark.parametrize(("version", "surge"), [("v1.22.0", True), ("v1.21.14", False), ("v1.36.2+k3s1", True), ("v0.0.0-master", True)])
def test_surge_needs_a_server_that_heeds_deletion_costs(version: str, surge: bool) -> None:
    assert ("Surge" in movers_found(version)) is surge
    assert "Hold" not in movers_found(version)


def test_a_pod_on_a_node_that_came_later_is_left_out(api: LocalApi, connection: Connection) -> None:
    api.hold(pod_json("early-bird", on="n3"))
    kept = Kept()

    read_cluster(connection, kept)

    assert kept.of("Pod") == ["cart", "big"]
    assert kept.remarks == [("pods", "1 left out: their nodes came or went while the cluster was read")]


# Rights.


def test_missing_rights_are_named_verb_by_verb_before_anything_is_listed(api: LocalApi, connection: Connection) -> None:
    api.forbidden = {"poddisruptionbudgets", "pods", "events"}

    with pytest.raises(Refused, match=r"^reader may not list pods, list poddisruptionbudgets\.policy$"):
        read(connection)

    assert not [asked for listing in LISTS for asked in api.lists_of(listing.path)]

    api.fail("/api/v1/namespaces/kube-system", Fault(403, status_json(403, "no")))
    with pytest.raises(Refused, match=r"^reader may not get namespaces, list pods, list poddisruptionbudgets\.policy$"):
        read(connection)


def test_what_can_be_done_without_is_a_remark(api: LocalApi, connection: Connection) -> None:
    api.forbidden = {"events", "runtimeclasses"}
    kept = Kept()

    read_cluster(connection, kept)

    assert kept.remarks == [("rights", "may not list runtimeclasses.node.k8s.io, list events: taken as unknown")]
    assert not {"Event", "RuntimeClass"} & set(kept.seen)


def test_rights_that_cannot_be_asked_about_show_at_the_lists(api: LocalApi, connection: Connection) -> None:
    api.missing = {RIGHTS}
    api.forbidden = {"events", "deployments"}

    with pytest.raises(Refused, match=r"^list deployments\.apps: not allowed \(403 Forbidden\): deployments is forbidden"):
        read(connection)


def test_an_optional_kind_that_is_not_served_is_done_without(api: LocalApi, connection: Connection) -> None:
    api.missing = {"/apis/node.k8s.io/v1/runtimeclasses"}

    assert read(connection).absent == ("RuntimeClass",)


def test_a_needed_kind_that_is_not_served_is_no_empty_list(api: LocalApi, connection: Connection) -> None:
    api.missing = {"/apis/policy/v1/poddisruptionbudgets"}

    with pytest.raises(Refused, match=r"^list poddisruptionbudgets\.policy: not found"):
        read(connection)


# Who we are, and where.


def test_an_empty_list_for_nobody_is_not_believed(api: LocalApi, tmp_path: Path) -> None:
    api.believes_anyone = True

    with pytest.raises(Refused, match="takes us for system:anonymous: no credentials reached it"):
        read(connect(api, tmp_path, FakeClock(), user={}))


def test_an_expired_token_is_told_so(api: LocalApi, tmp_path: Path) -> None:
    with pytest.raises(Refused, match=r"^the credentials are not accepted \(401 Unauthorized\): Unauthorized$"):
        read(connect(api, tmp_path, FakeClock(), user={"token": "expired"}))


def test_a_server_too_old_to_say_who_we_are_is_read_but_its_empty_lists_are_not_believed(api: LocalApi, connection: Connection) -> None:
    api.missing = {WHO}

    assert len(read(connection).nodes) == 2

    api.objects["Pod"].clear()
    with pytest.raises(Refused, match="not taken as empty"):
        read(connection)


def test_another_cluster_than_the_one_expected_is_refused(api: LocalApi, connection: Connection) -> None:
    with pytest.raises(Refused) as refused:
        read_cluster(connection, Kept(), uid="uid-of-west")

    assert str(refused.value) == f"{api.url} is another cluster: kube-system has the UID {UID}, the fleet file says uid-of-west"
    assert not api.lists_of(PODS.path)


@pytest.mark.parametrize("path", [WHO, RIGHTS, "/api/v1/namespaces/kube-system"])
def test_a_proxy_that_says_yes_to_everything_is_not_believed(path: str, api: LocalApi, connection: Connection) -> None:
    api.fail(path, Fault(200, {"kind": "Status", "apiVersion": "v1", "status": "Success"}))

    with pytest.raises(Refused, match="is a proxy in between"):
        read(connection)


def test_a_version_that_is_kept_secret_is_no_obstacle(api: LocalApi, connection: Connection) -> None:
    api.fail("/version", Fault(403, status_json(403, "no")))

    assert read_cluster(connection, Kept()).server_version == ""


# Triage.


def test_nothing_waits_when_every_pod_has_a_node_or_is_leaving(api: LocalApi, connection: Connection) -> None:
    assert not nothing_waits(connection)

    api.objects["Pod"] = [pod for pod in api.objects["Pod"] if pod["metadata"]["name"] != "big"]
    api.hold(pod_json("leaving", metadata={"deletionTimestamp": "2026-11-23T11:59:00Z"}), pod_json("done", phase="Succeeded"))
    assert nothing_waits(connection)


def test_triage_asks_for_the_unbound_pods_only_from_the_cache(api: LocalApi, connection: Connection) -> None:
    nothing_waits(connection, UID)

    assert [asked.path for asked in api.asked] == [WHO, "/api/v1/namespaces/kube-system", PODS.path]
    assert api.asked[-1].query == {
        "fieldSelector": "spec.nodeName=,status.phase!=Succeeded,status.phase!=Failed",
        "resourceVersion": "0",
    }


@pytest.mark.parametrize("trouble", ["old", "nobody", "other"])
def test_triage_believes_no_empty_list_it_has_no_reason_to(trouble: str, api: LocalApi, tmp_path: Path) -> None:
    api.objects["Pod"].clear()
    api.missing = {WHO} if trouble == "old" else set()
    api.believes_anyone = trouble == "nobody"
    connection = connect(api, tmp_path, FakeClock(), user={} if trouble == "nobody" else None)

    with pytest.raises(Refused):
        nothing_waits(connection, "another" if trouble == "other" else "")
