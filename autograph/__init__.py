"""Tensors, automatic differentiation and neural networks on any GPU, or on the host CPU.

>>> from autograph import Conv2, Dense, Flatten, Layer, MaxPool2, Relu, SGD
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import autograd, errors, nn, optim, random
from .autograd import grad, gradcheck, value_and_grad
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
from .functions.normalization import (
    batch_norm_inference,
    batch_norm_training,
    group_norm,
    instance_norm,
    layer_norm,
    rms_norm,
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
from .nn import Conv1, Conv2, Dense, Flatten, Identity, Layer, MaxPool1, MaxPool2, Relu, Sequential
from .optim import SGD, Optimizer
from .random.masks import dropout
from .tensor.parameter import Parameter
from .tensor.tensor import Tensor

if TYPE_CHECKING:
    from . import data
    from .files.checkpoints import load_checkpoint, save_checkpoint

__all__ = [
    "SGD",
    "Conv1",
    "Conv2",
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
    "batch_norm_inference",
    "batch_norm_training",
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
    "copysign",
    "cos",
    "cosh",
    "count_nonzero",
    "data",
    "digamma",
    "divide",
    "dropout",
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
    "gammaln",
    "gelu",
    "grad",
    "gradcheck",
    "greater",
    "greater_equal",
    "group_norm",
    "hard_sigmoid",
    "hard_swish",
    "hard_tanh",
    "hypot",
    "instance_norm",
    "isfinite",
    "isinf",
    "isnan",
    "layer_norm",
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
    "random",
    "reciprocal",
    "reduction",
    "relu",
    "relu6",
    "remainder",
    "rms_norm",
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
