"""A realised route becomes a plan: pods get names, every waiting pod its account, every objective its proof."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

from descheduler.domain.moment import snapshot_spots
from descheduler.domain.placement import Bind, Route, Shift
from descheduler.domain.plan import Category, Level, Metadata, Move, Mover, Placed, Plan, PriorityRow, Protected, Spot, Status, Unplaced
from descheduler.domain.problem import Problem
from descheduler.domain.quantity import format_amount
from descheduler.domain.resources import PODS, VOLUMES
from descheduler.fragmentation import fragmentation, weighted_slots
from descheduler.planner import helped
from descheduler.portfolio import Found
from descheduler.portfolio.score import residents_after
from descheduler.reasons import Afterwards, Ever
from descheduler.rules.movers import TECHNIQUES
from descheduler.rules.objectives.empty_nodes import empty_nodes, freed
from descheduler.solver.solution import LevelResult


@dataclass(frozen=True, slots=True)
class _Named:
    """Which pod each step is about."""

    shifts: tuple[tuple[Shift, int], ...]
    binds: tuple[tuple[Bind, int], ...]


def _named(problem: Problem, route: Route) -> _Named:
    """Movers take pods in the order of their names; the longest waiting pod of a class gets the earliest place."""
    here: dict[tuple[int, int], list[int]] = {}
    shifts = []
    for s in route.shifts:
        key = (s.pod_class, s.source)
        if key not in here:
            here[key] = sorted(problem.classes[s.pod_class].at[s.source], key=lambda i: problem.pods[i].ref, reverse=True)
        shifts.append((s, here[key].pop()))
    queues = {c.index: list(reversed(c.pods)) for c in problem.placeable}
    binds = [(b, queues[b.pod_class].pop()) for b in sorted(route.binds)]
    return _Named(tuple(shifts), tuple(binds))


def placed_pods(problem: Problem, route: Route) -> dict[int, int]:
    """Waiting pod to its node."""
    return {pod: b.target for b, pod in _named(problem, route).binds}


def moved_pods(problem: Problem, route: Route) -> dict[int, int]:
    """Running pod to its new node."""
    return {pod: s.target for s, pod in _named(problem, route).shifts}


def _spot(problem: Problem, node: int) -> Spot:
    ref = problem.nodes[node].ref
    return Spot(cluster=ref.cluster, node=ref.name)


def _moves(problem: Problem, route: Route, named: _Named) -> tuple[Move, ...]:
    emptied = empty_nodes(problem, residents_after(problem, route)) if "EmptyNodes" in problem.terms.earning else frozenset()
    helps = {s: list(reversed(falls)) for s, falls in helped(problem, route).items()}
    beneficiaries: dict[Bind, list[int]] = defaultdict(list)
    for b, pod in named.binds:
        beneficiaries[b].append(pod)
    moves = []
    for number, (s, pod) in enumerate(sorted(named.shifts, key=lambda pair: (pair[0].wave, problem.pods[pair[1]].ref)), start=1):
        fallen = Counter(helps[s].pop())
        waiting = [problem.pods[i].ref for b, count in fallen.items() for i in beneficiaries[b][-count:]]
        requests = problem.classes[s.pod_class].requests
        counted = [(r, a) for r, a in requests.items() if r != PODS and not r.startswith(VOLUMES)]
        amounts = ", ".join(f"{r} {format_amount(r, a)}" for r, a in counted) or "a pod's place"
        because = f"frees {amounts} on {problem.nodes[s.source].ref.name}"
        moves.append(
            Move(
                id=f"m{number}",
                wave=s.wave,
                arrival_wave=s.arrival_wave,
                cycle_break=s.cycle_break,
                mover=Mover(s.mover),
                pod=problem.names[pod],
                source=_spot(problem, s.source),
                target=_spot(problem, s.target),
                because=because if waiting else f"{because}: {_worth(problem, s.source, emptied)}",
                makes_room_for=tuple(str(ref) for ref in sorted(waiting)),
            )
        )
    return tuple(moves)


def _worth(problem: Problem, source: int, emptied: AbstractSet[int]) -> str:
    """What a move brings that no waiting pod needs."""
    if source in emptied:
        return "nothing but DaemonSet and static pods stays there"
    return "more room for the policy's shapes" if "Headroom" in problem.terms.earning else "room for pods of nodes that become empty"


def _placements(problem: Problem, named: _Named) -> tuple[Placed, ...]:
    steps = sorted(named.binds, key=lambda pair: (pair[0].wave, -problem.pods[pair[1]].priority, problem.pods[pair[1]].ref))
    return tuple(
        Placed(wave=b.wave, mover=Mover(b.mover), contested=b.contested, pod=problem.names[pod], target=_spot(problem, b.target))
        for b, pod in steps
    )


def unplaced(problem: Problem, route: Route, possible: Mapping[str, str]) -> tuple[Unplaced, ...]:
    """An account of every waiting pod without a place; ``possible`` are those that a pass without limits places, and how."""
    placed = placed_pods(problem, route)
    afterwards, ever = Afterwards(problem, residents_after(problem, route)), Ever(problem)
    obstacles: dict[int, str | None] = {}
    sentences: dict[int, str] = {}
    told = []
    for pod in sorted(problem.waiting, key=lambda i: problem.pods[i].ref):
        if pod in placed:
            continue
        c = problem.classes[problem.class_of[pod]]
        if pod in problem.not_ours:
            told.append(Unplaced(pod=problem.names[pod], category=Category.NOT_OURS, reason=problem.not_ours[pod]))
            continue
        if c.index not in obstacles:
            obstacles[c.index] = ever.obstacle(c)
        obstacle = obstacles[c.index]
        ref = str(problem.pods[pod].ref)
        if obstacle is not None:
            told.append(Unplaced(pod=problem.names[pod], category=Category.NEVER, reason=obstacle))
        elif ref in possible:
            reason = problem.held_back.get(pod) or f"the policy's limits; {possible[ref]}"
            told.append(Unplaced(pod=problem.names[pod], category=Category.LIMITS, reason=reason))
        else:
            if c.index not in sentences:
                sentences[c.index] = afterwards.sentence(c)
            told.append(Unplaced(pod=problem.names[pod], category=Category.ROOM, reason=sentences[c.index]))
    return tuple(told)


def _rows(problem: Problem, found: Found) -> tuple[PriorityRow, ...]:
    ours = Counter(problem.pods[i].priority for i in problem.waiting if i not in problem.not_ours)
    placed = Counter(problem.classes[b.pod_class].priority for b in found.route.binds)
    bounds = {level.key: level.bound for level in found.levels if level.name == "PendingPods"}
    open_ = {c.priority for c in problem.placeable}
    rows = []
    for priority in problem.priorities:
        bound = bounds.get(priority) if priority in open_ else 0.0
        rows.append(
            PriorityRow(
                priority=priority,
                pending_before=ours[priority],
                placed=placed[priority],
                bound=None if bound is None else min(int(bound), ours[priority]),
            )
        )
    return tuple(rows)


def _level(name: str, value: float, bound: float | None) -> Level:
    if bound is None:
        return Level(name=name, value=value, bound=None, status=Status.NO_BOUND)
    optimal = abs(value - bound) < 1e-6
    return Level(name=name, value=value, bound=bound, status=Status.OPTIMAL if optimal else Status.FEASIBLE)


GAIN_KEYS = {"Headroom": ("Headroom", "slots"), "EmptyNodes": ("EmptyNodes", "nodes")}
"""What the search calls the level of each gain."""


def _objectives(problem: Problem, found: Found, rows: Iterable[PriorityRow], gains: Mapping[str, float]) -> tuple[Level, ...]:
    levels: list[Level] = []
    told = list(rows)
    bounds = {(level.name, level.key): level for level in found.levels}
    moves = len(found.route.shifts)
    for name in problem.terms.objectives:
        if name == "PendingPods":
            known = [row.bound for row in told if row.bound is not None]
            whole = float(sum(known)) if len(known) == len(told) else None
            levels.append(_level(name, float(sum(row.placed for row in told)), whole))
        elif name == "Disruption":
            bound = _bound(bounds.get((name, "moves")), 0.0 if not moves else None)
            levels.append(_level(name, float(moves), bound if _as_found(levels, bounds) else None))
        else:
            extra = max(0, moves - _needed(problem, found)) if name in problem.terms.earning else 0
            value = round(gains[name] - problem.terms.floor * extra, 6)
            bound = _gain_bound(problem, found, bounds, name) if found.levels else value
            levels.append(_level(name, value, bound if _as_found(levels, bounds) else None))
    return tuple(levels)


def _as_found(above: Iterable[Level], bounds: Mapping[tuple[str, int | str], LevelResult]) -> bool:
    """Whether the gains above are those for which the levels below were proven."""
    pairs = ((level.value, bounds.get(GAIN_KEYS[level.name])) for level in above if level.name in GAIN_KEYS)
    return all(found is None or value is None or abs(found.value - value) < 1e-6 for value, found in pairs)


def _bound(level: LevelResult | None, absent: float | None) -> float | None:
    return absent if level is None else level.bound


def _gain_bound(problem: Problem, found: Found, bounds: Mapping[tuple[str, int | str], LevelResult], name: str) -> float | None:
    """The proof speaks of plans that are as good on every level above; a realised plan that differs there has none."""
    if name not in problem.terms.earning:
        classes, waited = problem.classes, 0
        for c, count in Counter(b.pod_class for b in found.route.binds).items():
            waited += sum(problem.precedence[pod] for pod in classes[c].pods[:count])
        realised: dict[tuple[str, int | str], float] = {
            ("Disruption", "moves"): len(found.route.shifts),
            ("Disruption", "cost"): sum(TECHNIQUES[classes[s.pod_class].movers[0]].cost for s in found.route.shifts),
            ("PendingPods", "waiting"): waited,
        }
        if ("Disruption", "moves") not in bounds or any(bounds[k].value != v for k, v in realised.items() if k in bounds):
            return None
    return _bound(bounds.get(GAIN_KEYS[name]), None)


def _needed(problem: Problem, found: Found) -> int:
    """Moves made for waiting pods; all of them unless others are worth something by themselves."""
    if not problem.terms.earning:
        return len(found.route.shifts)
    needed = next((level.value for level in found.levels if level.key == "needed"), None)
    if needed is not None:
        return round(needed)
    return sum(any(falls) for fallen in helped(problem, found.route).values() for falls in fallen)


def publish(problem: Problem, found: Found, metadata: Metadata, possible: Mapping[str, str], verbose: bool) -> Plan:
    """The plan as DESIGN.md section 4 defines it."""
    named = _named(problem, found.route)
    rows = _rows(problem, found)
    before = fragmentation(problem, snapshot_spots(problem))
    residents = residents_after(problem, found.route)
    after = fragmentation(problem, residents)
    gains = {"Headroom": weighted_slots(problem, after), "EmptyNodes": freed(problem, residents)}
    stay = sorted(problem.protected, key=lambda i: problem.pods[i].ref)
    protected = tuple(Protected(pod=problem.names[i], reason=problem.protected[i]) for i in stay)
    return Plan(
        metadata=metadata,
        pending_before=sum(i not in problem.not_ours for i in problem.waiting),
        objectives=_objectives(problem, found, rows, gains),
        by_priority=rows,
        moves=_moves(problem, found.route, named),
        placements=_placements(problem, named),
        unplaced=unplaced(problem, found.route, possible),
        protected=protected if verbose else None,
        before=before,
        after=after,
    )
