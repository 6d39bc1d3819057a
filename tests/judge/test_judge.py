"""The judge passes a lawful plan and catches every kind of violation, one spoilt plan each."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.judge import spoilt_accounts, spoilt_fit, spoilt_pods, spoilt_volumes
from tests.judge.spoilt_accounts import an_equal_rival, two_web_pods_leave_n1
from tests.judge.tiny import SINCE, Case, Change, anti_affinity, deployment, mover, node, placement, pod

CASES = spoilt_pods.SPOILT | spoilt_accounts.SPOILT | spoilt_fit.SPOILT | spoilt_volumes.SPOILT
LAWFUL = spoilt_fit.LAWFUL | spoilt_volumes.LAWFUL


def test_a_lawful_plan_passes(tmp_path: Path) -> None:
    assert Case().judged(tmp_path) == []


@pytest.mark.parametrize("name", CASES)
def test_the_judge_catches(name: str, tmp_path: Path) -> None:
    change, sentence = CASES[name]
    case = Case()
    change(case)

    found = case.judged(tmp_path)

    assert any(sentence in each for each in found), found


def reserved(case: Case) -> None:
    """The same as a rival takes the room, but the room is kept by a copy."""
    an_equal_rival(case)
    case.plan["placements"][0]["mover"] = "Surge"


def contested(case: Case) -> None:
    an_equal_rival(case)
    case.plan["placements"][0]["contested"] = True


def an_eviction_to_anywhere(case: Case) -> None:
    case.plan["moves"][0]["to"]["node"] = None
    mover(case, "Evict")


def held_apart(case: Case) -> None:
    """Only a surged pod meets its own old self: with Hold the anti-affinity within a zone does not stop it."""
    for name in ("n1", "n2"):
        case.get(name, "Node")["metadata"]["labels"]["zone"] = "a"
    case.get("web-1")["spec"]["affinity"] = anti_affinity("web")
    case.get("web-1")["spec"]["affinity"]["podAntiAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"][0]["topologyKey"] = "zone"
    mover(case, "Hold")


def a_percentage_that_allows_it(case: Case) -> None:
    case.policy["limits"] = {"perRun": "50%"}


def an_override_with_more(case: Case) -> None:
    two_web_pods_leave_n1(case)
    case.get("big")["spec"]["containers"][0]["resources"]["requests"]["cpu"] = "8"
    case.policy["overrides"] = [{"match": {"namespaces": ["shop"]}, "limits": {"perWorkload": 2}}]
    case.plan["fragmentation"]["after"]["c"]["largestPod"] = {"cpu": "2", "memory": "7Gi"}
    case.plan["summary"]["objectives"][1].update(value=2, bound=2)


def a_move_that_is_worth_something_by_itself(case: Case) -> None:
    """Headroom comes first: that the move helps big does not say that big could not have been placed without it."""
    case.policy.update(objectives=["PendingPods", "Headroom", "Disruption"], limits={"movesPerPlacedPod": 0})
    case.plan["summary"]["objectives"][1:] = reversed(case.plan["summary"]["objectives"][1:])


@pytest.mark.parametrize(
    "change",
    [
        reserved,
        contested,
        held_apart,
        a_percentage_that_allows_it,
        an_override_with_more,
        a_move_that_is_worth_something_by_itself,
    ],
)
def test_the_judge_lets_pass(change: Change, tmp_path: Path) -> None:
    case = Case()
    change(case)

    assert case.judged(tmp_path) == []


@pytest.mark.parametrize("name", LAWFUL)
def test_the_judge_does_not_mind(name: str, tmp_path: Path) -> None:
    """Looks like something that it catches; numbers of fragmentation are not what these are about."""
    case = Case()
    LAWFUL[name](case)

    assert [each for each in case.judged(tmp_path) if not each.startswith("fragmentation.")] == []


def test_an_eviction_without_a_node_fails_where_the_replacement_may_come_back_to_its_old_place(tmp_path: Path) -> None:
    case = Case()
    an_eviction_to_anywhere(case)

    assert any("placement of c/shop/big no longer fits" in each for each in case.judged(tmp_path))


def test_a_rival_of_higher_priority_is_not_stopped_by_a_reserved_copy(tmp_path: Path) -> None:
    case = Case()
    reserved(case)
    case.get("late")["spec"]["priority"] = 5
    case.count()

    assert any("placement of c/shop/big no longer fits" in each for each in case.judged(tmp_path))


def test_a_rival_that_fits_beside_does_no_harm(tmp_path: Path) -> None:
    case = Case()
    case.objects += [*deployment("late", 1), pod("late", "late", "1", created=SINCE), node("n4", 4, "c")]
    case.plan["placements"].append(placement("late", "late", "n4", wave=1))
    case.count()
    case.plan["fragmentation"]["after"]["c"]["largestPod"] = {"cpu": "3", "memory": "7Gi"}

    assert case.judged(tmp_path) == []
