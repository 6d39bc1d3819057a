"""How many volumes of a CSI driver a node can still attach (kube-scheduler's NodeVolumeLimits, kubernetes.md 3.8)."""

from __future__ import annotations

from descheduler.domain.objects import Cluster
from descheduler.domain.resources import UNLIMITED, VOLUMES
from tests.federation.reading import read, read_oddly, the_pod
from tests.raw import Json, node_json, pod_json
from tests.raw_storage import attachment_json, claim_json, class_json, csi_driver_json, csi_node_json, volume_json

EBS = "ebs.csi.aws.com"
PIECE = f"{VOLUMES}csi.example"


def mounting(name: str, *claims: str, on: str | None = None) -> Json:
    return pod_json(
        name, on=on, volumes=[{"name": f"v{i}", "persistentVolumeClaim": {"claimName": claim}} for i, claim in enumerate(claims)]
    )


def bound(*names: str, driver: str = "csi.example") -> list[Json]:
    """Claims, each bound to a volume of its name."""
    return [body for name in names for body in (claim_json(name, volume=f"pv-{name}"), volume_json(f"pv-{name}", driver=driver))]


def room(cluster: Cluster, node: str = "n1", driver: str = "csi.example") -> int:
    return next(n.allocatable[f"{VOLUMES}{driver}"] for n in cluster.nodes if n.ref.name == node)


LIMIT: list[Json] = [
    node_json("n1"),
    node_json("n2"),
    csi_node_json("n1", csi_example=3),
    csi_driver_json(),
    attachment_json("x", node="n9", volume="none"),
]


def test_a_pod_asks_for_a_piece_for_each_of_its_volumes() -> None:
    twice = volume_json("pv-c", handle="handle-pv-a")
    claims = [*bound("a", "b"), claim_json("c", volume="pv-c"), twice, *bound("d", driver="other.example"), claim_json("new"), class_json()]
    claims.append(volume_json("promised", claim="theirs"))

    def asked(*names: str) -> int:
        return the_pod(mounting("cart", *names), *claims, *LIMIT).spec.requests[PIECE]

    assert asked("a") == 1
    assert asked("a", "a") == 1
    assert asked("a", "b") == 2
    assert asked("a", "c") == 1  # two claims of one volume
    assert asked("a", "d") == 1  # another driver's
    assert asked("a", "new") == 2  # it will be of the same driver


def test_a_driver_that_nobody_limits_is_not_counted() -> None:
    cluster = read(mounting("cart", "a"), *bound("a"), node_json("n1"), csi_node_json("n1", csi_example=None), csi_driver_json())

    assert PIECE not in cluster.pods[0].spec.requests
    assert PIECE not in cluster.nodes[0].allocatable


def test_a_node_gives_what_its_limit_says_and_one_without_gives_any_number() -> None:
    cluster = read(mounting("cart", "a"), *bound("a"), *LIMIT)

    assert (room(cluster, "n1"), room(cluster, "n2")) == (3, UNLIMITED)


def test_a_limit_is_not_told_where_no_pod_asks() -> None:
    assert PIECE not in read(pod_json("cart"), *LIMIT).nodes[0].allocatable


def test_attachments_without_a_pod_take_a_piece_away() -> None:
    volumes = bound("a", "b", "c")
    pods = [mounting("here", "a", on="n1"), mounting("elsewhere", "b", on="n2")]

    def left(*attached: Json) -> int:
        return room(read(*pods, *volumes, *LIMIT, *attached))

    assert left(attachment_json("1", node="n1", volume="pv-a")) == 3  # the pod's own
    assert left(attachment_json("1", node="n1", volume="pv-b")) == 2
    assert left(attachment_json("1", node="n1", volume="pv-c"), attachment_json("2", node="n1", volume="pv-c")) == 2
    assert left(attachment_json("1", node="n2", volume="pv-c")) == 3
    assert left(attachment_json("1", node="n1", volume="gone")) == 3
    assert left(attachment_json("1", node="n1", volume=None)) == 3
    assert left(attachment_json("1", node="n1", volume="pv-c", driver="other.example")) == 3
    assert left(*(attachment_json(str(i), node="n1", volume=f"pv-{name}") for i, name in enumerate("bc"))) == 1


def test_more_attachments_than_the_limit_leave_nothing() -> None:
    strays = [attachment_json(name, node="n1", volume=f"pv-{name}") for name in ("b", "c", "d", "e")]

    assert room(read(mounting("cart", "a"), *bound("a", "b", "c", "d", "e"), *LIMIT, *strays)) == 0


def test_attachments_of_volumes_of_old_kinds_are_not_counted() -> None:
    old = volume_json("old", driver="", awsElasticBlockStore={})

    assert room(read(mounting("cart", "a"), *bound("a"), old, *LIMIT, attachment_json("1", node="n1", volume="old"))) == 3


def test_volumes_of_old_kinds_count_towards_the_driver_that_took_over() -> None:
    limit = {"metadata": {"name": "n1"}, "kind": "CSINode", "apiVersion": "storage.k8s.io/v1"}
    limit |= {"spec": {"drivers": [{"name": EBS, "allocatable": {"count": 5}}]}}
    inline = [{"name": "x", "awsElasticBlockStore": {"volumeID": "1"}}, {"name": "y", "awsElasticBlockStore": {"volumeID": "2"}}]
    objects = [claim_json("a", volume="pv-a"), volume_json("pv-a", driver="", awsElasticBlockStore={}), claim_json("new"), limit]
    objects.append(class_json(provisioner="kubernetes.io/aws-ebs"))

    def asked(pod: Json) -> int:
        return the_pod(pod, *objects).spec.requests[f"{VOLUMES}{EBS}"]

    assert asked(mounting("cart", "a", on="n1")) == 1
    assert asked(mounting("cart", "new", on="n1")) == 1
    assert asked(pod_json("cart", on="n1", volumes=inline)) == 2


def test_a_driver_that_must_be_on_the_node_is_nowhere_else() -> None:
    needed = csi_driver_json(preventPodSchedulingIfMissing=True)
    nodes = [node_json(name) for name in ("n1", "n2", "n3")]
    known = [csi_node_json("n1", csi_example=None), csi_node_json("n2", other_example=None)]

    cluster = read(mounting("cart", "a"), *bound("a"), *nodes, *known, needed, attachment_json("x", node="n9", volume="none"))

    assert [room(cluster, name) for name in ("n1", "n2", "n3")] == [UNLIMITED, 0, 0]


def test_a_node_whose_limits_cannot_be_read_gives_nothing() -> None:
    unreadable = csi_node_json("n2") | {"spec": {"drivers": [{"name": "csi.example", "allocatable": {"count": "many"}}]}}

    cluster, odd = read_oddly(mounting("cart", "a"), *bound("a"), *LIMIT, unreadable)

    assert room(cluster, "n2") == 0
    assert len(odd) == 1


def test_a_volume_of_which_nothing_is_known_may_be_of_any_driver() -> None:
    unreadable = volume_json("pv-a", nodeAffinity=[])

    cluster, _ = read_oddly(mounting("cart", "a", on="n1"), claim_json("a", volume="pv-a"), unreadable, *LIMIT)

    assert cluster.pods[0].spec.requests[PIECE] == 1
