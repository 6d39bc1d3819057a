"""Every mistake is told with its file, line and field; all mistakes of a file are told at once."""

from __future__ import annotations

import itertools

import pytest

from descheduler.errors import PolicyError
from descheduler.policy import policy_from_text

HEAD = "apiVersion: fleet.descheduler.io/v1alpha1\nkind: DeschedulePolicy\n"
"""Two lines, so that a body starts on line 3."""

AMOUNT = 'must be a count >= 0 or a share such as "10%"'
RESOURCES = "cpu, memory, ephemeral-storage, hugepages-<size> or an extended one such as nvidia.com/gpu"
WINDOW_FORMS = "must have either start and end (weekly hours, with days if not every day) or from and to (once)"
OURS = "fleet.descheduler.io/v1alpha1"
EXPECTED = "apiVersion fleet.descheduler.io/v1alpha1, kind DeschedulePolicy"

BODIES: list[tuple[str, list[str]]] = [
    # numbers
    ("spec: {limits: {perRun: -1}}", [f"3: spec.limits.perRun: {AMOUNT}, not -1"]),
    ("spec: {limits: {perRun: 101%}}", [f'3: spec.limits.perRun: {AMOUNT}, not "101%"']),
    ("spec: {limits: {perRun: '5'}}", [f'3: spec.limits.perRun: {AMOUNT}, not "5"']),
    ("spec: {limits: {perRun: 1.5}}", [f"3: spec.limits.perRun: {AMOUNT}, not 1.5"]),
    ("spec: {limits: {perRun: yes}}", [f'3: spec.limits.perRun: {AMOUNT}, not "yes"']),
    ("spec: {limits: {perRun: true}}", [f"3: spec.limits.perRun: {AMOUNT}, not true"]),
    ("spec: {limits: {perRun: [1]}}", [f"3: spec.limits.perRun: {AMOUNT}, not a list"]),
    ("spec: {limits: {waves: 0}}", ["3: spec.limits.waves: must be a count >= 1, not 0"]),
    ("spec: {limits: {cycleBreaks: 10%}}", ['3: spec.limits.cycleBreaks: must be a count >= 0, not "10%"']),
    ("spec: {floor: {slotsPerMove: -0.5}}", ["3: spec.floor.slotsPerMove: must be a number >= 0, not -0.5"]),
    ("spec: {emptyNodes: {prices: [{price: -1}]}}", ["3: spec.emptyNodes.prices[0].price: must be a number >= 0, not -1"]),
    (
        "spec: {emptyNodes: {prices: [{nodeSelector: {pool: 1}, cost: 2}]}}",
        [
            "3: spec.emptyNodes.prices[0].nodeSelector.pool: must be a label value (text), not 1",
            "3: spec.emptyNodes.prices[0].cost: unknown field; allowed: nodeSelector, price",
        ],
    ),
    ("spec: {solver: {effort: .nan}}", ['3: spec.solver.effort: must be a number > 0, not ".nan"']),
    ("spec: {secondLook: {minGainShare: 80}}", ["3: spec.secondLook.minGainShare: must be a number from 0 to 1, not 80"]),
    ("spec: {protections: {jobs: 0}}", ["3: spec.protections.jobs: must be true or false, not 0"]),
    (
        "spec: {trigger: {minPriority: high}}",
        ['3: spec.trigger.minPriority: must be a pod priority (a whole number of 32 bits) or null, not "high"'],
    ),
    # durations
    ("spec: {trigger: {pendingFor: 5}}", ['3: spec.trigger.pendingFor: must be a duration such as "90s", "10m" or "1h30m", not 5']),
    (
        "spec: {trigger: {pendingFor: -2m}}",
        ['3: spec.trigger.pendingFor: must be a duration such as "90s", "10m" or "1h30m", not "-2m"'],
    ),
    ("spec: {solver: {timeLimit: 0s}}", ['3: spec.solver.timeLimit: must be a duration longer than 0s, such as "10m", not "0s"']),
    ("spec: {cooldown: {perWorkload: 2h, backoffMax: 1h}}", ["3: spec.cooldown.backoffMax: must be at least perWorkload (2h)"]),
    (
        "spec: {limits: {perWindow: [{window: 24h}, {window: 1d}]}}",
        ["3: spec.limits.perWindow[1].window: 24h is listed twice"],
    ),
    # names
    ("spec: {mode: apply}", ['3: spec.mode: must be Plan or Apply, not "apply"; did you mean Apply?']),
    (
        "spec: {objectives: [PendingPod, Disruption]}",
        ['3: spec.objectives[0]: must be PendingPods, Disruption, Headroom or EmptyNodes, not "PendingPod"; did you mean PendingPods?'],
    ),
    (
        "spec: {objectives: [Headroom, Headroom]}",
        [
            "3: spec.objectives[1]: Headroom is listed twice",
            "3: spec.objectives[0]: must start with PendingPods: making room for waiting pods comes first",
            "3: spec.objectives: must contain Disruption, or moves would cost nothing",
        ],
    ),
    ("spec: {shapes: automatic}", ['3: spec.shapes: must be a list of shapes or auto, not "automatic"']),
    ("spec: {shapes: {name: a, requests: {cpu: 1}}}", ["3: spec.shapes: must be a list of shapes or auto, not a mapping"]),
    ("spec: {shapes: [auto]}", ['3: spec.shapes[0]: must be a mapping, not "auto"']),
    (
        "spec: {shapes: [{name: a, requests: {cpu: 1}, size: 1}]}",
        ["3: spec.shapes[0].size: unknown field; allowed: name, weight, requests, nodeSelector, tolerations"],
    ),
    ("spec: {shapes: []}", ["3: spec.shapes: must list at least one shape for the objective Headroom"]),
    ("spec: {movers: [Surge, Schedule]}", ['3: spec.movers[1]: must be Surge, Hold, Evict or Recreate, not "Schedule"']),
    ("spec: {movers: [Surge, Hold, Surge]}", ["3: spec.movers[2]: Surge is listed twice"]),
    (
        "spec: {protections: {controllers: [rollout, Job]}}",
        [
            '3: spec.protections.controllers[0]: must be a Kubernetes kind such as ReplicaSet, not "rollout"',
            '3: spec.protections.controllers[1]: must be the kind of another controller, not "Job": Job pods follow protections.jobs',
        ],
    ),
    ("metadata: {name: My Policy}", ["3: metadata.name: must be a name of lower-case letters, digits, '-' and '.', not \"My Policy\""]),
    ("spec: {scope: {clusters: {include: east}}}", ['3: spec.scope.clusters.include: must be a list, not "east"']),
    (
        "spec: {scope: {clusters: {include: ['[east']}}}",
        ['3: spec.scope.clusters.include[0]: must be a name or a pattern such as "team-*", not "[east"'],
    ),
    # selectors
    (
        "spec: {scope: {podSelector: {matchLabels: {app: 1, 'a b': x}}}}",
        [
            "3: spec.scope.podSelector.matchLabels.app: must be a label value (text), not 1",
            '3: spec.scope.podSelector.matchLabels["a b"]: is not a label key such as app.kubernetes.io/name',
        ],
    ),
    (
        "spec: {scope: {podSelector: {matchExpressions: [{key: a, operator: In}, {key: b, operator: Exists, values: [c]}]}}}",
        [
            "3: spec.scope.podSelector.matchExpressions[0].values: must list at least one value for operator In",
            "3: spec.scope.podSelector.matchExpressions[1].values: must be absent for operator Exists",
        ],
    ),
    (
        "spec: {scope: {podSelector: {matchExpressions: [{key: a, operator: Gt, values: ['1']}]}}}",
        ['3: spec.scope.podSelector.matchExpressions[0].operator: must be In, NotIn, Exists or DoesNotExist, not "Gt"'],
    ),
    # shapes, on several lines
    (
        (
            "spec:\n  shapes:\n  - name: Big\n    requests:\n      mem: 1Gi\n      cpu: -1\n      memory: 64GB\n      pods: 1\n"
            "      nvidia.com/gpu: 0.5\n      gpu: 1\n  - weight: 0\n    name: x\n  - name: x\n    requests: {}\n"
        ),
        [
            "5: spec.shapes[0].name: must be a name of lower-case letters, digits and '-', not \"Big\"",
            f"7: spec.shapes[0].requests.mem: unknown resource, must be {RESOURCES}",
            '8: spec.shapes[0].requests.cpu: must be a quantity such as "500m", "16" or 64Gi, not -1',
            '9: spec.shapes[0].requests.memory: must be a quantity such as "500m", "16" or 64Gi, not "64GB"',
            "10: spec.shapes[0].requests.pods: must not be requested: a pod always counts as one",
            '11: spec.shapes[0].requests["nvidia.com/gpu"]: must be a whole number, not 0.5',
            f"12: spec.shapes[0].requests.gpu: unknown resource, must be {RESOURCES}",
            "13: spec.shapes[1].weight: must be a number > 0, not 0",
            "13: spec.shapes[1].requests: required, but missing",
            "16: spec.shapes[2].requests: must request at least one resource, such as cpu",
        ],
    ),
    ("spec: {shapes: [{name: a, requests: {cpu: 1}}, {name: a, requests: {cpu: 2}}]}", ["3: spec.shapes[1].name: a is listed twice"]),
    (
        "spec: {shapes: [{name: a, requests: {cpu: 1}, tolerations: [{effect: NoSchedule}]}]}",
        ["3: spec.shapes[0].tolerations[0].operator: must be Exists when there is no key"],
    ),
    # schedule
    (
        "spec:\n  schedule:\n    timeZone: Europe/Berln\n    windows:\n    - days: [Mon, Tues]\n      start: 22:00\n      end: 6:00\n",
        [
            '5: spec.schedule.timeZone: must be an IANA time zone such as Europe/Berlin, not "Europe/Berln"; did you mean Europe/Berlin?',
            '7: spec.schedule.windows[0].days[1]: must be Mon, Tue, Wed, Thu, Fri, Sat or Sun, not "Tues"; did you mean Tue?',
            '9: spec.schedule.windows[0].end: must be a time of day from "00:00" to "24:00", not "6:00"',
        ],
    ),
    (
        "spec: {schedule: {blackouts: [{}, {start: 22:00}, {from: 2026-12-24T00:00:00Z, to: 2026-12-23T00:00:00Z}]}}",
        [
            f"3: spec.schedule.blackouts[0]: {WINDOW_FORMS}",
            "3: spec.schedule.blackouts[1]: weekly hours need both start and end",
            "3: spec.schedule.blackouts[2].to: must be later than from",
        ],
    ),
    # overrides
    (
        (
            "spec:\n  overrides:\n  - limits: {perNode: 3}\n  - match: {}\n  - match: {}\n"
            "    limits: {waves: 3, cycleBreaks: 1}\n    movers: [Hold, Hold]\n"
        ),
        [
            "5: spec.overrides[0].match: required, but missing",
            "6: spec.overrides[1]: overrides nothing; it must set trigger, limits, protections or movers",
            "8: spec.overrides[2].limits.waves: speaks of whole runs and cannot be overridden for some pods; set it in spec.limits",
            "8: spec.overrides[2].limits.cycleBreaks: speaks of whole runs and cannot be overridden for some pods; set it in spec.limits",
            "9: spec.overrides[2].movers[1]: Hold is listed twice",
        ],
    ),
    # structure
    ("spec:\n  limits:\n    perNod: 3\n", ["5: spec.limits.perNod: unknown field; did you mean perNode?"]),
    ("spec:\n  limits:\n    per_node: 3\n", ["5: spec.limits.per_node: unknown field; did you mean perNode?"]),
    ("spec:\n  perRun:\n    3\n", ["4: spec.perRun: unknown field here; it belongs to spec.limits"]),
    ("metadata:\n  labels: {}\n", ["4: metadata.labels: unknown field; allowed: name"]),
    ("spec:\n  limits:\n    perRun:\n      -1\n", [f"6: spec.limits.perRun: {AMOUNT}, not -1"]),
    ("spec:\n  limits:\n", ["4: spec.limits: must be a mapping, not null"]),
    ("spec: []\n", ["3: spec: must be a mapping, not a list"]),
    (
        "spec:\n  mode: Go\n  limits:\n    perRun: x\n  mode: Apply\n",
        [
            '4: spec.mode: must be Plan or Apply, not "Go"',
            f'6: spec.limits.perRun: {AMOUNT}, not "x"',
            "7: spec.mode: is given twice, first on line 4",
        ],
    ),
    ("spec:\n\tmode: Apply\n", ["4: broken YAML at column 1: a tab; YAML is indented with spaces"]),
    ("spec:\n  mode: Apply\n   limits: {}\n", ["5: broken YAML at column 10: mapping values are not allowed here"]),
    ("spec: *nowhere\n", ["3: broken YAML at column 7: found undefined alias 'nowhere'"]),
    ("spec: {mode: \x07}\n", ["3: broken YAML at column 14: the character U+0007 is not allowed"]),
    ("spec: !secret {}\n", ["3: spec: has the tag !secret, which means nothing here"]),
    ("? [a, b]\n: c\n", ["3: a key must be a plain word"]),
    ("spec: &all\n  limits: *all\n", ["1: is nested deeper than 50 levels, or an alias contains itself"]),
]

