"""Images flipped, turned, moved, scaled and sheared."""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from autograph.errors import AutographError, DtypeError
from autograph.functions.checks import is_number, number_of
from autograph.functions.elementwise.comparisons import where
from autograph.functions.launch import split_index
from autograph.functions.shapes.arrangement import flip
from autograph.functions.type_variables import T, W, accumulator
from autograph.random.discrete import bernoulli
from autograph.random.generator import Generator, require_generator
from autograph.tensor.tensor import Tensor
from krnlpy import Global, GlobalMut, ScalarType, Spec, func, i32, kernel
from krnlpy.dsl import floor, global_id, global_threads

from .images import draw, on_images, over_rows, span, within


class RandomHorizontalFlip:
    """Exchanges left and right of some images.

    Args:
        p: the share of images that are changed, from 0 to 1.

    Raises:
        AutographError: ``p`` is out of range.

    >>> from autograph import arange, random
    >>> from autograph.data.transforms import RandomHorizontalFlip
    >>> RandomHorizontalFlip(p=1)(arange(3).reshape(1, 1, 1, 3), random.Generator(0)).tolist()
    [[[[2, 1, 0]]]]
    """

    _axis = 3

    def __init__(self, p: float = 0.5) -> None:
        self._p = within(f"{type(self).__name__}(p)", p, 0, 1)

    def __call__(self, batch: Any, generator: Generator) -> Any:
        name = type(self).__name__

        def flipped(images: Tensor) -> Tensor:
            n, device = len(images), images.device
            chosen = bernoulli(require_generator(name, generator), self._p, (n, 1, 1, 1), device=device)
            return where(chosen, flip(images, axis=self._axis), images)

        return on_images(name, batch, flipped)


class RandomVerticalFlip(RandomHorizontalFlip):
    """Exchanges top and bottom of some images.

    Args:
        p: the share of images that are changed, from 0 to 1.

    Raises:
        AutographError: ``p`` is out of range.

    >>> from autograph import arange, random
    >>> from autograph.data.transforms import RandomVerticalFlip
    >>> RandomVerticalFlip(p=1)(arange(4).reshape(1, 1, 2, 2), random.Generator(0)).tolist()
    [[[[2, 3], [0, 1]]]]
    """

    _axis = 2


class RandomAffine:
    """Turns each image about its middle, scales, shears and moves it, by numbers of its own.

    Between elements, values are interpolated linearly along both axes.

    Args:
        degrees: of the turn, anticlockwise: least and greatest, or a number for its negative and itself.
        translate: the greatest move to either side, as shares of width and height.
        scale: least and greatest factor.
        shear: of horizontal lines against vertical ones, in degrees: least and greatest, or a number as for
            ``degrees``.
        fill: what lies outside of an image.

    Raises:
        AutographError: an argument is out of range.
        DtypeError: where it is called: the images are not of floats.

    >>> from autograph import Tensor, random
    >>> from autograph.data.transforms import RandomAffine
    >>> transform = RandomAffine(10, translate=(0.1, 0.1), scale=(0.9, 1.1))
    >>> transform(Tensor.ones((8, 1, 28, 28)), random.Generator(0)).shape
    (8, 1, 28, 28)
    """

    def __init__(
        self,
        degrees: float | tuple[float, float],
        *,
        translate: tuple[float, float] = (0, 0),
        scale: tuple[float, float] = (1, 1),
        shear: float | tuple[float, float] = 0,
        fill: float = 0,
    ) -> None:
        name = type(self).__name__
        angles = span(f"{name}(degrees)", _both_ways(degrees), -360, 360)
        shears = span(f"{name}(shear)", _both_ways(shear), -89, 89)
        if not isinstance(translate, tuple | list) or len(translate) != 2:
            raise AutographError(f"{name}(translate={translate!r}): expected shares of width and height")
        moves = [_both_ways(within(f"{name}(translate)", share, 0, 1)) for share in translate]
        self._spans = np.array([angles, *moves, span(f"{name}(scale)", scale, 1e-3, 1e3), shears])
        self._fill = fill

    def __call__(self, batch: Any, generator: Generator) -> Any:
        name = type(self).__name__

        def changed(images: Tensor) -> Tensor:
            low, high = self._spans.T
            numbers = low + (high - low) * draw(name, generator, len(images), 5)
            return affine(name, images, _matrices(images, numbers), self._fill)

        return on_images(name, batch, changed)


