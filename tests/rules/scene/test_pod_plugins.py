"""Truth tables of the plugins that look at other pods, and how nominated pods change them."""

from __future__ import annotations

import pytest

from descheduler.domain.objects import Pod
from descheduler.domain.resources import VOLUMES
from descheduler.domain.selectors import HostPort, LabelSelector, PodTerm, SpreadConstraint, Taint, Toleration
from descheduler.rules.scene import Scene
from tests.builders import HOSTNAME, ZONE, a_node, a_pod, apart_from, selecting, spread_over

NEAR = "node(s) didn't match pod affinity rules"
APART = "node(s) didn't match pod anti-affinity rules"
REPELLED = "node(s) didn't satisfy existing pods anti-affinity rules"
SKEWED = "node(s) didn't match pod topology spread constraints"
PORTS = "node(s) didn't have free ports for the requested pod ports"
NODES = [a_node("a1", zone="a"), a_node("a2", zone="a"), a_node("b1", zone="b"), a_node("plain")]


def told(scene: Scene, pod: Pod) -> dict[str, str]:
    """Node to its one reason, nodes that fit left out."""
    return {name: found[0] for name, found in scene.reasons(pod).items() if found}


def near(topology_key: str = ZONE, *, namespace: str = "default", **labels: str) -> PodTerm:
    return PodTerm(topology_key, selecting(**labels), frozenset({namespace}))


def test_every_resource_that_is_short_is_named_those_with_names_of_their_own_first() -> None:
    node = a_node("n", cpu=2, memory=2, pods=1, extended={"ephemeral-storage": 1, "example.com/gpu": 1, "a.com/b": 5})
    full = a_pod("there", on="n", cpu=1, memory=2)
    pod = a_pod("p", cpu=2, memory=1, extended={"ephemeral-storage": 2, "example.com/gpu": 2, "a.com/b": 5, "none.com/x": 1})

    assert Scene([node], [full]).reasons(pod)["n"] == (
        "Too many pods",
        "Insufficient cpu",
        "Insufficient memory",
        "Insufficient ephemeral-storage",
        "Insufficient example.com/gpu",
        "Insufficient none.com/x",
    )


@pytest.mark.parametrize(("asked", "fits"), [(0, True), (1, True), (2, False)])
def test_room_is_judged_to_the_last_unit(asked: int, fits: bool) -> None:
    scene = Scene([a_node("n", cpu=3)], [a_pod("there", on="n", cpu=2), a_pod("leaving", on="n", terminating=True)])

    assert (scene.reasons(a_pod("p", cpu=asked))["n"] == ()) is fits


def test_an_over_committed_node_refuses_only_what_asks_for_what_it_lacks() -> None:
    scene = Scene([a_node("n", cpu=1)], [a_pod("big", on="n", cpu=2)])

    assert scene.reasons(a_pod("modest", memory=1))["n"] == ()
    assert scene.reasons(a_pod("asking", cpu=1))["n"] == ("Insufficient cpu",)


@pytest.mark.parametrize(
    ("taken", "wanted", "passes"),
    [
        (HostPort("TCP", "", 80), HostPort("TCP", "", 80), False),
        (HostPort("TCP", "", 80), HostPort("TCP", "", 81), True),
        (HostPort("TCP", "", 80), HostPort("UDP", "", 80), True),
        (HostPort("TCP", "10.0.0.1", 80), HostPort("TCP", "10.0.0.2", 80), True),
        (HostPort("TCP", "10.0.0.1", 80), HostPort("TCP", "10.0.0.1", 80), False),
        (HostPort("TCP", "10.0.0.1", 80), HostPort("TCP", "", 80), False),
        (HostPort("TCP", "", 80), HostPort("TCP", "10.0.0.1", 80), False),
    ],
)
def test_a_port_of_the_node_has_one_owner(taken: HostPort, wanted: HostPort, passes: bool) -> None:
    scene = Scene([a_node("n")], [a_pod("there", on="n", host_ports=[HostPort("TCP", "", 22), taken])])

    assert scene.reasons(a_pod("p", host_ports=[HostPort("TCP", "", 443), wanted]))["n"] == (() if passes else (PORTS,))


