"""Snapshot directories: every form DESIGN.md section 4 allows gives the same fleet, every other is refused in one clear message."""

from __future__ import annotations

import gzip
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from descheduler.domain.snapshot import Remark, Snapshot, digest
from descheduler.errors import NothingReadable, UsageError
from descheduler.federation.recorded import RecordedFleet
from tests.raw import deployment_json, list_json, namespace_json, node_json, pod_json, replicaset_json, write_cluster, write_json

HEAD = "apiVersion: fleet.descheduler.io/v1alpha1\nkind: Fleet\n"
NODES = [node_json("n1"), node_json("n2")]
PODS = [pod_json("cart", on="n1", cpu="1"), pod_json("till", cpu="2")]
OBJECTS = [*NODES, *PODS, deployment_json("cart"), replicaset_json("cart-5d8", deployment="cart")]


def snapshot(directory: Path) -> Snapshot:
    return RecordedFleet(directory).snapshot()


def refusal(directory: Path) -> str:
    with pytest.raises(UsageError) as raised:
        snapshot(directory)
    assert raised.value.exit_code == 2
    return str(raised.value)


def without_type(item: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in item.items() if key not in ("kind", "apiVersion")}


def as_json_list(folder: Path) -> None:
    write_json(folder / "all.json", list_json(OBJECTS))


def as_kubectl_orders_it(folder: Path) -> None:
    (folder / "all.json").write_text(json.dumps({"apiVersion": "v1", "items": OBJECTS, "kind": "List"}, indent=4))


def as_one_gzipped_file_per_kind(folder: Path) -> None:
    write_json(folder / "nodes.json.gz", list_json(NODES))
    write_json(folder / "pods.json.gz", list_json(PODS))
    write_json(folder / "rest.json.gz", list_json(OBJECTS[4:]))


def as_typed_lists(folder: Path) -> None:
    write_json(folder / "nodes.json", {"items": [without_type(node) for node in NODES], "kind": "NodeList", "apiVersion": "v1"})
    write_json(folder / "pods.json", {"kind": "PodList", "apiVersion": "v1", "items": [without_type(pod) for pod in PODS]})
    for kind, item in (("DeploymentList", OBJECTS[4]), ("ReplicaSetList", OBJECTS[5])):
        write_json(folder / f"{kind}.json", {"kind": kind, "apiVersion": "apps/v1", "items": [without_type(item)]})


def as_single_objects(folder: Path) -> None:
    for i, item in enumerate(OBJECTS):
        write_json(folder / f"deep/{i}.json", item)


def as_concatenated_json(folder: Path) -> None:
    (folder / "all.json").write_text("\n".join(json.dumps(item) for item in OBJECTS))


def as_yaml_documents(folder: Path) -> None:
    (folder / "all.yaml").write_text("---\n" + yaml.safe_dump_all(OBJECTS, explicit_start=True))


def as_yaml_list(folder: Path) -> None:
    (folder / "all.yml").write_text(yaml.safe_dump(list_json(OBJECTS)))


def as_yaml_with_bare_times(folder: Path) -> None:
    text = yaml.safe_dump(list_json(OBJECTS))
    assert "'2026-11-20T12:00:00Z'" in text
    (folder / "all.yaml").write_text(text.replace("'2026-11-20T12:00:00Z'", "2026-11-20T12:00:00Z"))


def as_gzipped_yaml(folder: Path) -> None:
    (folder / "all.yaml.gz").write_bytes(gzip.compress(yaml.safe_dump(list_json(OBJECTS)).encode()))


def as_powershell_writes_it(folder: Path) -> None:
    (folder / "all.json").write_text(json.dumps(list_json(OBJECTS)), encoding="utf-16")


def as_lists_in_a_list(folder: Path) -> None:
    write_json(folder / "all.json", list_json([list_json(NODES), list_json(OBJECTS[2:])]))


def as_the_same_twice(folder: Path) -> None:
    as_json_list(folder)
    as_single_objects(folder)


