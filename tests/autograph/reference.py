"""The operations in NumPy's f64, and what a test may differ from them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from autograph import Parameter, Tensor
from krnlpy import Device, DTypeLike, scalar_type
from krnlpy.scalar import bf16, f16, f32

Array = np.ndarray[Any, Any]
DTYPES = [f32, bf16]

# Half the distance from 1 to the next number: what one rounding loses at most, relative; bf16 has 7 bits after the 1.
ROUNDING = {f32: 2.0**-24, f16: 2.0**-11, bf16: 2.0**-8}
# Half the distance of the least numbers: what one rounding loses at most, absolute.
LEAST = {f32: 2.0**-150, f16: 2.0**-25, bf16: 2.0**-134}


def draw(seed: int, shape: tuple[int, ...], dtype: DTypeLike, low: float = -1.0, high: float = 1.0) -> Array:
    """Numbers that the dtype can hold, as f64."""
    values = np.random.default_rng(seed).uniform(low, high, shape)
    return values.astype(scalar_type(dtype).dtype).astype(np.float64)


def apart(seed: int, shape: tuple[int, ...], dtype: DTypeLike, step: float = 1 / 64) -> Array:
    """Distinct numbers, none 0, further apart than finite differences reach: for operations with kinks."""
    count = int(np.prod(shape))
    values = (np.random.default_rng(seed).permutation(count) - count // 2 + 0.5) * step
    return values.reshape(shape).astype(scalar_type(dtype).dtype).astype(np.float64)


def tensor(array: ArrayLike, dtype: DTypeLike, device: Device) -> Tensor:
    return Tensor.from_numpy(np.asarray(array).astype(scalar_type(dtype).dtype), device)


def bound(dtype: DTypeLike, terms: int, magnitude: float, roundings: int = 1) -> float:
    """How far a sum of ``terms`` products may be off. Each f32 multiplication and addition rounds a partial sum of at
    most ``magnitude`` (the sum of the terms' absolute values); the result is rounded to the dtype, ``roundings`` times
    on its way."""
    return (2 * terms * 2.0**-24 + roundings * ROUNDING[scalar_type(dtype)]) * magnitude


def numeric_gradient(function: Callable[[Array], Array], x: Array, gradient: Array, step: float = 1e-5) -> Array:
    """Central differences of ``sum(function(x) * gradient)`` in f64: off by about step**2 and 1e-16 / step, below
    1e-9, which no dtype here resolves."""
    result = np.zeros_like(x)
    flat, out = x.reshape(-1), result.reshape(-1)
    for i in range(flat.size):
        kept = flat[i]
        flat[i] = kept + step
        above = np.sum(function(x) * gradient)
        flat[i] = kept - step
        below = np.sum(function(x) * gradient)
        flat[i] = kept
        out[i] = (above - below) / (2 * step)
    return result


def close(
    found: Array,
    expected: Array,
    dtype: DTypeLike,
    terms: Array | int,
    size: Array,
    roundings: int = 1,
    slack: float = 0.0,
) -> None:
    """Asserts of each element of a result that it is off by no more than f32 sums explain.

    Args:
        found: what a device computed in f32, rounded to the dtype at the end and ``roundings`` - 1 times before.
        expected: the same in f64, of inputs that the dtype holds.
        terms: how many products each element sums. Their products and sums are so many roundings, each of no more than
            ``size``, in whichever order they are added; one more stands for the squares of roundings.
        size: the sum of the absolute values of each element's products.
        slack: what ``expected`` is off by itself.
    """
    unit = ROUNDING[scalar_type(dtype)]
    tolerance = (np.asarray(terms) + 1) * ROUNDING[f32] * size
    tolerance = (
        tolerance
        + unit * (np.abs(expected) + tolerance)
        + (roundings - 1) * unit * size
        + LEAST[scalar_type(dtype)]
        + slack
    )
    excess = np.abs(found.astype(np.float64) - expected) - tolerance
    assert found.shape == expected.shape and not np.isnan(excess).any()
    assert np.all(excess <= 0), f"off by up to {np.max(excess)} more than {np.max(tolerance)}"


def run(
    operation: Callable[..., Tensor], inputs: Sequence[Array], gradient: Array, dtype: DTypeLike, device: Device
) -> tuple[Array, list[Array]]:
    """The value of an operation and its gradients, for a gradient of the value."""
    parameters = [Parameter(tensor(x, dtype, device)) for x in inputs]
    for parameter in parameters:
        parameter.init_grad()
    value = operation(*parameters)
    assert value.dtype is scalar_type(dtype) and value.device == device
    value.backward(tensor(gradient, dtype, device))
    gradients = [parameter.grad for parameter in parameters]
    assert all(gradient is not None and gradient.dtype is scalar_type(dtype) for gradient in gradients)
    return value.numpy(), [gradient.numpy() for gradient in gradients if gradient is not None]


def check(
    operation: Callable[..., Tensor],
    reference: Callable[..., Array],
    inputs: Sequence[Array],
    dtype: DTypeLike,
    device: Device,
    *,
    roundings: int = 1,
    terms: int | None = None,
    step: float = 1.0,
) -> None:
    """Compares value and gradients of an operation with a reference in f64 and its finite differences.

    What they may be off by is derived of the inputs, for each element of the value and of the gradients. An operation
    that sums products, each linear in each input, gives the count of the products where it is given ones, and the sum
    of their absolute values where it is given absolute values. Its differences are exact, whatever the step.

    Args:
        roundings: to the dtype, on the way to a value or a gradient.
        terms: how many products are summed at most, where the operation is not linear in each input.
        step: of the differences.
    """

    def differences(arrays: Sequence[Array], i: int, gradient: Array) -> Array:
        def vary(x: Array) -> Array:
            return reference(*[*arrays[:i], x, *arrays[i + 1 :]])

        return numeric_gradient(vary, arrays[i].copy(), gradient, step)

    ones, sizes = [np.ones_like(x) for x in inputs], [np.abs(x) for x in inputs]
    expected = reference(*inputs)
    gradient = draw(99, expected.shape, dtype)
    value, gradients = run(operation, inputs, gradient, dtype, device)
    count = reference(*ones) if terms is None else terms
    close(value, expected, dtype, count, np.maximum(np.abs(reference(*sizes)), np.abs(expected)), roundings)
    for i, found in enumerate(gradients):
        wanted = differences(inputs, i, gradient)
        count = differences(ones, i, np.ones_like(gradient)) if terms is None else terms
        size = np.abs(differences(sizes, i, np.abs(gradient)))
        close(found, wanted, dtype, count, size, roundings, slack=0.0 if step == 1.0 else 1e-8)


def check_choices(
    operation: Callable[[Tensor], Tensor],
    reference: Callable[[Array], Array],
    x: Array,
    dtype: DTypeLike,
    device: Device,
) -> None:
    """Compares an operation that chooses among its inputs, and gives the gradient to those chosen, with a reference:
    values must be equal, gradients are sums of as many numbers as chose an element."""
    expected = reference(x)
    gradient = draw(99, expected.shape, dtype)
    value, (found,) = run(operation, [x], gradient, dtype, device)
    np.testing.assert_array_equal(value.astype(np.float64), expected)

    def differences(gradient: Array) -> Array:
        # Of numbers a 64th apart, a step of a 256th changes no choice, and is exact.
        return numeric_gradient(reference, x.copy(), gradient, 1 / 256)

    close(found, differences(gradient), dtype, differences(np.ones_like(gradient)), differences(np.abs(gradient)))


def conv2(
    x: Array,
    weight: Array,
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Array:
    (sh, sw), (ph, pw), (dh, dw) = stride, padding, dilation
    fh, fw = weight.shape[2:]
    x = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    oh = (x.shape[2] - dh * (fh - 1) - 1) // sh + 1
    ow = (x.shape[3] - dw * (fw - 1) - 1) // sw + 1
    out = np.zeros((x.shape[0], weight.shape[0], oh, ow))
    for ky in range(fh):
        for kx in range(fw):
            part = x[:, :, ky * dh : ky * dh + sh * (oh - 1) + 1 : sh, kx * dw : kx * dw + sw * (ow - 1) + 1 : sw]
            out += np.einsum("nchw,oc->nohw", part, weight[:, :, ky, kx])
    return out


def max_pool2(x: Array, filter: tuple[int, int], stride: tuple[int, int]) -> Array:
    (fh, fw), (sh, sw) = filter, stride
    oh, ow = (x.shape[2] - fh) // sh + 1, (x.shape[3] - fw) // sw + 1
    parts = [
        x[:, :, ky : ky + sh * (oh - 1) + 1 : sh, kx : kx + sw * (ow - 1) + 1 : sw]
        for ky in range(fh)
        for kx in range(fw)
    ]
    return np.asarray(np.max(parts, axis=0))


def cross_entropy(logits: Array, classes: Array, reduction: str = "mean") -> Any:
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(classes)), classes]
    return losses.mean() if reduction == "mean" else losses.sum()


def image_size(
    output: Any,
    filter: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Any:
    """The least height and width of images that give an output."""
    return tuple(
        max(1, (o - 1) * s + d * (f - 1) + 1 - 2 * p)
        for o, f, s, p, d in zip(output, filter, stride, padding, dilation, strict=True)
    )


def windows(
    x: Array,
    filter: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Any:
    """Of a view of the padded images, all ``[n, oh, ow, c, fh, fw]``."""
    (ph, pw), (dh, dw) = padding, dilation
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    reach = [(f - 1) * d + 1 for f, d in zip(filter, dilation, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(padded, reach, (2, 3))
    return view[:, :, :: stride[0], :: stride[1], ::dh, ::dw].transpose(0, 2, 3, 1, 4, 5)


def unfolded(x: Array, filter: tuple[int, int], **options: Any) -> Any:
    """The windows of images as columns, ``[n, c * fh * fw, oh * ow]``."""
    whole = windows(x, filter, **options)
    n, oh, ow, c, fh, fw = whole.shape
    return whole.transpose(0, 3, 4, 5, 1, 2).reshape(n, c * fh * fw, oh * ow)


def summed(
    columns: Array,
    shape: tuple[int, ...],
    filter: tuple[int, int],
    stride: tuple[int, int] = (1, 1),
    padding: tuple[int, int] = (0, 0),
    dilation: tuple[int, int] = (1, 1),
) -> Any:
    """The images of which windows are columns: a plain loop over the windows, summed in their dtype."""
    n, c, h, w = shape
    oh, ow = ((s + 2 * p - d * (f - 1) - 1) // t + 1
              for s, p, d, f, t in zip((h, w), padding, dilation, filter, stride, strict=True))  # fmt: skip
    whole = columns.reshape(n, c, *filter, oh, ow)
    out = np.zeros((n, c, h + 2 * padding[0], w + 2 * padding[1]), columns.dtype)
    for oy, ox, ky, kx in itertools.product(range(oh), range(ow), range(filter[0]), range(filter[1])):
        out[:, :, oy * stride[0] + ky * dilation[0], ox * stride[1] + kx * dilation[1]] += whole[:, :, ky, kx, oy, ox]
    return out[:, :, padding[0] : padding[0] + h, padding[1] : padding[1] + w]
