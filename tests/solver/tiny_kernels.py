"""Kernels so small that a test may compile them: all kinds of arguments, a call, a call into another module."""

from __future__ import annotations

from typing import NamedTuple

from descheduler.solver.compiled import BoolVector, FloatMatrix, IntVector, kernel
from tests.solver.tiny_more import FACTOR, scaled


class Heap(NamedTuple):
    values: IntVector
    chosen: BoolVector
    least: int


@kernel
def total(heap: Heap) -> int:
    found = heap.least
    for i in range(len(heap.values)):
        if heap.chosen[i]:
            found += digit(heap.values[i], FACTOR)
    return found


@kernel
def digit(value: int, factor: int) -> int:
    """Below the one that calls it, and floor division of negative numbers, in which C and Python differ."""
    return scaled(value // 3, factor) % 7


@kernel
def fill(table: FloatMatrix, by: float, twice: bool) -> None:
    """Also sums, in this order: another would round otherwise."""
    so_far = 0.0
    for row in range(table.shape[0]):
        for column in range(table.shape[1]):
            table[row, column] = table[row, column] / by + row * column
            if twice:
                table[row, column] = table[row, column] * by - 0.1
            so_far += table[row, column] * table[row, column]
    table[0, 0] = so_far


ALL = (total, digit, fill, scaled)