FORMS = [
    as_json_list,
    as_kubectl_orders_it,
    as_one_gzipped_file_per_kind,
    as_typed_lists,
    as_single_objects,
    as_concatenated_json,
    as_yaml_documents,
    as_yaml_list,
    as_yaml_with_bare_times,
    as_gzipped_yaml,
    as_powershell_writes_it,
    as_lists_in_a_list,
    as_the_same_twice,
]


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_fleet(tmp_path: Path, form: Any) -> None:
    write_cluster(tmp_path / "plain" / "east", *OBJECTS)
    (tmp_path / "other" / "east").mkdir(parents=True)
    form(tmp_path / "other" / "east")

    expected, found = snapshot(tmp_path / "plain"), snapshot(tmp_path / "other")

    assert found == expected
    assert digest(found) == digest(expected)


def test_a_folder_is_a_cluster(tmp_path: Path) -> None:
    write_cluster(tmp_path / "west", *OBJECTS)
    write_cluster(tmp_path / "east", *NODES, *PODS)

    found = snapshot(tmp_path)

    assert [cluster.name for cluster in found.clusters] == ["east", "west"]
    assert found.clusters[0].pods[0].ref.cluster == "east"
    assert found.federation == "Standalone"


def test_another_request_gives_another_digest(tmp_path: Path) -> None:
    write_cluster(tmp_path / "a" / "east", node_json("n1"), pod_json("cart", on="n1", cpu="1", memory="1Gi"))
    write_cluster(tmp_path / "b" / "east", node_json("n1"), pod_json("cart", on="n1", cpu="2", memory="1Gi"))

    assert digest(snapshot(tmp_path / "a")) != digest(snapshot(tmp_path / "b"))


def test_now_is_the_newest_time_in_the_fleet(tmp_path: Path) -> None:
    late = pod_json("late", on="n1", status={"startTime": "2026-11-23T11:45:00Z"})
    write_cluster(tmp_path / "east", *NODES, *PODS, late, deployment_json("cart", annotations={"x": "2027-01-01T00:00:00Z"}))

    assert snapshot(tmp_path).taken_at == datetime(2026, 11, 23, 11, 45, tzinfo=UTC)


def test_the_fleet_file_may_say_when_it_was_taken(tmp_path: Path) -> None:
    write_cluster(tmp_path / "east", *OBJECTS)
    (tmp_path / "fleet.yaml").write_text(
        HEAD + 'takenAt: "2026-11-23T12:00:00Z"\nclusters: [{name: east, serverVersion: v1.36.2, movers: [Hold]}]\n'
    )

    found = snapshot(tmp_path)

    assert found.taken_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert (found.clusters[0].server_version, found.clusters[0].movers) == ("v1.36.2", ("Hold",))


def test_a_fleet_without_any_time_is_remarked_upon(tmp_path: Path) -> None:
    bare = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n1"}, "status": {"allocatable": {"cpu": "1"}}}
    write_cluster(tmp_path / "east", bare, {**bare, "kind": "Pod", "spec": {"containers": [{"name": "a"}]}})

    assert any("no time is known" in remark.message for remark in snapshot(tmp_path).remarks)


def test_kinds_nobody_recorded_are_named(tmp_path: Path) -> None:
    write_cluster(tmp_path / "east", *OBJECTS)
    write_json(tmp_path / "east" / "pdb.json", {"apiVersion": "policy/v1", "kind": "PodDisruptionBudgetList", "items": []})

    message = snapshot(tmp_path).remarks[0].message

    assert "StatefulSet" in message
    assert "PodDisruptionBudget" not in message


def test_a_folder_whose_name_is_no_dns_label_is_slugged_and_named(tmp_path: Path) -> None:
    write_cluster(tmp_path / "Prod_East", *OBJECTS)

    found = snapshot(tmp_path)

    assert found.clusters[0].name == "prod-east"
    assert (
        Remark(cluster="prod-east", subject="folder Prod_East", message="is called prod-east here: a cluster's name is a DNS label")
        in found.remarks
    )


