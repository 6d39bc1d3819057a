"""Rivals: between waves any waiting pod may take any node as soon as it fits there. Which planned arrivals does that endanger?

DESIGN.md sections 4 and 5; kubernetes.md 1.6: room kept by a gated, nominated copy counts against rivals of equal and
lower priority on the default scheduler, on that node, from the wave in which the copy is made (`Plan.room_kept_from`), and only
against those. The answer errs towards danger: a rival is held off by anti-affinity to someone who is there for certain, never by
its own spread, and all that fit may come together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from descheduler.copies import refused
from descheduler.domain.moment import moments
from descheduler.domain.placement import Bind, Route, Shift
from descheduler.domain.plan import Mover
from descheduler.domain.problem import PodClass, Problem
from descheduler.domain.resources import VOLUMES, Resources
from descheduler.domain.rows import Needs, Spread
from descheduler.domain.standing import Standing
from descheduler.rules.constraints.inter_pod_affinity import foes
from descheduler.rules.constraints.node_ports import conflict
from descheduler.rules.filters import KUBE_SCHEDULER, Verdicts
from descheduler.rules.movers import BY_MOVER, KEEPS_BOTH, TECHNIQUES
from descheduler.rules.node_sets import NodeSets

Amounts = dict[str, int]
DEFAULT_SCHEDULER = "default-scheduler"


@dataclass(frozen=True, slots=True)
class _Stage:
    """One wave: who is there at least (leavers gone, arrivals not there), and everyone who counts when arrivals are judged."""

    least: Standing
    during: Standing
    least_used: Sequence[Amounts]
    """By node."""
    during_used: Sequence[Amounts]


@dataclass(frozen=True, slots=True)
class _Step:
    """A planned arrival."""

    pod_class: PodClass
    node: int
    wave: int
    kept_from: int | None
    """The wave from which on a copy keeps its room; ``None`` when none does."""
    sibling: bool
    """A waiting pod: planned pods of its own class may trade places with it."""
    contested: bool = False
    """It may lose its place, and then goes on looking for ever."""
    twin: int | None = None
    """The node of its old self, if that stays until it has come."""

    def shielded_from(self, rival: PodClass, at: int) -> bool:
        """Whether in a wave a nominated copy on the node counts against the rival."""
        kept = self.kept_from is not None and at >= self.kept_from
        return kept and rival.priority <= self.pod_class.priority and rival.spec.scheduler == DEFAULT_SCHEDULER


class Rivals:
    """The waiting pods of a problem that some scheduler may bind at any time."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self._verdicts = Verdicts(KUBE_SCHEDULER)
        self._labels = problem.node_labels
        self._classes: dict[str, list[PodClass]] = defaultdict(list)
        for c in problem.classes:
            if c.waiting and not all(problem.pods[i].gates for i in c.pods):
                self._classes[c.cluster].append(c)
        self._nodes = NodeSets(problem.nodes)
        self._admitted: dict[int, int] = {}
        """Class to the nodes, as bits, on which kube-scheduler may put its pods."""
        self._domains: dict[tuple[int, str], list[int]] = {}
        self._keys: dict[tuple[int, int], frozenset[str]] = {}
        self._clashing: dict[int, list[PodClass]] = {}
        self._able: dict[tuple[int, tuple[int, ...]], list[PodClass]] = {}
        self._surely_asked: dict[int, list[tuple[str, int]]] = {}
        self._asked: list[Amounts] = [dict(used.items()) for used in problem.used]
        self.rows_of: dict[int, list[Spread | Needs]] = defaultdict(list)
        """Class to the rows it carries that others can spoil."""
        for row in problem.rows:
            if isinstance(row, Spread | Needs):
                for carrier in row.carriers:
                    self.rows_of[carrier].append(row)

    def endangered(
        self, route: Route, known: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
    ) -> tuple[frozenset[int], frozenset[int]]:
        """Indices of the binds and of the shifts whose place a rival may take or spoil before they arrive.

        ``known`` to be in danger are not asked again: that is right while the routes differ only in more contested binds.
        """
        classes = self.problem.classes
        made: dict[int, int] = {}
        """Node to the first wave in which somebody leaves it."""
        for s in route.shifts:
            made[s.source] = min(s.wave, made.get(s.source, s.wave))
        shifts = [
            _Step(
                classes[s.pod_class],
                s.target,
                s.arrival_wave,
                self._kept_from(s, made),
                False,
                twin=s.source if KEEPS_BOTH[s.mover] else None,
            )
            for s in route.shifts
        ]
        binds = [_Step(classes[b.pod_class], b.target, b.wave, self._kept_from(b, made), True, b.contested) for b in route.binds]
        there: dict[int, list[_Step]] = defaultdict(list)
        for step in (*shifts, *binds):
            there[step.node].append(step)
        stages = self._stages(route)
        leaving: dict[int, list[int]] = defaultdict(list)
        for s in route.shifts:
            leaving[s.source].append(s.pod_class)
        watch = _Watch(self, binds, there, stages, {node: tuple(sorted(gone)) for node, gone in leaving.items()})
        return (
            frozenset(i for i, step in enumerate(binds) if i in known[0] or watch.in_danger(step)),
            frozenset(i for i, step in enumerate(shifts) if i in known[1] or watch.in_danger(step)),
        )

    def _kept_from(self, step: Shift | Bind, made: Mapping[int, int]) -> int | None:
        """At the latest what `Plan.room_kept_from` says of the step: which moves are for whom is not known yet."""
        if step.mover is Mover.SCHEDULE or self.problem.terms.reserve == "Never" or not TECHNIQUES[step.mover].reserves:
            return None
        return min(step.wave, made.get(step.target, step.wave))

    def _stages(self, route: Route) -> list[_Stage]:
        """Every wave of the route. What a wave does not touch is shared with the snapshot: a large fleet has few moves."""
        found: list[_Stage] = []
        now: Sequence[Amounts] = self._asked
        """What the pods ask for that are there when a wave begins."""
        for moment in moments(self.problem, route, BY_MOVER):
            if moment.run is not None:
                continue
            unsure = [(b.pod_class, b.target) for b in route.binds if b.wave < moment.wave and self._unsure(b, found)]
            least = moment.least().plus(unsure, -1)
            certain = self._used(now, (*moment.leaving, *unsure), -1)
            everyone = self._used(now, ((a.pod_class, a.node) for a in moment.arrivals), 1)
            found.append(_Stage(least, moment.during(), certain, everyone))
            now = self._used(everyone, moment.leaving, -1)
        return found

    def _used(self, before: Sequence[Amounts], changed: Iterable[tuple[int, int]], sign: int) -> list[Amounts]:
        """Node to what its pods ask for when one pod more, or less, is at each of the (class, node)."""
        used = list(before)
        fresh: set[int] = set()
        for c, node in changed:
            if node not in fresh:
                fresh.add(node)
                used[node] = dict(used[node])
            self.add(used[node], c, sign)
        return used

    def _unsure(self, bind: Bind, stages: list[_Stage]) -> bool:
        """Whether a pod that was to be bound may be elsewhere: it lost its place, or nobody steers it and another node has room."""
        if bind.contested:
            return True
        if bind.mover is not Mover.SCHEDULE:
            return False
        c, used = self.problem.classes[bind.pod_class], stages[bind.wave - 1].least_used
        rooms = ((self.problem.nodes[n].allocatable, used[n]) for n in c.reach if n != bind.target)
        return any(all(amount <= room[r] - taken.get(r, 0) for r, amount in self.surely_asked(c)) for room, taken in rooms)

    def add(self, amounts: Amounts, c: int, count: int) -> None:
        """Add the requests of some pods of a class."""
        self.problem.classes[c].requests.add_to(amounts, count)

    def of(self, cluster: str) -> list[PodClass]:
        return self._classes[cluster]

    def admits(self, rival: PodClass, node: int) -> bool:
        if rival.index not in self._admitted:
            self._admitted[rival.index] = self._verdicts.admitted(rival.spec, self._nodes)
        return bool(self._admitted[rival.index] >> node & 1)

    def domain(self, node: int, key: str) -> list[int]:
        """The nodes that share the node's value of a label; none when it has none."""
        if (node, key) not in self._domains:
            value = self._labels[node].get(key)
            cluster = self.problem.nodes[node].ref.cluster
            found = [] if value is None else [n for n in self.problem.nodes_of[cluster] if self._labels[n].get(key) == value]
            self._domains[node, key] = found
        return self._domains[node, key]

    def able(self, node: int, leaving: tuple[int, ...]) -> list[PodClass]:
        """Rivals that the node has room for at some time, if pods of these classes leave it."""
        if (node, leaving) not in self._able:
            problem, gone = self.problem, dict[str, int]()
            for c in leaving:
                self.add(gone, c, -1)
            room, used = problem.nodes[node].allocatable, self._asked[node]
            rivals = self.of(problem.nodes[node].ref.cluster)
            found = [r for r in rivals if self.admits(r, node) and _fitting(self.surely_asked(r), room, used, gone)]
            self._able[node, leaving] = found
        return self._able[node, leaving]

    def surely_asked(self, rival: PodClass) -> list[tuple[str, int]]:
        """What a rival needs room for. Volumes are left out: we count each mention of one, kube-scheduler counts a shared one once."""
        if rival.index not in self._surely_asked:
            told = [(resource, amount) for resource, amount in rival.requests.items() if not resource.startswith(VOLUMES)]
            self._surely_asked[rival.index] = told
        return self._surely_asked[rival.index]

    def clashing(self, pod_class: PodClass) -> list[PodClass]:
        """Rivals that exclude pods of the class, or are excluded by them, by more than room."""
        if pod_class.index not in self._clashing:
            rivals = self.of(pod_class.cluster)
            self._clashing[pod_class.index] = [r for r in rivals if self.keys(pod_class, r) or conflict(pod_class, r) is not None]
        return self._clashing[pod_class.index]

    def keys(self, one: PodClass, other: PodClass) -> frozenset[str]:
        """Topology keys by which pods of two classes exclude each other, in either direction."""
        known = self._keys.get((one.index, other.index))
        if known is None:
            known = frozenset(
                term.topology_key
                for carrier, matched in ((one, other), (other, one))
                for term in carrier.spec.anti_affinity
                if term.matches(matched.namespace, dict(matched.labels))
            )
            self._keys[one.index, other.index] = known
        return known

    def barred(self, rival: PodClass, node: int, stage: _Stage) -> bool:
        """Whether someone who is there for certain keeps the rival off the node by anti-affinity."""
        for other in self.problem.once(foes).get(rival.index, ()):
            present = stage.least.of(other)
            for key in self.keys(rival, self.problem.classes[other]) if present else ():
                value = self._labels[node].get(key)
                if value is not None and any(self._labels[n].get(key) == value for n in present):
                    return True
        return False


