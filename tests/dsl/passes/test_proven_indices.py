"""Which indices are proved to be in range, and that none of them is ever out of range."""

from __future__ import annotations

import inspect
import random
from collections.abc import Callable
from typing import Any

import pytest

from krnlpy import Buffer, Device, Global, GlobalMut, Spec, f32, i32, kernel_from_source, u8, u32
from krnlpy.dsl import atomic_add, global_id, group_array, group_id, local_array, thread_id, threads
from krnlpy.dsl.passes.proven_indices import nothing_static, proven_indices
from krnlpy.errors import KernelIndexError, KernelTypeError
from tests.support.launching import lower
from tests.support.tiers import deep

TABLE = tuple(range(256))


def constants(x: Global[f32], y: GlobalMut[f32]) -> None:
    a = local_array(f32, (4, 3))
    a[3, 2] = y[0]  # yes yes, no
    a[thread_id() % 4, 2 - 2] = 1.0  # yes yes
    for i in range(4):
        for j in range(2, -1, -1):
            a[i, j] += 1.0  # yes yes
            a[i, j + 1] += 1.0  # yes no
            a[j, i - 1] += 1.0  # yes no
            a[(i * 3 + j) // 3, (i * 3 + j) % 3] += 1.0  # yes yes


def bytes_of_a_table(x: Global[u8], y: GlobalMut[i32]) -> None:
    n = i32(x[global_id()])  # no
    y[0] = TABLE[n] + TABLE[x[1] >> 1]  # yes, no
    y[1] = TABLE[n + 1]  # no


def guards(x: Global[f32, 2], y: GlobalMut[f32], m: i32, u: u32) -> None:
    row = global_id()
    if row >= x.shape[0]:
        return
    total = x[row, 0]  # yes no
    for value in x[row]:  # yes yes
        total += value
    for j in range(1, x.shape[1] - 1):
        total += x[row, j - 1] + x[row, j + 1]  # yes yes, yes yes
        total += x[row - 1, j + 2]  # no no
    if m >= 0 and m < len(y):
        y[m] = total  # yes
        y[m - 1] = total  # no
    else:
        y[m] = total  # no
    if 0 <= m < len(y) - 1:
        y[m + 1] = total  # yes
    if m < len(y):
        y[m] = total  # no
    if u < u32(len(y)):
        y[u] = total  # yes
    inside = m >= 3 and not m > 5 and len(y) >= 8
    if inside:
        y[m + 2] = total  # yes
        y[m + 3] = total  # no
    y[m] = total if 0 <= m < len(y) else y[m]  # no, no
    y[0] = y[m] if 0 <= m < len(y) else 0.0  # no, yes


def loops(x: Global[f32], y: GlobalMut[f32], n: i32, step: i32, STEP: Spec[i32] = 4) -> None:
    s = 0.0
    for i in range(len(x) - 15):
        for j in range(16):
            s += x[i + j]  # yes
    for i in range(0, len(x), STEP):
        s += x[i]  # yes
    for i in range(n, len(x), 2):
        s += x[i]  # no
    for i in range(0, n, step):
        s += x[i]  # no
    for i in range(len(x) - 1, -1, -1):
        s += x[i]  # yes
    for i in range(len(x)):
        for j in range(i):
            s += x[j]  # yes
    for i in range(len(x)):
        s += x[i]  # no
        i += 1
    k = n
    while 0 <= k < len(x):
        s += x[k]  # yes
        k += 3
        s += x[k]  # no


def changes(x: Global[f32], y: GlobalMut[f32], n: i32) -> None:
    s = 0.0
    i = n
    if i >= 0 and i < len(x):
        s = x[i]  # yes
        i += 1
        s = x[i]  # no
    j, limit = n, len(x)
    if 0 <= j < limit:
        limit += 1
        s = x[j]  # yes
    j, limit = n, len(x)
    for _ in range(2):
        if 0 <= j < limit:
            s = x[j]  # no
        limit += 1
    for _ in range(2):
        s = x[j]  # no
        j = 0


def of_groups(x: Global[f32], y: GlobalMut[f32], TILE: Spec[i32] = 4) -> None:
    a = group_array(f32, (TILE + 1, 64))
    counts = group_array(u32, 8)
    for k in range(TILE):
        a[k, thread_id()] = 1.0  # yes yes
        a[k + 1, thread_id() * 2] = 1.0  # yes no
        a[k + 2, 0] = 1.0  # no yes
    a[thread_id(), threads() - 1] = 1.0  # no yes
    atomic_add(counts[thread_id() // 8], 1)  # yes
    atomic_add(counts[thread_id() // 8 + 1], 1)  # no
    y[group_id() * 64 + thread_id()] = 1.0  # no


WANTED = (constants, bytes_of_a_table, guards, loops, changes, of_groups)


@pytest.mark.parametrize("function", WANTED, ids=lambda f: f.__name__)
def test_what_is_proved(function: Callable[..., Any]) -> None:
    program = lower(function, (64, 1, 1))
    found: dict[int, set[str]] = {}
    proven = proven_indices(program, (64, 1, 1), nothing_static)
    for access, axes in proven.items():
        words = " ".join("yes" if axis else "no" for axis in axes)
        found.setdefault(access.location.line, set()).add(words)
    lines, first = inspect.getsourcelines(function)
    for number, line in enumerate(lines, first):
        code, _, wanted = line.partition("#")
        if wanted:
            assert found[number] == set(wanted.strip().split(", ")), f"{number}: {code.strip()}"


def test_more_is_known_of_constants_and_groups() -> None:
    def kernel(y: GlobalMut[f32], TILE: Spec[i32] = 4) -> None:
        a = local_array(f32, TILE)
        a[3] = 1.0
        y[0] = a[thread_id() % 4]

    program = lower(kernel)
    (spec,) = program.specs

    def static(e: Any) -> int | None:
        return 4 if getattr(e, "parameter", None) is spec else nothing_static(e)

    def of_array(static: Callable[[Any], int | None]) -> list[Any]:
        found = proven_indices(program, None, static).items()
        return [axes for access, axes in found if getattr(access, "place").name == "a"]  # noqa: B009

    assert of_array(static) == [(True,), (True,)]
    assert of_array(nothing_static) == [(False,), (False,)]


# ----------------------------------------------------------------------------------- no proved index is out of range

_NAMES = ("i", "j", "n", "m", "len(x)", "len(y)", "thread_id()", "global_id()", "b[0]")


class _Writer:
    """Writes kernels at random that index two buffers and an array, one access a line."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.lines: list[str] = []
        self._names = 0

    def number(self, depth: int = 2) -> str:
        choose = self._random
        if depth == 0 or choose.random() < 0.3:
            return choose.choice((*_NAMES, str(choose.randrange(-2, 7))))
        left, right = self.number(depth - 1), self.number(depth - 1)
        op = choose.choice(("+", "+", "-", "-", "*", "//", "%", "min", "max", "if", ">>", "&"))
        if op == "if":
            return f"({left} if {self.condition()} else {right})"
        if op in ("min", "max"):
            return f"{op}({left}, {right})"
        if op == ">>":
            return f"({left} >> {choose.randrange(3)})"
        return f"({left} {op} {choose.choice((right, str(choose.randrange(1, 5))))})"

    def condition(self) -> str:
        choose = self._random
        a, b = self.number(1), self.number(1)
        plain = f"{a} {choose.choice(('<', '<', '<=', '>=', '>', '=='))} {b}"
        if choose.random() < 0.5:
            v, limit = choose.choice(("i", "j", "n", "m")), choose.choice(("len(x)", "len(y)", "5", "len(x) - 1"))
            plain = choose.choice((f"0 <= {v} < {limit}", f"{v} >= 0 and {v} < {limit}", f"{v} < {limit}"))
        kind = choose.random()
        if kind < 0.15:
            return f"not ({plain})"
        return f"({plain}) {choose.choice(('and', 'or'))} ({a} >= 0)" if kind < 0.3 else plain

    def block(self, depth: int, indent: str, loop: bool = False) -> None:
        choose = self._random
        for _ in range(choose.randrange(2, 5)):
            kind = choose.random()
            if depth and kind < 0.25:
                self.lines.append(f"{indent}if {self.condition()}:")
                self.block(depth - 1, indent + "    ", loop)
                if choose.random() < 0.3:
                    self.lines.append(f"{indent}else:")
                    self.block(depth - 1, indent + "    ", loop)
            elif depth and kind < 0.45:
                v = choose.choice("ij")
                bounds = [self.number(1) for _ in range(choose.randrange(1, 3))]
                step = [choose.choice(("2", "-1", "n"))] if len(bounds) == 2 and choose.random() < 0.5 else []
                self.lines.append(f"{indent}for {v} in range({', '.join(bounds + step)}):")
                self.lines.append(f"{indent}    count += 1")
                self.lines.append(f"{indent}    if count > 40: return")
                self.block(depth - 1, indent + "    ", True)
            elif kind < 0.6:
                self.lines.append(f"{indent}{choose.choice('ijm')} = {self.number()}")
            elif kind < 0.65 and loop:
                self.lines.append(f"{indent}if {self.condition()}: {choose.choice(('break', 'continue', 'return'))}")
            else:
                place = choose.choice(("x", "y", "a", "b"))
                self.lines.append(f"{indent}{place}[{self.number()}] += 1")

    def text(self) -> str:
        self.lines = [
            "@kernel(threads=1)",
            "def made(x: GlobalMut[i32], y: GlobalMut[i32], n: i32, start: i32):",
            "    a, b = local_array(i32, 5), group_array(i32, 3)",
            "    i, j, m, count = start, n, start + n, 0",
        ]
        self.block(3, "    ")
        return "\n".join(self.lines) + "\n"


def _faults(seed: int, device: Device) -> tuple[int, int]:
    """How many accesses of a kernel are proved, and how many launches failed elsewhere."""
    kernel = kernel_from_source(_Writer(seed).text(), _environment())
    try:
        program = kernel.definition.program({}, (1, 1, 1))
    except KernelTypeError:  # a constant is out of range
        return 0, 0
    proven = {a.location.line for a in _never(proven_indices(program, (1, 1, 1), nothing_static))}
    failures = 0
    for n, start, lengths in ((3, 0, (5, 4)), (-1, 2, (1, 6)), (4, -2, (8, 3)), (0, 1, (2, 2)), (2, 5, (6, 7))):
        x, y = (Buffer.zeros(length, i32, device) for length in lengths)
        try:
            kernel.with_groups(1)(x, y, n, start)
            device.wait()
        except KernelIndexError as error:
            failures += 1
            assert error.line not in proven, f"seed {seed}: {error}"
    return len(proven), failures


def _never(proven: Any) -> list[Any]:
    """The accesses whose line has no other one that is not proved."""
    unproved = {a.location.line for a, axes in proven.items() if not all(axes)}
    return [a for a in proven if a.location.line not in unproved]


def _environment() -> dict[str, Any]:
    from krnlpy import kernel

    names = (kernel, GlobalMut, local_array, group_array, thread_id, global_id)
    return {getattr(f, "__name__", ""): f for f in names} | {"i32": i32, "GlobalMut": GlobalMut, "kernel": kernel}


@pytest.mark.parametrize("seeds", [range(50), pytest.param(range(50, 1500), marks=deep)], ids=len)
def test_no_proved_index_is_out_of_range(seeds: range) -> None:
    device = Device.interpreter()
    proved = failed = 0
    for seed in seeds:
        some, others = _faults(seed, device)
        proved, failed = proved + some, failed + others
    assert min(proved, failed) > len(seeds) // 2, (proved, failed)  # both happen often
