"""The simulated fleet's objects as JSON, as far as anyone who acts on a fleet looks at them.

A pod is told as one container that asks for the pod's effective requests; priority classes are called ``priority-<value>.<name>``.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from descheduler.domain.objects import Budget, Node, OwnerRef, Pod, PodSpec, Workload
from descheduler.domain.selectors import LabelSelector, NodeSelectorTerm, Pairs, PodTerm, Requirement, SpreadConstraint, Toleration
from descheduler.federation.simulated.state import Record

Json = dict[str, Any]
REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
CLASS_PREFIX = "priority-"


def pod_body(record: Record) -> Json:
    """The pod as the API server tells it; the same body until the pod changes: look, do not write."""
    if record.body is None:
        record.body = _pod_body(record)
    return record.body


def _pod_body(record: Record) -> Json:
    pod = record.pod
    meta = _meta(pod.ref.namespace, pod.ref.name, pod.uid, pod.labels, pod.annotations, pod.owner)
    meta["resourceVersion"] = str(record.version)
    if pod.created is not None:
        meta["creationTimestamp"] = _time(pod.created)
    if pod.terminating:
        meta["deletionTimestamp"] = _time(record.gone_at) if record.gone_at else "1970-01-01T00:00:00Z"
    spec = spec_body(pod.spec, record.node_selector) | {"priority": pod.priority, "priorityClassName": _class(pod)}
    if pod.node is not None:
        spec["nodeName"] = pod.node
    if pod.gates:
        spec["schedulingGates"] = [{"name": gate} for gate in pod.gates]
    conditions = [{"type": "Ready", "status": "True" if pod.ready else "False"}]
    if pod.node is None and not pod.gates:  # the scheduler has looked at it as soon as it is there
        conditions.append({"type": "PodScheduled", "status": "False", "reason": "Unschedulable"})
    status: Json = {"phase": pod.phase, "conditions": conditions}
    if pod.nominated_node is not None:
        status["nominatedNodeName"] = pod.nominated_node
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec, "status": status}


def spec_body(spec: PodSpec, node_selector: Pairs) -> Json:
    """A pod's spec without its priority."""
    asked = {name: f"{amount}m" if name == "cpu" else str(amount) for name, amount in spec.requests.items()}
    container: Json = {"name": "main", "image": "simulated", "resources": {"requests": asked}}
    if spec.host_ports:
        container["ports"] = [{"hostPort": port.port, "protocol": port.protocol, "hostIP": port.ip} for port in spec.host_ports]
    body: Json = {"containers": [container], "schedulerName": spec.scheduler}
    if node_selector:
        body["nodeSelector"] = dict(node_selector)
    if spec.tolerations:
        body["tolerations"] = [_toleration(t) for t in spec.tolerations]
    affinity: Json = {}
    if spec.node_affinity is not None:
        affinity["nodeAffinity"] = {REQUIRED: {"nodeSelectorTerms": [_node_term(term) for term in spec.node_affinity]}}
    for kind, terms in (("podAffinity", spec.affinity), ("podAntiAffinity", spec.anti_affinity)):
        if terms:
            affinity[kind] = {REQUIRED: [_pod_term(term, spec.cross_namespace_affinity) for term in terms]}
    if affinity:
        body["affinity"] = affinity
    if spec.spread:
        body["topologySpreadConstraints"] = [_spread(constraint) for constraint in spec.spread]
    return body


def template_body(pod: Pod) -> Json:
    """The template of a controller whose pods look like ``pod``."""
    spec = spec_body(pod.spec, pod.spec.node_selector) | {"priorityClassName": _class(pod)}
    return {"metadata": {"labels": dict(pod.labels), "annotations": dict(pod.annotations)}, "spec": spec}


def workload_body(workload: Workload, template: Pod | None, live: int, ready: int) -> Json:
    """A controller with its status; ``live`` and ``ready`` count its pods."""
    meta = _meta(workload.namespace, workload.name, workload.uid, (), workload.annotations, workload.owner)
    meta["generation"] = 1
    spec: Json = {}
    if workload.replicas is not None:
        spec["replicas"] = workload.replicas
    if template is not None:
        spec["selector"] = {"matchLabels": dict(template.labels)}
        spec["template"] = template_body(template)
    if workload.kind == "Deployment":
        spec["strategy"] = {"type": workload.strategy}
        if workload.strategy == "RollingUpdate":
            spec["strategy"]["rollingUpdate"] = {"maxSurge": workload.max_surge}
    observed = 0 if workload.rolling else 1
    status = {"observedGeneration": observed, "replicas": live, "readyReplicas": ready, "updatedReplicas": live}
    kind = {"apiVersion": workload.api_version or "apps/v1", "kind": workload.kind}
    return {**kind, "metadata": meta, "spec": spec, "status": status}


