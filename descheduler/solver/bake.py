"""``python -m descheduler.solver.bake``: compile every kernel once and keep it next to the installed package.

For images: whoever runs from one, with whatever rights, finds all kernels compiled. Ends with 1 when one cannot be.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys

import descheduler.solver
from descheduler.solver import compiled
from descheduler.solver.kernel_cache import BAKED, SUFFIX, KernelCache, distrust


def main() -> int:
    """Kernels are found wherever in the solver they are."""
    for module in pkgutil.walk_packages(descheduler.solver.__path__, "descheduler.solver."):
        importlib.import_module(module.name)
    BAKED.mkdir(mode=0o755, parents=True, exist_ok=True)
    why = distrust(BAKED)
    if not why:
        compiled.prepare(compiled.KERNELS, KernelCache(readable=(BAKED,), writable=BAKED))
    for remark in (why, *compiled.remarks()):
        if remark:
            sys.stderr.write(f"{remark}\n")
    sizes = [path.stat().st_size for path in BAKED.glob(f"*{SUFFIX}")]
    sys.stdout.write(f"{len(compiled.KERNELS)} kernels compiled, {sum(sizes) / 1e6:.1f} MB in {BAKED}\n")
    return 1 if why or compiled.remarks() else 0


if __name__ == "__main__":
    sys.exit(main())
