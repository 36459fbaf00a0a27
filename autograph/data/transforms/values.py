"""Elements of images as other numbers, and classes as rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.functions.casts import cast, scaled_cast
from autograph.functions.creation import from_numpy
from autograph.functions.elementwise.operation import elementwise
from autograph.functions.indexing.one_hot import one_hot
from autograph.functions.shapes.arrangement import expand_dims, moveaxis
from autograph.functions.shapes.views import contiguous
from autograph.functions.type_variables import accumulator
from autograph.tensor.base import TensorBase
from autograph.tensor.tensor import Tensor
from krnlpy import DTypeLike, f32, scalar_type, u8

from .images import on_first, on_images


class ChannelsFirst:
    """Pictures ``[n, h, w]`` or ``[n, h, w, c]``, as other libraries have them, as images ``[n, c, h, w]``.

    Raises:
        ShapeError: where it is called: they have another number of axes.

    >>> from autograph import Tensor
    >>> from autograph.data.transforms import ChannelsFirst
    >>> ChannelsFirst()(Tensor.ones((5, 8, 9, 3))).shape, ChannelsFirst()(Tensor.ones((5, 8, 9))).shape
    ((5, 3, 8, 9), (5, 1, 8, 9))
    """

    def __call__(self, batch: Any) -> Any:
        def arranged(images: Tensor) -> Tensor:
            if images.ndim == 3:
                return expand_dims(images, axis=1)
            if images.ndim == 4:
                return contiguous(moveaxis(images, -1, 1))
            raise ShapeError(f"ChannelsFirst takes pictures of shape [n, h, w] or [n, h, w, c], not {images.shape}")

        return on_first("ChannelsFirst", batch, arranged)


class ScaleBytes:
    """Bytes from 0 to 255 as floats from 0 to 1.

    Args:
        dtype: f16, bf16, f32 or f64.

    Raises:
        DtypeError: ``dtype`` is not of floats; or, where it is called, the images are not of u8.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> from autograph.data.transforms import ScaleBytes
    >>> images = Tensor.from_numpy(np.array([0, 51, 255], np.uint8).reshape(1, 1, 1, 3))
    >>> ScaleBytes()(images).numpy().round(3)
    array([[[[0. , 0.2, 1. ]]]], dtype=float32)
    """

    def __init__(self, dtype: DTypeLike = f32) -> None:
        self._dtype = scalar_type(dtype)
        if not self._dtype.is_float:
            raise DtypeError(f"ScaleBytes gives floats, not {self._dtype}")

    def __call__(self, batch: Any) -> Any:
        def scaled(images: Tensor) -> Tensor:
            if images.dtype is not u8:
                raise DtypeError(f"ScaleBytes takes images of u8, not {images.dtype}")
            return scaled_cast(images, 1 / 255, self._dtype)

        return on_images("ScaleBytes", batch, scaled)


@elementwise
def _normalized(x: Any, mean: Any, factor: Any) -> Any:
    return (x - mean) * factor


class Normalize:
    """Subtracts a mean from the elements of each channel, and divides them by a standard deviation.

    Args:
        mean: one number for all channels, or one for each.
        std: the same; above 0.

    Raises:
        AutographError: an argument is no finite number, or a standard deviation not above 0.
        ShapeError: where it is called: there are not as many numbers as channels.
        DtypeError: where it is called: the images are not of floats.

    >>> from autograph import Tensor
    >>> from autograph.data.transforms import Normalize
    >>> Normalize([0, 0.5], [1, 0.25])(Tensor.ones((1, 2, 1, 1))).numpy().ravel().tolist()
    [1.0, 2.0]
    """

    def __init__(self, mean: float | Sequence[float], std: float | Sequence[float]) -> None:
        try:
            means, stds = (np.atleast_1d(np.asarray(numbers, np.float64)) for numbers in (mean, std))
        except (TypeError, ValueError):
            means = stds = np.empty((0, 0))
        if means.ndim != 1 or stds.ndim != 1 or not (np.isfinite(means) & np.isfinite(stds)).all():
            raise AutographError(f"Normalize({mean!r}, {std!r}): expected finite numbers, for all channels or for each")
        if not (stds > 0).all():
            raise AutographError(f"Normalize(std={std!r}): expected numbers above 0")
        self._means, self._factors = np.broadcast_arrays(means, 1 / stds)
        self._on = lru_cache(maxsize=8)(self._made)

    def _made(self, device: Any, dtype: Any) -> tuple[Tensor, ...]:
        """Means and factors on a device: nothing can be moved there while a graph is captured."""
        return tuple(
            from_numpy(numbers.astype(dtype.dtype).reshape(-1, 1, 1), device)
            for numbers in (self._means, self._factors)
        )

    def __call__(self, batch: Any) -> Any:
        def normalized(images: Tensor) -> Tensor:
            if not images.dtype.is_float:
                raise DtypeError(
                    f"Normalize takes images of floats, not {images.dtype}: ScaleBytes before it makes them"
                )
            if len(self._means) not in (1, images.shape[1]):
                raise ShapeError(f"Normalize by {len(self._means)} numbers of images of shape {images.shape}")
            return cast(_normalized(images, *self._on(images.device, accumulator(images.dtype))), images.dtype)

        return on_images("Normalize", batch, normalized)


class OneHot:
    """Classes as rows of zeros with a one: the second item of a batch becomes ``[n, count]``.

    Args:
        count: of classes.
        dtype: of the result.

    Raises:
        DtypeError: ``dtype`` is not a scalar type; or, where it is called, the classes are not integers.
        ShapeError: where it is called: ``count`` is not a whole number of at least 1, or a class is not below it.
        AutographError: where it is called: the batch is no tuple of images and classes.

    >>> import numpy as np
    >>> from autograph import Tensor
    >>> from autograph.data.transforms import OneHot
    >>> _, rows = OneHot(3)((Tensor.ones((2, 1, 1, 1)), Tensor.from_numpy(np.array([2, 0], np.uint8))))
    >>> rows.tolist()
    [[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]
    """

    def __init__(self, count: int, dtype: DTypeLike = f32) -> None:
        self._count, self._dtype = count, scalar_type(dtype)

    def __call__(self, batch: Any) -> Any:
        images, classes, *rest = with_classes("OneHot", batch)
        return (images, one_hot(classes, self._count, self._dtype), *rest)


def with_classes(name: str, batch: Any) -> tuple[Any, ...]:
    """The batch, which must be a tuple whose second item are classes.

    Raises:
        AutographError: it is another.
    """
    if not isinstance(batch, tuple) or len(batch) < 2 or not isinstance(batch[1], TensorBase):
        raise AutographError(f"{name} takes a tuple of images and classes, both tensors")
    return batch
