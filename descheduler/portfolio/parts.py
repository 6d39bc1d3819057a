"""What a route amounts to in counts."""

from __future__ import annotations

from collections import Counter

from descheduler.domain.placement import Placement, Route


def placement_of(route: Route) -> Placement:
    """The counts of pods that leave and come."""
    return Placement(
        departures=Counter((s.pod_class, s.source) for s in route.shifts),
        arrivals=Counter([(s.pod_class, s.target) for s in route.shifts] + [(b.pod_class, b.target) for b in route.binds]),
    )
