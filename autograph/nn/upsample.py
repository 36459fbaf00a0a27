"""Layers that change the size of images."""

from __future__ import annotations

from typing import Any

from autograph.errors import AutographError, ShapeError
from autograph.functions.checks import is_number, single
from autograph.functions.interpolation.interpolate import Mode, interpolate, pixel_shuffle, pixel_unshuffle
from autograph.tensor.base import require_tensor
from autograph.tensor.tensor import Tensor

from .layer import Layer
from .settings import Sizes, settings


class Upsample(Layer):
    """Signals, images or volumes at another size.

    Args:
        size, scale, mode, align_corners: as :func:`autograph.interpolate` takes them.

    Raises:
        ShapeError: ``size`` or ``scale`` is not above 0. AutographError: there is no such mode.

    >>> from autograph import Tensor, Upsample
    >>> Upsample(scale=2)(Tensor.ones((1, 3, 7, 8))).shape
    (1, 3, 14, 16)
    """

    def __init__(
        self,
        size: Sizes | None = None,
        *,
        scale: float | tuple[float, ...] | None = None,
        mode: Mode = "nearest",
        align_corners: bool = False,
    ) -> None:
        for name, value in (("size", size), ("scale", scale)):
            several: Any = value if isinstance(value, tuple | list) else (value,)
            if value is not None and not all(is_number(number) and number > 0 for number in several):
                raise ShapeError(f"Upsample({name}={value!r}): expected a number above 0, or one for each axis")
        if not isinstance(mode, str) or mode not in ("nearest", "linear"):
            raise AutographError(f"Upsample(mode={mode!r}): expected 'nearest' or 'linear'")
        self.size, self.scale, self.mode, self.align_corners = size, scale, mode, bool(align_corners)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` at the layer's size.

        Raises:
            ShapeError, DtypeError, AutographError: as :func:`autograph.interpolate`.

        >>> from autograph import Tensor, Upsample
        >>> Upsample(3, mode="linear", align_corners=True)(Tensor.from_numpy([[[1.0, 3.0]]])).numpy().tolist()
        [[[1.0, 2.0, 3.0]]]
        """
        require_tensor("Upsample", x)
        return interpolate(x, self.size, scale=self.scale, mode=self.mode, align_corners=self.align_corners)

    def describe(self) -> str:
        return settings(
            *(() if self.size is None else (self.size,)),
            scale=(self.scale, None),
            mode=(self.mode, "nearest"),
            align_corners=(self.align_corners, False),
        )


class PixelShuffle(Layer):
    """Images ``[n, c * factor**2, h, w]`` to larger ones, ``[n, c, h * factor, w * factor]``; see
    :func:`autograph.pixel_shuffle`.

    Args:
        factor: at least 1.

    Raises:
        ShapeError: ``factor`` is not a whole number of at least 1.

    >>> from autograph import PixelShuffle, Tensor
    >>> PixelShuffle(2)(Tensor.ones((1, 12, 5, 6))).shape
    (1, 3, 10, 12)
    """

    def __init__(self, factor: int) -> None:
        self.factor = single("factor", factor, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` with its channels as pixels.

        Raises:
            ShapeError: not images, or their channels are no multiple of ``factor**2``.
            DtypeError: ``x`` is not a tensor.

        >>> from autograph import PixelShuffle, Tensor
        >>> PixelShuffle(1)(Tensor.ones((1, 2, 3, 4))).shape
        (1, 2, 3, 4)
        """
        return pixel_shuffle(x, self.factor)

    def describe(self) -> str:
        return settings(self.factor)


class PixelUnshuffle(Layer):
    """Images ``[n, c, h * factor, w * factor]`` to smaller ones with more channels; see
    :func:`autograph.pixel_unshuffle`.

    Args:
        factor: at least 1.

    Raises:
        ShapeError: ``factor`` is not a whole number of at least 1.

    >>> from autograph import PixelUnshuffle, Tensor
    >>> PixelUnshuffle(2)(Tensor.ones((1, 3, 10, 12))).shape
    (1, 12, 5, 6)
    """

    def __init__(self, factor: int) -> None:
        self.factor = single("factor", factor, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``x`` with its pixels as channels.

        Raises:
            ShapeError: not images, or their sides are no multiples of ``factor``.
            DtypeError: ``x`` is not a tensor.

        >>> from autograph import PixelUnshuffle, Tensor
        >>> PixelUnshuffle(2)(Tensor.ones((1, 1, 4, 4))).shape
        (1, 4, 2, 2)
        """
        return pixel_unshuffle(x, self.factor)

    def describe(self) -> str:
        return settings(self.factor)