def test_a_read_write_once_pod_claim_in_use_refuses_every_node() -> None:
    user = a_pod("user", on="a1", exclusive_claims=["default/data"])
    scene = Scene(NODES, [user])
    words = "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod"

    assert told(scene, a_pod("p", exclusive_claims=["default/data"])) == dict.fromkeys(["a1", "a2", "b1", "plain"], words)
    assert told(scene, a_pod("p", exclusive_claims=["other/data"])) == {}
    scene.remove(user)
    assert told(scene, a_pod("p", exclusive_claims=["default/data"])) == {}


def test_attach_limits_are_counted_per_driver_and_told_once() -> None:
    disk, share = f"{VOLUMES}disk.example.com", f"{VOLUMES}share.example.com"
    node = a_node("n", extended={disk: 2, share: 1})
    scene = Scene([node], [a_pod("there", on="n", extended={disk: 1, share: 1})])

    assert scene.reasons(a_pod("p", extended={disk: 1}))["n"] == ()
    assert scene.reasons(a_pod("p", extended={disk: 2, share: 1}))["n"] == ("node(s) exceed max volume count",)


def test_affinity_wants_one_pod_that_matches_all_terms_in_each_of_its_domains() -> None:
    web = a_pod("web", on="a1", labels={"app": "web", "tier": "front"})
    db = a_pod("db", on="b1", labels={"app": "db"}, terminating=True)
    scene = Scene(NODES, [web, db])

    assert told(scene, a_pod("p", affinity=[near(app="web")])) == {"b1": NEAR, "plain": NEAR}
    assert told(scene, a_pod("p", affinity=[near(HOSTNAME, app="web")])) == {"a2": NEAR, "b1": NEAR, "plain": NEAR}
    assert told(scene, a_pod("p", affinity=[near(app="web"), near(HOSTNAME, tier="front")])) == {"a2": NEAR, "b1": NEAR, "plain": NEAR}
    assert told(scene, a_pod("p", affinity=[near(app="web"), near(app="db")])) == dict.fromkeys(["a1", "a2", "b1", "plain"], NEAR)
    assert told(scene, a_pod("p", affinity=[near(app="db")])) == {"a1": NEAR, "a2": NEAR, "plain": NEAR}
    assert told(scene, a_pod("p", affinity=[near(namespace="other", app="web")])) == dict.fromkeys(["a1", "a2", "b1", "plain"], NEAR)


def test_the_first_pod_that_wants_its_own_kind_may_go_wherever_the_keys_are() -> None:
    first = a_pod("p", labels={"app": "web"}, affinity=[near(app="web")])

    assert told(Scene(NODES), first) == {"plain": NEAR}
    assert told(Scene(NODES), a_pod("p", labels={"app": "db"}, affinity=[near(app="web")])).keys() == {"a1", "a2", "b1", "plain"}
    assert told(Scene(NODES, [a_pod("web", on="a1", labels={"app": "web"})]), first) == {"b1": NEAR, "plain": NEAR}


def test_a_pod_of_its_kind_outside_all_domains_does_not_count_as_the_first() -> None:
    """kube-scheduler counts by domain: a pod on a node without the key is in none."""
    scene = Scene(NODES, [a_pod("web", on="plain", labels={"app": "web"})])

    assert told(scene, a_pod("p", labels={"app": "web"}, affinity=[near(app="web")])) == {"plain": NEAR}


def test_anti_affinity_looks_at_the_whole_domain_and_passes_nodes_without_the_key() -> None:
    scene = Scene(NODES, [a_pod("web", on="a1", labels={"app": "web"}), a_pod("bare", on="plain", labels={"app": "web"})])

    assert told(scene, a_pod("p", anti_affinity=[apart_from(app="web")])) == {"a1": APART, "plain": APART}
    assert told(scene, a_pod("p", anti_affinity=[apart_from(ZONE, app="web")])) == {"a1": APART, "a2": APART}
    assert told(scene, a_pod("p", anti_affinity=[apart_from(ZONE, namespace="other", app="web")])) == {}
    assert told(scene, a_pod("p", anti_affinity=[PodTerm(ZONE, selecting(app="web"), None)])) == {"a1": APART, "a2": APART}
    assert told(scene, a_pod("p", anti_affinity=[PodTerm(ZONE, None, None)])) == {}
    assert told(scene, a_pod("p", anti_affinity=[PodTerm(ZONE, LabelSelector(), None)])) == {"a1": APART, "a2": APART}


