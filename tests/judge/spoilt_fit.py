"""Plans spoilt by exact fit: ports, pod affinity, spread, nominations, profiles, requests; and likenesses of them that are lawful."""

from __future__ import annotations

from tests.judge.quantities import Body
from tests.judge.tiny import SINCE, Case, Change, also_waiting, both, deployment, move, placement, pod, spread

PIN = "fleet.descheduler.io/pin"
HOSTNAME = "kubernetes.io/hostname"


def asks(case: Case, name: str, **spec: object) -> None:
    case.get(name)["spec"].update(spec)


def beside(name: str, app: str, on: str, cpu: str = "1", **spec: object) -> Change:
    """One more running pod of an app of its own."""

    def change(case: Case) -> None:
        case.objects += [*deployment(app, 1), pod(name, app, cpu, on)]
        asks(case, name, **spec)

    return change


def port(number: int, **more: object) -> list[Body]:
    requests = {"cpu": "2", "memory": "1Gi"}  # as web-1
    return [{"name": "main", "resources": {"requests": requests}, "ports": [{"containerPort": 1, "hostPort": number, **more}]}]


def ports_meet(mine: Body, theirs: Body) -> Change:
    return both(beside("other-1", "other", "n2", **theirs), lambda case: asks(case, "web-1", **mine))


def company(app: str, key: str = "zone", **more: object) -> Body:
    return {"labelSelector": {"matchLabels": {"app": app}}, "topologyKey": key, **more}


