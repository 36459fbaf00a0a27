"""Whether a device computes rightly: a kernel of each kind, run and compared with Python's numbers.

``python -m krnlpy.cli.device_check`` lists the Vulkan devices; with a device behind it, checks that one. ``krnlpy
doctor`` runs it in a process of its own, which a driver may end. Each line printed is JSON: first what is tried, then
what came of it, so that it is known where a process ended.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from krnlpy import devices
from krnlpy.buffers.buffer import Buffer
from krnlpy.device import Device
from krnlpy.dsl import atomic_add, barrier, global_id, group_array, group_id, subgroup_add, subgroup_id, thread_id
from krnlpy.dsl.types.annotations import Global, GlobalMut, Item, ItemMut
from krnlpy.errors import KrnlpyError, MissingFeatures
from krnlpy.kernels.kernel import kernel
from krnlpy.scalar import SCALAR_TYPES, ScalarType, scalar_type

if TYPE_CHECKING:
    from krnlpy.dsl.types.checked import f32, i32, u32
else:
    from krnlpy.scalar import f32, i32, u32

T = TypeVar("T", bound=float)

COUNT = 1000
"""Elements: of several groups, the last of which is not whole."""
_THREADS = 64


@kernel
def check_add(x: Item[T], y: Item[T], z: ItemMut[T]) -> None:
    z = x + y  # type: ignore[assignment]


@kernel(threads=_THREADS)
def check_group_sum(x: Global[T], sums: GlobalMut[T]) -> None:
    part = group_array(T, _THREADS)  # type: ignore[misc]
    i = thread_id()
    place = group_id() * _THREADS + i
    part[i] = x[place] if place < x.shape[0] else T(0)  # type: ignore[misc]
    barrier()
    step = _THREADS // 2
    while step > 0:
        if i < step:
            part[i] += part[i + step]
        barrier()
        step //= 2
    if i == 0:
        sums[group_id()] = part[0]


@kernel
def check_atomic_sum(x: Item[u32], total: GlobalMut[u32]) -> None:
    atomic_add(total[0], x)


@kernel(threads=_THREADS)
def check_subgroup_sum(x: Global[f32], totals: GlobalMut[f32], ids: GlobalMut[i32]) -> None:
    i = global_id()
    totals[i] = subgroup_add(x[i])
    ids[i] = subgroup_id()


def checks(device: Device) -> Iterator[tuple[str, Callable[[], str | None]]]:
    """What is tried: its name, and a function that gives what is wrong, or None."""
    yield "memory", lambda: _memory(device)
    for type in SCALAR_TYPES:
        if type.kind != "bool":
            yield f"sum of {type}", lambda type=type: _add(device, type)  # type: ignore[misc]
    for type in (scalar_type(f32), scalar_type(i32)):
        yield f"reduction of {type}", lambda type=type: _group_sum(device, type)  # type: ignore[misc]
    yield "atomics", lambda: _atomic_sum(device)
    yield "subgroups", lambda: _subgroup_sum(device)


def _numbers(type: ScalarType) -> np.ndarray[Any, Any]:
    """Whole numbers whose sums each type has."""
    return (np.arange(COUNT) % 50).astype(type.dtype)


def _memory(device: Device) -> str | None:
    x = np.arange(COUNT, dtype=np.uint32)
    return _difference(Buffer.from_numpy(x, device).copy(), x)


def _add(device: Device, type: ScalarType) -> str | None:
    x = _numbers(type)
    z = Buffer.zeros(COUNT, type, device)
    check_add(Buffer.from_numpy(x, device), Buffer.from_numpy(x[::-1].copy(), device), z)
    return _difference(z, x + x[::-1])


def _group_sum(device: Device, type: ScalarType) -> str | None:
    x = _numbers(type)
    groups = -(-COUNT // _THREADS)
    sums = Buffer.zeros(groups, type, device)
    check_group_sum.with_groups(groups)(Buffer.from_numpy(x, device), sums)
    return _difference(sums, np.add.reduceat(x, np.arange(0, COUNT, _THREADS)))


def _atomic_sum(device: Device) -> str | None:
    x = _numbers(scalar_type(u32))
    total = Buffer.zeros(1, u32, device)
    check_atomic_sum(Buffer.from_numpy(x, device), total)
    return _difference(total, x.sum(keepdims=True))


def _subgroup_sum(device: Device) -> str | None:
    """How many threads a subgroup has is the driver's to choose: each has the sum over those with its id."""
    groups = 4
    x = np.arange(groups * _THREADS, dtype=np.float32)
    totals, ids = Buffer.zeros(len(x), f32, device), Buffer.zeros(len(x), i32, device)
    check_subgroup_sum.with_groups(groups)(Buffer.from_numpy(x, device), totals, ids)
    subgroup = ids.numpy() + np.arange(len(x)) // _THREADS * _THREADS
    return _difference(totals, np.bincount(subgroup, x)[subgroup])


def _difference(found: Buffer, expected: np.ndarray[Any, Any]) -> str | None:
    values = found.numpy()
    wrong = np.flatnonzero(values != expected)
    if not len(wrong):
        return None
    first = wrong[0]
    return (
        f"{len(wrong)} of {len(values)} elements are wrong: element {first} is {values[first]}, not {expected[first]}"
    )


def check(selector: int | str) -> Iterator[dict[str, Any]]:
    """Opens a device and tries all; gives a line before and after each."""
    yield {"begin": "opening it"}
    began = time.perf_counter()
    device = Device(selector)
    yield {"name": device.info.name, "driver": device.info.driver}
    for name, run in checks(device):
        yield {"begin": name}
        try:
            wrong = run()
        except MissingFeatures:
            yield {"missing": name}
        except KrnlpyError as error:
            yield {"failed": name, "why": str(error)}
        else:
            yield {"failed": name, "why": wrong} if wrong else {"right": name}
    yield {"begin": "looking for known defects"}
    yield {"defects": list(device.defects), "seconds": time.perf_counter() - began}


def main(arguments: Sequence[str]) -> int:
    """Prints the lines."""
    if not arguments:
        _say({"devices": [{"index": info.index, "name": info.name, "driver": info.driver} for info in devices()]})
        _say({"best": repr(Device.best())})
        return 0
    (selector,) = arguments
    try:
        for line in check(int(selector) if selector.isdecimal() else selector):
            _say(line)
    except Exception as error:
        _say({"failed": "opening it", "why": f"{type(error).__name__}: {error}"})
    return 0


def _say(line: dict[str, Any]) -> None:
    print(json.dumps(line), flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
