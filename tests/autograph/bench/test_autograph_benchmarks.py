"""What ``krnlpy bench`` measures of autograph: every case can be verified, and what is wrong is found."""

from __future__ import annotations

import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import autograph as ag
from autograph import Tensor
from autograph.bench import BENCHMARKS, models, networks, operations, references
from krnlpy import Device, f16, f32, scalar_type
from krnlpy.bench import Case
from krnlpy.bench.benchmark import GROUP
from krnlpy.errors import MissingFeatures
from tests.support.tiers import deep

FIRST = {
    f"{benchmark.name} {' '.join(map(str, series[0].configuration.values()))}": series[0]
    for benchmark in BENCHMARKS
    for series in benchmark.series()
}
SMALL = [
    case for name, case in FIRST.items() if name.startswith(("matmul", "conv f32 5", "softmax", "layer", "att", "sort"))
]


def verified(case: Case, device: Device) -> None:
    if device.info.kind == "interpreter":
        pytest.skip("it has no benchmarks")
    try:
        work = case.open(device)
        work.verify()
    except MissingFeatures as error:
        pytest.skip(str(error))
    assert work.sample(2) > 0


def test_the_wheel_names_them() -> None:
    settings = tomllib.loads((Path(__file__).parents[3] / "pyproject.toml").read_text())
    points = settings["project"]["entry-points"][GROUP]
    assert [EntryPoint(name, value, GROUP).load() for name, value in points.items()] == [BENCHMARKS]


def test_cases_grow_and_are_told_apart() -> None:
    keys = []
    for benchmark in BENCHMARKS:
        for series in benchmark.series():
            work = [case.flops or case.amount for case in series]
            assert work == sorted(work), benchmark.name
            keys += [(benchmark.name, *sorted(case.configuration.items())) for case in series]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("case", SMALL, ids=lambda case: " ".join(map(str, case.configuration.values())))
def test_small_operations_on_the_host(case: Case) -> None:
    verified(case, Device.host())


@deep
@pytest.mark.parametrize("case", FIRST.values(), ids=FIRST)
def test_the_first_of_each_series(case: Case, device: Device) -> None:
    verified(case, device)


@pytest.fixture
def tiny() -> networks.Network:
    """A transformer that is trained in no time."""
    return networks._transformer(1, 64, 8, 2)


@pytest.mark.parametrize("is_training", [False, True])
def test_networks_that_differ_are_found(
    tiny: networks.Network, is_training: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = networks._Networks(tiny, scalar_type(f32), is_training, Device.host())
    work.verify()
    expected = networks._expected(tiny, scalar_type(f32), is_training).copy()
    expected[-1] *= 1.01
    monkeypatch.setattr(networks, "_expected", lambda *_: expected)
    with pytest.raises(AssertionError):
        networks._Networks(tiny, scalar_type(f32), is_training, Device.host()).verify()


def test_gradients_that_differ_are_found(tiny: networks.Network, monkeypatch: pytest.MonkeyPatch) -> None:
    """The loss after a step says so; a hundredth of a gradient that is too much moves it by more than is tolerated."""
    before, after = networks._expected(tiny, scalar_type(f32), True)
    assert abs(after - before) > 10 * networks._TOLERANCES[scalar_type(f32)] * before


def test_products_that_differ_are_found() -> None:
    def wrong(x: Tensor, y: Tensor) -> Tensor:
        return ag.matmul(x, y) + 1

    for dtype in map(scalar_type, (f32, f16)):
        right, other = (
            operations._Exact(operation, np.matmul, [(8, 8), (8, 8)], dtype, Device.host())
            for operation in (ag.matmul, wrong)
        )
        right.verify()
        with pytest.raises(AssertionError):
            other.verify()


def test_references() -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.standard_normal((2, 3, 7, 7)), rng.standard_normal((4, 3, 3, 3))
    found = references.convolution(x, weight, padding=1)
    padded = np.pad(x, [(0, 0), (0, 0), (1, 1), (1, 1)])
    for i, j in ((0, 0), (3, 5), (6, 6)):
        direct = np.einsum("ncij,ocij->no", padded[:, :, i : i + 3, j : j + 3], weight)
        np.testing.assert_allclose(found[:, :, i, j], direct, rtol=1e-12, atol=1e-12)
    normal = references.layer_norm(x[0, 0])
    np.testing.assert_allclose(normal.mean(axis=-1), 0, atol=1e-12)
    np.testing.assert_allclose(references.softmax(x).sum(axis=-1), 1, rtol=1e-12)
    q, k, v = (rng.standard_normal((1, 2, 5, 3)) for _ in range(3))
    some = references.attention(q, k, v, places=np.array([1, 4]))
    scores = np.exp(np.einsum("f,kf->k", q[0, 1, 4], k[0, 1]) / np.sqrt(3))
    np.testing.assert_allclose(some[0, 1, 1], scores @ v[0, 1] / scores.sum(), rtol=1e-12)


def test_models_have_the_sizes_that_are_said() -> None:
    host: Any = Device.host()
    assert models.lenet5(host, f32).parameter_count == 46_920
    # He et al., table 6: 0.27 million; the shortcuts by convolutions, with their norms, are 2,752 of them.
    assert models.ResNet20(host, f32).parameter_count == 269_722 + 16 * 32 + 32 * 64 + 2 * (32 + 64)
    assert models.Transformer(2, 128, 64, host, f32)(Tensor.zeros((1, 64), "i32")).shape == (1, 64, 96)
