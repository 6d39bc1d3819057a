"""The policy's limits as counts: who shares one, what a share is of, and what overrides change."""

from __future__ import annotations

from typing import Any

import pytest

from descheduler.domain.problem import Limit, Problem
from tests.builders import Thing, a_cluster, a_node, a_pod, a_snapshot
from tests.questions import a_problem, names

BATCH: dict[str, Any] = {"match": {"namespaces": ["batch"]}}


def pods(number: int, app: str = "web", namespace: str = "default", on: str = "n", **fields: Any) -> list[Thing]:
    return [a_pod(f"{app}-{namespace[0]}{on}{i}", on=on, of=app, namespace=namespace, **fields) for i in range(number)]


def asked(*things: Thing, overrides: list[dict[str, Any]] | None = None, **limits: Any) -> Problem:
    return a_problem(a_node("n"), a_node("m"), *things, limits=limits, overrides=overrides or [])


def told(problem: Problem) -> dict[str, int]:
    return {f"{limit.name} {limit.subject}": limit.count for limit in problem.terms.limits}


def limit_of(problem: Problem, subject: str) -> Limit:
    return next(limit for limit in problem.terms.limits if limit.subject == subject)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ({"perRun": 2}, {"perRun fleet": 2}),
        ({"perCluster": 2}, {"perCluster east": 2}),
        ({"perNamespace": 1}, {"perNamespace east/default": 1, "perNamespace east/batch": 1}),
        ({"perNode": 1}, {"perNode east/n": 1, "perNode east/m": 1}),
        ({"perWorkload": 1}, {"perWorkload east/default/Deployment/web": 1, "perWorkload east/batch/Deployment/web": 1}),
    ],
)
def test_each_limit_speaks_of_its_own_kind_of_pods(limits: dict[str, Any], expected: dict[str, int]) -> None:
    assert told(asked(*pods(2), *pods(2, namespace="batch", on="m"), **limits)) == expected


def test_namespaces_workloads_and_nodes_of_one_name_in_two_clusters_are_two() -> None:
    east, west = (a_cluster(name, a_node("n"), *pods(2)) for name in ("east", "west"))
    problem = a_problem(a_snapshot(east, west), limits={"perRun": 3, "perNamespace": 1, "perNode": 1, "perWorkload": 1})

    assert len(told(problem)) == 1 + 2 + 2 + 2
    assert len(limit_of(problem, "fleet").group) == 2


def test_a_node_limit_is_over_the_classes_there_and_names_the_node() -> None:
    problem = asked(*pods(2), *pods(2, "api"), *pods(1, "api", on="m"), perNode=1)
    limit = limit_of(problem, "east/n")

    assert [problem.nodes[n].ref.name for n in limit.nodes or ()] == ["n"]
    assert names(problem, limit.group) == ["api-dm0", "api-dn0", "api-dn1", "web-dn0", "web-dn1"]


def test_classes_of_one_workload_share_its_limit() -> None:
    problem = asked(*pods(2), a_pod("web-x", on="n", of="web", cpu=5), perWorkload=1)

    assert told(problem) == {"perWorkload east/default/Deployment/web": 1}
    assert len(problem.terms.limits[0].group) == 2


def test_a_limit_that_cannot_bind_is_not_told() -> None:
    assert told(asked(*pods(3), perRun=3)) == {}
    assert told(asked(*pods(3), perRun=2)) == {"perRun fleet": 2}


def test_null_is_no_limit_and_nought_is_one() -> None:
    assert told(asked(*pods(3), perRun=None)) == {}
    assert told(asked(*pods(3), perRun=0)) == {"perRun fleet": 0}


def test_a_share_is_of_all_running_pods_in_the_scope_rounded_down() -> None:
    fixed = [a_pod(f"fixed-{i}", on="m") for i in range(6)]
    waiting = [a_pod(f"waits-{i}") for i in range(50)]

    assert told(asked(*pods(4), *fixed, *waiting, perRun="29%")) == {"perRun fleet": 2}
    assert told(asked(*pods(4), *fixed, perNode="50%")) == {"perNode east/n": 2}
    assert told(asked(*pods(9), perWorkload="11%")) == {"perWorkload east/default/Deployment/web": 0}
    assert told(asked(*pods(3), *pods(6, on="m"), perNode="34%")) == {"perNode east/n": 1, "perNode east/m": 2}


def test_each_bare_pod_that_may_move_is_a_workload_of_its_own() -> None:
    spec: dict[str, Any] = {"protections": {"barePods": False}, "movers": ["Recreate"]}
    fleet: list[Thing] = [a_node("n"), a_pod("a", on="n"), a_pod("b", on="n")]

    assert told(a_problem(*fleet, limits={"perWorkload": 1}, **spec)) == {}
    assert sorted(told(a_problem(*fleet, limits={"perWorkload": "50%"}, **spec)).values()) == [0, 0]


