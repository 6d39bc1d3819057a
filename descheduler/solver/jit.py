"""Kernels through numba: the one module that imports it, and only ``compiled`` imports this one, late.

A kernel's twin is the same code object over other globals, in which every kernel is the compiled one. So lines in tracebacks
stay true, and nothing needs to be written twice.

Code is made for the plain processor of the architecture, without what this machine's has beyond it: what is baked into an image
must run on every node. It also keeps floats the same everywhere: no fused multiply-add.
"""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import FunctionType, ModuleType
from typing import Any, get_args, get_type_hints

import numba
import numpy as np
from numba.core import compiler, config, serialize, sigutils

from descheduler import __version__
from descheduler.solver.compiled import KERNELS, note
from descheduler.solver.kernel_cache import VARIABLE, KernelCache

# Set here and not in the environment, which child processes would inherit.
config.CPU_NAME = "generic"
config.CPU_FEATURES = ""

SETTINGS = ("OPT", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "LOOP_VECTORIZE", "SLP_VECTORIZE")
"""Settings of numba that change the code; ``NUMBA_BOUNDSCHECK=1`` helps to find an index that is out of range."""
SCALARS = {int: numba.int64, float: numba.float64, bool: numba.boolean}
TWINS: dict[str, ModuleType] = {}


def machine_code(function: Callable[..., Any], cache: KernelCache) -> Callable[..., Any]:
    """The kernel compiled for the types of its annotations, or loaded from the cache. Raises whatever numba raises."""
    dispatcher = getattr(_twin(function.__module__, cache), function.__name__)
    dispatcher.compile(signature(function))
    found: Callable[..., Any] = dispatcher
    return found


def signature(function: Callable[..., Any]) -> tuple[Any, ...]:
    """Numba's types of the arguments. Raises TypeError for an annotation that no kernel may have."""
    hints = get_type_hints(function, include_extras=True)
    return tuple(_type(hints[name]) for name in function.__code__.co_varnames[: function.__code__.co_argcount])


def _type(hint: Any) -> Any:
    if hint in SCALARS:
        return SCALARS[hint]
    if isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields"):
        fields = get_type_hints(hint, include_extras=True)
        return numba.types.BaseTuple.from_types([_type(fields[name]) for name in hint._fields], hint)
    dimensions = getattr(hint, "__metadata__", (None,))[0]
    if not isinstance(dimensions, int):
        raise TypeError(f"a kernel's argument cannot be {hint}")
    _, dtype = get_args(get_args(hint)[0])
    return numba.types.Array(numba.from_dtype(np.dtype(get_args(dtype)[0])), dimensions, "C")


def _twin(name: str, cache: KernelCache) -> ModuleType:
    """A second module with the same contents, but every kernel in it compiled. It has a name to be found by: numba looks there."""
    if name in TWINS:
        return TWINS[name]
    module = sys.modules[name]
    twin = TWINS[name] = ModuleType(f"{name}_compiled", module.__doc__)
    contents = {key: value for key, value in vars(module).items() if key not in ("__name__", "__spec__", "__loader__")}
    vars(twin).update(contents)
    sys.modules[twin.__name__] = twin
    stamp = _stamp(name)
    for key, value in contents.items():
        if _is_kernel(value) and value.__module__ == name:
            setattr(twin, key, _dispatcher(value, twin, cache, stamp))
    for key, value in contents.items():
        if _is_kernel(value) and value.__module__ != name:
            setattr(twin, key, getattr(_twin(value.__module__, cache), value.__name__))
    return twin


def _is_kernel(value: object) -> bool:
    return isinstance(value, FunctionType) and value in KERNELS


def _dispatcher(function: FunctionType, twin: ModuleType, cache: KernelCache, stamp: bytes) -> Any:
    copy = FunctionType(function.__code__, vars(twin), function.__name__, function.__defaults__, function.__closure__)
    copy.__module__, copy.__qualname__ = twin.__name__, function.__qualname__
    dispatcher = numba.njit(nogil=True, error_model="numpy")(copy)  # what is divided comes from arrays: NumPy's rules, not Python's
    dispatcher._cache = _Kept(f"{function.__module__}.{function.__qualname__}", stamp, cache)
    dispatcher.get_call_template = partial(_unspecialised, dispatcher.get_call_template)
    return dispatcher


def _unspecialised(template: Callable[..., Any], types: tuple[Any, ...], names: dict[str, Any]) -> Any:
    """One form of each kernel: numba would compile another for every number that is written in a call."""
    return template(tuple(numba.types.unliteral(one) for one in types), {name: numba.types.unliteral(one) for name, one in names.items()})


def _stamp(name: str) -> bytes:
    """Changes whenever code compiled from this module may: sources and constants, here and where kernels used here come from."""
    told: list[object] = [__version__, sys.version, version("numba"), version("llvmlite"), np.__version__, Path(__file__).read_bytes()]
    seen: set[str] = set()
    left = [name]
    while left:
        module = sys.modules[left.pop()]
        if module.__name__ in seen:
            continue
        seen.add(module.__name__)
        told.append(Path(str(module.__file__)).read_bytes())
        for key, value in sorted(vars(module).items()):
            if _is_kernel(value):
                left.append(value.__module__)
            elif isinstance(value, ModuleType) and value.__name__.partition(".")[0] == name.partition(".")[0]:
                left.append(value.__name__)
            elif not key.startswith("__"):
                told.append((key, _constant(value)))
    return hashlib.sha256(repr(told).encode()).digest()


def _constant(value: object) -> object:
    """What of a global may end up in compiled code, told the same way in every process."""
    if isinstance(value, np.ndarray):
        return value.dtype.str, value.shape, value.tobytes()
    if isinstance(value, tuple):
        return [_constant(one) for one in value]
    return value if isinstance(value, (bool, int, float, str)) else None


class _Kept:
    """One kernel's compiled forms between processes, as numba's dispatchers ask for them.

    In place of numba's own cache, which has to be able to write where it reads and fails on a file that is not whole.
    """

    def __init__(self, name: str, stamp: bytes, cache: KernelCache) -> None:
        self._name, self._stamp, self._cache = name, stamp, cache
        self.cache_path = str(cache.writable or "")

    def _key(self, types: Any, codegen: Any) -> bytes:
        arguments, _ = sigutils.normalize_signature(types)
        settings = [getattr(config, name) for name in SETTINGS]
        return repr((self._name, self._stamp, [str(one) for one in arguments], codegen.magic_tuple(), settings)).encode()

    def load_overload(self, types: Any, target: Any) -> Any:
        target.refresh()
        content = self._cache.load(self._name, self._key(types, target.codegen()))
        if content is None:
            return None
        try:
            return compiler.CompileResult._rebuild(target, *pickle.loads(content))  # noqa: S301  # from a place only we can write to
        except Exception:  # noqa: BLE001  # whatever is wrong with it: it is compiled again
            return None

    def save_overload(self, types: Any, result: Any) -> None:
        if result.lifted or result.library.has_dynamic_globals:
            return
        if self._cache.writable is None:
            note(f"kernels are compiled anew in every run: no directory to keep them in; {VARIABLE} can name one")
        content = serialize.dumps(result._reduce())
        self._cache.save(self._name, self._key(types, result.codegen), content)

    def flush(self) -> None:
        """Numba's wish to forget what was kept; nothing of ours asks for it."""
