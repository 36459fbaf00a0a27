"""Where something stands in a sequence: as sines and cosines, and as rotations of queries and keys."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

import numpy as np

from autograph.errors import AutographError, DeviceError, DtypeError, ShapeError
from autograph.functions.casts import cast
from autograph.functions.checks import broadcast_shape, is_number, single
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.sequences import arange
from autograph.functions.shapes.joining import concat, split
from autograph.functions.shapes.views import reshape
from autograph.tensor.base import TensorBase, require_tensor, tensor_of
from krnlpy import Buffer, Device, DTypeLike, dsl, f32, f64, scalar_type

if TYPE_CHECKING:
    from autograph.tensor.base import Tensor


def sinusoidal_positions(
    length: int,
    features: int,
    *,
    offset: int = 0,
    base: float = 10000.0,
    dtype: DTypeLike = f32,
    device: Device | None = None,
) -> Tensor:
    """A vector for each place of a sequence: sines, and between them cosines, of wavelengths from ``2 * pi`` on.

    Source: A. Vaswani et al., "Attention Is All You Need", 2017.

    Args:
        length: how many places.
        features: of a vector.
        offset: the first place.
        base: of the wavelengths: the longest is nearly ``2 * pi * base``.
        dtype: a float type.
        device: None is the host.

    Returns:
        ``[length, features]``.

    Raises:
        ShapeError: a count is below 0.
        AutographError: ``base`` is not above 0, or ``offset`` no whole number.
        DtypeError: ``dtype`` is not a float type.

    >>> from autograph import sinusoidal_positions
    >>> sinusoidal_positions(2, 4).numpy().round(3).tolist()
    [[0.0, 1.0, 0.0, 1.0], [0.8410000205039978, 0.5400000214576721, 0.009999999776482582, 1.0]]
    """
    _require_base("sinusoidal_positions", base)
    length, features = single("length", length, 0), single("features", features, 0)
    try:
        offset = operator.index(offset)
    except TypeError:
        raise AutographError(f"sinusoidal_positions: offset={offset!r}; expected a whole number") from None
    to = scalar_type(dtype)
    if not to.is_float:
        raise DtypeError(f"sinusoidal_positions of {to}: expected a float type")
    places = np.arange(offset, offset + length, dtype=np.float64)[:, None]
    columns = np.arange(features)
    angles = places * base ** (-(columns - columns % 2) / max(1, features))
    values = np.where(columns % 2, np.cos(angles), np.sin(angles)).astype(np.float32 if to is not f64 else np.float64)
    table = tensor_of(Buffer.from_numpy(values, device))
    return table if table.dtype is to else cast(table, to)


@elementwise
def _angle(place: Any, i: Any, rate: Any) -> Any:
    """The place times ``base ** (-2 * i / features)``, the rate being its logarithm."""
    return place * dsl.exp(i * rate)


@elementwise
def _turned(x: Any, y: Any, angle: Any) -> Any:
    sine, cosine = dsl.sin(angle), dsl.cos(angle)
    return x * cosine - y * sine, y * cosine + x * sine


def rotary_embedding(x: Tensor, positions: Tensor | int = 0, *, base: float = 10000.0) -> Tensor:
    """Vectors turned by their places, so that products of two depend on how far apart these are.

    Number ``i`` of the first half and of the second half of the features are a point in a plane, which is turned by
    ``place * base ** (-2 * i / features)``: the layout of GPT-NeoX and Hugging Face's Llama. Source: J. Su et al.,
    "RoFormer: Enhanced Transformer with Rotary Position Embedding", 2021.

    Args:
        x: ``[..., length, features]`` of floats, such as queries or keys; the features are even.
        positions: the place of the first vector; or a tensor of the places of all, which broadcasts to
            ``[..., length]``.
        base: of the wavelengths.

    Raises:
        ShapeError: ``x`` has fewer than two axes or odd features, or the positions do not broadcast.
        DtypeError: ``x`` is not a tensor of floats.
        DeviceError: the positions lie on another device.
        AutographError: ``base`` is not above 0.

    >>> from autograph import Tensor, rotary_embedding
    >>> x = Tensor.from_numpy([[1.0, 0.0], [1.0, 0.0]]).cast("f32")
    >>> rotary_embedding(x).numpy().round(3).tolist()
    [[1.0, 0.0], [0.5400000214576721, 0.8410000205039978]]
    """
    require_tensor("rotary_embedding", x)
    _require_base("rotary_embedding", base)
    if not x.dtype.is_float:
        raise DtypeError(f"rotary_embedding of {x.dtype}: convert to a float type first")
    if x.ndim < 2 or x.shape[-1] % 2:
        raise ShapeError(f"rotary_embedding of shape {x.shape}: expected [..., length, features], the features even")
    compute, features = x.dtype.compute, x.shape[-1]
    if isinstance(positions, TensorBase):
        if positions.device != x.device:
            raise DeviceError(f"rotary_embedding: positions on {positions.device.name}, x on {x.device.name}")
        if broadcast_shape("rotary_embedding: places", [x.shape[:-1], positions.shape]) != x.shape[:-1]:
            raise ShapeError(f"rotary_embedding of shape {x.shape}: positions of shape {positions.shape} are too many")
        places = cast(positions, compute)
    else:
        try:
            first = operator.index(positions)
        except TypeError:
            raise DtypeError(
                f"rotary_embedding(positions={positions!r}): expected a tensor or a whole number"
            ) from None
        places = arange(first, first + x.shape[-2], dtype=compute, device=x.device)
    numbers = arange(features // 2, dtype=compute, device=x.device)
    angles = _angle(reshape(places, (*places.shape, 1)), numbers, -2.0 * float(np.log(base)) / max(1, features))
    turned = concat(_turned(*split(x, 2, axis=-1), angles), axis=-1)
    return turned if turned.dtype is x.dtype else cast(turned, x.dtype)


def _require_base(operation: str, base: Any) -> None:
    if not is_number(base) or base <= 0:
        raise AutographError(f"{operation}(base={base!r}): expected a number above 0")