def test_what_is_no_kubernetes_object_is_passed_over(tmp_path: Path) -> None:
    write_cluster(tmp_path / "east", *OBJECTS)
    expected = snapshot(tmp_path)
    (tmp_path / "README.md").write_text("read me")
    (tmp_path / "policy.yaml").write_text("apiVersion: fleet.descheduler.io/v1alpha1\nkind: DeschedulePolicy\n")
    (tmp_path / ".git").mkdir()
    (tmp_path / "east" / "notes.txt").write_text("{")
    (tmp_path / "east" / ".hidden.json").write_text("{")
    write_json(tmp_path / "east" / "package.json", {"name": "x"})

    found = snapshot(tmp_path)

    assert found.clusters == expected.clusters
    assert [remark.subject for remark in found.remarks] == ["fleet", "file package.json"]


def test_links_to_folders_are_not_followed_round_in_circles(tmp_path: Path) -> None:
    write_cluster(tmp_path / "east", *OBJECTS)
    (tmp_path / "east" / "loop").symlink_to(tmp_path / "east")

    assert len(snapshot(tmp_path).clusters[0].nodes) == 2


BROKEN = {
    "truncated.json": (json.dumps(list_json(OBJECTS))[:-40].encode(), "line 1 column"),
    "comma.json": (b'{"kind": "List", "items": [1 2]}', "line 1 column 30: Expecting ']'"),
    "empty.json": (b"", "is empty"),
    "nan.json": (b'{"kind": "Pod", "x": NaN}', "NaN is not JSON"),
    "huge.json": (b'{"kind": "Pod", "x": ' + b"9" * 5000 + b"}", "limit"),
    "deep.json": (b"[" * 200_000, "nested too deeply"),
    "latin.json": (b'{"kind": "P\xf6d"}', "is not utf-8 text"),
    "cut.json.gz": (gzip.compress(b"{}" * 1000)[:20], "end-of-stream"),
    "plain.json.gz": (b"{}", "gzip"),
    "tab.yaml": (b"a:\n\t- b\n", "line 2 column 1"),
    "tag.yaml": (b"!!python/object:os.system {}\n", "could not determine a constructor"),
    "deep.yaml": (b"[" * 200_000, "line 1 column"),
    "huge.yaml": (b"a: " + b"9" * 5000, "limit"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_an_unreadable_file_makes_its_cluster_unreadable(tmp_path: Path, name: str) -> None:
    content, told = BROKEN[name]
    write_cluster(tmp_path / "east", *OBJECTS)
    write_cluster(tmp_path / "west", *OBJECTS)
    (tmp_path / "east" / name).write_bytes(content)

    found = snapshot(tmp_path)

    assert [cluster.name for cluster in found.clusters] == ["west"]
    assert found.unreadable[0].cluster == "east"
    assert found.unreadable[0].reason.startswith(f"east/{name}: ")
    assert told in found.unreadable[0].reason


def test_a_broken_link_is_an_unreadable_file(tmp_path: Path) -> None:
    write_cluster(tmp_path / "east", *OBJECTS)
    write_cluster(tmp_path / "west", *OBJECTS)
    (tmp_path / "east" / "pods.json").symlink_to(tmp_path / "gone.json")

    assert snapshot(tmp_path).unreadable[0].reason == "east/pods.json: is not a regular file"


def test_doubled_keys_do_not_make_reading_fail(tmp_path: Path) -> None:
    write_cluster(tmp_path / "east", *OBJECTS)
    (tmp_path / "east" / "more.json").write_text(
        '{"kind": "Pod", "kind": "Secret", "apiVersion": "v1", "metadata": {"name": "a", "name": "b"}}'
    )

    assert len(snapshot(tmp_path).clusters[0].pods) == 2


def test_if_no_cluster_can_be_read_every_reason_is_told(tmp_path: Path) -> None:
    write_json(tmp_path / "east" / "pods.json", list_json(PODS))
    (tmp_path / "west").mkdir()
    (tmp_path / "west" / "all.json").write_text("{")

    with pytest.raises(NothingReadable) as raised:
        snapshot(tmp_path)

    assert "east: holds no Node" in str(raised.value)
    assert "west: west/all.json: line 1 column 2" in str(raised.value)


def test_nodes_and_pods_are_needed(tmp_path: Path) -> None:
    write_cluster(tmp_path / "east", *OBJECTS)
    write_json(tmp_path / "west" / "nodes.json", list_json(NODES))
    write_json(tmp_path / "idle" / "nodes.json", list_json(NODES))
    write_json(tmp_path / "idle" / "pods.json", list_json([]))

    found = snapshot(tmp_path)

    assert [cluster.name for cluster in found.clusters] == ["east", "idle"]
    assert found.unreadable[0].reason.startswith("holds no Pod; expected one folder per cluster")


def test_a_directory_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    assert "does not exist; expected one folder per cluster" in refusal(tmp_path / "gone")
    assert "is not a directory" in refusal(tmp_path / "file")


def test_an_empty_directory_is_refused(tmp_path: Path) -> None:
    assert "holds no folder; expected one folder per cluster" in refusal(tmp_path)


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "main.go").write_text("package main")
    write_json(tmp_path / "web" / "package.json", {"name": "web"})

    told = refusal(tmp_path)

    assert "src: the folder holds no .json or .yaml file; expected one folder per cluster" in told
    assert "web: holds no Node and no Pod" in told


def test_objects_at_the_root_are_refused(tmp_path: Path) -> None:
    write_cluster(tmp_path / "east", *OBJECTS)
    write_json(tmp_path / "pods.json", list_json(PODS))

    assert "Kubernetes objects at the root" in refusal(tmp_path)


def test_a_listed_cluster_without_folder_is_refused(tmp_path: Path) -> None:
    write_cluster(tmp_path / "east", *OBJECTS)
    (tmp_path / "fleet.yaml").write_text(HEAD + "clusters:\n- {name: east}\n- {name: west}\n")

    assert "fleet.yaml:5: clusters[1].name: there is no folder" in refusal(tmp_path)


def test_a_folder_that_is_not_listed_is_refused(tmp_path: Path) -> None:
    write_cluster(tmp_path / "east", *OBJECTS)
    write_cluster(tmp_path / "west", *OBJECTS)
    (tmp_path / "fleet.yaml").write_text(HEAD + "clusters:\n- {name: east}\n")

    assert "west: this folder is not listed under clusters" in refusal(tmp_path)


def test_a_fleet_without_clusters_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fleet.yaml").write_text(HEAD + "clusters: []\n")

    assert "fleet.yaml: clusters: empty" in refusal(tmp_path)


def test_tensile_kube_is_refused_for_now(tmp_path: Path) -> None:
    write_cluster(tmp_path / "east", *OBJECTS)
    (tmp_path / "fleet.yaml").write_text(HEAD + "federation: {kind: TensileKube}\n")

    assert "TensileKube is not supported yet" in refusal(tmp_path)


def test_a_folder_of_another_cluster_is_refused(tmp_path: Path) -> None:
    write_cluster(tmp_path / "east", *OBJECTS, namespace_json("kube-system", uid="theirs"))
    (tmp_path / "fleet.yaml").write_text(HEAD + "clusters:\n- {name: east, uid: ours}\n")

    assert "fleet.yaml:4: uid: ours is not that of kube-system" in refusal(tmp_path)


def test_one_cluster_under_two_names_is_refused(tmp_path: Path) -> None:
    for name in ("east", "west"):
        write_cluster(tmp_path / name, *OBJECTS, namespace_json("kube-system", uid="same"))

    assert "east and west are the same cluster" in refusal(tmp_path)


def test_a_cluster_is_read_the_same_under_another_order_of_files(tmp_path: Path) -> None:
    newer = [pod_json("cart", on="n2", version="2000")]
    for name, first, second in (("a", "1.json", "2.json"), ("b", "2.json", "1.json")):
        write_json(tmp_path / name / "east" / first, list_json(OBJECTS))
        write_json(tmp_path / name / "east" / second, list_json(newer))

    one, other = snapshot(tmp_path / "a"), snapshot(tmp_path / "b")

    assert one == other
    assert one.clusters[0].pods[0].node == "n2"
    assert replace(one, remarks=()) == replace(other, remarks=())
