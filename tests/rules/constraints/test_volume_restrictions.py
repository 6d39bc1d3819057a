"""VolumeRestrictions: a ReadWriteOncePod claim is for one pod of the cluster."""

from __future__ import annotations

from descheduler.rules.constraints import volume_restrictions as rule
from tests.builders import a_cluster, a_node, a_pod, a_snapshot
from tests.questions import a_problem, bind, broken, planned

CLAIM = ["default/data"]


def test_a_claim_in_use_anywhere_keeps_a_second_pod_off_every_node() -> None:
    problem = a_problem(a_node("n"), a_node("m"), a_pod("user", on="n", exclusive_claims=CLAIM), a_pod("new", exclusive_claims=CLAIM))

    assert broken(problem, rule, bind(problem, "new", "m")) == ["VolumeRestrictions: east/m: ReadWriteOncePod claim default/data is in use"]
    assert planned(problem) == {}


def test_two_that_wait_for_one_claim_do_not_both_get_a_node() -> None:
    problem = a_problem(a_node("n"), a_node("m"), a_pod("a", exclusive_claims=CLAIM), a_pod("b", exclusive_claims=CLAIM))

    assert len(planned(problem)) == 1


def test_claims_of_different_names_or_clusters_do_not_meet() -> None:
    names = a_problem(a_node("n"), a_pod("a", on="n", exclusive_claims=CLAIM), a_pod("b", exclusive_claims=["default/other"]))
    clusters = a_problem(
        a_snapshot(
            a_cluster("east", a_node("n"), a_pod("a", on="n", exclusive_claims=CLAIM)),
            a_cluster("west", a_node("n"), a_pod("b", exclusive_claims=CLAIM)),
        )
    )

    assert planned(names) == {"b": "n"}
    assert planned(clusters) == {"b": "n"}
