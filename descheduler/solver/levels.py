"""Levels: the strict order of a policy's objectives, each solved while all higher ones keep their value (DESIGN.md 6)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import ceil, floor

from descheduler.rules.movers import TECHNIQUES
from descheduler.rules.objectives.empty_nodes import lodges, node_prices
from descheduler.rules.objectives.headroom import node_values, slots
from descheduler.solver.model import Model
from descheduler.solver.states import Linear, summed

SCALE = 1000
"""Weights of shapes, prices of nodes and the floor are counted in thousandths."""


@dataclass(frozen=True, slots=True)
class Level:
    """One thing to make as large as can be; ``sign`` -1 for what shall be small, ``scale`` turns it back into its unit."""

    name: str
    key: int | str
    goal: Linear
    sign: int = 1
    scale: int = 1

    def rounded(self, bound: float) -> float:
        """The bound of an integer quantity, rounded to the next integer that the proof allows."""
        tight = floor(bound + 1e-6) if self.sign > 0 else ceil(bound - 1e-6)
        return tight / self.scale


def pending_pods(model: Model) -> Iterator[Level]:
    """Distinct priorities in sequence, the highest first."""
    for priority in sorted({c.priority for c in model.placeable}, reverse=True):
        goal = summed(model.placed[c.index] for c in model.placeable if c.priority == priority)
        yield Level("PendingPods", priority, goal)


def disruption(model: Model) -> Iterator[Level]:
    """Fewest moves, then the cheapest; then, at the same price, the longest waiting first."""
    yield Level("Disruption", "moves", model.moves(), -1)
    if len({TECHNIQUES[c.movers[0]].cost for c in model.problem.movable}) < 2:
        return
    cost = Linear()
    for c in model.problem.movable:
        cost.include(model.moves((c.index,)), TECHNIQUES[c.movers[0]].cost)
    yield Level("Disruption", "cost", cost, -1)


def waiting(model: Model) -> Iterator[Level]:
    """The longest waiting first; within a class they go in that order anyway."""
    goal = Linear()
    for c in model.placeable:
        seconds = [model.problem.precedence[pod] for pod in c.pods]
        if len(seconds) == 1:
            goal.include(model.placed[c.index], seconds[0])
            continue
        taken = [model.cp.new_bool_var("") for _ in seconds]
        for older, younger in pairwise(taken):
            model.cp.add(older >= younger)
        model.cp.add(sum(taken) == model.placed[c.index].expression())
        for literal, waited in zip(taken, seconds, strict=True):
            goal.add(literal, waited)
    yield Level("PendingPods", "waiting", goal)


def headroom(model: Model, needed: int | None) -> Iterator[Level]:
    """Weighted slots; less the floor for each move beyond those ``needed`` for waiting pods, when moves are still open."""
    problem = model.problem
    goal = Linear()
    for row in node_values(problem):
        shape, node = problem.terms.shapes[row.shape], row.node
        state = model.states(problem.nodes[node].ref.cluster)[-1]
        free = {r: problem.nodes[node].allocatable[r] - problem.used[node][r] for r in shape.requests}
        classes = model.present(node)
        weight = round(row.weight * SCALE)
        if not classes:
            goal.constant += weight * slots(shape, free)
            continue
        most = slots(shape, problem.nodes[node].allocatable)
        count = model.cp.new_int_var(0, most, f"z{row.shape}_{node}")
        for resource, amount in shape.requests.items():
            used = Linear()
            for c in classes:
                change = state.count(0, model.departures, model.arrivals, (c, node), True)
                used.include(change, problem.classes[c].requests[resource])
            used.add(count, amount)
            constraint = used.at_most(model.cp, free[resource])
            if free[resource] < 0 and constraint is not None:
                some = model.cp.new_bool_var("")
                model.cp.add(count <= most * some)
                constraint.only_enforce_if(some)
        goal.add(count, weight)
    _charge(model, goal, needed)
    yield Level("Headroom", "slots", goal, 1, SCALE)


def empty_nodes(model: Model, needed: int | None) -> Iterator[Level]:
    """Priced nodes that become empty less those that do not stay so; charged for moves as Headroom is."""
    problem = model.problem
    goal = Linear()
    for row in node_prices(problem):
        lodgers = [c for c in model.present(row.node) if lodges(problem, c)]
        state = model.states(problem.nodes[row.node].ref.cluster)[-1]
        left = model.count(state, lodgers, (row.node,), after=True)
        if left.fixed:
            continue
        empty = model.cp.new_bool_var(f"e{row.node}")
        constraint = left.at_most(model.cp, 0)
        assert constraint is not None
        constraint.only_enforce_if(empty)
        worth = round(row.price * SCALE)
        goal.add(empty, worth)
        if row.empty:
            goal.constant -= worth
    _charge(model, goal, needed)
    yield Level("EmptyNodes", "nodes", goal, 1, SCALE)


def _charge(model: Model, goal: Linear, needed: int | None) -> None:
    """The floor for each move beyond the ``needed`` ones."""
    if needed is not None and model.problem.terms.floor:
        extra = model.cp.new_int_var(0, 10**6, "extra")
        model.cp.add(model.moves().expression() - needed <= extra)
        goal.add(extra, -round(model.problem.terms.floor * SCALE))


LEVELS: dict[str, Callable[[Model], Iterator[Level]]] = {"PendingPods": pending_pods, "Disruption": disruption}
EARNINGS: dict[str, Callable[[Model, int | None], Iterator[Level]]] = {"Headroom": headroom, "EmptyNodes": empty_nodes}
"""Levels that may be worth moves: given how many the waiting pods need, those beyond are charged; ``None`` charges nothing."""
