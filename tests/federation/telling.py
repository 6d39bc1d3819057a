"""Objects for redaction: some full of what is nobody's business, some with every field that planning looks at."""

from __future__ import annotations

from tests.raw import Json, budget_json, namespace_json, node_json, owner_json, pod_json, workload_json
from tests.raw_storage import attachment_json, capacity_json, claim_json, class_json, csi_driver_json, csi_node_json, volume_json

SECRET = "s3cr3t"  # noqa: S105  # what must never be found


def private_pod() -> Json:
    """A pod that has something to hide wherever a pod can hide it."""
    source = {"secretKeyRef": {"name": SECRET, "key": SECRET}}
    probe = {"exec": {"command": [SECRET]}, "httpGet": {"port": 1, "httpHeaders": [{"name": "Authorization", "value": SECRET}]}}
    container: Json = {
        "name": "main",
        "image": "registry.example/main:1",
        "command": [SECRET],
        "args": [f"--token={SECRET}"],
        "env": [{"name": SECRET, "value": SECRET}, {"name": "A", "valueFrom": source}],
        "envFrom": [{"secretRef": {"name": SECRET}}],
        "workingDir": f"/{SECRET}",
        "lifecycle": {"preStop": {"exec": {"command": [SECRET]}}},
        "livenessProbe": probe,
        "readinessProbe": probe,
        "startupProbe": probe,
        "resources": {"requests": {"cpu": "1"}},
        "ports": [{"name": SECRET, "containerPort": 80}],
        "volumeMounts": [{"name": "v", "mountPath": f"/{SECRET}"}],
        "securityContext": {"seLinuxOptions": {"user": SECRET}},
        "terminationMessagePath": f"/{SECRET}",
    }
    volumes: list[Json] = [
        {"name": "a", "secret": {"secretName": SECRET}},
        {"name": "b", "configMap": {"name": SECRET, "items": [{"key": SECRET, "path": SECRET}]}},
        {"name": "c", "projected": {"sources": [{"serviceAccountToken": {"audience": SECRET}}]}},
        {"name": "d", "hostPath": {"path": f"/{SECRET}"}},
        {"name": "e", "csi": {"driver": "d", "volumeAttributes": {"k": SECRET}, "nodePublishSecretRef": {"name": SECRET}}},
        {"name": "f", "iscsi": {"iqn": SECRET, "secretRef": {"name": SECRET}}},
        {"name": "g", "downwardAPI": {"items": [{"path": SECRET}]}},
        {"name": "h", "ephemeral": {"volumeClaimTemplate": {"metadata": {"annotations": {"a": SECRET}}, "spec": {"dataSource": SECRET}}}},
    ]
    waiting = {"type": "Ready", "status": "False", "message": SECRET}
    state = {"terminated": {"exitCode": 1, "message": SECRET}}
    return pod_json(
        "private",
        on="n1",
        annotations={
            "kubectl.kubernetes.io/last-applied-configuration": SECRET,
            "vault.example/token": SECRET,
            "controller.kubernetes.io/pod-deletion-cost": "5",
        },
        metadata={"managedFields": [{"manager": SECRET}], "finalizers": [SECRET], "generateName": SECRET},
        status={
            "conditions": [waiting],
            "message": SECRET,
            "containerStatuses": [{"name": "main", "ready": False, "restartCount": 0, "lastState": state, "state": state}],
            "podIP": SECRET,
        },
        containers=[container],
        initContainers=[{**container, "name": "init"}],
        ephemeralContainers=[{**container, "name": "debug"}],
        volumes=volumes,
        imagePullSecrets=[{"name": SECRET}],
        serviceAccountName=SECRET,
        hostname=SECRET,
        hostAliases=[{"ip": "1.1.1.1", "hostnames": [SECRET]}],
        dnsConfig={"searches": [SECRET]},
        securityContext={"sysctls": [{"name": "a", "value": SECRET}]},
    )