class _Watch:
    """One route under the eyes of all rivals."""

    def __init__(
        self,
        rivals: Rivals,
        binds: list[_Step],
        there: Mapping[int, list[_Step]],
        stages: list[_Stage],
        leaving: Mapping[int, tuple[int, ...]],
    ) -> None:
        self.rivals, self.binds, self.there, self.stages, self.leaving = rivals, binds, there, stages, leaving
        self.planned: dict[int, list[_Step]] = defaultdict(list)
        for step in binds:
            self.planned[step.pod_class.index].append(step)

    def in_danger(self, step: _Step) -> bool:
        """Whether rivals could leave the step without its room, its distance or its balance."""
        taken: Amounts = {}
        for rival in self.rivals.able(step.node, self.leaving.get(step.node, ())):
            many = self._how_many(rival, step, step.node)
            if many:
                self.rivals.add(taken, rival.index, many)
        if any(self._shunned(rival, step) for rival in self.rivals.clashing(step.pod_class)):
            return True
        room, used = self.rivals.problem.nodes[step.node].allocatable, self.stages[step.wave - 1].during_used[step.node]
        if any(amount and used.get(r, 0) + taken.get(r, 0) > room[r] for r, amount in step.pod_class.requests.items()):
            return True
        if any(self._stranded(row, step) for row in self._rows_of(step) if isinstance(row, Needs)):
            return True
        return any(self._tipped(row, step) for row in self._rows_of(step) if isinstance(row, Spread))

    def _shunned(self, rival: PodClass, step: _Step) -> bool:
        """Whether a rival could come so near that the two exclude each other."""
        for key in self.rivals.keys(step.pod_class, rival):
            for node in self.rivals.domain(step.node, key):
                if self._how_many(rival, step, node):
                    return True
        return conflict(step.pod_class, rival) is not None and bool(self._how_many(rival, step, step.node))

    def _rows_of(self, step: _Step) -> list[Spread | Needs]:
        return self.rivals.rows_of.get(step.pod_class.index, [])

    def _stranded(self, row: Needs, step: _Step) -> bool:
        """Whether its anchor may be elsewhere; or, where it comes first of all, somebody may be first instead."""
        nodes = next((domain for domain in row.domains if step.node in domain), ())
        stage = self.stages[step.wave - 1]
        if any(stage.least.of(c).get(n, 0) > 0 for c in row.anchors for n in nodes) or step.twin in nodes:
            return False
        classes = self.rivals.problem.classes
        return any(classes[c].waiting and len(classes[c].pods) > (c == step.pod_class.index) for c in row.company)

    def _tipped(self, row: Spread, step: _Step) -> bool:
        """Whether rivals that count could fill the step's domain beyond the skew."""
        nodes = next((domain for domain in row.domains if step.node in domain), ())
        stage = self.stages[step.wave - 1]
        before = here = sum(stage.during.of(c).get(n, 0) for c in row.group for n in nodes)
        for rival in self.rivals.of(step.pod_class.cluster):
            if rival.index in row.group:
                here += min(len(rival.pods), sum(self._how_many(rival, step, n) for n in nodes))
        least = [sum(stage.least.of(c).get(n, 0) for c in row.group for n in domain) for domain in row.domains if domain != nodes]
        emptiest = 0 if len(row.domains) < row.min_domains else min([here, *least])
        return here > before and here - emptiest > row.max_skew

    def _how_many(self, rival: PodClass, step: _Step, node: int) -> int:
        """The most pods of a class that could slip onto a node before the step's own wave has ended, or its copy is there."""
        if (node == step.node and step.shielded_from(rival, 1)) or not self.rivals.admits(rival, node):
            return 0
        planned = self.planned[rival.index]
        same = step.sibling and rival.index == step.pod_class.index
        asked, room = self.rivals.surely_asked(rival), self.rivals.problem.nodes[node].allocatable
        best = 0
        for at, stage in enumerate(self.stages[: step.wave], start=1):
            if node == step.node and step.shielded_from(rival, at):
                break
            used = stage.least_used[node]
            if not _fitting(asked, room, used, {}):
                continue
            loose = len(rival.pods) - sum(not b.contested for b in planned)
            if not same:
                loose += sum(b.wave >= at for b in planned if not b.contested)
            here = (b for b in planned if b.node == node and b.wave <= step.wave)
            loose -= sum(b.contested or (not same and b.wave >= at) for b in here)  # counted as planned already
            if loose <= best:
                continue
            kept: Amounts = {}
            for other in self.there.get(node, ()):
                if other.wave >= at and other.shielded_from(rival, at):
                    self.rivals.add(kept, other.pod_class.index, 1)
            fitting = _fitting(asked, room, used, kept)
            if min(loose, fitting) > best and not self.rivals.barred(rival, node, stage):
                best = min(loose, fitting)
        return best


