"""Raw affinity with one term each, about pods of ``app: cart``."""

from __future__ import annotations

from typing import Any

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
HOSTNAME = "kubernetes.io/hostname"
ZONE = "topology.kubernetes.io/zone"


def apart_from(**term: Any) -> dict[str, Any]:
    """Required anti-affinity on the node with one term."""
    return {"podAntiAffinity": {REQUIRED: [{"topologyKey": HOSTNAME, "labelSelector": {"matchLabels": {"app": "cart"}}, **term}]}}


def near(**term: Any) -> dict[str, Any]:
    """Required affinity to the zone with one term."""
    return {"podAffinity": {REQUIRED: [{"topologyKey": ZONE, "labelSelector": {"matchLabels": {"app": "cart"}}, **term}]}}


def on_nodes(*terms: dict[str, Any]) -> dict[str, Any]:
    return {"nodeAffinity": {REQUIRED: {"nodeSelectorTerms": list(terms)}}}