def needs(case: Case, name: str, *terms: Body) -> None:
    asks(case, name, affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": list(terms)}})


def web_needs(*terms: Body) -> Change:
    return lambda case: needs(case, "web-1", *terms)


def also_moves(name: str, app: str, source: str, target: str, wave: int = 1) -> Change:
    def change(case: Case) -> None:
        case.plan["moves"].append(move(name, app, source, target, wave))
        case.count()

    return change


def cache_lives_in_ml(labels: dict[str, str]) -> Change:
    def change(case: Case) -> None:
        beside("cache-1", "cache", "n3")(case)
        case.get("cache-1")["metadata"]["namespace"] = "ml"
        case.objects += [
            {"kind": "Namespace", "metadata": {"name": "ml", "uid": "u-ml", "labels": labels}},
            {"kind": "Namespace", "metadata": {"name": "shop", "uid": "u-shop", "labels": {}}},
        ]

    return change


def two_of_a_kind_need_each_other(key: str) -> Change:
    """big and big-2 need their own kind and nobody of it is there: whoever comes first decides where."""

    def change(case: Case) -> None:
        case.objects.append(pod("big-2", "big", "2", created=SINCE))
        case.get("n3", "Node")["metadata"]["labels"]["zone"] = "a"
        for name in ("big", "big-2"):
            needs(case, name, company("big", key))
        case.plan["placements"].append(placement("big-2", "big", "n3"))
        case.count()

    return change


def four_web_pods(**more: object) -> Change:
    """Two on n1, one on n2 and one on n3, spread over nodes; web-1 makes it two on n2, one elsewhere."""

    def change(case: Case) -> None:
        case.objects += [pod("web-3", "web", "1", "n2"), pod("web-4", "web", "1", "n1")]
        case.get("web", "Deployment")["spec"]["replicas"] = case.get("web-rs", "ReplicaSet")["spec"]["replicas"] = 4
        case.get("web", "Deployment")["status"].update(replicas=4, updatedReplicas=4)
        for name in ("web-1", "web-2", "web-3", "web-4"):
            asks(case, name, topologySpreadConstraints=[{**spread("web")[0], "topologyKey": HOSTNAME, **more}])
        case.plan["fragmentation"]["before"]["c"]["largestPod"] = {"cpu": "3", "memory": "7Gi"}
        case.plan["fragmentation"]["after"]["c"]["largestPod"] = {"cpu": "2", "memory": "7Gi"}

    return change


def web_is_spread_by(selector: Body | None, **more: object) -> Change:
    def change(case: Case) -> None:
        for name in ("web-1", "web-2"):
            asks(case, name, topologySpreadConstraints=[{**spread("web")[0], "labelSelector": selector, **more}])

    return change


def late_is_nominated(priority: int = 0, **spec: object) -> Change:
    def change(case: Case) -> None:
        case.plan["placements"][0]["mover"] = "Surge"  # a copy keeps big's room against late
        also_waiting(case, "Room", "3", **spec)
        asks(case, "late", priority=priority)
        case.get("late")["status"]["nominatedNodeName"] = "n2"
        case.count()

    return change


def resized(case: Case, **status: object) -> None:
    case.get("other-1")["status"].update(
        containerStatuses=[{"name": "main", "resources": {"requests": {"cpu": "3"}}, "allocatedResources": {"cpu": "3"}}], **status
    )


INFEASIBLE = [{"type": "PodResizePending", "status": "True", "reason": "Infeasible"}]


def quota(scopes: Body | None = None, used: dict[str, str] | None = None, **hard: str) -> Change:
    """One ResourceQuota in shop; ``requests_cpu`` stands for ``requests.cpu``."""
    limits = {name.replace("__", "/").replace("_", "."): text for name, text in hard.items()}
    told = used if used is not None else dict.fromkeys(limits, "0")
    meta = {"name": "q", "namespace": "shop", "uid": "q"}
    body = {"kind": "ResourceQuota", "metadata": meta, "spec": {"hard": limits, **(scopes or {})}, "status": {"used": told}}
    return lambda case: case.objects.append(body)


def web_limits_cpu(case: Case) -> None:
    case.get("web-1")["spec"]["containers"][0]["resources"]["limits"] = {"cpu": "3"}


def big_is_surged(case: Case) -> None:
    case.plan["placements"][0].update(mover="Surge", wave=1)
    case.plan["moves"][0].update(wave=1)


def priority_class(operator: str, *values: str) -> Body:
    return {"scopeSelector": {"matchExpressions": [{"scopeName": "PriorityClass", "operator": operator, "values": list(values)}]}}


def marked(key: str) -> Change:
    def change(case: Case) -> None:
        case.get("n2", "Node")["spec"]["taints"] = [{"key": key, "effect": "NoSchedule"}]
        asks(case, "web-1", tolerations=[{"operator": "Exists"}])

    return change


def profiles(*names: object) -> Change:
    return lambda case: case.fleet["clusters"][0].update(scheduler={"profiles": list(names)})


def configured(**scheduler: object) -> Change:
    return lambda case: case.fleet["clusters"][0].update(scheduler=scheduler)


def dongles(case: Case) -> None:
    case.get("big")["spec"]["containers"][0]["resources"]["requests"]["example.com/dongle"] = "1"


ONLY_N3: Body = {"nodeSelectorTerms": [{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["n3"]}]}]}


def pinned(note: str) -> Change:
    def change(case: Case) -> None:
        case.get("web-1")["metadata"]["annotations"][PIN] = note
        asks(case, "web-1", nodeSelector={HOSTNAME: "n1"})

    return change


def pod_level(case: Case, cpu: str) -> None:
    asks(case, "big", resources={"requests": {"cpu": cpu}})


def sidecar(case: Case, policy: str) -> None:
    """Beside the container an init container of 2 cpu: with ``Always`` it stays."""
    asks(case, "big", initContainers=[{"name": "s", "restartPolicy": policy, "resources": {"requests": {"cpu": "2"}}}])


def late_is_not_ours(**spec: object) -> Change:
    """One more waiting pod, too large for any node, that uses nothing but what is modelled."""

    def change(case: Case) -> None:
        also_waiting(case, "NotOurs", "9")
        asks(case, "late", **spec)

    return change


