"""``python -m tests.solver.kernel_probe``: a fresh process calls tiny kernels, plain and compiled, and prints what happened as JSON.

Arguments: ``plain`` for no compiled call at all, ``without-numba``, ``in-a-worker``; nothing for the usual.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np

from descheduler.solver import compiled
from tests.solver import tiny_kernels
from tests.solver.tiny_kernels import Heap, fill, total

VALUES = np.arange(-500, 400, dtype=np.int64)
HEAP = Heap(VALUES, VALUES % 3 == 0, 10**9)
PLACES = ("/", "/tmp", "/var/tmp", ".")  # noqa: S108  # asked about, not written to


def outcome(total: Callable[..., Any], fill: Callable[..., Any]) -> list[object]:
    table = np.linspace(0.0, 1.0, 300).reshape(3, 100)
    fill(table, 0.3, True)
    zero = np.zeros((1, 2))
    with np.errstate(all="ignore"):
        fill(zero, 0.0, False)
    return [int(total(HEAP)), [float(value).hex() for value in (*table.ravel(), *zero.ravel())]]


def compilations() -> dict[str, object]:
    """What came of it with compiled kernels, and how often numba compiled for it."""
    from numba.core import event

    with event.install_recorder("numba:compile") as recorder:
        told = outcome(compiled.compiled(total), compiled.compiled(fill))
    return {
        "compiled": told,
        "machine code": compiled.compiled(total) is not total,
        "compilations": sum(one.is_start for _, one in recorder.buffer),
    }


def main(how: str) -> dict[str, object]:
    before = dict(os.environ)
    told: dict[str, object] = {"plain": outcome(total, fill)}
    if how == "without-numba":
        sys.modules["numba"] = None  # type: ignore[assignment]  # how Python spells "cannot be imported"
        told["compiled"] = outcome(compiled.compiled(total), compiled.compiled(fill))
        told["machine code"] = compiled.compiled(total) is not total
    elif how == "in-a-worker":
        compiled.prepare(tiny_kernels.ALL)
        with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
            told |= pool.submit(compilations).result()
    elif how != "plain":
        told |= compilations()
    numba = sys.modules.get("numba")
    codegen = numba.core.registry.cpu_target.target_context.codegen().magic_tuple()[1:] if numba is not None and how == "" else None
    return told | {
        "remarks": compiled.remarks(),
        "numba": numba is not None,
        "processor": codegen,
        "environment kept": before == dict(os.environ),
        "user": os.geteuid(),
        "writable": [place for place in PLACES if os.access(place, os.W_OK)],
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main("".join(sys.argv[1:]))))
