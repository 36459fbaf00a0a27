"""Batches of a data set, on a device, epoch by epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import count
from typing import Any

import numpy as np

from autograph.data.transforms.compose import Compose, Transform
from autograph.errors import DatasetError
from autograph.random.generator import Generator
from krnlpy import Device

from .collation import to_device
from .datasets import END, Collate, Stream, dataset_of, indices_within
from .order import Order, require_whole, shuffled
from .pipeline import in_order

_TRANSFORM = 2  # so that the numbers are others than those of shuffling and of samplers


class DataLoader:
    """The batches of a data set, as tensors on a device: ``for batch in loader`` reads an epoch.

    A data set is NumPy arrays or tensors of equal length (one, or a tuple or dict of them), from which whole batches
    are taken at once; a sequence of examples, with ``__len__`` and ``__getitem__``, as those of PyTorch and of Hugging
    Face are; an iterable of examples; or a function that returns one. A batch has the structure of an example. Its
    numbers are tensors; texts are lists.

    Each epoch's order, and what transforms draw in it, is a function of ``seed`` and ``epoch`` alone. The first
    iteration reads epoch 0, the next one epoch 1, and so on; :attr:`epoch` may be set.

    Args:
        dataset: as said above.
        batch_size: examples a batch.
        shuffle: whether each epoch reads the examples in an order of its own.
        seed: of orders and transforms, at least 0.
        drop_last: whether to leave out a last batch that is smaller.
        sampler: which examples an epoch reads, in place of ``shuffle``: a function of ``seed`` and ``epoch``, such as
            :class:`WeightedSampler`, or an iterable of indices, such as PyTorch's samplers.
        batch_sampler: in place of ``batch_size``: the same, but of lists of indices.
        shard: ``(rank, count)``: every ``count``-th example from the ``rank``-th on, for training in several processes.
            All have equally many: some examples are read twice, or with ``drop_last`` left out.
        workers: threads that read examples; they help where reading leaves Python's lock, as decoding and files do.
        prefetch: batches that are read, moved and transformed before they are asked for, by a thread of their own; at
            least as many as workers. None is 2 with workers or a device, else 0, which is without threads.
        device: where batches go. None is the host; tensors stay where they are.
        transform: a function of the batch on its device; if it has a parameter ``generator``, it is given a
            :class:`autograph.random.Generator` of the batch's own. See :mod:`autograph.data.transforms`.
        collate: from a list of examples to a batch; None is :func:`collate`.

    Raises:
        DatasetError: the data set is none, or arguments are out of range or exclude each other.

    >>> import numpy as np
    >>> from autograph.data import DataLoader
    >>> images, classes = np.zeros((10, 1, 28, 28), np.float32), np.arange(10)
    >>> loader = DataLoader((images, classes), 4, shuffle=True, seed=1)
    >>> [(x.shape, t.tolist()) for x, t in loader]
    [((4, 1, 28, 28), [2, 0, 1, 4]), ((4, 1, 28, 28), [5, 6, 7, 8]), ((2, 1, 28, 28), [3, 9])]
    >>> len(loader), loader.epoch
    (3, 1)
    """

    def __init__(
        self,
        dataset: Any,
        batch_size: int | None = None,
        *,
        shuffle: bool = False,
        seed: int = 0,
        drop_last: bool = False,
        sampler: Callable[..., Any] | Iterable[int] | None = None,
        batch_sampler: Callable[..., Any] | Iterable[Any] | None = None,
        shard: tuple[int, int] = (0, 1),
        workers: int = 0,
        prefetch: int | None = None,
        device: Device | None = None,
        transform: Transform | None = None,
        collate: Collate | None = None,
    ) -> None:
        self._dataset = dataset_of(dataset, collate)
        self._seed = require_whole("seed", seed, 0)
        self._workers = require_whole("workers", workers, 0)
        ahead = (2 if workers or not (device is None or device.is_host) else 0) if prefetch is None else prefetch
        self._prefetch = max(require_whole("prefetch", ahead, 0), self._workers)
        self._shuffle, self._drop_last, self._shard = shuffle, drop_last, _checked_shard(shard)
        self._sampler, self._batch_sampler = sampler, batch_sampler
        self._device = device
        self._transform = None if transform is None else Compose(transform)
        self._batch_size = 1 if batch_size is None else require_whole("batch_size", batch_size, 1)
        self._check_choices(batch_size)
        self._epoch = self._batch = 0
        self._is_begun = False
        self._latest: object = None

    def _check_choices(self, batch_size: int | None) -> None:
        if (batch_size is None) is (self._batch_sampler is None):
            raise DatasetError("DataLoader takes a batch_size, or a batch_sampler in its place")
        others = self._shuffle or self._drop_last or self._sampler is not None or self._shard[1] > 1
        if self._batch_sampler is not None and others:
            raise DatasetError("a batch_sampler decides all: shuffle, drop_last, sampler and shard don't go with it")
        if hasattr(self._sampler, "__next__") or hasattr(self._batch_sampler, "__next__"):
            raise DatasetError("a sampler is read once an epoch: an iterator can't be; hand over a list or a function")
        if self._sampler is not None and self._shuffle:
            raise DatasetError("a sampler decides the order: shuffle doesn't go with it")
        chosen = self._shuffle or self._sampler is not None or self._batch_sampler is not None
        if chosen and isinstance(self._dataset, Stream):
            raise DatasetError("a stream's examples have no numbers: shuffle and samplers need __len__ and __getitem__")

    def __repr__(self) -> str:
        try:
            batches = f"{len(self)} batches"
        except TypeError:
            batches = "batches"
        size = "" if self._batch_sampler is not None else f" of {self._batch_size}"
        return f"DataLoader({batches}{size}, epoch {self._epoch}, {self._batch} read)"

    @property
    def epoch(self) -> int:
        """The number of the epoch that is being read, or comes next. Setting it makes the next iteration read that.

        >>> from autograph.data import DataLoader
        >>> loader = DataLoader(range(4), 4, shuffle=True)
        >>> first, second = list(loader)[0].tolist(), list(loader)[0].tolist()
        >>> loader.epoch = 0
        >>> list(loader)[0].tolist() == first != second
        True
        """
        return self._epoch

    @epoch.setter
    def epoch(self, epoch: int) -> None:
        self._epoch = require_whole("epoch", epoch, 0)
        self._batch, self._is_begun, self._latest = 0, False, None

    def __len__(self) -> int:
        """Batches an epoch.

        Raises:
            TypeError: the data set is a stream of unknown length, or the sampler has none.
        """
        if self._batch_sampler is not None:
            return len(self._batch_sampler)  # type: ignore[arg-type]
        n = len(self._dataset if self._sampler is None else self._sampler)  # type: ignore[arg-type]
        rank, of = self._shard
        if isinstance(self._dataset, Stream):
            n = len(range(rank, n, of))
        else:
            n = n // of if self._drop_last else -(-n // of)
        return n // self._batch_size if self._drop_last else -(-n // self._batch_size)

    def __iter__(self) -> Iterator[Any]:
        if self._is_begun:  # the last iteration was left before its end
            self.epoch += 1
        self._is_begun = True
        self._latest = mark = object()
        return self._iterate(self._epoch, self._batch, mark)

    def _iterate(self, epoch: int, first: int, mark: object) -> Iterator[Any]:
        read: Callable[[Any], Any]
        if isinstance(self._dataset, Stream):
            of_stream = self._dataset.reader(self._batch_size, first, self._shard, self._drop_last)
            plan: Iterable[Any] = zip(count(first), count())
            read, workers = of_stream, min(self._workers, 1)  # one after the other
        else:
            of_indices = self._dataset.read
            plan = enumerate(self._plan(epoch)[first:], first)
            read, workers = lambda step: of_indices(step[1]), self._workers
        place = _placer(self._device, self._transform, self._seed, epoch)
        with closing(in_order(plan, read, place, workers=workers, prefetch=self._prefetch)) as made:  # type: ignore[type-var]
            for batch in made:
                if batch is END:
                    break
                if self._latest is mark:
                    self._batch += 1
                yield batch
        if self._latest is mark:
            self.epoch += 1

    def _plan(self, epoch: int) -> list[Order]:
        """The indices of each batch."""
        n = len(self._dataset)
        if self._batch_sampler is not None:
            chosen = _sampled(self._batch_sampler, self._seed, epoch)
            return [indices_within(batch, n) for batch in chosen]
        if self._sampler is not None:
            order = indices_within(_sampled(self._sampler, self._seed, epoch), n)
        else:
            order = shuffled(n, self._seed, epoch) if self._shuffle else np.arange(n)
        rank, of = self._shard
        if of > 1:
            each = len(order) // of if self._drop_last else -(-len(order) // of)
            order = np.resize(order, each * of)[rank::of]
        size = self._batch_size
        end = len(order) // size * size if self._drop_last else len(order)
        return [order[start : start + size] for start in range(0, end, size)]

    def state(self) -> dict[str, int]:
        """Where reading stands, to be saved: behind the batches that were handed out.

        >>> from autograph.data import DataLoader
        >>> loader = DataLoader(range(10), 2, seed=3)
        >>> batches = iter(loader)
        >>> _ = next(batches), next(batches)
        >>> loader.state()
        {'epoch': 0, 'batch': 2, 'seed': 3, 'batch_size': 2}
        """
        return {"epoch": self._epoch, "batch": self._batch, "seed": self._seed, "batch_size": self._batch_size}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Makes the next iteration go on where the state was taken: in the midst of that epoch.

        Examples of a stream that were handed out before are read again, and left out.

        Raises:
            DatasetError: it is no such state, or that of a loader with another seed or batch size.

        >>> from autograph.data import DataLoader
        >>> loader = DataLoader(range(10), 2)
        >>> loader.restore({"epoch": 1, "batch": 3, "seed": 0, "batch_size": 2})
        >>> [batch.tolist() for batch in loader], loader.epoch
        ([[6, 7], [8, 9]], 2)
        """
        expected = self.state()
        if not isinstance(state, Mapping) or {*state} != {*expected}:
            raise DatasetError(f"the state of a loader has {', '.join(expected)}; got {state!r}")
        for name in ("seed", "batch_size"):
            if state[name] != expected[name]:
                raise DatasetError(f"the state is of a loader with {name} {state[name]!r}, not {expected[name]}")
        batch = require_whole("batch", state["batch"], 0)
        self.epoch = state["epoch"]
        self._batch = batch


