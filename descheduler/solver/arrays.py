"""One cluster, or a block of its nodes, as a struct of arrays: what the stages for large fleets work on.

Indices are local: classes and nodes are positions in ``classes`` and ``nodes``. Only pods that may move or be placed have a
class here; everyone else is part of ``room`` and of the rows' base counts. The rule for rows (DESIGN.md section 3): what
cannot be interpreted freezes every pod the row mentions, and bars arrivals into its domains when it mentions nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace

import numpy as np
import numpy.typing as npt

from descheduler.domain.placement import Placement, Route
from descheduler.domain.problem import Problem
from descheduler.domain.rows import AtMost, Capacity, CopyQuota, Exclude, MoveBudget, MovesPerPlacedPod, Row, Spread

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]
NO_GROUPS = frozenset({"domains", "nodes", "amounts"})
"""Fields of rows whose numbers are not classes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joint:
    """An ``AtMost``, ``Exclude`` or ``Spread`` row; domains are numbered, ``-1`` is none."""

    kind: type[AtMost | Exclude | Spread]
    one: Ints
    """Local classes of the group (``AtMost``) or the carriers."""
    other: Ints
    """Local classes of the others (``Exclude``) or of the group counted (``Spread``); empty for ``AtMost``."""
    domain: Ints
    """Local node to domain."""
    limit: int
    """``limit``, or ``max_skew``."""
    guard: int
    """Skew that no state may exceed; -1: none."""
    few: bool
    """Fewer domains than ``min_domains``: the emptiest counts as empty."""
    base_one: Ints
    """Per domain the pods of ``one`` in the snapshot, frozen ones included."""
    base_other: Ints


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """A ``MoveBudget`` over local classes; ``row`` is its position in ``Problem.rows``."""

    members: Ints
    nodes: Ints | None
    limit: int
    row: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """Shapes: C classes, N nodes, R resources; amounts in base units."""

    cluster: str
    nodes: Ints
    """Local to ``Problem.nodes``."""
    classes: Ints
    """Local to ``Problem.classes``."""
    resources: tuple[str, ...]
    room: Ints
    """[N, R] free in the snapshot; negative where overcommitted."""
    asks: Ints
    """[C, R]"""
    waiting: Bools
    priority: Ints
    pods: Ints
    """[C] pods of a class; of waiting ones those not placed elsewhere."""
    there: npt.NDArray[np.int32]
    """[C, N] pods in the snapshot; 0 for waiting classes."""
    reach: Bools
    """[C, N] where a pod of the class may come as far as filters and rows without a count tell."""
    joints: tuple[Joint, ...] = ()
    budgets: tuple[Budget, ...] = ()
    ratio: int | None = None
    """At most so many moves per placed pod, over all clusters."""
    joints_of: tuple[tuple[int, ...], ...] = field(default=())
    """Class to positions of the joints that it takes part in."""
    budgets_of: tuple[tuple[int, ...], ...] = field(default=())

    @property
    def priorities(self) -> list[int]:
        """Those of waiting classes, the highest first."""
        return sorted({int(p) for p in self.priority[self.waiting]}, reverse=True)

    @property
    def size(self) -> tuple[int, int]:
        return len(self.classes), len(self.nodes)


Steps = dict[tuple[int, int], int]
"""(local class, local node) to a number of pods."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Local:
    """A placement of an instance, in local indices."""

    departures: Steps = field(default_factory=dict)
    arrivals: Steps = field(default_factory=dict)

    @property
    def moves(self) -> int:
        return sum(self.departures.values())


def netted(departures: Steps, arrivals: Steps) -> Local:
    """A class that leaves and comes back to one node has not moved."""
    both = {key: min(departures[key], arrivals[key]) for key in departures.keys() & arrivals.keys()}
    return Local(
        departures={key: rest for key, k in sorted(departures.items()) if (rest := k - both.get(key, 0))},
        arrivals={key: rest for key, k in sorted(arrivals.items()) if (rest := k - both.get(key, 0))},
    )


Move = tuple[int, int, int]
"""(local class, local node it leaves or -1 for a waiting pod, local node it comes to)."""


def local_of(moves: Iterable[Move]) -> Local:
    """What moves one after another amount to."""
    every = every_step(moves)
    return netted(every.departures, every.arrivals)


def every_step(moves: Iterable[Move]) -> Local:
    """The same with every move counted, those too that take the place of another of their class."""
    departures: Steps = {}
    arrivals: Steps = {}
    for c, source, target in moves:
        if source >= 0:
            departures[c, source] = departures.get((c, source), 0) + 1
        arrivals[c, target] = arrivals.get((c, target), 0) + 1
    return Local(departures=departures, arrivals=arrivals)


def to_moves(instance: Instance, route: Route) -> tuple[Move, ...]:
    """The part of a route that concerns the instance, in an order in which each move is lawful."""
    classes = {int(c): i for i, c in enumerate(instance.classes)}
    nodes = {int(n): i for i, n in enumerate(instance.nodes)}
    timed = [(s.arrival_wave, 0, s.pod_class, nodes.get(s.source, -1), s.target) for s in route.shifts]
    timed += [(b.wave, 1, b.pod_class, -1, b.target) for b in route.binds]
    return tuple((classes[c], source, nodes[target]) for _, _, c, source, target in sorted(timed) if c in classes and target in nodes)


def to_steps(instance: Instance, moves: Iterable[Move]) -> list[Move]:
    """Moves in the problem's indices."""
    return [(int(instance.classes[c]), int(instance.nodes[s]) if s >= 0 else -1, int(instance.nodes[t])) for c, s, t in moves]