def budget_body(budget: Budget, allowed: int, healthy: int) -> Json:
    meta = _meta(budget.namespace, budget.name, "", (), (), None)
    spec = {} if budget.selector is None else {"selector": _selector(budget.selector)}
    status = {"disruptionsAllowed": allowed, "currentHealthy": healthy, "desiredHealthy": budget.desired}
    return {"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": meta, "spec": spec, "status": status}


def node_body(node: Node) -> Json:
    meta = _meta("", node.ref.name, node.uid, node.labels, node.annotations, None)
    spec: Json = {"unschedulable": True} if node.unschedulable else {}
    if node.taints:
        spec["taints"] = [{"key": t.key, "value": t.value, "effect": t.effect} for t in node.taints]
    given = {name: f"{amount}m" if name == "cpu" else str(amount) for name, amount in node.allocatable.items()}
    status = {"allocatable": given, "conditions": [{"type": "Ready", "status": "True" if node.ready else "False"}]}
    return {"apiVersion": "v1", "kind": "Node", "metadata": meta, "spec": spec, "status": status}


def _class(pod: Pod) -> str:
    """Says the priority too: nobody keeps the classes."""
    return f"{CLASS_PREFIX}{pod.priority}" + (f".{pod.spec.priority_class}" if pod.spec.priority_class else "")


def _meta(namespace: str, name: str, uid: str, labels: Pairs, annotations: Pairs, owner: OwnerRef | None) -> Json:
    meta: Json = {"name": name, "uid": uid, "labels": dict(labels), "annotations": dict(annotations)}
    if namespace:
        meta["namespace"] = namespace
    if owner is not None:
        reference = {"apiVersion": owner.api_version or "apps/v1", "kind": owner.kind, "name": owner.name, "uid": owner.uid}
        meta["ownerReferences"] = [{**reference, "controller": True}]
    return meta


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _toleration(toleration: Toleration) -> Json:
    body: Json = {"key": toleration.key, "operator": toleration.operator, "value": toleration.value, "effect": toleration.effect}
    told = {key: value for key, value in body.items() if value}
    return told if toleration.seconds is None else {**told, "tolerationSeconds": toleration.seconds}


def _requirement(requirement: Requirement) -> Json:
    body: Json = {"key": requirement.key, "operator": requirement.operator}
    return {**body, "values": list(requirement.values)} if requirement.values else body


def _node_term(term: NodeSelectorTerm) -> Json:
    body: Json = {}
    if term.expressions:
        body["matchExpressions"] = [_requirement(r) for r in term.expressions]
    if term.fields:
        body["matchFields"] = [_requirement(r) for r in term.fields]
    return body


def _selector(selector: LabelSelector) -> Json:
    body: Json = {}
    if selector.labels:
        body["matchLabels"] = dict(selector.labels)
    if selector.expressions:
        body["matchExpressions"] = [_requirement(r) for r in selector.expressions]
    return body


def _pod_term(term: PodTerm, names_namespaces: bool) -> Json:
    """One that names none looks into the namespace of its own pod."""
    body: Json = {"topologyKey": term.topology_key}
    if term.selector is not None:
        body["labelSelector"] = _selector(term.selector)
    if term.namespaces is None:
        body["namespaceSelector"] = {}
    elif names_namespaces:
        body["namespaces"] = sorted(term.namespaces)
    return body


def _spread(constraint: SpreadConstraint) -> Json:
    body: Json = {
        "topologyKey": constraint.topology_key,
        "maxSkew": constraint.max_skew,
        "whenUnsatisfiable": "DoNotSchedule",
        "minDomains": constraint.min_domains,
        "nodeAffinityPolicy": "Honor" if constraint.honor_affinity else "Ignore",
        "nodeTaintsPolicy": "Honor" if constraint.honor_taints else "Ignore",
    }
    return body if constraint.selector is None else {**body, "labelSelector": _selector(constraint.selector)}
