"""What runs where in the realistic fleet: workloads and waiting pods as plain data.

To add a workload: one ``App`` line in the list of its cluster.
"""

from __future__ import annotations

from dataclasses import dataclass, field

GPU = "nvidia.com/gpu"


@dataclass(kw_only=True)
class App:
    """A workload: how many pods of which size, and what is special about them."""

    namespace: str
    name: str
    cpu: int
    memory: int
    replicas: int = 1
    waiting: int = 0
    """Replicas, beyond ``replicas``, that found no node."""
    waits_seconds: int = 1800
    kind: str = "Deployment"
    priority: int = 0
    gpu: int = 0
    selector: dict[str, str] = field(default_factory=dict)
    tolerates: str = ""
    """A taint key; ``*`` tolerates everything."""
    anti: bool = False
    """Not two of them on one node."""
    spread: bool = False
    """Hard zone spread of skew 1."""
    sidecar: bool = False
    volume: str = ""
    """scratch (emptyDir), claim (PersistentVolumeClaim), unbound (a claim without a volume) or host (hostPath)."""
    host_port: int = 0
    budget: str = ""
    """one: all but one must stay; closed: none may go."""
    notes: dict[str, str] = field(default_factory=dict)
    """Annotations of the pods."""
    workload_notes: dict[str, str] = field(default_factory=dict)
    surge: str = "25%"
    recreate: bool = False
    rolling: bool = False
    broken: int = 0
    """Replicas that run but are not Ready."""
    gate: str = ""
    scheduler: str = "default-scheduler"


PRIORITIES = {1000000: "business-critical", 100000: "high", 10000: "standard", 0: "best-effort", 2000001000: "system-node-critical"}

DAEMONS = [
    App(
        namespace="kube-system", name="cni-agent", kind="DaemonSet", cpu=100, memory=128, priority=2000001000, tolerates="*", volume="host"
    ),
    App(namespace="monitoring", name="node-agent", kind="DaemonSet", cpu=150, memory=320, priority=10000, tolerates="*", volume="host"),
]


def _common(inference: int) -> list[App]:
    """What both large clusters run, with so many ``inference`` pods of two GPUs."""
    return [
        App(namespace="kube-system", name="coredns", cpu=100, memory=170, replicas=3, priority=2000001000, anti=True, budget="one"),
        App(namespace="kube-system", name="metrics-server", cpu=100, memory=200, replicas=2, priority=2000001000),
        App(namespace="shop", name="frontend", cpu=500, memory=1024, replicas=8, priority=100000, sidecar=True, spread=True, budget="one"),
        App(namespace="shop", name="cart", cpu=1000, memory=2048, replicas=7, priority=100000, sidecar=True, budget="one"),
        App(namespace="shop", name="catalog", cpu=1500, memory=4096, replicas=6, priority=100000, sidecar=True),
        App(namespace="shop", name="checkout", cpu=1000, memory=3072, replicas=5, priority=1000000, sidecar=True, anti=True, budget="one"),
        App(namespace="payments", name="gateway", cpu=1000, memory=2048, replicas=5, priority=1000000, sidecar=True, budget="closed"),
        App(
            namespace="payments",
            name="ledger",
            cpu=2000,
            memory=6144,
            replicas=4,
            priority=1000000,
            sidecar=True,
            spread=True,
            budget="one",
        ),
        App(namespace="payments", name="fraud", cpu=1500, memory=3072, replicas=5, priority=100000, sidecar=True),
        App(namespace="media", name="thumbnails", cpu=750, memory=1536, replicas=9, priority=10000),
        App(namespace="media", name="streamer", cpu=2000, memory=4096, replicas=6, priority=10000, budget="one"),
        App(namespace="media", name="captions", cpu=1000, memory=2048, replicas=5, volume="scratch"),
        App(namespace="search", name="query", cpu=2000, memory=8192, replicas=6, priority=100000, anti=True, budget="one"),
        App(namespace="search", name="suggest", cpu=500, memory=2048, replicas=6, priority=10000),
        App(namespace="search", name="crawler", cpu=1000, memory=2048, replicas=6, surge="0"),
        App(namespace="data", name="etl", cpu=1500, memory=5120, replicas=6, priority=10000),
        App(namespace="data", name="connect", cpu=1000, memory=3072, replicas=5, priority=10000),
        App(
            namespace="data",
            name="kafka",
            kind="StatefulSet",
            cpu=2000,
            memory=8192,
            replicas=3,
            priority=100000,
            volume="claim",
            anti=True,
            budget="one",
        ),
        App(
            namespace="data",
            name="postgres",
            kind="StatefulSet",
            cpu=2000,
            memory=8192,
            replicas=2,
            priority=1000000,
            volume="claim",
            anti=True,
            budget="one",
        ),
        App(namespace="data", name="redis", kind="StatefulSet", cpu=500, memory=2048, replicas=3, priority=100000, budget="one"),
        App(namespace="platform", name="auth", cpu=500, memory=1024, replicas=5, priority=1000000, budget="one"),
        App(namespace="platform", name="notifier", cpu=500, memory=1024, replicas=4, priority=10000),
        App(namespace="platform", name="reports", cpu=1000, memory=2048, replicas=1, recreate=True),
        App(
            namespace="platform",
            name="ingress",
            cpu=500,
            memory=1024,
            replicas=3,
            priority=1000000,
            host_port=8443,
            anti=True,
            budget="one",
        ),
        App(namespace="platform", name="nightly-backup", kind="Job", cpu=500, memory=1024, replicas=2),
        App(
            namespace="ml",
            name="inference",
            cpu=4000,
            memory=16384,
            gpu=2,
            replicas=inference,
            priority=100000,
            selector={GPU + ".present": "true"},
            tolerates=GPU,
        ),
        App(
            namespace="ml",
            name="trainer",
            cpu=6000,
            memory=24576,
            gpu=1,
            replicas=4,
            priority=10000,
            selector={GPU + ".present": "true"},
            tolerates=GPU,
        ),
    ]