FILES: list[tuple[str, list[str]]] = [
    ("", ["1: no policy here: the file is empty, must hold a DeschedulePolicy"]),
    ("# nothing but a comment\n---\n", ["1: no policy here: the file is empty, must hold a DeschedulePolicy"]),
    ("\n- a\n", [f"2: must be a policy ({EXPECTED}), not a list"]),
    (
        "spec: {mode: Apply}\n",
        ["1: apiVersion: required, must be fleet.descheduler.io/v1alpha1", "1: kind: required, must be DeschedulePolicy"],
    ),
    ("apiVersion: v1\nkind: ConfigMap\n", ['2: kind: must be DeschedulePolicy, not "ConfigMap"']),
    (
        "kind: DeschedulePolicy\napiVersion: fleet.descheduler.io/v1\n",
        [f'2: apiVersion: must be {OURS}, not "fleet.descheduler.io/v1"; did you mean {OURS}?'],
    ),
    *(
        (
            f"apiVersion: descheduler/{version}\nkind: DeschedulerPolicy\n",
            [
                (
                    f'1: apiVersion: "descheduler/{version}" is a policy of kubernetes-sigs/descheduler, '
                    "must be fleet.descheduler.io/v1alpha1; convert it with `descheduler policy import p.yaml`"
                )
            ],
        )
        for version in ("v1alpha1", "v1alpha2")
    ),
    ("[" * 3000, ["1: broken YAML: nested deeper than 50 levels"]),
]