class RandomRotation(RandomAffine):
    """Turns each image about its middle, by an angle of its own.

    Args:
        degrees: anticlockwise: least and greatest, or a number for its negative and itself.
        fill: what lies outside of an image.

    Raises:
        AutographError: an argument is out of range.
        DtypeError: where it is called: the images are not of floats.

    >>> from autograph import arange, random
    >>> from autograph.data.transforms import RandomRotation
    >>> RandomRotation((90, 90))(arange(4.0).reshape(1, 1, 2, 2), random.Generator(0)).numpy().round(5).tolist()
    [[[[1.0, 3.0], [0.0, 2.0]]]]
    """

    def __init__(self, degrees: float | tuple[float, float], *, fill: float = 0) -> None:
        super().__init__(degrees, fill=fill)


def affine(name: str, images: Tensor, matrices: npt.NDArray[np.float64], fill: float) -> Tensor:
    """Images whose element ``(x, y)`` is that of another place: ``matrices[i] @ [x, y, 1]`` of image i.

    Raises:
        DtypeError: the images are not of floats, or ``fill`` is no number.
    """
    if not images.dtype.is_float:
        raise DtypeError(f"{name} takes images of floats, not {images.dtype}: ScaleBytes before it makes them")
    wide = accumulator(images.dtype)
    height, width = images.shape[2:]
    table = matrices.reshape(-1, 6).astype(wide.dtype)
    return over_rows(_affine(wide), images, table, (height, width), number_of(f"{name}(fill)", fill, wide))


@func
def _at(x: Any, image: Any, channel: Any, row: Any, column: Any, fill: Any) -> Any:
    if row >= 0 and row < x.shape[2] and column >= 0 and column < x.shape[3]:
        return type(fill)(x[image, channel, row, column])
    return fill


@func
def _between(p: Any, q: Any, r: Any, s: Any, share_x: Any, share_y: Any) -> Any:
    high, low = p + share_x * (q - p), r + share_x * (s - r)
    return high + share_y * (low - high)


@cache
def _affine(wide: ScalarType) -> Any:
    """The kernel that computes in a type."""

    @kernel(unchecked=True)
    def affine(
        x: Global[T, Literal[4]],
        matrices: Global[W, Literal[2]],
        out: GlobalMut[T, Literal[4]],
        fill: W,
        LANES: Spec[i32],
    ) -> None:
        n, channels, height, width = out.shape
        for item in range(global_id(), n * height * LANES, global_threads()):
            row, lane = split_index(item, LANES)
            image, y = split_index(row, height)
            start_x = matrices[image, 1] * wide(y) + matrices[image, 2]
            start_y = matrices[image, 4] * wide(y) + matrices[image, 5]
            for column in range(lane, width, LANES):
                # What is farther than one element outside is all fill: it must still be a number of i32.
                at_x = min(max(matrices[image, 0] * wide(column) + start_x, wide(-2)), wide(width + 1))
                at_y = min(max(matrices[image, 3] * wide(column) + start_y, wide(-2)), wide(height + 1))
                left, top = floor(at_x), floor(at_y)
                share_x, share_y = at_x - left, at_y - top
                i, j = i32(top), i32(left)
                # Nearly all places are inside, where nothing is asked.
                if i >= 0 and i < height - 1 and j >= 0 and j < width - 1:
                    for channel in range(channels):
                        p, q = wide(x[image, channel, i, j]), wide(x[image, channel, i, j + 1])
                        r, s = wide(x[image, channel, i + 1, j]), wide(x[image, channel, i + 1, j + 1])
                        out[image, channel, y, column] = T(_between(p, q, r, s, share_x, share_y))
                else:
                    for channel in range(channels):
                        p, q = _at(x, image, channel, i, j, fill), _at(x, image, channel, i, j + 1, fill)
                        r, s = _at(x, image, channel, i + 1, j, fill), _at(x, image, channel, i + 1, j + 1, fill)
                        out[image, channel, y, column] = T(_between(p, q, r, s, share_x, share_y))

    return affine


def _matrices(images: Tensor, numbers: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """From places of the result to those of the images, for angles, moves along x and y, scales and shears."""
    height, width = images.shape[2:]
    angle, shear = np.deg2rad(numbers[:, 0]), np.deg2rad(numbers[:, 4])
    cos, sin, scale = np.cos(angle), np.sin(angle), numbers[:, 3]
    # Rows go down, so that this turns anticlockwise as one sees it.
    turn = np.array([[cos, sin], [-sin, cos]]).transpose(2, 0, 1)
    slant = np.array([[np.ones_like(shear), np.tan(shear)], [np.zeros_like(shear), np.ones_like(shear)]])
    back = np.linalg.inv(scale[:, None, None] * turn @ slant.transpose(2, 0, 1))
    center = np.array([(width - 1) / 2, (height - 1) / 2])
    move = numbers[:, 1:3] * [width, height]
    offset = center - (back @ (center + move)[:, :, None])[:, :, 0]
    return np.concatenate([back, offset[:, :, None]], axis=2)


def _both_ways(value: Any) -> Any:
    return (-abs(value), abs(value)) if is_number(value) else value
