"""Products, extremes, means and norms along axes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable
from autograph.errors import AutographError
from autograph.functions.checks import is_number
from autograph.functions.elementwise.arithmetic import divide, multiply, subtract
from autograph.functions.elementwise.exponentials import sqrt
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.reducers.reducer import axes_of, itself, keepdims_shape
from autograph.functions.reducers.sums import sum as sum_of
from autograph.tensor.base import recording, require_tensor
from krnlpy import DTypeLike, ScalarType

from . import states
from .operation import Reduction

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Axes = int | Sequence[int] | None


def _lowest(dtype: ScalarType) -> tuple[float, ...]:
    return (float("-inf") if dtype.is_float else dtype.min,)


def _highest(dtype: ScalarType) -> tuple[float, ...]:
    return (float("inf") if dtype.is_float else dtype.max,)


@elementwise
def _share(x: Any, y: Any) -> Any:
    """1 for elements that are the extreme, which NaN is too."""
    return 1.0 if x == y or (x != x and y != y) else 0.0


def _extreme_gradient(x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
    """Elements that share the extreme share its gradient."""
    axes = tuple(a for a, (n, m) in enumerate(zip(x.shape, y.shape, strict=True)) if n != m)
    share = _share(x.detach(), y.detach())
    result: Tensor = dy * (share / share.sum(axes, keepdims=True)).cast(x.dtype)
    return result


def _product_gradient(x: Tensor, y: Tensor, dy: Tensor) -> Tensor:
    """The product of the others: a quotient where nothing is 0, else of what is not 0."""
    axes = tuple(a for a, (n, m) in enumerate(zip(x.shape, y.shape, strict=True)) if n != m)
    zeros = _is_zero(x.detach())
    others = _prod(_nonzero(x), axis=axes, keepdims=True) * _at_most_one(zeros.sum(axes, keepdims=True), zeros)
    result: Tensor = dy * others / _nonzero(x)
    return result


@elementwise
def _is_zero(x: Any) -> Any:
    return 1.0 if x == 0 else 0.0


@elementwise
def _nonzero(x: Any) -> Any:
    return x if x != 0 else 1.0


@elementwise
def _at_most_one(zeros: Any, is_zero: Any) -> Any:
    """1 where all others are not 0."""
    return 1.0 if zeros == is_zero else 0.0


@elementwise
def _direction(x: Any, y: Any, dy: Any) -> Any:
    """The slope of a norm: 0 at the origin."""
    return dy * x / y if y != 0 else 0.0 * x


_prod = Reduction(itself, states.product, None, (1,), _product_gradient, "prod", widens=True)
_max = Reduction(itself, states.greater, None, _lowest, _extreme_gradient, "max", needs_elements=True)
_min = Reduction(itself, states.smaller, None, _highest, _extreme_gradient, "min", needs_elements=True)
_argmax = Reduction(
    states.with_place,
    states.greater_and_place,
    states.place,
    (0, -1),
    None,
    "argmax",
    takes_index=True,
    widens=True,
    needs_elements=True,
)
_argmin = Reduction(
    states.with_place,
    states.smaller_and_place,
    states.place,
    (0, -1),
    None,
    "argmin",
    takes_index=True,
    widens=True,
    needs_elements=True,
)
_mean_of = Reduction(itself, None, states.mean, (0,), None, "mean")
_count = Reduction(states.is_nonzero, None, None, (0,), None, "count_nonzero", widens=True)
_any = Reduction(states.is_nonzero_truth, states.either, None, (False,), None, "any")
_all = Reduction(states.is_nonzero_truth, states.both, None, (True,), None, "all")
_norm1 = Reduction(states.magnitude, None, None, (0,), None, "vector_norm")
_norm2 = Reduction(states.square, None, states.root, (0,), _direction, "vector_norm")


def prod(x: Tensor, axis: Axes = None, *, dtype: DTypeLike | None = None, keepdims: bool = False) -> Tensor:
    """The product over an axis, several, or all. Integers below 32 bits give u32 or i32.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; None means all axes.
        dtype: the result's; the elements are converted to it first.
        keepdims: the axes stay, with length 1.

    Raises:
        ShapeError: there is no such axis, or one is named twice.
        DtypeError: ``x`` is not a tensor, or ``dtype`` is not a scalar type.

    >>> from autograph import Tensor, prod
    >>> prod(Tensor.from_numpy([[1.0, 2.0], [3.0, 4.0]]), axis=0).numpy().tolist()
    [3.0, 8.0]
    """
    if dtype is not None:
        require_tensor("prod", x)
        return prod(x.cast(dtype), axis, keepdims=keepdims).cast(dtype)
    result: Tensor = _prod(x, axis=axis, keepdims=keepdims)
    return result


def max(x: Tensor, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The greatest element over an axis, several, or all; NaN where there is one.

    Equal ones share the gradient.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; None means all axes.
        keepdims: the axes stay, with length 1.

    Raises:
        ShapeError: there is no such axis, or one is named twice, or there are no elements.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, max
    >>> max(Tensor.from_numpy([[1, 5], [4, 2]]), axis=0).numpy().tolist()
    [4, 5]
    """
    result: Tensor = _max(x, axis=axis, keepdims=keepdims)
    return result


