"""``fleet.yaml`` is strict: what it says is taken, and every mistake is told with its line and field."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from descheduler.errors import UsageError
from descheduler.federation.fleet_file import FleetCluster, FleetFile, Kubeconfig, read_fleet_file

HEAD = "apiVersion: fleet.descheduler.io/v1alpha1\nkind: Fleet\n"


def read(tmp_path: Path, text: str) -> FleetFile:
    path = tmp_path / "fleet.yaml"
    path.write_text(text)
    return read_fleet_file(path)


def test_everything_a_fleet_file_may_say(tmp_path: Path) -> None:
    fleet = read(
        tmp_path,
        HEAD
        + """takenAt: "2026-11-23T12:00:00Z"
federation: {kind: TensileKube}
clusters:
- name: upper
  uid: 6f1c
  serverVersion: v1.36.2
  movers: [Surge, Hold]
  role: Upper
  kubeconfig: {path: upper.conf, context: admin}
- {name: east, role: Lower, virtualNode: east-vk}
""",
    )

    assert fleet.taken_at == datetime(2026, 11, 23, 12, tzinfo=UTC)
    assert fleet.federation == "TensileKube"
    assert fleet.clusters == (
        FleetCluster(
            name="upper",
            uid="6f1c",
            server_version="v1.36.2",
            movers=("Surge", "Hold"),
            role="Upper",
            kubeconfig=Kubeconfig(path="upper.conf", context="admin"),
            line=6,
        ),
        FleetCluster(name="east", role="Lower", virtual_node="east-vk", line=12),
    )


def test_what_is_not_said_is_left_open(tmp_path: Path) -> None:
    fleet = read(tmp_path, HEAD + "takenAt:\n")

    assert (fleet.taken_at, fleet.federation, fleet.clusters) == (None, "Standalone", None)


def test_a_time_may_stand_without_quotes(tmp_path: Path) -> None:
    assert read(tmp_path, HEAD + "takenAt: 2026-11-23T12:00:00Z\n").taken_at == datetime(2026, 11, 23, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("kind: Fleet\n", ":1: apiVersion: missing, expected fleet.descheduler.io/v1alpha1"),
        ("apiVersion: v1\nkind: Fleet\n", ":1: apiVersion: 'v1', expected fleet.descheduler.io/v1alpha1"),
        ("- a\n", ":1: the file: expected an object with apiVersion"),
        ("", "holds 0 documents"),
        (HEAD + "---\n" + HEAD, "holds 2 documents"),
        ("a: [\n", "is not YAML"),
        (HEAD + "colour: red\n", ":3: colour: unknown field, allowed: apiVersion, kind, takenAt, federation, clusters"),
        (HEAD + "kind: Fleet\n", ":3: kind: appears twice"),
        (HEAD + "takenAt: yesterday\n", ":3: takenAt: 'yesterday', expected a time such as"),
        (HEAD + "federation: {kind: Liqo}\n", ":3: federation.kind: 'Liqo', allowed: Standalone, TensileKube"),
        (HEAD + "clusters: east\n", ":3: clusters: expected a list"),
        (HEAD + "clusters:\n- uid: x\n", ":4: clusters[0].name: missing, expected a DNS label"),
        (HEAD + "clusters:\n- name: East_1\n", ":4: clusters[0].name: 'East_1' is not a DNS label"),
        (HEAD + "clusters:\n- name: a\n  colour: red\n", ":5: clusters[0].colour: unknown field, allowed: name, uid"),
        (HEAD + "clusters:\n- {name: a}\n- {name: a}\n", ":5: clusters[1].name: 'a' is also that of clusters[0]"),
        (HEAD + "clusters:\n- {name: a, uid: x}\n- {name: b, uid: x}\n", ":5: clusters[1].uid: 'x' is also that of clusters[0]"),
        (HEAD + "clusters:\n- {name: a, movers: [Fly]}\n", ":4: clusters[0].movers[0]: 'Fly', allowed: Surge, Hold, Evict, Recreate"),
        (HEAD + "clusters:\n- {name: a, role: Upper}\n", ":4: clusters[0].role: only with federation TensileKube"),
        (HEAD + "clusters:\n- {name: {}}\n", ":4: clusters[0].name: expected text"),
    ],
)
def test_a_mistake_is_told_with_its_line_and_field(tmp_path: Path, text: str, mistake: str) -> None:
    with pytest.raises(UsageError) as raised:
        read(tmp_path, text)

    assert mistake in str(raised.value)
    assert str(raised.value).startswith(str(tmp_path / "fleet.yaml"))


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as raised:
        read(tmp_path, HEAD + "colour: red\nclusters:\n- {name: A}\n- {name: B}\n")

    assert len(str(raised.value).splitlines()) == 3
