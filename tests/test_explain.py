"""``explain``: which pod is meant, what is said of one that waits and of one that runs, and the command around it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from descheduler.cli import main
from descheduler.domain.explanation import Bound, Explanation, Occupants, Waiting
from descheduler.domain.plan import Category
from descheduler.domain.resources import VOLUMES, Resources
from descheduler.domain.selectors import HostPort, NodeDemand, PodTerm, Taint, Toleration
from descheduler.domain.snapshot import Snapshot, Unreadable
from descheduler.errors import UsageError
from descheduler.explain import explain, find
from descheduler.output.explanation import explanation_to_json, render_explanation
from descheduler.pipeline import Options, plan
from tests.builders import (
    HOSTNAME,
    NOW,
    ZONE,
    Thing,
    a_budget,
    a_cluster,
    a_deployment,
    a_node,
    a_pod,
    a_snapshot,
    a_term,
    apart_from,
    selecting,
    spread_over,
)
from tests.questions import a_policy

STORY = str(Path(__file__).parents[1] / "examples" / "story")
OPTIONS = Options(run_id="explain", created_at=NOW)
Capture = pytest.CaptureFixture[str]


def explained(name: str, *fleet: Thing, **spec: Any) -> Explanation:
    """The pod of that name, explained with the plan that the policy makes of the fleet."""
    snapshot, policy = a_snapshot(*fleet), a_policy(**spec)
    pod = find(snapshot, name)
    return explain(snapshot, policy, pod, plan(snapshot, policy, OPTIONS).plan if pod.waiting else None)


def waits(name: str, *fleet: Thing, **spec: Any) -> Waiting:
    story = explained(name, *fleet, **spec).story
    assert isinstance(story, Waiting)
    return story


def stays(name: str, *fleet: Thing, **spec: Any) -> Bound:
    story = explained(name, *fleet, **spec).story
    assert isinstance(story, Bound)
    return story


# Which pod is meant.

FLEET = a_snapshot(
    a_cluster("east", a_node("n"), a_pod("web-1", namespace="shop"), a_pod("web-1", namespace="blog"), a_pod("db-0", namespace="shop")),
    a_cluster("west", a_node("n"), a_pod("web-1", namespace="shop"), a_pod("api-7", namespace="shop")),
)


@pytest.mark.parametrize("told", ["api-7", "shop/api-7", "west/shop/api-7"])
def test_a_pod_is_found_by_as_much_of_its_name_as_is_needed(told: str) -> None:
    assert str(find(FLEET, told).ref) == "west/shop/api-7"


@pytest.mark.parametrize(
    ("told", "message"),
    [
        ("web-1", "web-1: 3 pods are called so; say which: east/blog/web-1, east/shop/web-1, west/shop/web-1"),
        ("shop/web-1", "shop/web-1: 2 pods are called so; say which: east/shop/web-1, west/shop/web-1"),
        ("west/blog/web-1", "west/blog/web-1: there is no such pod; did you mean east/blog/web-1, east/shop/web-1, west/shop/web-1?"),
        ("shop/api", "shop/api: there is no such pod; did you mean west/shop/api-7?"),
        ("nothing-like-it", "nothing-like-it: there is no such pod"),
        ("a/b/c/d", "'a/b/c/d' names no pod: say name, namespace/name or cluster/namespace/name"),
        ("shop/", "'shop/' names no pod: say name, namespace/name or cluster/namespace/name"),
    ],
)
def test_a_name_that_is_not_enough_lists_the_candidates(told: str, message: str) -> None:
    with pytest.raises(UsageError) as refusal:
        find(FLEET, told)

    assert str(refusal.value) == message


def test_many_candidates_are_cut_short_and_unreadable_clusters_named() -> None:
    crowd = [a_pod("web-1", namespace=f"team-{number:02}") for number in range(12)]
    snapshot = a_snapshot(*crowd)

    with pytest.raises(UsageError, match=r"east/team-09/web-1 and 2 more$"):
        find(snapshot, "web-1")
    with pytest.raises(UsageError, match=r"there is no such pod; not readable: west$"):
        find(Snapshot(taken_at=NOW, unreadable=(Unreadable(cluster="west", reason="refused"),)), "x")


# A pod that waits.


def test_nodes_that_answer_alike_are_told_together_those_that_fit_first() -> None:
    nodes = [a_node(f"small-{n}", cpu=1) for n in range(3)]
    others = [a_node("spot", taints=[Taint("spot")]), a_node("lost", ready=False), a_node("free", cpu=2)]

    groups = explained("p", a_pod("p", cpu=2), *nodes, *others).groups

    assert [(g.plugin, g.reasons, g.nodes) for g in groups] == [
        (None, (), ("free",)),
        ("NodeResourcesFit", ("Insufficient cpu",), ("small-0", "small-1", "small-2")),
        ("TaintToleration", ("node(s) had untolerated taint(s)",), ("spot",)),
        ("Ours", ("node(s) were not ready",), ("lost",)),
    ]


def test_missing_room_is_told_smallest_first_and_apart_from_nodes_that_are_too_small() -> None:
    nodes = [a_node("a", cpu=8, memory=8), a_node("b", cpu=8, memory=8), a_node("c", cpu=8, memory=8), a_node("tiny", cpu=3, memory=8)]
    there = [a_pod("x", on="a", cpu=7), a_pod("y", on="b", cpu=5), a_pod("z", on="c", cpu=5)]

    told = waits("p", a_pod("p", cpu=4, memory=2), *nodes, *there).shortfalls

    assert [(s.lacking, s.even_empty, s.nodes) for s in told] == [
        (Resources({"cpu": 1}), False, ("b", "c")),
        (Resources({"cpu": 3}), False, ("a",)),
        (Resources({"cpu": 1}), True, ("tiny",)),
    ]


def test_places_for_pods_attachments_and_what_nominated_pods_hold_are_room_too() -> None:
    disk = f"{VOLUMES}disk.example.com"
    nodes = [a_node("full", pods=1), a_node("attached", extended={disk: 1}), a_node("promised", cpu=4, extended={disk: 1})]
    there = [a_pod("x", on="full"), a_pod("y", on="attached", extended={disk: 1}), a_pod("next", nominated="promised", cpu=3)]

    told = waits("p", a_pod("p", cpu=2, extended={disk: 1}), *nodes, *there).shortfalls

    assert {name: s.lacking for s in told for name in s.nodes} == {
        "full": Resources({"pods": 1, disk: 1}),
        "attached": Resources({disk: 1}),
        "promised": Resources({"cpu": 1}),
    }


def test_a_node_that_something_else_shuts_is_not_said_to_lack_room() -> None:
    nodes = [a_node("spot", cpu=1, taints=[Taint("spot")]), a_node("apart", cpu=1), a_node("lost", cpu=1, ready=False)]
    pod = a_pod("p", cpu=2, anti_affinity=[apart_from(app="x")])

    assert waits("p", pod, *nodes, a_pod("x", on="apart", labels={"app": "x"})).shortfalls == ()


def test_every_cause_that_shuts_a_node_is_named_and_whether_it_is_worth_lifting() -> None:
    demand = NodeDemand("VolumeZone", "node(s) had no available volume zone", (a_term((ZONE, "In", ("a",))),))
    nodes = [
        a_node("spot", zone="a", labels={"disk": "ssd"}, taints=[Taint("spot", "yes"), Taint("soft", "", "PreferNoSchedule")]),
        a_node("full", cpu=1, zone="a", labels={"disk": "ssd"}, taints=[Taint("spot", "yes")]),
        a_node("hdd", zone="a", labels={"disk": "hdd"}, unschedulable=True, taints=[Taint("node.kubernetes.io/unschedulable")]),
        a_node("far", zone="b", labels={"disk": "ssd"}),
        a_node("draining", zone="a", labels={"disk": "ssd"}, taints=[Taint("leaving", "", "NoExecute")]),
    ]
    pod = a_pod(
        "p", cpu=2, node_selector={"disk": "ssd"}, node_demands=[demand], tolerations=[Toleration("leaving", "Exists", seconds=60)]
    )  # fmt: skip

    told = waits("p", pod, *nodes).exclusions

    assert [(e.causes, e.nodes, e.roomy) for e in told] == [
        (("taint spot=yes:NoSchedule",), ("full", "spot"), ("spot",)),
        (("cordoned", "nodeSelector disk=ssd"), ("hdd",), ("hdd",)),
        (("node(s) had a NoExecute taint that is tolerated only for a while",), ("draining",), ("draining",)),
        (("node(s) had no available volume zone",), ("far",), ("far",)),
    ]


def test_causes_worth_lifting_come_before_those_that_shut_more_nodes() -> None:
    full = [a_node(f"full-{n}", cpu=1, taints=[Taint("a")]) for n in range(2)]
    nodes = [*full, a_node("free", taints=[Taint("b")])]

    assert [e.causes for e in waits("p", a_pod("p", cpu=2), *nodes).exclusions] == [("taint b:NoSchedule",), ("taint a:NoSchedule",)]


def test_required_node_affinity_is_a_cause_of_its_own() -> None:
    pod = a_pod("p", node_affinity=(a_term(("disk", "In", ("ssd",))),))

    assert [e.causes for e in waits("p", pod, a_node("n")).exclusions] == [("required node affinity",)]


def test_rules_between_pods_name_whom_they_mean() -> None:
    nodes = [a_node(name, zone=zone) for name, zone in (("a1", "a"), ("a2", "a"), ("b1", "b"))]
    there = [
        a_pod("homeless", on="gone", labels={"app": "rival"}, anti_affinity=[apart_from(ZONE, app="p")]),
        a_pod("loner", on="a1", labels={"app": "loner"}, anti_affinity=[apart_from(ZONE, app="p")]),
        a_pod("rival", on="b1", labels={"app": "rival"}),
        a_pod("far", on="a2", labels={"app": "other"}, anti_affinity=[apart_from(ZONE, app="q")]),
    ]

    told = waits("p", a_pod("p", labels={"app": "p"}, anti_affinity=[apart_from(app="rival")]), *nodes, *there).neighbours

    assert [(n.reason, n.nodes, n.pods) for n in told] == [
        ("node(s) didn't satisfy existing pods anti-affinity rules", ("a1", "a2"), ("east/default/loner",)),
        ("node(s) didn't match pod anti-affinity rules", ("b1",), ("east/default/rival",)),
    ]


def test_the_pod_s_own_terms_are_read_as_its_scheduler_reads_them() -> None:
    """A namespaceSelector that takes a namespace without labels takes them all when its carrier is the newcomer."""
    term = PodTerm(HOSTNAME, selecting(app="x"), frozenset({"shop"}), takes_unlabelled=True)
    pods = [a_pod("p", anti_affinity=[term]), a_pod("there", on="n", labels={"app": "x"}, namespace="other")]

    assert [n.pods for n in waits("p", *pods, a_node("n")).neighbours] == [("east/other/there",)]


def test_ports_claims_and_spread_name_what_they_run_into() -> None:
    port = HostPort(port=80)
    web = a_pod("web", on="a1", labels={"app": "x"}, host_ports=[port], exclusive_claims=["default/data"])
    nodes = [a_node("a1", zone="a"), a_node("b1", zone="b", unschedulable=True)]

    ports = waits("p", a_pod("p", host_ports=[port]), *nodes, web).neighbours
    claims = waits("p", a_pod("p", exclusive_claims=["default/data"]), *nodes, web).neighbours
    spread = waits("p", a_pod("p", labels={"app": "x"}, spread=[spread_over(app="x")]), *nodes, web).neighbours

    assert [(n.nodes, n.pods) for n in ports] == [(("a1",), ("east/default/web",))]
    assert [(n.nodes, n.pods) for n in claims] == [(("a1",), ("east/default/web",))]
    assert [(n.nodes, n.pods, n.detail) for n in spread] == [(("a1",), (), f"{ZONE}=a")]


def test_the_moves_of_an_ordinary_plan_are_those_that_make_room_for_it() -> None:
    nodes = [a_node("big", cpu=8), a_node("other", cpu=6), a_node("spare", cpu=4), a_node("spare-too", cpu=3)]
    there = [a_pod("cart", on="big", cpu=4, of="cart"), a_pod("front", on="other", cpu=3, of="front")]

    told = waits("train", a_pod("train", cpu=8), a_pod("second", cpu=6), *nodes, *there)

    assert told.placed is not None
    assert told.placed.target.node == "big"
    assert [(move.pod.name, move.source.node, move.target.node) for move in told.moves] == [("cart", "big", "spare")]
    assert told.occupants == ()


def test_where_no_plan_helps_it_is_told_who_holds_the_room_and_may_not_leave() -> None:
    nodes = [a_node("big", cpu=8), a_node("tiny", cpu=2)]
    there = [a_pod("bare-1", on="big", cpu=2), a_pod("bare-2", on="big", cpu=2), a_pod("cart", on="big", cpu=3, of="cart")]

    told = waits("train", a_pod("train", cpu=8), *nodes, *there)

    assert told.unplaced is not None
    assert told.unplaced.category is Category.ROOM
    assert told.occupants == (Occupants(node="big", movable=("east/default/cart",), protected=(("has no controller", 2),)),)


def test_a_pod_that_waits_for_something_else_is_said_to() -> None:
    pod = a_pod("p", waits_for_claim='persistentvolumeclaim "data" not found')

    told = waits("p", pod, a_node("n"))

    assert told.not_ours == 'persistentvolumeclaim "data" not found'
    assert told.sentence == '0/1 nodes are available: persistentvolumeclaim "data" not found.'


# A pod that runs.


def test_every_protection_and_every_mover_of_a_running_pod_is_told() -> None:
    told = stays("bare", a_node("n"), a_pod("bare", on="n", created=NOW))

    assert told.protections == (
        ("Controllers", "has no controller"),
        ("MinPodAge", "is younger than protections.minPodAge (5m)"),
    )
    assert told.verdict == "has no controller"
    assert told.movers == (
        ("Surge", "it has no ReplicaSet"),
        ("Hold", "Hold is not installed in the cluster"),
        ("Evict", "it has no controller"),
        ("Recreate", "the policy does not allow it"),
    )


def test_a_mover_that_nobody_can_steer_says_where_its_pod_might_end() -> None:
    nodes, deployment = [a_node(name) for name in "abc"], a_deployment("web", strategy="Recreate")

    told = stays("web", *nodes, deployment, a_pod("web", on="a", of="web"), movers=["Surge", "Evict"])

    assert told.protections == ()
    assert told.verdict is not None
    assert dict(told.movers)["Surge"] == "Deployment web has strategy Recreate"
    assert dict(told.movers)["Evict"] == "its successor could go to more than one node"


def test_budgets_that_cover_a_pod_are_told() -> None:
    budgets = [a_budget("web", allowed=0, healthy=2, desired=2), a_budget("other")]

    (cover,) = stays("web", a_node("n"), a_pod("web", on="n", of="web"), *budgets).budgets

    assert (cover.name, cover.healthy, cover.desired, cover.allowed, cover.never) == ("web", 2, 2, 0, False)


def test_nodes_are_judged_by_the_best_mover_beside_the_pod_itself_or_without_it() -> None:
    app, apart = {"app": "web"}, [apart_from(ZONE, app="web")]
    nodes = [a_node("a1", zone="a"), a_node("a2", zone="a"), a_node("b1", zone="b")]
    surging = explained("web", *nodes, a_pod("web", on="a1", of="web", anti_affinity=apart))
    alone = explained("bare", *nodes, a_pod("bare", on="a1", labels=app, anti_affinity=apart))

    assert [(g.plugin, g.nodes) for g in surging.groups] == [(None, ("b1",)), ("InterPodAffinity", ("a2",))]
    assert [(g.plugin, g.nodes) for g in alone.groups] == [(None, ("a2", "b1"))]


def test_a_terminating_pod_is_protected_and_says_so() -> None:
    explanation = explained("web", a_node("n"), a_pod("web", on="n", of="web", terminating=True))

    assert isinstance(explanation.story, Bound)
    assert explanation.story.verdict == "is terminating"
    assert "is terminating on n" in render_explanation(explanation, "text")


# What is printed.


def test_text_tells_apart_what_fits_from_what_the_scheduler_would_say() -> None:
    fits = render_explanation(explained("p", a_pod("p"), a_node("n")), "text")
    short = render_explanation(explained("p", a_pod("p", cpu=2, message="0/9 nodes are available: 9 x."), a_node("n", cpu=1)), "text")

    assert "would bind it to n as things are" in fits
    assert "0/1 nodes are available" not in fits
    assert "  0/1 nodes are available: 1 Insufficient cpu.\n  last heard: 0/9 nodes are available: 9 x.\n" in short


def test_a_nomination_is_told() -> None:
    text = render_explanation(explained("p", a_pod("p", nominated="n", cpu=2), a_node("n", cpu=1)), "text")

    assert text.startswith("east/default/p waits for 1h, nominated to n · no controller · priority 0\n")


def test_names_from_a_cluster_cannot_command_the_terminal() -> None:
    pod = a_pod("p", node_selector={"disk": "\x1b[31mred"}, message="0/1\nnodes \x1b[2J")

    text = render_explanation(explained("p", pod, a_node("n")), "text")

    assert "\x1b" not in text
    assert "last heard: 0/1 nodes" in text


def test_long_lists_are_cut_short_in_text_and_whole_in_json() -> None:
    nodes = [a_node(f"n{n}", cpu=n, memory=2**30) for n in range(1, 10)]
    explanation = explained("p", a_pod("p", cpu=20, memory=2**30 + 2**20 + 1), *nodes)

    text, told = render_explanation(explanation, "text"), explanation_to_json(explanation)

    assert "n1, n2, n3, n4 and 5 more" in text
    assert "on 3 other nodes" in text
    assert "memory 2Mi" in text
    assert sum(len(s["nodes"]) for s in told["waiting"]["shortfalls"]) == 9
    assert told["waiting"]["shortfalls"][0] == {"lacking": {"cpu": "11m", "memory": "1048577"}, "evenEmpty": True, "nodes": ["n9"]}


# The command.


def test_the_command_prints_text(capsys: Capture) -> None:
    assert main(["explain", "ranker-5d4f8c7b66-w8s4j", "--snapshot", STORY, "--workers", "1"]) == 0

    out, err = capsys.readouterr()
    assert out.startswith("east/ml/ranker-5d4f8c7b66-w8s4j waits for 30m · Deployment ranker · priority 0\n")
    assert "0/3 nodes are available: 2 Insufficient memory, 3 Insufficient cpu." in out
    assert err == ""


def test_the_command_prints_json_of_a_running_pod(capsys: Capture) -> None:
    assert main(["explain", "shop/cart-6f9c7d5b84-x7k2p", "--snapshot", STORY, "--format", "json"]) == 0

    told = json.loads(capsys.readouterr().out)
    assert told["kind"] == "Explanation"
    assert told["pod"]["workload"] == {"kind": "Deployment", "name": "cart"}
    assert told["waiting"] is None
    assert told["bound"]["movable"] is True
    assert told["nodes"] == [{"plugin": None, "reasons": [], "nodes": ["small-1", "small-2"]}]


def test_a_pod_that_is_not_there_ends_with_2(capsys: Capture) -> None:
    assert main(["explain", "ranker", "--snapshot", STORY]) == 2

    assert capsys.readouterr().err == "descheduler: ranker: there is no such pod; did you mean east/ml/ranker-5d4f8c7b66-w8s4j?\n"


@pytest.mark.parametrize("arguments", [["--help"], ["shop/cart-6f9c7d5b84-x7k2p", "--snapshot", STORY]])
def test_neither_help_nor_a_running_pod_loads_the_solver_or_the_client(arguments: list[str]) -> None:
    code = (
        "import sys; from descheduler.cli import main; main(['explain', *sys.argv[1:]]); "
        "print([name for name in sys.modules if name.split('.')[0] in ('ortools', 'kubernetes')], file=sys.stderr)"
    )

    done = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=60, check=True)

    assert done.stderr == "[]\n"
