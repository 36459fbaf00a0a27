"""Examples put together: a batch has the structure of an example, with one axis more in front."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from autograph.errors import DatasetError
from autograph.functions.shapes.joining import stack
from autograph.tensor.base import TensorBase
from autograph.tensor.tensor import Tensor
from krnlpy import Device, Feature

_INT32 = np.iinfo(np.int32)
_NOT_NUMBERS = "OSUMm"  # kinds of NumPy arrays that no tensor has


def collate(examples: Sequence[Any]) -> Any:
    """Put examples together to a batch.

    Tuples and mappings are put together item by item. Arrays, other libraries' tensors, pictures and lists of numbers
    are stacked; Python's numbers become i32, f32 or bool. Texts, bytes and None stay lists.

    Args:
        examples: at least one; all of the structure of the first.

    Returns:
        Tuples and dicts of NumPy arrays, tensors (of tensors) and lists.

    Raises:
        DatasetError: the examples differ in structure or shape, or hold what can't be put together.

    >>> from autograph.data import collate
    >>> images, classes = collate([([0.5, 1.0], 3), ([2.0, 4.0], 7)])
    >>> images.tolist(), classes.tolist(), classes.dtype.name
    ([[0.5, 1.0], [2.0, 4.0]], [3, 7], 'int32')
    """
    if not isinstance(examples, list | tuple):
        raise DatasetError(f"collate takes a list of examples, not {type(examples).__name__}")
    if not examples:
        raise DatasetError("collate takes at least one example")
    first = examples[0]
    if isinstance(first, Mapping):
        return {key: collate([_item(example, key) for example in examples]) for key in first}
    if isinstance(first, tuple):
        if any(not isinstance(example, tuple) or len(example) != len(first) for example in examples):
            raise DatasetError(f"examples are not all tuples of {len(first)}; collate= takes a function of your own")
        columns = [collate(column) for column in zip(*examples, strict=True)]
        return type(first)(*columns) if hasattr(first, "_fields") else tuple(columns)
    if first is None or isinstance(first, str | bytes):
        return list(examples)
    if isinstance(first, TensorBase):
        _require_shapes([example.shape for example in examples])
        return stack(list(examples))
    return _stacked(examples)


def to_device(batch: Any, device: Device | None) -> Any:
    """Arrays of numbers in tuples and dicts become tensors on the device, None being the host; all else stays.

    Whole numbers of 64 bits become those of 32 on a device that has no others, if these hold them.
    """
    if isinstance(batch, np.ndarray | np.generic):
        return batch if batch.dtype.kind in _NOT_NUMBERS else Tensor.from_numpy(_for(device, np.asarray(batch)), device)
    if isinstance(batch, TensorBase):
        return batch if device is None or batch.device == device else batch.to_device(device)  # type: ignore[attr-defined]
    if isinstance(batch, tuple):
        items = [to_device(item, device) for item in batch]
        return type(batch)(*items) if hasattr(batch, "_fields") else tuple(items)
    if isinstance(batch, dict):
        return {key: to_device(item, device) for key, item in batch.items()}
    return batch


def _for(device: Device | None, array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """Whole numbers of 64 bits as those of 32 that hold them, on a device that can't compute with the former: as such
    come the classes of most data sets."""
    if array.dtype.kind not in "iu" or array.dtype.itemsize < 8 or device is None:
        return array
    narrow = np.iinfo(np.int32 if array.dtype.kind == "i" else np.uint32)
    if Feature.INT64 in device.info.features or not array.size:
        return array
    return array.astype(narrow.dtype) if narrow.min <= array.min() and array.max() <= narrow.max else array


def _item(example: Any, key: Any) -> Any:
    try:
        return example[key]
    except (KeyError, TypeError, IndexError):
        raise DatasetError(f"an example has no {key!r}, which the first of its batch has") from None


def _stacked(examples: Sequence[Any]) -> np.ndarray[Any, Any]:
    first = examples[0]
    if isinstance(first, bool | int | float):
        numbers = np.array(examples)
        if numbers.ndim == 1 and numbers.dtype.kind == "f":
            return numbers.astype(np.float32)
        if numbers.ndim == 1 and numbers.dtype.kind in "ib":
            fits = numbers.dtype.kind == "i" and _INT32.min <= numbers.min() and numbers.max() <= _INT32.max
            return numbers.astype(np.int32) if fits else numbers
    try:
        arrays = [_array(example) for example in examples]
    except (TypeError, ValueError):
        arrays = []
    if not arrays or arrays[0].dtype.kind in _NOT_NUMBERS:
        raise DatasetError(
            f"examples hold {type(first).__name__}, which can't be put together; collate= takes a function from a list"
            " of examples to a batch"
        )
    _require_shapes([array.shape for array in arrays])
    return np.stack(arrays)


def _array(example: Any) -> np.ndarray[Any, Any]:
    of_tensor = getattr(example, "numpy", None)  # PyTorch's, which is faster than __array__
    array = np.asarray(example) if of_tensor is None else of_tensor()
    if isinstance(example, list) and array.dtype.itemsize == 8 and array.dtype.kind in "if":  # Python's numbers
        return array.astype(np.int32 if array.dtype.kind == "i" else np.float32)
    return array


def _require_shapes(shapes: Sequence[tuple[int, ...]]) -> None:
    for place, shape in enumerate(shapes):
        if shape != shapes[0]:
            raise DatasetError(
                f"examples of shapes {shapes[0]} and {shape} (number {place} of a batch) can't be stacked;"
                " collate= takes a function that pads them"
            )
