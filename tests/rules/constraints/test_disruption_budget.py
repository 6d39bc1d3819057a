"""PodDisruptionBudget: what one allows is allowed in each wave, and held from leaving to arriving."""

from __future__ import annotations

from typing import Any

from descheduler.domain.plan import Mover
from descheduler.domain.problem import Problem
from descheduler.domain.selectors import LabelSelector
from descheduler.rules.constraints import disruption_budget as rule
from tests.builders import Thing, a_budget, a_cluster, a_node, a_pod, a_snapshot
from tests.questions import a_problem, broken, class_of, index_of, names, planned, shift

NODES = [a_node("n", cpu=4), a_node("m", cpu=4)]


def db(number: int, **fields: Any) -> Thing:
    return a_pod(f"db-{number}", on="n", cpu=2, of="db", kind="StatefulSet", **fields)


def holding(*things: Thing, movers: tuple[str, ...] = ("Hold",), **spec: Any) -> Problem:
    return a_problem(a_snapshot(a_cluster("east", *things, movers=movers)), **spec)


def test_a_plan_disrupts_no_more_at_once_than_the_budget_allows() -> None:
    fleet = [*NODES, db(1), db(2), a_pod("waiting", cpu=4, node_selector={"kubernetes.io/hostname": "n"})]
    makes_room = {"db-1": "m", "db-2": "m", "waiting": "n"}

    assert planned(holding(*fleet, a_budget("db", allowed=0))) == {}
    assert planned(holding(*fleet, a_budget("db", allowed=1), limits={"waves": 2})) == {}
    assert planned(holding(*fleet, a_budget("db", allowed=1), limits={"waves": 3})) == makes_room
    assert planned(holding(*fleet, a_budget("db", allowed=2), limits={"waves": 2})) == makes_room


def test_a_violation_names_the_budget_and_what_it_allows() -> None:
    problem = holding(*NODES, db(1), db(2), a_budget("db", allowed=1, name="keep"))
    both = [shift(problem, "db-1", "m", by=Mover.HOLD), shift(problem, "db-2", "m", by=Mover.HOLD)]

    assert broken(problem, rule, both[0]) == []
    assert broken(problem, rule, *both) == ["PodDisruptionBudget: east/default/keep: 2 > disruptionsAllowed 1"]


def test_what_one_wave_spends_the_next_may_spend_again() -> None:
    problem = holding(*NODES, db(1), db(2), a_budget("db", allowed=1))

    one_by_one = [shift(problem, "db-1", "m", by=Mover.HOLD), shift(problem, "db-2", "m", by=Mover.HOLD, wave=2)]

    assert broken(problem, rule, *one_by_one) == []


def test_a_held_pod_spends_until_it_has_arrived() -> None:
    problem = holding(*NODES, db(1), db(2), a_budget("db", allowed=1))
    held = shift(problem, "db-1", "m", by=Mover.HOLD, wave=1, arrives=3)

    for wave in (1, 2, 3):
        assert len(broken(problem, rule, held, shift(problem, "db-2", "m", by=Mover.HOLD, wave=wave))) == 1
    assert broken(problem, rule, held, shift(problem, "db-2", "m", by=Mover.HOLD, wave=4)) == []


def test_surges_spend_nothing() -> None:
    web = [a_pod(f"web-{i}", on="n", of="web") for i in (1, 2)]
    problem = a_problem(*NODES, *web, a_budget("web", allowed=0))

    assert class_of(problem, "web-1").movers == (Mover.SURGE,)
    assert broken(problem, rule, shift(problem, "web-1", "m"), shift(problem, "web-2", "m")) == []
    assert list(rule.rows(problem)) == []


def test_one_budget_over_two_workloads_is_one_budget() -> None:
    other = a_pod("other-0", on="n", of="other", kind="StatefulSet")
    problem = holding(*NODES, db(1), other, a_budget("all", selector=LabelSelector(), allowed=1))
    (row,) = rule.rows(problem)

    assert (names(problem, row.group), row.limit, row.per) == (["db-1", "other-0"], 1, "wave")
    assert len(broken(problem, rule, shift(problem, "db-1", "m", by=Mover.HOLD), shift(problem, "other-0", "m", by=Mover.HOLD))) == 1


def test_a_budget_holds_in_its_own_namespace_and_cluster() -> None:
    east = a_cluster("east", *NODES, db(1), a_budget("db", allowed=0, namespace="other"), movers=("Hold",))
    west = a_cluster("west", a_node("w"), a_budget("db", allowed=0), movers=("Hold",))
    problem = a_problem(a_snapshot(east, west))

    assert class_of(problem, "db-1").budgets == ()
    assert broken(problem, rule, shift(problem, "db-1", "m", by=Mover.HOLD)) == []


def test_a_pod_under_two_budgets_is_never_evicted() -> None:
    problem = holding(*NODES, db(1), a_budget("db", allowed=5), a_budget("db", name="second", allowed=5))

    assert "under two PodDisruptionBudgets" in problem.protected[index_of(problem, "db-1")]


def test_the_judge_refuses_two_budgets_even_if_somebody_let_such_a_pod_through() -> None:
    problem = a_problem(*NODES, a_pod("web-1", on="n", of="web"), a_budget("web", allowed=5), a_budget("web", name="second", allowed=5))

    told = broken(problem, rule, shift(problem, "web-1", "m", by=Mover.EVICT))

    assert told == ["PodDisruptionBudget: east/n: a pod under two budgets cannot be evicted"]


def test_a_budget_that_is_broken_already_stops_only_who_would_leave() -> None:
    problem = holding(*NODES, db(1), db(2, ready=False), a_budget("db", allowed=0, healthy=1, desired=2), a_pod("waiting", cpu=1))

    assert broken(problem, rule) == []
    assert planned(problem) == {"waiting": "m"}
    assert problem.protected[index_of(problem, "db-1")].endswith(
        "Hold: PodDisruptionBudget db allows no disruption now; Evict: not found in the cluster"
    )
