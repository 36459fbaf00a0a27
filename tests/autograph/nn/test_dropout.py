"""Layers that draw at random: what is left out, how often, on every device the same, and nothing in evaluation."""

from __future__ import annotations

import copy
from math import prod
from typing import Any

import numpy as np
import pytest

from autograph import (
    AlphaDropout,
    Dense,
    Dropout,
    Dropout1,
    Dropout2,
    Dropout3,
    DropPath,
    Parameter,
    Sequential,
    Tensor,
    dropout,
    random,
    seeded,
)
from autograph.errors import AutographError, DtypeError, ShapeError
from krnlpy import Device
from krnlpy.scalar import bf16, f32
from tests.support.typed import present, untyped

pytestmark = pytest.mark.one_vulkan_device

SHAPES = {Dropout1: (40, 50, 3), Dropout2: (40, 50, 2, 2), Dropout3: (40, 50, 2, 1, 2), DropPath: (2000, 3, 2)}


def small(device: Device, shape: tuple[int, ...]) -> tuple[int, ...]:
    """What the interpreter computes in time."""
    return (shape[0] // 10, *shape[1:]) if device.info.kind == "interpreter" else shape


@pytest.mark.parametrize("kind", SHAPES)
def test_parts_are_left_out_as_wholes(kind: Any, device: Device) -> None:
    shape = small(device, SHAPES[kind])
    x = Parameter(Tensor.full(shape, 3.0, f32, device))
    x.init_grad()
    layer = kind(0.25, seed=5)
    y = layer(x)
    y.sum().backward()
    parts = y.numpy().reshape(-1, prod(shape[1:] if kind is DropPath else shape[2:]))
    kept = parts[:, 0] != 0
    # 0.75 of so many, with a deviation of sqrt(0.75 * 0.25 * count): five of these.
    assert abs(kept.sum() - 0.75 * len(kept)) < 5 * np.sqrt(0.1875 * len(kept))
    np.testing.assert_array_equal(parts, np.where(kept[:, None], np.float32(3 * (1 / 0.75)), np.float32(0)) + 0 * parts)
    np.testing.assert_allclose(present(x.grad).numpy(), y.numpy() / 3, rtol=1e-6)
    assert layer.eval()(x) is x
    with pytest.raises(ShapeError, match="takes"):
        layer(Tensor.ones(()))


def test_dropout_is_the_function_and_the_same_on_every_device(device: Device) -> None:
    shape = small(device, (50, 20))
    x = Tensor.from_numpy(np.random.default_rng(0).random(shape, np.float32))
    layer = Dropout(0.3, seed=7)
    expected = random.Generator(7)
    for _ in range(2):  # each call is the next draw
        y = layer(x.to_device(device))
        np.testing.assert_array_equal(y.numpy(), dropout(x, 0.3, expected).numpy())
    assert layer.generator.counter == 2
    assert Dropout(0.0)(x) is x and not Dropout(1.0)(x).any()
    assert layer(x.cast(bf16)).dtype is bf16
    with pytest.raises(DtypeError, match="Dropout of i32"):
        layer(x.cast("i32"))


def test_alpha_dropout_keeps_mean_and_variance(device: Device) -> None:
    """Beside its formula, and by the moments of what it makes of normal numbers."""
    count = 20_000 if device.info.kind != "interpreter" else 500
    x = Parameter(random.normal(random.Generator(1), count, device=device))
    x.init_grad()
    layer = AlphaDropout(0.2, seed=3)
    y = layer(x)
    y.sum().backward()
    floor = -1.7580993408473766
    a = (0.8 * (1 + 0.2 * floor**2)) ** -0.5
    kept = present(x.grad).numpy() != 0
    np.testing.assert_allclose(y.numpy(), a * np.where(kept, x.numpy(), floor) - a * 0.2 * floor, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(present(x.grad).numpy(), np.where(kept, a, 0), rtol=1e-6)
    # Means of so many numbers of deviation 1, five deviations; the variance's deviation is below sqrt(2).
    bound = 5 / np.sqrt(count)
    assert abs(kept.mean() - 0.8) < bound and abs(y.numpy().mean()) < bound
    assert abs(y.numpy().var() - 1) < 1.5 * bound
    assert layer.eval()(x) is x


def test_layers_are_seeded_apart() -> None:
    x = Tensor.ones(200)

    def model() -> Any:
        return Sequential(Dense(200, 200), Dropout(0.5), Dropout(0.5), Dense(200, 200), AlphaDropout(0.5))

    def outcome(model: Any) -> list[Any]:
        return [model[0].weight.numpy(), model[1](x).numpy(), model[2](x).numpy(), model[3].weight.numpy()]

    with seeded(3):
        first = outcome(model())
    second = outcome(seeded(3)(model)())  # as a decorator
    for a, b in zip(first, second, strict=True):
        np.testing.assert_array_equal(a, b)
    assert not np.array_equal(first[0], first[3]) and not np.array_equal(first[1], first[2])
    with seeded(4):
        assert not np.array_equal(outcome(model())[0], first[0])
        with seeded(3):  # within, the inner one counts
            np.testing.assert_array_equal(Dense(200, 200).weight.numpy(), first[0])
        np.testing.assert_array_equal(Dense(2, 2, seed=1).weight.numpy(), Dense(2, 2, seed=1).weight.numpy())
    assert not np.array_equal(Dense(3, 3).weight.numpy(), Dense(3, 3).weight.numpy())

    generator = random.Generator(1)
    one, other = Dropout(0.5, seed=generator), Dropout(0.5, seed=generator)
    assert not np.array_equal(one(x).numpy(), other(x).numpy())
    rng = np.random.default_rng(0)
    assert Dropout(0.5, seed=rng).generator.seed != Dropout(0.5, seed=rng).generator.seed
    first_weight, second_weight = (Dense(3, 3, seed=generator).weight.numpy() for _ in range(2))
    assert not np.array_equal(first_weight, second_weight)
    same = Dropout(0.5, seed=4)
    np.testing.assert_array_equal(copy.deepcopy(same)(x).numpy(), same(x).numpy())


def test_what_is_no_seed_or_probability() -> None:
    for p in (-0.1, 1.5, float("nan"), True, "x"):
        with pytest.raises(AutographError, match=r"Dropout\(p=.*expected a probability from 0 to 1"):
            Dropout(untyped(p))
    with pytest.raises(AutographError, match="from 0 to below 1"):
        AlphaDropout(1.0)
    for seed in (-1, True, 0.5, "x"):
        with pytest.raises(AutographError, match="seed="):
            Dropout(seed=untyped(seed))
        with pytest.raises(AutographError, match="seed="):
            Dense(1, 1, seed=untyped(seed))
        with pytest.raises(AutographError, match="seeded"), seeded(untyped(seed)):
            pass
