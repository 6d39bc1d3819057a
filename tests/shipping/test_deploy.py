"""The manifests we ship: complete, read-only, fenced in, and running a command line that exists."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from descheduler import __version__, commandline
from descheduler.domain import marks
from descheduler.federation.kube_lists import LISTS
from descheduler.settings import RunSettings

ROOT = Path(__file__).parents[2]
BASE = ROOT / "deploy" / "base"

Json = dict[str, Any]


def documents(name: str) -> list[Json]:
    return [document for document in yaml.safe_load_all((BASE / name).read_text(encoding="utf-8")) if document]


KUSTOMIZATION: Json = documents("kustomization.yaml")[0]
OBJECTS: dict[str, Json] = {document["kind"]: document for name in KUSTOMIZATION["resources"] for document in documents(name)}
CRON: Json = OBJECTS["CronJob"]["spec"]
JOB: Json = CRON["jobTemplate"]["spec"]
POD: Json = JOB["template"]["spec"]
CONTAINER: Json = POD["containers"][0]


def test_every_manifest_is_part_of_the_base() -> None:
    generated = {file for generator in KUSTOMIZATION["configMapGenerator"] for file in generator["files"]}

    listed = {"kustomization.yaml", *KUSTOMIZATION["resources"], *generated}

    assert {path.name for path in BASE.iterdir()} == listed
    assert sorted(OBJECTS) == ["ClusterRole", "ClusterRoleBinding", "CronJob", "Namespace", "ServiceAccount"]


def test_objects_refer_to_one_another() -> None:
    account = OBJECTS["ServiceAccount"]["metadata"]
    binding = OBJECTS["ClusterRoleBinding"]

    assert binding["roleRef"]["name"] == OBJECTS["ClusterRole"]["metadata"]["name"]
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": account["name"], "namespace": account["namespace"]}]
    assert POD["serviceAccountName"] == account["name"]
    assert {account["namespace"], OBJECTS["CronJob"]["metadata"]["namespace"]} == {OBJECTS["Namespace"]["metadata"]["name"]}
    assert KUSTOMIZATION["namespace"] == OBJECTS["Namespace"]["metadata"]["name"]


# Rights.


def test_the_role_may_read_exactly_what_is_read() -> None:
    rules = OBJECTS["ClusterRole"]["rules"]

    granted = {(group, resource) for rule in rules for group in rule["apiGroups"] for resource in rule["resources"]}

    assert granted == {(listing.group, listing.resource) for listing in LISTS}


def test_the_role_can_change_nothing_and_see_no_secret() -> None:
    rules = OBJECTS["ClusterRole"]["rules"]
    words = {word for rule in rules for field in rule.values() for word in field}

    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list"}
    assert not words & {"*", "secrets", "configmaps", "pods/exec", "pods/log", "serviceaccounts/token"}
    assert all(set(rule) == {"apiGroups", "resources", "verbs"} for rule in rules)


# The pod.


def test_the_pod_is_fenced_in() -> None:
    assert POD["securityContext"]["runAsNonRoot"] is True
    assert POD["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert CONTAINER["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert not POD.keys() & {"hostNetwork", "hostPID", "hostIPC"}
    assert OBJECTS["Namespace"]["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_pod_runs_as_the_image_s_user() -> None:
    user = f"{POD['securityContext']['runAsUser']}:{POD['securityContext']['runAsGroup']}"

    assert f"USER {user}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_only_memory_files_are_writable() -> None:
    writable = {mount["mountPath"] for mount in CONTAINER["volumeMounts"] if not mount.get("readOnly")}

    assert writable == {"/tmp"}  # noqa: S108  # inside the container
    assert {volume["name"] for volume in POD["volumes"]} == {mount["name"] for mount in CONTAINER["volumeMounts"]}


def test_the_pod_says_what_it_needs() -> None:
    assert CONTAINER["resources"]["requests"].keys() == {"cpu", "memory"}
    assert "memory" in CONTAINER["resources"]["limits"]


# Overlap and endings (kubernetes.md 6).


def test_runs_never_overlap_and_none_blocks_the_next() -> None:
    minutes = int(CRON["schedule"].removeprefix("*/").split()[0])
    period = timedelta(minutes=minutes).total_seconds()

    assert CRON["concurrencyPolicy"] == "Forbid"
    assert CRON["startingDeadlineSeconds"] == period / 2
    assert JOB["activeDeadlineSeconds"] < period
    assert JOB["backoffLimit"] == 0
    assert JOB["podReplacementPolicy"] == "Failed"
    assert JOB["ttlSecondsAfterFinished"] > period
    assert POD["restartPolicy"] == "Never"
    assert POD["terminationGracePeriodSeconds"] == 60


# What it runs.


def test_the_command_line_is_one_we_understand(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in CONTAINER["env"]:
        monkeypatch.setitem(os.environ, variable["name"], variable["value"])
    command, *arguments = CONTAINER["args"]

    told = commandline.read(RunSettings, "descheduler run", "", arguments)

    assert command == "run"
    assert (told.fleet, told.snapshot, told.log_format) == (None, None, "json")
    mounted = {mount["mountPath"] for mount in CONTAINER["volumeMounts"]}
    assert {str(path.parent) for path in told.policy} <= mounted
    assert [path.name for path in told.policy] == KUSTOMIZATION["configMapGenerator"][0]["files"]


def test_the_policy_is_the_shipped_default() -> None:
    assert (BASE / "default.yaml").read_bytes() == (ROOT / "policies" / "default.yaml").read_bytes()
    assert yaml.safe_load((BASE / "default.yaml").read_text(encoding="utf-8"))["spec"]["mode"] == "Plan"
    assert POD["volumes"][0]["configMap"]["name"] == KUSTOMIZATION["configMapGenerator"][0]["name"]


def test_the_image_is_the_version_we_are() -> None:
    assert KUSTOMIZATION["images"] == [{"name": CONTAINER["image"], "newTag": __version__}]


def test_settings_look_for_a_pod_s_account_where_kubernetes_mounts_it() -> None:
    told = commandline.read(RunSettings, "descheduler run", "", [])

    assert str(told.service_account) == "/var/run/secrets/kubernetes.io/serviceaccount"
    assert POD["automountServiceAccountToken"] is True


# What it takes to act.

MOVER, HOLD = ROOT / "deploy" / "mover", ROOT / "deploy" / "hold"


def shipped(folder: Path) -> list[Json]:
    told: Json = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    files = [folder / name for name in told["resources"] if name.endswith(".yaml")]
    return [document for file in files for document in yaml.safe_load_all(file.read_text(encoding="utf-8")) if document]


@pytest.mark.parametrize("folder", [MOVER, HOLD])
def test_every_file_of_an_overlay_is_part_of_it(folder: Path) -> None:
    told: Json = yaml.safe_load((folder / "kustomization.yaml").read_text(encoding="utf-8"))
    generated = {file.rpartition("=")[2] for generator in told.get("configMapGenerator", ()) for file in generator["files"]}

    listed = {name for name in told["resources"] if name.endswith(".yaml")} | generated

    assert {path.name for path in folder.iterdir()} == {"kustomization.yaml", *listed}


def test_the_overlay_for_older_servers_says_another_version_of_the_same_policy() -> None:
    told: Json = yaml.safe_load((ROOT / "deploy" / "hold-v1beta1" / "kustomization.yaml").read_text(encoding="utf-8"))
    changed = {patch["target"]["kind"]: yaml.safe_load(patch["patch"]) for patch in told["patches"]}
    older = [{"op": "replace", "path": "/apiVersion", "value": "admissionregistration.k8s.io/v1beta1"}]

    assert told["resources"] == ["../hold"]
    assert changed == dict.fromkeys((doc["kind"] for doc in shipped(HOLD) if "admissionregistration" in doc["apiVersion"]), older)


def test_the_mover_s_policy_is_the_shipped_one_that_acts() -> None:
    assert (MOVER / "balanced.yaml").read_bytes() == (ROOT / "policies" / "balanced.yaml").read_bytes()
    assert yaml.safe_load((MOVER / "balanced.yaml").read_text(encoding="utf-8"))["spec"]["mode"] == "Apply"


def test_the_mover_touches_no_node_no_secret_and_no_workload() -> None:
    rules = [rule for document in shipped(MOVER) for rule in document.get("rules", ())]
    written = {resource for rule in rules if set(rule["verbs"]) - {"get", "list", "watch"} for resource in rule["resources"]}
    words = {word for rule in rules for field in rule.values() for word in field}

    assert written == {"pods", "pods/status", "pods/eviction", "podtemplates", "leases", "configmaps", "placementholds"}
    assert not words & {"*", "secrets", "nodes", "pods/exec", "escalate", "bind", "impersonate"}


def test_only_the_tool_s_own_configmaps_and_lease_are_named() -> None:
    (role,) = (document for document in shipped(MOVER) if document["kind"] == "Role")
    unnamed = [rule for rule in role["rules"] if "resourceNames" not in rule]

    assert role["metadata"]["namespace"] == "descheduler"
    assert all(rule["verbs"] == ["create"] for rule in unnamed)  # what is created has no name yet


def test_the_hold_policy_gates_with_the_gate_that_recovery_looks_for() -> None:
    by_kind = {document["kind"]: document for document in shipped(HOLD)}
    policy, binding, job = (by_kind[kind] for kind in ("MutatingAdmissionPolicy", "MutatingAdmissionPolicyBinding", "CronJob"))
    (mutation,) = policy["spec"]["mutations"]

    assert policy["metadata"]["name"] == binding["metadata"]["name"] == binding["spec"]["policyName"] == marks.HOLD_POLICY
    assert policy["spec"]["paramKind"] == {"apiVersion": marks.HOLD_API, "kind": marks.HOLD_KIND}
    assert binding["spec"]["paramRef"]["name"] == marks.HOLD_NAME
    assert binding["spec"]["paramRef"]["namespace"] == marks.HOLD_NAMESPACE
    assert mutation["patchType"] == "ApplyConfiguration"  # a JSONPatch with a list of objects panics the API server
    assert f"'{marks.HOLD_GATE}'" in mutation["applyConfiguration"]["expression"]
    assert policy["spec"]["failurePolicy"] == "Ignore"
    assert job["metadata"]["name"] == marks.RECOVER_JOB
    assert job["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]["args"] == ["recover"]