def _fitting(asked: Sequence[tuple[str, int]], room: Resources, used: Amounts, kept: Amounts) -> int:
    """How many pods fit beside what is used and kept."""
    fitting: int | None = None
    for r, amount in asked:
        here = (room.get(r) - used.get(r, 0) - kept.get(r, 0)) // amount
        if here <= 0:
            return 0
        fitting = here if fitting is None or here < fitting else fitting
    return fitting or 0


def settled(problem: Problem, route: Route) -> tuple[Route, tuple[Shift, ...]]:
    """Each bind by kube-scheduler where that is safe, else reserved by a surge where policy and owner allow, else contested.

    Also returns the moves that a rival may rob of their room: such a route may not be carried out.
    """
    rivals = problem.once(Rivals)
    reserve = problem.terms.reserve
    binds = [replace(b, mover=Mover.SCHEDULE, contested=False) for b in route.binds]
    if reserve == "Always":
        binds = [_surged(problem, b) for b in binds]
    route = _as_far_as_copies_may(problem, replace(route, binds=tuple(binds)))
    binds = list(route.binds)
    in_danger, _ = rivals.endangered(route)
    if reserve == "Contested" and in_danger:
        binds = [_surged(problem, b) if i in in_danger else b for i, b in enumerate(binds)]
        route = _as_far_as_copies_may(problem, replace(route, binds=tuple(binds)))
    found: tuple[frozenset[int], frozenset[int]] = (frozenset(), frozenset())
    while True:  # a pod that loses its place is one rival more for all others
        found = rivals.endangered(route, found)
        in_danger, robbed = found
        binds = [replace(b, contested=b.contested or i in in_danger) for i, b in enumerate(route.binds)]
        if tuple(binds) == route.binds:
            return route, tuple(route.shifts[i] for i in sorted(robbed))
        route = replace(route, binds=tuple(binds))


def _surged(problem: Problem, bind: Bind) -> Bind:
    return replace(bind, mover=Mover.SURGE) if Mover.SURGE in problem.classes[bind.pod_class].movers else bind


def _as_far_as_copies_may(problem: Problem, route: Route) -> Route:
    """Binds that cannot have a second copy are left to kube-scheduler."""
    back = refused(problem, route)
    return replace(route, binds=tuple(replace(b, mover=Mover.SCHEDULE) if i in back else b for i, b in enumerate(route.binds)))
