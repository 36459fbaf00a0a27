"""What metrics add up, on the device: counts that never lose one, and sums in two floats.

Both are two tensors that kernels change in place: devices need no 64-bit integers, and no f64.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from autograph.errors import DeviceError, ShapeError
from autograph.functions.reducers.sums import sum as sum_of
from autograph.functions.type_variables import T, U, W, number_for
from autograph.tensor.base import Shape
from autograph.tensor.tensor import Tensor
from krnlpy import Buffer, Device, DTypeLike, GlobalMut, Item, ItemMut, f32, func, i32, kernel, u32
from krnlpy.dsl import atomic_add

_LAST = (1 << 32) - 1


@kernel
def _count(places: Item[i32], low: GlobalMut[u32], high: GlobalMut[u32]) -> None:
    """One more at each place; none at those below 0."""
    if places >= 0 and atomic_add(low[places], 1) == _LAST:
        atomic_add(high[places], 1)


@func
def _raised(low: Any, high: Any, amount: Any) -> Any:
    total = low + amount  # which wraps
    return total, high + (1 if total < amount else 0)


@kernel
def _add_counts(amounts: Item[T], low: ItemMut[u32], high: ItemMut[u32]) -> None:
    low, high = _raised(low, high, u32(amounts))


@kernel
def _add_count(low: ItemMut[u32], high: ItemMut[u32], amount: u32) -> None:
    low, high = _raised(low, high, amount)


@kernel
def _join_counts(low: ItemMut[u32], high: ItemMut[u32], other_low: Item[u32], other_high: Item[u32]) -> None:
    low, high = _raised(low, high + other_high, other_low)


@func
def _summed(high: Any, low: Any, x: Any) -> Any:
    """A number added to one that is the sum of two: what rounding loses of the first joins the second.

    After D. E. Knuth, "The Art of Computer Programming", volume 2, 4.2.2.
    """
    total = high + x
    part = total - high
    return total, low + ((high - (total - part)) + (x - part))


@kernel
def _add_sums(x: Item[T], high: ItemMut[U], low: ItemMut[U], scale: W) -> None:
    high, low = _summed(high, low, U(x) * scale)


@kernel
def _add_sum(high: ItemMut[U], low: ItemMut[U], amount: W) -> None:
    high, low = _summed(high, low, amount)


class _Pair:
    """Two tensors of a shape, on the device of what was added first."""

    def __init__(self, shape: Shape = ()) -> None:
        self.shape = shape
        self.first: Tensor | None = None
        self.second: Tensor | None = None
        self._is_restored = False  # on the host, until something is added

        self._is_fresh = True

    def reset(self) -> None:
        """Makes it nothing again, in place: a step that was captured before goes on with it."""
        for part in (self.first, self.second):
            if part is not None:
                part.fill(0)
        self._is_fresh = True
        self._is_restored = False

    def state(self) -> list[np.ndarray[Any, Any]]:
        """The two, to be saved; nothing if nothing was added."""
        return list(self.numpy() or ())

    def restore(self, state: Sequence[Any]) -> None:
        """Takes what :meth:`state` gave. Raises ShapeError where it is of another shape."""
        parts = [Tensor.from_numpy(part) for part in state]
        if len(parts) not in (0, 2) or any(part.shape != self.shape for part in parts):
            raise ShapeError(f"a state of shapes {[part.shape for part in parts]}, not twice {self.shape}")
        self.first, self.second = parts or (None, None)
        self._is_restored = bool(parts)

    def parts(self, device: Device, dtype: DTypeLike) -> tuple[Buffer, Buffer]:
        """The two, for a kernel that changes them. Raises DeviceError where they lie on another device."""
        if self.first is None or self.second is None:
            self.first, self.second = (Tensor(Buffer.zeros(self.shape, dtype, device)) for _ in range(2))
        if self._is_restored:
            self.first, self.second = self.first.to_device(device), self.second.to_device(device)
            self._is_restored = False
        if self.first.device != device:
            raise DeviceError(
                f"a metric on {self.first.device.name} and numbers on {device.name}; move them with"
                " tensor.to_device(device), or reset() the metric"
            )
        return self.first.writable(), self.second.writable()

    def numpy(self) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None:
        """The two, read back; None if nothing was added."""
        if self.first is None or self.second is None:
            return None
        # Copies: what an array shares would have to be copied before it is changed again.
        return self.first.buffer.numpy(), self.second.buffer.numpy()


class Counts(_Pair):
    """Whole numbers from 0 to 2**64, exactly."""

    def count(self, places: Tensor) -> None:
        """One more at each of the places, of i32; below 0 there is none."""
        if places.size:
            _count(places.buffer, *self.parts(places.device, u32))

    def add(self, amounts: Tensor) -> None:
        """Amounts of the counts' shape, of i32."""
        _add_counts(amounts.buffer, *self.parts(amounts.device, u32))

    def add_number(self, amount: int, device: Device) -> None:
        """The same amount to all, below 2**32."""
        _add_count(*self.parts(device, u32), amount)

    def merge(self, other: Counts) -> None:
        """What another one has."""
        if other.first is None or other.second is None:
            return
        device = other.first.device if self.first is None else self.first.device
        others = (part.to_device(device).buffer for part in (other.first, other.second))
        _join_counts(*self.parts(device, u32), *others)

    def value(self) -> np.ndarray[Any, Any]:
        """The counts, as i64; waits for the device."""
        parts = self.numpy()
        if parts is None:
            return np.zeros(self.shape, np.int64)
        return parts[0].astype(np.int64) + (parts[1].astype(np.int64) << 32)


class Sums(_Pair):
    """Sums in f32 (f64 if what is added first is f64) and of what rounding lost of them."""

    def add(self, x: Tensor, scale: float = 1.0) -> None:
        """Numbers of the sums' shape, each times a number."""
        high, low = self._floats(x.device, x.dtype.compute)
        _add_sums(x.buffer, high, low, number_for(high.dtype, scale))

    def add_total(self, x: Tensor) -> None:
        """All elements, to one sum."""
        if x.size:
            self.add(x if x.ndim == 0 else sum_of(x))

    def add_number(self, amount: float, device: Device, dtype: DTypeLike = f32) -> None:
        """The same number to all."""
        high, low = self._floats(device, dtype)
        _add_sum(high, low, number_for(high.dtype, amount))

    def merge(self, other: Sums) -> None:
        """What another one has."""
        for part in (other.first, other.second):
            if part is not None:
                self.add(part if self.first is None else part.to_device(self.first.device))

    def value(self) -> np.ndarray[Any, Any]:
        """The sums, as f64; waits for the device."""
        parts = self.numpy()
        if parts is None:
            return np.zeros(self.shape)
        high, low = (part.astype(np.float64) for part in parts)
        return np.where(np.isfinite(high), high + low, high)

    def _floats(self, device: Device, dtype: DTypeLike) -> tuple[Buffer, Buffer]:
        return self.parts(device, dtype if self.first is None else self.first.dtype)