def min(x: Tensor, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The smallest element over an axis, several, or all; NaN where there is one.

    Equal ones share the gradient.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; None means all axes.
        keepdims: the axes stay, with length 1.

    Raises:
        ShapeError: there is no such axis, or one is named twice, or there are no elements.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, min
    >>> min(Tensor.from_numpy([[1, 5], [4, 2]])).item()
    1
    """
    result: Tensor = _min(x, axis=axis, keepdims=keepdims)
    return result


def argmax(x: Tensor, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The place of the greatest element, as i32: of the first one, or of the first NaN.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; None means all elements in row-major order.
        keepdims: the axis stays, with length 1.

    Raises:
        ShapeError: there is no such axis, or there are no elements.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, argmax
    >>> argmax(Tensor.from_numpy([[1, 5], [4, 2]]), axis=1).numpy().tolist()
    [1, 0]
    """
    return _place_of(_argmax, x, axis, keepdims)


def argmin(x: Tensor, axis: int | None = None, *, keepdims: bool = False) -> Tensor:
    """The place of the smallest element, as i32: of the first one, or of the first NaN.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; None means all elements in row-major order.
        keepdims: the axis stays, with length 1.

    Raises:
        ShapeError: there is no such axis, or there are no elements.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, argmin
    >>> argmin(Tensor.from_numpy([[1, 5], [4, 2]])).item()
    0
    """
    return _place_of(_argmin, x, axis, keepdims)


def _place_of(reduction: Reduction, x: Tensor, axis: int | None, keepdims: bool) -> Tensor:
    require_tensor(reduction.name, x)
    if axis is None:
        flat: Tensor = reduction(x.detach().reshape(-1), axis=0)
        return flat.reshape((1,) * x.ndim) if keepdims else flat
    result: Tensor = reduction(x.detach(), axis=axis, keepdims=keepdims)
    return result


def count_nonzero(x: Tensor, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """How many elements are not 0, as i32; NaN counts.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; None means all axes.
        keepdims: the axes stay, with length 1.

    Raises:
        ShapeError: there is no such axis, or one is named twice.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, count_nonzero
    >>> count_nonzero(Tensor.from_numpy([[1, 0], [4, 2]]), axis=0).numpy().tolist()
    [2, 1]
    """
    require_tensor("count_nonzero", x)
    result: Tensor = _count(x.detach(), axis=axis, keepdims=keepdims)
    return result


def any(x: Tensor, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """Whether any element is not 0, over an axis, several, or all; false of no elements. NaN is not 0.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; None means all axes.
        keepdims: the axes stay, with length 1.

    Raises:
        ShapeError: there is no such axis, or one is named twice.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, any
    >>> any(Tensor.from_numpy([[1, 0], [4, 2]]), axis=0).numpy().tolist()
    [True, True]
    """
    require_tensor("any", x)
    result: Tensor = _any(x.detach(), axis=axis, keepdims=keepdims)
    return result


def all(x: Tensor, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """Whether no element is 0, over an axis, several, or all; true of no elements. NaN is not 0.

    Args:
        x: any shape and dtype.
        axis: counted from the end if negative; None means all axes.
        keepdims: the axes stay, with length 1.

    Raises:
        ShapeError: there is no such axis, or one is named twice.
        DtypeError: ``x`` is not a tensor.

    >>> from autograph import Tensor, all
    >>> all(Tensor.from_numpy([[1, 0], [4, 2]]), axis=0).numpy().tolist()
    [True, False]
    """
    require_tensor("all", x)
    result: Tensor = _all(x.detach(), axis=axis, keepdims=keepdims)
    return result


def mean(x: Tensor, axis: Axes = None, *, keepdims: bool = False) -> Tensor:
    """The mean over an axis, several, or all; NaN of no elements. Integers of up to 32 bits give f32.

    Args:
        x: any shape.
        axis: counted from the end if negative; None means all axes.
        keepdims: the axes stay, with length 1.

    Raises:
        ShapeError: there is no such axis, or one is named twice.
        DtypeError: ``x`` is not a tensor, or of 64-bit integers.

    >>> from autograph import Tensor, mean
    >>> mean(Tensor.from_numpy([[1.0, 2.0], [3.0, 6.0]]), axis=1).numpy().tolist()
    [1.5, 4.5]
    """
    require_tensor("mean", x)
    if x.node is None or not recording.on:
        result: Tensor = _mean_of(x, axis=axis, keepdims=keepdims)
        return result
    # Its gradient is simpler than that of any quotient of a sum.
    axes, source = axes_of("mean", x, axis), x.shape
    kept = keepdims_shape(source, axes)
    count = 1
    for a in axes:
        count *= source[a]
    value: Tensor = _mean_of(x.detach(), axis=axes, keepdims=keepdims)

    def gradient(dy: Tensor) -> Any:
        return (divide(dy, float(count)) if count else dy).reshape(kept).broadcast_to(source)

    return differentiable(value, [(x, gradient)], higher_order=True)


def var(x: Tensor, axis: Axes = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The variance over an axis, several, or all: the mean square of what is left without the mean.

    Args:
        x: any shape, of floats.
        axis: counted from the end if negative; None means all axes.
        correction: taken off the number of elements; 1 estimates the variance of what a sample was drawn from.
        keepdims: the axes stay, with length 1.

    Raises:
        ShapeError: there is no such axis, or one is named twice.
        DtypeError: ``x`` is not a tensor.
        AutographError: ``correction`` is not a number.

    >>> from autograph import Tensor, var
    >>> x = Tensor.from_numpy([1.0, 2.0, 3.0, 4.0])
    >>> var(x).item(), round(var(x, correction=1).item(), 4)
    (1.25, 1.6667)
    """
    require_tensor("var", x)
    if not is_number(correction):
        raise AutographError(f"var(correction={correction!r}): expected a number")
    result = _variance(_computable(x), axis, correction, keepdims)
    return result.cast(x.dtype) if x.dtype.is_float else result


def _variance(x: Tensor, axis: Axes, correction: float, keepdims: bool) -> Tensor:
    rest = subtract(x, mean(x, axis, keepdims=True))
    total = _squares(rest, axis=axis, keepdims=keepdims)
    count = x.size // _size(total)
    result: Tensor = divide(total, count - correction) if count > correction else multiply(total, float("nan"))
    return result


def _computable(x: Tensor) -> Tensor:
    """In f32 for f16 and bf16, so that what lies between is not rounded."""
    return x.cast(x.dtype.compute) if x.dtype.is_float else x


def std(x: Tensor, axis: Axes = None, *, correction: float = 0.0, keepdims: bool = False) -> Tensor:
    """The standard deviation over an axis, several, or all: the square root of :func:`var`.

    Args:
        x: any shape, of floats.
        axis: counted from the end if negative; None means all axes.
        correction: taken off the number of elements.
        keepdims: the axes stay, with length 1.

    Raises:
        ShapeError: there is no such axis, or one is named twice.
        DtypeError: ``x`` is not a tensor.
        AutographError: ``correction`` is not a number.

    >>> from autograph import Tensor, std
    >>> std(Tensor.from_numpy([1.0, 3.0])).item()
    1.0
    """
    require_tensor("std", x)
    result: Tensor = sqrt(var(_computable(x), axis, correction=correction, keepdims=keepdims))
    return result.cast(x.dtype) if x.dtype.is_float else result


_squares = Reduction(states.square, None, None, (0,), None, "var")


def _size(x: Tensor) -> int:
    return x.size or 1


def vector_norm(x: Tensor, axis: Axes = None, *, keepdims: bool = False, ord: float = 2) -> Tensor:
    """The norm of vectors along an axis, of those that several axes make up, or of all elements.

    Args:
        x: any shape.
        axis: counted from the end if negative; None means all axes.
        keepdims: the axes stay, with length 1.
        ord: 2 is Euclid's, 1 the sum of magnitudes, inf the greatest and -inf the smallest magnitude, 0 the number of
            elements that are not 0, and p the p-th root of the sum of p-th powers of magnitudes.

    Raises:
        ShapeError: there is no such axis, or one is named twice.
        DtypeError: ``x`` is not a tensor.
        AutographError: ``ord`` is not a number.

    >>> from autograph import Tensor, vector_norm
    >>> vector_norm(Tensor.from_numpy([3.0, -4.0])).item(), vector_norm(Tensor.from_numpy([3.0, -4.0]), ord=1).item()
    (5.0, 7.0)
    """
    if isinstance(ord, bool) or not isinstance(ord, int | float):
        raise AutographError(f"vector_norm(ord={ord!r}): expected a number")
    if ord == 2:
        result: Tensor = _norm2(x, axis=axis, keepdims=keepdims)
    elif ord == 1:
        result = _norm1(x, axis=axis, keepdims=keepdims)
    elif ord == 0:
        result = count_nonzero(x, axis, keepdims=keepdims).cast(x.dtype)
    elif ord in (float("inf"), float("-inf")):
        result = (max if ord > 0 else min)(abs(x), axis, keepdims=keepdims)
    else:
        result = sum_of(abs(_computable(x)) ** ord, axis, keepdims=keepdims) ** (1 / ord)
        result = result.cast(x.dtype) if x.dtype.is_float else result
    return result