def mistakes_in(text: str) -> list[str]:
    with pytest.raises(PolicyError) as told:
        policy_from_text(text, "p.yaml")
    return list(told.value.mistakes)


@pytest.mark.parametrize(("body", "expected"), BODIES, ids=[body[:60] for body, _ in BODIES])
def test_a_mistake_is_told_with_its_line_field_and_what_is_allowed(body: str, expected: list[str]) -> None:
    assert mistakes_in(HEAD + body) == [f"p.yaml:{message}" for message in expected]


@pytest.mark.parametrize(("text", "expected"), FILES, ids=[text[:40] for text, _ in FILES])
def test_a_file_without_a_policy_says_what_it_should_be(text: str, expected: list[str]) -> None:
    assert mistakes_in(text) == [f"p.yaml:{message}" for message in expected]


def test_mistakes_in_several_documents_are_told_together() -> None:
    text = f"{HEAD}spec: {{mode: Go}}\n---\n{HEAD}spec: {{limits: {{perRun: -1}}}}\n---\na: [\n"

    assert mistakes_in(text) == [
        'p.yaml:3: spec.mode: must be Plan or Apply, not "Go"',
        f"p.yaml:7: spec.limits.perRun: {AMOUNT}, not -1",
        "p.yaml:10: broken YAML at column 1: expected the node content, but found '<stream end>'",
    ]


