"""The judge catches every kind of violation, each on a route made by hand."""

from __future__ import annotations

import pytest

from descheduler.domain.placement import Bind, Shift
from descheduler.domain.plan import Mover
from descheduler.domain.problem import Problem
from descheduler.domain.selectors import Taint
from descheduler.verify import violations
from tests.builders import HOSTNAME, Thing, a_budget, a_cluster, a_node, a_pod, apart_from, spread_over
from tests.problems import HOLD, a_problem, a_route, bind, shift


def found(problem: Problem, *steps: Shift | Bind) -> list[str]:
    return [str(violation) for violation in violations(problem, a_route(*steps))]


TWO = (a_node("n0", cpu=4), a_node("n1", cpu=4))
CART = a_pod("cart", of="cart", on="n0", cpu=2)
TRAIN = a_pod("train", cpu=4)


def test_a_lawful_route_passes() -> None:
    problem = a_problem(*TWO, CART, TRAIN)

    assert found(problem, shift(problem, "cart", "n1"), bind(problem, "train", "n0", wave=2)) == []


def test_room_is_free_only_after_the_wave_in_which_it_is_left() -> None:
    problem = a_problem(*TWO, CART, TRAIN)

    assert found(problem, shift(problem, "cart", "n1"), bind(problem, "train", "n0")) == ["NodeResourcesFit: east/n0: cpu 6 > 4"]


def test_an_arrival_counts_from_the_beginning_of_its_wave() -> None:
    problem = a_problem(*TWO, CART, a_pod("web", of="web", on="n1", cpu=4))

    told = found(problem, shift(problem, "cart", "n1"), shift(problem, "web", "n0"))

    assert "NodeResourcesFit: east/n0: cpu 6 > 4" in told
    assert "NodeResourcesFit: east/n1: cpu 6 > 4" in told


def test_more_pods_leave_than_there_are() -> None:
    problem = a_problem(*TWO, CART, limits={"perWorkload": None})

    assert "Pods: east/n0: 2 pods leave of 1" in found(problem, shift(problem, "cart", "n1"), shift(problem, "cart", "n1", wave=2))


def test_more_pods_are_placed_than_wait() -> None:
    problem = a_problem(*TWO, TRAIN)

    assert found(problem, bind(problem, "train", "n0"), bind(problem, "train", "n1")) == ["Pods: east/default/?: 2 placed of 1 waiting"]


def test_a_running_pod_is_not_placed() -> None:
    problem = a_problem(*TWO, CART)

    assert "Pods: east/default/cart: 1 placed of 0 waiting" in found(problem, bind(problem, "cart", "n1"))


def test_a_move_goes_somewhere_else() -> None:
    problem = a_problem(*TWO, CART)

    assert "Pods: east/n0: moves to where it is" in found(problem, shift(problem, "cart", "n0"))


def test_a_protected_pod_has_no_mover() -> None:
    problem = a_problem(*TWO, a_pod("bare", on="n0"), TRAIN)

    told = found(problem, shift(problem, "bare", "n1"), bind(problem, "train", "n0", wave=2))

    assert told == ["Movers: east/n0: Surge does not apply to a pod of east/default/?"]


def test_a_mover_that_does_not_apply() -> None:
    problem = a_problem(*TWO, a_pod("db", of="db", kind="StatefulSet", on="n0"), TRAIN, movers=HOLD)

    told = found(problem, shift(problem, "db", "n1"), bind(problem, "train", "n0", wave=2))

    assert told == ["Movers: east/n0: Surge does not apply to a pod of east/default/db"]


@pytest.mark.parametrize(("wave", "arrival"), [(2, 1), (0, 0), (1, 2)])
def test_waves_that_cannot_be(wave: int, arrival: int) -> None:
    """It cannot arrive before it leaves, nor before the first wave; and nobody but a Hold waits in between."""
    problem = a_problem(*TWO, CART, limits={"movesPerPlacedPod": None, "cycleBreaks": 1})

    assert f"Waves: east/n1: leaves in {wave}, arrives in {arrival}" in found(
        problem, shift(problem, "cart", "n1", wave=wave, arrival=arrival)
    )


