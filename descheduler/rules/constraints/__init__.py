"""Joint constraints, each told twice in its file: ``rows`` for the search, ``violations`` for the judge.

To add one: its module (``NAME``, ``rows``, ``violations``) and its line in ``CONSTRAINTS``. The property tests, the
solver, the planner and the judge find it there.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Protocol

from descheduler.domain.moment import Moment, Violation
from descheduler.domain.problem import Problem
from descheduler.domain.rows import Row
from descheduler.rules.constraints import (
    disruption_budget,
    inter_pod_affinity,
    move_limits,
    node_ports,
    node_resources_fit,
    pod_affinity,
    pod_topology_spread,
    resource_quota,
    volume_restrictions,
)


class Constraint(Protocol):
    """What a constraint's module offers."""

    @property
    def NAME(self) -> str: ...  # noqa: N802  # a module's constant

    def rows(self, problem: Problem) -> Iterator[Row]: ...

    def violations(self, problem: Problem, moment: Moment) -> Iterator[Violation]: ...


CONSTRAINTS: tuple[Constraint, ...] = (
    node_resources_fit,
    node_ports,
    volume_restrictions,
    inter_pod_affinity,
    pod_affinity,
    pod_topology_spread,
    resource_quota,
    disruption_budget,
    move_limits,
)


def with_rows(problem: Problem) -> Problem:
    """The problem with the rows of every constraint in the table."""
    return replace(problem, rows=tuple(row for constraint in CONSTRAINTS for row in constraint.rows(problem)))
