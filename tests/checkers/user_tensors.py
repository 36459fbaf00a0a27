"""A user's module of tensors: mypy --strict sees the types of their methods, and what is wrong."""

from __future__ import annotations

from typing import assert_type

import numpy as np

from autograph import Parameter, Tensor
from krnlpy import f32


def run() -> Tensor:
    x, weight = Tensor.ones((2, 3, 4, 4)), Parameter(Tensor.ones((5, 3, 2, 2)))
    assert_type(x.conv2(weight, stride=(2, 2)), Tensor)
    assert_type(weight.relu().max_pool2(2), Tensor)
    assert_type(2 - x / 3 + x[0], Tensor)
    rows = assert_type(x.reshape(6, -1), Tensor)
    assert_type(rows @ rows.T, Tensor)
    assert_type(rows.cast("f16").sum(0, beta=0.0), Tensor)
    return assert_type(rows.cross_entropy_loss(np.zeros(6, int), "sum"), Tensor)


def wrong(x: Tensor) -> None:
    x.no_such_method  # type: ignore[attr-defined]  # noqa: B018
    x.cast(f32, 2)  # type: ignore[call-arg]
    x.conv2(1)  # type: ignore[arg-type]
    x + "1"  # type: ignore[arg-type]