def test_a_node_that_a_filter_refuses() -> None:
    problem = a_problem(*TWO, a_node("gpu", taints=[Taint("gpu", "", "NoSchedule")]), TRAIN)

    assert found(problem, bind(problem, "train", "gpu")) == ["Filters: east/gpu: node(s) had untolerated taint {gpu: } (east/default/?)"]


def test_another_cluster_is_out_of_reach() -> None:
    problem = a_problem(*TWO, TRAIN, a_cluster("west", a_node("far")))

    assert found(problem, bind(problem, "train", "far")) == ["Filters: west/far: is in another cluster (east/default/?)"]


def test_a_pod_that_shuns_who_is_there() -> None:
    problem = a_problem(
        *TWO, a_pod("noisy", on="n0"), a_pod("shy", anti_affinity=[apart_from(app="x")]), a_pod("x", on="n1", labels={"app": "x"})
    )

    assert [text.split(":")[0] for text in found(problem, bind(problem, "shy", "n1"))] == ["InterPodAffinity"]
    assert found(problem, bind(problem, "shy", "n0")) == []


def test_a_pod_that_is_shunned_by_who_comes_in_the_same_wave() -> None:
    problem = a_problem(*TWO, a_pod("x", labels={"app": "x"}), a_pod("shy", anti_affinity=[apart_from(app="x")]))

    assert {text.split(":")[0] for text in found(problem, bind(problem, "shy", "n0"), bind(problem, "x", "n0"))} == {"InterPodAffinity"}


def test_a_surged_pod_meets_its_own_old_self_a_held_one_does_not() -> None:
    alone = {"anti_affinity": [apart_from("topology.kubernetes.io/zone", app="web")]}
    nodes = (a_node("n0", zone="a"), a_node("n1", zone="a"))
    surged = a_problem(*nodes, a_pod("web", of="web", on="n0", **alone), TRAIN)  # type: ignore[arg-type]
    held = a_problem(*nodes, a_pod("web", of="web", kind="StatefulSet", on="n0", **alone), TRAIN, movers=HOLD)  # type: ignore[arg-type]

    assert found(surged, shift(surged, "web", "n1"), bind(surged, "train", "n0", wave=2)) != []
    assert found(held, shift(held, "web", "n1", Mover.HOLD), bind(held, "train", "n0", wave=2)) == []


SPREAD = {"of": "web", "kind": "ReplicaSet", "spread": [spread_over(HOSTNAME, app="web")]}


def test_an_arrival_that_makes_the_skew_too_large() -> None:
    problem = a_problem(*TWO, a_pod("web-0", on="n0", **SPREAD), a_pod("web-1", **SPREAD))  # type: ignore[arg-type]

    assert found(problem, bind(problem, "web-1", "n0")) == [f"PodTopologySpread: east/n0: {HOSTNAME} 2 - 0 > maxSkew 1"]


def test_a_departure_that_makes_the_skew_too_large() -> None:
    """Nobody arrives wrongly: the pods that stay are spread worse than allowed and than before."""
    web = {"of": "web", "labels": {"app": "web"}, "spread": [spread_over(HOSTNAME, app="web")]}
    nodes = (*TWO, a_node("n2", labels={HOSTNAME: "n2"}, taints=[Taint("x", "", "NoSchedule")]))
    problem = a_problem(
        *nodes,
        *(a_pod(f"web-{i}", on=on, **web) for i, on in enumerate(("n0", "n0", "n1", "n1", "n2", "n2"))),  # type: ignore[arg-type]
        TRAIN,
        limits={"perWorkload": None},
    )

    told = found(problem, shift(problem, "web-0", "n1"), bind(problem, "train", "n0", wave=2))

    assert any("skew 2 > 1" in text for text in told)


