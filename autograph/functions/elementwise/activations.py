"""Activation functions of neural networks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from autograph.autograd import differentiable
from autograph.errors import AutographError
from autograph.tensor.base import require_tensor
from krnlpy import dsl

from .normal import normal_share
from .operation import elementwise

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

__all__ = [
    "celu",
    "elu",
    "gelu",
    "hard_shrink",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "leaky_relu",
    "log_sigmoid",
    "mish",
    "relu",
    "relu6",
    "selu",
    "sigmoid",
    "silu",
    "soft_shrink",
    "softplus",
    "softsign",
    "tanh_shrink",
    "threshold",
]


@elementwise
def _relu(x: Any) -> Any:
    return 0 if x <= 0 else x


@elementwise
def _relu_gradient(y: Any, dy: Any) -> Any:
    return 0 if y <= 0 else dy


def relu(x: Tensor) -> Tensor:
    """``x`` where it is above 0, else 0; NaN stays NaN. The gradient at 0 is 0.

    Args:
        x: any shape and dtype but bool.

    Raises:
        DtypeError: ``x`` is not a tensor, or of bool.

    >>> from autograph import Tensor
    >>> Tensor.from_numpy([-1.0, 0.0, 2.0]).relu().numpy().tolist()
    [0.0, 0.0, 2.0]
    """
    require_tensor("relu", x)
    value: Tensor = _relu(x if x.node is None else x.detach())
    if x.node is None:
        return value
    # The result says as much as what it was made of, and is kept by the next layer anyway.
    kept = value.detach()
    return differentiable(value, [(x, lambda dy: _relu_gradient(kept, dy))], higher_order=True)


@elementwise
def leaky_relu(x: Any, slope: Any = 0.01) -> Any:
    """``x`` where it is above 0, else ``slope * x``.

    >>> from autograph import Tensor, leaky_relu
    >>> leaky_relu(Tensor.from_numpy([-1.0, 2.0])).numpy().tolist()
    [-0.01, 2.0]
    """
    return slope * x if x <= 0 else x


@elementwise
def relu6(x: Any) -> Any:
    """``x`` cut to 0 to 6.

    >>> from autograph import Tensor, relu6
    >>> relu6(Tensor.from_numpy([-1.0, 2.0, 8.0])).numpy().round(4).tolist()
    [0.0, 2.0, 6.0]
    """
    return min(max(x, 0), 6)


@elementwise
def elu(x: Any, alpha: Any = 1.0) -> Any:
    """``x`` where it is above 0, else ``alpha * (exp(x) - 1)``. After D.-A. Clevert et al. (2015).

    >>> from autograph import Tensor, elu
    >>> elu(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-0.6321, 2.0]
    """
    return x if x > 0 else alpha * dsl.expm1(x)


@elementwise
def celu(x: Any, alpha: Any = 1.0) -> Any:
    """``x`` where it is above 0, else ``alpha * (exp(x / alpha) - 1)``. After J. T. Barron (2017).

    >>> from autograph import Tensor, celu
    >>> celu(Tensor.from_numpy([-1.0, 2.0]), 0.5).numpy().round(4).tolist()
    [-0.4323, 2.0]
    """
    return x if x > 0 else alpha * dsl.expm1(x / alpha)


@elementwise
def selu(x: Any) -> Any:
    """The self-normalising unit of G. Klambauer et al. (2017).

    >>> from autograph import Tensor, selu
    >>> selu(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-1.1113, 2.1014]
    """
    return 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * dsl.expm1(x))


@elementwise
def sigmoid(x: Any) -> Any:
    """``1 / (1 + exp(-x))``.

    >>> from autograph import Tensor, sigmoid
    >>> sigmoid(Tensor.from_numpy([0.0, 2.0])).numpy().round(4).tolist()
    [0.5, 0.8808]
    """
    return dsl.sigmoid(x)


@elementwise
def log_sigmoid(x: Any) -> Any:
    """``log(sigmoid(x))``, without overflow.

    >>> from autograph import Tensor, log_sigmoid
    >>> log_sigmoid(Tensor.from_numpy([0.0, -1000.0])).numpy().round(4).tolist()
    [-0.6931, -1000.0]
    """
    return -dsl.softplus(-x)


@elementwise
def hard_sigmoid(x: Any) -> Any:
    """``x / 6 + 1 / 2`` cut to 0 to 1.

    >>> from autograph import Tensor, hard_sigmoid
    >>> hard_sigmoid(Tensor.from_numpy([-4.0, 0.0, 1.5])).numpy().round(4).tolist()
    [0.0, 0.5, 0.75]
    """
    return min(max(x / 6.0 + 0.5, 0), 1)


@elementwise
def silu(x: Any) -> Any:
    """``x sigmoid(x)``, also called Swish.

    >>> from autograph import Tensor, silu
    >>> silu(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-0.2689, 1.7616]
    """
    return x * dsl.sigmoid(x)


@elementwise
def hard_swish(x: Any) -> Any:
    """``x hard_sigmoid(x)``. After A. Howard et al., "Searching for MobileNetV3" (2019).

    >>> from autograph import Tensor, hard_swish
    >>> hard_swish(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-0.3333, 1.6667]
    """
    return x * min(max(x / 6.0 + 0.5, 0), 1)


@elementwise
def mish(x: Any) -> Any:
    """``x tanh(softplus(x))``. After D. Misra (2019).

    >>> from autograph import Tensor, mish
    >>> mish(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-0.3034, 1.944]
    """
    return x * dsl.tanh(dsl.softplus(x))


@elementwise
def softplus(x: Any) -> Any:
    """``log(1 + exp(x))``, without overflow.

    >>> from autograph import Tensor, softplus
    >>> softplus(Tensor.from_numpy([0.0, 1000.0])).numpy().round(4).tolist()
    [0.6931, 1000.0]
    """
    return dsl.softplus(x)


@elementwise
def softsign(x: Any) -> Any:
    """``x / (1 + |x|)``.

    >>> from autograph import Tensor, softsign
    >>> softsign(Tensor.from_numpy([-1.0, 3.0])).numpy().round(4).tolist()
    [-0.5, 0.75]
    """
    return x / (1.0 + abs(x))


@elementwise
def hard_tanh(x: Any, low: Any = -1.0, high: Any = 1.0) -> Any:
    """``x`` cut to ``low`` to ``high``.

    >>> from autograph import Tensor, hard_tanh
    >>> hard_tanh(Tensor.from_numpy([-3.0, 0.5])).numpy().tolist()
    [-1.0, 0.5]
    """
    return min(max(x, low), high)


@elementwise
def hard_shrink(x: Any, threshold: Any = 0.5) -> Any:
    """``x`` where it is farther from 0 than a threshold, else 0.

    >>> from autograph import Tensor, hard_shrink
    >>> hard_shrink(Tensor.from_numpy([-3.0, 0.25, 2.0])).numpy().tolist()
    [-3.0, 0.0, 2.0]
    """
    return 0 if abs(x) <= threshold else x


@elementwise
def soft_shrink(x: Any, threshold: Any = 0.5) -> Any:
    """``x`` nearer to 0 by a threshold; 0 where it is not so far from it.

    >>> from autograph import Tensor, soft_shrink
    >>> soft_shrink(Tensor.from_numpy([-3.0, 0.25, 2.0])).numpy().tolist()
    [-2.5, 0.0, 1.5]
    """
    return 0 if abs(x) <= threshold else x - threshold if x > 0 else x + threshold


@elementwise
def tanh_shrink(x: Any) -> Any:
    """``x - tanh(x)``.

    >>> from autograph import Tensor, tanh_shrink
    >>> tanh_shrink(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-0.2384, 1.036]
    """
    return x - dsl.tanh(x)


@elementwise
def threshold(x: Any, threshold: Any, value: Any = 0.0) -> Any:
    """``x`` where it is above a threshold, else a value.

    >>> from autograph import Tensor, threshold
    >>> threshold(Tensor.from_numpy([0.5, 2.0]), 1.0, -1.0).numpy().tolist()
    [-1.0, 2.0]
    """
    return value if x <= threshold else x


@elementwise
def _gelu(x: Any) -> Any:
    return x * normal_share(x)


@elementwise
def _gelu_tanh(x: Any) -> Any:
    return 0.5 * x * (1.0 + dsl.tanh(0.7978845608028654 * (x + 0.044715 * x * x * x)))


def gelu(x: Tensor, approximate: Literal["none", "tanh"] = "none") -> Tensor:
    """``x`` times the share of a normal distribution below it. After D. Hendrycks and K. Gimpel (2016).

    Args:
        x: any shape.
        approximate: ``"tanh"`` computes it by a hyperbolic tangent instead of the error function, as some trained
            networks expect it.

    Raises:
        AutographError: ``approximate`` is something else.

    >>> from autograph import Tensor, gelu
    >>> gelu(Tensor.from_numpy([-1.0, 2.0])).numpy().round(4).tolist()
    [-0.1587, 1.9545]
    """
    if not isinstance(approximate, str) or approximate not in ("none", "tanh"):
        raise AutographError(f"gelu(approximate={approximate!r}): expected 'none' or 'tanh'")
    result: Tensor = (_gelu if approximate == "none" else _gelu_tanh)(x)
    return result
