"""The greatest errors of the elementary functions, in units in the last place: the one place that says them.

``docs/numerics.md`` has the same table; ``tests/docs/test_numerics.py`` compares the two, ``test_accuracy.py`` asserts
it on every device.
"""

from __future__ import annotations

BOUNDS: dict[str, tuple[float, float]] = {
    "sqrt": (3.0, 3.0),
    "rsqrt": (2.0, 2.0),
    "cbrt": (1.0, 1.0),
    "hypot": (1.5, 1.5),
    "exp": (1.5, 1.5),
    "exp2": (1.5, 1.5),
    "expm1": (2.0, 2.0),
    "log": (1.5, 1.5),
    "log2": (2.0, 2.0),
    "log10": (2.5, 2.5),
    "log1p": (2.0, 2.0),
    "pow": (1.5, 1.5),
    "sin": (3.0, 3.0),
    "cos": (3.0, 3.0),
    "tan": (4.5, 4.5),
    "asin": (1.0, 1.0),
    "acos": (1.0, 1.0),
    "atan": (2.0, 2.0),
    "atan2": (2.5, 2.5),
    "sinh": (2.5, 2.5),
    "cosh": (2.0, 2.0),
    "tanh": (2.0, 2.5),
    "asinh": (2.5, 2.5),
    "acosh": (3.0, 3.0),
    "atanh": (2.5, 2.5),
    "erf": (1.5, 1.5),
    "erfc": (4.0, 4.0),
    "gamma": (12.0, 10.0),
    "lgamma": (3.0, 3.0),
    "sigmoid": (3.0, 3.0),
    "softplus": (4.0, 4.0),
    "degrees": (1.0, 1.0),
    "radians": (1.0, 1.0),
}
"""For f32 and f64."""
