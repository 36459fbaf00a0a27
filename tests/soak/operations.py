"""Random operations on the buffers of one thread, each done by NumPy too.

Integers, so that results are exact; those of another thread are never touched, but all share the device.
"""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from krnlpy import Buffer, Device, Global, GlobalMut, Item, ItemMut, Kernel, Spec, kernel, scalar_type, u8, u16, u32
from krnlpy.dsl import barrier, global_id, group_array, group_id, thread_id
from krnlpy.errors import OutOfMemory

_MOST_BUFFERS = 24
_MOST_BYTES = 48 << 20
"""Of a thread's buffers."""


@kernel
def add(number: u32, x: Item[u32], y: ItemMut[u32]) -> None:
    y += x * number


@kernel
def mix(x: Item[u8], y: Item[u8], z: ItemMut[u8]) -> None:
    z ^= x + y


@kernel
def gather(x: Global[u32, 1], at: Item[u32], y: ItemMut[u32]) -> None:
    y = x[at % u32(len(x))]


@kernel(threads=64)
def turn_groups(x: GlobalMut[u32, 1]) -> None:
    values = group_array(u32, (64,))
    here = global_id(0)
    if here < len(x):
        values[thread_id(0)] = x[here]
    barrier()
    last = min(64, len(x) - 64 * group_id(0)) - 1
    if here < len(x):
        x[here] = values[last - thread_id(0)]


def new_kernel(by: int) -> Kernel:
    """A kernel that was not compiled before, unless for the same number."""

    def scale(x: ItemMut[u32], BY: Spec[u32] = 1) -> None:
        x *= BY

    return kernel(scale).specialize(BY=by)


class Thread:
    """The buffers of a thread, with what must be in them.

    Attributes:
        done: operations by name.
    """

    def __init__(self, devices: list[Device], seed: int) -> None:
        self._devices = devices
        self._rng = random.Random(seed)
        self._kept: list[tuple[Buffer, np.ndarray[Any, Any]]] = []
        self.done: dict[str, int] = {}

    def step(self) -> None:
        """One operation. Raises AssertionError where the device disagrees with NumPy."""
        operations = (
            *(self._create, self._create, self._drop, self._launch, self._launch, self._launch, self._bytes),
            *(self._gather, self._turn, self._copy, self._move, self._fill, self._cast, self._strided, self._compile),
            *(self._read, self._read),
        )
        operation = self._rng.choice(operations)
        try:
            operation()
        except OutOfMemory:
            self._kept.clear()
            self.done["out of memory"] = self.done.get("out of memory", 0) + 1
        name = operation.__name__.strip("_")
        self.done[name] = self.done.get(name, 0) + 1
        while len(self._kept) > _MOST_BUFFERS or sum(a.nbytes for _, a in self._kept) > _MOST_BYTES:
            self._drop()

    def check(self) -> None:
        """Compares all that is left."""
        for buffer, array in self._kept:
            assert np.array_equal(buffer.numpy(), array)

    def _length(self) -> int:
        return self._rng.choice((1, 3, 64, 1000, 5000, self._rng.randrange(1, 1 << 18), 3 << 20))

    def _random(self, dtype: Any, length: int) -> np.ndarray[Any, Any]:
        seed = self._rng.randrange(1 << 32)
        return np.random.default_rng(seed).integers(0, np.iinfo(dtype).max, length, dtype, endpoint=True)

    def _keep(self, buffer: Buffer, array: np.ndarray[Any, Any]) -> None:
        self._kept.append((buffer, array))

    def _any(self, dtype: Any = u32) -> tuple[Buffer, np.ndarray[Any, Any]]:
        found = [entry for entry in self._kept if entry[0].dtype is dtype]
        if found:
            return self._rng.choice(found)
        array = self._random(dtype.dtype, self._length())
        entry = Buffer.from_numpy(array.copy(), self._rng.choice(self._devices)), array
        self._kept.append(entry)
        return entry

    def _create(self) -> None:
        dtype = scalar_type(self._rng.choice((u8, u16, u32)))
        array = self._random(dtype.dtype, self._length())
        self._keep(Buffer.from_numpy(array.copy(), self._rng.choice(self._devices)), array)

    def _drop(self) -> None:
        if self._kept:
            self._kept.pop(self._rng.randrange(len(self._kept)))

    def _launch(self) -> None:
        (y, want), number = self._any(), self._rng.randrange(1 << 32)
        x = Buffer.from_numpy(given := self._random(np.uint32, y.size), y.device)
        for _ in range(self._rng.choice((1, 2, 20))):
            add(number, x, y)
            want += given * np.uint32(number)

    def _bytes(self) -> None:
        z, want = self._any(u8)
        a, b = self._random(np.uint8, z.size), self._random(np.uint8, z.size)
        mix(Buffer.from_numpy(a, z.device), Buffer.from_numpy(b, z.device), z)
        want ^= a + b

    def _gather(self) -> None:
        x, array = self._any()
        at = self._random(np.uint32, self._length())
        y = Buffer.empty(len(at), u32, x.device)
        gather(x, Buffer.from_numpy(at, x.device), y)
        self._keep(y, array[at % len(array)])

    def _turn(self) -> None:
        x, want = self._any()
        turn_groups.with_groups(-(-len(want) // 64))(x)
        whole = len(want) // 64 * 64
        want[:whole] = want[:whole].reshape(-1, 64)[:, ::-1].reshape(-1).copy()
        want[whole:] = want[whole:][::-1].copy()

    def _copy(self) -> None:
        x, array = self._any(self._rng.choice((u8, u16, u32)))
        self._keep(x.copy(), array.copy())

    def _move(self) -> None:
        x, array = self._any(self._rng.choice((u8, u16, u32)))
        self._keep(x.to_device(self._rng.choice(self._devices)).copy(), array.copy())

    def _fill(self) -> None:
        x, want = self._any(self._rng.choice((u8, u16, u32)))
        first, last = sorted((self._rng.randrange(len(want) + 1), self._rng.randrange(len(want) + 1)))
        if first < last:
            value = self._rng.randrange(256)
            x[first:last].fill(value)
            want[first:last] = value

    def _cast(self) -> None:
        x, array = self._any(u8)
        to = scalar_type(self._rng.choice((u16, u32)))
        self._keep(x.cast(to), array.astype(to.dtype))

    def _strided(self) -> None:
        x, array = self._any(self._rng.choice((u8, u16, u32)))
        if len(array) > 1:
            step = self._rng.randrange(2, 5)
            self._keep(x[::step].copy(), array[::step].copy())

    def _compile(self) -> None:
        (x, want), by = self._any(), self._rng.randrange(1 << 16)
        new_kernel(by)(x)
        want *= np.uint32(by)

    def _read(self) -> None:
        if self._kept:
            buffer, array = self._rng.choice(self._kept)
            assert np.array_equal(buffer.numpy(), array), (buffer.dtype, len(array))
