"""Parts of images: crops, and boxes that are erased."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from autograph.errors import AutographError, ShapeError
from autograph.functions.checks import number_of, per_axis
from autograph.functions.launch import split_index
from autograph.functions.type_variables import T, W
from autograph.random.generator import Generator
from autograph.tensor.tensor import Tensor
from krnlpy import Global, GlobalMut, Spec, func, i32, kernel
from krnlpy.dsl import global_id, global_threads

from .images import draw, on_images, over_rows, size_of, span, within


@func
def _from(least: Any, lane: Any, lanes: Any) -> Any:
    """The first column of a lane that is not below another column."""
    return lane + max(0, least - lane + lanes - 1) // lanes * lanes


@kernel(unchecked=True)
def _window(
    x: Global[T, Literal[4]],
    corners: Global[i32, Literal[2]],
    out: GlobalMut[T, Literal[4]],
    fill: W,
    LANES: Spec[i32],
) -> None:
    """``out`` is what of ``x`` is seen from a corner on, and a number beside it."""
    n, channels, height, width = out.shape
    for item in range(global_id(), n * height * LANES, global_threads()):
        row, lane = split_index(item, LANES)
        image, y = split_index(row, height)
        from_row, left = y + corners[image, 0], corners[image, 1]
        first, last = width, width
        if from_row >= 0 and from_row < x.shape[2]:
            first, last = min(max(-left, 0), width), min(max(x.shape[3] - left, 0), width)
        # Three loops without conditions, of which the host makes vectors.
        start, rest = _from(first, lane, LANES), _from(max(first, last), lane, LANES)
        for channel in range(channels):
            for column in range(lane, first, LANES):
                out[image, channel, y, column] = T(fill)
            for column in range(start, last, LANES):
                out[image, channel, y, column] = x[image, channel, from_row, column + left]
            for column in range(rest, width, LANES):
                out[image, channel, y, column] = T(fill)


@kernel(unchecked=True)
def _erase(
    x: Global[T, Literal[4]],
    boxes: Global[i32, Literal[2]],
    out: GlobalMut[T, Literal[4]],
    fill: W,
    LANES: Spec[i32],
) -> None:
    """``out`` is ``x``, but a number in the box ``[top, left, bottom, right]`` of each image."""
    n, channels, height, width = out.shape
    for item in range(global_id(), n * height * LANES, global_threads()):
        row, lane = split_index(item, LANES)
        image, y = split_index(row, height)
        is_within = y >= boxes[image, 0] and y < boxes[image, 2]
        left, right = (boxes[image, 1], boxes[image, 3]) if is_within else (0, 0)
        for channel in range(channels):
            for column in range(lane, width, LANES):
                value = x[image, channel, y, column]
                out[image, channel, y, column] = T(fill) if column >= left and column < right else value


class RandomCrop:
    """A part of each image, at a place of its own; of images that are larger by a border, if ``padding`` says so.

    Args:
        size: height and width of the result; a number for both.
        padding: how many elements are put around an image first; a number, or one for height and width.
        fill: what these are.

    Raises:
        ShapeError: a number is not whole or too small; or, where it is called, an image is too small.

    >>> from autograph import Tensor, random
    >>> from autograph.data.transforms import RandomCrop
    >>> crop = RandomCrop(32, padding=4)
    >>> crop(Tensor.ones((8, 3, 32, 32)), random.Generator(0)).shape
    (8, 3, 32, 32)
    """

    def __init__(self, size: int | tuple[int, int], *, padding: int | tuple[int, int] = 0, fill: float = 0) -> None:
        self._size = size_of("RandomCrop", size)
        self._padding = np.array(per_axis("RandomCrop(padding)", padding, 0, 2))
        self._fill = fill

    def __call__(self, batch: Any, generator: Generator) -> Any:
        def crop(images: Tensor) -> Tensor:
            places = np.array(images.shape[2:]) + 2 * self._padding - self._size + 1
            _require_room("RandomCrop", images, self._size, places)
            chosen = np.floor(draw("RandomCrop", generator, len(images), 2) * places) - self._padding
            return _cropped(images, chosen, self._size, self._fill)

        return on_images("RandomCrop", batch, crop)


class CenterCrop:
    """The middle of each image.

    Args:
        size: height and width of the result; a number for both.

    Raises:
        ShapeError: a number is not whole or below 1; or, where it is called, an image is too small.

    >>> from autograph import arange
    >>> from autograph.data.transforms import CenterCrop
    >>> CenterCrop((1, 2))(arange(12).reshape(1, 1, 3, 4)).numpy().tolist()
    [[[[5, 6]]]]
    """

    def __init__(self, size: int | tuple[int, int]) -> None:
        self._size = size_of("CenterCrop", size)

    def __call__(self, batch: Any) -> Any:
        def crop(images: Tensor) -> Tensor:
            room = np.array(images.shape[2:]) - self._size
            _require_room("CenterCrop", images, self._size, room + 1)
            top, left = (room // 2).tolist()
            height, width = self._size
            return images[:, :, top : top + height, left : left + width].contiguous()

        return on_images("CenterCrop", batch, crop)


class Cutout:
    """Erases a square at a random place of each image; a part of it may lie outside.

    The method is that of T. DeVries, G. W. Taylor, "Improved Regularization of Convolutional Neural Networks with
    Cutout", 2017.

    Args:
        size: height and width of what is erased; a number for both.
        value: what is put there.

    Raises:
        ShapeError: a number is not whole or below 1.

    >>> from autograph import Tensor, random
    >>> from autograph.data.transforms import Cutout
    >>> int(Cutout(1)(Tensor.ones((5, 1, 8, 8)), random.Generator(0)).sum().item())
    315
    """

    def __init__(self, size: int | tuple[int, int], *, value: float = 0) -> None:
        self._size = size_of("Cutout", size)
        self._value = value

    def __call__(self, batch: Any, generator: Generator) -> Any:
        def cut(images: Tensor) -> Tensor:
            centers = np.floor(draw("Cutout", generator, len(images), 2) * images.shape[2:])
            corners = centers - np.array(self._size) // 2
            return _erased(images, np.concatenate([corners, corners + self._size], axis=1), self._value)

        return on_images("Cutout", batch, cut)


class RandomErasing:
    """Erases a rectangle of random size and place of some images.

    The method is that of Z. Zhong et al., "Random Erasing Data Augmentation", 2020; a rectangle that is higher or wider
    than the image is cut to its size.

    Args:
        p: the share of images that are changed, from 0 to 1.
        scale: least and greatest area, as a share of the image's.
        ratio: least and greatest ratio of height and width, above 0; all ratios are equally likely by their logarithm.
        value: what is put there.

    Raises:
        AutographError: an argument is out of range.

    >>> from autograph import Tensor, random
    >>> from autograph.data.transforms import RandomErasing
    >>> erased = RandomErasing(p=1, scale=(0.25, 0.25))(Tensor.ones((100, 1, 32, 32)), random.Generator(0))
    >>> round(float(erased.mean().item()), 2)
    0.75
    """

    def __init__(
        self,
        p: float = 0.5,
        *,
        scale: tuple[float, float] = (0.02, 0.33),
        ratio: tuple[float, float] = (0.3, 3.3),
        value: float = 0,
    ) -> None:
        self._p = within("RandomErasing(p)", p, 0, 1)
        self._scale = span("RandomErasing(scale)", scale, 0, 1)
        self._ratio = span("RandomErasing(ratio)", ratio, 0, 1e6)
        if not self._ratio[0]:
            raise AutographError(f"RandomErasing(ratio={ratio!r}): expected numbers above 0")
        self._value = value

    def __call__(self, batch: Any, generator: Generator) -> Any:
        def erase(images: Tensor) -> Tensor:
            size = np.array(images.shape[2:])
            u = draw("RandomErasing", generator, len(images), 5)
            low, high = self._scale
            area = (low + (high - low) * u[:, 1]) * size.prod()
            low, high = np.log(self._ratio)
            ratio = np.exp(low + (high - low) * u[:, 2])
            sides = np.minimum(np.rint(np.sqrt(np.stack([area * ratio, area / ratio], axis=1))), size)
            sides[u[:, 0] >= self._p] = 0
            corners = np.floor(u[:, 3:] * (size - sides + 1))
            return _erased(images, np.concatenate([corners, corners + sides], axis=1), self._value)

        return on_images("RandomErasing", batch, erase)


def _require_room(name: str, images: Tensor, size: tuple[int, int], places: npt.NDArray[Any]) -> None:
    if places.min() < 1:
        raise ShapeError(f"{name} of size {size} of images of shape {images.shape}: they are too small")


def _cropped(images: Tensor, corners: npt.NDArray[np.float64], size: tuple[int, int], fill: float) -> Tensor:
    number = number_of("RandomCrop(fill)", fill, images.dtype)
    return over_rows(_window, images, corners.astype(np.int32), size, number)


def _erased(images: Tensor, boxes: npt.NDArray[np.float64], value: float) -> Tensor:
    number = number_of("erasing", value, images.dtype)
    height, width = images.shape[2:]
    return over_rows(_erase, images, boxes.astype(np.int32), (height, width), number)
