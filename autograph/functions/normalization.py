"""Layer, group, instance and batch norm: elements less their mean, divided by their deviation."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import TYPE_CHECKING, Any

from autograph.autograd import differentiable, grad, saved
from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.tensor.base import Shape, recording, require_tensor
from krnlpy import dsl

from .casts import cast
from .checks import is_number, require_alike
from .elementwise.operation import elementwise
from .reducers.reducer import axes_of
from .reductions import states
from .reductions.aggregates import mean as mean_of
from .reductions.operation import Reduction
from .rows import norms
from .rows.parts import fits_rows

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor

Axes = int | Sequence[int]


@elementwise
def _normal(x: Any, mean: Any, var: Any, weight: Any, bias: Any, epsilon: Any) -> Any:
    return (x - mean) / dsl.sqrt(var + epsilon) * weight + bias


@elementwise
def _affine(x: Any, weight: Any, bias: Any) -> Any:
    return x * weight + bias


@elementwise
def _distance(x: Any, mean: Any) -> Any:
    return x - mean


@elementwise
def _batch_gradient(dy: Any, x: Any, mean: Any, scale: Any, weight: Any, of_weight: Any, of_bias: Any, n: Any) -> Any:
    return weight * scale * (dy - (of_bias + (x - mean) * scale * of_weight) / n)


def _weighted(dy: Any, x: Any, mean: Any, scale: Any) -> Any:
    return dy * (x - mean) * scale, dy


def _squared_distance(x: Any, mean: Any) -> Any:
    rest = x - mean
    return rest * rest


_variance = Reduction(_squared_distance, None, states.mean, (0,), None, "variance")
_gradient_sums = Reduction(_weighted, None, None, (0, 0), None, "norm_gradient")
_mean_square = Reduction(states.square, None, states.mean, (0,), None, "mean_square")


@elementwise
def _reciprocal_root(var: Any, epsilon: Any) -> Any:
    return 1.0 / dsl.sqrt(var + epsilon)


def layer_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, axis: Axes = -1, epsilon: float = 1e-5
) -> Tensor:
    """``(x - mean) / sqrt(var + epsilon) * weight + bias`` with mean and variance over an axis or several.

    f16 and bf16 are computed in f32 and rounded once. Source: J. L. Ba, J. R. Kiros, G. E. Hinton, "Layer
    Normalization", 2016.

    Args:
        x: any shape, of floats.
        weight: of the lengths of these axes, in their order, and of the dtype of ``x``; None is 1.
        bias: likewise; None is 0.
        axis: counted from the end if negative.
        epsilon: added to the variance; at least 0.

    Raises:
        ShapeError: there is no such axis, or one is named twice, or ``weight`` or ``bias`` has another shape.
        DtypeError: ``x`` is not a tensor of floats, or ``weight`` or ``bias`` of another dtype.
        DeviceError: they lie on several devices.
        AutographError: ``epsilon`` is not a number of at least 0.

    >>> from autograph import Tensor, layer_norm
    >>> layer_norm(Tensor.from_numpy([[0.0, 2.0], [5.0, 1.0]])).numpy().round(3).tolist()
    [[-1.0, 1.0], [1.0, -1.0]]
    """
    return _norm("layer_norm", x, weight, bias, axis, epsilon, centers=True)


def rms_norm(x: Tensor, weight: Tensor | None = None, *, axis: Axes = -1, epsilon: float = 1e-5) -> Tensor:
    """``x / sqrt(mean(x ** 2) + epsilon) * weight``, the mean being over an axis or several.

    f16 and bf16 are computed in f32 and rounded once. Source: B. Zhang, R. Sennrich, "Root Mean Square Layer
    Normalization", 2019.

    Args:
        x: any shape, of floats.
        weight: of the lengths of these axes, in their order, and of the dtype of ``x``; None is 1.
        axis: counted from the end if negative.
        epsilon: added to the mean square; at least 0.

    Raises:
        ShapeError: there is no such axis, or one is named twice, or ``weight`` has another shape.
        DtypeError: ``x`` is not a tensor of floats, or ``weight`` of another dtype.
        DeviceError: they lie on several devices.
        AutographError: ``epsilon`` is not a number of at least 0.

    >>> from autograph import Tensor, rms_norm
    >>> rms_norm(Tensor.from_numpy([3.0, 3.0]), Tensor.from_numpy([1.0, -2.0])).numpy().round(3).tolist()
    [1.0, -2.0]
    """
    return _norm("rms_norm", x, weight, None, axis, epsilon, centers=False)


def group_norm(
    x: Tensor, groups: int, weight: Tensor | None = None, bias: Tensor | None = None, *, epsilon: float = 1e-5
) -> Tensor:
    """Normalizes each group of neighbouring channels of each sample; see :func:`layer_norm`.

    Source: Y. Wu, K. He, "Group Normalization", 2018.

    Args:
        x: ``[batch, channels, ...]``, of floats.
        groups: into which the channels are divided evenly.
        weight: ``[channels]``, of the dtype of ``x``; None is 1.
        bias: likewise; None is 0.
        epsilon: added to the variance; at least 0.

    Raises:
        ShapeError: ``x`` has fewer than two axes, ``groups`` does not divide the channels, or ``weight`` or ``bias``
            has another shape.
        DtypeError: ``x`` is not a tensor of floats, or ``weight`` or ``bias`` of another dtype.
        DeviceError: they lie on several devices.
        AutographError: ``epsilon`` is not a number of at least 0.

    >>> from autograph import Tensor, group_norm
    >>> x = Tensor.from_numpy([[[1.0, 3.0], [5.0, 9.0]]])
    >>> group_norm(x, 2).numpy().round(3).tolist()
    [[[-1.0, 1.0], [-1.0, 1.0]]]
    """
    channels = _channels("group_norm", x, weight, bias, epsilon)
    if isinstance(groups, bool) or not isinstance(groups, int) or groups < 1 or channels % groups:
        raise ShapeError(f"group_norm of {channels} channels in groups={groups!r}: expected a number that divides them")
    n, shape = x.shape[0], x.shape
    flat = x.reshape((n * groups, channels // groups * prod(shape[2:])))
    y = _norm("group_norm", flat, None, None, -1, epsilon, centers=True).reshape(shape)
    return y if weight is None and bias is None else _scaled(y, weight, bias)


def instance_norm(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, epsilon: float = 1e-5
) -> Tensor:
    """Normalizes each channel of each sample; see :func:`layer_norm`.

    Source: D. Ulyanov, A. Vedaldi, V. Lempitsky, "Instance Normalization", 2016.

    Args:
        x: ``[batch, channels, ...]``, of floats.
        weight: ``[channels]``, of the dtype of ``x``; None is 1.
        bias: likewise; None is 0.
        epsilon: added to the variance; at least 0.

    Raises:
        ShapeError: ``x`` has fewer than two axes, or ``weight`` or ``bias`` has another shape.
        DtypeError: ``x`` is not a tensor of floats, or ``weight`` or ``bias`` of another dtype.
        DeviceError: they lie on several devices.
        AutographError: ``epsilon`` is not a number of at least 0.

    >>> from autograph import Tensor, instance_norm
    >>> instance_norm(Tensor.from_numpy([[[1.0, 3.0], [5.0, 9.0]]])).numpy().round(3).tolist()
    [[[-1.0, 1.0], [-1.0, 1.0]]]
    """
    return group_norm(x, _channels("instance_norm", x, weight, bias, epsilon), weight, bias, epsilon=epsilon)


def batch_norm_training(
    x: Tensor, weight: Tensor | None = None, bias: Tensor | None = None, *, epsilon: float = 1e-5
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalizes each channel over the whole batch, and tells mean and variance.

    Source: S. Ioffe, C. Szegedy, "Batch Normalization", 2015.

    Args:
        x: ``[batch, channels, ...]``, of floats.
        weight: ``[channels]``, of the dtype of ``x``; None is 1.
        bias: likewise; None is 0.
        epsilon: added to the variance; at least 0.

    Returns:
        The result; and mean and variance of each channel, ``[channels]`` in the type of computation (f32 for f16 and
        bf16), without correction, through which nothing is derived.

    Raises:
        ShapeError: ``x`` has fewer than two axes, or a channel no elements, or ``weight`` or ``bias`` another shape.
        DtypeError: ``x`` is not a tensor of floats, or ``weight`` or ``bias`` of another dtype.
        DeviceError: they lie on several devices.
        AutographError: ``epsilon`` is not a number of at least 0.

    >>> from autograph import Tensor, batch_norm_training
    >>> y, mean, var = batch_norm_training(Tensor.from_numpy([[1.0, 2.0], [3.0, 6.0]]))
    >>> y.numpy().round(3).tolist(), mean.numpy().tolist(), var.numpy().tolist()
    ([[-1.0, -1.0], [1.0, 1.0]], [2.0, 4.0], [1.0, 4.0])
    """
    channels = _channels("batch_norm_training", x, weight, bias, epsilon)
    axes = (0, *range(2, x.ndim))
    count = x.size // max(1, channels)
    if channels and not count:
        raise ShapeError(f"batch_norm_training of shape {x.shape}: channels have no elements")
    inputs = tuple(t for t in (x, weight, bias) if t is not None)
    kept = [None if t is None else saved(t) for t in (x, weight, bias)]
    mean = mean_of(_wide(x.detach()), axes, keepdims=True)
    var = _variance(_wide(x.detach()), mean, axis=axes, keepdims=True)
    broadcast = _beside_channels(x.ndim, None if weight is None else weight.detach())
    offset = _beside_channels(x.ndim, None if bias is None else bias.detach(), 0.0)
    value: Tensor = cast(_normal(x.detach(), mean, var, broadcast, offset, epsilon), x.dtype)

    def by_operations(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        mean = mean_of(_wide(x), axes, keepdims=True)
        var = _variance(_wide(x), mean, axis=axes, keepdims=True)
        y = _normal(x, mean, var, _beside_channels(x.ndim, weight), _beside_channels(x.ndim, bias, 0.0), epsilon)
        return cast(y, x.dtype)

    def gradient(dy: Tensor) -> tuple[Tensor, ...]:
        if recording.on:
            return _derived(by_operations, kept, dy)
        whole = kept[0]
        assert whole is not None
        scale = _reciprocal_root(var, epsilon)
        of_weight, of_bias = _gradient_sums(dy, whole.detach(), mean, scale, axis=axes, keepdims=True)
        dx = _batch_gradient(dy, whole.detach(), mean, scale, broadcast, of_weight, of_bias, float(count))
        parts = (dx, of_weight.reshape((channels,)), of_bias.reshape((channels,)))
        return tuple(cast(part, t.dtype) for part, t in zip(parts, kept, strict=True) if t is not None)

    y = differentiable(value, [(inputs, gradient)], higher_order=True)
    return y, mean.reshape((channels,)), var.reshape((channels,))


def batch_norm_inference(
    x: Tensor,
    mean: Tensor,
    var: Tensor,
    weight: Tensor | None = None,
    bias: Tensor | None = None,
    *,
    epsilon: float = 1e-5,
) -> Tensor:
    """Normalizes each channel by a mean and a variance that are given.

    Args:
        x: ``[batch, channels, ...]``, of floats.
        mean: ``[channels]``, of floats.
        var: likewise.
        weight: ``[channels]``, of the dtype of ``x``; None is 1.
        bias: likewise; None is 0.
        epsilon: added to the variance; at least 0.

    Raises:
        ShapeError: ``x`` has fewer than two axes, or another tensor another shape.
        DtypeError: one of them is not a tensor of floats, or ``weight`` or ``bias`` of another dtype than ``x``.
        DeviceError: they lie on several devices.
        AutographError: ``epsilon`` is not a number of at least 0.

    >>> from autograph import Tensor, batch_norm_inference
    >>> x, mean, var = Tensor.from_numpy([[1.0, 2.0]]), Tensor.from_numpy([0.0, 4.0]), Tensor.from_numpy([4.0, 1.0])
    >>> batch_norm_inference(x, mean, var).numpy().round(3).tolist()
    [[0.5, -2.0]]
    """
    operation = "batch_norm_inference"
    channels = _channels(operation, x, weight, bias, epsilon)
    for name, given in (("mean", mean), ("var", var)):
        require_tensor(operation, given)
        if not given.dtype.is_float:
            raise DtypeError(f"{operation} takes {name} as floats, not {given.dtype}")
        if given.shape != (channels,):
            raise ShapeError(f"{operation} of {channels} channels: {name} has the shape {given.shape}")
    beside = [_beside_channels(x.ndim, t) for t in (mean, var, weight)]
    return cast(_normal(x, *beside, _beside_channels(x.ndim, bias, 0.0), epsilon), x.dtype)


def _norm(
    operation: str,
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    axis: Axes,
    epsilon: float,
    *,
    centers: bool,
) -> Tensor:
    require_tensor(operation, x)
    axes = axes_of(operation, x, axis)
    lengths = tuple(x.shape[a] for a in axes)
    _check(operation, x, weight, bias, lengths, epsilon)
    beside = tuple(n if a in axes else 1 for a, n in enumerate(x.shape))

    def by_operations(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
        wide = _wide(x)
        rest = _distance(wide, mean_of(wide, axes, keepdims=True)) if centers else wide
        var = _mean_square(rest, axis=axes, keepdims=True)
        scale, offset = (t if t is None else _wide(t).reshape(beside) for t in (weight, bias))
        y = _normal(rest, 0.0, var, 1.0 if scale is None else scale, 0.0 if offset is None else offset, epsilon)
        return cast(y, x.dtype)

    if not fits_rows(x.shape, axes):
        return by_operations(x, weight, bias)
    inputs = tuple(t for t in (x, weight, bias) if t is not None)
    kept = [None if t is None else saved(t) for t in (x, weight, bias)]
    scales, offsets = (None if t is None else t.buffer for t in (weight, bias))
    out, mean, root = norms.normalize(x.buffer, prod(lengths), scales, offsets, epsilon, centers)

    def gradient(dy: Tensor) -> tuple[Tensor, ...]:
        if recording.on:
            return _derived(by_operations, kept, dy)
        whole = kept[0]
        assert whole is not None
        if len(inputs) == 1:
            return (dy.result(norms.gradient(whole.buffer, dy.buffer, scales, mean, root, centers)),)
        dx, *sums = norms.gradients(whole.buffer, dy.buffer, scales, mean, root, centers)
        parts = (dx, *(total.cast(x.dtype).reshape(lengths) for total in sums))
        return tuple(dy.result(part) for part, t in zip(parts, kept, strict=True) if t is not None)

    return differentiable(x.result(out), [(inputs, gradient)], higher_order=True)


def _derived(f: Any, arguments: list[Tensor | None], dy: Tensor) -> tuple[Tensor, ...]:
    """The gradients of arguments that are not None for that of the result, recorded."""
    places = [i for i, t in enumerate(arguments) if t is not None]
    gradients: tuple[Tensor, ...] = grad(lambda *given: (f(*given) * dy).sum(), places)(*arguments)
    return gradients


def _wide(x: Tensor) -> Tensor:
    """In the type of computation."""
    return cast(x, x.dtype.compute)


def _beside_channels(ndim: int, x: Tensor | None, default: float = 1.0) -> Tensor | float:
    """A tensor of a number for each channel, in a shape that broadcasts to a batch; or the number for all."""
    return default if x is None else x.reshape((-1, *(1,) * (ndim - 2)))


def _scaled(x: Tensor, weight: Tensor | None, bias: Tensor | None) -> Tensor:
    result: Tensor = _affine(x, _beside_channels(x.ndim, weight), _beside_channels(x.ndim, bias, 0.0))
    return result


def _channels(operation: str, x: Tensor, weight: Tensor | None, bias: Tensor | None, epsilon: float) -> int:
    """The number of channels of ``[batch, channels, ...]``."""
    require_tensor(operation, x)
    if x.ndim < 2:
        raise ShapeError(f"{operation} takes x of shape [batch, channels, ...], not {x.shape}")
    _check(operation, x, weight, bias, x.shape[1:2], epsilon)
    return x.shape[1]


def _check(
    operation: str, x: Tensor, weight: Tensor | None, bias: Tensor | None, lengths: Shape, epsilon: float
) -> None:
    if not x.dtype.is_float:
        raise DtypeError(f"{operation} of {x.dtype}: convert to a float type first, for example tensor.cast(f32)")
    for name, given in (("weight", weight), ("bias", bias)):
        if given is not None:
            require_alike(operation, x, given)
            if given.shape != lengths:
                raise ShapeError(f"{operation} of shape {x.shape}: {name} has the shape {given.shape}, not {lengths}")
    if isinstance(epsilon, bool) or not is_number(epsilon) or epsilon < 0:
        raise AutographError(f"{operation}(epsilon={epsilon!r}): expected a number of at least 0")
