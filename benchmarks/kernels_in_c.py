"""The kernels as C beside the kernels through numba (decision 20): `python -m benchmarks.kernels_in_c --instances DIR`.

Only for the comparison. The C is written from the Python by this script: the kernels know nothing but integers, one vector,
loops and conditions. All start from the same instance and must end with the same vector, bit by bit.
"""

from __future__ import annotations

import argparse
import ast
import ctypes
import inspect
import json
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.fleets.policies import policy_of
from descheduler.diagnose import diagnose
from descheduler.federation.recorded import RecordedFleet
from descheduler.solver import compiled
from descheduler.solver.arrays import Rows
from descheduler.solver.kernel_cache import KernelCache
from descheduler.solver.kernels import rounds, slots
from descheduler.solver.kernels.memory import Memory

Vector = npt.NDArray[np.int64]
Way = tuple[Callable[..., object], Callable[..., object]]
"""Greedy and search."""
HEAT = 2000
ENTRIES = (rounds.greedy, rounds.search)
PRELUDE = """#include <stdint.h>
typedef int64_t I;
static inline I least(I a, I b) { return a < b ? a : b; }
static inline I most(I a, I b) { return a > b ? a : b; }
static inline I quotient(I a, I b) { if (b == 0) return 0; I q = a / b; return q - (a % b != 0 && (a < 0) != (b < 0)); }
static inline I remainder_(I a, I b) { if (b == 0) return 0; I r = a % b; return r + (r != 0 && (r < 0) != (b < 0) ? b : 0); }
"""
BINARY = {ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.BitAnd: "&", ast.BitOr: "|"}
BUILT_IN = {"min": "least", "max": "most", "int": "", "bool": "!!"}
COMPARED = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="}