def test_a_budget_that_is_overspent_in_a_wave() -> None:
    problem = a_problem(
        *TWO,
        *(a_pod(f"db-{i}", of="db", kind="StatefulSet", on="n0") for i in range(2)),
        a_budget("db", allowed=1),
        TRAIN,
        movers=HOLD,
        limits={"perWorkload": None},
    )
    together = [shift(problem, f"db-{i}", "n1", Mover.HOLD) for i in range(2)]
    in_turn = [shift(problem, "db-0", "n1", Mover.HOLD), shift(problem, "db-1", "n1", Mover.HOLD, wave=2)]
    train = bind(problem, "train", "n0", wave=3)

    assert found(problem, *together, train) == ["PodDisruptionBudget: east/default/db: 2 > disruptionsAllowed 1"]
    assert found(problem, *in_turn, train) == []


def test_a_budget_is_spent_until_the_held_pod_arrives() -> None:
    problem = a_problem(
        *TWO,
        *(a_pod(f"db-{i}", of="db", kind="StatefulSet", on="n0") for i in range(2)),
        a_budget("db", allowed=1),
        TRAIN,
        movers=HOLD,
        limits={"perWorkload": None, "cycleBreaks": 1},
    )
    steps = (
        shift(problem, "db-0", "n1", Mover.HOLD, arrival=3),
        shift(problem, "db-1", "n1", Mover.HOLD, wave=3),
        bind(problem, "train", "n0", wave=4),
    )

    assert found(problem, *steps) == ["PodDisruptionBudget: east/default/db: 2 > disruptionsAllowed 1"]


PAIR: tuple[Thing, ...] = (*TWO, *(a_pod(f"web-{i}", of="web", on="n0", cpu=1) for i in range(2)), TRAIN)


@pytest.mark.parametrize(
    ("limit", "fact"),
    [
        ({"perRun": 1}, "fleet: perRun: 2 moves > 1"),
        ({"perCluster": 1}, "east: perCluster: 2 moves > 1"),
        ({"perNamespace": 1}, "east/default: perNamespace: 2 moves > 1"),
        ({"perNode": 1}, "east/n0: perNode: 2 moves > 1"),
        ({"perWorkload": 1}, "east/default/Deployment/web: perWorkload: 2 moves > 1"),
        ({"movesPerPlacedPod": 1}, "run: movesPerPlacedPod: 2 moves for 1 pods > 1 each"),
        ({"waves": 1}, "run: waves: 2 > 1"),
    ],
)
def test_a_limit_that_is_exceeded(limit: dict[str, int], fact: str) -> None:
    problem = a_problem(*PAIR, limits={"perWorkload": None, **limit})

    told = found(problem, shift(problem, "web-0", "n1"), shift(problem, "web-1", "n1"), bind(problem, "train", "n0", wave=2))

    assert told == [f"MoveLimits: {fact}"]


def test_a_cycle_break_too_many() -> None:
    problem = a_problem(*TWO, a_pod("db", of="db", kind="StatefulSet", on="n0"), TRAIN, movers=HOLD)

    told = found(problem, shift(problem, "db", "n1", Mover.HOLD, arrival=2), bind(problem, "train", "n0", wave=2))

    assert told == ["MoveLimits: run: cycleBreaks: 1 > 0"]


def test_an_evicted_pod_that_could_also_go_elsewhere() -> None:
    db = a_pod("db", of="db", kind="StatefulSet", on="n0", cpu=3, node_selector={"disk": "ssd"})
    ssd = [a_node(f"n{i}", cpu=4, labels={"disk": "ssd"}) for i in range(3)]
    wall = a_pod("wall", on="n2", cpu=2)
    problem = a_problem(ssd[0], ssd[1], ssd[2], db, wall, a_pod("train", cpu=4), movers=HOLD)
    steps = (shift(problem, "db", "n1", Mover.EVICT), bind(problem, "train", "n0", wave=2))

    assert found(problem, *steps) == ["Movers: east/n0: a pod of east/default/db evicted here could also go to n0"]


def test_what_was_broken_before_and_stays_is_forgiven() -> None:
    problem = a_problem(a_node("n0", cpu=1), a_node("n1", cpu=4), CART, TRAIN)

    assert found(problem, bind(problem, "train", "n1")) == []
