"""Takes out of Kubernetes objects whatever planning does not look at: what is not listed here is not written down.

No field is taken over because nothing speaks against it. Environment, arguments, commands, probes, hooks, messages and
annotations of others never were listed. To keep one more field: its line in the table of its kind.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from descheduler.federation.convert_storage import ANNOTATIONS as STORAGE_ANNOTATIONS
from descheduler.federation.metadata import KNOWN_ANNOTATIONS, KNOWN_PREFIXES, MIRROR
from descheduler.federation.opaque import ATTACHED
from descheduler.federation.storage import TRANSLATED

Keep = Callable[[Any], Any]
"""What is left of a value; None for nothing."""

ANNOTATIONS = KNOWN_ANNOTATIONS | STORAGE_ANNOTATIONS | {MIRROR}


def redacted(raw: Mapping[str, Any], kind: str, api_version: str) -> dict[str, Any]:
    """The object with nothing but what its kind's table lists; of a kind without a table, only who it is."""
    told = {"apiVersion": api_version, "kind": kind, "metadata": METADATA(raw.get("metadata")) or {}}
    return told | (KEPT.get(kind, fields())(raw) or {})


def whole(value: Any) -> Any:
    """All of it."""
    return value


def present(value: Any) -> Any:
    """That it is there."""
    return None if value is None else {}


def stand_in(value: Any) -> Any:
    """Something else that is the same wherever the value is the same: a handle may name servers and shares."""
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:16] if isinstance(value, str) and value else value


def fields(*names: str, **inner: Keep) -> Keep:
    """These fields of an object: some whole, some by their own rule."""
    rules = dict.fromkeys(names, whole) | inner

    def keep(value: Any) -> Any:
        if not isinstance(value, dict):
            return None
        left = ((name, rule(value[name])) for name, rule in rules.items() if value.get(name) is not None)
        return {name: rest for name, rest in left if rest is not None}

    return keep


def each(keep: Keep) -> Keep:
    """Every item of a list."""

    def every(value: Any) -> Any:
        return [rest for rest in map(keep, value) if rest is not None] if isinstance(value, list) else None

    return every


def notes(value: Any) -> Any:
    """Only those somebody's tool may have meant for us."""
    if not isinstance(value, dict):
        return None
    return {key: told for key, told in value.items() if key in ANNOTATIONS or key.startswith(KNOWN_PREFIXES)} or None


def condition_of_pod(value: Any) -> Any:
    """Only the scheduler's message is about room; others may quote a container."""
    told = isinstance(value, dict) and value.get("type") == "PodScheduled"
    return (CONDITION_WITH_MESSAGE if told else CONDITION)(value)


CONDITION = fields("type", "status", "reason", "lastTransitionTime")
CONDITION_WITH_MESSAGE = fields("type", "status", "reason", "lastTransitionTime", "message")
METADATA = fields(
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "labels",
    annotations=notes,
    ownerReferences=each(fields("apiVersion", "kind", "name", "uid", "controller")),
)
CLAIM = fields("accessModes", "storageClassName", "volumeMode", "volumeName", resources=fields("requests"))
VOLUME = fields(
    "name",
    emptyDir=fields("medium", "sizeLimit"),
    persistentVolumeClaim=fields("claimName", "readOnly"),
    ephemeral=fields(volumeClaimTemplate=fields(spec=CLAIM)),
    csi=fields("driver"),
    **dict.fromkeys(("hostPath", "configMap", "secret", "projected", "downwardAPI", "nfs", *ATTACHED), present),
)
CONTAINER = fields(
    "name",
    "image",
    "resources",
    "resizePolicy",
    "restartPolicy",
    "restartPolicyRules",
    ports=each(fields("containerPort", "hostPort", "hostIP", "protocol")),
)
POD_SPEC = fields(
    "activeDeadlineSeconds",
    "affinity",
    "hostNetwork",
    "hostUsers",
    "nodeName",
    "nodeSelector",
    "os",
    "overhead",
    "preemptionPolicy",
    "priority",
    "priorityClassName",
    "resourceClaims",
    "resources",
    "restartPolicy",
    "runtimeClassName",
    "schedulerName",
    "schedulingGates",
    "schedulingGroup",
    "terminationGracePeriodSeconds",
    "tolerations",
    "topologySpreadConstraints",
    "workloadRef",
    containers=each(CONTAINER),
    initContainers=each(CONTAINER),
    volumes=each(VOLUME),
)
STATUS_OF_CONTAINER = fields("name", "ready", "restartCount", "resources", "allocatedResources")
POD_STATUS = fields(
    "phase",
    "startTime",
    "nominatedNodeName",
    "qosClass",
    "resources",
    "allocatedResources",
    conditions=each(condition_of_pod),
    containerStatuses=each(STATUS_OF_CONTAINER),
    initContainerStatuses=each(STATUS_OF_CONTAINER),
)
TEMPLATE = fields(metadata=fields("labels", annotations=notes), spec=POD_SPEC)
REPLICATED = fields(
    "minReadySeconds", "paused", "podManagementPolicy", "replicas", "selector", "strategy", "updateStrategy", template=TEMPLATE
)
COUNTS = fields(
    "observedGeneration", "replicas", "readyReplicas", "availableReplicas", "updatedReplicas", "currentRevision", "updateRevision"
)
CONTROLLER = fields(spec=REPLICATED, status=COUNTS)