class Writer:
    """One function in C. Floor division and remainder are Python's."""

    def __init__(self, kernel: Callable[..., object]) -> None:
        (function,) = ast.parse(inspect.getsource(kernel)).body
        assert isinstance(function, ast.FunctionDef)
        self.function = function
        self.constants = {name: value for name, value in kernel.__globals__.items() if isinstance(value, int)}
        self.arguments = [argument.arg for argument in function.args.args]
        self.loops = 0

    def head(self) -> str:
        arguments = ", ".join(f"I {'*' if a == 'm' else ''}{a}_" for a in self.arguments)
        return f"I {self.function.name}_({arguments})"

    def text(self) -> str:
        stored = {n.id for n in ast.walk(self.function) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        local = "".join(f"I {name}_ = 0; " for name in sorted(stored - set(self.arguments)))
        return f"{self.head()} {{ {local}\n{self.block(self.function.body)} return 0; }}\n"

    def block(self, body: list[ast.stmt]) -> str:
        return "\n".join(self.statement(one) for one in body)

    def statement(self, node: ast.stmt) -> str:
        match node:
            case ast.Assign(targets=[ast.Tuple(elts=names)], value=ast.Tuple(elts=values)):
                told = [self.expression(value) for value in values]
                held = " ".join(f"I t{i} = {value};" for i, value in enumerate(told))
                return f"{{ {held} {' '.join(f'{self.expression(name)} = t{i};' for i, name in enumerate(names))} }}"
            case ast.Assign(targets=[target], value=value):
                return f"{self.expression(target)} = {self.expression(value)};"
            case ast.AugAssign(target=target, op=op, value=value) if type(op) in BINARY:
                return f"{self.expression(target)} {BINARY[type(op)]}= {self.expression(value)};"
            case ast.If(test=test, body=body, orelse=other):
                return f"if ({self.expression(test)}) {{ {self.block(body)} }} else {{ {self.block(other)} }}"
            case ast.While(test=test, body=body, orelse=[]):
                return f"while ({self.expression(test)}) {{ {self.block(body)} }}"
            case ast.For(target=ast.Name(id=name), iter=ast.Call(func=ast.Name(id="range"), args=limits), body=body, orelse=[]):
                return self.loop(name, [self.expression(limit) for limit in limits], body)
            case ast.Return(value=value):
                return f"return {self.expression(value) if value else 0};"
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                return ";"
            case ast.Expr(value=value):
                return f"{self.expression(value)};"
            case ast.Break():
                return "break;"
            case ast.Continue():
                return "continue;"
        raise NotImplementedError(ast.unparse(node))

    def loop(self, name: str, limits: list[str], body: list[ast.stmt]) -> str:
        self.loops += 1
        i = f"i{self.loops}"
        first, last, step = [*(["0"] if len(limits) == 1 else []), *limits, "1"][:3]
        beyond = f"{i} > end{i}" if step.startswith("(-") else f"{i} < end{i}"
        return f"for (I {i} = {first}, end{i} = {last}; {beyond}; {i} += {step}) {{ {name}_ = {i}; {self.block(body)} }}"

    def expression(self, node: ast.expr) -> str:
        match node:
            case ast.Name(id=name):
                return str(self.constants[name]) if name in self.constants and name not in self.arguments else f"{name}_"
            case ast.Constant(value=value):
                return str(int(value))
            case ast.Subscript(value=ast.Name(id=name), slice=place):
                return f"{name}_[{self.expression(place)}]"
            case ast.BinOp(left=left, op=ast.FloorDiv(), right=right):
                return f"quotient({self.expression(left)}, {self.expression(right)})"
            case ast.BinOp(left=left, op=ast.Mod(), right=right):
                return f"remainder_({self.expression(left)}, {self.expression(right)})"
            case ast.BinOp(left=left, op=op, right=right):
                return f"({self.expression(left)} {BINARY[type(op)]} {self.expression(right)})"
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return f"({self.expression(left)} {COMPARED[type(op)]} {self.expression(right)})"
            case ast.BoolOp(op=op, values=values):
                return f"({(' && ' if isinstance(op, ast.And) else ' || ').join(self.expression(value) for value in values)})"
            case ast.UnaryOp(op=op, operand=operand):
                return f"({'!' if isinstance(op, ast.Not) else '-'}{self.expression(operand)})"
            case ast.IfExp(test=test, body=body, orelse=other):
                return f"({self.expression(test)} ? {self.expression(body)} : {self.expression(other)})"
            case ast.Call(func=ast.Name(id=name), args=values):
                written = BUILT_IN.get(name, f"{name}_")
                return f"{written}({', '.join(self.expression(value) for value in values)})"
        raise NotImplementedError(ast.unparse(node))


def in_c() -> str:
    """All kernels in one file. Raises NotImplementedError for what C is not written for here."""
    writers = [Writer(kernel) for kernel in compiled.KERNELS]
    entries = {kernel.__name__ for kernel in ENTRIES}
    storage = {True: "", False: "static "}
    heads = "".join(f"{storage[w.function.name in entries]}{w.head()};\n" for w in writers)
    return PRELUDE + heads + "".join(f"{storage[w.function.name in entries]}{w.text()}" for w in writers)


def library(directory: Path, flags: tuple[str, ...]) -> tuple[ctypes.CDLL, float, int, int]:
    """The library, seconds to make it, its bytes, lines of C."""
    source, made = directory / "kernels.c", directory / f"kernels{''.join(flags)}.so"
    source.write_text(in_c())
    started = time.perf_counter()
    subprocess.run(["cc", "-shared", "-fPIC", *flags, source, "-o", made], check=True)  # noqa: S603, S607
    seconds = time.perf_counter() - started
    return ctypes.CDLL(str(made)), seconds, made.stat().st_size, source.read_text().count("\n")


def called(function: Callable[..., object]) -> Callable[..., object]:
    """A C function that takes the vector and integers."""

    def call(vector: Vector, *numbers: int) -> object:
        return function(ctypes.c_void_p(vector.ctypes.data), *(ctypes.c_int64(number) for number in numbers))

    return call


def timed(way: Way, memory: Memory, count: int) -> tuple[bytes, float]:
    """The vector after greedy and so many rounds, and the processor seconds they took: others may be at work."""
    greedy, search = way
    vector = memory.vector.copy()
    vector[slots.ROUNDS], vector[slots.HEAT] = count, HEAT
    started = time.process_time()
    greedy(vector, memory.longest, vector[slots.MOST])
    search(vector, memory.longest, count)
    return vector.tobytes(), time.process_time() - started


def ways(place: Path) -> tuple[dict[str, Way], list[dict[str, object]]]:
    """Greedy and search each way, and what it took to make them."""
    (place / "cache").mkdir()
    started = time.perf_counter()
    compiled.prepare(ENTRIES, KernelCache(readable=(place / "cache",), writable=place / "cache"))
    seconds = time.perf_counter() - started
    kept = list((place / "cache").iterdir())
    found: dict[str, Way] = {"numba": (compiled.compiled(rounds.greedy), compiled.compiled(rounds.search))}
    made: list[dict[str, object]] = [
        {"made": "numba", "seconds": round(seconds, 2), "bytes": sum(p.stat().st_size for p in kept), "remarks": compiled.remarks()}
    ]
    for flags in (("-O2",), ("-O3",), ("-O3", "-march=native")):
        name = " ".join(("cc", *flags))
        loaded, seconds, size, lines = library(place, flags)
        found[name] = (called(loaded.greedy_), called(loaded.search_))
        made.append({"made": name, "seconds": round(seconds, 2), "bytes": size, "lines": lines})
    return found, made


def memory_of(directory: Path) -> Memory:
    """The instance of the cluster with the most waiting pods."""
    truth = json.loads(directory.with_name(f"{directory.name}.truth.json").read_text())
    problem = diagnose(RecordedFleet(directory).snapshot(), policy_of(truth))
    rows = Rows(problem)
    instances = [rows.instance(cluster) for cluster in sorted({c.cluster for c in problem.placeable})]
    instance = max(instances, key=lambda one: int(one.pods[one.waiting].sum()))
    return Memory(instance, most=truth["budgets"]["run"], waves=40)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--instances", type=Path, required=True, help="snapshot directories with NAME.truth.json beside them")
    parser.add_argument("--only", default="*", help="a pattern of instance names")
    parser.add_argument("--rounds", type=int, default=20_000)
    parser.add_argument("--repeat", type=int, default=5, help="times each is run; the quickest counts")
    parser.add_argument("--json", type=Path, help="write the figures here")
    told = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        found, lines = ways(Path(place))
        for line in lines:
            print(json.dumps(line), flush=True)
        for directory in sorted(p for p in told.instances.glob(told.only) if p.is_dir()):
            memory = memory_of(directory)
            ends, best = set(), dict.fromkeys(found, float("inf"))
            for _ in range(told.repeat):
                for name, way in found.items():
                    end, seconds = timed(way, memory, told.rounds)
                    ends.add(end)
                    best[name] = min(best[name], seconds)
            assert len(ends) == 1, "not all ways end with the same vector"
            few = max(1, told.rounds // 100)
            plain, compiled_few = timed(ENTRIES, memory, few), timed(found["numba"], memory, few)
            assert plain[0] == compiled_few[0], "plain and compiled kernels end with different vectors"
            (end,) = ends
            vector = np.frombuffer(end, dtype=np.int64)
            line = {"instance": directory.name, "nodes": int(vector[slots.NODES]), "classes": int(vector[slots.CLASSES])}
            line |= {"rounds": told.rounds, "moves": int(vector[slots.MOVES]), **{name: round(s, 3) for name, s in best.items()}}
            line |= {"few": few, "plain, few": round(plain[1], 3), "numba, few": round(compiled_few[1], 4)}
            lines.append(line)
            print(json.dumps(line), flush=True)
    if told.json:
        told.json.write_text(json.dumps(lines, indent=2) + "\n")


if __name__ == "__main__":
    main()
