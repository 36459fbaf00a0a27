"""Batches of a loader: which examples, in which structure, on which device; positions that are saved and restored."""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from autograph import Tensor, random
from autograph.data import BalancedSampler, DataLoader, Subset, WeightedSampler, batches, random_split
from autograph.errors import DatasetError
from krnlpy import Device, Feature, scalar_type
from tests.support.tiers import one_vulkan_device
from tests.support.typed import untyped

pytestmark = pytest.mark.one_vulkan_device

N = 11
IMAGES = np.arange(N * 6, dtype=np.float32).reshape(N, 1, 2, 3)
CLASSES = np.arange(N, dtype=np.int32)
Pair = namedtuple("Pair", ["images", "classes"])


class Pairs:
    """A map-style data set, as PyTorch's are."""

    def __len__(self) -> int:
        return N

    def __getitem__(self, number: int) -> tuple[np.ndarray, int]:
        return IMAGES[number], number


class ReadsSeveral(Pairs):
    """As Hugging Face's are."""

    def __getitems__(self, numbers: list[int]) -> list[Any]:
        return [self[number] for number in numbers]


def pairs() -> Iterator[tuple[np.ndarray, int]]:
    for number in range(N):
        yield IMAGES[number], number


def numbers(loader: DataLoader) -> list[list[int]]:
    """The classes of each batch, whose images must be theirs."""
    read = []
    for images, classes in loader:
        chosen = classes.numpy()
        np.testing.assert_array_equal(images.numpy(), IMAGES[chosen])
        read.append(chosen.tolist())
    return read


DATASETS: dict[str, Callable[[], Any]] = {
    "arrays": lambda: (IMAGES, CLASSES),
    "tensors": lambda: (Tensor.from_numpy(IMAGES), Tensor.from_numpy(CLASSES)),
    "sequence": Pairs,
    "reads several": ReadsSeveral,
    "list": lambda: list(pairs()),
    "subset": lambda: Subset((np.repeat(IMAGES, 2, axis=0), np.repeat(CLASSES, 2)), range(0, 2 * N, 2)),
    "subset of subset": lambda: Subset(Subset(Pairs(), list(range(N))), np.arange(N)),
}


@pytest.mark.parametrize("workers", [0, 3])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("what", DATASETS)
def test_kinds_of_data_sets(what: str, shuffle: bool, workers: int) -> None:
    loader = DataLoader(DATASETS[what](), 4, shuffle=shuffle, seed=5, workers=workers)
    for epoch in range(2):
        expected = [batch.tolist() for batch in batches(N, 4, shuffle=shuffle, seed=5, epoch=epoch)]
        assert loader.epoch == epoch
        assert numbers(loader) == expected
    assert len(loader) == 3


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("drop_last", [False, True])
def test_streams(drop_last: bool, workers: int) -> None:
    loader = DataLoader(pairs, 4, drop_last=drop_last, workers=workers)
    expected = [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]][: 2 if drop_last else 3]
    assert numbers(loader) == numbers(loader) == expected
    with pytest.raises(TypeError, match="no length"):
        len(loader)
    loader.restore({**loader.state(), "batch": 1})
    assert numbers(loader) == expected[1:]
    shards = [numbers(DataLoader(pairs, 2, shard=(rank, 3), drop_last=drop_last)) for rank in range(3)]
    assert shards[1] == [[1, 4], [7, 10]]
    once = DataLoader(pairs(), 4, workers=workers)
    assert [number for batch in numbers(once) for number in batch] == list(range(N))
    with pytest.raises(DatasetError, match="a generator can be read once"):
        list(once)


@one_vulkan_device
def test_batches_are_tensors_on_the_device(device: Device) -> None:
    arrays = {"image": IMAGES, "name": np.array([f"{n}" for n in range(N)])}
    [first, *_] = DataLoader(arrays, 4, device=device)
    assert first["image"].device == device
    np.testing.assert_array_equal(first["image"].numpy(), IMAGES[:4])
    assert first["name"].tolist() == ["0", "1", "2", "3"]
    [batch] = DataLoader(Pair(IMAGES, CLASSES), N, device=device)
    assert isinstance(batch, Pair)
    assert batch.images.device == batch.classes.device == device
    # Tensors stay where they are, or are moved.
    on_device = Tensor.from_numpy(CLASSES, device)
    order = [batch.tolist() for batch in batches(N, 6, seed=0)]
    for place in (None, device):
        taken = list(DataLoader(on_device, 6, shuffle=True, device=place))
        assert [x.numpy().tolist() for x in taken] == order
        assert {x.device for x in taken} == {device}
    [moved] = DataLoader(on_device, N, device=Device.host())
    assert moved.device.is_host


def test_classes_of_64_bits(device: Device) -> None:
    """Most data sets have such; not every device can compute with them."""
    narrow = Feature.INT64 not in device.info.features
    for kind in ("i", "u"):
        [(x, t)] = DataLoader((IMAGES, CLASSES.astype(f"{kind}8")), N, device=device)
        assert t.dtype == scalar_type(f"{kind}32" if narrow else f"{kind}64")
        assert t.numpy().tolist() == CLASSES.tolist()
        x.reshape(N, 6).cross_entropy_loss(t % 6).item()
    [large] = DataLoader(np.array([0, 1 << 40]), 2, device=device)
    assert large.numpy().tolist() == [0, 1 << 40]