WITHOUT = "c/shop/late is NotOurs without any reason"
SPOILT: dict[str, tuple[Change, str]] = {
    # ports
    "a host port": (ports_meet({"containers": port(80)}, {"containers": port(80)}), "port 80 is taken by c/shop/other-1"),
    "a sidecar's port": (
        ports_meet({"containers": port(80)}, {"initContainers": [{"name": "s", "restartPolicy": "Always", "ports": [{"hostPort": 80}]}]}),
        "port 80 is taken by",
    ),
    "one address and all addresses": (
        ports_meet({"containers": port(80, hostIP="10.0.0.1")}, {"containers": port(80, hostIP="0.0.0.0")}),  # noqa: S104
        "port 80 is taken by",
    ),
    "a port of the host's network": (
        ports_meet({"containers": port(80)}, {"hostNetwork": True, "containers": [{"name": "m", "ports": [{"containerPort": 80}]}]}),
        "port 80 is taken by",
    ),
    # required pod affinity
    "nobody to be with": (both(beside("cache-1", "cache", "n1"), web_needs(company("cache"))), "finds nobody for certain in zone b"),
    "company that leaves in the wave": (
        both(beside("cache-1", "cache", "n2"), web_needs(company("cache")), also_moves("cache-1", "cache", "n2", "n3")),
        "wave 1: move m-web-1 of c/shop/web-1: c/n2: its affinity finds nobody for certain",
    ),
    "company that comes in the wave": (
        both(beside("cache-1", "cache", "n1"), web_needs(company("cache")), also_moves("cache-1", "cache", "n1", "n3")),
        "wave 1: move m-web-1 of c/shop/web-1: c/n2: its affinity finds nobody for certain",
    ),
    "company that is terminating": (
        both(
            beside("cache-1", "cache", "n3"),
            web_needs(company("cache")),
            lambda c: c.get("cache-1")["metadata"].update(deletionTimestamp=SINCE),
        ),
        "its affinity finds nobody for certain",
    ),
    "two terms met by two pods": (
        both(
            beside("cache-1", "cache", "n3"),
            lambda c: c.get("web-2")["metadata"]["labels"].update(tier="front"),
            web_needs(company("cache"), {"labelSelector": {"matchLabels": {"tier": "front"}}, "topologyKey": "zone"}),
        ),
        "its affinity finds nobody for certain",
    ),
    "a node without the affinity's key": (
        both(beside("cache-1", "cache", "n3"), web_needs(company("cache", "rack"))),
        "its affinity needs the node label rack",
    ),
    "its own kind is elsewhere": (web_needs(company("web", HOSTNAME)), "finds nobody for certain in kubernetes.io/hostname n2"),
    "its own kind may be elsewhere": (two_of_a_kind_need_each_other(HOSTNAME), "its affinity may find c/shop/big-2 elsewhere"),
    "company in another namespace": (both(cache_lives_in_ml({}), web_needs(company("cache"))), "its affinity finds nobody"),
    "company in a namespace that is not selected": (
        both(cache_lives_in_ml({"team": "a"}), web_needs(company("cache", namespaceSelector={"matchLabels": {"team": "b"}}))),
        "its affinity finds nobody",
    ),
    "an absent selector": (both(beside("cache-1", "cache", "n3"), web_needs({"topologyKey": "zone"})), "its affinity finds nobody"),
    "labels of a namespace that nobody recorded": (
        web_needs(company("web", namespaceSelector={"matchLabels": {"team": "b"}})),
        "it is opaque: its namespaceSelector asks for the labels of shop",
    ),
    # spread
    "a pin sees one domain only": (four_web_pods(minDomains=2), "c/n2: pinned spread over kubernetes.io/hostname: skew 2 > 1"),
    "keys of labels to spread by": (web_is_spread_by({}, matchLabelKeys=["app"]), "after wave 1: c: spread of"),
    "too few domains": (web_is_spread_by({"matchLabels": {"app": "web"}}, minDomains=3, maxSkew=1), "spread over zone: skew 2 > 1"),
    # nominated pods, marks, profiles, pins
    "a nominated pod holds its room": (late_is_nominated(), "c/n2: cpu 5000 > 4000"),
    "a nominated pod holds its port": (
        both(late_is_nominated(containers=port(80)), lambda c: asks(c, "web-1", containers=port(80))),
        "port 80 is taken by c/shop/late (nominated pods counted)",
    ),
    "a node marked by cluster-autoscaler": (marked("ToBeDeletedByClusterAutoscaler"), "it is marked ToBeDeletedByClusterAutoscaler"),
    "a candidate of cluster-autoscaler": (marked("DeletionCandidateOfClusterAutoscaler"), "it is marked Deletion"),
    "a node marked by Karpenter": (marked("karpenter.sh/disrupted"), "it is marked karpenter.sh/disrupted"),
    "a profile that nobody told of": (lambda c: asks(c, "big", schedulerName="batch"), "scheduler batch is responsible"),
    "resources that are not ignored": (both(configured(ignoredResources=["example.com/doll"]), dongles), "c/n1: example.com/dongle 1 > 0"),
    "affinity that the scheduler adds": (
        configured(addedAffinity={"requiredDuringSchedulingIgnoredDuringExecution": ONLY_N3}),
        "c/n2: the scheduler's addedAffinity does not match",
    ),
    "hard constraints that the scheduler adds": (
        configured(defaultConstraints=[{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "DoNotSchedule"}]),
        "it may not be placed: the scheduler's hard default constraints apply to it",
    ),
    "a cluster without the default profile": (profiles("batch"), "scheduler default-scheduler is responsible"),
    "a pin of somebody else": (pinned("n3"), "c/n2: node affinity or selector does not match"),
    "our own pin on a pod that waits": (
        both(
            lambda c: c.get("big")["metadata"]["annotations"].update({PIN: "n3"}), lambda c: asks(c, "big", nodeSelector={HOSTNAME: "n3"})
        ),
        "c/n1: node affinity or selector does not match",
    ),
    "a RuntimeClass that is not there": (lambda c: asks(c, "big", runtimeClassName="sandbox"), "its RuntimeClass sandbox is not in"),
    # nothing of this is a reason to shy away
    "a port is no reason": (late_is_not_ours(containers=port(80)), WITHOUT),
    "affinity is no reason": (
        late_is_not_ours(affinity={"podAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [company("web")]}}),
        WITHOUT,
    ),
    "requests of the whole pod are no reason": (late_is_not_ours(resources={"requests": {"cpu": "9"}}, overhead={"cpu": "1"}), WITHOUT),
    "a told profile is no reason": (both(profiles("default-scheduler", "batch"), late_is_not_ours(schedulerName="batch")), WITHOUT),
    "a nomination is no reason": (
        both(late_is_not_ours(), lambda c: c.get("late")["status"].update(nominatedNodeName="n2")),
        WITHOUT,
    ),
    # requests
    "a neighbour that grew": (both(beside("other-1", "other", "n2"), resized), "c/n2: cpu 5000 > 4000"),
    "requests of the pod as a whole": (lambda c: pod_level(c, "9"), "c/n1: cpu 9000 > 8000"),
    "overhead": (lambda c: asks(c, "big", overhead={"cpu": "1500m"}), "c/n1: cpu 8500 > 8000"),
    "a sidecar": (lambda c: sidecar(c, "Always"), "c/n1: cpu 9000 > 8000"),
    # quotas
    "a quota of pods": (quota(pods="5", used={"pods": "5"}), "pods: copies ask for 1 > 0"),
    "a quota of objects": (quota(count__pods="5", used={"count/pods": "5"}), "count/pods: copies ask for 1 > 0"),
    "a quota of memory": (quota(memory="1Gi", used={"memory": "1Mi"}), "memory: copies ask for 1073741824 > 1072693248"),
    "a quota of limits": (both(quota(limits_cpu="2"), web_limits_cpu), "limits.cpu: copies ask for 3000 > 2000"),
    "a quota for all copies together": (
        both(quota(pods="1"), big_is_surged),
        "wave 1: c: ResourceQuota shop/q: pods: copies ask for 2 > 1",
    ),
    "a quota for a copy that keeps a hole": (
        both(quota(pods="1"), lambda c: c.plan["placements"][0].update(mover="Surge")),
        "wave 1: c: ResourceQuota shop/q: pods: copies ask for 2 > 1",
    ),
    "a quota nobody counted yet": (quota(pods="5", used={}), "pods: how much is left is unknown"),
    "a quota of a priority class": (
        both(quota(priority_class("In", "gold"), pods="0"), lambda c: asks(c, "web-1", priorityClassName="gold")),
        "pods: copies ask for 1 > 0",
    ),
    "a quota of pods that stay": (quota({"scopes": ["NotTerminating", "NotBestEffort"]}, pods="0"), "pods: copies ask for 1 > 0"),
}

LAWFUL: dict[str, Change] = {
    "ports of another protocol": ports_meet({"containers": port(80, protocol="UDP")}, {"containers": port(80)}),
    "ports of two addresses": ports_meet({"containers": port(80, hostIP="10.0.0.1")}, {"containers": port(80, hostIP="10.0.0.2")}),
    "a port while it starts": ports_meet({"containers": port(80)}, {"initContainers": [{**port(80)[0], "name": "i"}]}),
    "company in the zone": both(beside("cache-1", "cache", "n3"), web_needs(company("cache"))),
    "company of one pod for two terms": both(
        beside("cache-1", "cache", "n3"),
        lambda c: c.get("cache-1")["metadata"]["labels"].update(tier="back"),
        web_needs(company("cache"), {"labelSelector": {"matchLabels": {"tier": "back"}}, "topologyKey": "zone"}),
    ),
    "company of its own kind": web_needs(company("web")),
    "the first of its kind": lambda c: needs(c, "big", company("big")),
    "company in a named namespace": both(cache_lives_in_ml({}), web_needs(company("cache", namespaces=["ml"]))),
    "company in a selected namespace": both(
        cache_lives_in_ml({"team": "a"}), web_needs(company("cache", namespaceSelector={"matchLabels": {"team": "a"}}))
    ),
    "company in any namespace": both(cache_lives_in_ml({}), web_needs(company("cache", namespaceSelector={}))),
    "spread without minDomains under a pin": four_web_pods(),
    "a spread that no pin narrows": four_web_pods(minDomains=2, nodeAffinityPolicy="Ignore"),
    "a spread of nobody": web_is_spread_by(None),
    "a spread that counts nobody": web_is_spread_by({}),
    "a nominated pod of lower priority": late_is_nominated(-1),
    "a profile of the Fleet file": both(profiles("default-scheduler", "batch"), lambda c: asks(c, "big", schedulerName="batch")),
    "resources that are ignored": both(configured(ignoredResources=["example.com/dongle"]), dongles),
    "resources of an ignored group": both(configured(ignoredResourceGroups=["example.com"]), dongles),
    "soft constraints that the scheduler adds": configured(
        defaultConstraints=[{"topologyKey": "zone", "maxSkew": 1, "whenUnsatisfiable": "ScheduleAnyway"}]
    ),
    "our own pin": pinned("n1"),
    "a neighbour that may not grow": both(
        beside("other-1", "other", "n2", "3"),
        lambda c: c.get("other-1")["status"].update(
            conditions=INFEASIBLE, containerStatuses=[{"name": "main", "resources": {"requests": {"cpu": "1", "memory": "1Gi"}}}]
        ),
    ),
    "less for the pod as a whole": both(lambda c: sidecar(c, "Always"), lambda c: pod_level(c, "7")),
    "an init container": lambda c: sidecar(c, ""),
    "a quota with room": quota(
        pods="5", requests_cpu="2", limits_memory="1Gi", used={"pods": "4", "requests.cpu": "0", "limits.memory": "0"}
    ),
    "a quota of another scope": quota({"scopes": ["BestEffort"]}, pods="0"),
    "a quota of another priority class": quota(priority_class("In", "gold"), pods="0"),
    "a quota of what ends by itself": quota({"scopes": ["Terminating"]}, pods="0"),
    "a quota where nothing is copied": both(quota(pods="0"), lambda c: c.plan["moves"][0].update(mover="Hold"), Case.count),
}
