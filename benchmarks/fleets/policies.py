"""The policies under which fleets are measured: a truth file's budgets, fewer moves in all, and these split evenly over clusters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from descheduler.domain.snapshot import Snapshot
from descheduler.policy.policy import Policy


def policy_of(truth: Mapping[str, Any] | None, moves: int | None = None, **more: Any) -> Policy:
    """The shipped default, or its limits replaced by a truth file's budgets (``moves`` caps the whole run); ``more`` of its ``spec``."""
    if truth is None:
        only: dict[str, Any] = {} if moves is None else {"perRun": moves}
        return Policy.model_validate({"spec": {"limits": only, **more}})
    budgets = truth["budgets"]
    limits = {
        "perRun": budgets["run"] if moves is None else moves,
        "perCluster": budgets["cluster"],
        "perNamespace": None,
        "perNode": None,
        "perWorkload": None,
        "movesPerPlacedPod": None,
        "waves": 40,
        "perWindow": [],
    }
    overrides = [{"match": {"namespaces": [n]}, "limits": {"perNamespace": k}} for n, k in sorted(budgets["namespace"].items())]
    return Policy.model_validate({"spec": {"limits": limits, "overrides": overrides, **more}})


def shares(snapshot: Snapshot, moves: int) -> dict[str, int]:
    """The moves in equal shares for the clusters, what is left over one each for the first."""
    names = sorted(cluster.name for cluster in snapshot.clusters)
    each, over = divmod(moves, len(names))
    return {name: each + (at < over) for at, name in enumerate(names)}


def equal_split(policy: Policy, snapshot: Snapshot, moves: int) -> Policy:
    """The same policy, but every cluster may make its equal share of the moves and no more.

    The smaller share of later clusters is told by overrides for their namespaces, since the policy has one perCluster for all.

    Raises:
        ValueError: the shares differ and a namespace is in two clusters whose shares do.
    """
    share = shares(snapshot, moves)
    most = max(share.values())
    fewer = {p.ref.namespace: share[c.name] for c in snapshot.clusters for p in c.pods if share[c.name] < most}
    clusters = Counter(name for cluster in snapshot.clusters for name in {pod.ref.namespace for pod in cluster.pods})
    common = sorted(name for name in fewer if clusters[name] > 1 and name not in policy.spec.scope.namespaces.exclude)
    if common:
        raise ValueError(f"{moves} moves do not divide by {len(share)} clusters that share namespace {common[0]}")
    told: dict[str, Any] = policy.model_dump(mode="json", by_alias=True, exclude_unset=True)
    limits = told.setdefault("spec", {}).setdefault("limits", {})
    limits["perCluster"] = most
    overrides = told["spec"].setdefault("overrides", [])
    for count in sorted(set(fewer.values())):
        names = sorted(name for name, k in fewer.items() if k == count and clusters[name] == 1)
        overrides.append({"match": {"namespaces": names}, "limits": {"perCluster": count}})
    return Policy.model_validate(told)