KEPT: Mapping[str, Keep] = {
    "Node": fields(
        spec=fields("taints", "unschedulable"),
        status=fields(
            "allocatable",
            "capacity",
            "declaredFeatures",
            conditions=each(CONDITION),
            nodeInfo=fields("architecture", "operatingSystem", "kubeletVersion"),
        ),
    ),
    "Pod": fields(spec=POD_SPEC, status=POD_STATUS),
    "Namespace": fields(status=fields("phase")),
    "ReplicaSet": CONTROLLER,
    "Deployment": CONTROLLER,
    "StatefulSet": CONTROLLER,
    "DaemonSet": CONTROLLER,
    "Job": fields(
        spec=fields("backoffLimit", "completions", "parallelism", "podFailurePolicy", "podReplacementPolicy", "suspend", template=TEMPLATE)
    ),
    "CronJob": fields(spec=fields("concurrencyPolicy", "schedule", "suspend")),
    "PodDisruptionBudget": fields(
        spec=fields("maxUnavailable", "minAvailable", "selector", "unhealthyPodEvictionPolicy"),
        status=fields("observedGeneration", "disruptionsAllowed", "currentHealthy", "desiredHealthy", "expectedPods"),
    ),
    "ResourceQuota": fields(spec=fields("hard", "scopes", "scopeSelector"), status=fields("hard", "used")),
    "PersistentVolumeClaim": fields(spec=CLAIM, status=fields("phase")),
    "PersistentVolume": fields(
        spec=fields(
            "accessModes",
            "capacity",
            "nodeAffinity",
            "storageClassName",
            "volumeMode",
            claimRef=fields("namespace", "name", "uid"),
            csi=fields("driver", volumeHandle=stand_in),
            **dict.fromkeys(sorted(TRANSLATED | {"hostPath", "local", "nfs"}), present),
        ),
        status=fields("phase"),
    ),
    "StorageClass": fields("provisioner", "volumeBindingMode", "allowedTopologies"),
    "CSINode": fields(spec=fields(drivers=each(fields("name", allocatable=fields("count"))))),
    "CSIDriver": fields(spec=fields("storageCapacity", "preventPodSchedulingIfMissing")),
    "CSIStorageCapacity": fields("storageClassName", "nodeTopology", "capacity", "maximumVolumeSize"),
    "VolumeAttachment": fields(spec=fields("attacher", "nodeName", source=fields("persistentVolumeName"))),
    "RuntimeClass": fields("overhead", "scheduling"),
    "Event": fields(
        "reason",
        "type",
        "eventTime",
        "firstTimestamp",
        "lastTimestamp",
        involvedObject=fields("kind", "namespace", "name", "uid"),
        series=fields("count", "lastObservedTime"),
    ),
}
