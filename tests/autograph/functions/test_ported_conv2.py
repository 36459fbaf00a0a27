"""The reference's tests of direct convolution, ported: its filters, sizes and outputs, against plain loops over taps.

All numbers are whole and small, so that each sum is exact in f32 in any order, and nothing may be off at all.
"""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from autograph import Parameter
from krnlpy import Device, f32
from tests.autograph.reference import conv2, tensor
from tests.support.tiers import sampled
from tests.support.typed import present

FILTERS = [(1, 1), (3, 3), (5, 5), (7, 7), (1, 3), (3, 5), (1, 7)]
SIZES = [(1, 1, 1), *((*([1] * i), n, *([1] * (2 - i))) for n in (2, 3, 13) for i in range(3))]
"""Images, inputs, outputs."""
OUTPUTS = list(itertools.product((1, 2, 3, 5), repeat=2))
CASES = list(itertools.product(SIZES, OUTPUTS))


def gradients(x: Any, weight: Any, dy: Any) -> Any:
    dx, dw = np.zeros_like(x), np.zeros_like(weight)
    oh, ow = dy.shape[2:]
    for ky, kx in np.ndindex(*weight.shape[2:]):
        rows, columns = slice(ky, ky + oh), slice(kx, kx + ow)
        dx[:, :, rows, columns] += np.einsum("nohw,oc->nchw", dy, weight[:, :, ky, kx])
        dw[:, :, ky, kx] = np.einsum("nohw,nchw->oc", dy, x[:, :, rows, columns])
    return dx, dw


@pytest.mark.parametrize(("filter",), sampled([(filter,) for filter in FILTERS], 2), ids=str)
def test_value_and_gradients(filter: tuple[int, int], device: Device) -> None:
    rng = np.random.default_rng(0)
    # All of them on the host, whose direct convolution the reference tests; the interpreter takes seconds for each.
    every = {"host": 1, "interpreter": 53}.get(device.info.kind, 7)
    for (n, ic, oc), (oh, ow) in CASES[::every]:
        shape = n, ic, oh + filter[0] - 1, ow + filter[1] - 1
        # At most 13 * 49 or 13 * 25 products of at most 25.
        x, weight, dy = (rng.integers(-5, 6, s).astype(float) for s in (shape, (oc, ic, *filter), (n, oc, oh, ow)))
        a, b = Parameter(tensor(x, f32, device)), Parameter(tensor(weight, f32, device))
        for parameter in (a, b):
            parameter.init_grad()
        y = a.conv2(b)
        y.backward(tensor(dy, f32, device))
        where = f"images {shape}, filters {weight.shape}"
        np.testing.assert_array_equal(y.numpy(), conv2(x, weight), err_msg=where)
        for found, expected in zip((a, b), gradients(x, weight, dy), strict=True):
            np.testing.assert_array_equal(present(found.grad).numpy(), expected, err_msg=where)