def test_aliases_that_expand_without_end_are_refused_at_once() -> None:
    levels = "abcdefghij"
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{this}: &{this} [{','.join([f'*{last}'] * 9)}]\n" for last, this in itertools.pairwise(levels)
    )

    assert mistakes_in(bomb) == ["p.yaml:1: has more than 20000 values once its aliases are expanded"]


def test_merges_of_merges_are_bounded_too() -> None:
    lines = ["a: &a {x: 1}"] + [f"{i}: &m{i} {{<<: [{', '.join([f'*m{i - 1}' if i else '*a'] * 9)}]}}" for i in range(9)]

    assert mistakes_in("\n".join(lines)) == ["p.yaml:1: has more than 20000 values once its aliases are expanded"]


def test_aliases_and_merge_keys_mean_what_they_mean_elsewhere() -> None:
    policy = policy_from_text(
        f"{HEAD}spec:\n  trigger: {{pendingFor: &wait 7m}}\n  cooldown: {{perWorkload: *wait}}\n"
        "  overrides:\n  - match: {namespaces: [a]}\n    limits: &few {perNode: 1, perNamespace: 2}\n"
        "  - match: {namespaces: [b]}\n    limits: {perNode: 3, <<: *few}\n"
    )

    assert policy.spec.trigger.pending_for == policy.spec.cooldown.per_workload
    assert str(policy.spec.overrides[1].limits.per_node) == "3"
    assert str(policy.spec.overrides[1].limits.per_namespace) == "2"


def test_a_mistake_after_a_merge_key_keeps_its_own_line() -> None:
    body = (
        "spec:\n  overrides:\n  - match: {namespaces: [a]}\n    limits: &few {perNode: 1}\n"
        "  - match: {namespaces: [b]}\n    limits:\n      perNode: -3\n      <<: *few\n"
    )

    assert mistakes_in(HEAD + body) == [f"p.yaml:9: spec.overrides[1].limits.perNode: {AMOUNT}, not -3"]
