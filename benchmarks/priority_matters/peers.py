"""What others would do with the same clock: one Boolean per pod and node, and first-fit-decreasing."""

from __future__ import annotations

from collections import Counter

from ortools.sat.python import cp_model

from benchmarks.priority_matters.instance import Counts, Instance
from benchmarks.priority_matters.search import packed
from benchmarks.stopwatch import Stopwatch


def first_fit_decreasing(instance: Instance, stopwatch: Stopwatch) -> Counts:
    """By priority, then size, into empty nodes."""
    return packed(instance, small_first=False)


def naive(instance: Instance, stopwatch: Stopwatch) -> Counts:
    """CP-SAT on pod × node, priority by priority, hinted with the placement of ``start``; the time left shared among the levels."""
    cp = cp_model.CpModel()
    pods = [c for c, s in enumerate(instance.sets) for _ in range(s.replicas)]
    on = [[cp.new_bool_var("") for _ in range(instance.nodes)] for _ in pods]
    for literals in on:
        cp.add_at_most_one(literals)
    for n in range(instance.nodes):
        cp.add(sum(instance.sets[c].cpu * on[p][n] for p, c in enumerate(pods)) <= instance.cpu)
        cp.add(sum(instance.sets[c].memory * on[p][n] for p, c in enumerate(pods)) <= instance.memory)
    waiting = Counter(instance.start)
    values = []
    for c, literals in zip(pods, on, strict=True):
        here = next((n for n in range(instance.nodes) if waiting[c, n]), None)
        if here is not None:
            waiting[c, here] -= 1
        values += [int(n == here) for n in range(len(literals))]
    for index, priority in enumerate(instance.priorities):
        goal = sum(v for c, literals in zip(pods, on, strict=True) if instance.sets[c].priority == priority for v in literals)
        cp.clear_hints()  # type: ignore[no-untyped-call]
        for variable, value in zip([v for literals in on for v in literals], values, strict=True):
            cp.add_hint(variable, value)
        cp.maximize(goal)
        solver = cp_model.CpSolver()
        status = stopwatch.solve(solver, cp, stopwatch.left / (len(instance.priorities) - index))
        if status not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
            break
        values = [int(solver.value(v)) for literals in on for v in literals]
        cp.add(goal >= round(solver.objective_value))
    counts: Counts = Counter()
    for p, c in enumerate(pods):
        for n in range(instance.nodes):
            if values[p * instance.nodes + n]:
                counts[c, n] += 1
    return counts


PEERS = {"naive CP-SAT": naive, "first-fit-decreasing": first_fit_decreasing}
