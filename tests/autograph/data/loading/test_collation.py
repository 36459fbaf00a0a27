"""Examples put together to batches, beside PyTorch's and Hugging Face's where they are installed."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from autograph import Tensor
from autograph.data import DataLoader, collate, train_test_split
from autograph.errors import DatasetError


def test_structures() -> None:
    batch = collate([{"x": (1, 0.5), "name": "a", "none": None}, {"x": (2, 1.5), "name": "b", "none": None}])
    assert batch["name"] == ["a", "b"] and batch["none"] == [None, None]
    whole, parts = batch["x"]
    assert (whole.dtype, whole.tolist(), parts.dtype, parts.tolist()) == (np.int32, [1, 2], np.float32, [0.5, 1.5])


@pytest.mark.parametrize(
    ("examples", "dtype"),
    [
        ([True, False], "bool"),
        ([1, 2**40], "int64"),
        ([1, 2.5], "float32"),
        ([[1, 2], [3, 4]], "int32"),
        ([np.uint8(1), np.uint8(2)], "uint8"),
        ([np.zeros(2), np.ones(2)], "float64"),
    ],
)
def test_dtypes(examples: list[Any], dtype: str) -> None:
    assert collate(examples).dtype == dtype


def test_tensors_are_stacked_where_they_are() -> None:
    batch = collate([Tensor.ones(2), Tensor.zeros(2)])
    assert isinstance(batch, Tensor)
    assert batch.numpy().tolist() == [[1, 1], [0, 0]]


@pytest.mark.parametrize(
    ("examples", "message"),
    [
        ([], "at least one example"),
        ([(1, 2), (1,)], "not all tuples of 2"),
        ([{"a": 1}, {"b": 1}], "has no 'a'"),
        ([np.zeros(2), np.zeros(3)], r"shapes \(2,\) and \(3,\) \(number 1 of a batch\)"),
        ([[1, 2], [1]], r"shapes \(2,\) and \(1,\)"),
        ([Tensor.ones(2), Tensor.ones(3)], "can't be stacked"),
        ([object(), object()], "hold object, which can't be put together"),
        ([{1, 2}, {3}], "hold set"),
    ],
)
def test_what_cannot_be_put_together(examples: list[Any], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        collate(examples)
    if examples:
        with pytest.raises(DatasetError, match=message) as error:
            list(DataLoader(examples, len(examples)))
        assert error.value.__notes__ == [
            f"while the examples {', '.join(map(str, range(len(examples))))} were put together"
        ]


def test_a_function_of_ones_own() -> None:
    loader = DataLoader(["a", "bcd"], 2, collate=lambda texts: np.array([len(text) for text in texts], np.int32))
    assert [batch.numpy().tolist() for batch in loader] == [[1, 3]]


def test_data_sets_of_pytorch() -> None:
    torch = pytest.importorskip("torch")
    data = torch.utils.data
    x, y = torch.arange(12.0).reshape(6, 2), torch.arange(6)
    [(features, classes), _] = DataLoader(data.TensorDataset(x, y), 4)
    np.testing.assert_array_equal(features.numpy(), x[:4])
    assert classes.numpy().tolist() == [0, 1, 2, 3]

    class Numbers(data.IterableDataset):  # type: ignore[misc, name-defined]
        def __iter__(self) -> Any:
            return iter(range(5))

        def __len__(self) -> int:
            return 5

    loader = DataLoader(Numbers(), 2)
    assert [batch.numpy().tolist() for batch in loader] == [[0, 1], [2, 3], [4]] and len(loader) == 3
    sampler = data.DistributedSampler(range(6), num_replicas=2, rank=1, shuffle=True, seed=3)
    loader = DataLoader(data.TensorDataset(y), 3, sampler=sampler)
    for epoch in range(2):
        read = [batch.numpy().tolist() for (batch,) in loader]
        sampler.set_epoch(epoch)
        assert read == [list(sampler)]


def test_data_sets_of_hugging_face() -> None:
    datasets = pytest.importorskip("datasets")
    columns: dict[str, list[Any]] = {
        "x": [[1.0, 2.0], [3.0, 4.0], [5.0, 6.0]],
        "label": [0, 1, 0],
        "text": ["a", "b", "c"],
    }
    dataset = datasets.Dataset.from_dict(columns)
    forms: list[Any] = [dataset, dataset.with_format("numpy"), dataset.to_iterable_dataset()]
    for form in forms:
        [batch, _] = DataLoader(form, 2)
        assert batch["x"].numpy().tolist() == columns["x"][:2]
        assert batch["label"].numpy().tolist() == [0, 1]
        assert list(batch["text"]) == ["a", "b"]


def test_pictures() -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    [batch] = DataLoader([image.fromarray(pixels), image.fromarray(pixels[::-1])], 2)
    np.testing.assert_array_equal(batch.numpy(), [pixels, pixels[::-1]])


def test_train_test_split() -> None:
    x, y = np.arange(100).reshape(50, 2), np.array([0] * 40 + [1] * 10)
    x_train, x_test, y_train, y_test = train_test_split(x, y, test_size=0.2, seed=3)
    assert len(x_train) == len(y_train) == 40 and len(x_test) == len(y_test) == 10
    assert sorted([*x_train[:, 0], *x_test[:, 0]]) == list(range(0, 100, 2))
    assert np.array_equal(y_test, y[x_test[:, 0] // 2])
    for size in range(1, 50):
        *_, test = train_test_split(y, test_size=size, stratify=y, seed=size)
        assert len(test) == size and abs(test.sum() - size * 0.2) < 1
    tensor, _ = train_test_split(Tensor.ones((8, 2)))
    assert tensor.shape == (6, 2)
    for arrays, options, message in (
        ((x, y[1:]), {}, "different lengths"),
        ((x,), {"test_size": 50}, "test_size=50 of 50 examples"),
        ((x,), {"test_size": 0.0}, "test_size=0.0"),
        ((x,), {"stratify": y[1:]}, r"stratify has shape \(49,\)"),
        ((), {}, "expected NumPy arrays"),
    ):
        with pytest.raises(DatasetError, match=message):
            train_test_split(*arrays, **options)
