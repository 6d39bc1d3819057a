"""Kernels: plain functions over arrays that run as they are on small fleets and as machine code on large ones, with the same results.

A kernel is a module's function marked ``@kernel`` whose annotations are ``int``, ``float``, ``bool``, one of the array types
below, or a ``NamedTuple`` of these. Kernels call each other by name. ``compiled(f)`` is ``f`` as machine code: compiled once per
machine, kept where ``kernel_cache`` finds a place, and loaded from there ever after. What cannot be compiled, for whatever
reason, runs as it is. Nothing heavy is imported before the first call of ``compiled``.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

import numpy as np
import numpy.typing as npt

from descheduler.solver.kernel_cache import KernelCache, open_cache

Function = TypeVar("Function", bound=Callable[..., Any])

IntVector = Annotated[npt.NDArray[np.int64], 1]
"""Arrays of kernels lie in memory row by row, without gaps (``np.ascontiguousarray``); other layouts work, compiled separately."""
IntMatrix = Annotated[npt.NDArray[np.int64], 2]
IntCube = Annotated[npt.NDArray[np.int64], 3]
FloatVector = Annotated[npt.NDArray[np.float64], 1]
FloatMatrix = Annotated[npt.NDArray[np.float64], 2]
BoolVector = Annotated[npt.NDArray[np.bool_], 1]
BoolMatrix = Annotated[npt.NDArray[np.bool_], 2]

KERNELS: list[Callable[..., Any]] = []
"""Every kernel of the modules imported so far."""


def kernel(function: Function) -> Function:
    """Mark a function as one that may be compiled; it stays what it is."""
    KERNELS.append(function)
    return function


class _Ready:
    """What this process has compiled or loaded."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.cache: KernelCache | None = None
        self.functions: dict[Callable[..., Any], Callable[..., Any]] = {}
        self.remarks: list[str] = []


_READY = _Ready()


def compiled(function: Function) -> Function:
    """The kernel as machine code, or itself where that cannot be had: see ``remarks``.

    Never hand the result to another process: hand over the kernel, and call ``compiled`` there.
    """
    assert function in KERNELS, f"{function.__qualname__} is not marked as a kernel"
    with _READY.lock:
        if function not in _READY.functions:
            _READY.functions[function] = _compiled(function)
        return _READY.functions[function]  # type: ignore[return-value]  # the same function, compiled


def prepare(functions: Iterable[Callable[..., Any]], cache: KernelCache | None = None) -> None:
    """Compile or load all of these now: before workers start, which otherwise would each compile them.

    A ``cache`` given here replaces what the environment leads to.
    """
    with _READY.lock:
        _READY.cache = cache or _READY.cache
        for function in functions:
            compiled(function)


def remarks() -> tuple[str, ...]:
    """What a person should know: kernels that run uncompiled, a directory asked for that is not used."""
    return tuple(_READY.remarks)


def note(text: str) -> None:
    """Add to ``remarks``, once."""
    if text not in _READY.remarks:
        _READY.remarks.append(text)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        from descheduler.solver.jit import machine_code

        return machine_code(function, _cache())
    except Exception as error:  # noqa: BLE001  # whatever stands against compiling: the same function runs without
        reason = str(error).strip().partition("\n")[0]
        note(f"kernels run uncompiled, which takes longer: {type(error).__name__}: {reason}")
        return function


def _cache() -> KernelCache:
    if _READY.cache is None:
        _READY.cache = open_cache(os.environ)
        for remark in _READY.cache.remarks:
            note(remark)
    return _READY.cache
