"""Evict: the Eviction API, where every node that the replacement can reach is acceptable."""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import replace
from datetime import timedelta

from descheduler.domain.plan import Move
from descheduler.execute import destination
from descheduler.execute.asking import refusal
from descheduler.execute.world import (
    Arrived,
    Pause,
    Steps,
    Surprise,
    World,
    begun,
    controller,
    node_of,
    pod_object,
    read_same,
    ready,
    running_victim,
    terminating,
    until_gone,
    wait,
)
from descheduler.ports import Body, Object

RETRY = timedelta(seconds=5)
"""How long to leave a closed budget alone when the server does not say."""


def evict(world: World, move: Move) -> Steps:
    """Evict a pod once its successor has room, and see the successor run."""
    victim = running_victim(world, move)
    owner = controller(victim)
    if owner is None:
        raise Surprise("churn", f"{move.pod} has no controller that would replace it")
    siblings: set[str] = set()
    yield from leave(world, move, lambda: destination.check(world, pod_object(move.pod), move.target.node, old_self_stays=False), siblings)
    with begun():
        while (new := replacement(world, move, owner["uid"], siblings)) is None:
            yield Pause(f"{move.pod} has no replacement yet")
        node = yield from until_running(world, new)
        yield from until_gone(world, pod_object(move.pod))
    return Arrived(node, "" if move.target.node in (None, node) else f"on {node}, planned on {move.target.node}")


def leave(
    world: World, move: Move, check: Callable[[], object], known: set[str] | None = None, *, as_read: bool = False
) -> Generator[Pause, None, None]:
    """Evict the pod of a move, waiting as long as its budget refuses; return when it is on its way out.

    Pod and destination are read again before every attempt. Answers as in kubernetes.md section 2. ``known`` takes in the UIDs of the
    pods that were there before: none of them is the replacement. ``as_read``: only if nobody has changed the pod since; for a pod that
    nobody but us brings back.
    """
    what = pod_object(move.pod)
    while True:
        if what.uid in world.unsure and _on_its_way_out(world, what):  # what nobody answered was done after all
            return
        victim = running_victim(world, move)
        try:
            check()
        except destination.NotYet as not_yet:
            yield Pause(str(not_yet))
            continue
        if known is not None and what.uid not in world.unsure:
            known |= {pod["metadata"]["uid"] for pod in world.reader.pods(what.cluster, what.namespace)}
        world.about_to_free(what.cluster, str(move.source.node))
        answer = world.actuator.evict(replace(what, version=victim["metadata"]["resourceVersion"]) if as_read else what)
        if answer.done:
            return
        if answer.unknown:
            world.unsure.add(what.uid)
            yield Pause(f"the eviction of {move.pod} was not answered")
            if _on_its_way_out(world, what):
                return
            if (answer.code, answer.reason) == (500, "InternalError"):  # more than one budget: it will never be let go
                raise refusal(answer, f"{move.pod}: eviction")
            if answer.code:  # the server gave up: conflicts over the budget, or it is short of breath
                yield from wait(world, RETRY, f"the eviction of {move.pod} failed: {answer.message}")
        elif answer.code == 404:
            return
        elif answer.code == 429:
            pause = RETRY if answer.retry_after_seconds is None else timedelta(seconds=answer.retry_after_seconds)
            yield from wait(world, pause, f"{move.pod} may not be evicted: {answer.message}")
        else:
            raise refusal(answer, f"{move.pod}: eviction")


def _on_its_way_out(world: World, what: Object) -> bool:
    body = read_same(world, what)
    return body is None or terminating(body)


def replacement(world: World, move: Move, owner_uid: str, known: set[str], gate: str | None = None) -> Object | None:
    """The pod that the controller made in place of the evicted one; with ``gate``, only one that carries it. It is claimed."""
    for pod in world.reader.pods(move.pod.cluster, move.pod.namespace):
        meta, owner = pod["metadata"], controller(pod)
        if owner is None or owner["uid"] != owner_uid or meta["uid"] in known | world.claimed or terminating(pod):
            continue
        if owner["kind"] == "StatefulSet" and meta["name"] != move.pod.name:
            continue
        if gate is not None and gate not in gates(pod):
            raise Surprise("scheduling", f"the replacement {meta['name']} was not held", node=node_of(pod))
        world.claimed.add(meta["uid"])
        return Object(cluster=move.pod.cluster, kind="Pod", namespace=meta["namespace"], name=meta["name"], uid=meta["uid"])
    return None


def gates(pod: Body) -> list[str]:
    return [gate["name"] for gate in pod["spec"].get("schedulingGates") or ()]


def until_running(world: World, pod: Object) -> Generator[Pause, None, str]:
    """Wait until a replacement is Ready; the node it runs on."""
    while True:
        body = read_same(world, pod)
        if body is None or terminating(body):
            raise Surprise("churn", f"the replacement {pod.name} is gone")
        node = node_of(body)
        if node is not None and ready(body):
            return node
        yield Pause(f"the replacement {pod.name} is not Ready")
