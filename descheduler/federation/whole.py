"""What can be said about a fleet only when all its clusters have been read, recorded or live."""

from __future__ import annotations

from collections.abc import Sequence

from descheduler.domain.objects import Cluster
from descheduler.domain.snapshot import Remark
from descheduler.errors import UsageError


def refuse_twins(clusters: Sequence[Cluster]) -> None:
    """Raises UsageError when two clusters are one and the same: its room would be counted twice."""
    first: dict[str, str] = {}
    for cluster in clusters:
        if cluster.uid and cluster.uid in first:
            raise UsageError(f"{first[cluster.uid]} and {cluster.name} are the same cluster: kube-system has the UID {cluster.uid} in both")
        first[cluster.uid] = cluster.name


def absent_everywhere(clusters: Sequence[Cluster]) -> list[Remark]:
    """A remark on the kinds no cluster holds any object or empty list of."""
    kinds = [kind for kind in clusters[0].absent if all(kind in cluster.absent for cluster in clusters)]
    if not kinds:
        return []
    return [Remark(cluster="", subject="fleet", message=f"holds no {', '.join(kinds)}: taken as none there are")]
