"""Tensors, automatic differentiation and neural networks on any GPU, or on the host CPU.

>>> from autograph import Conv2, Dense, Flatten, Layer, MaxPool2, Relu, SGD
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import autograd, errors, nn, optim, random
from .autograd import grad, gradcheck, value_and_grad
from .captures import Captured, capture
from .functions import losses as _losses
from .functions import pooling as _pooling
from .functions.attention.positions import rotary_embedding, sinusoidal_positions
from .functions.attention.scaled_dot_product import scaled_dot_product_attention
from .functions.convolution.convolutions import conv1, conv2, conv3
from .functions.convolution.transposed import conv_transpose1, conv_transpose2, conv_transpose3
from .functions.convolution.windows import fold, unfold
from .functions.creation import (
    asarray,
    empty,
    empty_like,
    eye,
    from_dlpack,
    full,
    full_like,
    ones,
    ones_like,
    zeros,
    zeros_like,
)
from .functions.dtypes import can_cast, finfo, iinfo, isdtype, result_type
from .functions.elementwise import activations as _activations
from .functions.elementwise.activations import *  # noqa: F403  # all, which the module lists
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
from .functions.indexing.along_axes import index_add, put_along_axis, scatter_add, take, take_along_axis
from .functions.indexing.embedding import embedding
from .functions.indexing.nonzero import nonzero
from .functions.indexing.one_hot import one_hot
from .functions.interpolation.interpolate import interpolate, pixel_shuffle, pixel_unshuffle
from .functions.losses import *  # noqa: F403  # all losses, which the room lists
from .functions.normalization import (
    batch_norm_inference,
    batch_norm_training,
    group_norm,
    instance_norm,
    layer_norm,
    rms_norm,
)
from .functions.pooling import *  # noqa: F403  # all pools
from .functions.products.contractions import outer, tensordot, vecdot
from .functions.products.einsum import einsum
from .functions.products.matrices import matmul
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
from .functions.repetition import repeat, tile
from .functions.scans.cumulative import cumulative_prod, cumulative_sum
from .functions.scans.differences import diff
from .functions.scans.exponentials import logcumsumexp
from .functions.scans.extremes import cumulative_max, cumulative_min
from .functions.sequences import arange, linspace
from .functions.shapes.arrangement import expand_dims, flip, matrix_transpose, moveaxis, permute_dims, roll, squeeze
from .functions.shapes.broadcasting import broadcast_arrays, broadcast_shapes, meshgrid
from .functions.shapes.diagonals import diag, diagonal, trace, tril, triu
from .functions.shapes.joining import concat, split, stack, unstack
from .functions.shapes.padding import pad
from .functions.shapes.views import broadcast_to, reshape
from .functions.sorting.counts import bincount, histogram
from .functions.sorting.greatest import topk
from .functions.sorting.quantiles import median, quantile
from .functions.sorting.searching import isin, searchsorted
from .functions.sorting.sorts import argsort, sort
from .functions.sorting.uniques import unique_all, unique_counts, unique_inverse, unique_values
from .nn import *  # noqa: F403  # all layers, which nn lists
from .optim import *  # noqa: F403  # all optimizers, which optim lists
from .random.masks import dropout
from .tensor.layer_tensor import LayerBuffer
from .tensor.parameter import Parameter
from .tensor.tensor import Tensor

if TYPE_CHECKING:
    from . import data, metrics, special, train
    from .files.checkpoints import load_checkpoint, read_checkpoint, save_checkpoint
    from .files.onnx.export import export_onnx
    from .files.onnx.load import load_onnx
    from .files.safetensors.format import read_safetensors_header
    from .files.safetensors.weights import load_safetensors, load_weights, save_safetensors

__all__ = [
    "Captured",
    "LayerBuffer",
    "Parameter",
    "Tensor",
    "abs",
    "acos",
    "acosh",
    "add",
    "all",
    "any",
    "arange",
    "argmax",
    "argmin",
    "argsort",
    "asarray",
    "asin",
    "asinh",
    "atan",
    "atan2",
    "atanh",
    "autograd",
    "batch_norm_inference",
    "batch_norm_training",
    "bincount",
    "bitwise_and",
    "bitwise_invert",
    "bitwise_left_shift",
    "bitwise_or",
    "bitwise_right_shift",
    "bitwise_xor",
    "broadcast_arrays",
    "broadcast_shapes",
    "broadcast_to",
    "can_cast",
    "capture",
    "cbrt",
    "ceil",
    "clip",
    "concat",
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
    "cumulative_max",
    "cumulative_min",
    "cumulative_prod",
    "cumulative_sum",
    "data",
    "diag",
    "diagonal",
    "diff",
    "digamma",
    "divide",
    "dropout",
    "einsum",
    "elementwise",
    "embedding",
    "empty",
    "empty_like",
    "entr",
    "equal",
    "erf",
    "erfc",
    "errors",
    "exp",
    "exp2",
    "expand_dims",
    "expm1",
    "export_onnx",
    "eye",
    "finfo",
    "flip",
    "floor",
    "floor_divide",
    "fold",
    "from_dlpack",
    "full",
    "full_like",
    "gammaln",
    "grad",
    "gradcheck",
    "greater",
    "greater_equal",
    "group_norm",
    "histogram",
    "hypot",
    "iinfo",
    "index_add",
    "instance_norm",
    "interpolate",
    "isdtype",
    "isfinite",
    "isin",
    "isinf",
    "isnan",
    "layer_norm",
    "less",
    "less_equal",
    "linspace",
    "load_checkpoint",
    "load_onnx",
    "load_safetensors",
    "load_weights",
    "log",
    "log1p",
    "log2",
    "log10",
    "log_softmax",
    "logaddexp",
    "logcumsumexp",
    "logical_and",
    "logical_not",
    "logical_or",
    "logical_xor",
    "logit",
    "logsumexp",
    "matmul",
    "matrix_transpose",
    "max",
    "maximum",
    "mean",
    "median",
    "meshgrid",
    "metrics",
    "min",
    "minimum",
    "moveaxis",
    "multiply",
    "ndtr",
    "negative",
    "nextafter",
    "nn",
    "nonzero",
    "not_equal",
    "one_hot",
    "ones",
    "ones_like",
    "optim",
    "outer",
    "pad",
    "permute_dims",
    "pixel_shuffle",
    "pixel_unshuffle",
    "positive",
    "pow",
    "prod",
    "put_along_axis",
    "quantile",
    "random",
    "read_checkpoint",
    "read_safetensors_header",
    "reciprocal",
    "reduction",
    "remainder",
    "repeat",
    "reshape",
    "result_type",
    "rms_norm",
    "roll",
    "rotary_embedding",
    "round",
    "rsqrt",
    "save_checkpoint",
    "save_safetensors",
    "scaled_dot_product_attention",
    "scatter_add",
    "searchsorted",
    "sign",
    "signbit",
    "sin",
    "sinc",
    "sinh",
    "sinusoidal_positions",
    "softmax",
    "sort",
    "special",
    "split",
    "sqrt",
    "square",
    "squeeze",
    "stack",
    "std",
    "subtract",
    "sum",
    "take",
    "take_along_axis",
    "tan",
    "tanh",
    "tensordot",
    "tile",
    "topk",
    "trace",
    "train",
    "tril",
    "triu",
    "trunc",
    "unfold",
    "unique_all",
    "unique_counts",
    "unique_inverse",
    "unique_values",
    "unstack",
    "value_and_grad",
    "var",
    "vecdot",
    "vector_norm",
    "where",
    "xlog1py",
    "xlogy",
    "zeros",
    "zeros_like",
]
__all__ += _activations.__all__
__all__ += _losses.__all__
__all__ += _pooling.__all__
__all__ += nn.__all__
__all__ += [name for name in optim.__all__ if name != "schedules"]  # a module

# What takes tens of milliseconds to load and not every program needs is loaded when asked for: CSV, compression, CBOR.
_LATER = {
    "data": "data",
    "export_onnx": "files.onnx.export",
    "load_checkpoint": "files.checkpoints",
    "load_onnx": "files.onnx.load",
    "load_safetensors": "files.safetensors.weights",
    "load_weights": "files.safetensors.weights",
    "metrics": "metrics",
    "read_checkpoint": "files.checkpoints",
    "read_safetensors_header": "files.safetensors.format",
    "save_checkpoint": "files.checkpoints",
    "save_safetensors": "files.safetensors.weights",
    "special": "special",
    "train": "train",
}


def __getattr__(name: str) -> Any:
    if name not in _LATER:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f".{_LATER[name]}", __name__)
    value = module if name == _LATER[name] else getattr(module, name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_LATER})