def _gpu(name: str, *, gpu: int, cpu: int, waits_seconds: int, **more: str) -> App:
    return App(
        namespace="ml",
        name=name,
        cpu=cpu,
        memory=16384,
        gpu=gpu,
        replicas=0,
        waiting=1,
        waits_seconds=waits_seconds,
        priority=10000,
        selector={GPU + ".present": "true"},
        tolerates=GPU,
        scheduler=more.get("scheduler", "default-scheduler"),
    )


APPS = {
    "eu-west": [
        *_common(inference=5),
        App(
            namespace="platform",
            name="feature-flags",
            cpu=500,
            memory=1024,
            replicas=3,
            priority=10000,
            workload_notes={"fleet.descheduler.io/do-not-disrupt": "true"},
        ),
        App(namespace="media", name="encoder", cpu=1000, memory=2048, replicas=4, broken=1),
        App(namespace="default", name="debug-shell", kind="Pod", cpu=250, memory=512),
        App(namespace="search", name="reindex", cpu=6000, memory=16384, replicas=1, waiting=1, waits_seconds=2700, priority=100000),
        App(namespace="data", name="spark-executor", cpu=4500, memory=12288, replicas=2, waiting=2, waits_seconds=1500, priority=10000),
        App(
            namespace="shop",
            name="price-model",
            cpu=4000,
            memory=10240,
            replicas=0,
            waiting=1,
            waits_seconds=600,
            priority=1000000,
            budget="one",
        ),
        App(
            namespace="payments",
            name="ledger-archive",
            cpu=1000,
            memory=2048,
            replicas=0,
            waiting=1,
            waits_seconds=7200,
            priority=10000,
            selector={"disktype": "nvme"},
        ),
        App(
            namespace="data",
            name="warehouse",
            kind="StatefulSet",
            cpu=4000,
            memory=16384,
            replicas=0,
            waiting=1,
            waits_seconds=5400,
            priority=100000,
            volume="unbound",
        ),
        App(
            namespace="platform",
            name="release-candidate",
            cpu=2000,
            memory=4096,
            replicas=0,
            waiting=1,
            waits_seconds=900,
            gate="example.com/approval",
        ),
        _gpu("train-large", gpu=8, cpu=16000, waits_seconds=10800),
        _gpu("embedding", gpu=2, cpu=4000, waits_seconds=3000),
    ],
    "us-east": [
        *_common(inference=4),
        App(namespace="media", name="watermark", cpu=1000, memory=2048, replicas=4, notes={"karpenter.sh/do-not-disrupt": "true"}),
        App(namespace="shop", name="wishlist", cpu=500, memory=1024, replicas=4, priority=10000, rolling=True, sidecar=True),
        App(namespace="search", name="reindex", cpu=6000, memory=16384, replicas=1, waiting=1, waits_seconds=3300, priority=100000),
        App(
            namespace="media",
            name="transcoder-4k",
            cpu=5000,
            memory=8192,
            replicas=2,
            waiting=2,
            waits_seconds=1200,
            priority=10000,
            spread=False,
        ),
        App(namespace="data", name="ranking", cpu=4500, memory=12288, replicas=1, waiting=1, waits_seconds=45, priority=10000),
        App(namespace="data", name="in-memory-cube", cpu=15000, memory=100 * 1024, replicas=0, waiting=1, waits_seconds=9000),
        App(namespace="platform", name="legacy-proxy", cpu=5000, memory=4096, replicas=0, waiting=1, waits_seconds=4000, host_port=9443),
        _gpu("batch-scoring", gpu=2, cpu=8000, waits_seconds=2000, scheduler="volcano"),
    ],
    "edge": [
        App(namespace="kube-system", name="coredns", cpu=100, memory=170, replicas=2, priority=2000001000, anti=True, budget="one"),
        App(
            namespace="kube-system",
            name="gateway-vip",
            kind="Static",
            cpu=50,
            memory=64,
            priority=2000001000,
            tolerates="edge.example/gateway",
        ),
        App(namespace="store", name="pos", cpu=1000, memory=2048, replicas=8, priority=1000000, spread=True, budget="one"),
        App(namespace="store", name="stock", cpu=1000, memory=2048, replicas=7, priority=100000, budget="one"),
        App(namespace="store", name="signage", cpu=500, memory=1024, replicas=8, priority=10000),
        App(namespace="store", name="kiosk", cpu=750, memory=1536, replicas=6, priority=10000),
        App(namespace="vision", name="people-counter", cpu=1500, memory=3072, replicas=6, priority=10000),
        App(namespace="vision", name="shelf-scan", cpu=1000, memory=2048, replicas=5),
        App(namespace="telemetry", name="collector", cpu=500, memory=1024, replicas=6, priority=100000),
        App(
            namespace="telemetry",
            name="buffer",
            kind="StatefulSet",
            cpu=500,
            memory=2048,
            replicas=3,
            priority=100000,
            volume="claim",
            anti=True,
            budget="one",
        ),
        App(namespace="telemetry", name="rules", cpu=750, memory=1024, replicas=4, priority=10000),
        App(namespace="store", name="pos-sync", cpu=2500, memory=4096, replicas=0, waiting=1, waits_seconds=700, priority=1000000),
        App(namespace="vision", name="queue-analytics", cpu=3000, memory=6144, replicas=1, waiting=1, waits_seconds=2400, priority=10000),
        App(namespace="vision", name="model-zoo", cpu=12000, memory=16384, replicas=0, waiting=1, waits_seconds=86400),
    ],
}
