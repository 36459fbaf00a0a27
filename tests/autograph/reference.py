"""The operations in NumPy's f64, and what a test may differ from them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import numpy as np

from autograph import Parameter, Tensor
from krnlpy import Device, ScalarType, bf16, f16, f32

Array = np.ndarray
DTYPES = [f32, bf16]

# Half the distance from 1 to the next number: what one rounding loses at most, relative.
ROUNDING = {f32: 2.0**-24, f16: 2.0**-11, bf16: 2.0**-8 / 2}


def draw(seed: int, shape: tuple[int, ...], dtype: ScalarType, low: float = -1.0, high: float = 1.0) -> Array:
    """Numbers that the dtype can hold, as f64."""
    values = np.random.default_rng(seed).uniform(low, high, shape)
    return values.astype(dtype.dtype).astype(np.float64)


def apart(seed: int, shape: tuple[int, ...], dtype: ScalarType, step: float = 1 / 64) -> Array:
    """Distinct numbers, none 0, further apart than finite differences reach: for operations with kinks."""
    count = int(np.prod(shape))
    values = (np.random.default_rng(seed).permutation(count) - count // 2 + 0.5) * step
    return values.reshape(shape).astype(dtype.dtype).astype(np.float64)


def tensor(array: Array, dtype: ScalarType, device: Device) -> Tensor:
    return Tensor.from_numpy(np.asarray(array).astype(dtype.dtype), device)


def bound(dtype: ScalarType, terms: int, magnitude: float, roundings: int = 1) -> float:
    """How far a sum of ``terms`` products may be off. Each f32 multiplication and addition rounds a partial sum of at
    most ``magnitude`` (the sum of the terms' absolute values); the result is rounded to the dtype, ``roundings`` times
    on its way."""
    return (2 * terms * 2.0**-24 + roundings * ROUNDING[dtype]) * magnitude


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


def check(
    operation: Callable[..., Tensor],
    reference: Callable[..., Array],
    inputs: Sequence[Array],
    dtype: ScalarType,
    device: Device,
    *,
    terms: int,
    magnitude: float = 1.0,
    roundings: int = 1,
) -> None:
    """Compares value and gradients of an operation with a reference in f64 and its finite differences.

    ``terms`` bounds how many products are summed for an element of the value or of a gradient, ``magnitude`` the sum
    of their absolute values.
    """
    parameters = [Parameter(tensor(x, dtype, device)) for x in inputs]
    for parameter in parameters:
        parameter.init_grad()
    value = operation(*parameters)
    expected = reference(*inputs)
    tolerance = bound(dtype, terms, magnitude, roundings)
    assert value.shape == expected.shape and value.dtype is dtype and value.device == device
    np.testing.assert_allclose(value.numpy().astype(np.float64), expected, rtol=0, atol=tolerance)
    gradient = draw(99, expected.shape, dtype)
    value.backward(tensor(gradient, dtype, device))
    for i, parameter in enumerate(parameters):

        def vary(x: Array, i: int = i) -> Array:
            return reference(*[*inputs[:i], x, *inputs[i + 1 :]])

        numeric = numeric_gradient(vary, inputs[i].copy(), gradient)
        found = parameter.take_grad()
        assert found is not None
        np.testing.assert_allclose(found.numpy().astype(np.float64), numeric, rtol=0, atol=tolerance + 1e-8)


def conv2(x: Array, weight: Array, stride=(1, 1), padding=(0, 0), dilation=(1, 1)) -> Array:
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
    return np.max(parts, axis=0)


def cross_entropy(logits: Array, classes: Array, reduction: str = "mean") -> Array:
    shifted = logits - logits.max(axis=1, keepdims=True)
    losses = np.log(np.exp(shifted).sum(axis=1)) - shifted[np.arange(len(classes)), classes]
    return losses.mean() if reduction == "mean" else losses.sum()


def image_size(output, filter, stride=(1, 1), padding=(0, 0), dilation=(1, 1)):
    """The least height and width of images that give an output."""
    return tuple(
        max(1, (o - 1) * s + d * (f - 1) + 1 - 2 * p)
        for o, f, s, p, d in zip(output, filter, stride, padding, dilation, strict=True)
    )


def windows(x, filter, stride=(1, 1), padding=(0, 0), dilation=(1, 1)):
    """Of a view of the padded images, all ``[n, oh, ow, c, fh, fw]``."""
    (ph, pw), (dh, dw) = padding, dilation
    padded = np.pad(x, ((0, 0), (0, 0), (ph, ph), (pw, pw)))
    reach = [(f - 1) * d + 1 for f, d in zip(filter, dilation, strict=True)]
    view = np.lib.stride_tricks.sliding_window_view(padded, reach, (2, 3))
    return view[:, :, :: stride[0], :: stride[1], ::dh, ::dw].transpose(0, 2, 3, 1, 4, 5)


def rows(x, filter, **options):
    """The windows of images as rows, ``[n * oh * ow, c * fh * fw]``."""
    whole = windows(x, filter, **options)
    n, oh, ow, c, fh, fw = whole.shape
    return whole.reshape(n * oh * ow, c * fh * fw)


def summed(columns, shape, filter, stride=(1, 1), padding=(0, 0), dilation=(1, 1)):
    """The images of which windows are rows: a plain loop over the windows, summed in their dtype."""
    n, c, h, w = shape
    oh, ow = ((s + 2 * p - d * (f - 1) - 1) // t + 1
              for s, p, d, f, t in zip((h, w), padding, dilation, filter, stride, strict=True))  # fmt: skip
    whole = columns.reshape(n, oh, ow, c, *filter)
    out = np.zeros((n, c, h + 2 * padding[0], w + 2 * padding[1]), columns.dtype)
    for oy, ox, ky, kx in itertools.product(range(oh), range(ow), range(filter[0]), range(filter[1])):
        out[:, :, oy * stride[0] + ky * dilation[0], ox * stride[1] + kx * dilation[1]] += whole[:, oy, ox, :, ky, kx]
    return out[:, :, padding[0] : padding[0] + h, padding[1] : padding[1] + w]