def test_those_who_are_there_keep_others_away() -> None:
    loner = a_pod("loner", on="a1", labels={"app": "db"}, anti_affinity=[apart_from(ZONE, app="web")])

    assert told(Scene(NODES, [loner]), a_pod("p", labels={"app": "web"})) == {"a1": REPELLED, "a2": REPELLED}
    assert told(Scene(NODES, [loner]), a_pod("p", labels={"app": "web"}, namespace="other")) == {}
    assert told(Scene(NODES, [loner]), a_pod("p", labels={"app": "db"})) == {}


def test_of_three_objections_between_pods_the_first_is_told() -> None:
    hermit = a_pod("hermit", on="a1", labels={"app": "x"}, anti_affinity=[apart_from(app="x")])
    other = a_pod("other", on="a2", labels={"app": "y"})
    scene = Scene(NODES, [hermit, other])

    both = a_pod("p", labels={"app": "x"}, affinity=[near(HOSTNAME, app="y")], anti_affinity=[apart_from(app="x")])

    assert told(scene, both)["a1"] == NEAR
    assert told(scene, a_pod("p", labels={"app": "x"}, anti_affinity=[apart_from(app="x")]))["a1"] == APART
    assert told(scene, a_pod("p", labels={"app": "x"}))["a1"] == REPELLED


@pytest.mark.parametrize(
    ("constraint", "refused"),
    [
        (spread_over(app="x"), {"a1", "a2", "plain"}),
        (spread_over(max_skew=2, app="x"), {"plain"}),
        (spread_over(min_domains=3, app="x"), {"a1", "a2", "plain"}),
        (spread_over(HOSTNAME, app="x"), {"a1"}),
        (spread_over(app="y"), {"plain"}),
        (SpreadConstraint(ZONE, 1, None), {"plain"}),
        (SpreadConstraint(ZONE, 1, LabelSelector()), {"plain"}),
    ],
)
def test_spread_keeps_the_skew(constraint: SpreadConstraint, refused: set[str]) -> None:
    there = [
        a_pod("one", on="a1", labels={"app": "x"}),
        a_pod("leaving", on="b1", labels={"app": "x"}, terminating=True),
        a_pod("foreign", on="b1", labels={"app": "x"}, namespace="other"),
    ]
    found = told(Scene(NODES, there), a_pod("p", labels={"app": "x"}, spread=[constraint]))

    assert set(found) == refused
    assert "plain" not in found or found["plain"] == f"{SKEWED} (missing required label)"
    assert {reason for name, reason in found.items() if name != "plain"} <= {SKEWED}


def test_a_pod_that_its_own_selector_does_not_see_adds_nothing() -> None:
    scene = Scene(NODES, [a_pod("one", on="a1", labels={"app": "x"})])

    assert told(scene, a_pod("p", labels={"app": "y"}, spread=[spread_over(app="x")])).keys() == {"plain"}


@pytest.mark.parametrize(("honoured", "refused"), [(True, set()), (False, {"a1", "a2"})])
def test_domains_that_the_selector_excludes_count_only_when_affinity_is_ignored(honoured: bool, refused: set[str]) -> None:
    nodes = [a_node("a1", zone="a", labels={"disk": "ssd"}), a_node("a2", zone="a", labels={"disk": "ssd"}), a_node("b1", zone="b")]
    constraint = SpreadConstraint(ZONE, 1, selecting(app="x"), honor_affinity=honoured)
    pod = a_pod("p", labels={"app": "x"}, node_selector={"disk": "ssd"}, spread=[constraint])

    found = told(Scene(nodes, [a_pod("one", on="a1", labels={"app": "x"})]), pod)

    assert set(found) == {*refused, "b1"}


@pytest.mark.parametrize(("honoured", "refused"), [(True, {"b1"}), (False, {"a1", "b1"})])
def test_domains_behind_a_taint_count_unless_taints_are_honoured(honoured: bool, refused: set[str]) -> None:
    nodes = [a_node("a1", zone="a"), a_node("b1", zone="b", taints=[Taint("spot")])]
    constraint = SpreadConstraint(ZONE, 1, selecting(app="x"), honor_taints=honoured)
    scene = Scene(nodes, [a_pod("one", on="a1", labels={"app": "x"})])

    assert set(told(scene, a_pod("p", labels={"app": "x"}, spread=[constraint]))) == refused
    spot = [Toleration("spot", "Exists")]
    assert set(told(scene, a_pod("p", labels={"app": "x"}, spread=[constraint], tolerations=spot))) == {"a1"}