def private_objects() -> list[Json]:
    """One of every kind that is read, full of what is nobody's business."""
    pod = private_pod()
    template = {"metadata": {"annotations": {"a": SECRET}, "labels": {"app": "x"}}, "spec": pod["spec"]}
    note = {"kubectl.kubernetes.io/last-applied-configuration": SECRET}
    controllers: list[Json] = [
        workload_json(kind, "x", annotations=note, template=template, selector={"matchLabels": {"app": "x"}})
        for kind in ("Deployment", "ReplicaSet", "StatefulSet", "DaemonSet", "Job")
    ]
    cron = workload_json("CronJob", "x", schedule="* * * * *", jobTemplate={"spec": {"template": template}}, annotations=note)
    node = node_json("n1", annotations={"a": SECRET}, providerID=SECRET)
    node["status"] |= {"addresses": [{"address": SECRET}], "images": [{"names": [SECRET]}], "nodeInfo": {"machineID": SECRET}}
    meta: Json = {"name": "x", "annotations": {"a": SECRET}, "managedFields": [{"manager": SECRET}]}
    inside = {**meta, "namespace": "shop"}
    about = {"kind": "Pod", "namespace": "shop", "name": "private"}
    csi = {"driver": "d", "volumeHandle": SECRET, "volumeAttributes": {"a": SECRET}, "nodeStageSecretRef": {"name": SECRET}}
    others: list[Json] = [
        {"kind": "Namespace", "metadata": {"name": "shop", "annotations": {"a": SECRET}}, "status": {"conditions": [{"message": SECRET}]}},
        {"kind": "PodDisruptionBudget", "metadata": inside, "spec": {"minAvailable": 1}, "status": {"disruptedPods": {SECRET: "t"}}},
        {"kind": "ResourceQuota", "metadata": inside, "spec": {"hard": {"pods": "1"}, "x": SECRET}, "status": {"x": SECRET}},
        {"kind": "PersistentVolumeClaim", "metadata": inside, "spec": {"dataSource": {"name": SECRET}}, "status": {"x": SECRET}},
        {"kind": "StorageClass", "metadata": meta, "provisioner": "p", "parameters": {"token": SECRET}, "mountOptions": [SECRET]},
        {"kind": "PersistentVolume", "metadata": meta, "spec": {"csi": csi, "mountOptions": [SECRET]}, "status": {"message": SECRET}},
        {"kind": "CSINode", "metadata": meta, "spec": {"drivers": [{"name": "d", "nodeID": SECRET}]}},
        {"kind": "CSIDriver", "metadata": meta, "spec": {"tokenRequests": [{"audience": SECRET}]}},
        {"kind": "CSIStorageCapacity", "metadata": inside, "storageClassName": "x", "nodeTopology": {}},
        {"kind": "VolumeAttachment", "metadata": meta, "spec": {"source": {"inlineVolumeSpec": {"a": SECRET}}}, "status": {"m": SECRET}},
        {"kind": "RuntimeClass", "metadata": meta, "handler": SECRET},
        {"kind": "Event", "metadata": inside, "reason": "TriggeredScaleUp", "message": SECRET, "note": SECRET, "involvedObject": about},
        {"kind": "Secret", "metadata": inside, "data": {"a": SECRET}},
        {"kind": "ConfigMap", "metadata": inside, "data": {"a": SECRET}},
    ]
    return [node, pod, *controllers, cron, *others]


