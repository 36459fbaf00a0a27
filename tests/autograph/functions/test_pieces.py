"""Rows and windows that are cut into pieces, each with a thread of its own: what they are uncut.

As where they have more elements than a driver lets a thread pass over; here a thread is given few.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograph import Parameter, Tensor
from autograph.functions import launch
from autograph.functions.convolution import direct as conv2_direct
from autograph.functions.pooling import maxima
from autograph.functions.rows import parts
from krnlpy import Device, ScalarType, bf16, f16, f32
from tests.autograph.reference import apart, check_choices
from tests.autograph.reference import max_pool2 as max_pool2_reference

from . import test_conv2, test_large_logits, test_loss, test_max_pool2

Give = Callable[[int], None]


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Give:
    """Gives a thread so many passes at most, on every device."""

    def given(passes: int) -> None:
        for module in (launch, maxima, parts):
            monkeypatch.setattr(module, "max_passes", lambda device: passes)
        for module in (conv2_direct, launch):
            monkeypatch.setattr(module, "MAX_PASSES", passes)
        monkeypatch.setattr(parts, "LONGEST", passes)

    return given


@pytest.mark.parametrize(("shape", "passes"), [((7, 3), 1), ((31, 16), 3)], ids=str)
@pytest.mark.parametrize("dtype", [f32, f16, bf16], ids=str)
def test_losses(shape: tuple[int, int], dtype: ScalarType, passes: int, device: Device, give: Give) -> None:
    """Rows that are longer than a thread or subgroup takes."""
    give(passes)
    test_loss.test_value_and_gradient(shape, "mean", dtype, device)


@pytest.mark.parametrize("dtype", test_loss.CLASSES, ids=str)
def test_any_integer_is_a_class(dtype: ScalarType, device: Device, give: Give) -> None:
    give(3)
    test_loss.test_any_integer_is_a_class(dtype, device)
    test_loss.test_classes_out_of_range_on_a_device(dtype, device)


@pytest.mark.parametrize(
    ("dtype", "size"), [(d, size) for d in test_large_logits.DTYPES for size in test_large_logits.SIZES[d]], ids=str
)
def test_losses_of_large_logits(dtype: ScalarType, size: float, device: Device, give: Give) -> None:
    give(3)
    test_large_logits.test_equal_logits_share_alike(dtype, size, 1, device)
    test_large_logits.test_rows_of_large_logits_sum_to_0(dtype, size, "sum", device)


def test_losses_of_logits_far_apart(device: Device, give: Give) -> None:
    give(1)
    test_large_logits.test_logits_far_apart(device)


@pytest.mark.parametrize("passes", [1, 2, 3])
def test_losses_of_masked_logits(passes: int, device: Device, give: Give) -> None:
    """Whole pieces of them have no part; NaN and infinity have all."""
    logits = np.zeros((4, 10), np.float32)
    logits[0, :4], logits[1], logits[2, 9], logits[3, 5] = -np.inf, -np.inf, np.nan, np.inf
    x = Parameter(Tensor.from_numpy(logits, device))
    x.init_grad()
    classes = Tensor.from_numpy(np.array([8, 1, 2, 3], np.int32), device)
    give(passes)
    x.cross_entropy_loss(classes, "sum").backward()
    assert x.grad is not None
    found = x.grad.numpy()
    # A quotient, which Vulkan grants 2.5 ulp, and a difference.
    expected = np.where(np.arange(10) < 4, 0, 1 / 6) - (np.arange(10) == 8)
    np.testing.assert_allclose(found[0], expected, rtol=0, atol=3 * 2.0**-23)
    assert np.isnan(found[1:3]).all() and np.isnan(found[3, 5])


@pytest.mark.parametrize("case", test_max_pool2.CASES)
def test_pools(case: str, device: Device, give: Give) -> None:
    """Windows in pieces of a row or of some rows; and rows of pixels that threads share."""
    give(4)
    test_max_pool2.test_value_and_gradient(case, f32, device)


@pytest.mark.parametrize(("dtype", "passes"), [(f32, 2), (f32, 5), (f32, 11), (f16, 5), (bf16, 2)], ids=str)
def test_pools_of_large_windows(passes: int, dtype: ScalarType, device: Device, give: Give) -> None:
    """Pixels lie in so many windows that the windows are in pieces too."""
    give(passes)
    check_choices(
        lambda x: x.max_pool2((3, 4), (1, 2)),
        lambda x: max_pool2_reference(x, (3, 4), (1, 2)),
        apart(3, (2, 1, 6, 9), dtype),
        dtype,
        device,
    )


@pytest.mark.parametrize("passes", [2, 4])
def test_the_first_maximum_gets_the_gradient(passes: int, device: Device, give: Give) -> None:
    give(passes)
    test_max_pool2.test_the_first_maximum_gets_the_gradient(device)
    test_max_pool2.test_nan_is_greatest(device)
    x = Parameter(Tensor.from_numpy(np.array([[[[1, 2], [np.nan, 2], [np.nan, 3]]]], np.float32), device))
    x.init_grad()
    x.max_pool2((3, 2)).sum().backward()
    assert x.grad is not None
    np.testing.assert_array_equal(x.grad.numpy(), [[[[0, 0], [1, 0], [0, 0]]]])


@pytest.mark.parametrize(
    ("case", "passes", "dtype"), [(case, 7, f32) for case in test_conv2.CASES] + [("all", 2, bf16)], ids=str
)
def test_convolutions(case: str, passes: int, dtype: ScalarType, device: Device, give: Give) -> None:
    if device.info.backend != "vulkan":
        pytest.skip("has its own algorithm")
    give(passes)
    test_conv2.test_value_and_gradients(case, dtype, device)


@pytest.mark.parametrize("size", [(1, 1), (5, 9), (9, 5), (1, 40), (40, 1)], ids=str)
@pytest.mark.parametrize("reached", [None, (1, 1), (2, 3), (40, 40)], ids=str)
@pytest.mark.parametrize("passes", [1, 2, 7, 20, 1000])
def test_every_element_is_in_one_piece(size: Any, reached: Any, passes: int, give: Give) -> None:
    device = Device.host()
    give(passes)
    seen: list[tuple[int, int]] = []
    if reached is not None:
        reached = min(reached[0], size[0]), min(reached[1], size[1])
    for rows, columns in launch.split_plane(device, size, reached):
        assert 0 <= rows.start < rows.stop <= size[0] and 0 <= columns.start < columns.stop <= size[1]
        seen += [(y, x) for y in range(size[0])[rows] for x in range(size[1])[columns]]
        down = min(len(range(size[0])[rows]), reached[0] if reached else size[0])
        across = min(len(range(size[1])[columns]), reached[1] if reached else size[1])
        assert down * (1 + across) <= 1 + passes
    assert sorted(seen) == [(y, x) for y in range(size[0]) for x in range(size[1])]
    if passes == 1000:
        assert launch.split_plane(device, size, reached) == ((slice(0, size[0]), slice(0, size[1])),)


def test_threads_have_few_work_items_of_many_passes(give: Give) -> None:
    """In all, a thread makes no more passes than it is given, or those of one work item."""

    class Launched:
        def with_global_threads(self, count: int) -> int:
            return count

    give(1000)
    for passes, threads in ((0, 1 << 22), (99, 1 << 22), (499, 5_000_000), (1000, 10_000_000)):
        assert launch.grid_stride(Launched(), 10_000_000, passes) == threads
