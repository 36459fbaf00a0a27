"""Special functions, element by element, by the names that ``torch.special`` has for them.

They take tensors of floats, and numbers beside them, broadcast, and have gradients. Those that many programs need are
autograph's own: ``erf``, ``gammaln``, ``ndtr``, ``xlogy``; asked for here, they are named by the error. How precise
each is: docs/numerics.md.

>>> from autograph import Tensor, special
>>> special.i0(Tensor.from_numpy([0.0, 1.0])).numpy().round(4).tolist()
[1.0, 1.2661]
"""

from typing import Any

from .airy import airy_ai
from .bessel import bessel_j0, bessel_j1, bessel_y0, bessel_y1, spherical_bessel_j0
from .gamma import gammainc, gammaincc, multigammaln
from .hurwitz import polygamma, zeta
from .modified_bessel import (
    i0,
    i0e,
    i1,
    i1e,
    modified_bessel_k0,
    modified_bessel_k1,
    scaled_modified_bessel_k0,
    scaled_modified_bessel_k1,
)
from .normal import erfcx, erfinv, log_ndtr, ndtri
from .polynomials import (
    chebyshev_polynomial_t,
    chebyshev_polynomial_u,
    chebyshev_polynomial_v,
    chebyshev_polynomial_w,
    hermite_polynomial_h,
    hermite_polynomial_he,
    laguerre_polynomial_l,
    legendre_polynomial_p,
    shifted_chebyshev_polynomial_t,
    shifted_chebyshev_polynomial_u,
    shifted_chebyshev_polynomial_v,
    shifted_chebyshev_polynomial_w,
)

__all__ = [
    "airy_ai",
    "bessel_j0",
    "bessel_j1",
    "bessel_y0",
    "bessel_y1",
    "chebyshev_polynomial_t",
    "chebyshev_polynomial_u",
    "chebyshev_polynomial_v",
    "chebyshev_polynomial_w",
    "erfcx",
    "erfinv",
    "gammainc",
    "gammaincc",
    "hermite_polynomial_h",
    "hermite_polynomial_he",
    "i0",
    "i0e",
    "i1",
    "i1e",
    "laguerre_polynomial_l",
    "legendre_polynomial_p",
    "log_ndtr",
    "modified_bessel_k0",
    "modified_bessel_k1",
    "multigammaln",
    "ndtri",
    "polygamma",
    "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1",
    "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u",
    "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w",
    "spherical_bessel_j0",
    "zeta",
]

# Where the others of torch.special are.
ELSEWHERE = {
    name: f"autograph.{name}"
    for name in (
        "digamma", "entr", "erf", "erfc", "exp2", "expm1", "gammaln", "log1p", "log_softmax", "logit", "logsumexp",
        "ndtr", "round", "sinc", "softmax", "xlog1py", "xlogy",
    )
} | {
    "expit": "autograph.sigmoid",
    "modified_bessel_i0": "autograph.special.i0",
    "modified_bessel_i1": "autograph.special.i1",
    "psi": "autograph.digamma",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    hint = f"; it is {ELSEWHERE[name]}" if name in ELSEWHERE else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{hint}")
