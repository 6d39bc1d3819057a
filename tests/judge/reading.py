"""Reads a snapshot directory as an outsider would: plain files, plain dictionaries."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import yaml

from tests.judge.fleet import Cluster, Fleet, Node, Pod, instant
from tests.judge.quantities import Body


def documents(path: Path) -> Iterator[Body]:
    """Every object in a file, Lists unfolded: items inherit the list's kind."""
    data = path.read_bytes()
    if path.suffix == ".gz":
        data, path = gzip.decompress(data), path.with_suffix("")
    found = [json.loads(data)] if path.suffix == ".json" else list(yaml.safe_load_all(data))
    for each in found:
        if isinstance(each, dict):
            yield from _unfold(each)


def _unfold(body: Body) -> Iterator[Body]:
    kind = str(body.get("kind", ""))
    if not kind.endswith("List") or "items" not in body:
        yield body
        return
    for item in body["items"] or []:
        inherited = {"kind": kind.removesuffix("List")} if kind != "List" else {}
        yield from _unfold({**inherited, **item})


def read(folder: Path) -> Fleet:
    """The fleet of a snapshot directory."""
    said: Body = {}
    for name in ("fleet.yaml", "fleet.yml"):
        if (folder / name).exists():
            said = yaml.safe_load((folder / name).read_text()) or {}
    listed = said.get("clusters") or [{"name": path.name} for path in sorted(folder.iterdir()) if path.is_dir()]
    clusters = {each["name"]: _cluster(folder / each["name"], each) for each in listed}
    return Fleet(instant(said.get("takenAt")) or _newest(clusters), clusters)


def _cluster(folder: Path, declared: Body) -> Cluster:
    cluster = Cluster(declared["name"], declared)
    latest: dict[tuple[str, str], Body] = {}
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or not {".json", ".yaml", ".yml"} & set(path.suffixes):
            continue
        try:
            for each in documents(path):
                meta = each.get("metadata") or {}
                key = (str(each.get("kind")), str(meta.get("uid") or (meta.get("namespace"), meta.get("name"))))
                if key not in latest or _version(each) >= _version(latest[key]):
                    latest[key] = each
        except (ValueError, yaml.YAMLError, OSError, EOFError) as error:
            cluster.trouble = f"{path.name}: {error}"
    objects: dict[str, list[Body]] = defaultdict(list)
    for (kind, _), each in latest.items():
        objects[kind].append(each)
    cluster.objects = dict(objects)
    cluster.nodes = {node.name: node for node in (Node(cluster.name, each) for each in cluster.of("Node"))}
    cluster.pods = [pod for pod in (Pod(cluster.name, each) for each in cluster.of("Pod")) if not pod.finished]
    return cluster


def _version(body: Body) -> int:
    text = str((body.get("metadata") or {}).get("resourceVersion") or 0)
    return int(text) if text.isdigit() else 0


def _newest(clusters: dict[str, Cluster]) -> datetime:
    times = []
    for cluster in clusters.values():
        for each in cluster.of("Node") + cluster.of("Pod"):
            status = each.get("status") or {}
            conditions = [c.get("lastTransitionTime") for c in status.get("conditions") or []]
            times += [instant(text) for text in [each["metadata"].get("creationTimestamp"), status.get("startTime"), *conditions]]
    return max(time for time in times if time is not None)
