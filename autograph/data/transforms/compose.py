"""Transforms one after the other."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from autograph.errors import DatasetError
from autograph.random.generator import Generator

Transform = Callable[..., Any]
"""From a batch to a batch; one that draws at random has a parameter ``generator`` too."""


class Compose:
    """Transforms one after the other, as one.

    Args:
        *transforms: functions of a batch. Those that have a parameter ``generator`` are given the generator.

    Raises:
        DatasetError: one of them is no function.

    >>> from functools import partial
    >>> from autograph import Tensor, dropout, random
    >>> from autograph.data.transforms import Compose
    >>> transform = Compose(partial(dropout, p=0.5), lambda x: x + 1)
    >>> transform(Tensor.ones(8), random.Generator(0)).tolist()
    [3.0, 3.0, 3.0, 3.0, 3.0, 1.0, 3.0, 1.0]
    """

    def __init__(self, *transforms: Transform) -> None:
        self._transforms = [(transform, _takes_generator(transform)) for transform in transforms]

    def __call__(self, batch: Any, generator: Generator | None = None) -> Any:
        for transform, takes_generator in self._transforms:
            batch = transform(batch, generator=generator) if takes_generator else transform(batch)
        return batch


def _takes_generator(transform: Any) -> bool:
    if not callable(transform):
        raise DatasetError(f"a transform is a function of a batch, not {type(transform).__name__}")
    try:
        return "generator" in inspect.signature(transform).parameters
    except ValueError:  # of functions that are not written in Python
        return False
