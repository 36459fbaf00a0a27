"""Other numbers for arguments that prove nothing: on zeros, kernels that compute different things agree."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from krnlpy.buffers.buffer import Buffer
from krnlpy.views import strides as views


def varied(arguments: Sequence[Any]) -> tuple[Any, ...] | None:
    """The arguments with buffers of random numbers in place of those of floats whose elements are all equal; None
    where there are none of these.

    The numbers are within half to one and a half times what is there, or of 1 where it is 0, and the same each time.
    Integers stay: they may be indices and lengths.
    """
    groups: dict[int, list[Buffer]] = {}
    for argument in arguments:
        if isinstance(argument, Buffer) and argument.memory is not None and argument.size:
            groups.setdefault(id(argument.memory), []).append(argument)
    random = np.random.default_rng(0)
    others: dict[int, tuple[Buffer, int]] = {}
    for key, buffers in groups.items():
        value = _only_value(buffers)
        if value is None:
            continue
        facts = [views.facts(buffer.shape, buffer.strides) for buffer in buffers]
        begin = min(b.offset + f.low for b, f in zip(buffers, facts, strict=True))
        end = max(b.offset + f.high for b, f in zip(buffers, facts, strict=True))
        numbers = (value or 1.0) * random.uniform(0.5, 1.5, end - begin)
        new = Buffer.from_numpy(numbers.astype(buffers[0].dtype.dtype), buffers[0].device)
        others[key] = new, begin
    if not others:
        return None
    return tuple(_replaced(argument, others) for argument in arguments)


def _only_value(buffers: Sequence[Buffer]) -> float | None:
    """The number that all elements are, of buffers of one type of floats."""
    if not all(b.dtype is buffers[0].dtype and b.dtype.is_float for b in buffers):
        return None
    first: float | None = None
    for buffer in buffers:
        values = buffer.numpy()
        least, most = float(values.min()), float(values.max())
        if least != most or not np.isfinite(least) or first not in (None, least):
            return None
        first = least
    return first


def _replaced(argument: Any, others: dict[int, tuple[Buffer, int]]) -> Any:
    if not isinstance(argument, Buffer) or id(argument.memory) not in others or not argument.size:
        return argument
    new, begin = others[id(argument.memory)]
    return Buffer(
        argument.device, argument.dtype, new.memory, argument.shape, argument.strides, argument.offset - begin
    )
