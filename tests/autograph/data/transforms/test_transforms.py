"""Transforms beside NumPy and PyTorch: what they do to each image, and that every device does the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from autograph import Tensor, random
from autograph.data import DataLoader
from autograph.data.transforms import (
    CenterCrop,
    ChannelsFirst,
    Compose,
    CutMix,
    Cutout,
    MixUp,
    Normalize,
    OneHot,
    RandomAffine,
    RandomCrop,
    RandomErasing,
    RandomHorizontalFlip,
    RandomRotation,
    RandomVerticalFlip,
    ScaleBytes,
    mixtures,
)
from autograph.data.transforms.geometry import affine
from autograph.errors import AutographError, DtypeError, ShapeError
from krnlpy import Device, scalar_type
from krnlpy.errors import KrnlpyError
from tests.support.devices import requires
from tests.support.tiers import deep, one_vulkan_device
from tests.support.typed import untyped

pytestmark = pytest.mark.one_vulkan_device


def pictures(n: int = 5, shape: tuple[int, ...] = (2, 5, 6), dtype: str = "f32") -> np.ndarray:
    """Images in which no two elements are equal."""
    return (np.arange(n * np.prod(shape)) + 1).reshape(n, *shape).astype(scalar_type(dtype).dtype)


def done(transform: Any, images: np.ndarray, device: Device | None = None, seed: int = 0) -> np.ndarray:
    result: Tensor = transform(Tensor.from_numpy(images, device), random.Generator(seed))
    return result.numpy()


# Transforms of images of floats, with the greatest relative difference between devices.
EVERYWHERE: dict[str, tuple[Any, float]] = {
    "crop": (RandomCrop((4, 7), padding=(1, 2), fill=-1), 0),
    "center": (Compose(CenterCrop((3, 2))), 0),
    "flips": (Compose(RandomHorizontalFlip(), RandomVerticalFlip()), 0),
    "cutout": (Cutout((3, 2), value=-1), 0),
    "erasing": (RandomErasing(0.7, value=-1), 0),
    "normalize": (Compose(Normalize([1, 2], [3, 4])), 3e-7),  # two roundings
    # Places are rounded to f32, relative 6e-8, times 6 elements; neighbours differ by 6, beside values below 300.
    "affine": (RandomAffine(30, translate=(0.2, 0.1), scale=(0.8, 1.3), shear=10), 1e-5),
}


@one_vulkan_device
@pytest.mark.parametrize("what", EVERYWHERE)
def test_all_devices_do_the_same(what: str, device: Device) -> None:
    transform, tolerance = EVERYWHERE[what]
    images = pictures()
    here, there = (done(transform, images, place, seed=3) for place in (None, device))
    np.testing.assert_allclose(there, here, rtol=tolerance, atol=60 * tolerance)
    assert not np.array_equal(here, images)


def test_random_crop() -> None:
    images = np.repeat(pictures(1, (2, 5, 6)), 400, axis=0)
    cropped = done(RandomCrop((4, 3), padding=(1, 2), fill=0.5), images)
    padded = np.pad(images[0], [(0, 0), (1, 1), (2, 2)], constant_values=0.5)
    windows = {
        padded[:, top : top + 4, left : left + 3].tobytes(): (top, left) for top in range(4) for left in range(8)
    }
    places = [windows[image.tobytes()] for image in cropped]
    counts = np.bincount([top * 8 + left for top, left in places], minlength=32)
    # 400 in 32 places: each has 12.5, with a standard deviation of 3.5; none of 32 lies beyond 4 of them but for once
    # in 500 seeds.
    assert abs(counts - 12.5).max() < 14
    assert done(RandomCrop(5), pictures(2, (1, 5, 5))).tolist() == pictures(2, (1, 5, 5)).tolist()


@pytest.mark.parametrize("dtype", ["u8", "i16", "f16", "bf16", "f32"])
def test_dtypes(dtype: str) -> None:
    images = pictures(2, (1, 3, 4), dtype)
    for transform in (RandomCrop(3, padding=1), RandomVerticalFlip(), Cutout(2), RandomErasing(1)):
        result = done(transform, images)
        assert result.dtype == images.dtype
        assert {*result.ravel().tolist()} <= {0, *images.ravel().tolist()}


@deep
@pytest.mark.parametrize("dtype", ["u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f16", "bf16", "f64"])
def test_all_dtypes_on_all_devices(device: Device, dtype: str) -> None:
    requires(device, scalar_type(dtype))
    images = pictures(3, (2, 4, 4), dtype)
    transforms: list[Any] = [RandomCrop(4, padding=2), Compose(RandomHorizontalFlip(), Cutout(2))]
    if scalar_type(dtype).is_float:
        transforms += [RandomRotation(40), Compose(Normalize(2, 3))]
    for transform in transforms:
        here, there = done(transform, images), done(transform, images, device)
        tolerance = {"f16": 2e-3, "bf16": 2e-2, "f64": 1e-12}.get(dtype, 0)  # a rounding of the type
        np.testing.assert_allclose(there.astype(float), here.astype(float), rtol=tolerance, atol=50 * tolerance)


@deep
def test_many_large_images(device: Device) -> None:
    """More rows than threads, more columns than passes."""
    for n, height, width in ((3000, 50, 3), (1, 2, 70_000)):
        if device.info.kind == "interpreter":
            return
        images = pictures(n, (1, height, width), "i32")
        transform = Compose(RandomCrop((height, width), padding=1), RandomHorizontalFlip(), Cutout((1, width // 2)))
        np.testing.assert_array_equal(done(transform, images, device), done(transform, images))


def test_flips() -> None:
    images = np.repeat(pictures(1), 1000, axis=0)
    for transform, axis in ((RandomHorizontalFlip(0.3), 2), (RandomVerticalFlip(0.3), 1)):
        result = done(transform, images)
        flipped = np.array([np.array_equal(image, np.flip(images[0], axis)) for image in result])
        assert all(np.array_equal(image, images[0]) for image in result[~flipped])
        assert abs(flipped.sum() - 300) < 4.5 * 14.5
    assert np.array_equal(done(RandomHorizontalFlip(1), images[:2]), images[:2, :, :, ::-1])
    assert np.array_equal(done(RandomHorizontalFlip(0), images[:2]), images[:2])


def test_boxes() -> None:
    images = np.ones((2000, 1, 8, 10), np.float32)
    erased = done(Cutout((3, 4)), images)[:, 0] == 0
    rows, columns = erased.any(axis=2), erased.any(axis=1)
    assert np.array_equal(erased, rows[:, :, None] & columns[:, None, :])  # one box each
    assert {*rows.sum(axis=1)} == {2, 3} and {*columns.sum(axis=1)} == {2, 3, 4}
    erased = done(RandomErasing(0.5, scale=(0.1, 0.2), ratio=(0.5, 2), value=0), images)[:, 0] == 0
    assert abs(erased.any(axis=(1, 2)).sum() - 1000) < 4.5 * 22.4
    areas = erased.sum(axis=(1, 2))[erased.any(axis=(1, 2))]
    assert areas.min() >= 6 and areas.max() <= 20 and 11 < areas.mean() < 13  # 8 to 16, with rounded sides
    whole = done(RandomErasing(1, scale=(1, 1), ratio=(1, 1), value=7), images[:9])
    assert [(image == 7).sum() for image in whole] == [8 * 9] * 9  # a square of 9, cut to 8 rows


def test_affine_beside_pytorch() -> None:
    torch = pytest.importorskip("torch")
    images = pictures(6, (2, 7, 5))
    rng = np.random.default_rng(0)
    matrices = np.concatenate([np.eye(2) + rng.normal(0, 0.4, (6, 2, 2)), rng.normal(0, 2, (6, 2, 1))], axis=2)
    for fill in (0.0, 3.0):
        ours = affine("affine", Tensor.from_numpy(images), matrices, fill).numpy()
        y, x = np.mgrid[:7, :5]
        places = np.einsum("nij,jhw->nhwi", matrices, np.stack([x, y, np.ones_like(x)]))
        grid = torch.from_numpy((places * 2 + 1) / [5, 7] - 1)  # from -1 to 1 over the pixels' areas
        theirs = torch.nn.functional.grid_sample(torch.from_numpy(images - fill).double(), grid, align_corners=False)
        # f32 beside f64: places of up to 20 are rounded by 2e-6, values change by up to 400 an element.
        np.testing.assert_allclose(ours, theirs + fill, rtol=1e-5, atol=3e-3)


def test_turns_scales_and_moves() -> None:
    images = pictures(3, (1, 6, 6))
    turned = done(RandomRotation((90, 90)), images)
    np.testing.assert_allclose(turned, np.rot90(images, axes=(2, 3)), rtol=1e-5)
    np.testing.assert_allclose(done(RandomRotation(0), images), images)
    big = np.repeat(np.repeat(pictures(1, (1, 4, 4)), 2, axis=2), 2, axis=3)
    halved = done(RandomAffine(0, scale=(0.5, 0.5)), big)
    np.testing.assert_allclose(halved[0, 0, 2:6, 2:6], pictures(1, (1, 4, 4))[0, 0])
    assert halved.sum() == pytest.approx(halved[0, 0, 2:6, 2:6].sum())
    moved = done(RandomAffine(0, translate=(0.5, 0)), np.ones((500, 1, 4, 8), np.float32))
    shares = moved.mean(axis=(1, 2, 3))
    assert 0.5 <= shares.min() < 0.52 and shares.max() > 0.99 and abs(shares.mean() - 0.75) < 4.5 * 0.145 / 22
    np.testing.assert_array_equal(moved, np.broadcast_to(moved[:, :, :1], moved.shape))  # rows are alike
    slanted = done(RandomAffine(0, shear=(45, 45)), images)
    np.testing.assert_allclose(slanted[:, :, 2, :-1], (images[:, :, 2, :-1] + images[:, :, 2, 1:]) / 2)


@pytest.mark.parametrize("dtype", ["f16", "bf16", "f32", "f64"])
def test_scales(dtype: str) -> None:
    images = np.arange(240, dtype=np.uint8).reshape(4, 3, 4, 5)
    mean, std = [0.4914, 0.4822, 0.4465], [0.247, 0.2435, 0.2616]
    transform = Compose(ScaleBytes(dtype), Normalize(mean, std))
    expected = (images / 255 - np.reshape(mean, (3, 1, 1))) / np.reshape(std, (3, 1, 1))
    # Scaled bytes, differences and quotients are rounded; the second has half the first's size or less.
    eps = {"f16": 2**-11, "bf16": 2**-8, "f32": 2**-24, "f64": 2**-53}[dtype]
    result = done(transform, images)
    np.testing.assert_allclose(result.astype(float), expected, rtol=4 * eps, atol=8 * eps)
    assert result.dtype == scalar_type(dtype).dtype


@one_vulkan_device
def test_mixtures(device: Device) -> None:
    images = np.arange(1, 9, dtype=np.float32).reshape(8, 1, 1, 1) * np.ones((8, 2, 6, 6), np.float32)
    batch = Tensor.from_numpy(images, device), Tensor.from_numpy(np.arange(8, dtype=np.uint8), device), "more"
    for seed in range(4):
        mixed, rows, more = MixUp(8, alpha=1)(batch, random.Generator(seed))
        assert more == "more" and mixed.shape == images.shape and rows.shape == (8, 8)
        shares = rows.numpy()
        np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-6)
        np.testing.assert_allclose(mixed.numpy()[:, 1, 2, 3], shares @ np.arange(1, 9), rtol=1e-6)
        assert {*np.diag(shares).round(6)} <= {1.0, np.diag(shares).min().round(6)}
        mixed, rows, _ = CutMix(8)(batch, random.Generator(seed))
        shares = rows.numpy()
        np.testing.assert_allclose(mixed.numpy().mean(axis=(1, 2, 3)), shares @ np.arange(1, 9), rtol=1e-6)
        assert {*mixed.numpy()[0].ravel()} <= {*range(1, 9)}
        again = MixUp(8)((mixed, rows, None), random.Generator(seed))[1]  # of probabilities
        np.testing.assert_allclose(again.numpy().sum(axis=1), 1, rtol=1e-6)


@pytest.mark.parametrize("alpha", [0.01, 0.2, 1.0, 8.0])
def test_shares_have_the_beta_distribution(alpha: float) -> None:
    generator = random.Generator(1)
    drawn = [mixtures._share(generator, alpha)[0] for _ in range(2000)]
    assert min(drawn) >= 0 and max(drawn) <= 1
    variance = 1 / (4 * (2 * alpha + 1))
    assert abs(np.mean(drawn) - 0.5) < 4.5 * np.sqrt(variance / 2000)
    # A squared distance from the mean is at most 1/4, and its own deviation at most 1/8.
    assert abs(np.var(drawn) - variance) < 4.5 / 8 / np.sqrt(2000)


def test_in_a_loader() -> None:
    images, classes = np.arange(12 * 64, dtype=np.uint16).astype(np.uint8).reshape(12, 1, 8, 8), np.arange(12) % 3
    transform = Compose(
        RandomCrop(8, padding=2), RandomHorizontalFlip(), ScaleBytes(), Normalize(0.5, 0.5), OneHot(3, "f64")
    )
    loader = DataLoader((images, classes), 5, shuffle=True, transform=transform, prefetch=2)
    first = [(x.numpy(), t.numpy()) for x, t in loader]
    assert [(x.shape, x.dtype, t.shape, t.dtype) for x, t in first[2:]] == [((2, 1, 8, 8), "f4", (2, 3), "f8")]
    loader.epoch = 0
    again = [(x.numpy(), t.numpy()) for x, t in loader]
    assert [(x.tobytes(), t.tobytes()) for x, t in again] == [(x.tobytes(), t.tobytes()) for x, t in first]
    assert not any(np.array_equal(x.numpy(), again[0][0]) for x, _ in loader)


def test_channels_first() -> None:
    pixels = np.arange(120, dtype=np.uint8).reshape(2, 4, 5, 3)
    images, more = ChannelsFirst()((Tensor.from_numpy(pixels), 1))
    np.testing.assert_array_equal(images.numpy(), np.moveaxis(pixels, 3, 1))
    assert more == 1 and images.buffer.is_contiguous()
    np.testing.assert_array_equal(ChannelsFirst()(Tensor.from_numpy(pixels[0])).numpy(), pixels[0][:, None])


def test_nothing_to_do() -> None:
    for transform in (RandomCrop(3, padding=1), RandomVerticalFlip(), Cutout(2), RandomErasing(), RandomRotation(5)):
        assert transform(Tensor.zeros((0, 1, 4, 4)), random.Generator(0)).shape[0] == 0


IMAGES = Tensor.ones((2, 1, 4, 4))
WRONG: dict[str, tuple[Callable[[], Any], type[KrnlpyError], str]] = {
    "size": (lambda: RandomCrop(0), ShapeError, r"RandomCrop\(size\)=0"),
    "padding": (lambda: RandomCrop(2, padding=-1), ShapeError, r"RandomCrop\(padding\)=-1"),
    "too small": (lambda: RandomCrop(7, padding=1)(IMAGES, random.Generator(0)), ShapeError, "they are too small"),
    "center": (lambda: CenterCrop(5)(IMAGES), ShapeError, r"CenterCrop of size \(5, 5\) of images of shape"),
    "fill": (lambda: RandomCrop(2, fill=untyped("x"))(IMAGES, random.Generator(0)), DtypeError, "RandomCrop"),
    "p": (lambda: RandomHorizontalFlip(1.5), AutographError, "from 0 to 1"),
    "no generator": (lambda: Compose(RandomVerticalFlip())(IMAGES), AutographError, "takes a Generator"),
    "scale": (lambda: RandomErasing(scale=(0.5, 0.1)), AutographError, "ascending order"),
    "ratio": (lambda: RandomErasing(ratio=(0, 1)), AutographError, "above 0"),
    "degrees": (lambda: RandomRotation(untyped("x")), AutographError, "a pair of numbers"),
    "translate": (lambda: RandomAffine(0, translate=untyped(0.1)), AutographError, "shares of width and height"),
    "bytes": (
        lambda: RandomRotation(5)(IMAGES.cast("u8"), random.Generator(0)),
        DtypeError,
        "of floats, not u8",
    ),
    "scaled floats": (lambda: ScaleBytes()(IMAGES), DtypeError, "images of u8, not f32"),
    "scaled to bytes": (lambda: ScaleBytes("u8"), DtypeError, "gives floats"),
    "std": (lambda: Normalize(0, [1, 0]), AutographError, "above 0"),
    "mean": (lambda: Normalize(float("nan"), 1), AutographError, "finite numbers"),
    "normalized bytes": (lambda: Normalize(0, 1)(IMAGES.cast("u8")), DtypeError, "of floats, not u8"),
    "channels": (lambda: Normalize([0, 0], 1)(IMAGES), ShapeError, "by 2 numbers"),
    "axes": (lambda: CenterCrop(1)(IMAGES[0]), ShapeError, r"\[n, c, h, w\]"),
    "two axes": (lambda: ChannelsFirst()(IMAGES[0, 0]), ShapeError, r"\[n, h, w, c\]"),
    "an array": (lambda: CenterCrop(1)(np.ones((1, 1, 4, 4))), DtypeError, "not ndarray"),
    "a dict": (lambda: CenterCrop(1)({"image": IMAGES}), DtypeError, "of a dict"),
    "no classes": (lambda: MixUp(2)(IMAGES, random.Generator(0)), AutographError, "a tuple of images and classes"),
    "alpha": (lambda: CutMix(2, 0), AutographError, "above 0"),
    "one hot": (lambda: OneHot(2)((IMAGES, IMAGES)), DtypeError, "integers"),
}


@pytest.mark.parametrize("what", WRONG)
def test_wrong_arguments(what: str) -> None:
    call, kind, message = WRONG[what]
    with pytest.raises(kind, match=message):
        call()