def everything_that_matters() -> list[Json]:
    """Objects that use every field the conversion reads."""
    asked = {"requests": {"cpu": "1", "memory": "1Gi"}}
    given: Json = {"name": "main", "resources": {"requests": {"cpu": "2"}}, "allocatedResources": {"cpu": "3"}}
    spread = {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "DoNotSchedule", "labelSelector": {}, "minDomains": 2}
    spread |= {"matchLabelKeys": ["app"], "nodeTaintsPolicy": "Honor", "nodeAffinityPolicy": "Ignore"}
    term = {"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}], "matchFields": []}
    apart = {"topologyKey": "zone", "labelSelector": {"matchLabels": {"app": "x"}}, "namespaceSelector": {"matchLabels": {"team": "a"}}}
    required = "requiredDuringSchedulingIgnoredDuringExecution"
    affinity = {"nodeAffinity": {required: {"nodeSelectorTerms": [term]}}, "podAntiAffinity": {required: [apart]}}
    affinity |= {"podAffinity": {required: [{"topologyKey": "rack", "labelSelector": {}, "namespaces": ["shop"]}]}}
    ports = [{"containerPort": 80, "hostPort": 8080, "hostIP": "10.0.0.1", "protocol": "UDP"}, {"containerPort": 81}]
    sidecar = {"name": "side", "restartPolicy": "Always", "resources": asked}
    volumes: list[Json] = [
        {"name": "memory", "emptyDir": {"medium": "Memory"}},
        {"name": "disk", "emptyDir": {}},
        {"name": "host", "hostPath": {"path": "/"}},
        *({"name": name, "persistentVolumeClaim": {"claimName": name}} for name in CLAIMS),
        {"name": "own", "ephemeral": {"volumeClaimTemplate": {"spec": {"storageClassName": "late"}}}},
    ]
    resizing: Json = {"type": "PodResizePending", "status": "True", "reason": "Infeasible"}
    own: Json = {"labels": {"app": "x"}, "owner": owner_json("ReplicaSet", "rs"), "priority": 7}
    limits: Json = {"containers": [{"name": "main", "resources": {"limits": {"cpu": "2"}}}]}
    pods = [
        pod_json("sized", on="n1", cpu="1", initContainers=[sidecar], overhead={"cpu": "250m"}, runtimeClassName="kata", **own),
        pod_json("sized-as-a-whole", on="n1", cpu="1", resources=asked, runtimeClassName="not-there"),
        pod_json("resized", on="n1", cpu="1", status={"containerStatuses": [given]}),
        pod_json("resized-start", on="n1", initContainers=[sidecar], status={"initContainerStatuses": [given | {"name": "side"}]}),
        pod_json("resized-as-a-whole", on="n1", resources=asked, status={"resources": {"requests": {"cpu": "2"}}}),
        pod_json("given-as-a-whole", on="n1", resources=asked, status={"resources": {}, "allocatedResources": {"cpu": "4"}}),
        pod_json("stuck", on="n1", status={"conditions": [resizing]}),
        pod_json("on-the-host", on="n1", hostNetwork=True, containers=[{"name": "main", "ports": ports}]),
        pod_json("limited", activeDeadlineSeconds=60, priorityClassName="high", status={"qosClass": "BestEffort"}, **limits),
        pod_json("unready", on="n1", ready=False, metadata={"deletionTimestamp": "2026-11-23T12:00:00Z"}),
        pod_json("mirror", on="n1", annotations={"kubernetes.io/config.mirror": "hash", "fleet.descheduler.io/pin": "n1"}),
        pod_json("picky", affinity=affinity, nodeSelector={"a": "b"}, topologySpreadConstraints=[spread], **own),
        pod_json("gated", schedulingGates=[{"name": "wait"}], schedulerName="other", status={"nominatedNodeName": "n1"}),
        pod_json("tolerant", tolerations=[{"key": "k", "operator": "Equal", "value": "v", "effect": "NoExecute", "tolerationSeconds": 9}]),
        *(pod_json(f"claims-{volume['name']}", volumes=[volume]) for volume in volumes),
        *(pod_json(f"opaque-{i}", **fields) for i, fields in enumerate(OPAQUE)),
    ]
    topologies = [{"matchLabelExpressions": [{"key": "zone", "values": ["a"]}]}]
    zones = {"topology.kubernetes.io/zone": "a"}
    in_zone = {"matchExpressions": [{"key": "zone", "operator": "In", "values": ["a"]}]}
    classes: list[Json] = [
        {"kind": "RuntimeClass", "metadata": {"name": "kata"}},
        class_json("late", provisioner="p", allowedTopologies=topologies),
        volume_json("v", driver="p", handle="h", terms=[in_zone], labels=zones, storage_class="late", claim="bound"),
        volume_json("w", driver="p", handle="other", storage_class="static"),
        volume_json("disk", driver="", storage_class="late", claim="x", awsElasticBlockStore={"volumeID": "i"}),
        class_json("static", provisioner="p"),
        csi_node_json("n1", p=9),
        csi_driver_json("p", storageCapacity=True, preventPodSchedulingIfMissing=True),
        capacity_json("enough", storage_class="late", topology={"matchLabels": {"zone": "a"}}, maximumVolumeSize="20Gi"),
        capacity_json("little", storage_class="late", topology={"matchLabels": {"zone": "b"}}, capacity="1Gi"),
        attachment_json("stray", node="n1", volume="w", driver="p"),
        attachment_json("used", node="n1", volume="v", driver="p"),
    ]
    owner = owner_json("Pod", "claims-own", "uid-pod-shop-claims-own")
    claims = [
        claim_json("bound", volume="v", storage_class="late", modes=["ReadWriteOncePod"]),
        claim_json("late", storage_class="late", modes=["ReadWriteMany"]),
        claim_json("chosen", storage_class="late", selected="n1"),
        claim_json("static", storage_class="static"),
        claim_json("old", volume="disk"),
        claim_json("beta", storage_class="x", metadata={"annotations": {"volume.beta.kubernetes.io/storage-class": "late"}}),
        claim_json("lost", storage_class="late", phase="Lost"),
        claim_json("leaving", storage_class="late", metadata={"deletionTimestamp": "2026-11-23T12:00:00Z"}),
        claim_json("claims-own-own", storage_class="late", metadata={"ownerReferences": [owner]}),
    ]
    rules = [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget"}]}]
    fixed = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "30%"}}
    revisions = {"observedGeneration": 1, "currentRevision": "a", "updateRevision": "b"}
    workloads = [
        workload_json("Deployment", "d", replicas=4, strategy=fixed, paused=True, status={"observedGeneration": 1, "replicas": 3}),
        workload_json("ReplicaSet", "rs", owner=owner_json("Deployment", "d"), annotations={"karpenter.sh/do-not-disrupt": "true"}),
        workload_json("StatefulSet", "s", status=revisions),
        workload_json("Deployment", "settled", strategy=fixed),
        workload_json("ReplicaSet", "unseen", generation=2, status={"observedGeneration": 1, "replicas": 1}),
        workload_json("Job", "j", replicas=None, podFailurePolicy={"rules": rules}),
    ]
    budgets = [
        budget_json("b", labels={"app": "x"}, maxUnavailable=0, unhealthyPodEvictionPolicy="AlwaysAllow"),
        budget_json("c", labels={"app": "x"}, minAvailable=3),
    ]
    selected = {"matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]}
    counted = {"hard": {"pods": "9", "limits.cpu": "5"}, "used": {"pods": "2", "limits.cpu": "1"}}
    quota: Json = {"kind": "ResourceQuota", "metadata": {"name": "q", "namespace": "shop"}, "status": counted}
    quota["spec"] = {"hard": {"pods": "5", "limits.cpu": "9"}, "scopes": ["NotBestEffort"], "scopeSelector": selected}
    about: Json = {"involvedObject": {"kind": "Pod", "namespace": "shop", "name": "picky"}, "reason": "TriggeredScaleUp", "kind": "Event"}
    times: list[Json] = [
        {"series": {"count": 2, "lastObservedTime": "2026-11-23T11:59:00.000000Z"}},
        *({name: f"2026-11-23T11:5{i}:00Z"} for i, name in enumerate(("lastTimestamp", "eventTime", "firstTimestamp"))),
    ]
    events = [about | told | {"metadata": {"name": f"e{i}", "namespace": "shop"}} for i, told in enumerate(times)]
    taint = {"key": "k", "value": "v", "effect": "NoSchedule"}
    node = node_json("n1", taints=[taint], unschedulable=True, annotations={"fleet.descheduler.io/do-not-disrupt": "true"})
    space = namespace_json("shop", labels={"team": "a"}, annotations={"fleet.descheduler.io/do-not-disrupt": "true"})
    return [node, space, *pods, *classes, *claims, *workloads, *budgets, quota, *events]


CLAIMS = ("bound", "late", "chosen", "static", "old", "beta", "lost", "leaving")

OPAQUE: tuple[Json, ...] = (
    {"resourceClaims": [{"name": "gpu"}]},
    {"schedulingGroup": {"podGroupName": "g"}},
    {"workloadRef": {"name": "w"}},
    {"containers": [{"name": "main", "restartPolicyRules": [{"action": "RestartAllContainers"}]}]},
    {"volumes": [{"name": "v", "iscsi": {"iqn": "x"}}]},
    {"tolerations": [{"key": "k", "operator": "Gt", "value": "1"}]},
    {"hostUsers": False, "hostNetwork": True},
)
