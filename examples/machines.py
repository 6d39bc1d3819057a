"""The machines of the realistic fleet, and how full they are: plain data.

To add a machine: one ``Pool`` line in the list of its cluster.
"""

from __future__ import annotations

from dataclasses import dataclass

from catalogue import GPU


@dataclass(kw_only=True)
class Pool:
    """Machines of one kind in a cluster; ``cpu`` in millicores and ``memory`` in mebibytes are allocatable."""

    name: str
    count: int
    cpu: int
    memory: int
    machine: str
    pods: int = 110
    gpu: int = 0
    taint: tuple[str, str, str] | None = None


POOLS = {
    "eu-west": [
        Pool(name="general", count=16, cpu=15890, memory=60 * 1024, machine="m16"),
        Pool(name="compact", count=4, cpu=7910, memory=29 * 1024, machine="m8"),
        Pool(name="gpu", count=4, cpu=31850, memory=120 * 1024, machine="g32", gpu=4, taint=(GPU, "present", "NoSchedule")),
    ],
    "us-east": [
        Pool(name="general", count=15, cpu=15890, memory=60 * 1024, machine="m16"),
        Pool(name="memory", count=3, cpu=15890, memory=124 * 1024, machine="r16"),
        Pool(name="gpu", count=3, cpu=31850, memory=120 * 1024, machine="g32", gpu=4, taint=(GPU, "present", "NoSchedule")),
    ],
    "edge": [
        Pool(name="site", count=12, cpu=7910, memory=29 * 1024, machine="e8", pods=40),
        Pool(
            name="gateway", count=2, cpu=3920, memory=14 * 1024, machine="e4", pods=40, taint=("edge.example/gateway", "true", "NoSchedule")
        ),
    ],
}
ZONES = {
    "eu-west": ["eu-west-1a", "eu-west-1b", "eu-west-1c"],
    "us-east": ["us-east-1a", "us-east-1b", "us-east-1c"],
    "edge": ["site-north", "site-south"],
}
CORDONED = {"eu-west": "eu-west-general-04", "us-east": "us-east-general-11"}
NOT_READY = {"us-east": "us-east-general-07", "edge": "edge-site-09"}

FILL = {"eu-west": 0.9, "us-east": 0.86, "edge": 0.82}
"""The share of the untainted machines' cpu that running pods ask for."""