def placed(instance: Instance, local: Local) -> dict[int, int]:
    """Priority to waiting pods placed."""
    found: dict[int, int] = {}
    for (c, _), count in local.arrivals.items():
        if instance.waiting[c]:
            priority = int(instance.priority[c])
            found[priority] = found.get(priority, 0) + count
    return found


def to_placement(instance: Instance, local: Local) -> Placement:
    """In the problem's indices."""

    def told(steps: Steps) -> dict[tuple[int, int], int]:
        return {(int(instance.classes[c]), int(instance.nodes[n])): k for (c, n), k in sorted(steps.items()) if k}

    return Placement(departures=told(local.departures), arrivals=told(local.arrivals))


def mentioned(row: Row) -> tuple[int, ...]:
    """Every class that a row of any type speaks of: all its tuples of numbers that are not nodes or amounts."""
    found: set[int] = set()
    for part in fields(row):
        value = getattr(row, part.name)
        if part.name not in NO_GROUPS and isinstance(value, tuple) and all(isinstance(v, int) for v in value):
            found.update(value)
    return tuple(sorted(found))


def _unreadable(row: Row) -> bool:
    """Whether these stages cannot interpret the row; a capacity that holds only some comers is none they know.

    A quota for copies speaks of single waves: the planner spreads moves over waves as it allows.
    """
    if isinstance(row, Capacity):
        return getattr(row, "comers", None) is not None
    return not isinstance(row, AtMost | Exclude | Spread | MoveBudget | MovesPerPlacedPod | CopyQuota)


def _barred_nodes(row: Row) -> frozenset[int]:
    found: set[int] = set(getattr(row, "nodes", None) or ())
    found.update(n for nodes in getattr(row, "domains", ()) for n in nodes)
    if isinstance(getattr(row, "node", None), int):
        found.add(row.node)  # type: ignore[union-attr]  # asked for just now
    return frozenset(found)


def frozen(problem: Problem) -> tuple[frozenset[int], frozenset[int]]:
    """Classes that rows unknown to these stages mention, and nodes closed by such rows that mention nobody."""
    classes: set[int] = set()
    nodes: set[int] = set()
    for row in problem.rows:
        if _unreadable(row):
            group = mentioned(row)
            classes.update(group)
            if not group:
                nodes |= _barred_nodes(row)
    return frozenset(classes), frozenset(nodes)


