"""A cluster too large for one model is looked at where it matters: nodes that lack least for a waiting pod, and the roomiest others.

What is found is a plan like any other; what is proven about so small a part says nothing about the whole.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from descheduler.domain.problem import PodClass, Problem
from descheduler.solver.solution import Search, Solution

SOURCES = 24
PER_POD = 4
TARGETS = 40


def narrowed(problem: Problem, search: Search, cluster: str) -> Search:
    """The same search on at most ``SOURCES`` nodes to leave and ``TARGETS`` more to go to."""
    free = {n: problem.nodes[n].allocatable - problem.used[n] for n in problem.nodes_of[cluster]}
    waiting = sorted((c for c in problem.placeable if c.cluster == cluster), key=lambda c: (-c.priority, c.index))
    wanted = [sorted(c.reach, key=lambda n: (_lacking(c, free[n]), n))[:PER_POD] for c in waiting]
    sources: list[int] = []
    for rank in range(PER_POD):
        sources += [nodes[rank] for nodes in wanted if rank < len(nodes) and nodes[rank] not in sources]
    chosen = frozenset(sources[:SOURCES])
    roomy = sorted(free, key=lambda n: (-_share(problem, n, free[n]), n))[:TARGETS]
    return replace(search, sources=chosen, targets=chosen.union(roomy))


def _lacking(c: PodClass, free: Mapping[str, int]) -> float:
    """The largest share of a request that is missing."""
    return max((max(0, amount - free.get(r, 0)) / amount for r, amount in c.requests.items()), default=0.0)


def _share(problem: Problem, node: int, free: Mapping[str, int]) -> float:
    room = problem.nodes[node].allocatable
    return min((free.get(r, 0) / room[r] for r in ("cpu", "memory") if room[r]), default=0.0)


def unproven(solution: Solution) -> Solution:
    """Without bounds."""
    return replace(solution, levels=tuple(replace(level, bound=None) for level in solution.levels))
