"""Layers that change the size of images."""

from __future__ import annotations

from typing import Any

from autograph.errors import AutographError, ShapeError
from autograph.functions.checks import is_number
from autograph.functions.interpolation.interpolate import Mode, interpolate
from autograph.tensor.base import require_tensor
from autograph.tensor.tensor import Tensor

from .layer import Layer, Sizes, settings


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