def test_an_override_gives_the_pods_it_matches_a_budget_of_their_own() -> None:
    override = {**BATCH, "limits": {"perNamespace": 2, "perWorkload": 3, "perNode": 1}}
    problem = asked(*pods(4), *pods(4, namespace="batch"), overrides=[override], perNamespace=1, perWorkload=1, perNode=2)

    assert told(problem) == {
        "perNamespace east/default": 1,
        "perNamespace east/batch (overrides[0])": 2,
        "perWorkload east/default/Deployment/web": 1,
        "perWorkload east/batch/Deployment/web (overrides[0])": 3,
        "perNode east/n": 2,
        "perNode east/n (overrides[0])": 1,
    }
    assert names(problem, limit_of(problem, "east/n").group) == [f"web-dn{i}" for i in range(4)]


def test_within_one_namespace_and_workload_matched_pods_are_counted_apart_from_the_others() -> None:
    spot = {"match": {"podSelector": {"matchLabels": {"tier": "spot"}}}, "limits": {"perNamespace": 2, "perWorkload": "50%"}}
    matched = [a_pod(f"spot-{i}", on="m", of="web", labels={"tier": "spot"}) for i in range(4)]

    assert told(asked(*pods(3), *matched, overrides=[spot], perNamespace=1, perWorkload="34%")) == {
        "perNamespace east/default": 1,
        "perNamespace east/default (overrides[0])": 2,
        "perWorkload east/default/Deployment/web": 1,
        "perWorkload east/default/Deployment/web (overrides[0])": 2,
    }


def test_an_override_adds_a_cap_to_run_and_cluster_and_lifts_none() -> None:
    override = {**BATCH, "limits": {"perRun": 1, "perCluster": "50%"}}
    problem = asked(*pods(4), *pods(4, namespace="batch"), overrides=[override], perRun=5, perCluster=6)

    assert told(problem) == {
        "perRun fleet": 5,
        "perRun fleet (overrides[0])": 1,
        "perCluster east": 6,
        "perCluster east (overrides[0])": 2,
    }
    assert len(limit_of(problem, "fleet").group) == 2
    assert len(limit_of(problem, "fleet (overrides[0])").group) == 1


def test_an_override_of_null_frees_its_pods_from_their_own_limits_but_never_from_the_runs() -> None:
    override = {**BATCH, "limits": {"perRun": None, "perCluster": None, "perNamespace": None, "perNode": None, "perWorkload": None}}
    problem = asked(*pods(4, namespace="batch"), overrides=[override], perRun=1, perCluster=2, perNamespace=1, perNode=1, perWorkload=1)

    assert told(problem) == {"perRun fleet": 1, "perCluster east": 2}


def test_of_two_overrides_the_last_that_writes_a_limit_owns_it() -> None:
    both = [{**BATCH, "limits": {"perNamespace": 1, "perWorkload": 1}}, {**BATCH, "limits": {"perNamespace": 3}}]

    assert told(asked(*pods(4, namespace="batch"), overrides=both, perNamespace=2, perWorkload=2)) == {
        "perNamespace east/batch (overrides[1])": 3,
        "perWorkload east/batch/Deployment/web (overrides[0])": 1,
    }


def test_an_override_that_says_nothing_of_limits_changes_none() -> None:
    override = {**BATCH, "protections": {"jobs": False}}

    assert told(asked(*pods(2), *pods(2, namespace="batch"), overrides=[override], perNode=3)) == {"perNode east/n": 3}


def test_only_pods_that_may_move_are_in_the_group() -> None:
    problem = asked(*pods(2), a_pod("fixed", on="n"), perNode=1)

    assert names(problem, limit_of(problem, "east/n").group) == ["web-dn0", "web-dn1"]


def test_what_a_span_of_time_allows_one_run_may_not_exceed_either() -> None:
    windows = [{"window": "24h", "perFleet": 3, "perWorkload": 1}, {"window": "1h", "perFleet": "50%"}]

    assert told(asked(*pods(5), perWindow=windows)) == {
        "perWindow 24h perFleet fleet": 3,
        "perWindow 24h perWorkload east/default/Deployment/web": 1,
        "perWindow 1h perFleet fleet": 2,
    }


def test_lifted_limits_are_gone() -> None:
    problem = a_problem(a_node("n"), *pods(3), lifted=True, limits={"perRun": 0, "movesPerPlacedPod": 0, "waves": 1})

    assert problem.terms.limits == ()
    assert problem.terms.moves_per_placed_pod is None