@one_vulkan_device
def test_transforms_see_the_batch_on_its_device(device: Device) -> None:
    def noisy(batch: Any, generator: random.Generator) -> Any:
        images, classes = batch
        return images + random.uniform(generator, images.shape, device=images.device), classes

    def read(loader: DataLoader) -> list[bytes]:
        return [images.numpy().tobytes() for images, _ in loader]

    def loader(prefetch: int, place: Device | None) -> DataLoader:
        return DataLoader((IMAGES, CLASSES), 4, seed=2, transform=noisy, device=place, prefetch=prefetch)

    there = loader(2, device)
    epochs = [read(there), read(there)]
    assert len({bits for epoch in epochs for bits in epoch}) == 6
    # A batch's numbers are its own, whatever was read before and wherever.
    here = loader(0, None)
    here.restore({"epoch": 1, "batch": 1, "seed": 2, "batch_size": 4})
    assert read(here) == epochs[1][1:]
    doubled = DataLoader(IMAGES, N, transform=lambda x: x * 2)
    np.testing.assert_array_equal(next(iter(doubled)).numpy(), IMAGES * 2)


@pytest.mark.parametrize("prefetch", [0, 3])
def test_positions(prefetch: int) -> None:
    def loader() -> DataLoader:
        return DataLoader(Pairs(), 2, shuffle=True, seed=9, prefetch=prefetch)

    whole = loader()
    epochs = [numbers(whole) for _ in range(3)]
    for stop in range(7):
        first = loader()
        first.epoch = 1
        reading = iter(first)
        for batch in epochs[1][:stop]:
            assert next(reading)[1].numpy().tolist() == batch
        state = first.state()
        assert state == {"epoch": 1, "batch": stop, "seed": 9, "batch_size": 2}
        assert all(type(value) is int for value in state.values())
        second = loader()
        second.restore(state)
        assert second.state() == state
        assert numbers(second) == epochs[1][stop:]
        assert second.state() == {**state, "epoch": 2, "batch": 0}
        assert numbers(second) == epochs[2]


def test_an_epoch_that_was_left_counts() -> None:
    loader = DataLoader(Pairs(), 2, shuffle=True)
    for _ in loader:
        break
    assert (loader.epoch, loader.state()["batch"]) == (0, 1)
    expected = [batch.tolist() for batch in batches(N, 2, epoch=1)]
    both = list(zip(loader, loader, strict=True))  # two at once, each in its own epoch
    assert [first[1].numpy().tolist() for first, _ in both] == expected
    assert [second[1].numpy().tolist() for _, second in both] == [b.tolist() for b in batches(N, 2, epoch=2)]
    assert loader.epoch == 3


@pytest.mark.parametrize("drop_last", [False, True])
@pytest.mark.parametrize("count", [1, 2, 3, 20])
def test_shards(count: int, drop_last: bool) -> None:
    loaders = [DataLoader(Pairs(), 2, shuffle=True, shard=(rank, count), drop_last=drop_last) for rank in range(count)]
    read = [numbers(loader) for loader in loaders]
    assert {len(shard) for shard in read} == {len(loader) for loader in loaders} and len({*map(len, read)}) == 1
    examples = [number for shard in read for batch in shard for number in batch]
    if drop_last:
        assert len({*examples}) == len(examples)
    else:
        assert {*examples} == {*range(N)}


def test_samplers() -> None:
    for indices in ([3, 1, 1], np.array([3, 1, 1]), (3, 1, 1)):
        assert numbers(DataLoader(Pairs(), 2, sampler=indices)) == [[3, 1], [1]]
    loader = DataLoader((IMAGES, CLASSES), 5, sampler=WeightedSampler([0] * 9 + [1, 1], 200))
    assert len(loader) == 40
    drawn = np.concatenate(numbers(loader))
    assert {*drawn} == {9, 10} and 70 < (drawn == 9).sum() < 130  # 4.2 standard deviations
    assert np.concatenate(numbers(loader)).tolist() != drawn.tolist()  # another epoch
    some = WeightedSampler([1, 2, 0, 4], 3, replacement=False)
    assert sorted(some(seed=0, epoch=0)) == [0, 1, 3]
    firsts = [some(seed=1, epoch=epoch)[0] for epoch in range(700)]
    # The first is drawn with probabilities 1/7, 2/7, 4/7: 700 of them lie within 4.5 standard deviations of 100, ...
    np.testing.assert_array_less(abs(np.bincount(firsts) - [100, 200, 0, 400]), [42, 54, 1, 59])
    classes = np.array([0] * 90 + [4] * 10)
    balanced = DataLoader(classes, 100, sampler=BalancedSampler(classes, 1000))
    shares = [float((batch.numpy() == 4).mean()) for batch in balanced]
    assert len(shares) == 10 and abs(np.mean(shares) - 0.5) < 4.5 * 0.5 / np.sqrt(1000)
    chosen = DataLoader(Pairs(), batch_sampler=[[1, 2], [0]])
    assert numbers(chosen) == numbers(chosen) == [[1, 2], [0]] and len(chosen) == 2
    chosen = DataLoader(Pairs(), batch_sampler=lambda seed, epoch: [[seed, epoch]], seed=7)
    assert numbers(chosen) + numbers(chosen) == [[7, 0], [7, 1]]


