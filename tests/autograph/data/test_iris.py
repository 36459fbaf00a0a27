"""The irises."""

from pathlib import Path

import numpy as np
import pytest

from autograph import SGD, Dense, Relu, Sequential, Tensor
from autograph.data import iris, load_iris
from autograph.errors import DatasetError
from krnlpy import Device
from tests.support.tiers import one_vulkan_device

pytestmark = one_vulkan_device


def test_what_fisher_published() -> None:
    data = load_iris()
    assert data.features.shape == (150, 4) and data.features.dtype == np.float32
    assert data.classes.dtype == np.uint8
    np.testing.assert_array_equal(data.classes, np.repeat(np.arange(3), 50))
    assert data.feature_names == ("sepal_length", "sepal_width", "petal_length", "petal_width")
    assert data.class_names == ("setosa", "versicolor", "virginica")
    # The means of Fisher's table II, of each species, to the digits that are printed there.
    means = data.features.astype(float).reshape(3, 50, 4).mean(axis=1)
    np.testing.assert_allclose(
        means,
        [[5.006, 3.428, 1.462, 0.246], [5.936, 2.770, 4.260, 1.326], [6.588, 2.974, 5.552, 2.026]],
        rtol=0,
        atol=2e-6,  # of f32, where the sum of 50 is exact to a tenth
    )


def test_the_rows_in_which_copies_differ() -> None:
    features = load_iris().features
    np.testing.assert_array_equal(features[34], np.array([4.9, 3.1, 1.5, 0.2], np.float32))
    np.testing.assert_array_equal(features[37], np.array([4.9, 3.6, 1.4, 0.1], np.float32))


def test_each_call_gives_arrays_of_ones_own() -> None:
    load_iris().features[:] = 0
    assert load_iris().features.all()


def test_a_damaged_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "iris.csv"
    monkeypatch.setattr(iris, "_PATH", path)
    with pytest.raises(DatasetError, match=r"cannot be read: .*install it again"):
        load_iris()
    path.write_text("5.1,3.5,1.4,0.2,setosa\n")
    with pytest.raises(DatasetError, match="was changed: its SHA-256 is"):
        load_iris()


def test_a_network_learns_it(device: Device) -> None:
    data = load_iris()
    every, steps = (5, 30) if device.info.kind == "interpreter" else (1, 60)  # it takes long for each
    x = ((data.features - data.features.mean(axis=0)) / data.features.std(axis=0))[::every]
    x, classes = Tensor.from_numpy(x, device), Tensor.from_numpy(data.classes[::every], device)
    model = Sequential(Dense(4, 8, bias=True, seed=0, device=device), Relu(), Dense(8, 3, seed=1, device=device))
    optimizer = SGD(0.9)
    for _ in range(steps):
        model.init_parameter_grads()
        model(x).cross_entropy_loss(classes).backward()
        model.update(0.3, optimizer)
    # Two species overlap a little: linear discriminants have 147 of 150 right (Fisher); this network has 148 here,
    # and all of every fifth.
    assert model(x).accuracy(classes).item() >= 145 / 150
