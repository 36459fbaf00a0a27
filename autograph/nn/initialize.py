"""How weights start."""

from __future__ import annotations

from math import sqrt

import numpy as np

from autograph.errors import AutographError, DtypeError
from autograph.tensor.base import Shape
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, OutOfMemory, scalar_type

Seed = int | np.random.Generator | None
"""An int; or a generator, drawn from by one layer after the other; or None for a different start each time."""


def uniform(shape: Shape, fan_in: int, seed: np.random.Generator, dtype: DTypeLike, device: Device | None) -> Parameter:
    """A parameter drawn evenly from ``[-a, a)`` with ``a = sqrt(2 / fan_in)``.

    It is drawn in f32 on the host, so that one seed gives one model on every device; other dtypes round it.
    """
    if not scalar_type(dtype).is_float:
        raise DtypeError(f"weights are floats, not {dtype}")
    try:
        drawn = seed.random(shape, dtype=np.float32)
    except (ValueError, MemoryError) as error:
        raise OutOfMemory(f"weights of shape {shape} are more than memory holds: {error}") from error
    # 2 * r - 1 is exact and below 1, hence the product below a.
    values = (2 * drawn - 1) * np.float32(sqrt(2 / fan_in))
    value = Tensor.from_numpy(values).cast(dtype)
    return Parameter(value if device is None else value.to_device(device))


def generator(seed: Seed) -> np.random.Generator:
    """The generator that a seed stands for.

    Raises:
        AutographError: it is not a seed.
    """
    if (isinstance(seed, int | np.integer) and seed >= 0) or seed is None:
        return np.random.default_rng(seed)
    if isinstance(seed, np.random.Generator):
        return seed
    raise AutographError(f"seed={seed!r}; expected a whole number of at least 0, a NumPy Generator, or None")


def require_counts(layer: str, **counts: int) -> None:
    """Counts of inputs and outputs must be above 0."""
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise AutographError(f"{layer}: {name}={count!r}; expected a whole number of at least 1")
