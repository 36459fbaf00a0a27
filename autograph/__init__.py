"""Tensors, automatic differentiation and neural networks on any GPU, or on the host CPU.

>>> from autograph import Conv2, Dense, Flatten, Layer, MaxPool2, Relu, SGD
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import autograd, errors, nn, optim
from .autograd import grad, value_and_grad
from .functions.convolution.convolutions import conv1, conv2, conv3
from .functions.convolution.transposed import conv_transpose1, conv_transpose2, conv_transpose3
from .functions.convolution.windows import fold, unfold
from .functions.elementwise.activations import (
    celu,
    elu,
    gelu,
    hard_sigmoid,
    hard_swish,
    hard_tanh,
    leaky_relu,
    log_sigmoid,
    mish,
    relu,
    relu6,
    selu,
    sigmoid,
    silu,
    softplus,
    softsign,
)
from .functions.elementwise.arithmetic import absolute as abs
from .functions.elementwise.arithmetic import (
    add,
    clip,
    copysign,
    divide,
    floor_divide,
    hypot,
    maximum,
    minimum,
    multiply,
    negative,
    nextafter,
    positive,
    pow,
    reciprocal,
    remainder,
    sign,
    square,
    subtract,
)
from .functions.elementwise.bits import (
    bitwise_and,
    bitwise_invert,
    bitwise_left_shift,
    bitwise_or,
    bitwise_right_shift,
    bitwise_xor,
)
from .functions.elementwise.comparisons import (
    equal,
    greater,
    greater_equal,
    isfinite,
    isinf,
    isnan,
    less,
    less_equal,
    logical_and,
    logical_not,
    logical_or,
    logical_xor,
    not_equal,
    signbit,
    where,
)
from .functions.elementwise.exponentials import cbrt, exp, exp2, expm1, log, log1p, log2, log10, logaddexp, rsqrt, sqrt
from .functions.elementwise.operation import elementwise
from .functions.elementwise.rounding import ceil, floor, round, trunc
from .functions.elementwise.special import digamma, entr, erf, erfc, gammaln, logit, ndtr, xlog1py, xlogy
from .functions.elementwise.trigonometry import (
    acos,
    acosh,
    asin,
    asinh,
    atan,
    atan2,
    atanh,
    cos,
    cosh,
    sin,
    sinc,
    sinh,
    tan,
    tanh,
)
from .functions.pooling.max_pools import (
    adaptive_max_pool1,
    adaptive_max_pool2,
    adaptive_max_pool3,
    max_pool1,
    max_pool2,
    max_pool3,
)
from .functions.reducers.sums import sum
from .functions.reductions.aggregates import (
    all,
    any,
    argmax,
    argmin,
    count_nonzero,
    max,
    mean,
    min,
    prod,
    std,
    var,
    vector_norm,
)
from .functions.reductions.operation import reduction
from .functions.reductions.softmax import log_softmax, logsumexp, softmax
from .nn import (
    Conv1,
    Conv2,
    Conv3,
    ConvTranspose1,
    ConvTranspose2,
    ConvTranspose3,
    Dense,
    Flatten,
    Identity,
    Layer,
    MaxPool1,
    MaxPool2,
    Relu,
    Sequential,
)
from .optim import SGD, Optimizer
from .tensor.parameter import Parameter
from .tensor.tensor import Tensor

if TYPE_CHECKING:
    from . import data
    from .files.checkpoints import load_checkpoint, save_checkpoint

__all__ = [
    "SGD",
    "Conv1",
    "Conv2",
    "Conv3",
    "ConvTranspose1",
    "ConvTranspose2",
    "ConvTranspose3",
    "Dense",
    "Flatten",
    "Identity",
    "Layer",
    "MaxPool1",
    "MaxPool2",
    "Optimizer",
    "Parameter",
    "Relu",
    "Sequential",
    "Tensor",
    "abs",
    "acos",
    "acosh",
    "adaptive_max_pool1",
    "adaptive_max_pool2",
    "adaptive_max_pool3",
    "add",
    "all",
    "any",
    "argmax",
    "argmin",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "autograd",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "cbrt",
    "ceil",
    "celu",
    "clip",
    "conv1",
    "conv2",
    "conv3",
    "conv_transpose1",
    "conv_transpose2",
    "conv_transpose3",
    "copysign",
    "cos",
    "cosh",
    "count_nonzero",
    "data",
    "digamma",
    "divide",
    "elementwise",
    "elu",
    "entr",
    "equal",
    "erf",
    "erfc",
    "errors",
    "exp",
    "exp2",
    "expm1",
    "floor",
    "floor_divide",
    "fold",
    "gammaln",
    "gelu",
    "grad",
    "greater",
    "greater_equal",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "hypot",
    "isfinite",
    "isinf",
    "isnan",
    "leaky_relu",
    "less",
    "less_equal",
    "load_checkpoint",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_sigmoid",
    "log_softmax",
    "logaddexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "logsumexp",
    "max",
    "max_pool1",
    "max_pool2",
    "max_pool3",
    "maximum",
    "mean",
    "min",
    "minimum",
    "mish",
    "multiply",
    "ndtr",
    "negative",
    "nextafter",
    "nn",
    "not_equal",
    "optim",
    "positive",
    "pow",
    "prod",
    "reciprocal",
    "reduction",
    "relu",
    "relu6",
    "remainder",
    "round",
    "rsqrt",
    "save_checkpoint",
    "selu",
    "sigmoid",
    "sign",
    "signbit",
    "silu",
    "sin",
    "sinc",
    "sinh",
    "softmax",
    "softplus",
    "softsign",
    "sqrt",
    "square",
    "std",
    "subtract",
    "sum",
    "tan",
    "tanh",
    "trunc",
    "unfold",
    "value_and_grad",
    "var",
    "vector_norm",
    "where",
    "xlog1py",
    "xlogy",
]

# What takes tens of milliseconds to load and not every program needs is loaded when asked for: CSV, compression, CBOR.
_LATER = {"data": "data", "load_checkpoint": "files.checkpoints", "save_checkpoint": "files.checkpoints"}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_LATER[name]}", __name__)
    value = module if name == _LATER[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
