"""The policy as the contract prints it: defaults, durations, and what overrides make of them for one pod."""

from __future__ import annotations

import re
from copy import deepcopy
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import Any

import yaml

from tests.judge.fleet import Fleet, Pod
from tests.judge.labels import selects
from tests.judge.quantities import Body

DEFAULTS: Body = yaml.safe_load("""
mode: Plan
scope:
  clusters: {include: ["*"], exclude: []}
  namespaces: {include: ["*"], exclude: [kube-system, kube-public, kube-node-lease]}
  podSelector: {}
trigger: {pendingFor: 2m, minPriority: null, seenInRuns: 1, scaleUpGrace: 10m}
objectives: [PendingPods, Disruption, Headroom]
shapes: [{name: large, weight: 1, requests: {cpu: "16", memory: 64Gi}, nodeSelector: {}, tolerations: []}]
limits: {perRun: 20, perCluster: 10, perNamespace: 5, perNode: 5, perWorkload: 1, movesPerPlacedPod: 5, waves: 8, cycleBreaks: 0,
         perWindow: [{window: 24h, perFleet: 100, perWorkload: 2}]}
emptyNodes: {prices: []}
floor: {slotsPerMove: 0.5}
protections: {minPodAge: 5m, localStorage: true,
              volumesAllowed: [istio-envoy, istio-data, istio-token, workload-socket, credential-socket, workload-certs],
              persistentVolumes: true, barePods: true, jobs: true, singletons: false, statefulSets: false, closedBudgets: true,
              controllers: []}
movers: [Surge, Hold, Evict]
reserve: Contested
unreadableCluster: Exclude
overrides: []
""")
UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def duration(text: object) -> timedelta:
    """``10m``, ``1h30m``, ``45s``; a bare number is seconds."""
    parts = re.findall(r"(\d+(?:\.\d+)?)(ms|[smhdw])", str(text))
    return timedelta(seconds=sum(float(number) * UNITS[unit] for number, unit in parts) if parts else float(str(text) or 0))


def merged(base: Body, over: Body) -> Body:
    """Maps are merged, everything else is replaced."""
    out = deepcopy(base)
    for key, value in over.items():
        out[key] = merged(out[key], value) if isinstance(value, dict) and isinstance(out.get(key), dict) else deepcopy(value)
    return out


class Policy:
    """The spec with its defaults; ``for_pod`` answers with the overrides applied."""

    def __init__(self, document: Body | None) -> None:
        said = document or {}
        self.spec = merged(DEFAULTS, said.get("spec") or {} if "spec" in said or "kind" in said else said)

    def _overrides(self, pod: Pod) -> list[Body]:
        out = []
        for each in self.spec["overrides"] or []:
            match = each.get("match") or {}
            inside = any(fnmatchcase(pod.namespace, pattern) for pattern in match.get("namespaces") or ["*"])
            if inside and selects(match.get("podSelector") or {}, pod.labels):
                out.append(each)
        return out

    def section(self, pod: Pod, name: str) -> Any:
        """``protections``, ``trigger`` or ``movers`` as they are for this pod."""
        value = self.spec[name]
        for each in self._overrides(pod):
            if each.get(name) is not None:
                value = merged(value, each[name]) if isinstance(value, dict) else each[name]
        return value

    def limit(self, pod: Pod, name: str) -> tuple[str, Any]:
        """Which group's limit counts this pod (the base is ``base``), and the limit."""
        group, value = "base", self.spec["limits"].get(name)
        for i, each in enumerate(self.spec["overrides"] or []):
            if each in self._overrides(pod) and name in (each.get("limits") or {}):
                group, value = f"override {i + 1}", each["limits"][name]
        return group, value

    def outside(self, pod: Pod) -> str | None:
        """Why the pod is out of scope."""
        scope = self.spec["scope"]
        for word, value in (("clusters", pod.cluster), ("namespaces", pod.namespace)):
            lists = scope.get(word) or {}
            if not any(fnmatchcase(value, p) for p in lists.get("include") or ["*"]):
                return f"{word} {value} is not included"
            if any(fnmatchcase(value, p) for p in lists.get("exclude") or []):
                return f"{word} {value} is excluded"
        return None if selects(scope.get("podSelector") or {}, pod.labels) else "the podSelector does not select it"

    def untriggered(self, pod: Pod, fleet: Fleet) -> str | None:
        """Why a waiting pod is not yet worth moving others for."""
        trigger = self.section(pod, "trigger")
        if pod.waits_since and fleet.taken_at - pod.waits_since < duration(trigger.get("pendingFor") or "0s"):
            return f"it waits only since {pod.waits_since:%H:%M:%S}"
        lowest = trigger.get("minPriority")
        return f"its priority is below {lowest}" if lowest is not None and pod.priority < lowest else None
