"""The other module that ``tiny_kernels`` calls into."""

from __future__ import annotations

from descheduler.solver.compiled import kernel

FACTOR = 5


@kernel
def scaled(value: int, factor: int) -> int:
    return value * factor