def _placer(
    device: Device | None, transform: Compose | None, seed: int, epoch: int
) -> Callable[[tuple[int, Any], Any], Any]:
    def place(step: tuple[int, Any], batch: Any) -> Any:
        if batch is END:
            return END
        try:
            moved = to_device(batch, device)
            return moved if transform is None else transform(moved, _generator(seed, epoch, step[0]))
        except Exception as error:
            error.add_note(f"while batch {step[0]} of epoch {epoch} was moved and transformed")
            raise

    return place


def _generator(seed: int, epoch: int, batch: int) -> Generator:
    """That of a batch: whatever else was drawn, and whoever draws first."""
    [word] = np.random.SeedSequence([seed, epoch, batch, _TRANSFORM]).generate_state(1, np.uint64)
    return Generator(int(word))


def _sampled(sampler: Any, seed: int, epoch: int) -> Any:
    if callable(sampler):
        return sampler(seed=seed, epoch=epoch)
    if hasattr(sampler, "set_epoch"):  # PyTorch's name
        sampler.set_epoch(epoch)
    return list(sampler)


def _checked_shard(shard: Any) -> tuple[int, int]:
    try:
        rank, of = shard
    except (TypeError, ValueError):
        raise DatasetError(f"shard={shard!r}: expected a pair (rank, count)") from None
    require_whole("rank", rank, 0)
    if rank >= require_whole("count of shards", of, 1):
        raise DatasetError(f"shard={shard!r}: expected a rank below the count")
    return int(rank), int(of)
