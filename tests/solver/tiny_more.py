"""The other module that ``tiny_kernels`` calls into."""

from __future__ import annotations

from descheduler.solver.compiled import kernel
from tests.solver import tiny_numbers

FACTOR = 5


@kernel
def scaled(value: int, factor: int) -> int:
    return value * factor + tiny_numbers.ADDED
