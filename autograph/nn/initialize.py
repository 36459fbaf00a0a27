"""The first parameters of layers."""

from __future__ import annotations

import numpy as np

from autograph.errors import AutographError, DtypeError, ShapeError
from autograph.tensor.base import Shape
from autograph.tensor.parameter import Parameter
from autograph.tensor.tensor import Tensor
from krnlpy import Device, DTypeLike, OutOfMemory, scalar_type

from .initializers import Fans, Initializer, scaled_uniform


def initial(
    shape: Shape,
    fans: Fans,
    initialize: Initializer | None,
    rng: np.random.Generator,
    dtype: DTypeLike,
    device: Device | None,
) -> Parameter:
    """A parameter as an initializer draws it; None is :func:`scaled_uniform`.

    It is drawn on the host, in f32, so that one seed gives one model on every device; other dtypes round it.
    """
    if not scalar_type(dtype).is_float:
        raise DtypeError(f"weights are floats, not {dtype}")
    if initialize is not None and not callable(initialize):
        raise AutographError(f"initialize={initialize!r}; expected a function, such as initializers.xavier_uniform()")
    try:
        values = np.asarray((scaled_uniform() if initialize is None else initialize)(shape, fans, rng), np.float32)
    except (ValueError, MemoryError) as error:
        raise OutOfMemory(f"weights of shape {shape} are more than memory holds: {error}") from error
    if values.shape != shape:
        raise ShapeError(f"initialize gave weights of shape {values.shape}; expected {shape}")
    value = Tensor.from_numpy(values).cast(dtype)
    return Parameter(value if device is None else value.to_device(device))


def uniform(shape: Shape, fan_in: int, rng: np.random.Generator, dtype: DTypeLike, device: Device | None) -> Parameter:
    """A parameter as layers begin where nothing is said."""
    return initial(shape, Fans(fan_in, fan_in), None, rng, dtype, device)


def initial_bias(
    count: int,
    fan_in: int,
    initialize: Initializer | None,
    rng: np.random.Generator,
    dtype: DTypeLike,
    device: Device | None,
) -> Parameter:
    """What is added to each of so many features: drawn as weights are, or 0 if an initializer draws these."""
    if initialize is None:
        return uniform((count,), fan_in, rng, dtype, device)
    return Parameter(Tensor.zeros(count, dtype, device))


def require_counts(layer: str, **counts: int) -> None:
    """Counts of inputs and outputs must be above 0."""
    for name, count in counts.items():
        if isinstance(count, bool) or not isinstance(count, int | np.integer) or count < 1:
            raise AutographError(f"{layer}: {name}={count!r}; expected a whole number of at least 1")