def test_a_node_without_one_of_the_keys_counts_for_no_constraint() -> None:
    nodes = [a_node("a1", zone="a", labels={"rack": "r1"}), a_node("a2", zone="a"), a_node("b1", zone="b", labels={"rack": "r2"})]
    scene = Scene(nodes, [a_pod("one", on="a2", labels={"app": "x"})])

    assert told(scene, a_pod("p", labels={"app": "x"}, spread=[spread_over(app="x"), spread_over("rack", app="x")])).keys() == {"a2"}


def test_nominated_pods_of_equal_or_higher_priority_hold_their_room() -> None:
    scene = Scene([a_node("n", cpu=3, pods=2)], [a_pod("next", nominated="n", cpu=2, priority=5)])

    assert scene.reasons(a_pod("lower", cpu=2, priority=4))["n"] == ("Insufficient cpu",)
    assert scene.reasons(a_pod("equal", cpu=2, priority=5))["n"] == ("Insufficient cpu",)
    assert scene.reasons(a_pod("higher", cpu=2, priority=6))["n"] == ()
    assert scene.reasons(a_pod("next", nominated="n", cpu=3, priority=5))["n"] == ()


def test_what_a_nominated_pod_holds_is_seen_by_the_plugins_of_its_node() -> None:
    port, disk = HostPort("TCP", "", 80), f"{VOLUMES}disk.example.com"
    nodes = [a_node("a1", zone="a", pods=2, extended={disk: 1}), a_node("b1", zone="b", extended={disk: 1})]
    guest = a_pod("guest", nominated="a1", labels={"app": "x"}, host_ports=[port], extended={disk: 1})
    scene = Scene(nodes, [guest, a_pod("there", on="b1")])

    assert told(scene, a_pod("p", host_ports=[port])) == {"a1": PORTS}
    assert told(scene, a_pod("p", extended={disk: 1})) == {"a1": "node(s) exceed max volume count"}
    assert told(scene, a_pod("p", anti_affinity=[apart_from(app="x")])) == {"a1": APART}
    assert told(scene, a_pod("p", labels={"app": "x"}, spread=[spread_over(app="x")])) == {"a1": SKEWED}
    scene.add(a_pod("more", on="a1"))
    assert told(scene, a_pod("p")) == {"a1": "Too many pods"}


def test_a_nominated_friend_is_not_there_yet() -> None:
    scene = Scene(NODES, [a_pod("web", nominated="a1", labels={"app": "web"})])

    assert told(scene, a_pod("p", affinity=[near(app="web")])) == dict.fromkeys(["a1", "a2", "b1", "plain"], NEAR)


def test_the_anti_affinity_of_a_nominated_pod_counts_once_the_plugin_runs_at_all() -> None:
    """kube-scheduler skips InterPodAffinity for a pod without terms that no bound pod keeps away, nominated ones or not."""
    hermit = a_pod("hermit", nominated="a1", anti_affinity=[apart_from(app="x")])
    there = a_pod("there", on="b1", anti_affinity=[apart_from(app="x")])
    pod = a_pod("p", labels={"app": "x"})

    assert told(Scene(NODES, [hermit]), pod) == {}
    assert told(Scene(NODES, [hermit, there]), pod) == {"a1": REPELLED, "b1": REPELLED}
    assert told(Scene(NODES, [hermit]), a_pod("p", labels={"app": "x"}, anti_affinity=[apart_from(app="y")])) == {"a1": REPELLED}


def test_an_empty_selector_sees_nominated_pods_though_it_counts_nobody() -> None:
    scene = Scene(NODES, [a_pod("guest", nominated="a1"), a_pod("there", on="a1"), a_pod("too", on="a1")])

    assert told(scene, a_pod("p", spread=[SpreadConstraint(ZONE, 1, LabelSelector())])) == {
        "a1": SKEWED,
        "plain": f"{SKEWED} (missing required label)",
    }
