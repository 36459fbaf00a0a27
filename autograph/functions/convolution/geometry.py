"""How filters lie on images."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """How filters lie on images: the filter's height and width, then stride, padding and dilation of both axes."""

    filter: tuple[int, int]
    stride: tuple[int, int]
    padding: tuple[int, int]
    dilation: tuple[int, int]

    def output(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the result: ``(n + 2 * padding - dilation * (filter - 1) - 1) // stride + 1``."""
        h, w = (
            (n + 2 * p - d * (f - 1) - 1) // s + 1
            for n, f, s, p, d in zip(
                (height, width), self.filter, self.stride, self.padding, self.dilation, strict=True
            )
        )
        return h, w