class Rows:
    """A problem's rows sorted by cluster, once for all its instances."""

    def __init__(self, problem: Problem, relaxed: bool = False) -> None:
        """``relaxed``: for bounds, which drop what they cannot interpret and close nothing."""
        self.problem, self.relaxed = problem, relaxed
        self.frozen, self.closed = (frozenset[int](), frozenset[int]()) if relaxed else frozen(problem)
        self.joints: dict[str, list[AtMost | Exclude | Spread]] = {}
        self.budgets: dict[str, list[tuple[int, MoveBudget]]] = {}
        self.shared: frozenset[int] = frozenset()
        self.ratio: int | None = None
        shared: set[int] = set()
        for index, row in enumerate(problem.rows):
            match row:
                case AtMost() | Exclude() | Spread():
                    group = mentioned(row)
                    if group:
                        self.joints.setdefault(problem.classes[group[0]].cluster, []).append(row)
                case MoveBudget():
                    clusters = {problem.classes[c].cluster for c in row.group}
                    for cluster in clusters:
                        self.budgets.setdefault(cluster, []).append((index, row))
                    if len(clusters) > 1:
                        shared.add(index)
                case MovesPerPlacedPod() if not problem.terms.earning:
                    self.ratio = row.ratio
        self.shared = frozenset(shared)
        """Budgets that several clusters spend together."""

    def instance(self, cluster: str) -> Instance:
        """A whole cluster."""
        problem = self.problem
        nodes = np.array(problem.nodes_of.get(cluster, ()), dtype=np.int64)
        where = {int(n): i for i, n in enumerate(nodes)}
        active = [c for c in problem.classes if c.cluster == cluster and c.reach and (c.movers or c.waiting) and c.index not in self.frozen]
        resources = tuple(sorted({r for c in active for r in c.requests}))
        here = {c.index: i for i, c in enumerate(active)}
        room = np.array([[problem.nodes[n].allocatable[r] - problem.used[n][r] for r in resources] for n in nodes], dtype=np.int64).reshape(
            len(nodes), len(resources)
        )
        asks = np.array([[c.requests[r] for r in resources] for c in active], dtype=np.int64).reshape(len(active), len(resources))
        there = np.zeros((len(active), len(nodes)), dtype=np.int32)
        reach = np.zeros((len(active), len(nodes)), dtype=np.bool_)
        known: dict[int, Ints] = {}
        for i, c in enumerate(active):
            if id(c.reach) not in known:
                known[id(c.reach)] = np.array([where[n] for n in c.reach if n not in self.closed], dtype=np.int64)
            reach[i, known[id(c.reach)]] = True
            for n, pods in c.at.items():
                if not c.waiting:
                    there[i, where[n]] = len(pods)
        if not self.relaxed:
            _close_overcommitted(room, asks, reach)
        return indexed(
            Instance(
                cluster=cluster,
                nodes=nodes,
                classes=np.array([c.index for c in active], dtype=np.int64),
                resources=resources,
                room=room,
                asks=asks,
                waiting=np.array([c.waiting for c in active], dtype=np.bool_),
                priority=np.array([c.priority for c in active], dtype=np.int64),
                pods=np.array([len(c.pods) for c in active], dtype=np.int64),
                there=there,
                reach=reach,
                joints=tuple(self._joint(row, here, where) for row in self.joints.get(cluster, ())),
                budgets=tuple(self._budget(index, row, here, where) for index, row in self.budgets.get(cluster, ())),
                ratio=self.ratio,
            )
        )

    def _joint(self, row: AtMost | Exclude | Spread, here: Mapping[int, int], where: Mapping[int, int]) -> Joint:
        one, other = (row.group, ()) if isinstance(row, AtMost) else (row.carriers, row.others if isinstance(row, Exclude) else row.group)
        domain = np.full(len(where), -1, dtype=np.int64)
        for number, nodes in enumerate(row.domains):
            domain[[where[n] for n in nodes]] = number
        of = {n: number for number, nodes in enumerate(row.domains) for n in nodes}

        def base(group: Sequence[int]) -> Ints:
            total = np.zeros(len(row.domains), dtype=np.int64)
            for c in group:
                for n, pods in self.problem.classes[c].at.items():
                    if n in of:
                        total[of[n]] += len(pods)
            return total

        return Joint(
            kind=type(row),
            one=_some(one, here),
            other=_some(other, here),
            domain=domain,
            limit=row.max_skew if isinstance(row, Spread) else row.limit if isinstance(row, AtMost) else 0,
            guard=row.guard if isinstance(row, Spread) and row.guard is not None else -1,
            few=isinstance(row, Spread) and len(row.domains) < row.min_domains,
            base_one=base(one),
            base_other=base(other),
        )

    def _budget(self, index: int, row: MoveBudget, here: Mapping[int, int], where: Mapping[int, int]) -> Budget:
        limit = row.limit * self.problem.terms.waves if row.per == "wave" else row.limit
        nodes = None if row.nodes is None else np.array([where[n] for n in row.nodes if n in where], dtype=np.int64)
        return Budget(members=_some(row.group, here), nodes=nodes, limit=limit, row=index)


def _some(group: Iterable[int], here: Mapping[int, int]) -> Ints:
    return np.array([here[c] for c in group if c in here], dtype=np.int64)