def test_repr() -> None:
    loader = DataLoader(Pairs(), 2)
    next(iter(loader))
    assert repr(loader) == "DataLoader(6 batches of 2, epoch 0, 1 read)"
    assert repr(DataLoader(pairs, 2)) == "DataLoader(batches of 2, epoch 0, 0 read)"
    assert repr(DataLoader(Pairs(), batch_sampler=[[1]])) == "DataLoader(1 batches, epoch 0, 0 read)"


def test_empty() -> None:
    empty: list[Any] = [[], (IMAGES[:0], CLASSES[:0])]
    for dataset in empty:
        loader = DataLoader(dataset, 3, shuffle=True, workers=1)
        assert list(loader) == [] and len(loader) == 0 and loader.epoch == 1
    assert list(DataLoader(iter([]), 3)) == []


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no data set": ({"dataset": 5}, "a int is no data set"),
    "lengths": ({"dataset": (IMAGES, CLASSES[1:])}, "arrays of different lengths: 10, 11"),
    "a number": ({"dataset": np.float32(1)}, "no data set"),
    "0-d": ({"dataset": (IMAGES, np.zeros(()))}, "different lengths"),
    "mapping": ({"dataset": {"a": [1]}}, "not all arrays"),
    "batch size": ({"batch_size": 0}, "batch_size is 0, expected at least 1"),
    "neither": ({"batch_size": None}, "a batch_size, or a batch_sampler"),
    "both": ({"batch_sampler": [[1]]}, "a batch_size, or a batch_sampler"),
    "shuffled sampler": ({"sampler": [1], "shuffle": True}, "shuffle doesn't go with it"),
    "sharded batches": ({"batch_size": None, "batch_sampler": [[1]], "shard": (0, 2)}, "a batch_sampler decides all"),
    "sampled once": ({"sampler": iter([1])}, "an iterator can't be"),
    "stream": ({"dataset": pairs, "shuffle": True}, "a stream's examples have no numbers"),
    "stream, chosen": ({"dataset": pairs, "sampler": np.array([1, 2])}, "no numbers"),
    "shard": ({"shard": (2, 2)}, "a rank below the count"),
    "no shard": ({"shard": 2}, "expected a pair"),
    "workers": ({"workers": 0.5}, "workers is 0.5"),
    "transform": ({"transform": "flip"}, "a function of a batch, not str"),
    "collate": ({"collate": list}, "collate puts single examples together"),
}


@pytest.mark.parametrize("what", BAD)
def test_wrong_arguments(what: str) -> None:
    given, message = BAD[what]
    with pytest.raises(DatasetError, match=message):
        DataLoader(**untyped({"dataset": (IMAGES, CLASSES), "batch_size": 2, **given}))


def test_wrong_states_and_indices() -> None:
    loader = DataLoader(Pairs(), 2)
    good = loader.state()
    for change, message in (
        ({"seed": 1}, "with seed 1, not 0"),
        ({"batch_size": 3}, "with batch_size 3, not 2"),
        ({"batch": -1}, "batch is -1"),
        ({"epoch": 0.5}, "epoch is 0.5"),
        ({"more": 1}, "the state of a loader has"),
    ):
        with pytest.raises(DatasetError, match=message):
            loader.restore({**good, **change})
        assert loader.state() == good
    with pytest.raises(DatasetError, match="index 11 of a data set of 11 examples"):
        list(DataLoader(Pairs(), 2, sampler=[0, 11]))
    with pytest.raises(DatasetError, match="whole numbers in one axis"):
        Subset(Pairs(), [0.5])
    with pytest.raises(DatasetError, match="the examples of a function have no numbers"):
        Subset(pairs, [0])


def test_random_split() -> None:
    parts = random_split((IMAGES, CLASSES), [6, 3, 2], seed=4)
    assert [len(part) for part in parts] == [6, 3, 2]
    seen = [numbers(DataLoader(part, 4, shuffle=True)) for part in parts]
    assert sorted(number for part in seen for batch in part for number in batch) == list(range(N))
    assert [len(part) for part in random_split(Pairs(), [0.5, 0.25, 0.25])] == [5, 2, 4]
    image, number = parts[1][0]
    np.testing.assert_array_equal(image, IMAGES[number])
    for lengths in ([5, 5], [0.5, 0.4], [], [-1, 12]):
        with pytest.raises(DatasetError, match="expected lengths that add up to 11"):
            random_split(Pairs(), lengths)
