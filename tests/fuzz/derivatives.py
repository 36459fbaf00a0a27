"""Random smooth functions, whose derivatives are compared with differences of the functions themselves.

``python -m tests.fuzz --derivatives --count N --seed S [--device D]``. Values stay of moderate size, so that a
difference means something; where a function has a kink within its step, two differences of different steps say so.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from krnlpy import Buffer, Device, Kernel
from krnlpy.scalar import f64

from .case import Case
from .kinds import Draw
from .statements import Lines, indented

Array = np.ndarray[Any, Any]
POINTS = 24
STEPS = (1e-4, 0.5e-4)

_ONE = (
    "sin({0})", "cos({0})", "tanh({0})", "atan({0})", "sigmoid({0})", "softplus({0})", "erf({0})", "abs({0})",
    "exp(-abs({0}))", "exp(sin({0}))", "log1p({0} * {0})", "sqrt(1.0 + {0} * {0})", "log(2.0 + cos({0}))",
    "1.0 / (1.5 + cos({0}))", "cbrt(2.0 + sin({0}))", "rsqrt(1.25 + sin({0}))", "asin(0.9 * sin({0}))",
    "acos(0.9 * cos({0}))", "asinh({0})", "acosh(1.5 + sin({0}) ** 2)", "atanh(0.9 * cos({0}))", "sinh(sin({0}))",
    "cosh(cos({0}))", "tan(sin({0}))", "exp2(cos({0}))", "log2(1.5 + sin({0}))", "log10(3.0 + sin({0}))",
    "expm1(cos({0}))", "erfc(sin({0}))", "gamma(2.5 + sin({0}))", "lgamma(2.5 + cos({0}))", "(-{0})",
    "degrees({0}) / 57.0",
    "radians({0})", "polynomial(sin({0}), (0.5, -1.0, 0.25, 2.0))", "smoothstep(-1.0, 1.0, {0})", "fmax({0}, 0.25)",
    "clamp({0}, -1.5, 1.5)", "sin({0}) ** 3", "(1.5 + sin({0})) ** 1.75", "floor({0}) * 0.25", "sign({0})",
    "fmod({0}, 1.75)", "{0} % 2.5", "ldexp(sin({0}), 1)", "copysign({0}, 1.0)", "f64(f32(0.5)) * {0}",
    "({0} if {0} > 0.3 else 0.3 * {0})", "(sqrt(abs({0}) + 0.5) if {0} > -0.2 else cos({0}))",
)  # fmt: skip
_TWO = (
    "({0} + {1})", "({0} - {1})", "sin({0}) * {1}", "{0} / (1.5 + cos({1}))", "min({0}, {1})", "max({0}, {1})",
    "hypot({0}, 1.0 + sin({1}))", "atan2({0}, 2.0 + sin({1}))", "(1.5 + sin({0})) ** cos({1})", "fmin({0}, {1})",
    "({0} if {0} > {1} else {1} * 0.5)", "fma(sin({0}), {1}, {0})", "lerp({0}, {1}, sigmoid({1}))",
    "dot(vec2_of({0}, {1}), vec2_of(sin({1}), 0.5))", "first_of({0}, {1})", "applied(wave, {0}, {1})",
    "through_array({0}, {1})", "sigmoid({0}) * {1}", "np.maximum({0}, {1})", "(sin({0}) * sin({1})) ** 2",
)  # fmt: skip

PRELUDE = """\
F = TypeVar("F", f32, f64)


@func
def vec2_of(a, b):
    return Vector[f64, 2](a, b)


@func
def pair(a, b):
    return sin(a) + b, a - cos(b)


@func
def first_of(a, b):
    s, t = pair(a, b)
    return s * 0.5 + sin(t)


@func
def wave(a):
    return sin(a) + 0.25 * a


@func
def applied(f, a, b):
    return f(a) - f(0.5 * b)


@func
def spread_into(p: GlobalMut[f64], a):
    for i in range(1, len(p)):
        p[i] = sin(p[i - 1] + a)


@func
def through_array(a, b):
    p = local_array(f64, 3)
    p[0] = b
    spread_into(p, a)
    return p[1] + p[2] * 0.5
"""

KERNEL = """\
@kernel
def kernel(x: Item[f64], y: Item[f64], z: Item[f64], out: GlobalMut[f64, 2]):
    i = item_id()
    out[i, 0] = last(x, y, z)
    value, a, b, c = value_and_partials(last)(x, y, z)
    out[i, 1] = value
    out[i, 2] = a
    out[i, 3] = b
    out[i, 4] = c
    out[i, 5] = derivative(last, "y")(x, y, z)
