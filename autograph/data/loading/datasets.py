"""What a data set is: arrays of equal length, a sequence of examples, or a stream of them; and how it is read."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Protocol

import numpy as np

from autograph.errors import AxisError, DatasetError
from autograph.functions.indexing.along_axes import take
from autograph.tensor.base import TensorBase
from autograph.tensor.tensor import Tensor

from .collation import collate as usual_collate
from .order import Order

Collate = Callable[[list[Any]], Any]
END = object()
"""What a stream gives when it is over."""


class Examples(Protocol):
    """A data set whose examples have numbers."""

    def __len__(self) -> int: ...

    def read(self, indices: Order) -> Any:
        """The batch of the examples with these numbers."""


class Subset:
    """Some examples of a data set, in a given order.

    Args:
        dataset: arrays or a sequence, as :class:`DataLoader` takes them.
        indices: the numbers of the examples.

    Attributes:
        dataset: as given.
        indices: i64 of shape ``[n]``.

    Raises:
        DatasetError: an index is out of range, or the data set's examples have no numbers.

    >>> from autograph.data import Subset
    >>> part = Subset(["a", "b", "c"], [2, 0])
    >>> len(part), part[0]
    (2, 'c')
    """

    def __init__(self, dataset: Any, indices: Any) -> None:
        self.dataset = dataset
        self.indices = indices_within(indices, len(examples_of(dataset)))

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, place: int) -> Any:
        try:
            place = operator.index(place)
        except TypeError:
            raise DatasetError(f"a place of type {type(place).__name__}: expected a whole number") from None
        if not -len(self) <= place < len(self):
            raise AxisError(f"place {place} of a part of {len(self)} examples")
        return _example(self.dataset, int(self.indices[place]))


class Columns:
    """Arrays of equal length along their first axis: batches are taken out of each at once.

    Args:
        columns: an array or a tensor, or a tuple or mapping of them.
    """

    def __init__(self, columns: Any) -> None:
        self._columns = columns
        lengths = {len(column) if column.ndim else 0 for column in _flat(columns)}
        if len(lengths) != 1:
            raise DatasetError(f"arrays of different lengths: {', '.join(map(str, sorted(lengths)))}")
        [self._length] = lengths

    def __len__(self) -> int:
        return self._length

    def read(self, indices: Order) -> Any:
        n = len(indices)
        if n and indices[-1] - indices[0] == n - 1 and (np.diff(indices) == 1).all():
            run = slice(int(indices[0]), int(indices[0]) + n)
            return _mapped(self._columns, lambda column: column[run])
        return _mapped(self._columns, lambda column: _taken(column, indices))


class Sequenced:
    """A sequence of examples, which are read one by one."""

    def __init__(self, dataset: Any, collate: Collate) -> None:
        self._dataset, self._collate = dataset, collate

    def __len__(self) -> int:
        return len(self._dataset)

    def read(self, indices: Order) -> Any:
        numbers: list[int] = indices.tolist()
        several = getattr(self._dataset, "__getitems__", None)  # PyTorch's name for reading a batch at once
        if several is not None:
            try:
                examples = several(numbers)
            except Exception as error:
                error.add_note(f"while the examples {_listed(numbers)} were read")
                raise
        else:
            examples = []
            for number in numbers:
                try:
                    examples.append(self._dataset[number])
                except Exception as error:
                    error.add_note(f"while example {number} was read")
                    raise
        try:
            return self._collate(examples)
        except Exception as error:
            error.add_note(f"while the examples {_listed(numbers)} were put together")
            raise


class Part:
    """A part of a data set."""

    def __init__(self, whole: Examples, indices: Order) -> None:
        self._whole, self._indices = whole, indices

    def __len__(self) -> int:
        return len(self._indices)

    def read(self, indices: Order) -> Any:
        return self._whole.read(self._indices[indices])


class Stream:
    """Examples that come one after the other, without numbers.

    Args:
        dataset: an iterable, or a function that returns one.
        collate: from examples to a batch.
    """

    def __init__(self, dataset: Any, collate: Collate) -> None:
        self._dataset, self._collate = dataset, collate
        self._is_spent = False

    def __len__(self) -> int:
        if not hasattr(self._dataset, "__len__"):
            raise TypeError(f"a {type(self._dataset).__name__} has no length before it was read")
        return len(self._dataset)

    def reader(self, batch_size: int, skip: int, shard: tuple[int, int], drop_last: bool) -> Callable[[Any], Any]:
        """A function that gives the next batch at each call, behind so many batches; END when there is none."""
        numbered = islice(enumerate(self._examples()), shard[0], None, shard[1])
        passed_over, last = skip * batch_size, -1

        def read(_: Any) -> Any:
            nonlocal passed_over, last
            batch: list[Any] = []
            try:
                for number, example in numbered:
                    last = number
                    if passed_over:
                        passed_over -= 1
                        continue
                    batch.append(example)
                    if len(batch) == batch_size:
                        break
            except Exception as error:
                error.add_note(f"while the example after number {last} was read")
                raise
            is_whole = len(batch) == batch_size
            return self._collate(batch) if batch and (is_whole or not drop_last) else END

        return read

    def _examples(self) -> Iterator[Any]:
        made = self._dataset if isinstance(self._dataset, Iterable) else self._dataset()
        if not isinstance(made, Iterable):
            raise DatasetError(f"the data set's function returns {type(made).__name__}, expected an iterable")
        examples = iter(made)
        if examples is self._dataset:
            if self._is_spent:
                raise DatasetError(
                    f"a {type(made).__name__} can be read once: for more epochs hand over the function that makes it"
                )
            self._is_spent = True
        return examples


def dataset_of(dataset: Any, collate: Collate | None) -> Examples | Stream:
    """What a user handed over, as something to read.

    Raises:
        DatasetError: it is no data set.
    """
    if isinstance(dataset, Subset):
        return Part(examples_of(dataset.dataset, collate), dataset.indices)
    if _is_columns(dataset):
        if collate is not None:
            raise DatasetError("collate puts single examples together; what arrays give may be changed by transform")
        return Columns(dataset)
    of = usual_collate if collate is None else collate
    # PyTorch's and Hugging Face's streams inherit a __getitem__ that only raises.
    is_stream = any(cls.__name__ == "IterableDataset" for cls in type(dataset).__mro__)
    if not is_stream and hasattr(dataset, "__getitem__") and hasattr(dataset, "__len__"):
        if isinstance(dataset, Mapping):
            raise DatasetError("a mapping of arrays is a data set; this one's values are not all arrays")
        return Sequenced(dataset, of)
    if isinstance(dataset, Iterable) or callable(dataset):
        return Stream(dataset, of)
    raise DatasetError(
        f"a {type(dataset).__name__} is no data set: expected arrays, a tuple or dict of arrays, something with __len__"
        " and __getitem__, an iterable, or a function that returns one"
    )


def examples_of(dataset: Any, collate: Collate | None = None) -> Examples:
    """A data set whose examples have numbers.

    Raises:
        DatasetError: it has none.
    """
    found = dataset_of(dataset, collate)
    if isinstance(found, Stream):
        raise DatasetError(f"the examples of a {type(dataset).__name__} have no numbers")
    return found


def indices_within(indices: Any, length: int) -> Order:
    """Indices as an array of i64, all of them below a length.

    Raises:
        DatasetError: they are not.
    """
    try:
        array = np.asarray(indices if hasattr(indices, "__array__") or isinstance(indices, list) else list(indices))
    except (TypeError, ValueError):
        array = np.empty((0, 0))
    if array.ndim != 1 or (array.dtype.kind not in "iu" and array.size):
        raise DatasetError(f"expected whole numbers in one axis as indices of examples, not {indices!r}")
    order = array.astype(np.int64)
    wrong = order[(order < 0) | (order >= length)]
    if wrong.size:
        raise DatasetError(f"index {wrong[0]} of a data set of {length} examples")
    return order


def _listed(numbers: list[int]) -> str:
    return ", ".join(map(str, numbers if len(numbers) <= 16 else [*numbers[:16], "..."]))


def _example(dataset: Any, number: int) -> Any:
    return _mapped(dataset, lambda column: column[number]) if _is_columns(dataset) else dataset[number]


def _is_columns(dataset: Any) -> bool:
    if isinstance(dataset, tuple | Mapping):
        columns = _flat(dataset)
        return bool(columns) and all(_is_column(column) for column in columns)
    return _is_column(dataset)


def _is_column(value: Any) -> bool:
    return isinstance(value, np.ndarray | TensorBase)


def _flat(columns: Any) -> list[Any]:
    if isinstance(columns, Mapping):
        return list(columns.values())
    return list(columns) if isinstance(columns, tuple) else [columns]


def _mapped(columns: Any, function: Callable[[Any], Any]) -> Any:
    if isinstance(columns, Mapping):
        return {key: function(column) for key, column in columns.items()}
    if isinstance(columns, tuple):
        items = [function(column) for column in columns]
        return type(columns)(*items) if hasattr(columns, "_fields") else tuple(items)
    return function(columns)


def _taken(column: Any, indices: Order) -> Any:
    if isinstance(column, TensorBase):
        places = Tensor.from_numpy(indices.astype(np.int32), column.device)
        return take(column, places, 0)  # type: ignore[arg-type]
    return column.take(indices, axis=0)
