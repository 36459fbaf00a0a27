"""The reference's tests of convolutions and their gradients, ported: against products with windows as rows, in f64."""

import itertools

import numpy as np
import pytest
from reference import bound, conv2, draw, image_size, rows, summed, tensor

from autograph import Parameter
from krnlpy import bf16, f32

FILTERS = [(1, 1), (3, 3), (5, 5), (7, 7), (1, 3), (3, 5), (1, 7)]
SIZES = [
    (1, 1, 1),
    *((n, 1, 1) for n in (2, 3, 13)),
    *((1, n, 1) for n in (2, 3, 13)),
    *((1, 1, n) for n in (2, 3, 13)),
]
OUTPUTS = list(itertools.product((1, 2, 3, 5), repeat=2))


@pytest.mark.parametrize("dtype", [bf16, f32], ids=str)
@pytest.mark.parametrize("filter", FILTERS, ids=str)
def test_value_and_gradients(filter, dtype, device):
    cases = list(itertools.product(SIZES, OUTPUTS))
    # Shapes do not change what is compiled for a device; those left out run on the host.
    for (n, inputs, outputs), output in cases[:: {"host": 1, "interpreter": 40}.get(device.info.kind, 20)]:
        shape = n, inputs, *image_size(output, filter)
        x, weight = draw(1, shape, dtype), draw(2, (outputs, inputs, *filter), dtype)
        dy = draw(3, (n, outputs, *output), dtype)
        images, filters = Parameter(tensor(x, dtype, device)), Parameter(tensor(weight, dtype, device))
        images.init_grad(), filters.init_grad()
        y = images.conv2(filters)
        taps = filter[0] * filter[1]
        found = y.numpy().astype(np.float64)
        np.testing.assert_allclose(found, conv2(x, weight), rtol=0, atol=bound(dtype, inputs * taps, inputs * taps))
        y.backward(tensor(dy, dtype, device))
        columns, gradients = rows(x, filter), dy.transpose(0, 2, 3, 1).reshape(-1, outputs)
        dx = summed(gradients @ weight.reshape(outputs, -1), shape, filter)
        terms = outputs * taps
        np.testing.assert_allclose(images.grad.numpy().astype(float), dx, rtol=0, atol=bound(dtype, terms, terms))
        terms = len(columns)
        dw = (gradients.T @ columns).reshape(weight.shape)
        np.testing.assert_allclose(filters.grad.numpy().astype(float), dw, rtol=0, atol=bound(dtype, terms, terms))