def _close_overcommitted(room: Ints, asks: Ints, reach: Bools) -> None:
    """Nobody comes who asks for what a node lacks already (stricter than a row: it stays closed when pods leave)."""
    for n in np.flatnonzero((room < 0).any(axis=1)):
        reach[(asks[:, room[n] < 0] > 0).any(axis=1), n] = False


def indexed(instance: Instance) -> Instance:
    """With the look-ups from classes to rows."""
    joints: list[list[int]] = [[] for _ in instance.classes]
    for position, joint in enumerate(instance.joints):
        for c in sorted({*joint.one.tolist(), *joint.other.tolist()}):
            joints[c].append(position)
    budgets: list[list[int]] = [[] for _ in instance.classes]
    for position, budget in enumerate(instance.budgets):
        for c in budget.members.tolist():
            budgets[c].append(position)
    return replace(instance, joints_of=tuple(map(tuple, joints)), budgets_of=tuple(map(tuple, budgets)))


def applied(instance: Instance, local: Local) -> Instance:
    """The instance after a placement has been carried out: who has moved or been placed is part of ``room`` and the base counts."""
    room, there, pods = instance.room.copy(), instance.there.copy(), instance.pods.copy()
    spent = [0] * len(instance.budgets)
    places = [None if b.nodes is None else frozenset(b.nodes.tolist()) for b in instance.budgets]
    for (c, n), count in local.departures.items():
        room[n] += count * instance.asks[c]
        there[c, n] -= count
        for b in instance.budgets_of[c]:
            some = places[b]
            if some is None or n in some:
                spent[b] += count
    for (c, n), count in local.arrivals.items():
        room[n] -= count * instance.asks[c]
        if instance.waiting[c]:
            pods[c] -= count
    return replace(
        instance,
        room=room,
        there=there,
        pods=pods,
        joints=tuple(_applied(joint, local) for joint in instance.joints),
        budgets=tuple(replace(b, limit=b.limit - k) for b, k in zip(instance.budgets, spent, strict=True)),
    )


def _applied(joint: Joint, local: Local) -> Joint:
    base = [joint.base_one.copy(), joint.base_other.copy()]
    for side, group in enumerate((frozenset(joint.one.tolist()), frozenset(joint.other.tolist()))):
        for steps, sign in ((local.departures, -1), (local.arrivals, 1)):
            for (c, n), k in steps.items():
                if c in group and joint.domain[n] >= 0:
                    base[side][joint.domain[n]] += sign * k
    return replace(joint, base_one=base[0], base_other=base[1])


def cut(instance: Instance, chosen: Ints) -> Instance:
    """A block: some nodes of an instance."""
    at_home = np.asarray(instance.there[:, chosen] > 0).any(axis=1)
    useful = np.asarray(at_home | (instance.waiting & np.asarray(instance.reach[:, chosen]).any(axis=1)))
    classes = np.flatnonzero(useful)
    here = {int(c): i for i, c in enumerate(classes)}
    where = {int(n): i for i, n in enumerate(chosen)}
    block = replace(
        instance,
        nodes=instance.nodes[chosen],
        classes=instance.classes[classes],
        room=instance.room[chosen],
        asks=instance.asks[classes],
        waiting=instance.waiting[classes],
        priority=instance.priority[classes],
        pods=instance.pods[classes],
        there=instance.there[np.ix_(classes, chosen)],
        reach=instance.reach[np.ix_(classes, chosen)],
        joints=tuple(_cut_joint(j, here, chosen) for j in instance.joints),
        budgets=tuple(_cut_budget(b, here, where) for b in instance.budgets),
        ratio=None,
    )
    return indexed(_compact(block))


def _compact(block: Instance) -> Instance:
    """Without rows that say nothing about the block."""
    return replace(
        block,
        joints=tuple(j for j in block.joints if len(j.one) or len(j.other)),
        budgets=tuple(b for b in block.budgets if len(b.members) and (b.nodes is None or len(b.nodes))),
    )


def _cut_joint(joint: Joint, here: Mapping[int, int], chosen: Ints) -> Joint:
    return replace(joint, one=_some(joint.one.tolist(), here), other=_some(joint.other.tolist(), here), domain=joint.domain[chosen])


def _cut_budget(budget: Budget, here: Mapping[int, int], where: Mapping[int, int]) -> Budget:
    nodes = None if budget.nodes is None else _some(budget.nodes.tolist(), where)
    return replace(budget, members=_some(budget.members.tolist(), here), nodes=nodes)
