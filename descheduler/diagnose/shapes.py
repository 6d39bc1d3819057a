"""``shapes: auto``: pod sizes worth keeping room for, derived from what the fleet itself runs and waits for.

For pods without extended resources, and for each set of extended resources that pods ask for, there are at most two: the
largest workload, running or waiting, and the largest that waits. A pod that gets its place stays a workload, so a plan
does not change what the next run measures by. Amounts are rounded up to a grid, so that a request that is tuned a
little does not either; the grid is as coarse as an empty node allows. Every tie goes to the first name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from descheduler.diagnose.classes import Sorted
from descheduler.domain.problem import PodClass, Shape
from descheduler.domain.quantity import format_amount
from descheduler.domain.resources import CPU, EPHEMERAL_STORAGE, MEMORY, PODS, VOLUMES, Resources
from descheduler.domain.selectors import Pairs, Toleration
from descheduler.policy.policy import Policy
from descheduler.rules.objectives.headroom import admits

STEPS = (2, 4, 8, 16)
"""Marks of the grid between a power of two and the next, the coarsest first: 1, 1.5, 2, 3, 4, 6, 8, …"""
UNITS = {CPU: 125, MEMORY: 2**27}
"""Finest mark of cpu (millicores) and memory (bytes), so that tiny pods make no odd sizes; 1 of anything else."""
KINDS = 4
"""Sets of extended resources that get shapes of their own, none among them; the first by name."""
HOSTNAME = "kubernetes.io/hostname"
FROM_KUBERNETES = "node.kubernetes.io/"
"""Tolerations that every pod has are nobody's wish."""


@dataclass(frozen=True, slots=True)
class _Workload:
    """One size of pod that somebody runs or wants to run."""

    name: str
    requests: Resources
    node_selector: Pairs
    tolerations: tuple[Toleration, ...]
    waiting: bool

    @property
    def kind(self) -> tuple[str, ...]:
        """The extended resources it asks for."""
        return tuple(sorted(set(self.requests) - {CPU, MEMORY, PODS}))

    def shape(self, requests: Resources) -> Shape:
        name = "-".join(f"{r}-{format_amount(r, amount)}" for r, amount in requests.items() if r != PODS)
        return Shape(
            name=re.sub(r"[^a-z0-9]+", "-", name.lower()),
            weight=1.0,
            requests=requests,
            node_selector=self.node_selector,
            tolerations=self.tolerations,
        )


def automatic_shapes(sorted_: Sorted, policy: Policy) -> tuple[Shape, ...]:
    """The fleet's own shapes; none where nothing runs or waits. The least of them weighs 1, the others as much more as they are larger."""
    empty = _EmptyNodes(sorted_)
    by_kind: dict[tuple[str, ...], list[tuple[float, str, bool, Shape]]] = {}
    for workload in _workloads(sorted_, policy):
        shape = _rounded(workload, empty)
        if shape is not None:
            by_kind.setdefault(workload.kind, []).append((empty.share(shape), workload.name, workload.waiting, shape))
    chosen: dict[str, tuple[float, Shape]] = {}
    for kind in sorted(by_kind)[:KINDS]:
        sizes = sorted(by_kind[kind], key=lambda size: (-size[0], size[1], size[3].name))
        for share, _, _, shape in (*sizes[:1], *[size for size in sizes if size[2]][:1]):
            chosen.setdefault(shape.name, (share, shape))
    return _weighted(chosen.values())


def _weighted(chosen: Iterable[tuple[float, Shape]]) -> tuple[Shape, ...]:
    sizes = sorted(chosen, key=lambda size: (-size[0], size[1].name))
    return tuple(
        Shape(
            name=shape.name,
            weight=round(share / sizes[-1][0], 1),
            requests=shape.requests,
            node_selector=shape.node_selector,
            tolerations=shape.tolerations,
        )
        for share, shape in sizes
    )


def _workloads(sorted_: Sorted, policy: Policy) -> Iterator[_Workload]:
    """Sizes of pods in the policy's scope that belong to no node and that we understand."""
    for c in sorted_.classes:
        first = sorted_.pods[c.pods[0]]
        settled = not c.waiting or any(i not in sorted_.not_ours for i in c.pods)
        ours = settled and not c.terminating and policy.spec.scope.covers(c.cluster, c.namespace, dict(c.labels))
        tied = first.daemon or first.static or HOSTNAME in dict(c.spec.node_selector)
        if ours and not tied and c.spec.opaque is None and c.spec.size_known:
            requests = Resources({r: a for r, a in c.requests.items() if r != EPHEMERAL_STORAGE and not r.startswith(VOLUMES)})
            if set(requests) - {PODS}:
                wanted = tuple(t for t in c.spec.tolerations if not t.key.startswith(FROM_KUBERNETES))
                yield _Workload(_name(c, first.ref.name), requests, c.spec.node_selector, wanted, c.waiting)


def _name(c: PodClass, pod: str) -> str:
    return "/".join((c.namespace, *(c.workload or ("", pod)), c.cluster))


class _EmptyNodes:
    """Nodes that may take pods, with what they give when only DaemonSet and static pods are left there."""

    def __init__(self, sorted_: Sorted) -> None:
        held: list[dict[str, int]] = [{} for _ in sorted_.nodes]
        for c in sorted_.classes:
            if sorted_.pods[c.pods[0]].daemon or sorted_.pods[c.pods[0]].static:
                for n, pods in c.at.items():
                    c.requests.add_to(held[n], len(pods))
        rooms = zip(sorted_.nodes, held, strict=True)
        self._rooms = [(node, node.allocatable - Resources(taken)) for node, taken in rooms if node.ready and not node.unschedulable]
        self._known: dict[tuple[Pairs, tuple[Toleration, ...]], frozenset[Resources]] = {}
        self._most = {r: max(room[r] for _, room in self._rooms) for r in {r for _, room in self._rooms for r in room}}

    def rooms(self, shape: Shape) -> frozenset[Resources]:
        """What the nodes that admit the shape can give."""
        key = (shape.node_selector, shape.tolerations)
        if key not in self._known:
            self._known[key] = frozenset(room for node, room in self._rooms if admits(shape, node))
        return self._known[key]

    def share(self, shape: Shape) -> float:
        """The largest part it takes of what the best node can give of a resource."""
        return max(amount / self._most[r] for r, amount in shape.requests.items() if r != PODS)


def _rounded(workload: _Workload, empty: _EmptyNodes) -> Shape | None:
    """The size on the coarsest grid on which an empty node can still give it, else as it is; ``None`` when no node ever can."""
    exact = workload.shape(workload.requests)
    rooms = empty.rooms(exact)
    for steps in STEPS:
        requests = Resources({r: amount if r == PODS else _up(amount, steps, UNITS.get(r, 1)) for r, amount in exact.requests.items()})
        if any(requests.fits(room) for room in rooms):
            return workload.shape(requests)
    return exact if any(exact.requests.fits(room) for room in rooms) else None


def _up(amount: int, steps: int, unit: int) -> int:
    """The next mark of the grid: ``steps`` to an octave of ``unit``, never less than the amount."""
    octave = unit
    while octave * 2 <= amount:
        octave *= 2
    mark = max(unit, octave // steps)
    return -(-amount // mark) * mark