"""


class SmoothFunctions:
    """Writes functions of three floats.

    Args:
        seed: of all that is drawn.
    """

    def __init__(self, seed: int) -> None:
        self._random = Draw(seed)
        self._callees: list[str] = []

    def source(self) -> str:
        """A module with some functions, and a kernel of the last."""
        parts = [PRELUDE]
        for number in range(self._random.randint(1, 3)):
            name = f"f{number}"
            parts.append("\n".join(self._function(name)))
            self._callees.append(name)
        parts.append(f"last = {self._callees[-1]}")
        return "\n\n\n".join([*parts, KERNEL])

    def _function(self, name: str) -> Lines:
        names = ["x", "y", "z"]
        lines: Lines = []
        for _ in range(self._random.randint(2, 6)):
            lines += self._statement(names, depth=0)
        lines.append(f"return {self._expression(names, 2)}")
        return ["@func", f"def {name}(x, y, z):", *indented(lines)]

    def _statement(self, names: list[str], depth: int) -> Lines:
        random = self._random
        choice = random.random()
        if choice < 0.45 or depth > 1:
            name = f"t{len(names)}"
            line = f"{name} = {self._expression(names, 2)}"
            if depth == 0:
                names.append(name)
                return [line]
            target = random.choice(names)
            return [f"{target} = {self._expression(names, 2)}"]
        if choice < 0.55:
            target = random.choice(names)
            return [f"{target} {random.choice(('+=', '-='))} {self._expression(names, 1)}"]
        inner = self._statement(names, depth + 1) + (self._statement(names, depth + 1) if random.chance(0.5) else [])
        if choice < 0.75:
            test = f"{self._expression(names, 1)} > {random.choice(('0.1', '-0.35', 'y', '0.6 * x'))}"
            other = self._statement(names, depth + 1)
            if random.chance(0.15):
                return [f"if {test}:", *indented([*inner, f"return {self._expression(names, 1)}"])]
            return [f"if {test}:", *indented(inner), *(["else:", *indented(other)] if random.chance(0.6) else [])]
        if choice < 0.9:
            leave = ["if abs(x) > 4.0:", "    break"] if random.chance(0.3) else []
            return [f"for i{depth} in range({random.randint(1, 4)}):", *indented([*leave, *inner])]
        count = f"n{depth}"
        return [f"{count} = 0", f"while {count} < 3:", *indented([f"{count} += 1", *inner])]

    def _expression(self, names: list[str], depth: int) -> str:
        random = self._random
        if depth == 0 or random.chance(0.15):
            return random.choice([*names, *names, "f64(0.75)", "f64(-1.25)"])
        if self._callees and random.chance(0.12):
            arguments = ", ".join(self._expression(names, depth - 1) for _ in range(3))
            return f"tanh({random.choice(self._callees)}({arguments}))"
        if random.chance(0.55):
            return random.choice(_ONE).format(f"({self._expression(names, depth - 1)})")
        first, second = (f"({self._expression(names, depth - 1)})" for _ in range(2))
        return random.choice(_TWO).format(first, second)


@dataclass(frozen=True)
class Comparison:
    """How many derivatives were compared, and what is wrong with one; "" if nothing is."""

    compared: int
    fault: str


def points(seed: int) -> list[Array]:
    random = np.random.default_rng(seed)
    return [random.uniform(-2.0, 2.0, POINTS) for _ in range(3)]


def evaluate(kernel: Kernel, device: Device, arguments: list[Array]) -> Array:
    """Value, value from the derivative, three derivatives and the second of them by itself, by point."""
    out = Buffer.zeros((POINTS, 6), f64, device)
    kernel(*(Buffer.from_numpy(a, device) for a in arguments), out)
    return out.numpy()


def compare(seed: int, device: Device) -> Comparison:
    """Compares the derivatives of a drawn function with differences."""
    case = Case(SmoothFunctions(seed).source(), {})
    kernel = case.load()
    arguments = points(seed)
    got = evaluate(kernel, device, arguments)
    if not np.array_equal(got[:, 0], got[:, 1], equal_nan=True):
        return Comparison(0, f"seed {seed}: the value differs from the function's\n{case.source}")
    if not np.array_equal(got[:, 3], got[:, 5], equal_nan=True):
        return Comparison(0, f"seed {seed}: d/dy depends on what else is wanted\n{case.source}")
    compared = 0
    for place in range(3):
        differences = []
        for step in STEPS:
            ends = []
            for sign in (1, -1):
                moved = [a + sign * step if i == place else a for i, a in enumerate(arguments)]
                ends.append(evaluate(kernel, device, moved)[:, 0])
            differences.append((ends[0] - ends[1]) / (2 * step))
        wide, narrow = differences
        size = 1.0 + np.abs(narrow)
        # A kink or a step between the ends makes the two differ; so does a slope that changes much within them.
        smooth = np.isfinite(wide) & np.isfinite(narrow) & (np.abs(wide - narrow) < 1e-4 * size) & (size < 1e4)
        # Richardson: the error of the narrow one is a third of what they differ by, and rounding over the step.
        error = np.abs(got[:, 2 + place] - narrow)
        allowed = 1e-7 * size + np.abs(wide - narrow) + 1e-15 * (1.0 + np.abs(got[:, 0])) / STEPS[1] * 1e3
        wrong = smooth & ~(error <= allowed)
        compared += int(smooth.sum())
        # One point alone may lie by a kink that both differences straddle alike.
        if wrong.sum() > max(1, smooth.sum() // 12):
            at = int(np.flatnonzero(wrong)[0])
            where = ", ".join(f"{a[at]:.6g}" for a in arguments)
            found = f"is {got[at, 2 + place]!r}, differences give {wide[at]!r} and {narrow[at]!r}"
            share = f"wrong at {int(wrong.sum())} of {int(smooth.sum())} points"
            return Comparison(compared, f"seed {seed}: d/d{'xyz'[place]} at ({where}) {found}; {share}\n{case.source}")
    return Comparison(compared, "")
