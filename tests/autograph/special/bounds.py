"""The greatest errors of the special functions: the one place that says them.

``docs/numerics.md`` has the same table; ``tests/docs/test_numerics.py`` compares the two, ``test_accuracy.py`` asserts
it on every device.
"""

from __future__ import annotations

BOUNDS: dict[str, tuple[float, float, str]] = {
    "airy_ai": (4, 4, "1 + abs(x)**1.5 ulp above 1, 1 + abs(x)**1.5 epsilon below"),
    "bessel_j0": (4, 4, "epsilon"),
    "bessel_j1": (4, 4, "epsilon"),
    "bessel_y0": (4, 4, "epsilon + ulp"),
    "bessel_y1": (4, 4, "epsilon + ulp"),
    "chebyshev_polynomial_*": (4, 4, "n epsilon of the terms"),
    "erfcx": (10, 12, "ulp"),
    "erfinv": (5, 6, "ulp"),
    "gammainc": (12, 12, "1 + abs(log(y)) ulp"),
    "gammaincc": (12, 12, "1 + abs(log(y)) ulp"),
    "hermite_polynomial_*": (4, 4, "n epsilon of the terms"),
    "i0": (6, 8, "ulp"),
    "i0e": (6, 8, "ulp"),
    "i1": (6, 8, "ulp"),
    "i1e": (6, 8, "ulp"),
    "laguerre_polynomial_l": (4, 4, "n epsilon of the terms"),
    "legendre_polynomial_p": (4, 4, "n epsilon of the terms"),
    "log_ndtr": (4, 4, "ulp; 1 + x**2 ulp above 0"),
    "modified_bessel_k0": (6, 8, "ulp"),
    "modified_bessel_k1": (6, 8, "ulp"),
    "multigammaln": (4, 4, "epsilon of the terms"),
    "ndtri": (5, 6, "ulp"),
    "polygamma": (20, 20, "ulp; epsilon of the terms below 0"),
    "scaled_modified_bessel_k0": (6, 8, "ulp"),
    "scaled_modified_bessel_k1": (6, 8, "ulp"),
    "shifted_chebyshev_polynomial_*": (4, 4, "n epsilon of the terms"),
    "spherical_bessel_j0": (4, 4, "ulp"),
    "zeta": (8, 8, "ulp; epsilon of the terms below 0"),
}
"""By the name of a function, or of all that begin so: for f32, for f64, and what they are multiples of."""


def bound(name: str) -> tuple[float, float]:
    """The bounds of a function, for f32 and for f64."""
    found = BOUNDS.get(name) or BOUNDS[name.rpartition("_")[0] + "_*"]
    return found[0], found[1]
