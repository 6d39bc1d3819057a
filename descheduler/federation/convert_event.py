"""Events that say a node is on its way for a pod (cluster-autoscaler, Karpenter)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from descheduler.domain.objects import ScaleUp
from descheduler.federation.fields import mapping, moment, text

REASONS = frozenset({"TriggeredScaleUp", "Nominated"})
_TIMES = ("lastTimestamp", "deprecatedLastTimestamp", "eventTime", "firstTimestamp", "deprecatedFirstTimestamp")


def read_scale_up(raw: Mapping[str, Any]) -> ScaleUp | None:
    """None for any other event; core and events.k8s.io spell the same facts differently. Raises Odd for one that cannot be read."""
    reason = raw.get("reason")
    if not isinstance(reason, str) or reason not in REASONS:
        return None
    about = "regarding" if raw.get("regarding") is not None else "involvedObject"
    pod = mapping(raw.get(about), about)
    series = mapping(raw.get("series"), "series")
    times = [moment(series.get("lastObservedTime"), "series.lastObservedTime"), *(moment(raw.get(field), field) for field in _TIMES)]
    known = [time for time in times if time is not None]
    name = text(pod.get("name"), f"{about}.name")
    if pod.get("kind") != "Pod" or not name or not known:
        return None
    return ScaleUp(namespace=text(pod.get("namespace"), f"{about}.namespace") or "default", pod=name, at=max(known), reason=reason)
