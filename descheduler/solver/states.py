"""Linear expressions over the model's variables, and the states in which rows are imposed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from ortools.sat.python import cp_model

Variables = dict[tuple[int, int, int], cp_model.IntVar]
"""(class, node, wave) to a count."""


class Linear:
    """A sum of variables with integer factors and a constant."""

    __slots__ = ("constant", "factors", "variables")

    def __init__(self, constant: int = 0) -> None:
        self.constant = constant
        self.variables: dict[int, cp_model.IntVar] = {}
        self.factors: dict[int, int] = defaultdict(int)

    def add(self, variable: cp_model.IntVar, factor: int) -> None:
        self.variables[variable.index] = variable
        self.factors[variable.index] += factor

    def plus(self, other: Linear, factor: int = 1) -> Linear:
        """This sum plus ``factor`` times the other, as a new sum."""
        total = Linear()
        total.include(self, 1)
        total.include(other, factor)
        return total

    def include(self, other: Linear, factor: int) -> None:
        """Add ``factor`` times the other in place."""
        self.constant += factor * other.constant
        for index, variable in other.variables.items():
            self.add(variable, factor * other.factors[index])

    @property
    def fixed(self) -> bool:
        return not any(self.factors.values())

    def expression(self) -> cp_model.LinearExprT:
        used = [i for i, factor in self.factors.items() if factor]
        return cp_model.LinearExpr.weighted_sum([self.variables[i] for i in used], [self.factors[i] for i in used]) + self.constant

    def at_most(self, model: cp_model.CpModel, limit: int) -> cp_model.Constraint | None:
        """``self ≤ limit`` as a constraint; ``None`` when it cannot fail."""
        if self.fixed and self.constant <= limit:
            return None
        return model.add(self.expression() <= limit)


@dataclass(frozen=True, slots=True)
class State:
    """A moment as the model sees it: ``during`` counts leavers and arrivals, ``after`` has the leavers gone.

    The end-state model has one state whose ``during`` is its ``after``.
    """

    wave: int
    earlier: tuple[int, ...]
    end_only: bool

    def count(
        self, there: int, departures: Variables, arrivals: Variables, key: tuple[int, int], after: bool, least: bool = False
    ) -> Linear:
        """Pods of a class on a node in this state; at ``least`` those who are there before the wave's own arrivals."""
        total = Linear(there)
        pod_class, node = key
        for wave in (*self.earlier, self.wave):
            arriving = arrivals.get((pod_class, node, wave))
            if arriving is not None and not (least and wave == self.wave and not self.end_only):
                total.add(arriving, 1)
            leaving = departures.get((pod_class, node, wave))
            if leaving is not None and (wave != self.wave or after or self.end_only):
                total.add(leaving, -1)
        return total


def states(waves: int) -> tuple[State, ...]:
    """The end state alone for 0, else one state a wave."""
    if waves == 0:
        return (State(0, (), True),)
    return tuple(State(w, tuple(range(w)), False) for w in range(waves))


def summed(parts: Iterable[Linear]) -> Linear:
    total = Linear()
    for part in parts:
        total.include(part, 1)
    return total
